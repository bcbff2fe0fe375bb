//! What crosses counts against the caps of the tenant, the alias and the stranger who writes. Where nothing is capped,
//! nothing is looked up.
//!
//! A cap is looked at before a message is carried, and what it spends is counted in the commit that carries it: of
//! messages that come at the very same moment, a few may pass it together.

use super::passage::Passage;
use super::{Envelope, Halt};
use crate::alias::PeopleError;
use crate::event::Event;
use crate::guard::spend::{self, Account};
use crate::ids::TenantId;
use crate::relay::Relay;
use crate::store::{Change, Class, Conflict, LegTarget, NearCap, Spending, StoreError, Write};

impl Relay {
    /// What carrying a message spends, unless a cap of the day has less left.
    pub(super) async fn spending(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        parts: u32,
    ) -> Result<Vec<Write>, Halt> {
        let (terms, tenant) = (passage.permit.terms(), passage.alias.tenant);
        if !terms.caps.concern(tenant) {
            return Ok(Vec::new());
        }
        let stranger = passage.is_from_outside().then_some(envelope.writer.index);
        let account = Account { alias: Some(passage.alias.id), stranger };
        let cost = self.price(passage).await?.saturating_mul(parts.into());
        let mut writes = Vec::new();
        for spending in terms.caps.counting(tenant, account, parts.into(), cost) {
            let (parts, cost) = self.store.spent(tenant, spending.payer).await?;
            if !spending.fits(parts, cost) {
                self.tell_capped(envelope, passage, &spending).await;
                return Err(passage.refused("spend_cap_reached"));
            }
            writes.push(Write::Spending(spending));
        }
        Ok(writes)
    }

    /// What a part costs on its way to the person; nothing where that is a stranger.
    async fn price(&self, passage: &Passage) -> Result<u64, Halt> {
        let LegTarget::Person(record) = passage.leg.to else { return Ok(0) };
        match self.people.bearing(passage.alias.tenant, record).await {
            Ok(bearing) => Ok(passage.permit.terms().prices.part(&bearing, Class::Relay)),
            Err(PeopleError::Missing) => Ok(0),
            Err(PeopleError::Store(error)) => Err(error.into()),
            Err(PeopleError::Key(error)) => Err(error.into()),
        }
    }

    async fn tell_capped(&self, envelope: &Envelope, passage: &Passage, spending: &Spending) {
        let policy = Some(passage.permit.policy().to_owned());
        let told = |what| self.told_by(&envelope.carrier, Some(spending.tenant), policy, what);
        self.tell_spend(spend::refused(spending.tenant, spending.payer, told)).await;
    }

    /// Tells of caps that a message brought near their end.
    pub(super) async fn tell_near(&self, carrier: &str, tenant: Option<TenantId>, near: Vec<NearCap>) {
        for near in near {
            let event: Event = self.told_by(carrier, tenant, None, spend::alert(near));
            self.tell_spend(Change::telling(event)).await;
        }
    }

    async fn tell_spend(&self, change: Change) {
        match self.store.commit(change).await {
            // Told before, today.
            Ok(_) | Err(StoreError::Conflict(Conflict::Taken)) => {}
            Err(error) => tracing::warn!(%error, "what is spent was not told of"),
        }
    }
}
