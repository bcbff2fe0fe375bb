//! Which leg a message takes, and whether it may: loops, unknown senders, frozen and lapsed aliases end here.

use super::{Envelope, Halt};
use crate::access::{Crossing, Denied, Permit};
use crate::relay::Relay;
use crate::store::{AliasRow, AliasStatus, LegRow};

/// A leg that may be taken.
pub(super) struct Passage {
    pub(super) leg: LegRow,
    pub(super) alias: AliasRow,
    pub(super) permit: Permit<Crossing>,
}

impl Relay {
    /// The leg from this writer through X.
    pub(super) async fn passage(&self, envelope: &Envelope) -> Result<Passage, Halt> {
        let tenant = envelope.only.or(Some(envelope.owner));
        if let Some(number) = envelope.writer.number()
            && self.store.in_pool(number.as_virtual(), envelope.mode).await?
        {
            return Err(Halt::refused("loop", tenant, None));
        }
        let unknown = || Halt::refused("unknown_sender", tenant, None);
        let leg = self.store.leg(envelope.to, envelope.writer.party()).await?;
        let leg = leg.filter(|leg| envelope.only.is_none_or(|only| only == leg.tenant)).ok_or_else(unknown)?;
        let alias = self.store.alias(leg.tenant, leg.alias).await?.ok_or_else(unknown)?;
        let refused = |reason| Halt::refused(reason, Some(alias.tenant), Some(alias.id));
        let is_past = alias.expires_at.is_some_and(|end| end <= self.store.now());
        if alias.status != AliasStatus::Active || is_past {
            return Err(refused("alias_expired"));
        }
        let permit = match self.access.for_crossing(&alias) {
            Ok(permit) => permit,
            Err(Denied::Store(error)) => return Err(error.into()),
            Err(Denied::Frozen) => return Err(refused("frozen")),
            Err(_) => return Err(refused("not_permitted")),
        };
        Ok(Passage { leg, alias, permit })
    }
}
