//! What goes by its age: retention by class, the data of test tenants after a week, what erased tenants left.
//!
//! A round asks for the old rows of each class beside the writer and has the writer take them away in turns of at most
//! [`TURN`] rows and [`WITHIN`], then waits as long as the turn took, so that whoever writes meanwhile gets at least
//! every other turn. The first turn of a class carries the entry that tells of it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::{Rooms, stopped};
use crate::access::Retention;
use crate::clock::Timestamp;
use crate::event::{Actor, Event, What};
use crate::keyring::Owner;
use crate::store::{Aged, Aging, Change, Kept, RowKey, StoreError, Write};

/// Sweeps until `stop`; a round begins [`EVERY`] after the last one ended.
pub(super) async fn run(rooms: Rooms, mut stop: watch::Receiver<bool>) {
    let (mut last_age, mut last_walk): (Option<Instant>, Option<Instant>) = (None, None);
    loop {
        tokio::select! {
            () = stopped(&mut stop) => return,
            () = sleep(EVERY) => {}
        }
        let is_aging = is_due(&mut last_age, AGE_EVERY);
        let is_walking = is_due(&mut last_walk, WALK_EVERY);
        let round = tokio::spawn(round(rooms.clone(), is_aging, is_walking));
        tokio::select! {
            () = stopped(&mut stop) => return,
            done = round => if let Err(error) = done {
                tracing::error!(%error, "a round of sweeping broke off");
            },
        }
    }
}

/// Whether so much time has passed since the last time; if so, this is it.
fn is_due(last: &mut Option<Instant>, every: Duration) -> bool {
    let is_due = last.is_none_or(|at| at.elapsed() >= every);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}

async fn round(rooms: Rooms, is_aging: bool, is_walking: bool) {
    let kept = *rooms.access.policies().retention();
    if is_aging {
        for (name, class) in classes(&kept, rooms.store.now()) {
            can_fail(name, sweep(&rooms, name, class).await);
        }
    }
    if is_walking {
        let before = rooms.store.now().minus(kept.test_data);
        for of in Kept::ALL {
            can_fail("test_data", sweep(&rooms, "test_data", Aging::Test(of, before)).await);
        }
    }
    can_fail("erased tenants", clear(&rooms).await);
}

fn classes(kept: &Retention, now: Timestamp) -> [(&'static str, Aging); 8] {
    [
        ("bodies", Aging::Bodies(now.minus(kept.bodies))),
        ("message_history", Aging::Messages(now.minus(kept.message_history))),
        ("verifications", Aging::Verifications(now.minus(kept.verifications))),
        ("expired_tokens", Aging::Tokens(now.minus(kept.expired_tokens))),
        ("ended_aliases", Aging::Aliases(now.minus(kept.ended_aliases))),
        ("approvals", Aging::Approvals(now.minus(kept.approvals))),
        ("webhook_deliveries", Aging::Deliveries(now.minus(kept.webhook_deliveries), now.minus(kept.test_data))),
        ("audit_entries", Aging::Entries(now.minus(kept.audit_entries))),
    ]
}

/// Takes all old rows of a class away. Gives how many.
pub(super) async fn sweep(rooms: &Rooms, name: &str, class: Aging) -> Result<u64, StoreError> {
    let (mut after, mut gone, mut is_told) = (None, 0, false);
    loop {
        let Aged { keys, tenants, next } = rooms.store.aged(class, after, TURN).await?;
        let mut left: &[RowKey] = &keys;
        while !left.is_empty() {
            let started = Instant::now();
            let events = telling(rooms, name, class, &tenants, is_told);
            is_told = true;
            let write = Write::Age { class, keys: left.to_vec(), within: WITHIN };
            let aged = rooms.store.commit(Change { events, writes: vec![write] }).await?.aged;
            gone += aged as u64;
            left = left.get(aged.max(1)..).unwrap_or_default();
            sleep(started.elapsed().clamp(BREATH, WITHIN * 4)).await;
        }
        match next {
            Some(key) => after = Some(key),
            None => return Ok(gone),
        }
    }
}

/// What a turn is told by: of test tenants each turn, each tenant its own; of a class the first turn, which says up to
/// where all of it goes; of erased tenants nothing more than the entry that erased them.
fn telling(
    rooms: &Rooms,
    name: &str,
    class: Aging,
    tenants: &[(crate::ids::TenantId, u64)],
    is_told: bool,
) -> Vec<Event> {
    let at = rooms.store.now();
    let event = |tenant, what| Event { at, tenant, actor: Actor::Worker, policy: None, what };
    match class {
        Aging::Erased(_) => Vec::new(),
        Aging::Test(_, before) => {
            let told = |(tenant, rows): &(_, u64)| event(Some(*tenant), What::TestDataPurged { before, rows: *rows });
            tenants.iter().map(told).collect()
        }
        _ if is_told => Vec::new(),
        Aging::Bodies(before)
        | Aging::Messages(before)
        | Aging::Verifications(before)
        | Aging::Tokens(before)
        | Aging::Aliases(before)
        | Aging::Approvals(before)
        | Aging::Deliveries(before, _)
        | Aging::Entries(before) => vec![event(None, What::RetentionApplied { class: name.to_owned(), before })],
    }
}

/// Destroys once more the keys of tenants that were erased, should that have failed, and takes away what they left.
async fn clear(rooms: &Rooms) -> Result<(), StoreError> {
    let tenants = rooms.store.leavings().await?;
    if tenants.is_empty() {
        return Ok(());
    }
    for tenant in &tenants {
        if let Err(error) = rooms.keyring.destroy(Owner::Tenant(*tenant)).await {
            tracing::warn!(%error, "the key of an erased tenant is still there; tried again soon");
            return Ok(());
        }
    }
    for of in Kept::ALL {
        sweep(rooms, "erased", Aging::Erased(of)).await?;
    }
    for tenant in tenants {
        let at = rooms.store.now();
        let event = Event { at, tenant: Some(tenant), actor: Actor::Worker, policy: None, what: What::Swept {} };
        rooms.store.commit(Change::telling(event).with(Write::Clear { tenant })).await?;
    }
    Ok(())
}

fn can_fail<T>(class: &str, result: Result<T, StoreError>) {
    if let Err(error) = result {
        tracing::warn!(class, %error, "will be swept in the next round");
    }
}

/// How often each class is looked at: each look that finds something is an entry in the log.
const AGE_EVERY: Duration = Duration::from_secs(60);
/// How long after a round the next begins; each looks for tenants that were erased.
const EVERY: Duration = Duration::from_secs(2);
/// How often tables are walked for what test tenants made.
const WALK_EVERY: Duration = Duration::from_secs(3_600);
/// Rows that the writer takes away in one go.
const TURN: u32 = 500;
/// How long it may take at the most.
const WITHIN: Duration = Duration::from_millis(5);
/// The shortest pause.
const BREATH: Duration = Duration::from_millis(1);
