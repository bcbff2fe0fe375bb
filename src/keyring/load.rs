//! From wrapped keys to keys in use, and the making of an owner's first ones.

use std::collections::HashMap;

use super::kms::Kms;
use super::purpose::{self, Owner, Purpose};
use super::uses::Counts;
use super::versions::{Version, Versions};
use super::{KeyError, Keyring};
use crate::clock::Timestamp;
use crate::crypto::{Key, keyset};
use crate::event::{Actor, Event, What};
use crate::store::{Change, Conflict, Store, StoreError, WrappedKey, Write};

impl Keyring {
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
pub(super) async fn make_system_keys(store: &dyn Store, kms: &dyn Kms) -> Result<(), KeyError> {
    let made = provision(kms, Owner::System, store.now()).await?;
    match commit(store, made).await {
        Ok(()) | Err(StoreError::Conflict(Conflict::Exists)) => Ok(()),
        Err(other) => Err(other.into()),
    }
}

async fn commit(store: &dyn Store, made: Vec<(WrappedKey, What)>) -> Result<(), StoreError> {
    let now = store.now();
    let mut change = Change { events: Vec::new(), writes: Vec::new() };
    for (key, what) in made {
        change.events.push(Event { at: now, tenant: None, actor: Actor::Worker, policy: None, what });
        change.writes.push(Write::Key(key));
    }
    store.commit(change).await.map(drop)
}

async fn provision(kms: &dyn Kms, owner: Owner, now: Timestamp) -> Result<Vec<(WrappedKey, What)>, KeyError> {
    kms.create(&owner.to_string()).await?;
    let mut made = Vec::with_capacity(owner.purposes().len());
    for purpose in owner.purposes() {
        made.push(make(kms, owner, *purpose, 1, now).await?);
    }
    Ok(made)
}

/// A new version of a key, wrapped, and the event that tells of it.
pub(super) async fn make(
    kms: &dyn Kms,
    owner: Owner,
    purpose: Purpose,
    version: u16,
    now: Timestamp,
) -> Result<(WrappedKey, What), KeyError> {
    let name = owner.to_string();
    let mut key = WrappedKey {
        owner: name.clone(),
        purpose: purpose.as_str().to_owned(),
        version,
        wrapped: Vec::new(),
        created_at: now,
    };
    key.wrapped = kms.wrap(&name, &purpose::wrapping_aad(&key), &Key::fresh()).await?;
    let (owner, purpose) = (name, key.purpose.clone());
    let what = match version {
        1 => What::KeyCreated { owner, purpose, version },
        _ => What::KeyRotated { owner, purpose, version },
    };
    Ok((key, what))
}

/// One owner's secrets, unwrapped.
pub(super) struct Opened<'a> {
    owner: Owner,
    now: Timestamp,
    counts: &'a Counts,
    secrets: Vec<Secret>,
}

struct Secret {
    purpose: String,
    version: u16,
    created_at: Timestamp,
    key: Key,
}

impl Opened<'_> {
    /// The keys of one purpose, in all versions.
    pub(super) fn keys(&self, purpose: Purpose) -> Result<Versions, KeyError> {
        self.derived(purpose, |secret, info| Ok(keyset::derive(secret, info)))
    }

    /// The same, made by `derive` from the secret and what the key is for.
    pub(super) fn derived<K>(
        &self,
        purpose: Purpose,
        derive: fn(&Key, &str) -> Result<K, KeyError>,
    ) -> Result<Versions<K>, KeyError> {
        let mut versions = Vec::new();
        for secret in self.secrets.iter().filter(|secret| secret.purpose == purpose.as_str()) {
            versions.push(Version {
                number: secret.version,
                begins: secret.created_at.plus(purpose.lead()),
                key: derive(&secret.key, &purpose::derivation(self.owner, purpose, secret.version))?,
                uses: self.counts.of(self.owner, purpose, secret.version),
            });
        }
        let missing = || KeyError::Missing { owner: self.owner.to_string(), purpose: purpose.as_str() };
        Versions::of(versions, self.now).ok_or_else(missing)
    }
}

/// Unwraps an owner's keys. A purpose that came with a later version of the program than the owner gets its first key.
pub(super) async fn open<'a>(
    store: &dyn Store,
    kms: &dyn Kms,
    counts: &'a Counts,
    owner: Owner,
    owners: &mut HashMap<String, Vec<WrappedKey>>,
) -> Result<Opened<'a>, KeyError> {
    let name = owner.to_string();
    if complete(store, kms, owner, owners.get(&name)).await? {
        *owners = by_owner(store.wrapped_keys().await?);
    }
    let rows = owners.get(&name).map(Vec::as_slice).unwrap_or_default();
    let mut secrets = Vec::with_capacity(rows.len());
    for row in rows {
        let key = kms.unwrap(&name, &purpose::wrapping_aad(row), &row.wrapped).await?;
        secrets.push(Secret { purpose: row.purpose.clone(), version: row.version, created_at: row.created_at, key });
    }
    Ok(Opened { owner, now: store.now(), counts, secrets })
}

/// Makes the keys that an owner of an older program lacks. Whether it made any, or another process did meanwhile.
async fn complete(
    store: &dyn Store,
    kms: &dyn Kms,
    owner: Owner,
    rows: Option<&Vec<WrappedKey>>,
) -> Result<bool, KeyError> {
    let Some(rows) = rows else { return Ok(false) };
    let mut made = Vec::new();
    for purpose in owner.purposes() {
        if purpose.is_addable() && rows.iter().all(|row| row.purpose != purpose.as_str()) {
            made.push(make(kms, owner, *purpose, 1, store.now()).await?);
        }
    }
    if made.is_empty() {
        return Ok(false);
    }
    match commit(store, made).await {
        Ok(()) | Err(StoreError::Conflict(Conflict::Exists)) => Ok(true),
        Err(other) => Err(other.into()),
    }
}

pub(super) fn by_owner(rows: Vec<WrappedKey>) -> HashMap<String, Vec<WrappedKey>> {
    let mut owners: HashMap<String, Vec<WrappedKey>> = HashMap::new();
    for row in rows {
        owners.entry(row.owner.clone()).or_default().push(row);
    }
    owners
}
