//! A person whom a token names, for those who serve people's rights: found, seen by pools, shown where a permit and a
//! purpose allow. And the list of erased people, which every sealed token is held against.
//!
//! Tenants of which nothing sealed was ever erased pay nothing: the permit says so from memory, at most a second old.

use crate::access::{Permit, Resource, TokenRef, Upkeep};
use crate::event::{Leaf, What};
use crate::ids::{PoolId, RecordId, RecordRef, SubjectId};
use crate::keyring::TenantKeys;
use crate::phone::{self, Door, Masked, PhoneNumber};
use crate::store::{BlindIndex, Change, LAST_EPOCH, StoreError, TokenRow};
use crate::token::{Kind, Token};

use super::{NewToken, Revealed, Vault, VaultError};

/// A person, with the number inside.
pub struct Person {
    number: PhoneNumber,
    /// The number under the tenant's index key.
    pub index: BlindIndex,
    /// The person in the log.
    pub subject: SubjectId,
    /// The person in the list of erased people.
    pub erased: BlindIndex,
    /// The token's own record; none for a sealed one.
    pub record: Option<RecordId>,
    /// The token in the log.
    pub reference: RecordRef,
}

impl Person {
    /// What may be shown of the number.
    pub fn masked(&self) -> Masked {
        Masked::of(&self.number)
    }
}

impl Vault {
    /// The person whom the permit's token names.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] for every token that is not the caller's to see.
    pub async fn person(&self, permit: &Permit<TokenRef>) -> Result<Person, VaultError> {
        self.person_of(permit, &permit.resource().token).await
    }

    /// The person whom another token of the same request names.
    ///
    /// # Errors
    /// As [`Self::person`].
    pub async fn person_of<R: Resource>(&self, permit: &Permit<R>, token: &Token) -> Result<Person, VaultError> {
        let keys = self.keys(permit.tenant()).await?;
        let (number, record, reference) = match token.kind() {
            Kind::Sealed => (self.unsealed(permit, &keys, token).await?.number, None, keys.sealed_ref(token)),
            Kind::Vaulted | Kind::Lookalike => {
                let row = self.stored_row(permit, &keys, token).await?;
                (keys.open_number(row.id, &row.number)?, Some(row.id), keys.record_ref(row.id))
            }
            // Not kept anywhere: nothing is there to be found or erased but the key.
            Kind::Fpe => return Err(VaultError::NotFound),
        };
        let index = keys.index(&number);
        let (subject, erased) = (keys.subject(index), keys.erased_person(index));
        Ok(Person { number, index, subject, erased, record, reference })
    }

    /// The person behind a record, for what the deployment does by itself.
    ///
    /// # Errors
    /// [`VaultError::Key`] if the record does not open.
    pub async fn person_behind(&self, permit: &Permit<Upkeep>, row: &TokenRow) -> Result<Person, VaultError> {
        let keys = self.keys(permit.tenant()).await?;
        let number = keys.open_number(row.id, &row.number)?;
        let (subject, erased) = (keys.subject(row.index), keys.erased_person(row.index));
        let reference = keys.record_ref(row.id);
        Ok(Person { number, index: row.index, subject, erased, record: Some(row.id), reference })
    }

    /// The person as each of these pools knows them.
    pub fn places(&self, person: &Person, pools: impl IntoIterator<Item = PoolId>) -> Vec<BlindIndex> {
        let system = self.keyring.system();
        pools.into_iter().map(|pool| system.pool_index(pool, &person.number)).collect()
    }

    /// The person's own number, for their own export, once the entry that says so is durable.
    ///
    /// # Errors
    /// [`VaultError::Refused`] with `purpose_required` or `number_in_text`; [`VaultError::Store`] if the entry could not
    /// be written: then nothing is shown.
    pub async fn reveal_to_themselves(
        &self,
        permit: &Permit<TokenRef>,
        person: &Person,
        reference: Option<String>,
    ) -> Result<Revealed, VaultError> {
        let purpose = permit.resource().purpose.clone().ok_or(VaultError::Refused("purpose_required"))?;
        let what = exported(person, Some(purpose), reference)?;
        let (leaves, left) = self.tell(permit, vec![what], 1).await?;
        let leaf = leaves.first().copied().ok_or(StoreError::Corrupt("commit without leaf"))?;
        Ok(Revealed { number: person.number.expose(Door::Reveal), leaf, left })
    }

    /// The entry of an export; its leaf, durable.
    ///
    /// # Errors
    /// As [`Self::reveal_to_themselves`].
    pub async fn told_of_export(
        &self,
        permit: &Permit<TokenRef>,
        person: &Person,
        purpose: Option<String>,
        reference: Option<String>,
    ) -> Result<Leaf, VaultError> {
        let what = exported(person, purpose, reference)?;
        let committed = self.store.commit(Change::telling(permit.event(self.store.now(), what))).await?;
        Ok(committed.leaves.first().copied().ok_or(StoreError::Corrupt("commit without leaf"))?)
    }

    /// How often the person's sealed tokens were erased.
    pub(super) async fn epoch<R>(
        &self,
        permit: &Permit<R>,
        keys: &TenantKeys,
        number: &PhoneNumber,
    ) -> Result<u8, VaultError> {
        if !permit.has_erasures() {
            return Ok(0);
        }
        let person = keys.erased_person(keys.index(number));
        let epochs = self.store.epochs(permit.tenant(), &[person]).await?;
        Ok(epochs.first().copied().unwrap_or_default())
    }

    /// The epoch of a new sealed token.
    pub(super) async fn sealing_epoch<R>(
        &self,
        permit: &Permit<R>,
        keys: &TenantKeys,
        number: &PhoneNumber,
    ) -> Result<u8, VaultError> {
        match self.epoch(permit, keys, number).await? {
            epoch if epoch >= LAST_EPOCH => Err(VaultError::Refused("sealed_exhausted")),
            epoch => Ok(epoch),
        }
    }

    /// The epochs of the new sealed tokens among `items`, in order; none at all where nothing was ever erased.
    pub(super) async fn sealing_epochs<'a, R>(
        &self,
        permit: &Permit<R>,
        keys: &TenantKeys,
        items: impl Iterator<Item = &'a NewToken>,
    ) -> Result<Vec<u8>, VaultError> {
        if !permit.has_erasures() {
            return Ok(Vec::new());
        }
        let sealed = items.filter(|new| new.kind == Kind::Sealed);
        let people: Vec<_> = sealed.map(|new| keys.erased_person(keys.index(&new.number))).collect();
        Ok(self.store.epochs(permit.tenant(), &people).await?)
    }
}

/// What an export tells, free of numbers.
fn exported(person: &Person, purpose: Option<String>, reference: Option<String>) -> Result<What, VaultError> {
    if [&purpose, &reference].into_iter().flatten().any(|text| phone::contains_number(text)) {
        return Err(VaultError::Refused("number_in_text"));
    }
    Ok(What::SubjectExported { subject: person.subject, number: purpose.is_some(), purpose, reference })
}
