//! Verifications: who may still guess, and who is over.

use std::sync::Arc;
use std::time::Duration;

use bauta::ids::{RecordId, TenantId, VerificationId, fresh};
use bauta::store::{
    Conflict, DeliveryStatus, PendingKey, SendRecord, StoreError, Transaction, VerificationRow, VerificationStatus,
    Write,
};

use super::{World, person};

pub fn verification(world: &World, tenant: TenantId, n: u64) -> VerificationRow {
    VerificationRow {
        id: fresh(),
        key: PendingKey { tenant, party: person(n), purpose: "login".into(), requester: String::new() },
        credential: fresh(),
        audience: None,
        record: RecordId(5),
        status: VerificationStatus::Pending,
        salt: Some([3; 16]),
        code_key: 1,
        code_length: 6,
        alphanumeric: false,
        attempts_left: 5,
        channel: "sms".into(),
        locale: Some("vi".into()),
        origin: Some("shop.example".into()),
        app_hash: None,
        transaction: Some(Transaction { amount: "12 EUR".into(), payee: "Shop".into() }),
        sends: vec![SendRecord { channel: "sms".into(), status: DeliveryStatus::Queued, at: world.now() }],
        created_at: world.now(),
        expires_at: world.now().plus(Duration::from_secs(300)),
    }
}

fn start(row: &VerificationRow, supersedes: Option<VerificationId>) -> Write {
    Write::StartVerification { row: Box::new(row.clone()), supersedes }
}

fn end(tenant: TenantId, id: VerificationId, status: VerificationStatus) -> Write {
    Write::EndVerification { tenant, id, status }
}

pub async fn a_thousand_racing_guesses_spend_exactly_five_attempts(world: World) {
    let tenant = world.tenant().await;
    let row = verification(&world, tenant, 1);
    world.write(start(&row, None)).await.unwrap();
    let world = Arc::new(world);
    let guesses: Vec<_> = (0..1_000)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.write(Write::SpendAttempt { tenant, id: row.id }).await })
        })
        .collect();
    let mut left = Vec::new();
    for guess in guesses {
        match guess.await.unwrap() {
            Ok(committed) => left.push(committed.attempts_left.unwrap()),
            Err(StoreError::Conflict(Conflict::VerificationOver)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    left.sort_unstable();
    assert_eq!(left, [0, 1, 2, 3, 4]);
}

pub async fn attempts_and_sends_need_a_pending_unexpired_verification(world: World) {
    let tenant = world.tenant().await;
    let row = verification(&world, tenant, 1);
    let spend = |tenant, id| Write::SpendAttempt { tenant, id };
    let send = |id| Write::CountSend { tenant, id, channel: "sms".into() };
    World::refused(world.write(spend(tenant, row.id)).await, Conflict::Missing);
    world.write(start(&row, None)).await.unwrap();
    World::refused(world.write(spend(fresh(), row.id)).await, Conflict::Missing);
    assert_eq!(world.write(spend(tenant, row.id)).await.unwrap().attempts_left, Some(4));
    world.write(send(row.id)).await.unwrap();
    let stored = world.store.verification(tenant, row.id).await.unwrap().unwrap();
    assert_eq!(stored.sends.len(), 2);
    assert_eq!(stored.attempts_left, 4);
    assert_eq!(stored.transaction, row.transaction);
    assert_eq!(stored.key, row.key);
    world.pass(300);
    World::refused(world.write(spend(tenant, row.id)).await, Conflict::VerificationOver);
    World::refused(world.write(send(row.id)).await, Conflict::VerificationOver);
    let lapsed = world.store.lapsed_verifications(10).await.unwrap();
    assert_eq!(lapsed.iter().map(|row| row.id).collect::<Vec<_>>(), [row.id]);
}

pub async fn an_ending_forgets_the_salt_and_happens_once(world: World) {
    let tenant = world.tenant().await;
    let row = verification(&world, tenant, 1);
    world.write(start(&row, None)).await.unwrap();
    World::refused(world.write(end(tenant, fresh(), VerificationStatus::Canceled)).await, Conflict::Missing);
    world.write(end(tenant, row.id, VerificationStatus::Approved)).await.unwrap();
    let again = world.write(end(tenant, row.id, VerificationStatus::Approved)).await;
    World::refused(again, Conflict::VerificationOver);
    let stored = world.store.verification(tenant, row.id).await.unwrap().unwrap();
    assert_eq!((stored.status, stored.salt), (VerificationStatus::Approved, None));
    assert_eq!(world.store.pending_verification(&row.key).await.unwrap(), None);
}

pub async fn a_lapsed_verification_is_never_approved(world: World) {
    let tenant = world.tenant().await;
    let row = verification(&world, tenant, 1);
    world.write(start(&row, None)).await.unwrap();
    world.pass(300);
    World::refused(world.write(end(tenant, row.id, VerificationStatus::Approved)).await, Conflict::VerificationOver);
    world.write(end(tenant, row.id, VerificationStatus::Expired)).await.unwrap();
    assert!(world.store.lapsed_verifications(10).await.unwrap().is_empty());
}

pub async fn one_undertaking_has_one_pending_verification(world: World) {
    let tenant = world.tenant().await;
    let first = verification(&world, tenant, 1);
    world.write(start(&first, None)).await.unwrap();
    assert_eq!(world.store.pending_verification(&first.key).await.unwrap(), Some(first.id));
    let second = verification(&world, tenant, 1);
    World::refused(world.write(start(&second, None)).await, Conflict::VerificationPending);
    let mut elsewhere = verification(&world, tenant, 1);
    elsewhere.key.requester = "user-2".into();
    world.write(start(&elsewhere, None)).await.unwrap();

    world.write(start(&second, Some(first.id))).await.unwrap();
    let stored = world.store.verification(tenant, first.id).await.unwrap().unwrap();
    assert_eq!((stored.status, stored.salt), (VerificationStatus::Canceled, None));
    let third = verification(&world, tenant, 1);
    World::refused(world.write(start(&third, Some(first.id))).await, Conflict::VerificationOver);
    World::refused(world.write(start(&second, Some(second.id))).await, Conflict::Exists);

    world.pass(300);
    let fourth = verification(&world, tenant, 1);
    assert_eq!(world.store.pending_verification(&fourth.key).await.unwrap(), Some(second.id));
    world.write(start(&fourth, Some(second.id))).await.unwrap();
    let lapsed = world.store.verification(tenant, second.id).await.unwrap().unwrap();
    assert_eq!(lapsed.status, VerificationStatus::Expired);
}

pub async fn failures_are_counted_by_day(world: World) {
    let tenant = world.tenant().await;
    for day in [10, 10, 11, 12] {
        world.write(Write::CountFailure { tenant, party: person(1), day }).await.unwrap();
    }
    assert_eq!(world.store.failures_since(tenant, person(1), 10).await.unwrap(), 4);
    assert_eq!(world.store.failures_since(tenant, person(1), 11).await.unwrap(), 2);
    assert_eq!(world.store.failures_since(tenant, person(2), 10).await.unwrap(), 0);
    assert_eq!(world.store.failures_since(fresh(), person(1), 10).await.unwrap(), 0);
}
