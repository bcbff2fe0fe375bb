//! Changes as wholes, and the log that tells of them.

use std::sync::Arc;
use std::time::Duration;

use bauta::event::{Actor, Leaf, Role, What};
use bauta::ids::{RecordId, fresh};
use bauta::store::{Change, Conflict, EntryFilter, EntryRow, Store, Write};

use super::tokens::token;
use super::{World, person};

async fn all(store: &dyn Store) -> Vec<EntryRow> {
    store.entries(&EntryFilter { limit: 100_000, ..Default::default() }).await.unwrap()
}

pub async fn a_change_is_written_whole_or_not_at_all_with_its_event(world: World) {
    let tenant = world.tenant().await;
    let id = world.store.reserve_records(1).await.unwrap();
    let before = all(&*world.store).await.len();
    let change = world
        .telling()
        .with(Write::Token(token(&world, tenant, id, 1)))
        .with(Write::Freeze { target: "als_x".into(), on: true })
        .with(Write::EndCredential { tenant, id: fresh(), at: world.now() });
    World::refused(world.store.commit(change).await, Conflict::Missing);
    assert!(world.store.token(tenant, id).await.unwrap().is_none());
    assert!(world.store.directory().await.unwrap().frozen.is_empty());
    assert_eq!(all(&*world.store).await.len(), before, "no entry tells of what did not happen");

    let change = world.telling().and_telling(world.event(Some(tenant), What::AuditRead { entries: 2 }));
    let committed = world.store.commit(change.with(Write::Token(token(&world, tenant, id, 1)))).await.unwrap();
    let entries = all(&*world.store).await;
    assert_eq!(committed.index as usize, before);
    assert_eq!(committed.leaves, entries[before..].iter().map(|entry| entry.leaf).collect::<Vec<_>>());
    assert!(world.store.token(tenant, id).await.unwrap().is_some());

    let silent = world.store.commit(Change { events: vec![], writes: vec![Write::Sweep] }).await.unwrap();
    assert!(silent.leaves.is_empty());
}

pub async fn a_failed_change_spares_those_beside_it(world: World) {
    let tenant = world.tenant().await;
    let first = world.store.reserve_records(200).await.unwrap();
    let before = all(&*world.store).await.len();
    let world = Arc::new(world);
    let changes: Vec<_> = (0..200_u64)
        .map(|n| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let mut change = world.telling().with(Write::Token(token(&world, tenant, RecordId(first.0 + n), n)));
                if n % 2 == 1 {
                    change = change.with(Write::EndCredential { tenant, id: fresh(), at: world.now() });
                }
                world.store.commit(change).await.is_ok()
            })
        })
        .collect();
    for (n, change) in changes.into_iter().enumerate() {
        assert_eq!(change.await.unwrap(), n % 2 == 0);
    }
    let indexes: Vec<_> = (0..200).map(person).collect();
    let found = world.store.tokens_by_index(tenant, &indexes).await.unwrap();
    assert!(found.iter().enumerate().all(|(n, row)| row.is_some() == (n % 2 == 0)));
    assert_eq!(all(&*world.store).await.len(), before + 100);
}

pub async fn the_chain_is_unbroken_over_two_writers_at_once(world: World) {
    let stores = [Arc::clone(&world.store), world.another()];
    let world = Arc::new(world);
    let changes: Vec<_> = (0..400_usize)
        .map(|n| {
            let (world, store) = (Arc::clone(&world), Arc::clone(&stores[n % 2]));
            tokio::spawn(async move { store.commit(world.telling()).await.unwrap() })
        })
        .collect();
    let mut told = Vec::new();
    for change in changes {
        let committed = change.await.unwrap();
        told.push((committed.index, committed.leaves[0]));
    }
    told.sort_unstable_by_key(|(index, _)| *index);
    let entries = all(&*world.store).await;
    assert_eq!(told.len(), entries.len());
    let mut previous = Leaf([0; 32]);
    for (n, (entry, (index, leaf))) in entries.iter().zip(told).enumerate() {
        assert_eq!((entry.index, entry.leaf), (index, leaf), "the answer named the entry");
        assert_eq!(entry.index, n as u64);
        assert_eq!(entry.previous, previous);
        assert_eq!(entry.leaf, Leaf::over(&entry.salt, &entry.text));
        previous = entry.leaf;
    }
}

pub async fn what_was_answered_survives_an_end_without_notice(world: World) {
    let tenant = world.tenant().await;
    let first = world.store.reserve_records(50).await.unwrap();
    for n in 0..50 {
        world.write(Write::Token(token(&world, tenant, RecordId(first.0 + n), n))).await.unwrap();
    }
    let World { open, folder, clock, store } = world;
    let entries = all(&*store).await.len();
    drop(store);
    let store = open(folder.path(), clock);
    assert_eq!(all(&*store).await.len(), entries);
    let indexes: Vec<_> = (0..50).map(person).collect();
    assert!(store.tokens_by_index(tenant, &indexes).await.unwrap().iter().all(Option::is_some));
    assert!(store.reserve_records(1).await.unwrap().0 >= first.0 + 50);
    assert!(matches!(store.ready().await, Ok(())));
}

pub async fn entries_are_found_by_every_filter(world: World) {
    let (ours, theirs) = (world.tenant().await, world.tenant().await);
    let base = all(&*world.store).await.len() as u64;
    let credential = fresh();
    let (verification, subject) = (fresh(), fresh());
    let started = world.now();
    let mut event = world.event(Some(ours), What::VerificationApproved { verification, subject });
    event.actor = Actor::Credential { id: credential, person: "Lan".into(), role: Role::Business };
    world.store.commit(Change::telling(event)).await.unwrap();
    world.pass(10);
    let denied = What::Denied { attempted: "token.revealed".into(), reason: "role".into() };
    world.store.commit(Change::telling(world.event(Some(theirs), denied))).await.unwrap();
    world.store.commit(world.telling()).await.unwrap();

    let find = async |filter: EntryFilter| -> Vec<u64> {
        let filter = EntryFilter { after: filter.after.or(base.checked_sub(1)), limit: 10, ..filter };
        world.store.entries(&filter).await.unwrap().into_iter().map(|entry| entry.index - base).collect()
    };
    let any = EntryFilter::default;
    assert_eq!(find(any()).await, [0, 1, 2]);
    assert_eq!(find(EntryFilter { after: Some(base), ..any() }).await, [1, 2]);
    assert_eq!(find(EntryFilter { tenant: Some(ours), ..any() }).await, [0]);
    assert_eq!(find(EntryFilter { tenant: Some(theirs), ..any() }).await, [1]);
    assert_eq!(find(EntryFilter { actor: Some("Lan".into()), ..any() }).await, [0]);
    assert_eq!(find(EntryFilter { actor: Some(credential.to_string()), ..any() }).await, [0]);
    assert_eq!(find(EntryFilter { action: Some("denied".into()), ..any() }).await, [1]);
    assert_eq!(find(EntryFilter { action: Some("verification.approve".into()), ..any() }).await, [0; 0]);
    assert_eq!(find(EntryFilter { names: Some(subject.to_string()), ..any() }).await, [0]);
    assert_eq!(
        find(EntryFilter { names: Some(verification.to_string()), tenant: Some(theirs), ..any() }).await,
        [0; 0]
    );
    assert_eq!(find(EntryFilter { outcome: Some("denied".into()), ..any() }).await, [1]);
    assert_eq!(find(EntryFilter { outcome: Some("allowed".into()), ..any() }).await, [0, 2]);
    let later = started.plus(Duration::from_secs(10));
    assert_eq!(find(EntryFilter { from: Some(later), ..any() }).await, [1, 2]);
    assert_eq!(find(EntryFilter { to: Some(later), ..any() }).await, [0]);
    assert_eq!(find(EntryFilter { tenant: Some(ours), from: Some(later), ..any() }).await, [0; 0]);
    let one = EntryFilter { limit: 1, ..any() };
    assert_eq!(world.store.entries(&one).await.unwrap().len(), 1);
}
