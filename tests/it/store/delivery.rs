//! The outbox and the carriers' word.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bauta::ids::{OutboxId, TenantId, fresh};
use bauta::store::{
    BlindIndex, Class, Conflict, Counted, DeliveryStatus, Failure, Lane, MessageRow, OutboxRow, PartId, ReceiptRow,
    Settled, Task, Write,
};

use super::messages::message;
use super::verifications::verification;
use super::{World, person};

fn row(world: &World, lane: Lane, conversation: BlindIndex) -> OutboxRow {
    OutboxRow {
        id: fresh(),
        tenant: fresh(),
        task: Task::Message(fresh()),
        lane,
        conversation,
        credential: None,
        policy: "p1".into(),
        due: world.now(),
        attempts: 0,
    }
}

/// Puts rows into the outbox and gives their ids.
async fn enqueue<const N: usize>(world: &World, rows: [(Lane, u64); N]) -> [OutboxId; N] {
    let rows = rows.map(|(lane, n)| row(world, lane, person(n)));
    for row in &rows {
        world.write(Write::Enqueue(row.clone())).await.unwrap();
    }
    rows.map(|row| row.id)
}

async fn claim(world: &World, holder: &str, limit: u32) -> Vec<OutboxId> {
    let until = world.now().plus(Duration::from_secs(60));
    world.store.claim(holder, until, limit).await.unwrap().into_iter().map(|row| row.id).collect()
}

pub async fn claims_take_the_oldest_of_each_conversation_codes_first(world: World) {
    assert!(claim(&world, "w", 10).await.is_empty());
    assert_eq!(world.store.next_due().await.unwrap(), None);
    let [m1, n1, n2, c1, c2, n3] = enqueue(
        &world,
        [
            (Lane::Marketing, 1),
            (Lane::Notice, 2),
            (Lane::Notice, 2),
            (Lane::Code, 3),
            (Lane::Code, 4),
            (Lane::Notice, 5),
        ],
    )
    .await;
    assert_eq!(claim(&world, "w", 3).await, [c1, c2, n1]);
    assert_eq!(claim(&world, "w", 10).await, [n3, m1], "n2 waits for n1");
    assert!(claim(&world, "w", 10).await.is_empty());
    world.write(Write::Dequeue(n1)).await.unwrap();
    World::refused(world.write(Write::Dequeue(n1)).await, Conflict::Taken);
    assert_eq!(claim(&world, "w", 10).await, [n2]);
}

pub async fn a_head_that_waits_holds_back_its_conversation(world: World) {
    let [first, second, other] = enqueue(&world, [(Lane::Notice, 1), (Lane::Notice, 1), (Lane::Notice, 2)]).await;
    assert_eq!(claim(&world, "w", 10).await, [first, other]);
    let until = world.now().plus(Duration::from_secs(30));
    world.write(Write::PutOff { id: first, until, attempts: 1 }).await.unwrap();
    world.write(Write::Dequeue(other)).await.unwrap();
    assert!(claim(&world, "w", 10).await.is_empty());
    assert_eq!(world.store.next_due().await.unwrap(), Some(until));
    world.pass(30);
    let claimed = world.store.claim("w", world.now().plus(Duration::from_secs(9)), 10).await.unwrap();
    assert_eq!(claimed.iter().map(|row| (row.id, row.attempts)).collect::<Vec<_>>(), [(first, 1)]);
    world.write(Write::Dequeue(first)).await.unwrap();
    assert_eq!(claim(&world, "w", 10).await, [second]);
    World::refused(world.write(Write::PutOff { id: first, until, attempts: 2 }).await, Conflict::Taken);
}

pub async fn leases_lapse_and_are_given_back(world: World) {
    let [first, second] = enqueue(&world, [(Lane::Notice, 1), (Lane::Notice, 2)]).await;
    assert_eq!(claim(&world, "dead", 1).await, [first]);
    assert_eq!(claim(&world, "live", 1).await, [second]);
    assert_eq!(world.store.next_due().await.unwrap(), Some(world.now().plus(Duration::from_secs(60))));
    world.store.release_leases("dead").await.unwrap();
    assert_eq!(claim(&world, "live", 10).await, [first]);
    world.pass(60);
    assert_eq!(claim(&world, "other", 10).await, [first, second], "every lease lapsed");
}

pub async fn an_older_row_that_comes_late_goes_first_unless_one_is_under_way(world: World) {
    let rows: Vec<_> = (0..3).map(|_| row(&world, Lane::Notice, person(1))).collect();
    world.write(Write::Enqueue(rows[2].clone())).await.unwrap();
    world.write(Write::Enqueue(rows[1].clone())).await.unwrap();
    assert_eq!(claim(&world, "w", 10).await, [rows[1].id]);
    world.write(Write::Enqueue(rows[0].clone())).await.unwrap();
    assert!(claim(&world, "w", 10).await.is_empty(), "one at a time");
    world.write(Write::Dequeue(rows[1].id)).await.unwrap();
    assert_eq!(claim(&world, "w", 10).await, [rows[0].id]);
    world.write(Write::Dequeue(rows[0].id)).await.unwrap();
    assert_eq!(claim(&world, "w", 10).await, [rows[2].id]);
}

pub async fn two_claimers_never_get_one_row(world: World) {
    let mut change = world.telling();
    for n in 0..300 {
        change = change.with(Write::Enqueue(row(&world, Lane::Notice, person(n))));
    }
    world.store.commit(change).await.unwrap();
    let stores = [Arc::clone(&world.store), world.another()];
    let until = world.now().plus(Duration::from_secs(60));
    let claimers: Vec<_> = (0..20_usize)
        .map(|n| {
            let store = Arc::clone(&stores[n % 2]);
            tokio::spawn(async move { store.claim(&format!("w{n}"), until, 20).await.unwrap() })
        })
        .collect();
    let mut claimed = HashSet::new();
    for claimer in claimers {
        for row in claimer.await.unwrap() {
            assert!(claimed.insert(row.id), "claimed twice");
        }
    }
    assert_eq!(claimed.len(), 300);
}

/// A message in the store, submitted in parts of these ids.
async fn submitted(world: &World, ids: &[&str]) -> (TenantId, MessageRow) {
    let tenant = world.tenant().await;
    let row = message(world, tenant, fresh());
    world.write(Write::Message(Box::new(row.clone()))).await.unwrap();
    submit(world, tenant, Task::Message(row.id), ids).await;
    (tenant, row)
}

async fn submit(world: &World, tenant: TenantId, task: Task, ids: &[&str]) -> Vec<Settled> {
    let ids = ids.iter().map(|&id| id.into()).collect();
    let counted = Counted { class: Class::Relay, country: Some("GB".into()), parts: 1, price: 7 };
    let write = Write::RecordSubmission { carrier: "main".into(), tenant, task, ids, counted };
    world.write(write).await.unwrap().settled
}

async fn receipt(world: &World, id: &str, status: DeliveryStatus) -> Vec<DeliveryStatus> {
    let receipt = ReceiptRow { carrier: "main".into(), ids: vec![id.into()], status, failure: None };
    let write = Write::RecordReceipt(receipt);
    world.write(write).await.unwrap().settled.into_iter().map(|settled| settled.status).collect()
}

async fn status(world: &World, (tenant, row): &(TenantId, MessageRow)) -> DeliveryStatus {
    world.store.message(*tenant, row.id).await.unwrap().unwrap().status
}

pub async fn a_task_ends_with_its_worst_part(world: World) {
    use DeliveryStatus::{Delivered, Submitted, Undelivered};
    let good = submitted(&world, &["a1", "a2"]).await;
    assert_eq!(status(&world, &good).await, Submitted);
    assert_eq!(receipt(&world, "a2", Delivered).await, []);
    assert_eq!(status(&world, &good).await, Submitted);
    assert_eq!(receipt(&world, "a1", Delivered).await, [Delivered]);
    assert_eq!(status(&world, &good).await, Delivered);

    let bad = submitted(&world, &["b1", "b2"]).await;
    assert_eq!(receipt(&world, "b1", Delivered).await, []);
    assert_eq!(receipt(&world, "b2", Undelivered).await, [Undelivered]);
    assert_eq!(status(&world, &bad).await, Undelivered);

    let early = submitted(&world, &["c1", "c2"]).await;
    assert_eq!(receipt(&world, "c1", Undelivered).await, [Undelivered], "one lost part is enough");
    assert_eq!(receipt(&world, "c2", Delivered).await, []);
    assert_eq!(status(&world, &early).await, Undelivered);
    assert_eq!(status(&world, &good).await, Delivered);
}

pub async fn an_early_receipt_waits_for_its_submission(world: World) {
    use DeliveryStatus::{Delivered, Submitted};
    assert_eq!(receipt(&world, "a1", Submitted).await, []);
    assert_eq!(receipt(&world, "a1", Delivered).await, []);
    assert_eq!(receipt(&world, "a1", Submitted).await, []);
    let tenant = world.tenant().await;
    let row = message(&world, tenant, fresh());
    world.write(Write::Message(Box::new(row.clone()))).await.unwrap();
    let task = Task::Message(row.id);
    let counted = Counted::plain(Class::Relay);
    let elsewhere = Write::RecordSubmission { carrier: "other".into(), tenant, task, ids: vec!["a1".into()], counted };
    assert!(world.write(elsewhere).await.unwrap().settled.is_empty(), "another carrier's id");
    let second = message(&world, tenant, fresh());
    world.write(Write::Message(Box::new(second.clone()))).await.unwrap();
    let settled = submit(&world, tenant, Task::Message(second.id), &["a1"]).await;
    assert_eq!(settled, [Settled { tenant, task: Task::Message(second.id), status: Delivered, failure: None }]);
    assert_eq!(status(&world, &(tenant, row)).await, Submitted);
    assert_eq!(status(&world, &(tenant, second)).await, Delivered);
}

/// A message in the store, submitted in one part to this device.
async fn sent_to(world: &World, id: &str, device: i64) -> (TenantId, MessageRow) {
    let tenant = world.tenant().await;
    let row = message(world, tenant, fresh());
    world.write(Write::Message(Box::new(row.clone()))).await.unwrap();
    let (task, ids) = (Task::Message(row.id), vec![PartId { id: id.into(), device }]);
    world
        .write(Write::RecordSubmission {
            carrier: "main".into(),
            tenant,
            task,
            ids,
            counted: bauta::store::Counted::plain(bauta::store::Class::Relay),
        })
        .await
        .unwrap();
    (tenant, row)
}

/// What a receipt that may mean any of these ids, each with its device, settles.
async fn meaning(world: &World, ids: &[(&str, i64)], status: DeliveryStatus) -> Vec<Settled> {
    let ids = ids.iter().map(|&(id, device)| PartId { id: id.into(), device }).collect();
    let receipt = ReceiptRow { carrier: "main".into(), ids, status, failure: None };
    let told = world.store.receipt_outcome(&receipt).await.unwrap();
    let settled = world.write(Write::RecordReceipt(receipt)).await.unwrap().settled;
    let moved = told.and_then(|told| told.status.map(|status| (told.task, status)));
    assert_eq!(moved, settled.first().map(|settled| (settled.task, settled.status)), "said before it is done");
    settled
}

pub async fn a_receipt_that_may_mean_several_takes_the_one_whose_device_agrees(world: World) {
    use DeliveryStatus::{Delivered, Submitted};
    let (same, other) = (sent_to(&world, "10", 71).await, sent_to(&world, "a", 72).await);
    assert_eq!(meaning(&world, &[("10", 5), ("a", 5), ("16", 5)], Delivered).await, [], "another device's");
    assert_eq!(meaning(&world, &[("10", 81), ("a", 72), ("16", 91)], Delivered).await.len(), 1);
    assert_eq!((status(&world, &same).await, status(&world, &other).await), (Submitted, Delivered));
    assert_eq!(meaning(&world, &[("b", 0), ("10", 0)], Delivered).await, [], "a guess without a device");
    assert_eq!(meaning(&world, &[("10", 0), ("a", 0)], Delivered).await.len(), 1, "the likeliest, without one");
    assert_eq!(status(&world, &same).await, Delivered);
}

pub async fn an_id_given_twice_is_told_apart_by_the_device(world: World) {
    use DeliveryStatus::{Delivered, Submitted, Undelivered};
    let (first, second) = (sent_to(&world, "7", 71).await, sent_to(&world, "7", 72).await);
    assert_eq!(meaning(&world, &[("7", 71)], Delivered).await.len(), 1);
    assert_eq!((status(&world, &first).await, status(&world, &second).await), (Delivered, Submitted));
    assert_eq!(meaning(&world, &[("7", 73)], Delivered).await, [], "neither's");
    assert_eq!(meaning(&world, &[("7", 0)], Undelivered).await.len(), 1, "the newer, where nobody says");
    assert_eq!(status(&world, &second).await, Undelivered);
    let third = sent_to(&world, "8", 71).await;
    assert_eq!(meaning(&world, &[("8", 99)], Delivered).await.len(), 1, "one id, one message: the device says nothing");
    assert_eq!(status(&world, &third).await, Delivered);
}

pub async fn an_early_receipt_of_many_spellings_waits_for_its_device(world: World) {
    use DeliveryStatus::{Delivered, Submitted};
    assert_eq!(meaning(&world, &[("20", 71), ("14", 72), ("32", 73)], Delivered).await, []);
    assert_eq!(status(&world, &sent_to(&world, "20", 5).await).await, Submitted, "another device's");
    assert_eq!(status(&world, &sent_to(&world, "14", 72).await).await, Delivered);
    assert_eq!(status(&world, &sent_to(&world, "14", 72).await).await, Submitted, "told once");
}

pub async fn parts_that_a_carrier_gave_one_id_end_with_one_receipt(world: World) {
    let it = submitted(&world, &["same", "same", "same"]).await;
    assert_eq!(receipt(&world, "same", DeliveryStatus::Delivered).await, [DeliveryStatus::Delivered]);
    assert_eq!(status(&world, &it).await, DeliveryStatus::Delivered);
}

pub async fn a_failure_keeps_its_class_with_the_worst_part(world: World) {
    let of = |id: &str, status, failure| {
        Write::RecordReceipt(ReceiptRow { carrier: "main".into(), ids: vec![id.into()], status, failure })
    };
    let it = submitted(&world, &["a1", "a2"]).await;
    assert_eq!(world.write(of("a2", DeliveryStatus::Delivered, None)).await.unwrap().settled, []);
    let failed = of("a1", DeliveryStatus::Undelivered, Some(Failure::AbsentSubscriber));
    let settled = world.write(failed).await.unwrap().settled;
    assert_eq!(settled.first().unwrap().failure, Some(Failure::AbsentSubscriber));
    assert_eq!(status(&world, &it).await, DeliveryStatus::Undelivered);
    world.write(of("early", DeliveryStatus::Rejected, Some(Failure::Spam))).await.unwrap();
    let tenant = world.tenant().await;
    let row = message(&world, tenant, fresh());
    world.write(Write::Message(Box::new(row.clone()))).await.unwrap();
    let settled = submit(&world, tenant, Task::Message(row.id), &["early"]).await;
    assert_eq!(settled.first().unwrap().failure, Some(Failure::Spam));
}

pub async fn delivery_never_goes_back(world: World) {
    use DeliveryStatus::{Delivered, Queued, Rejected, Submitted, Unknown};
    let it = submitted(&world, &["a1"]).await;
    let set = |status| Write::SetDelivery { tenant: it.0, task: Task::Message(it.1.id), status };
    world.write(set(Queued)).await.unwrap();
    assert_eq!(status(&world, &it).await, Submitted);
    assert_eq!(receipt(&world, "a1", Delivered).await, [Delivered]);
    for later in [Submitted, Unknown, Rejected] {
        assert_eq!(receipt(&world, "a1", later).await, []);
        world.write(set(later)).await.unwrap();
        assert_eq!(status(&world, &it).await, Delivered);
    }
    let missing = Write::SetDelivery { tenant: it.0, task: Task::Message(fresh()), status: Delivered };
    World::refused(world.write(missing).await, Conflict::Missing);
    let foreign = Write::SetDelivery { tenant: fresh(), task: Task::Message(it.1.id), status: Delivered };
    World::refused(world.write(foreign).await, Conflict::Missing);
}

pub async fn a_final_state_takes_the_body(world: World) {
    let it = submitted(&world, &["a1"]).await;
    assert!(world.store.message(it.0, it.1.id).await.unwrap().unwrap().body.is_some());
    receipt(&world, "a1", DeliveryStatus::Delivered).await;
    assert!(world.store.message(it.0, it.1.id).await.unwrap().unwrap().body.is_none());
    let refused = submitted(&world, &[]).await;
    let status = DeliveryStatus::Rejected;
    let set = Write::SetDelivery { tenant: refused.0, task: Task::Message(refused.1.id), status };
    world.write(set).await.unwrap();
    assert!(world.store.message(refused.0, refused.1.id).await.unwrap().unwrap().body.is_none());
}

pub async fn codes_settle_by_their_send(world: World) {
    let tenant = world.tenant().await;
    let row = verification(&world, tenant, 1);
    let id = row.id;
    world.write(Write::StartVerification { row: Box::new(row), supersedes: None }).await.unwrap();
    world.write(Write::CountSend { tenant, id, channel: "sms".into() }).await.unwrap();
    submit(&world, tenant, Task::Code(id, 0), &["a1"]).await;
    submit(&world, tenant, Task::Code(id, 1), &["a2"]).await;
    assert_eq!(receipt(&world, "a2", DeliveryStatus::Delivered).await, [DeliveryStatus::Delivered]);
    let sends = world.store.verification(tenant, id).await.unwrap().unwrap().sends;
    let states: Vec<_> = sends.iter().map(|send| send.status).collect();
    assert_eq!(states, [DeliveryStatus::Submitted, DeliveryStatus::Delivered]);
}

pub async fn silence_ends_as_unknown(world: World) {
    let it = submitted(&world, &["a1"]).await;
    let told = submitted(&world, &["b1"]).await;
    receipt(&world, "b1", DeliveryStatus::Delivered).await;
    receipt(&world, "nobody's", DeliveryStatus::Delivered).await;
    world.pass(72 * 3_600);
    assert!(world.write(Write::Sweep).await.unwrap().settled.is_empty());
    world.pass(1);
    let settled = world.write(Write::Sweep).await.unwrap().settled;
    let task = Task::Message(it.1.id);
    assert_eq!(settled, [Settled { tenant: it.0, task, status: DeliveryStatus::Unknown, failure: None }]);
    assert_eq!(status(&world, &told).await, DeliveryStatus::Delivered);
    assert_eq!(receipt(&world, "a1", DeliveryStatus::Delivered).await, [], "too late");
    assert!(submit(&world, it.0, Task::Message(it.1.id), &["nobody's"]).await.is_empty(), "forgotten");
}
