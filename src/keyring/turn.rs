//! Keys in time: new versions, wrapping anew, retirement and destruction.
//!
//! What is decided by a person is committed by `access` with that person's permit, from the parts made here; what falls
//! due by age and count, and what was ordered and not done yet, is committed here. A version is *stale* once a newer one
//! has begun; it is retired by `worker` when nothing is left under it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::purpose::{self, Purpose, Turn};
use super::{KeyError, Keyring, Owner, load};
use crate::clock::Timestamp;
use crate::config::Rotation;
use crate::event::{Actor, Event, What};
use crate::ids::TenantId;
use crate::store::{Change, Conflict, StoreError, WrappedKey, Write};

/// One key version as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyView {
    /// `system`, or a tenant's id.
    pub owner: String,
    /// What it is for.
    pub purpose: String,
    /// From 1 up.
    pub version: u16,
    /// Since when.
    pub created_at: Timestamp,
    /// Whether it seals.
    pub state: KeyState,
    /// How often it may have been used, where that is counted.
    pub uses: Option<u64>,
}

/// Where a key version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Made, and about to begin.
    Waiting,
    /// In use for what is new.
    Active,
    /// Kept for what is old.
    Old,
}

impl KeyState {
    /// Its name for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Active => "active",
            Self::Old => "old",
        }
    }
}

/// A key version whose successor, or whose end, is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Whose.
    pub owner: Owner,
    purpose: Purpose,
    /// Which.
    pub version: u16,
}

/// All versions of one key, oldest first: number and when each begins.
type Line = Vec<(u16, Timestamp)>;

/// The version that seals at `now`, and when it began.
fn active(line: &Line, now: Timestamp) -> Option<(u16, Timestamp)> {
    line.iter().rev().find(|(_, begins)| *begins <= now).or(line.first()).copied()
}

impl Keyring {
    // ── for whoever decides

    /// The next version of a key that may have one, for the caller to commit.
    ///
    /// # Errors
    /// [`KeyError::NeverReplaced`]; [`KeyError::Missing`] if the owner has no such key.
    pub async fn next_version(&self, owner: Owner, purpose: &str) -> Result<(WrappedKey, What), KeyError> {
        let found = Purpose::named(owner, purpose).filter(|purpose| purpose.turn() != Turn::Stays);
        let purpose = found.ok_or_else(|| KeyError::NeverReplaced(purpose.to_owned()))?;
        self.make_next(owner, purpose).await
    }

    async fn make_next(&self, owner: Owner, purpose: Purpose) -> Result<(WrappedKey, What), KeyError> {
        let rows = self.store.wrapped_keys().await?;
        let newest = of(&rows, owner).filter(|row| row.purpose == purpose.as_str()).map(|row| row.version).max();
        let missing = || KeyError::Missing { owner: owner.to_string(), purpose: purpose.as_str() };
        let next = newest.ok_or_else(missing)?.saturating_add(1);
        load::make(self.kms.as_ref(), owner, purpose, next, self.store.now()).await
    }

    /// Makes a new version of an owner's KEK; what is wrapped from now on is wrapped under it.
    ///
    /// # Errors
    /// As the KMS's.
    pub async fn rotate_kek(&self, owner: Owner) -> Result<(), KeyError> {
        Ok(self.kms.rotate(&owner.to_string()).await?)
    }

    /// Every key of an owner, wrapped anew under the newest version of its KEK, for the caller to commit.
    ///
    /// # Errors
    /// As the KMS's.
    pub async fn rewrapped(&self, owner: Owner) -> Result<Vec<(WrappedKey, Vec<u8>)>, KeyError> {
        let rows = self.store.wrapped_keys().await?;
        let mut rewrapped = Vec::new();
        for row in of(&rows, owner) {
            let aad = purpose::wrapping_aad(row);
            let key = self.kms.unwrap(&row.owner, &aad, &row.wrapped).await?;
            let wrapped = self.kms.wrap(&row.owner, &aad, &key).await?;
            rewrapped.push((WrappedKey { wrapped, ..row.clone() }, row.wrapped.clone()));
        }
        Ok(rewrapped)
    }

    /// Whether these are all the keys that the owner has, as the store has them now.
    ///
    /// # Errors
    /// As every read.
    pub async fn are_all(&self, owner: Owner, keys: &[WrappedKey]) -> Result<bool, KeyError> {
        let rows = self.store.wrapped_keys().await?;
        Ok(of(&rows, owner).all(|row| keys.contains(row)))
    }

    /// Destroys every version of an owner's KEK but the newest. Everything was wrapped anew before.
    ///
    /// # Errors
    /// As the KMS's.
    pub async fn prune_kek(&self, owner: Owner) -> Result<(), KeyError> {
        Ok(self.kms.prune(&owner.to_string()).await?)
    }

    /// Replaces the key that wraps the KEKs, where that is ours to do.
    ///
    /// # Errors
    /// As the KMS's.
    pub async fn rotate_root(&self) -> Result<(), KeyError> {
        Ok(self.kms.rotate_root().await?)
    }

    /// What and where the KMS is, and the names of the KEKs it holds.
    ///
    /// # Errors
    /// As the KMS's.
    pub async fn keks(&self) -> Result<(String, Vec<String>), KeyError> {
        Ok((self.kms.place(), self.kms.names().await?))
    }

    /// Every key version, by owner and purpose.
    ///
    /// # Errors
    /// As every read.
    pub async fn overview(&self) -> Result<Vec<KeyView>, KeyError> {
        let (now, rows) = (self.store.now(), self.store.wrapped_keys().await?);
        let lines = lines(&rows);
        let uses: HashMap<_, _> =
            self.store.key_uses().await?.into_iter().map(|it| ((it.owner, it.purpose, it.version), it.uses)).collect();
        let view = |row: WrappedKey| {
            let line = lines.get(&(row.owner.clone(), row.purpose.clone()));
            let active = line.and_then(|line| active(line, now)).map_or(row.version, |(version, _)| version);
            KeyView {
                state: match row.version.cmp(&active) {
                    std::cmp::Ordering::Less => KeyState::Old,
                    std::cmp::Ordering::Equal => KeyState::Active,
                    std::cmp::Ordering::Greater => KeyState::Waiting,
                },
                uses: uses.get(&(row.owner.clone(), row.purpose.clone(), row.version)).copied(),
                owner: row.owner,
                purpose: row.purpose,
                version: row.version,
                created_at: row.created_at,
            }
        };
        Ok(rows.into_iter().map(view).collect())
    }

    // ── destruction

    /// Destroys an owner's KEK in the KMS and forgets its unwrapped keys. The caller committed [`Write::DoomKeys`]
    /// before, with its event; should this fail or never be called, `worker` goes on where it stopped.
    ///
    /// # Errors
    /// As the KMS's; the owner's keys are out of use all the same.
    pub async fn destroy(&self, owner: Owner) -> Result<(), KeyError> {
        if let Owner::Tenant(id) = owner {
            self.drop_tenant(id);
        }
        self.kms.destroy(&owner.to_string()).await?;
        let what = What::KeyDestroyed { owner: owner.to_string() };
        match self.commit(what, vec![Write::KekDestroyed { owner: owner.to_string() }]).await {
            Err(KeyError::Store(StoreError::Conflict(Conflict::Missing))) => Ok(()),
            settled => settled,
        }
    }

    /// Destroys the KEKs that were ordered to be and are not. Returns how many.
    ///
    /// # Errors
    /// As [`Self::destroy`].
    pub async fn destroy_doomed(&self) -> Result<usize, KeyError> {
        let doomed: Vec<Owner> =
            self.store.doomed_keks().await?.iter().filter_map(|owner| owner.parse().ok()).collect();
        for owner in &doomed {
            self.destroy(*owner).await?;
        }
        Ok(doomed.len())
    }

    // ── what falls due

    /// Makes the next version of every key that was used long or often enough. Returns how many.
    ///
    /// # Errors
    /// As the KMS's and the store's.
    pub async fn turn_due(&self, rotation: &Rotation) -> Result<usize, KeyError> {
        let due = self.due(rotation).await?;
        for key in &due {
            let (row, what) = self.make_next(key.owner, key.purpose).await?;
            match self.commit(what, vec![Write::Key(row)]).await {
                // Another process turned it.
                Ok(()) | Err(KeyError::Store(StoreError::Conflict(Conflict::Exists))) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(due.len())
    }

    /// The keys of which the newest version was used long or often enough.
    async fn due(&self, rotation: &Rotation) -> Result<Vec<Due>, KeyError> {
        let now = self.store.now();
        let (rows, uses) = (self.store.wrapped_keys().await?, self.store.key_uses().await?);
        let mut due = Vec::new();
        for ((owner, name), line) in lines(&rows) {
            let Some((owner, purpose)) = named(&owner, &name) else { continue };
            let Some((version, begins)) = line.last().copied() else { continue };
            let age = Duration::from_secs(u64::from(rotation.rotate_days) * 86_400);
            let is_old = rotation.rotate_days > 0 && begins.until(now) >= age;
            let is_worn = uses.iter().any(|it| {
                it.uses >= rotation.rotate_uses && it.version == version && it.purpose == name && owner.is(&it.owner)
            });
            if purpose.turn() == Turn::Rotates && (is_old || is_worn) {
                due.push(Due { owner, purpose, version });
            }
        }
        Ok(due)
    }

    /// Tenants with ciphertexts to re-encrypt, each with the version that seals: those where it began at least `settle`
    /// before `at`, so that nobody seals under an older one any more.
    ///
    /// # Errors
    /// As every read.
    pub async fn stale(&self, settle: Duration, at: Timestamp) -> Result<Vec<(TenantId, u16)>, KeyError> {
        let rows = self.store.wrapped_keys().await?;
        let mut stale = Vec::new();
        for ((owner, name), line) in lines(&rows) {
            let Some((Owner::Tenant(tenant), Purpose::Seal)) = named(&owner, &name) else { continue };
            let Some((version, begins)) = active(&line, at) else { continue };
            if line.iter().any(|(older, _)| *older < version) && begins.plus(settle) <= at {
                stale.push((tenant, version));
            }
        }
        Ok(stale)
    }

    /// Retires the versions of these tenants' `seal` keys that are older than the one named. The caller looked through
    /// every ciphertext and found none under them.
    ///
    /// # Errors
    /// As the store's.
    pub async fn retire_seals(&self, newest: &[(TenantId, u16)]) -> Result<usize, KeyError> {
        let rows = self.store.wrapped_keys().await?;
        let mut retired = Vec::new();
        for (tenant, newest) in newest {
            let seals = of(&rows, Owner::Tenant(*tenant)).filter(|row| row.purpose == Purpose::Seal.as_str());
            let owner = Owner::Tenant(*tenant);
            let older = seals.filter(|row| row.version < *newest);
            retired.extend(older.map(|row| Due { owner, purpose: Purpose::Seal, version: row.version }));
        }
        self.retire(retired).await
    }

    /// Retires the versions that nothing can be left under, by time or because the store says so: of codes, of proofs,
    /// and of what the deployment itself seals for two days at most.
    ///
    /// # Errors
    /// As the store's.
    pub async fn retire_outlived(&self, settle: Duration) -> Result<usize, KeyError> {
        let (now, rows) = (self.store.now(), self.store.wrapped_keys().await?);
        let mut retired = Vec::new();
        for ((owner, name), line) in lines(&rows) {
            let Some((owner, purpose)) = named(&owner, &name) else { continue };
            let Some((newest, begins)) = active(&line, now) else { continue };
            let older = line.iter().filter(|(version, _)| *version < newest);
            let older: Vec<_> = older.map(|(version, _)| Due { owner, purpose, version: *version }).collect();
            let since = begins.until(now);
            let is_outlived = match (owner, purpose) {
                _ if older.is_empty() => false,
                (Owner::Tenant(id), Purpose::Code) => {
                    since >= settle && !self.store.has_codes_below(id, newest).await?
                }
                (Owner::System, Purpose::Seal) => since >= PARTS_KEPT && !self.store.has_parts_below(newest).await?,
                (_, Purpose::Proof) => since >= PROOFS_KEPT,
                _ => false,
            };
            if is_outlived {
                retired.extend(older);
            }
        }
        self.retire(retired).await
    }

    async fn retire(&self, versions: Vec<Due>) -> Result<usize, KeyError> {
        for Due { owner, purpose, version } in &versions {
            let (owner, purpose, version) = (owner.to_string(), purpose.as_str().to_owned(), *version);
            let what = What::KeyRetired { owner: owner.clone(), purpose: purpose.clone(), version };
            match self.commit(what, vec![Write::RetireKey { owner, purpose, version }]).await {
                Ok(()) | Err(KeyError::Store(StoreError::Conflict(Conflict::Missing))) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(versions.len())
    }

    async fn commit(&self, what: What, writes: Vec<Write>) -> Result<(), KeyError> {
        let event = Event { at: self.store.now(), tenant: None, actor: Actor::Worker, policy: None, what };
        self.store.commit(Change { events: vec![event], writes }).await?;
        self.follow().await;
        Ok(())
    }
}

impl Owner {
    fn is(self, name: &str) -> bool {
        self.to_string() == name
    }
}

fn of(rows: &[WrappedKey], owner: Owner) -> impl Iterator<Item = &WrappedKey> {
    let name = owner.to_string();
    rows.iter().filter(move |row| row.owner == name)
}

fn named(owner: &str, purpose: &str) -> Option<(Owner, Purpose)> {
    let owner: Owner = owner.parse().ok()?;
    Some((owner, Purpose::named(owner, purpose)?))
}

fn lines(rows: &[WrappedKey]) -> BTreeMap<(String, String), Line> {
    let mut lines: BTreeMap<_, Line> = BTreeMap::new();
    for row in rows {
        let lead = named(&row.owner, &row.purpose).map_or(Duration::ZERO, |(_, purpose)| purpose.lead());
        let line = lines.entry((row.owner.clone(), row.purpose.clone())).or_default();
        line.push((row.version, row.created_at.plus(lead)));
    }
    lines.values_mut().for_each(|line| line.sort_unstable());
    lines
}

/// How long the deployment's own sealed texts live at the utmost: parts two days, answers to repeat one.
const PARTS_KEPT: Duration = Duration::from_secs(49 * 3_600);
/// How long proofs count (10 min), and published keys are held by those who check them.
const PROOFS_KEPT: Duration = Duration::from_secs(2 * 3_600);
