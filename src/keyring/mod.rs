//! Keys in use: unwrapped, derived, by owner and purpose; the only room that sees key material.
//!
//! Per (owner, purpose, version) the store keeps a random secret wrapped by the owner's KEK in the [`Kms`]; what is used
//! is derived from it by HKDF. Invariants: system keys are made only in a store that has no keys at all; a tenant's keys
//! are made only with the tenant; unwrapped keys never leave as bytes. Services call [`Keyring::tenant`] and
//! [`Keyring::system`]; `access` calls [`Keyring::provision`].

mod code;
#[cfg(test)]
pub(crate) mod double;
mod file;
mod keys;
mod kms;
mod pkcs11;
mod proof;
mod purpose;
mod root;
mod surrogates;
mod system;
mod transit;
mod versions;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

pub use file::{FileKms, KeyFiles};
pub use keys::{AudienceTag, TenantKeys};
pub use kms::{Kms, KmsError};
pub use pkcs11::Pkcs11Kms;
pub use proof::ProofKey;
pub use purpose::Owner;
pub use system::SystemKeys;
pub use transit::TransitKms;

use crate::clock::Timestamp;
use crate::crypto::{Key, keyset};
use crate::event::{Actor, Event, What};
use crate::ids::TenantId;
use crate::store::{Change, Conflict, Store, StoreError, WrappedKey, Write};
use purpose::Purpose;
use versions::Versions;

/// Why a key cannot be had or did not open something.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The KMS cannot serve.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// The store cannot serve.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key that must be there is not. Never made anew, since what it sealed would be lost.
    #[error("the {purpose} key of {owner} is missing")]
    Missing {
        /// Whose.
        owner: String,
        /// For what.
        purpose: &'static str,
    },
    /// A ciphertext names a key version that does not exist.
    #[error("there is no key version {0}")]
    NoSuchVersion(u16),
    /// A ciphertext was changed, moved, cut short, or sealed under another key.
    #[error("a ciphertext does not open here")]
    Unopened,
    /// A code of this length is not made: 4 to 10 characters.
    #[error("codes have 4 to 10 characters")]
    CodeLength,
}

/// All keys of the deployment, tenants' loaded at first use.
pub struct Keyring {
    store: Arc<dyn Store>,
    kms: Arc<dyn Kms>,
    system: Arc<SystemKeys>,
    tenants: ArcSwap<HashMap<TenantId, Arc<TenantKeys>>>,
    /// Wrapped keys by owner, as last read; holding it is the right to load.
    wrapped: Mutex<HashMap<String, Vec<WrappedKey>>>,
}

impl Keyring {
    /// Loads the system keys, making them first in a store that has no keys yet.
    ///
    /// # Errors
    /// A missing, foreign or broken key stops the start.
    pub async fn open(store: Arc<dyn Store>, kms: Arc<dyn Kms>) -> Result<Self, KeyError> {
        let mut rows = store.wrapped_keys().await?;
        if rows.is_empty() {
            make_system_keys(store.as_ref(), kms.as_ref()).await?;
            rows = store.wrapped_keys().await?;
        }
        let wrapped = by_owner(rows);
        let opened = open_keys(kms.as_ref(), Owner::System, &wrapped).await?;
        let system = Arc::new(SystemKeys::of(&opened)?);
        Ok(Self { store, kms, system, tenants: ArcSwap::default(), wrapped: Mutex::new(wrapped) })
    }

    /// The deployment's own keys.
    pub fn system(&self) -> Arc<SystemKeys> {
        Arc::clone(&self.system)
    }

    /// A tenant's keys. The first call for a tenant asks store and KMS, further ones neither lock nor wait.
    ///
    /// # Errors
    /// [`KeyError::Missing`] if the tenant has none, [`KmsError::NoSuchKek`] once its KEK was destroyed.
    pub async fn tenant(&self, id: TenantId) -> Result<Arc<TenantKeys>, KeyError> {
        if let Some(keys) = self.tenants.load().get(&id) {
            return Ok(Arc::clone(keys));
        }
        let mut wrapped = self.wrapped.lock().await;
        if let Some(keys) = self.tenants.load().get(&id) {
            return Ok(Arc::clone(keys));
        }
        let owner = Owner::Tenant(id);
        if !wrapped.contains_key(&owner.to_string()) {
            *wrapped = by_owner(self.store.wrapped_keys().await?);
        }
        let opened = open_keys(self.kms.as_ref(), owner, &wrapped).await?;
        let keys = Arc::new(TenantKeys::of(id, &opened)?);
        self.tenants.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.insert(id, Arc::clone(&keys));
            known
        });
        Ok(keys)
    }

    /// Makes the KEK and the first version of every key of an owner. The caller commits each row as [`Write::Key`] and
    /// tells each event, in the change that makes the owner.
    ///
    /// # Errors
    /// [`KeyError::Kms`] only.
    pub async fn provision(&self, owner: Owner, now: Timestamp) -> Result<Vec<(WrappedKey, What)>, KeyError> {
        provision(self.kms.as_ref(), owner, now).await
    }
}

/// Of several processes that start at once on an empty store, one makes the keys; the others take what it made.
async fn make_system_keys(store: &dyn Store, kms: &dyn Kms) -> Result<(), KeyError> {
    let now = store.now();
    let mut change = Change { events: Vec::new(), writes: Vec::new() };
    for (key, what) in provision(kms, Owner::System, now).await? {
        change.events.push(Event { at: now, tenant: None, actor: Actor::Worker, policy: None, what });
        change.writes.push(Write::Key(key));
    }
    match store.commit(change).await {
        Ok(_) | Err(StoreError::Conflict(Conflict::Exists)) => Ok(()),
        Err(other) => Err(other.into()),
    }
}

async fn provision(kms: &dyn Kms, owner: Owner, now: Timestamp) -> Result<Vec<(WrappedKey, What)>, KeyError> {
    let name = owner.to_string();
    kms.create(&name).await?;
    let mut made = Vec::with_capacity(owner.purposes().len());
    for purpose in owner.purposes() {
        let mut key = WrappedKey {
            owner: name.clone(),
            purpose: purpose.as_str().to_owned(),
            version: 1,
            wrapped: Vec::new(),
            created_at: now,
        };
        key.wrapped = kms.wrap(&name, &purpose::wrapping_aad(&key), &Key::fresh()).await?;
        let what = What::KeyCreated { owner: name.clone(), purpose: key.purpose.clone(), version: key.version };
        made.push((key, what));
    }
    Ok(made)
}

/// One owner's secrets, unwrapped.
struct Opened {
    owner: Owner,
    secrets: Vec<(String, u16, Key)>,
}

impl Opened {
    /// The keys of one purpose, in all versions.
    fn keys(&self, purpose: Purpose) -> Result<Versions, KeyError> {
        self.derived(purpose, keyset::derive)
    }

    fn derived<K>(&self, purpose: Purpose, derive: fn(&Key, &str) -> K) -> Result<Versions<K>, KeyError> {
        let of_purpose = self.secrets.iter().filter(|(name, ..)| name == purpose.as_str());
        let derived = of_purpose.map(|(_, version, secret)| {
            (*version, derive(secret, &purpose::derivation(self.owner, purpose, *version)))
        });
        let missing = || KeyError::Missing { owner: self.owner.to_string(), purpose: purpose.as_str() };
        Versions::of(derived.collect()).ok_or_else(missing)
    }
}

async fn open_keys(
    kms: &dyn Kms,
    owner: Owner,
    wrapped: &HashMap<String, Vec<WrappedKey>>,
) -> Result<Opened, KeyError> {
    let name = owner.to_string();
    let rows = wrapped.get(&name).map(Vec::as_slice).unwrap_or_default();
    let mut secrets = Vec::with_capacity(rows.len());
    for row in rows {
        let secret = kms.unwrap(&name, &purpose::wrapping_aad(row), &row.wrapped).await?;
        secrets.push((row.purpose.clone(), row.version, secret));
    }
    Ok(Opened { owner, secrets })
}

fn by_owner(rows: Vec<WrappedKey>) -> HashMap<String, Vec<WrappedKey>> {
    let mut owners: HashMap<String, Vec<WrappedKey>> = HashMap::new();
    for row in rows {
        owners.entry(row.owner.clone()).or_default().push(row);
    }
    owners
}

#[cfg(test)]
mod tests;
