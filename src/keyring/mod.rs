//! Keys in use: unwrapped, derived, by owner and purpose; the only room that sees key material.
//!
//! Per (owner, purpose, version) the store keeps a random secret wrapped by the owner's KEK in the [`Kms`]; what is used
//! is derived from it by HKDF. Invariants: system keys are made only in a store that has no keys at all; a tenant's keys
//! are made only with the tenant; unwrapped keys never leave as bytes, and are used for a bounded time after the KMS's
//! last word (`watch`). Services call [`Keyring::tenant`] and [`Keyring::system`]; `access` calls
//! [`Keyring::provision`] and what `turn` offers; `worker` turns keys by age and count.

mod backup;
mod code;
#[cfg(test)]
pub(crate) mod double;
mod file;
mod keys;
mod kms;
mod load;
mod pkcs11;
mod proof;
mod purpose;
mod root;
mod surrogates;
mod system;
mod transit;
mod turn;
mod uses;
mod versions;
mod watch;
mod webhooks;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

pub use backup::{BackupError, open as open_backup, seal as seal_backup};
pub use file::{FileKms, KeyFiles};
pub use keys::{AudienceTag, NUMBER, STRANGER, TenantKeys, Unsealed};
pub use kms::{Kms, KmsError};
pub use pkcs11::Pkcs11Kms;
pub use proof::ProofKey;
pub use purpose::Owner;
pub use system::{Device, SystemKeys};
pub use transit::TransitKms;
pub use turn::{Due, KeyState, KeyView};

use crate::clock::Timestamp;
use crate::config::KeyCache;
use crate::ids::TenantId;
use crate::store::{Store, StoreError, WrappedKey};
use load::Opened;
use uses::Counts;

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
    /// This key is never replaced, or there is none of this name.
    #[error("the {0} key is never replaced; `bauta keys rewrap` puts it under a new version of its key-encryption key")]
    NeverReplaced(String),
}

impl KeyError {
    /// Whether the KMS may serve later without anything here being changed.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Kms(error) if error.is_away())
    }
}

/// All keys of the deployment, tenants' loaded at first use.
pub struct Keyring {
    store: Arc<dyn Store>,
    kms: Arc<dyn Kms>,
    cache: KeyCache,
    system: ArcSwap<SystemKeys>,
    tenants: ArcSwap<HashMap<TenantId, Arc<Held>>>,
    /// Holding it is the right to load.
    rows: Mutex<Rows>,
    counts: Counts,
    /// The version of the store's wrapped keys that everything here is at least as new as.
    seen: AtomicU64,
    /// When that was last asked.
    followed: AtomicI64,
    /// Whether the KMS did not serve when it was last asked.
    is_away: AtomicBool,
}

/// One tenant's keys in use.
struct Held {
    keys: Arc<TenantKeys>,
    /// The wrapped keys that they were opened from.
    rows: Vec<WrappedKey>,
    /// When the KMS last opened one of them.
    confirmed: AtomicI64,
}

/// Wrapped keys by owner, as last read, and what loading came to lately.
struct Rows {
    owners: HashMap<String, Vec<WrappedKey>>,
    /// Those that the deployment's own keys in use were opened from.
    system: Vec<WrappedKey>,
    refused: HashMap<TenantId, (Timestamp, Refusal)>,
}

/// Why an owner's keys could not be loaded a moment ago.
#[derive(Clone)]
enum Refusal {
    Away { place: String, fault: String },
    NoSuchKek,
}

impl Keyring {
    /// Loads the system keys, making them first in a store that has no keys yet.
    ///
    /// # Errors
    /// A missing, foreign or broken key stops the start, and so does a KMS that does not serve.
    pub async fn open(store: Arc<dyn Store>, kms: Arc<dyn Kms>) -> Result<Self, KeyError> {
        let mut seen = store.keys_version().await?;
        let mut rows = store.wrapped_keys().await?;
        if rows.is_empty() {
            load::make_system_keys(store.as_ref(), kms.as_ref()).await?;
            seen = store.keys_version().await?;
            rows = store.wrapped_keys().await?;
        }
        let mut owners = load::by_owner(rows);
        let counts = Counts::default();
        let opened = load::open(store.as_ref(), kms.as_ref(), &counts, Owner::System, &mut owners).await?;
        let system = SystemKeys::of(&opened)?;
        let system_rows = owners.get(&Owner::System.to_string()).cloned().unwrap_or_default();
        let now = store.now();
        Ok(Self {
            store,
            kms,
            cache: KeyCache::default(),
            system: ArcSwap::from_pointee(system),
            tenants: ArcSwap::default(),
            rows: Mutex::new(Rows { owners, system: system_rows, refused: HashMap::new() }),
            counts,
            seen: AtomicU64::new(seen),
            followed: AtomicI64::new(now.as_millis()),
            is_away: AtomicBool::new(false),
        })
    }

    /// The same, with other bounds on the use of unwrapped keys.
    #[must_use]
    pub fn with_cache(self, cache: KeyCache) -> Self {
        Self { cache, ..self }
    }

    /// The deployment's own keys. They stay in use while the KMS is away, so that callers are known and told so.
    pub fn system(&self) -> Arc<SystemKeys> {
        self.system.load_full()
    }

    /// A tenant's keys. The first call for a tenant asks store and KMS, further ones neither lock nor wait, as long as
    /// the KMS was heard of lately and [`Self::watch`] runs; without it, the store is asked once a second for new keys.
    ///
    /// # Errors
    /// [`KeyError::Missing`] if the tenant has none, [`KmsError::NoSuchKek`] once its KEK was destroyed,
    /// [`KmsError::Away`] if the KMS was not heard of for longer than unwrapped keys may be used.
    pub async fn tenant(&self, id: TenantId) -> Result<Arc<TenantKeys>, KeyError> {
        let now = self.store.now();
        if is_past(&self.followed, UNWATCHED, now) {
            self.follow().await;
        }
        let held = match self.tenants.load().get(&id) {
            Some(held) if !is_past(&held.confirmed, self.cache.life, now) => Arc::clone(held),
            _ => self.load(id).await?,
        };
        self.set_aside(id, &held.keys).await;
        Ok(Arc::clone(&held.keys))
    }

    /// Opens a tenant's keys, or fails as it did less than a second ago.
    async fn load(&self, id: TenantId) -> Result<Arc<Held>, KeyError> {
        let mut rows = self.rows.lock().await;
        let now = self.store.now();
        if let Some(held) = self.tenants.load().get(&id)
            && !is_past(&held.confirmed, self.cache.life, now)
        {
            return Ok(Arc::clone(held));
        }
        if let Some((at, refusal)) = rows.refused.get(&id)
            && at.until(now) < ASK_AGAIN
        {
            return Err(refusal.error(id));
        }
        let owner = Owner::Tenant(id);
        if !rows.owners.contains_key(&owner.to_string()) {
            rows.owners = load::by_owner(self.store.wrapped_keys().await?);
        }
        let loaded = self.open_tenant(id, &mut rows.owners).await;
        rows.refused.remove(&id);
        if let Some(refusal) = loaded.as_ref().err().and_then(Refusal::of) {
            rows.refused.insert(id, (now, refusal));
        }
        loaded
    }

    /// Opens a tenant's keys from these rows, and holds them in place of those it held.
    async fn open_tenant(
        &self,
        id: TenantId,
        owners: &mut HashMap<String, Vec<WrappedKey>>,
    ) -> Result<Arc<Held>, KeyError> {
        let owner = Owner::Tenant(id);
        let opened = load::open(self.store.as_ref(), self.kms.as_ref(), &self.counts, owner, owners).await;
        self.note_kms(opened.as_ref().err());
        let opened = match opened {
            Err(error @ KeyError::Kms(KmsError::NoSuchKek(_))) => {
                self.drop_tenant(id);
                return Err(error);
            }
            opened => opened?,
        };
        let held = Arc::new(Held {
            keys: Arc::new(TenantKeys::of(id, &opened)?),
            rows: owners.get(&owner.to_string()).cloned().unwrap_or_default(),
            confirmed: AtomicI64::new(self.store.now().as_millis()),
        });
        self.tenants.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.insert(id, Arc::clone(&held));
            known
        });
        Ok(held)
    }

    /// Forgets the unwrapped keys of tenants that were erased, by this process or by another.
    pub async fn forget(&self, tenants: &[TenantId]) {
        if tenants.iter().all(|id| !self.tenants.load().contains_key(id)) {
            return;
        }
        let mut rows = self.rows.lock().await;
        for id in tenants {
            rows.owners.remove(&Owner::Tenant(*id).to_string());
            self.drop_tenant(*id);
        }
    }

    /// Forgets a tenant's unwrapped keys.
    fn drop_tenant(&self, id: TenantId) {
        self.tenants.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.remove(&id);
            known
        });
    }
}

impl Refusal {
    /// What is worth remembering of an error: that the KMS does not serve, or has no such KEK.
    fn of(error: &KeyError) -> Option<Self> {
        match error {
            KeyError::Kms(KmsError::Away { place, fault }) => {
                Some(Self::Away { place: place.clone(), fault: fault.clone() })
            }
            KeyError::Kms(KmsError::NoSuchKek(_)) => Some(Self::NoSuchKek),
            _ => None,
        }
    }

    fn error(&self, id: TenantId) -> KeyError {
        KeyError::Kms(match self {
            Self::Away { place, fault } => KmsError::Away { place: place.clone(), fault: fault.clone() },
            Self::NoSuchKek => KmsError::NoSuchKek(id.to_string()),
        })
    }
}

/// Whether `span` or more has passed since the moment noted. A clock that was set back counts as passed.
fn is_past(noted: &AtomicI64, span: Duration, now: Timestamp) -> bool {
    let noted = Timestamp::from_millis(noted.load(Ordering::Acquire));
    noted > now.plus(ASK_AGAIN) || noted.until(now) >= span
}

/// Without a watch, how old the knowledge of the store's keys may be.
const UNWATCHED: Duration = Duration::from_millis(900);
/// How long a failure to load is remembered.
const ASK_AGAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
