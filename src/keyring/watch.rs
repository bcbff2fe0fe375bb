//! Keeping unwrapped keys true: new and gone ones are seen within [`POLL`], and the KMS is asked now and then whether each
//! owner's KEK is still there.
//!
//! A KEK that is gone takes its owner's unwrapped keys along at once. A KMS that does not serve leaves them in use until
//! they were not confirmed for as long as the settings allow; then [`Keyring::tenant`] asks before every use, and serves
//! again as soon as it is answered.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::kms::KmsError;
use super::purpose::{self, Purpose};
use super::uses::Uses;
use super::{KeyError, Keyring, Owner, SystemKeys, TenantKeys, load};
use crate::ids::TenantId;
use crate::store::{StoreError, WrappedKey};
use crate::telemetry;

impl Keyring {
    /// Follows the store and the KMS until `stop` is true or its sender is gone.
    pub async fn watch(&self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.follow_store() => {}
            () = self.follow_kms() => {}
        }
    }

    async fn follow_store(&self) {
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.follow().await;
            self.set_all_aside().await;
        }
    }

    async fn follow_kms(&self) {
        loop {
            // One that does not serve is asked again soon: everyone waits for it.
            let pause = if self.is_away.load(Ordering::Acquire) { AWAY_POLL } else { self.cache.check };
            sleep(pause.min(self.cache.check)).await;
            self.confirm().await;
        }
    }

    /// Lets new versions begin, and reads the store's keys if they moved. What cannot be done now is done at the next
    /// call.
    pub async fn follow(&self) {
        let now = self.store.now();
        self.followed.store(now.as_millis(), Ordering::Release);
        self.system.load().advance(now);
        self.tenants.load().values().for_each(|held| held.keys.advance(now));
        match self.store.keys_version().await {
            Ok(version) if version == self.seen.load(Ordering::Acquire) => {}
            Ok(version) => {
                if let Err(error) = self.refresh(version).await {
                    tracing::warn!(%error, "keys that changed could not be loaded, and will be tried again");
                }
            }
            Err(error) => tracing::warn!(%error, "the store cannot be asked for changed keys, and will be again"),
        }
    }

    /// Reads the store's keys, drops those of owners that have none, and opens those that changed.
    async fn refresh(&self, version: u64) -> Result<(), KeyError> {
        let fresh = load::by_owner(self.store.wrapped_keys().await?);
        // Before waiting for anyone who loads: what is gone is gone.
        for id in self.tenants.load().keys() {
            if !fresh.contains_key(&Owner::Tenant(*id).to_string()) {
                self.drop_tenant(*id);
            }
        }
        let mut rows = self.rows.lock().await;
        let system = Owner::System.to_string();
        rows.owners = fresh;
        rows.refused.clear();
        if rows.owners.get(&system) != Some(&rows.system) {
            self.open_system(&mut rows.owners).await?;
            rows.system = rows.owners.get(&system).cloned().unwrap_or_default();
        }
        let held: Vec<_> = self.tenants.load().iter().map(|(id, held)| (*id, held.clone())).collect();
        for (id, held) in held {
            match rows.owners.get(&Owner::Tenant(id).to_string()) {
                Some(now) if *now == held.rows => {}
                Some(_) => match self.open_tenant(id, &mut rows.owners).await {
                    // Its owner's keys are dropped; the others are not its business.
                    Ok(_) | Err(KeyError::Kms(KmsError::NoSuchKek(_))) => {}
                    Err(other) => return Err(other),
                },
                None => self.drop_tenant(id),
            }
        }
        self.seen.store(version, Ordering::Release);
        Ok(())
    }

    async fn open_system(&self, owners: &mut HashMap<String, Vec<WrappedKey>>) -> Result<(), KeyError> {
        let opened = load::open(self.store.as_ref(), self.kms.as_ref(), &self.counts, Owner::System, owners).await;
        self.note_kms(opened.as_ref().err());
        self.system.store(std::sync::Arc::new(SystemKeys::of(&opened?)?));
        Ok(())
    }

    /// Asks the KMS whether it still opens a key of each owner whose keys are in use.
    pub async fn confirm(&self) {
        let system =
            self.rows.lock().await.owners.get(&Owner::System.to_string()).and_then(|rows| rows.first().cloned());
        let tenants = self.tenants.load_full();
        let tenants = tenants.iter().filter_map(|(id, held)| Some((Owner::Tenant(*id), held.rows.first()?.clone())));
        let owners: Vec<_> = system.map(|row| (Owner::System, row)).into_iter().chain(tenants).collect();
        let asked = owners.into_iter().map(|(owner, row)| self.opens(owner, row));
        let mut answers = futures::stream::iter(asked).buffer_unordered(AT_ONCE);
        while let Some((owner, answer)) = answers.next().await {
            self.note_kms(answer.as_ref().err());
            match (owner, answer) {
                (Owner::Tenant(id), Ok(())) => self.note_confirmed(id),
                (_, Ok(())) => {}
                (Owner::Tenant(id), Err(KeyError::Kms(KmsError::NoSuchKek(kek)))) => {
                    tracing::error!(%kek, "a key-encryption key is gone; the keys under it are dropped");
                    self.drop_tenant(id);
                }
                // Nobody else serves while the KMS is away: the rest is asked next time.
                (_, Err(error)) if error.is_away() => return,
                (owner, Err(error)) => tracing::error!(%owner, %error, "a wrapped key no longer opens"),
            }
        }
    }

    async fn opens(&self, owner: Owner, row: WrappedKey) -> (Owner, Result<(), KeyError>) {
        let opened = self.kms.unwrap(&row.owner, &purpose::wrapping_aad(&row), &row.wrapped).await;
        (owner, opened.map(drop).map_err(KeyError::Kms))
    }

    fn note_confirmed(&self, id: TenantId) {
        if let Some(held) = self.tenants.load().get(&id) {
            held.confirmed.store(self.store.now().as_millis(), Ordering::Release);
        }
    }

    /// Remembers, and tells once, whether the KMS serves.
    pub(super) fn note_kms(&self, error: Option<&KeyError>) {
        let away = error.is_some_and(KeyError::is_away);
        telemetry::metrics().kms_up.set(i64::from(!away));
        match (self.is_away.swap(away, Ordering::AcqRel), away, error) {
            (false, true, Some(error)) => tracing::error!(%error, "the KMS does not serve"),
            (true, false, _) => tracing::info!("the KMS serves again"),
            _ => {}
        }
    }

    // ── uses

    /// Sets uses aside where few are left. A store that cannot do so now will be asked at the next call.
    pub(super) async fn set_aside(&self, id: TenantId, keys: &TenantKeys) {
        for (purpose, version, uses) in keys.counted() {
            self.set_one_aside(Owner::Tenant(id), purpose, version, uses).await;
        }
    }

    async fn set_all_aside(&self) {
        let system = self.system();
        let (purpose, version, uses) = system.counted();
        self.set_one_aside(Owner::System, purpose, version, uses).await;
        let held = self.tenants.load_full();
        for (id, held) in held.iter() {
            self.set_aside(*id, &held.keys).await;
        }
    }

    async fn set_one_aside(&self, owner: Owner, purpose: Purpose, version: u16, uses: &Uses) {
        if !uses.is_low() {
            return;
        }
        let count = uses.wanted();
        // Noted first: of many callers at once, one asks the store.
        uses.add(count);
        let reserved = self.store.reserve_key_uses(&owner.to_string(), purpose.as_str(), version, count).await;
        if let Err(error) = reserved {
            uses.take_back(count);
            if !matches!(error, StoreError::Unavailable(_)) {
                tracing::warn!(%error, "uses of a key could not be set aside, and will be");
            }
        }
    }
}

/// How often the store is asked for changed keys.
const POLL: Duration = Duration::from_millis(250);
/// How often a KMS is asked that did not serve.
const AWAY_POLL: Duration = Duration::from_secs(1);
/// Owners asked about at a time.
const AT_ONCE: usize = 8;
