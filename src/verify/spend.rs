//! What codes cost against the tenant's cap of the day. Where nothing is capped, nothing is looked up.

use super::{Verify, VerifyError};
use crate::access::{Permit, Resource};
use crate::event::What;
use crate::guard::spend::{self, Account};
use crate::ids::RecordId;
use crate::store::{Change, Class, Conflict, NearCap, Payer, StoreError, Write};
use crate::vault::until_midnight;

impl Verify {
    /// What sending one code to this person spends. Codes are written to fit one part wherever their language allows;
    /// what a longer one costs more is counted by usage.
    pub(super) async fn spending<R: Resource>(
        &self,
        permit: &Permit<R>,
        record: RecordId,
    ) -> Result<Vec<Write>, VerifyError> {
        let terms = permit.terms();
        if !terms.caps.concern(permit.tenant()) {
            return Ok(Vec::new());
        }
        let bearing = self.vault.bearing_behind(permit.tenant(), record).await?;
        let cost = terms.prices.part(&bearing, Class::Code);
        Ok(terms.caps.spending(permit.tenant(), Account::default(), 1, cost))
    }

    /// Tells of caps that are nearly spent.
    pub(super) async fn tell_caps<R: Resource>(&self, permit: &Permit<R>, near: Vec<NearCap>) {
        for near in near {
            self.tell(Change::telling(permit.event(self.store.now(), spend::alert(near)))).await;
        }
    }

    /// The refusal for a cap that is reached, told once a day.
    pub(super) async fn cap_reached<R: Resource>(&self, permit: &Permit<R>) -> VerifyError {
        let now = self.store.now();
        let event = |what: What| permit.event(now, what);
        self.tell(spend::refused(permit.tenant(), Payer::Tenant, event)).await;
        VerifyError::CapReached { retry_after: until_midnight(now) }
    }

    async fn tell(&self, change: Change) {
        match self.store.commit(change).await {
            // Told before, today.
            Ok(_) | Err(StoreError::Conflict(Conflict::Taken)) => {}
            Err(error) => tracing::warn!(%error, "what is spent was not told of"),
        }
    }
}
