//! Messages, parts, senders, and what time takes away.

use std::sync::Arc;
use std::time::Duration;

use bauta::clock::Timestamp;
use bauta::ids::{AliasId, RecordId, TenantId, fresh};
use bauta::store::{
    Class, Conflict, DeliveryStatus, MessageRow, PartKey, PartRow, Progress, Recipient, Sealed, SenderRow, Shown, Write,
};

use super::aliases::x;
use super::{World, person};

pub fn message(world: &World, tenant: TenantId, alias: AliasId) -> MessageRow {
    MessageRow {
        id: fresh(),
        tenant,
        alias: Some(alias),
        sender: "short_code".into(),
        from: Shown::Number(x(0)),
        class: Class::Relay,
        to: Recipient::Person(RecordId(4)),
        body: Some(Sealed(vec![1; 40])),
        disclosed: None,
        status: DeliveryStatus::Queued,
        parts: 1,
        created_at: world.now(),
        expires_at: world.now().plus(Duration::from_secs(86_400)),
        asked: None,
        progress: Progress::default(),
    }
}

pub async fn history_is_newest_first_and_the_tenants_own(world: World) {
    let (tenant, alias) = (world.tenant().await, fresh());
    let rows: Vec<_> = (0..3).map(|_| message(&world, tenant, alias)).collect();
    for row in &rows {
        world.write(Write::Message(Box::new(row.clone()))).await.unwrap();
    }
    World::refused(world.write(Write::Message(Box::new(rows[0].clone()))).await, Conflict::Exists);
    let ids = |found: Vec<MessageRow>| found.into_iter().map(|row| row.id).collect::<Vec<_>>();
    let newest: Vec<_> = rows.iter().rev().map(|row| row.id).collect();
    assert_eq!(ids(world.store.messages(tenant, alias, None, 10).await.unwrap()), newest);
    assert_eq!(ids(world.store.messages(tenant, alias, Some(newest[0]), 1).await.unwrap()), newest[1..2]);
    assert!(world.store.messages(fresh(), alias, None, 10).await.unwrap().is_empty());
    let stored = world.store.message(tenant, rows[0].id).await.unwrap().unwrap();
    assert_eq!((stored.to, stored.body, stored.from), (rows[0].to.clone(), rows[0].body.clone(), Shown::Number(x(0))));
    assert!(world.store.message(fresh(), rows[0].id).await.unwrap().is_none());
}

fn key(reference: u16) -> PartKey {
    PartKey { carrier: "main".into(), number: x(0), sender: person(8), reference, total: 2 }
}

fn part(number: u8, at: Timestamp) -> PartRow {
    PartRow { number, body: Sealed(vec![number; 20]), at }
}

pub async fn a_message_is_assembled_once(world: World) {
    for number in [2, 1, 1] {
        world.write(Write::Part { key: key(1), part: part(number, world.now()) }).await.unwrap();
    }
    world.write(Write::Part { key: key(2), part: part(1, world.now()) }).await.unwrap();
    let parts = world.store.parts(&key(1)).await.unwrap();
    assert_eq!(parts.iter().map(|part| part.number).collect::<Vec<_>>(), [1, 2], "a repeated part counts once");
    World::refused(world.write(Write::TakeParts { key: key(1), count: 1 }).await, Conflict::Taken);
    assert_eq!(world.store.parts(&key(1)).await.unwrap().len(), 2);
    let world = Arc::new(world);
    let takers: Vec<_> = (0..8)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.write(Write::TakeParts { key: key(1), count: 2 }).await.is_ok() })
        })
        .collect();
    let mut took = 0;
    for taker in takers {
        took += u32::from(taker.await.unwrap());
    }
    assert_eq!(took, 1);
    assert_eq!(world.store.parts(&key(2)).await.unwrap().len(), 1);
}

pub async fn parts_are_stale_by_their_newest(world: World) {
    world.write(Write::Part { key: key(1), part: part(1, world.now()) }).await.unwrap();
    world.write(Write::Part { key: key(2), part: part(1, world.now()) }).await.unwrap();
    world.pass(60);
    let limit = world.now();
    world.write(Write::Part { key: key(2), part: part(2, world.now()) }).await.unwrap();
    assert_eq!(world.store.stale_parts(limit, 10).await.unwrap(), [key(1)]);
    let all = world.store.stale_parts(limit.plus(Duration::from_secs(1)), 10).await.unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(world.store.stale_parts(limit.plus(Duration::from_secs(1)), 1).await.unwrap().len(), 1);
}

pub async fn a_live_sender_keeps_its_tag(world: World) {
    let alias = fresh();
    let sender = |tag, n, secs| SenderRow {
        alias,
        tag,
        index: person(n),
        number: Sealed(vec![9]),
        until: world.now().plus(Duration::from_secs(secs)),
    };
    world.write(Write::Sender(sender(1, 1, 60))).await.unwrap();
    world.write(Write::Sender(sender(2, 2, 600))).await.unwrap();
    World::refused(world.write(Write::Sender(sender(1, 3, 60))).await, Conflict::Taken);
    World::refused(world.write(Write::Sender(sender(3, 1, 60))).await, Conflict::Taken);
    world.pass(60);
    let live = world.store.senders(alias).await.unwrap();
    assert_eq!(live.iter().map(|row| (row.tag, row.index)).collect::<Vec<_>>(), [(2, person(2))], "its life is over");
    world.write(Write::Sender(sender(1, 3, 60))).await.unwrap();
    assert_eq!(world.store.senders(alias).await.unwrap().len(), 2, "a lapsed tag is given again");
    world.write(Write::Sender(sender(2, 2, 0))).await.unwrap();
    assert_eq!(world.store.senders(alias).await.unwrap().len(), 1, "its life is as said last, so that it can be ended");
    assert!(world.store.senders(fresh()).await.unwrap().is_empty());
}

pub async fn a_sweep_forgets_what_outlived_its_time(world: World) {
    let (tenant, alias) = (world.tenant().await, fresh());
    let old = MessageRow { to: Recipient::Stranger(Sealed(vec![5; 30])), ..message(&world, tenant, alias) };
    world.write(Write::Message(Box::new(old.clone()))).await.unwrap();
    world.write(Write::Part { key: key(1), part: part(1, world.now()) }).await.unwrap();
    world.pass(86_399);
    let young = message(&world, tenant, alias);
    world.write(Write::Message(Box::new(young.clone()))).await.unwrap();
    world.write(Write::Sweep).await.unwrap();
    assert!(world.store.message(tenant, old.id).await.unwrap().unwrap().body.is_some(), "not before its time");
    world.pass(1);
    world.write(Write::Sweep).await.unwrap();
    let swept = world.store.message(tenant, old.id).await.unwrap().unwrap();
    assert_eq!((swept.body, swept.to), (None, Recipient::Stranger(Sealed(vec![]))));
    assert!(world.store.message(tenant, young.id).await.unwrap().unwrap().body.is_some());
    assert_eq!(world.store.parts(&key(1)).await.unwrap().len(), 1);
    world.pass(2 * 86_400);
    world.write(Write::Sweep).await.unwrap();
    assert!(world.store.parts(&key(1)).await.unwrap().is_empty());
}
