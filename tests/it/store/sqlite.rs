//! What the SQLite adapter promises beyond the port: modes of files, crashes, other processes, newer schemas.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use bauta::clock::ManualClock;
use bauta::ids::{RecordId, fresh};
use bauta::store::SqliteStore;
use bauta::store::{EntryFilter, Store, StoreError, WrappedKey, Write};

use super::tokens::token;
use super::{World, person};

pub fn open(folder: &Path, clock: Arc<ManualClock>) -> Arc<dyn Store> {
    Arc::new(opened(folder, clock))
}

fn opened(folder: &Path, clock: Arc<ManualClock>) -> SqliteStore {
    SqliteStore::open(&folder.join("data/bauta.db"), clock, fresh()).unwrap()
}

#[tokio::test]
async fn the_files_are_the_owners_alone_also_if_they_were_not() {
    let world = World::new(open);
    world.tenant().await;
    let folder = world.folder.path().join("data");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for name in ["bauta.db", "bauta.db-wal", "bauta.db-shm"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    fs::set_permissions(folder.join("bauta.db"), fs::Permissions::from_mode(0o644)).unwrap();
    world.another();
    assert_eq!(mode(&folder.join("bauta.db")), 0o600);
}

/// The files are copied while the store runs, as a power cut would leave them, and opened elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_loses_nothing_that_was_answered() {
    let world = World::new(open);
    let tenant = world.tenant().await;
    let first = world.store.reserve_records(100).await.unwrap();
    for n in 0..100 {
        world.write(Write::Token(token(&world, tenant, RecordId(first.0 + n), n))).await.unwrap();
    }
    let cut = tempfile::tempdir().unwrap();
    fs::create_dir(cut.path().join("data")).unwrap();
    for name in ["data/bauta.db", "data/bauta.db-wal"] {
        fs::copy(world.folder.path().join(name), cut.path().join(name)).unwrap();
    }
    let store = open(cut.path(), Arc::clone(&world.clock));
    let indexes: Vec<_> = (0..100).map(person).collect();
    assert!(store.tokens_by_index(tenant, &indexes).await.unwrap().iter().all(Option::is_some));
    let entries = store.entries(&EntryFilter { limit: 1_000, ..Default::default() }).await.unwrap();
    assert_eq!(entries.len(), 101);
    assert!(store.reserve_records(1).await.unwrap().0 >= first.0 + 100);
}

#[tokio::test]
async fn a_closed_store_has_its_wal_copied_and_takes_no_more() {
    let world = World::new(open);
    let store = opened(world.folder.path(), Arc::clone(&world.clock));
    assert!(store.is_empty().unwrap());
    let key = WrappedKey {
        owner: "system".into(),
        purpose: "seal".into(),
        version: 1,
        wrapped: vec![1],
        created_at: world.now(),
    };
    store.commit(world.telling().with(Write::Key(key))).await.unwrap();
    assert!(!store.is_empty().unwrap());
    store.close().await;
    let wal = world.folder.path().join("data/bauta.db-wal");
    assert_eq!(fs::metadata(wal).unwrap().len(), 0);
    assert!(matches!(store.commit(world.telling()).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.ready().await, Err(StoreError::Unavailable(_))));
    assert_eq!(store.wrapped_keys().await.unwrap().len(), 1);
    world.store.commit(world.telling()).await.unwrap();
}

#[tokio::test]
async fn what_is_no_store_of_ours_is_refused_and_left_alone() {
    let world = World::new(open);
    let path = world.folder.path().join("notes.txt");
    let notes = "not a database ".repeat(500);
    fs::write(&path, &notes).unwrap();
    let refused = SqliteStore::open(&path, Arc::clone(&world.clock) as _, fresh());
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{:?}", refused.err());
    assert_eq!(fs::read_to_string(&path).unwrap(), notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_open_an_empty_file_at_once_both_get_a_store() {
    let world = World::new(open);
    for round in 0..5 {
        let path = world.folder.path().join(format!("{round}.db"));
        let openers: Vec<_> = (0..4)
            .map(|_| {
                let (path, clock) = (path.clone(), Arc::clone(&world.clock));
                tokio::task::spawn_blocking(move || SqliteStore::open(&path, clock as _, fresh()).map(drop))
            })
            .collect();
        for opener in openers {
            opener.await.unwrap().unwrap();
        }
    }
}

/// Prints how fast old rows go, and what a writer beside it waits. `BAUTA_SWEEP_ROWS` sets how many.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a figure, not a test: cargo test --release --test it -- --ignored --nocapture sweeping"]
async fn sweeping_beside_a_writer_keeps_up_and_lets_it_through() {
    use bauta::store::{Aging, Change};
    use std::time::{Duration, Instant};

    let rows: u64 = std::env::var("BAUTA_SWEEP_ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let world = World::new(open);
    let tenant = world.tenant().await;
    let first = world.store.reserve_records(rows).await.unwrap().0;
    let index = |n: u64| {
        bauta::store::BlindIndex(n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes().repeat(2).try_into().unwrap())
    };
    for chunk in (0..rows).collect::<Vec<_>>().chunks(5_000) {
        let expired = |n: &u64| {
            let mut row = token(&world, tenant, RecordId(first + n), *n);
            (row.expires_at, row.canonical, row.index) = (Some(world.now()), false, index(*n));
            Write::Token(row)
        };
        let change = Change { events: Vec::new(), writes: chunk.iter().map(expired).collect() };
        world.store.commit(change).await.unwrap();
    }
    world.pass(86_400 * 2);
    let class = Aging::Tokens(world.now());
    let store = Arc::clone(&world.store);
    let sweeper = tokio::spawn(async move {
        let (started, mut gone) = (Instant::now(), 0_u64);
        loop {
            let keys = store.aged(class, None, 500).await.unwrap().keys;
            if keys.is_empty() {
                return gone as f64 / started.elapsed().as_secs_f64();
            }
            let turn = Instant::now();
            let write = Write::Age { class, keys, within: Duration::from_millis(5) };
            gone += store.commit(Change { events: Vec::new(), writes: vec![write] }).await.unwrap().aged as u64;
            tokio::time::sleep(turn.elapsed().clamp(Duration::from_millis(1), Duration::from_millis(20))).await;
        }
    });
    let mut waits = Vec::new();
    let mut n = rows;
    while !sweeper.is_finished() {
        let started = Instant::now();
        n += 1;
        world.write(Write::Token(token(&world, tenant, RecordId(first + n), n))).await.unwrap();
        waits.push(started.elapsed());
    }
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() - 1) * share / 100];
    let (rate, median, p99) = (sweeper.await.unwrap(), at(50), at(99));
    println!("swept {rate:.0} rows/s of {rows}; beside it {} commits, median {median:?}, p99 {p99:?}", waits.len());
}
