//! One token erased: its record with what stands on it, or every sealed token of the person so far.

use super::gather::Whom;
use super::{ROUNDS, Rights, RightsError};
use crate::access::{Permit, TokenRef};
use crate::event::What;
use crate::ids::RecordId;
use crate::store::{Change, Conflict, Erasing, ErasureEntry, LAST_EPOCH, StoreError, Write};
use crate::vault::Person;

impl Rights {
    /// Erases the permit's token. Aliases and verifications that stand on its record end. From then on it is not found.
    ///
    /// # Errors
    /// [`RightsError::NotFound`] for every token that is not the caller's to see, erased ones too.
    pub async fn erase_token(&self, permit: &Permit<TokenRef>) -> Result<(), RightsError> {
        let person = self.vault.person(permit).await?;
        match person.record {
            Some(record) => self.erase_record(permit, &person, record).await,
            None => self.erase_sealed(permit, &person).await,
        }
    }

    async fn erase_record(
        &self,
        permit: &Permit<TokenRef>,
        person: &Person,
        record: RecordId,
    ) -> Result<(), RightsError> {
        let tenant = permit.tenant();
        let whom = Whom { tenant, index: person.index, subject: person.subject, record: Some(record) };
        for _ in 0..ROUNDS {
            let gathered = self.gather(tenant, person, Some(record), 0).await?;
            let at = self.store.now();
            self.list.append(ErasureEntry { at, what: Erasing::Token { tenant, record: person.reference } }).await?;
            let change = gathered.forgetting(permit, whom, permit.event(at, told(person, "vaulted")), None);
            match self.store.commit(change).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict(Conflict::Missing)) => return Err(RightsError::NotFound),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RightsError::Busy)
    }

    /// The list moves to the next epoch, so that every token of an earlier one is not found any more.
    async fn erase_sealed(&self, permit: &Permit<TokenRef>, person: &Person) -> Result<(), RightsError> {
        let tenant = permit.tenant();
        let epoch = self.next_epoch(permit, person).await?;
        let at = self.store.now();
        let what = Erasing::Sealed { tenant, person: person.erased, epoch };
        self.list.append(ErasureEntry { at, what }).await?;
        let change = Change::telling(permit.event(at, told(person, "sealed")));
        self.store.commit(change.with(Write::SetEpoch { tenant, person: person.erased, epoch })).await?;
        self.told_of_first(permit).await
    }

    /// The epoch to which an erasure moves a person.
    pub(super) async fn next_epoch<R>(&self, permit: &Permit<R>, person: &Person) -> Result<u8, RightsError> {
        let epochs = self.store.epochs(permit.tenant(), &[person.erased]).await?;
        Ok(epochs.first().copied().unwrap_or_default().saturating_add(1).min(LAST_EPOCH))
    }

    /// After a tenant's first entry this process looks at the list at once, others within their next look.
    pub(super) async fn told_of_first<R>(&self, permit: &Permit<R>) -> Result<(), RightsError> {
        if !permit.has_erasures() {
            self.access.refresh().await?;
        }
        Ok(())
    }
}

fn told(person: &Person, kind: &str) -> What {
    What::TokenErased { record: person.reference, subject: person.subject, kind: kind.to_owned() }
}
