//! Everything of one person erased.

use super::gather::{Gathered, Whom, outlives};
use super::{ROUNDS, Rights, RightsError};
use crate::access::{Permit, TokenRef};
use crate::event::What;
use crate::ids::SubjectId;
use crate::store::{Change, Committed, Conflict, Erased, Erasing, ErasureEntry, StoreError, Write};
use crate::vault::Person;

impl Rights {
    /// Erases every token, alias, leg, message, verification and count of the person whom the permit's token names, and
    /// drops what waits to be delivered. What stays: the log, which names the person by a keyed id, and a keyed entry in
    /// the list of erased people.
    ///
    /// # Errors
    /// [`RightsError::NotFound`]; [`RightsError::Busy`] if more of the person keeps coming in.
    pub async fn erase_subject(&self, permit: &Permit<TokenRef>) -> Result<(SubjectId, Erased), RightsError> {
        let person = self.vault.person(permit).await?;
        let erased = self.erase_person(permit, &person).await?;
        Ok((person.subject, erased))
    }

    pub(super) async fn erase_person<R>(&self, permit: &Permit<R>, person: &Person) -> Result<Erased, RightsError> {
        let tenant = permit.tenant();
        let whom = Whom { tenant, index: person.index, subject: person.subject, record: None };
        for _ in 0..ROUNDS {
            let gathered = self.gather(tenant, person, None, 1).await?;
            let epoch = self.next_epoch(permit, person).await?;
            let at = self.store.now();
            let what = Erasing::Subject { tenant, person: person.erased, epoch };
            self.list.append(ErasureEntry { at, what }).await?;
            let first = permit.event(at, told(&gathered, person.subject));
            let keys = self.keyring.tenant(tenant).await?;
            let mut change = gathered.forgetting(permit, whom, first, Some((person.erased, epoch)));
            change.events.extend(gathered.records(&keys, person.subject).into_iter().map(|it| permit.event(at, it)));
            match self.store.commit(change.with(self.messages(whom, &gathered))).await {
                Ok(done) => {
                    self.told_of_first(permit).await?;
                    return self.rest_of_messages(permit, whom, &gathered, done).await;
                }
                Err(StoreError::Conflict(Conflict::Missing | Conflict::Taken)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RightsError::Busy)
    }

    fn messages(&self, whom: Whom, gathered: &Gathered) -> Write {
        let gone = gathered.held.aliases.iter().filter(|alias| !outlives(alias, &gathered.places));
        let aliases = gone.map(|alias| alias.id).collect();
        Write::ForgetMessages { tenant: whom.tenant, aliases, party: Some(whom.index), limit: MESSAGES }
    }

    /// A long history goes in several commits, so that nobody else's waits long. Bodies went with the first.
    async fn rest_of_messages<R>(
        &self,
        permit: &Permit<R>,
        whom: Whom,
        gathered: &Gathered,
        done: Committed,
    ) -> Result<Erased, RightsError> {
        let mut erased = done.erased;
        let mut last = erased.messages;
        while last >= u64::from(MESSAGES) {
            let event = permit.event(self.store.now(), What::MessagesErased { subject: whom.subject });
            let done = self.store.commit(Change::telling(event).with(self.messages(whom, gathered))).await?;
            last = done.erased.messages;
            erased.messages += last;
        }
        Ok(erased)
    }
}

fn told(gathered: &Gathered, subject: SubjectId) -> What {
    What::SubjectErased {
        subject,
        tokens: gathered.held.tokens.len() as u64,
        aliases: gathered.held.aliases.len() as u64,
        verifications: gathered.held.verifications.len() as u64,
    }
}

/// Messages that go in one commit.
const MESSAGES: u32 = 1_000;
