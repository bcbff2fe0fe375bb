//! Which way a message takes, and whether it may: loops, frozen and lapsed aliases end here.

use super::{Envelope, Halt, Refusal};
use crate::access::{Crossing as Crosses, Denied, Permit};
use crate::relay::Relay;
use crate::store::{AliasMode, AliasRow, BlindIndex, Crossing, CrossingKey, LegKey, LegRow, SenderRow};

/// What the store knows of a message's way.
pub(super) enum Way {
    /// A leg, if its alias may carry, and who outside can be answered there.
    Leg(Box<(LegRow, AliasRow)>, Vec<SenderRow>),
    /// X is shared by aliases that are told apart by extension, and the writer is in no conversation there.
    Extensions,
    /// No leg. If one alias alone is on X, or was the last one there, its rule for strangers counts.
    Unknown(Option<Box<AliasRow>>),
}

/// A leg that may be taken.
pub(super) struct Passage {
    pub(super) leg: LegRow,
    pub(super) alias: AliasRow,
    pub(super) permit: Permit<Crosses>,
    /// Who outside can be answered, or could until lately.
    pub(super) senders: Vec<SenderRow>,
}

impl Relay {
    /// The way of a message of this writer to X.
    pub(super) async fn way(&self, envelope: &Envelope) -> Result<Way, Halt> {
        // On the heap, where what is freed is wiped: this future lives on in its link's for as long as that does.
        let key = Box::new(CrossingKey {
            number: envelope.to,
            party: envelope.writer.party(),
            writer: envelope.writer.number().map(crate::phone::PhoneNumber::as_virtual),
            mode: envelope.mode,
            only: envelope.only,
        });
        Ok(match self.store.crossing(&key).await? {
            Crossing::Loop => return Err(Halt::refused("loop", envelope.only.or(Some(envelope.owner)), None)),
            // Who called an extension before and answers there now is no caller any more.
            Crossing::Leg(way, _) if way.1.mode == AliasMode::Axe && way.0.from.person() == Some(way.1.a.index) => {
                Way::Extensions
            }
            Crossing::Leg(way, senders) => Way::Leg(way, senders),
            Crossing::Extensions => Way::Extensions,
            Crossing::Unknown(alias) => Way::Unknown(alias),
        })
    }

    /// Along a leg, if its alias carries and nobody froze it.
    pub(super) fn permitted(&self, (leg, alias): (LegRow, AliasRow), senders: Vec<SenderRow>) -> Result<Passage, Halt> {
        let permit = self.crossing(&alias)?;
        Ok(Passage { leg, alias, permit, senders })
    }

    /// The permit to carry across an alias.
    fn crossing(&self, alias: &AliasRow) -> Result<Permit<Crosses>, Halt> {
        let refused = |reason| Halt::refused(reason, Some(alias.tenant), Some(alias.id));
        if self.is_over(alias) {
            return Err(refused("alias_expired"));
        }
        self.access.for_crossing(alias).map_err(|denied| match denied {
            Denied::Store(error) => error.into(),
            Denied::Frozen => refused("frozen"),
            _ => refused("not_permitted"),
        })
    }
}

impl Passage {
    pub(super) fn refused(&self, reason: &'static str) -> Halt {
        Halt::Refused(self.refusal(reason))
    }

    pub(super) const fn refusal(&self, reason: &'static str) -> Refusal {
        Refusal { reason, tenant: Some(self.alias.tenant), alias: Some(self.alias.id), say: None }
    }

    /// Whether the writer is in a session with an extension.
    pub(super) fn is_session(&self) -> bool {
        let is_caller = self.leg.from.person().is_some_and(|from| from != self.alias.a.index);
        self.alias.mode == AliasMode::Axe && is_caller
    }

    /// Whether the writer is anybody from outside, who gets a seat to be answered at.
    pub(super) fn is_from_outside(&self) -> bool {
        matches!(self.leg.from, LegKey::Anyone | LegKey::Extension(_)) || self.is_session()
    }

    /// Whether A tells several people by tags.
    pub(super) const fn has_tags(&self) -> bool {
        matches!(self.alias.mode, AliasMode::Ax | AliasMode::Axe)
    }

    /// Who wrote, as events and history say.
    pub(super) fn sender(&self, envelope: &Envelope) -> &'static str {
        let alias = &self.alias;
        match self.leg.from.person() {
            Some(from) if from == alias.a.index => "a",
            Some(_) if self.is_from_outside() => envelope.writer.kind(),
            Some(from) if alias.members.iter().any(|member| member.index == from) => "member",
            Some(_) => "b",
            None => envelope.writer.kind(),
        }
    }

    /// The index of the party behind `record`.
    pub(super) fn index_of(&self, record: crate::ids::RecordId) -> BlindIndex {
        let of = |party: &&crate::store::Party| party.record == record;
        let found = self.alias.b.iter().chain(&self.alias.members).find(of);
        found.map_or(self.alias.a.index, |party| party.index)
    }
}
