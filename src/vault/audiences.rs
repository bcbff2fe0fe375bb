//! Which audiences each tenant has tokens for: what turns a token's tag back into its audience.
//!
//! A snapshot of the store's directory, renewed when a tag is unknown (another process may have added an audience), at
//! most once a second, and extended at once by what this process adds. Reading takes no lock.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::clock::Timestamp;
use crate::ids::TenantId;
use crate::keyring::{AudienceTag, TenantKeys};
use crate::store::{Store, StoreError};

/// The audiences of all tenants.
pub(super) struct Audiences {
    known: ArcSwap<HashMap<TenantId, Arc<Named>>>,
    /// When the directory was last read, and its version then.
    read: Mutex<Option<(Timestamp, u64)>>,
}

/// The audiences of one tenant.
#[derive(Default)]
pub(super) struct Named {
    names: HashSet<Arc<str>>,
    tags: OnceLock<HashMap<AudienceTag, Arc<str>>>,
}

impl Named {
    fn of(names: HashSet<Arc<str>>) -> Self {
        Self { names, tags: OnceLock::new() }
    }

    /// All of them.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// How many.
    pub(super) fn count(&self) -> usize {
        self.names.len()
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    fn tagged(&self, keys: &TenantKeys, tag: AudienceTag) -> Option<Arc<str>> {
        let tags = self
            .tags
            .get_or_init(|| self.names.iter().map(|name| (keys.audience_tag(Some(name)), Arc::clone(name))).collect());
        tags.get(&tag).cloned()
    }
}

impl Audiences {
    pub(super) fn unread() -> Self {
        Self { known: ArcSwap::default(), read: Mutex::new(None) }
    }

    /// Whether the store is known to remember this audience; none, the tenant's own, needs no remembering.
    pub(super) fn has(&self, tenant: TenantId, audience: Option<&str>) -> bool {
        let Some(name) = audience else { return true };
        self.known.load().get(&tenant).is_some_and(|named| named.has(name))
    }

    /// The audiences of a tenant, as far as known without asking.
    pub(super) fn of(&self, tenant: TenantId) -> Arc<Named> {
        self.known.load().get(&tenant).cloned().unwrap_or_default()
    }

    /// The audience whose tag this is, asking the store if need be.
    pub(super) async fn tagged(
        &self,
        store: &dyn Store,
        tenant: TenantId,
        keys: &TenantKeys,
        tag: AudienceTag,
    ) -> Result<Option<Arc<str>>, StoreError> {
        if let Some(name) = self.of(tenant).tagged(keys, tag) {
            return Ok(Some(name));
        }
        self.renew(store).await?;
        Ok(self.of(tenant).tagged(keys, tag))
    }

    /// Reads the directory again if it moved, at most once a second. Returns once the snapshot is no older than that.
    pub(super) async fn renew(&self, store: &dyn Store) -> Result<(), StoreError> {
        let mut read = self.read.lock().await;
        let now = store.now();
        if let Some((at, _)) = *read
            && now < at.plus(PAUSE)
        {
            return Ok(());
        }
        let version = store.directory_version().await?;
        if read.is_none_or(|(_, known)| known != version) {
            let rows = store.directory().await?;
            let mut names: HashMap<TenantId, HashSet<Arc<str>>> = HashMap::new();
            for (tenant, name) in rows.audiences {
                names.entry(tenant).or_default().insert(name.into());
            }
            let mut known = HashMap::with_capacity(names.len());
            known.extend(names.into_iter().map(|(tenant, names)| (tenant, Arc::new(Named::of(names)))));
            self.known.store(Arc::new(known));
        }
        *read = Some((now, version));
        Ok(())
    }

    /// Takes note of an audience that this process has just made durable.
    pub(super) fn add(&self, tenant: TenantId, audience: &str) {
        self.known.rcu(|known| {
            let mut known = HashMap::clone(known);
            let mut names = known.get(&tenant).map(|named| named.names.clone()).unwrap_or_default();
            names.insert(audience.into());
            known.insert(tenant, Arc::new(Named::of(names)));
            known
        });
    }
}

const PAUSE: Duration = Duration::from_secs(1);
