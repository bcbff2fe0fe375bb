//! Token records and the ids they get.

use std::collections::HashSet;
use std::sync::Arc;

use bauta::event::{Actor, Event, What};
use bauta::ids::{RecordId, TenantId};
use bauta::store::{
    Conflict, EntryFilter, Holding, LookalikeMark, LookalikeRow, Sealed, StoreError, Telling, TokenRow, Write,
};

use super::{World, person};

pub fn token(world: &World, tenant: TenantId, id: RecordId, n: u64) -> TokenRow {
    TokenRow {
        id,
        tenant,
        index: person(n),
        canonical: true,
        number: Sealed(vec![7; 64]),
        created_at: world.now(),
        expires_at: None,
        metadata: None,
    }
}

pub async fn one_canonical_record_stands_for_a_number(world: World) {
    let tenant = world.tenant().await;
    let first = world.store.reserve_records(3).await.unwrap();
    world.write(Write::Token(token(&world, tenant, first, 1))).await.unwrap();
    let second = token(&world, tenant, RecordId(first.0 + 1), 1);
    match world.write(Write::Token(second.clone())).await {
        Err(StoreError::TokenExists(id)) => assert!(id == first),
        other => panic!("{other:?}"),
    }
    let own_life = TokenRow {
        canonical: false,
        expires_at: Some(world.now()),
        metadata: Some("{\"a\":1}".into()),
        ..second.clone()
    };
    world.write(Write::Token(own_life)).await.unwrap();
    let found = world.store.tokens_by_index(tenant, &[person(2), person(1)]).await.unwrap();
    assert!(found[0].is_none());
    assert!(found[1].as_ref().unwrap().id == first, "fresh records are not found by number");
    let own = world.store.token(tenant, second.id).await.unwrap().unwrap();
    assert!(!own.canonical);
    assert_eq!(own.metadata.as_deref(), Some("{\"a\":1}"));
    assert_eq!(own.expires_at, Some(world.now()));
}

pub async fn numbers_are_held_by_the_records_that_stand_for_them(world: World) {
    let tenant = world.tenant().await;
    let first = world.store.reserve_records(10).await.unwrap().0;
    let row = |n: u64, who: u64| token(&world, tenant, RecordId(first + n), who);
    let hold = async |rows: Vec<TokenRow>| {
        let at = world.now();
        let audiences = vec!["courier".to_owned()];
        let telling: Telling = Box::new(move |records| {
            // The number of records stands in for what a caller would tell of them.
            let what = What::AuditRead { entries: records.iter().map(|record| record.0 - first).sum() };
            Event { at, tenant: Some(tenant), actor: Actor::Worker, policy: None, what }
        });
        let records = world.store.hold(Holding { tenant, rows, audiences, telling }).await.unwrap();
        records.iter().map(|record| record.0 - first).collect::<Vec<_>>()
    };
    assert_eq!(hold(vec![row(0, 1)]).await, [0]);
    let own = TokenRow { canonical: false, ..row(3, 1) };
    assert_eq!(hold(vec![row(1, 2), row(2, 1), own, row(4, 3), row(5, 3)]).await, [1, 0, 3, 4, 4]);
    assert_eq!(hold(vec![row(6, 3), row(7, 2)]).await, [4, 1]);
    let found = world.store.tokens_by_index(tenant, &[person(1), person(2), person(3)]).await.unwrap();
    assert_eq!(found.iter().flatten().map(|row| row.id.0 - first).collect::<Vec<_>>(), [0, 1, 4]);
    assert!(world.store.token(tenant, RecordId(first + 3)).await.unwrap().is_some_and(|row| !row.canonical));
    for given_way in [2, 5, 6, 7] {
        assert!(world.store.token(tenant, RecordId(first + given_way)).await.unwrap().is_none());
    }
    let filter =
        EntryFilter { tenant: Some(tenant), action: Some("audit.read".into()), limit: 9, ..Default::default() };
    let told = world.store.entries(&filter).await.unwrap();
    let sums = [0, 12, 5].map(|sum| format!("\"entries\":{sum},"));
    assert_eq!(told.len(), 3);
    assert!(told.iter().zip(&sums).all(|(entry, sum)| entry.text.contains(sum)), "the entries name what stands");
    assert_eq!(world.store.directory().await.unwrap().audiences, [(tenant, "courier".to_owned())]);
}

pub async fn sixty_four_holders_of_one_number_get_one_record(world: World) {
    let tenant = world.tenant().await;
    let world = Arc::new(world);
    let stores = [Arc::clone(&world.store), world.another()];
    let first = world.store.reserve_records(64).await.unwrap().0;
    let racers: Vec<_> = (0..64)
        .map(|n| {
            let (world, store) = (Arc::clone(&world), Arc::clone(&stores[n as usize % 2]));
            tokio::spawn(async move {
                let event = world.event(Some(tenant), What::AuditRead { entries: n });
                let rows = vec![token(&world, tenant, RecordId(first + n), 1)];
                let telling: Telling = Box::new(move |_| event.clone());
                store.hold(Holding { tenant, rows, audiences: vec![], telling }).await.unwrap()
            })
        })
        .collect();
    let mut records = HashSet::new();
    for racer in racers {
        records.extend(racer.await.unwrap().into_iter().map(|record| record.0));
    }
    assert_eq!(records.len(), 1);
    let filter =
        EntryFilter { tenant: Some(tenant), action: Some("audit.read".into()), limit: 99, ..Default::default() };
    assert_eq!(world.store.entries(&filter).await.unwrap().len(), 64, "each is told of");
}

pub async fn records_are_seen_by_their_tenant_alone(world: World) {
    let (ours, theirs) = (world.tenant().await, world.tenant().await);
    let id = world.store.reserve_records(1).await.unwrap();
    world.write(Write::Token(token(&world, ours, id, 1))).await.unwrap();
    assert!(world.store.token(ours, id).await.unwrap().is_some());
    assert!(world.store.token(theirs, id).await.unwrap().is_none());
    assert!(world.store.tokens_by_index(theirs, &[person(1)]).await.unwrap()[0].is_none());
    let many: Vec<_> = (0..1_000).map(person).collect();
    let found = world.store.tokens_by_index(ours, &many).await.unwrap();
    assert_eq!(found.iter().position(Option::is_some), Some(1));
    assert_eq!(found.len(), 1_000);
}

pub async fn a_lookalikes_place_is_one_records_for_good(world: World) {
    let (ours, theirs) = (world.tenant().await, world.tenant().await);
    let mark = |n: u8| LookalikeMark([n; 16]);
    let row = LookalikeRow { mark: mark(1), tenant: ours, record: RecordId(7), tag: [3; 8] };
    world.write(Write::Lookalike(row)).await.unwrap();
    world.write(Write::Lookalike(row)).await.expect("the same once more");
    for other in [
        LookalikeRow { record: RecordId(8), ..row },
        LookalikeRow { tag: [4; 8], ..row },
        LookalikeRow { tenant: theirs, ..row },
    ] {
        World::refused(world.write(Write::Lookalike(other)).await, Conflict::Taken);
    }
    let found = world.store.lookalikes(ours, &[mark(2), mark(1)]).await.unwrap();
    assert_eq!(found, [None, Some(row)]);
    assert_eq!(world.store.lookalikes(theirs, &[mark(1)]).await.unwrap(), [None]);
    let many: Vec<_> = (0..200).map(mark).collect();
    let found = world.another().lookalikes(ours, &many).await.unwrap();
    assert_eq!((found.len(), found.iter().position(Option::is_some)), (200, Some(1)));
}

pub async fn sixty_four_racing_tokenizers_make_one_record(world: World) {
    let tenant = world.tenant().await;
    let world = Arc::new(world);
    let first = world.store.reserve_records(64).await.unwrap();
    let racers: Vec<_> = (0..64)
        .map(|n| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let id = RecordId(first.0 + n);
                match world.write(Write::Token(token(&world, tenant, id, 1))).await {
                    Ok(_) => (true, id),
                    Err(StoreError::TokenExists(winner)) => (false, winner),
                    Err(other) => panic!("{other:?}"),
                }
            })
        })
        .collect();
    let mut ends = Vec::new();
    for racer in racers {
        ends.push(racer.await.unwrap());
    }
    assert_eq!(ends.iter().filter(|(won, _)| *won).count(), 1);
    assert_eq!(ends.iter().map(|(_, id)| id.0).collect::<HashSet<_>>().len(), 1, "all name the one record");
}

pub async fn record_ids_are_never_given_twice_and_grow_with_time(world: World) {
    let stores = [Arc::clone(&world.store), world.another()];
    let mut asked = Vec::new();
    for turn in 0..200_usize {
        let store = Arc::clone(&stores[turn % 2]);
        asked.push(tokio::spawn(async move { store.reserve_records(10).await.unwrap() }));
    }
    let mut given = HashSet::new();
    for first in asked {
        let first = first.await.unwrap().0;
        for id in first..first + 10 {
            assert!(given.insert(id), "given twice");
            assert!(id < 1 << 63);
        }
    }
    world.pass(1);
    let later = world.another().reserve_records(1).await.unwrap().0;
    assert!(given.iter().all(|&id| id < later), "ids follow time");
}
