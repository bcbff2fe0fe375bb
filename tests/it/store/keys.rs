//! Wrapped keys, their uses, and passes over what they sealed.

use bauta::event::What;
use bauta::ids::{RecordId, TenantId};
use bauta::store::{Cell, CellAt, CellKind, Conflict, KeyUse, ResealPass, Sealed, StoreError, WrappedKey, Write};

use super::World;
use super::tokens::token;

fn key(world: &World, owner: &str, version: u16) -> WrappedKey {
    let wrapped = vec![u8::try_from(version).unwrap(); 40];
    WrappedKey { owner: owner.into(), purpose: "seal".into(), version, wrapped, created_at: world.now() }
}

pub async fn every_change_of_keys_moves_their_version_for_every_process(world: World) {
    let other = world.another();
    let mut seen = other.keys_version().await.unwrap();
    let first = key(&world, "system", 1);
    let rewrapped = WrappedKey { wrapped: vec![9; 40], ..first.clone() };
    let writes = [
        Write::Key(first.clone()),
        Write::Key(key(&world, "system", 2)),
        Write::RewrapKey { key: rewrapped.clone(), from: first.wrapped },
        Write::RetireKey { owner: "system".into(), purpose: "seal".into(), version: 2 },
        Write::DoomKeys { owner: "system".into() },
    ];
    for write in writes {
        world.write(write).await.unwrap();
        let now = other.keys_version().await.unwrap();
        assert!(now > seen);
        seen = now;
    }
    assert!(other.wrapped_keys().await.unwrap().is_empty());
}

pub async fn a_key_is_rewrapped_from_what_stands_and_retired_once(world: World) {
    let first = key(&world, "system", 1);
    world.write(Write::Key(first.clone())).await.unwrap();
    let again = world.write(Write::Key(first.clone())).await;
    assert!(matches!(again, Err(StoreError::Conflict(Conflict::Exists))));
    let rewrapped = WrappedKey { wrapped: vec![9; 40], ..first.clone() };
    let write = || Write::RewrapKey { key: rewrapped.clone(), from: first.wrapped.clone() };
    world.write(write()).await.unwrap();
    assert_eq!(world.store.wrapped_keys().await.unwrap(), std::slice::from_ref(&rewrapped));
    assert!(matches!(world.write(write()).await, Err(StoreError::Conflict(Conflict::Taken))), "another was faster");
    let retire = || Write::RetireKey { owner: "system".into(), purpose: "seal".into(), version: 1 };
    world.write(retire()).await.unwrap();
    assert!(matches!(world.write(retire()).await, Err(StoreError::Conflict(Conflict::Missing))));
}

pub async fn a_kek_stays_doomed_until_it_is_destroyed(world: World) {
    let destroyed = || Write::KekDestroyed { owner: "ten_x".into() };
    assert!(matches!(world.write(destroyed()).await, Err(StoreError::Conflict(Conflict::Missing))));
    for _ in 0..2 {
        world.write(Write::DoomKeys { owner: "ten_x".into() }).await.unwrap();
    }
    assert_eq!(world.another().doomed_keks().await.unwrap(), ["ten_x"]);
    world.write(destroyed()).await.unwrap();
    assert!(world.store.doomed_keks().await.unwrap().is_empty());
}

pub async fn uses_add_up_over_processes_and_go_with_their_key(world: World) {
    world.write(Write::Key(key(&world, "system", 1))).await.unwrap();
    assert_eq!(world.store.reserve_key_uses("system", "seal", 1, 10).await.unwrap(), 10);
    assert_eq!(world.another().reserve_key_uses("system", "seal", 1, 5).await.unwrap(), 15);
    let counted = KeyUse { owner: "system".into(), purpose: "seal".into(), version: 1, uses: 15 };
    assert_eq!(world.store.key_uses().await.unwrap(), [counted]);
    let retire = Write::RetireKey { owner: "system".into(), purpose: "seal".into(), version: 1 };
    world.write(retire).await.unwrap();
    assert!(world.store.key_uses().await.unwrap().is_empty());
}

pub async fn a_pass_is_found_again_where_it_was_left(world: World) {
    assert_eq!(world.store.reseal_pass().await.unwrap(), None);
    let begun = ResealPass::starting(world.now());
    let later =
        ResealPass { kind: CellKind::Message, after: vec![7; 16], looked: 9, stale: 8, resealed: 7, ..begun.clone() };
    for pass in [&begun, &later] {
        world.store.save_reseal_pass(Some(pass)).await.unwrap();
        assert_eq!(world.another().reseal_pass().await.unwrap().as_ref(), Some(pass));
    }
    world.store.save_reseal_pass(None).await.unwrap();
    assert_eq!(world.store.reseal_pass().await.unwrap(), None);
}

/// A ciphertext under a version.
fn under(version: u16, tail: u8) -> Sealed {
    Sealed([&version.to_be_bytes()[..], &[tail; 40]].concat())
}

async fn all(world: &World, wanted: &[(TenantId, u16)]) -> Vec<Cell> {
    let (mut cells, mut after) = (Vec::new(), Vec::new());
    loop {
        let page = world.store.cells(CellKind::Token, &after, wanted).await.unwrap();
        cells.extend(page.cells);
        match page.next {
            Some(next) => after = next,
            None => return cells,
        }
    }
}

pub async fn a_look_finds_what_older_versions_of_the_tenants_asked_for_sealed_and_nothing_else(world: World) {
    let (ours, theirs) = (world.tenant().await, world.tenant().await);
    let first = world.store.reserve_records(1_300).await.unwrap();
    let mut writes = Vec::new();
    for n in 0..1_300 {
        let mut row = token(&world, if n % 13 == 0 { theirs } else { ours }, RecordId(first.0 + n), n);
        row.canonical = false;
        row.number = under(if n % 2 == 0 { 1 } else { 2 }, 7);
        writes.push(Write::Token(row));
    }
    let event = world.event(None, What::Swept {});
    world.store.commit(bauta::store::Change { events: vec![event], writes }).await.unwrap();
    let found = all(&world, &[(ours, 2)]).await;
    assert_eq!(found.len(), 600);
    assert!(found.iter().all(|cell| cell.tenant == ours && cell.sealed == under(1, 7)));
    assert_eq!(all(&world, &[(ours, 3), (theirs, 2)]).await.len(), 1_200 + 50);
    assert!(all(&world, &[(ours, 1)]).await.is_empty());
    assert!(all(&world, &[]).await.is_empty());
}

pub async fn a_ciphertext_that_changed_meanwhile_is_not_written_over(world: World) {
    let tenant = world.tenant().await;
    let id = world.store.reserve_records(1).await.unwrap();
    let mut row = token(&world, tenant, id, 1);
    row.number = under(1, 7);
    world.write(Write::Token(row)).await.unwrap();
    let reseal = |from, to| Write::Reseal { tenant, at: CellAt::Number(id), from, to };
    world.write(reseal(under(1, 7), under(2, 8))).await.unwrap();
    world.write(reseal(under(1, 7), under(2, 9))).await.unwrap();
    assert!(world.store.token(tenant, id).await.unwrap().unwrap().number == under(2, 8));
}
