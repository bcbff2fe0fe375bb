//! After a restore: what was erased since the backup was made is erased again, from the list that is kept elsewhere.
//!
//! The list names records and people by keyed ids, so that every record of the restored store is held against it. What
//! was made after an erasure is not meant by it.

use std::collections::HashMap;

use super::gather::Whom;
use super::{Rights, RightsError};
use crate::clock::Timestamp;
use crate::event::{Actor, Event, What};
use crate::ids::{RecordId, RecordRef, TenantId};
use crate::keyring::Owner;
use crate::store::{BlindIndex, Change, Conflict, Erasing, StoreError, TokenRow, Write};

/// The list, by what it names.
#[derive(Default)]
struct Listed {
    records: HashMap<(TenantId, RecordRef), Timestamp>,
    people: HashMap<(TenantId, BlindIndex), Timestamp>,
    epochs: HashMap<(TenantId, BlindIndex), u8>,
    tenants: Vec<TenantId>,
}

impl Rights {
    /// Does every erasure of the list again, where the store still holds what was erased. Gives how many records,
    /// people and tenants that were.
    ///
    /// # Errors
    /// [`RightsError::Store`] if the list or the store cannot be read: the store must not serve then.
    pub async fn replay(&self) -> Result<u64, RightsError> {
        let listed = self.listed()?;
        let mut done = self.replay_tenants(&listed.tenants).await?;
        for ((tenant, person), epoch) in &listed.epochs {
            if listed.tenants.contains(tenant) {
                continue;
            }
            let told = Change::telling(self.told(Some(*tenant), What::Swept {}));
            self.store.commit(told.with(Write::SetEpoch { tenant: *tenant, person: *person, epoch: *epoch })).await?;
        }
        let mut after = RecordId(0);
        loop {
            let rows = self.store.records(after, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for row in &rows {
                if !listed.tenants.contains(&row.tenant) && self.is_listed(&listed, row).await? {
                    self.erase_again(row).await?;
                    done += 1;
                }
            }
        }
        self.store.commit(Change::telling(self.told(None, What::StoreRestored { erasures: done }))).await?;
        self.access.refresh().await?;
        Ok(done)
    }

    fn listed(&self) -> Result<Listed, StoreError> {
        let mut listed = Listed::default();
        for entry in self.list.read()? {
            let at = entry.at;
            match entry.what {
                Erasing::Token { tenant, record } => {
                    listed.records.insert((tenant, record), at);
                }
                Erasing::Sealed { tenant, person, epoch } => {
                    let known = listed.epochs.entry((tenant, person)).or_default();
                    *known = epoch.max(*known);
                }
                Erasing::Subject { tenant, person, epoch } => {
                    let known = listed.epochs.entry((tenant, person)).or_default();
                    *known = epoch.max(*known);
                    listed.people.insert((tenant, person), at);
                }
                Erasing::Tenant { tenant } => listed.tenants.push(tenant),
            }
        }
        Ok(listed)
    }

    async fn replay_tenants(&self, tenants: &[TenantId]) -> Result<u64, RightsError> {
        let mut done = 0;
        for tenant in tenants {
            let (tenant, at) = (*tenant, self.store.now());
            let told = self.told(Some(tenant), What::TenantErased { tenant });
            let change = Change::telling(told)
                .with(Write::EraseTenant { tenant, at })
                .with(Write::DoomKeys { owner: Owner::Tenant(tenant).to_string() });
            match self.store.commit(change).await {
                Ok(_) => done += 1,
                // Made after the backup, or erased before it.
                Err(StoreError::Conflict(Conflict::Missing)) => {}
                Err(error) => return Err(error.into()),
            }
            self.keyring.destroy(Owner::Tenant(tenant)).await?;
        }
        Ok(done)
    }

    async fn is_listed(&self, listed: &Listed, row: &TokenRow) -> Result<bool, RightsError> {
        let keys = self.keyring.tenant(row.tenant).await?;
        let record = listed.records.get(&(row.tenant, keys.record_ref(row.id)));
        let person = listed.people.get(&(row.tenant, keys.erased_person(row.index)));
        Ok(record.is_some() || person.is_some_and(|at| row.created_at <= *at))
    }

    /// The record with all that stands on it.
    async fn erase_again(&self, row: &TokenRow) -> Result<(), RightsError> {
        let keys = self.keyring.tenant(row.tenant).await?;
        let subject = keys.subject(row.index);
        let whom = Whom { tenant: row.tenant, index: row.index, subject, record: Some(row.id) };
        let permit = self.access.upkeep(row.tenant);
        let person = self.vault.person_behind(&permit, row).await?;
        let pools = self.store.pools(row.tenant).await?;
        let places = self.vault.places(&person, pools.iter().map(|pool| pool.id));
        let gathered = self.gather_at(whom, places, 0).await?;
        let what = What::TokenErased { record: person.reference, subject, kind: "vaulted".to_owned() };
        let change = gathered.forgetting(&permit, whom, permit.event(self.store.now(), what), None);
        self.store.commit(change).await?;
        Ok(())
    }

    fn told(&self, tenant: Option<TenantId>, what: What) -> Event {
        Event { at: self.store.now(), tenant, actor: Actor::Worker, policy: None, what }
    }
}

/// Records read at a time.
const PAGE: u32 = 5_000;
