//! What people decide about keys: new versions, wrapping anew, destruction.
//!
//! The keyring makes the parts; here they are committed with the permit's event. A KEK is destroyed in two steps: the
//! order is durable, and takes the wrapped keys out of the store, before the KMS is asked; what the KMS then does not do
//! is done by the worker.

use super::permit::{DeploymentKeys, Keys};
use super::{Access, AccessError, Bound, Permit, Resource};
use crate::event::What;
use crate::ids::{self, ApprovalId, TenantId};
use crate::keyring::{KeyView, Owner};
use crate::store::{Conflict, ResealPass, StoreError, Write};

/// A resource that says whose keys it is about.
pub trait KeyHolder: Resource {
    /// Whose, for a caller of this tenant.
    fn owner(&self, tenant: TenantId) -> Owner;
}

impl KeyHolder for Keys {
    fn owner(&self, tenant: TenantId) -> Owner {
        Owner::Tenant(tenant)
    }
}

impl KeyHolder for DeploymentKeys {
    fn owner(&self, _: TenantId) -> Owner {
        Owner::System
    }
}

impl Access {
    /// What the destruction of a tenant's keys is bound to, for [`Access::rule`].
    pub fn bound_destruction(tenant: TenantId, approval: Option<ApprovalId>) -> Bound {
        Bound {
            digest: Bound::digest([b"keys.destroy".as_slice(), &ids::bytes(&tenant)]),
            summary: serde_json::json!({"destroy_keys_of": tenant.to_string()}),
            reference: None,
            approval,
        }
    }

    /// Makes a new version of a key. Returns its number. It begins a little later, once every process has it.
    ///
    /// # Errors
    /// [`AccessError::Key`]: [`KeyError::NeverReplaced`](crate::keyring::KeyError::NeverReplaced), or as the KMS's.
    pub async fn rotate_key<R: KeyHolder>(&self, permit: &Permit<R>, purpose: &str) -> Result<u16, AccessError> {
        let owner = permit.resource().owner(permit.tenant());
        for _ in 0..MAX_TRIES {
            let (key, what) = self.keyring().next_version(owner, purpose).await?;
            let version = key.version;
            match self.store().commit(permit.change(self.now(), what).with(Write::Key(key))).await {
                // The worker, or another command, made this very version.
                Err(StoreError::Conflict(Conflict::Exists)) => {}
                settled => {
                    settled?;
                    self.keyring().follow().await;
                    return Ok(version);
                }
            }
        }
        Err(StoreError::Conflict(Conflict::Exists).into())
    }

    /// Wraps every key of an owner anew, after making a new version of its KEK if `new_kek` says so; then destroys the
    /// KEK's older versions. May be broken off and called again at any point. Returns how many keys.
    ///
    /// # Errors
    /// [`AccessError::Key`] as the KMS's.
    pub async fn rewrap_keys<R: KeyHolder>(&self, permit: &Permit<R>, new_kek: bool) -> Result<u64, AccessError> {
        let owner = permit.resource().owner(permit.tenant());
        if new_kek {
            self.keyring().rotate_kek(owner).await?;
        }
        for _ in 0..MAX_TRIES {
            let rewrapped = self.keyring().rewrapped(owner).await?;
            let keys: Vec<_> = rewrapped.iter().map(|(key, _)| key.clone()).collect();
            let what = What::KeysRewrapped { owner: owner.to_string(), keys: keys.len() as u64 };
            let mut change = permit.change(self.now(), what);
            change.writes.extend(rewrapped.into_iter().map(|(key, from)| Write::RewrapKey { key, from }));
            match self.store().commit(change).await {
                Err(StoreError::Conflict(Conflict::Taken)) => continue,
                settled => drop(settled?),
            }
            // A key that came meanwhile may be under an older version, which is kept until it is not.
            if self.keyring().are_all(owner, &keys).await? {
                self.keyring().prune_kek(owner).await?;
                self.keyring().follow().await;
                return Ok(keys.len() as u64);
            }
        }
        Err(StoreError::Conflict(Conflict::Taken).into())
    }

    /// Destroys the tenant's keys: whatever they sealed, here and in every backup, is noise from now on.
    ///
    /// # Errors
    /// [`AccessError::Key`] if the KMS cannot do it now; the order stands, and the worker carries it out.
    pub async fn destroy_keys(&self, permit: &Permit<Keys>) -> Result<(), AccessError> {
        let owner = Owner::Tenant(permit.tenant());
        let what = What::KeyDestructionOrdered { owner: owner.to_string() };
        let order = permit.change(self.now(), what).with(Write::DoomKeys { owner: owner.to_string() });
        self.store().commit(order).await?;
        Ok(self.keyring().destroy(owner).await?)
    }

    /// Replaces the key that wraps the KEKs, where that is ours to do.
    ///
    /// # Errors
    /// [`AccessError::Key`] as the KMS's.
    pub async fn rotate_root(&self, permit: &Permit<DeploymentKeys>) -> Result<(), AccessError> {
        self.keyring().rotate_root().await?;
        self.store().commit(permit.change(self.now(), What::KeyRootRotated {})).await?;
        Ok(())
    }

    /// Notes that a backup of the KMS is about to be written, and gives what and where the KMS is, and the names of its
    /// KEKs.
    ///
    /// # Errors
    /// [`AccessError::Key`] as the KMS's; then nothing is to be written.
    pub async fn back_up_keks(&self, permit: &Permit<DeploymentKeys>) -> Result<(String, Vec<String>), AccessError> {
        let (place, names) = self.keyring().keks().await?;
        let what = What::KeysBackedUp { keks: names.len() as u64 };
        self.store().commit(permit.change(self.now(), what)).await?;
        Ok((place, names))
    }

    /// Every key version of the deployment, and how far a pass of re-encryption got.
    ///
    /// # Errors
    /// As every read.
    pub async fn keys(&self, _: &Permit<DeploymentKeys>) -> Result<(Vec<KeyView>, Option<ResealPass>), AccessError> {
        Ok((self.keyring().overview().await?, self.store().reseal_pass().await?))
    }
}

/// How often something is tried that others may do at the same time.
const MAX_TRIES: usize = 5;
