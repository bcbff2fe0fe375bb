//! Keys in time: new versions when they fall due, and the re-encryption of what older versions sealed.
//!
//! A pass looks through every ciphertext in batches small enough to hold nobody up, and rests between two for as long as
//! the last one took. How far it got is in the store, and each batch may be done twice without harm, so that a crash at
//! any point costs one batch. A pass that found nothing under older versions, and began after the last process had
//! stopped using them, retires them; one that found something is followed by another. What does not open is left as it
//! is, told, and keeps its version alive.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{Rooms, stopped};
use crate::config::Rotation;
use crate::event::{Actor, Event, What};
use crate::ids::{self, TenantId};
use crate::keyring::{KeyError, NUMBER, STRANGER, TenantKeys};
use crate::relay::BODY;
use crate::store::{Cell, CellAt, Change, DISCLOSED, ResealPass, Sealed, Write};
use crate::telemetry;

/// Looks once a second for something to do, and for keys that fall due once a minute, until `stop`.
pub(super) async fn run(rooms: Rooms, mut stop: watch::Receiver<bool>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let rotate = Arc::new(Rotate { rooms });
    let mut looked: Option<Instant> = None;
    loop {
        tokio::select! {
            () = stopped(&mut stop) => return,
            _ = ticks.tick() => {}
        }
        let is_due = looked.is_none_or(|at| at.elapsed() >= DUE_EVERY);
        if is_due {
            looked = Some(Instant::now());
        }
        // A task of its own, so that a panic ends this round and not the worker.
        let mut round = tokio::spawn(Arc::clone(&rotate).round(is_due));
        tokio::select! {
            () = stopped(&mut stop) => {
                // Whatever a batch was at is done again after the next start.
                round.abort();
                return;
            }
            ended = &mut round => if let Err(error) = ended {
                tracing::error!(%error, "a round of key rotation broke off");
            },
        }
    }
}

/// What a batch came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing is stale, or not yet for long enough.
    Idle,
    /// A batch was looked through, and more is to come.
    Worked,
    /// A pass ended; so many versions were retired.
    Ended(usize),
}

pub(super) struct Rotate {
    pub(super) rooms: Rooms,
}

impl Rotate {
    async fn round(self: Arc<Self>, is_due: bool) {
        let keyring = &self.rooms.keyring;
        can_fail("destroying keys", keyring.destroy_doomed().await);
        if is_due {
            can_fail("rotating keys", keyring.turn_due(&self.rooms.rotation).await);
            can_fail("retiring keys", keyring.retire_outlived(settle(&self.rooms.rotation)).await);
        }
        let mut wanted = (Instant::now(), self.wanted().await);
        loop {
            let began = Instant::now();
            if wanted.0.elapsed() >= TICK {
                wanted = (began, self.wanted().await);
            }
            let step = match &wanted.1 {
                Ok(wanted) => self.step(wanted).await,
                Err(error) => {
                    tracing::warn!(%error, "re-encryption will go on later");
                    return;
                }
            };
            match step {
                Ok(Step::Worked) => sleep(began.elapsed().max(LEAST_REST)).await,
                Ok(Step::Idle | Step::Ended(_)) => return,
                Err(error) => {
                    tracing::warn!(%error, "re-encryption will go on later");
                    return;
                }
            }
        }
    }

    /// Whose ciphertexts are to be re-encrypted now, below which version.
    pub(super) async fn wanted(&self) -> Result<Vec<(TenantId, u16)>, KeyError> {
        self.rooms.keyring.stale(settle(&self.rooms.rotation), self.rooms.store.now()).await
    }

    /// One batch.
    pub(super) async fn step(&self, wanted: &[(TenantId, u16)]) -> Result<Step, KeyError> {
        let store = &self.rooms.store;
        let known = store.reseal_pass().await?;
        if wanted.is_empty() {
            if known.is_some() {
                store.save_reseal_pass(None).await?;
            }
            return Ok(Step::Idle);
        }
        let mut pass = known.unwrap_or_else(|| ResealPass::starting(store.now()));
        let page = store.cells(pass.kind, &pass.after, wanted).await?;
        let found = page.cells.len();
        let done = self.reseal(page.cells).await?;
        pass.looked += page.looked;
        pass.stale += found as u64;
        pass.resealed += done as u64;
        telemetry::metrics().reseal_pass.set(pass.looked.cast_signed());
        match page.next.or_else(|| {
            pass.kind = pass.kind.next()?;
            Some(Vec::new())
        }) {
            Some(after) => {
                pass.after = after;
                store.save_reseal_pass(Some(&pass)).await?;
                Ok(Step::Worked)
            }
            None => self.end(&pass).await,
        }
    }

    /// The end of a pass: older versions that it found nothing under, and that nobody used when it began, go.
    async fn end(&self, pass: &ResealPass) -> Result<Step, KeyError> {
        let Rooms { store, keyring, rotation, .. } = &self.rooms;
        tracing::info!(
            looked = pass.looked,
            stale = pass.stale,
            resealed = pass.resealed,
            "a pass over old keys ended"
        );
        let mut retired = 0;
        if pass.stale == 0 {
            let unused = keyring.stale(settle(rotation), pass.started_at).await?;
            retired = keyring.retire_seals(&unused).await?;
        }
        store.save_reseal_pass(None).await?;
        telemetry::metrics().reseal_pass.set(0);
        Ok(Step::Ended(retired))
    }

    /// Re-encrypts these, in one change. Returns how many.
    async fn reseal(&self, cells: Vec<Cell>) -> Result<usize, KeyError> {
        let mut keys: HashMap<TenantId, Arc<TenantKeys>> = HashMap::new();
        let mut writes = Vec::with_capacity(cells.len());
        let (mut of, mut unopened) = ("", 0_u64);
        for Cell { tenant, at, sealed } in cells {
            let keys = match keys.get(&tenant) {
                Some(keys) => keys,
                None => keys.entry(tenant).or_insert(self.rooms.keyring.tenant(tenant).await?),
            };
            of = name(&at);
            match resealed(keys, &at, &sealed) {
                Ok(Some(to)) => writes.push(Write::Reseal { tenant, at, from: sealed, to }),
                Ok(None) => {}
                Err(_) => unopened += 1,
            }
        }
        if unopened > 0 {
            tracing::error!(unopened, of, "ciphertexts do not open; their key versions are kept");
        }
        let count = writes.len();
        if count > 0 {
            let what = What::KeysResealed { of: of.to_owned(), ciphertexts: count as u64 };
            let event = Event { at: self.rooms.store.now(), tenant: None, actor: Actor::Worker, policy: None, what };
            self.rooms.store.commit(Change { events: vec![event], writes }).await?;
            telemetry::metrics().resealed.inc_by(count as u64);
        }
        Ok(count)
    }
}

fn resealed(keys: &TenantKeys, at: &CellAt, sealed: &Sealed) -> Result<Option<Sealed>, KeyError> {
    match at {
        CellAt::Number(record) => keys.reseal(NUMBER, &record.0.to_be_bytes(), sealed),
        CellAt::Sender(alias, _) | CellAt::Stranger(_, alias) => keys.reseal(STRANGER, &ids::bytes(alias), sealed),
        CellAt::Disclosed(message) => keys.reseal(DISCLOSED, &ids::bytes(message), sealed),
        CellAt::Body(message) => keys.reseal(BODY, &ids::bytes(message), sealed),
    }
}

fn name(at: &CellAt) -> &'static str {
    match at {
        CellAt::Number(_) => "tokens",
        CellAt::Sender(..) => "senders",
        CellAt::Body(_) | CellAt::Disclosed(_) | CellAt::Stranger(..) => "messages",
    }
}

fn settle(rotation: &Rotation) -> Duration {
    Duration::from_secs(u64::from(rotation.settle_s))
}

/// What failed now is tried again in the next round.
fn can_fail<T>(what: &'static str, result: Result<T, KeyError>) {
    if let Err(error) = result {
        tracing::warn!(what, %error, "will be tried again");
    }
}

const TICK: Duration = Duration::from_secs(1);
const DUE_EVERY: Duration = Duration::from_secs(60);
/// Rest between two batches at the least.
const LEAST_REST: Duration = Duration::from_millis(1);
