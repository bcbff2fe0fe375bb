//! What is held of a person, read in one moment, and the change that would forget it.

use super::{COOLING, REST, Rights, RightsError};
use crate::access::Permit;
use crate::event::{Event, What};
use crate::ids::{self, RecordId, SubjectId, TenantId};
use crate::keyring::{SystemKeys, TenantKeys};
use crate::phone::VirtualNumber;
use crate::store::{
    AliasRow, AliasStatus, BlindIndex, Change, Class, Erasure, Held, HeldBy, Queued, Task, VerificationStatus, Write,
};
use crate::vault::Person;

/// What there is of a person.
pub(super) struct Gathered {
    pub(super) held: Held,
    /// The person under each pool's key.
    pub(super) places: Vec<BlindIndex>,
    conversations: Vec<BlindIndex>,
    queued: Vec<Queued>,
}

/// Who is to be forgotten: as much as the store and the log know of a person.
#[derive(Clone, Copy)]
pub(super) struct Whom {
    pub(super) tenant: TenantId,
    pub(super) index: BlindIndex,
    pub(super) subject: SubjectId,
    /// Only what stands on this record.
    pub(super) record: Option<RecordId>,
}

impl Rights {
    /// Reads what is held of `person`, of the one record or of all.
    pub(super) async fn gather(
        &self,
        tenant: TenantId,
        person: &Person,
        record: Option<RecordId>,
        messages: u32,
    ) -> Result<Gathered, RightsError> {
        let pools = self.store.pools(tenant).await?;
        let places = self.vault.places(person, pools.iter().map(|pool| pool.id));
        let whom = Whom { tenant, index: person.index, subject: person.subject, record };
        self.gather_at(whom, places, messages).await
    }

    /// The same for a person whose places are known.
    pub(super) async fn gather_at(
        &self,
        whom: Whom,
        places: Vec<BlindIndex>,
        messages: u32,
    ) -> Result<Gathered, RightsError> {
        let Whom { tenant, index, record, .. } = whom;
        let held = self.store.held(&HeldBy { tenant, index, record, places: places.clone(), messages }).await?;
        let conversations = self.conversations(whom, &held, &places).await?;
        let queued = self.store.queued(tenant, &conversations).await?;
        Ok(Gathered { held, places, conversations, queued })
    }

    /// Every conversation that the person has a part in, as `verify` and `relay` name them. What was queued for one
    /// record's verification alone its worker drops, since the verification is gone.
    async fn conversations(
        &self,
        whom: Whom,
        held: &Held,
        places: &[BlindIndex],
    ) -> Result<Vec<BlindIndex>, RightsError> {
        let system = self.keyring.system();
        let mut found = Vec::new();
        if whom.record.is_none() {
            found.push(system.conversation(&[&ids::bytes(&whom.tenant), &whom.index.0]));
            found.extend(Class::ASKED.map(|class| system.conversation_with(whom.tenant, whom.index, class)));
        }
        for alias in &held.aliases {
            let leaves = outlives(alias, places);
            for party in alias.people().iter().filter(|party| !leaves || places.contains(&party.index)) {
                found.extend(alias.numbers().map(|number| across(&system, number, party.index)));
            }
            if leaves {
                continue;
            }
            let senders = self.store.senders(alias.id).await?;
            found.extend(senders.iter().map(|sender| across(&system, alias.number, sender.index)));
        }
        found.extend(held.seats.iter().map(|seat| across(&system, seat.number, seat.index)));
        Ok(found)
    }
}

/// A conversation across an alias's number, as `relay` names it.
fn across(system: &SystemKeys, number: VirtualNumber, party: BlindIndex) -> BlindIndex {
    system.conversation(&[number.digits().to_be_bytes().as_slice(), &party.0])
}

impl Gathered {
    /// The change that forgets all of it; `sealed` also moves the person's place in the list of erased people.
    pub(super) fn forgetting<R>(
        &self,
        permit: &Permit<R>,
        whom: Whom,
        first: Event,
        sealed: Option<(BlindIndex, u8)>,
    ) -> Change {
        let at = first.at;
        let mut change = Change::telling(first);
        change.events.extend(self.ends(whom.subject).map(|what| permit.event(at, what)));
        let whole = whom.record.is_none();
        let erasure = Erasure {
            tenant: whom.tenant,
            index: whom.index,
            whole,
            records: self.held.tokens.iter().map(|row| row.id).collect(),
            aliases: self.held.aliases.clone(),
            verifications: self.held.verifications.iter().map(|row| row.id).collect(),
            seats: self.held.seats.clone(),
            places: self.places.clone(),
            conversations: self.conversations.clone(),
            sealed,
            cool_until: at.plus(COOLING),
            rest_until: at.plus(REST),
        };
        change.with(Write::Erase(Box::new(erasure)))
    }

    /// What ends with it, told one by one.
    fn ends(&self, subject: SubjectId) -> impl Iterator<Item = What> + '_ {
        let aliases = self.held.aliases.iter().filter(|alias| is_active(alias));
        let aliases = aliases.map(move |alias| match outlives(alias, &self.places) {
            true => What::AliasMemberLeft { alias: alias.id, subject },
            false => What::AliasReleased { alias: alias.id },
        });
        let pending = self.held.verifications.iter().filter(|row| row.status == VerificationStatus::Pending);
        let pending =
            pending.map(move |row| What::VerificationCanceled { verification: row.id, subject, superseded: false });
        let dropped = self.queued.iter().map(move |row| {
            let (message, verification) = match row.task {
                Task::Message(id) | Task::Ask(id) => (Some(id), None),
                Task::Code(id, _) => (None, Some(id)),
            };
            What::DeliveryDropped { message, verification, subject, reason: "erased".to_owned() }
        });
        aliases.chain(pending).chain(dropped)
    }

    /// The entries that tell of each record.
    pub(super) fn records(&self, keys: &TenantKeys, subject: SubjectId) -> Vec<What> {
        let told = |row: &crate::store::TokenRow| What::TokenErased {
            record: keys.record_ref(row.id),
            subject,
            kind: "vaulted".to_owned(),
        };
        self.held.tokens.iter().map(told).collect()
    }
}

/// Whether an alias goes on without the person of these places.
pub(super) fn outlives(alias: &AliasRow, places: &[BlindIndex]) -> bool {
    places.iter().any(|place| alias.outlives(*place))
}

pub(super) fn is_active(alias: &AliasRow) -> bool {
    alias.status == AliasStatus::Active
}
