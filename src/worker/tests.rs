//! The outbox emptied over the real store and a carrier that answers as told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod lanes;
mod rotate;

use std::future::Future;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::*;
use crate::access::{Action, FreezeSwitch};
use crate::carrier::{Carrier, SubmitError};
use crate::event::What;
use crate::guard::Guard;
use crate::ids;
use crate::relay::tests::house::*;
use crate::store::ErasureLog;
use crate::store::MemoryScratch;
use crate::store::{BlindIndex, Change, Lane, OutboxRow, Scope, Suppression, Task, Write};

const X: u64 = 15_550_000_001;

fn rooms(house: &House) -> Rooms {
    rooms_over(house, vec![house.line.clone()])
}

fn rooms_over(house: &House, carriers: Vec<Arc<dyn Carrier>>) -> Rooms {
    let (store, vault, keyring) = (house.store.clone(), house.vault.clone(), house.keyring.clone());
    let scratch = Arc::new(MemoryScratch::open(None, house.clock.clone()).unwrap());
    let guard = Arc::new(Guard::new(scratch, store.clone(), keyring.clone()));
    let verify = Verify::new(store.clone(), vault.clone(), keyring.clone(), guard, "https://bauta.example");
    let verify = Arc::new(verify);
    let list = ErasureLog::at("/nonexistent/erasures.log");
    let access = house.access.clone();
    let rights = Rights::new(store.clone(), vault.clone(), verify.clone(), keyring.clone(), access, list);
    let reach = crate::webhook::Reach::default();
    let webhooks = Webhooks::new(store.clone(), keyring.clone(), house.access.clone(), reach);
    Rooms {
        webhooks: Arc::new(webhooks),
        verify,
        rights: Arc::new(rights),
        dispatch: Arc::new(Dispatch::new(
            store.clone(),
            vault.clone(),
            keyring.clone(),
            house.access.clone(),
            carriers,
        )),
        vault,
        store,
        keyring,
        access: house.access.clone(),
        alias: house.alias.clone(),
        relay: house.relay.clone(),
        rotation: crate::config::Rotation { settle_s: 0, ..crate::config::Rotation::default() },
    }
}

/// Runs the workers, with the house's clock at real pace, until `done` or ten seconds.
async fn work_until<F: Future<Output = bool>>(house: &House, done: impl Fn() -> F) {
    let (stop, stopped) = watch::channel(false);
    let workers = tokio::spawn(run(rooms(house), "test".into(), stopped));
    let waited = timeout(Duration::from_secs(10), async {
        while !done().await {
            sleep(Duration::from_millis(10)).await;
            house.clock.advance(Duration::from_millis(10));
        }
    });
    waited.await.expect("the work was not done");
    stop.send(true).unwrap();
    workers.await.unwrap();
}

fn texts(house: &House) -> Vec<String> {
    house.line.seen.lock().unwrap().iter().map(|seen| seen.2.clone()).collect()
}

#[tokio::test]
async fn a_link_that_breaks_in_the_middle_costs_neither_order_nor_a_message() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("ax", ANN, None).await.number;
    let again = || SubmitError::Throttled { retry_after: Duration::from_millis(50) };
    house.line.answers.lock().unwrap().extend([SubmitError::Unavailable, again(), SubmitError::Unavailable]);
    let wanted: Vec<_> = (0..12).map(|n| format!("message {n}")).collect();
    for text in &wanted {
        house.write(BEN, x, text).await;
    }
    work_until(&house, || async { house.entries("message.sent").await.len() == wanted.len() }).await;
    assert_eq!(texts(&house), wanted);
    assert_eq!(house.entries("delivery.put_off").await.len(), 3);
    assert!(house.store.next_due().await.unwrap().is_none(), "the outbox is empty");
}

#[tokio::test]
async fn what_a_carrier_refuses_is_told_and_does_not_hold_up_the_rest() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("ax", ANN, None).await.number;
    let refused = SubmitError::Refused { reason: "smpp_status_11".into() };
    house.line.answers.lock().unwrap().push_back(refused);
    house.write(BEN, x, "one").await;
    house.write(BEN, x, "two").await;
    work_until(&house, || async { house.entries("message.sent").await.len() == 1 }).await;
    assert_eq!(texts(&house), ["two"]);
    let told = house.entries("message.undelivered").await;
    assert_eq!((told.len(), &told[0]["reason"]), (1, &"smpp_status_11".into()));
}

#[tokio::test]
async fn a_freeze_voids_what_waits_in_the_outbox() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let alias = house.bound("ax", ANN, None).await;
    house.write(BEN, alias.number, "one").await;
    let permit = house.operate(Action::Freeze, FreezeSwitch { target: alias.id.to_string() }).await;
    house.access.freeze(permit, true).await.unwrap();
    work_until(&house, || async { house.entries("message.undelivered").await.len() == 1 }).await;
    assert!(texts(&house).is_empty());
    assert_eq!(house.entries("message.undelivered").await[0]["reason"], "frozen");
    assert!(house.store.next_due().await.unwrap().is_none());
}

/// What waits may be for a person who asks to be spared it meanwhile.
#[tokio::test]
async fn a_suppression_voids_what_waits_in_the_outbox() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let alias = house.bound("ax", ANN, None).await;
    house.write(BEN, alias.number, "one").await;
    let (record, _) = house.keyring.tenant(house.tenant).await.unwrap().read_vaulted(&alias.a).unwrap();
    let index = house.store.token(house.tenant, record).await.unwrap().unwrap().index;
    let (scope, at) = (Scope::Number(alias.number), house.store.now());
    let spared = Suppression { tenant: house.tenant, index, scope, source: "stop".into(), at };
    let event = house.access.upkeep(house.tenant).event(at, What::Swept {});
    house.store.commit(Change::telling(event).with(Write::Suppress(spared))).await.unwrap();
    house.access.refresh().await.unwrap();
    work_until(&house, || async { house.entries("message.undelivered").await.len() == 1 }).await;
    assert!(texts(&house).is_empty());
    assert_eq!(house.entries("message.undelivered").await[0]["reason"], "suppressed");
}

#[tokio::test]
async fn a_body_older_than_a_day_is_not_sent() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("ax", ANN, None).await.number;
    house.write(BEN, x, "stale").await;
    house.clock.advance(Duration::from_secs(24 * 3600 + 1));
    work_until(&house, || async { house.entries("message.undelivered").await.len() == 1 }).await;
    assert!(texts(&house).is_empty());
    assert_eq!(house.entries("message.undelivered").await[0]["reason"], "expired");
}

#[tokio::test]
async fn a_code_whose_verification_is_forgotten_leaves_the_outbox() {
    let house = House::new().await;
    let row = OutboxRow {
        id: ids::fresh(),
        tenant: house.tenant,
        task: Task::Code(ids::fresh(), 0),
        lane: Lane::Code,
        conversation: BlindIndex([1; 16]),
        credential: None,
        policy: "test".into(),
        due: house.store.now(),
        attempts: 0,
    };
    let event = house.access.upkeep(house.tenant).event(house.store.now(), What::Swept {});
    house.store.commit(Change::telling(event).with(Write::Enqueue(row))).await.unwrap();
    work_until(&house, || async { house.store.next_due().await.unwrap().is_none() }).await;
}
