//! Pools, numbers, aliases, legs: who may stand where.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use bauta::alias::leg;
use bauta::event::Mode;
use bauta::ids::{AliasId, PoolId, RecordId, TenantId, fresh};
use bauta::phone::VirtualNumber;
use bauta::store::{
    AliasFilter, AliasMode, AliasRow, AliasStatus, Allocation, Conflict, Disclose, LegKey, LegTarget, NumberRow, Party,
    PoolCounts, PoolRow, StoreError, Strategy, TenantRow, Traits, Unknown, Usage, Write,
};

use super::{World, person};

const DAY: u64 = 86_400;

fn none() -> PoolCounts {
    PoolCounts::default()
}

/// The `n`-th number of the British range that is set aside for fiction.
pub fn x(n: u64) -> VirtualNumber {
    VirtualNumber::from_digits(447_700_900_000 + n).unwrap()
}

pub fn pool_row(world: &World, tenant: TenantId) -> PoolRow {
    let id = fresh();
    PoolRow {
        id,
        tenant,
        name: format!("pool {id}"),
        carrier: "sandbox".into(),
        shared: false,
        mode: Mode::Test,
        low_water: None,
        created_at: world.now(),
    }
}

fn british() -> Traits {
    let capabilities = vec!["sms".into(), "voice".into()];
    Traits { region: Some("GB".into()), capabilities, ..Traits::default() }
}

pub fn number(world: &World, pool: PoolId, n: u64) -> NumberRow {
    NumberRow { number: x(n), pool, traits: british(), draining: false, aside: None, created_at: world.now() }
}

/// A pool of `count` numbers.
async fn pool(world: &World, tenant: TenantId, count: u64) -> PoolId {
    let row = pool_row(world, tenant);
    let mut change = world.telling().with(Write::Pool(row.clone()));
    for n in 0..count {
        change = change.with(Write::Number(number(world, row.id, n)));
    }
    world.store.commit(change).await.unwrap();
    row.id
}

fn party(n: u64) -> Party {
    Party { record: RecordId(n), index: person(n) }
}

fn alias(world: &World, tenant: TenantId, pool: PoolId, number: VirtualNumber, a: u64, b: Option<u64>) -> AliasRow {
    AliasRow {
        id: fresh(),
        tenant,
        mode: if b.is_some() { AliasMode::Axb } else { AliasMode::Ax },
        number,
        number_y: None,
        extension: None,
        pool,
        a: party(a),
        b: b.map(party),
        members: Vec::new(),
        disclose: Disclose::None,
        unknown: Unknown::Reply,
        content: None,
        capabilities: vec!["sms".into()],
        audience: None,
        credential: fresh(),
        status: AliasStatus::Active,
        metadata: Some("{}".into()),
        created_at: world.now(),
        expires_at: None,
    }
}

fn bind(row: &AliasRow) -> Write {
    Write::BindAlias { alias: Box::new(row.clone()), legs: leg::legs(row) }
}

fn end(world: &World, tenant: TenantId, id: AliasId) -> Write {
    Write::EndAlias {
        tenant,
        id,
        status: AliasStatus::Released,
        cool_until: world.now().plus(Duration::from_secs(7 * DAY)),
        rest_until: world.now().plus(Duration::from_secs(90 * DAY)),
    }
}

async fn wish(world: &World, tenant: TenantId, pool: PoolId, a: u64, b: Option<u64>) -> Allocation {
    let parties = match b {
        Some(b) => vec![(person(a), Some(person(b))), (person(b), Some(person(a)))],
        None => vec![(person(a), None)],
    };
    Allocation {
        pool,
        number: None,
        lots: world.store.lots(pool).await.unwrap().iter().map(|lot| lot.id).collect(),
        without: Vec::new(),
        usage: if b.is_none() { Usage::Star } else { Usage::Pair },
        parties,
        owner: person(a),
        tenant,
        strategy: Strategy::Random,
        spread: RandomState::new().build_hasher().finish(),
    }
}

async fn allocate(world: &World, tenant: TenantId, pool: PoolId, a: u64, b: Option<u64>) -> Option<VirtualNumber> {
    world.store.allocate(&wish(world, tenant, pool, a, b).await).await.unwrap()
}

pub async fn pools_are_seen_by_owner_and_sharers_of_its_mode(world: World) {
    let (ours, theirs) = (world.tenant().await, world.tenant().await);
    let live = TenantRow { mode: Mode::Live, ..world.tenant_row() };
    world.write(Write::Tenant(live.clone())).await.unwrap();
    let own = pool_row(&world, ours);
    let shared = PoolRow { shared: true, ..pool_row(&world, ours) };
    for row in [&own, &shared] {
        world.write(Write::Pool(row.clone())).await.unwrap();
    }
    let namesake = PoolRow { id: fresh(), ..own.clone() };
    World::refused(world.write(Write::Pool(namesake)).await, Conflict::Exists);
    assert_eq!(world.store.pools(ours).await.unwrap(), [own.clone(), shared.clone()]);
    assert_eq!(world.store.pools(theirs).await.unwrap(), [shared]);
    assert!(world.store.pools(live.id).await.unwrap().is_empty());
    assert_eq!(world.store.pool(own.id).await.unwrap(), Some(own));
}

pub async fn a_number_is_in_one_pool(world: World) {
    let tenant = world.tenant().await;
    let (here, there) = (pool(&world, tenant, 1).await, pool(&world, tenant, 0).await);
    World::refused(world.write(Write::Number(number(&world, there, 0))).await, Conflict::NumberInPool);
    World::refused(world.write(Write::Number(number(&world, fresh(), 1))).await, Conflict::Missing);
    World::refused(world.write(Write::DrainNumber { pool: there, number: x(0) }).await, Conflict::Missing);
    assert_eq!(world.store.number(x(0)).await.unwrap(), Some(number(&world, here, 0)));
    assert_eq!(world.store.number(x(1)).await.unwrap(), None);
}

/// Allocates and binds as a service would: again on a conflict.
async fn allocate_and_bind(world: &World, tenant: TenantId, pool: PoolId, a: u64, b: Option<u64>) -> Option<AliasRow> {
    for _ in 0..1_000 {
        let number = allocate(world, tenant, pool, a, b).await?;
        let row = alias(world, tenant, pool, number, a, b);
        match world.write(bind(&row)).await {
            Ok(_) => return Some(row),
            Err(StoreError::Conflict(Conflict::LegTaken)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("no progress");
}

pub async fn binders_at_once_never_share_a_place(world: World) {
    let tenant = world.tenant().await;
    let stars = pool(&world, tenant, 20).await;
    let pairs = pool_row(&world, tenant);
    let mut change = world.telling().with(Write::Pool(pairs.clone()));
    for n in 20..90 {
        change = change.with(Write::Number(number(&world, pairs.id, n)));
    }
    world.store.commit(change).await.unwrap();
    let world = Arc::new(world);
    let binders: Vec<_> = (0..64)
        .map(|n| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let star = allocate_and_bind(&world, tenant, stars, 1_000 + n, None).await;
                // Everybody meets person 1, who therefore needs a number with each.
                let pair = allocate_and_bind(&world, tenant, pairs.id, 1, Some(2_000 + n)).await;
                (star, pair)
            })
        })
        .collect();
    let (mut taken, mut met, mut without) = (HashSet::new(), HashSet::new(), 0);
    for binder in binders {
        let (star, pair) = binder.await.unwrap();
        match star {
            Some(row) => assert!(taken.insert(row.number), "a star number had twice"),
            None => without += 1,
        }
        assert!(met.insert(pair.unwrap().number), "one person, one number, two counterparts");
    }
    assert_eq!((taken.len(), without), (20, 44));
    let counts = world.store.pool_counts(stars).await.unwrap();
    assert_eq!(counts, PoolCounts { bound: 20, ..none() });
    let counts = world.store.pool_counts(pairs.id).await.unwrap();
    assert_eq!(counts, PoolCounts { free: 6, bound: 64, ..none() });
}

pub async fn a_star_shares_its_number_with_nobody(world: World) {
    let tenant = world.tenant().await;
    let pool = pool(&world, tenant, 2).await;
    let star = alias(&world, tenant, pool, x(0), 1, None);
    world.write(bind(&star)).await.unwrap();
    let pair = alias(&world, tenant, pool, x(0), 2, Some(3));
    World::refused(world.write(bind(&pair)).await, Conflict::LegTaken);
    let other = alias(&world, tenant, pool, x(0), 4, None);
    World::refused(world.write(bind(&other)).await, Conflict::LegTaken);

    let pair = AliasRow { number: x(1), ..pair };
    world.write(bind(&pair)).await.unwrap();
    World::refused(world.write(bind(&AliasRow { number: x(1), ..other })).await, Conflict::LegTaken);
    let others = alias(&world, tenant, pool, x(1), 4, Some(5));
    world.write(bind(&others)).await.unwrap();
    let again = alias(&world, tenant, pool, x(1), 2, Some(6));
    World::refused(world.write(bind(&again)).await, Conflict::LegTaken);
    let foreign = AliasRow { pool: fresh(), ..alias(&world, tenant, pool, x(1), 7, Some(8)) };
    World::refused(world.write(bind(&foreign)).await, Conflict::Missing);
    assert_eq!(allocate(&world, tenant, pool, 9, None).await, None);
    assert_eq!(allocate(&world, tenant, pool, 2, Some(9)).await, None);
    assert_eq!(allocate(&world, tenant, pool, 9, Some(10)).await, Some(x(1)));
}

pub async fn a_pair_place_cools_for_others_but_not_for_the_same_counterpart(world: World) {
    let tenant = world.tenant().await;
    let pool = pool(&world, tenant, 1).await;
    let first = alias(&world, tenant, pool, x(0), 1, Some(2));
    world.write(bind(&first)).await.unwrap();
    world.write(end(&world, tenant, first.id)).await.unwrap();
    assert_eq!(world.store.pool_counts(pool).await.unwrap(), PoolCounts { cooling: 1, ..none() });
    for (a, b) in [(1, 3), (3, 2), (2, 4)] {
        assert_eq!(allocate(&world, tenant, pool, a, Some(b)).await, None);
        World::refused(world.write(bind(&alias(&world, tenant, pool, x(0), a, Some(b)))).await, Conflict::LegTaken);
    }
    assert_eq!(allocate(&world, tenant, pool, 1, None).await, None);
    World::refused(world.write(bind(&alias(&world, tenant, pool, x(0), 1, None))).await, Conflict::LegTaken);

    assert_eq!(allocate(&world, tenant, pool, 2, Some(1)).await, Some(x(0)));
    let again = alias(&world, tenant, pool, x(0), 2, Some(1));
    world.write(bind(&again)).await.unwrap();
    assert_eq!(allocate(&world, tenant, pool, 5, Some(6)).await, Some(x(0)));
    world.write(end(&world, tenant, again.id)).await.unwrap();

    world.pass(7 * DAY);
    assert_eq!(world.store.pool_counts(pool).await.unwrap(), PoolCounts { free: 1, ..none() });
    assert_eq!(allocate(&world, tenant, pool, 1, None).await, Some(x(0)));
    world.write(bind(&alias(&world, tenant, pool, x(0), 1, Some(3)))).await.unwrap();
}

pub async fn a_star_number_rests_for_others_but_comes_back_to_its_person(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let pool = pool(&world, tenant, 1).await;
    let first = alias(&world, tenant, pool, x(0), 1, None);
    world.write(bind(&first)).await.unwrap();
    world.write(end(&world, tenant, first.id)).await.unwrap();
    assert_eq!(world.store.leg(x(0), Some(person(9))).await.unwrap(), None);
    world.pass(89 * DAY);
    for (tenant, a, b) in [(tenant, 2, None), (other, 1, None), (tenant, 1, Some(2))] {
        assert_eq!(allocate(&world, tenant, pool, a, b).await, None);
        World::refused(world.write(bind(&alias(&world, tenant, pool, x(0), a, b))).await, Conflict::LegTaken);
    }
    assert_eq!(world.store.pool_counts(pool).await.unwrap().cooling, 1);
    let back = allocate_and_bind(&world, tenant, pool, 1, None).await.unwrap();
    world.write(end(&world, tenant, back.id)).await.unwrap();
    world.pass(90 * DAY);
    let heir = allocate_and_bind(&world, other, pool, 2, None).await.unwrap();
    assert_eq!(heir.number, x(0));
}

pub async fn a_refused_alias_leaves_nothing(world: World) {
    let tenant = world.tenant().await;
    let pool = pool(&world, tenant, 1).await;
    world.write(bind(&alias(&world, tenant, pool, x(0), 1, Some(2)))).await.unwrap();
    let half = alias(&world, tenant, pool, x(0), 3, Some(2));
    World::refused(world.write(bind(&half)).await, Conflict::LegTaken);
    assert_eq!(world.store.alias(tenant, half.id).await.unwrap(), None);
    assert_eq!(world.store.leg(x(0), Some(person(3))).await.unwrap(), None, "not even the leg that could be");
}

pub async fn allocation_minds_region_draining_and_wish(world: World) {
    let tenant = world.tenant().await;
    let pool = pool(&world, tenant, 3).await;
    let french = Traits { region: Some("FR".into()), ..british() };
    world.write(Write::Number(NumberRow { traits: french.clone(), ..number(&world, pool, 3) })).await.unwrap();
    let mut seen = HashSet::new();
    for _ in 0..200 {
        seen.extend(allocate(&world, tenant, pool, 1, None).await);
    }
    assert_eq!(seen.len(), 4, "choices are spread over the pool");
    let lots = world.store.lots(pool).await.unwrap();
    let lots = lots.iter().filter(|lot| lot.traits == french).map(|lot| lot.id).collect();
    let in_france = Allocation { lots, ..wish(&world, tenant, pool, 1, None).await };
    assert_eq!(world.store.allocate(&in_france).await.unwrap(), Some(x(3)));
    let nowhere = Allocation { lots: Vec::new(), ..wish(&world, tenant, pool, 1, Some(2)).await };
    assert_eq!(world.store.allocate(&nowhere).await.unwrap(), None);

    for n in [0, 1] {
        world.write(Write::DrainNumber { pool, number: x(n) }).await.unwrap();
        let named = Allocation { number: Some(x(n)), ..wish(&world, tenant, pool, 1, Some(2)).await };
        assert_eq!(world.store.allocate(&named).await.unwrap(), None);
        World::refused(world.write(bind(&alias(&world, tenant, pool, x(n), 1, None))).await, Conflict::LegTaken);
    }
    for _ in 0..50 {
        let had = allocate(&world, tenant, pool, 1, Some(2)).await.unwrap();
        assert!(had == x(2) || had == x(3));
    }
    let named = Allocation { number: Some(x(2)), ..wish(&world, tenant, pool, 1, Some(2)).await };
    assert_eq!(world.store.allocate(&named).await.unwrap(), Some(x(2)));
    world.write(bind(&alias(&world, tenant, pool, x(2), 1, Some(2)))).await.unwrap();
    assert_eq!(world.store.allocate(&named).await.unwrap(), None);
    let elsewhere = Allocation { number: Some(x(77)), ..wish(&world, tenant, pool, 1, Some(2)).await };
    assert_eq!(world.store.allocate(&elsewhere).await.unwrap(), None);
    assert_eq!(world.store.pool_counts(pool).await.unwrap(), PoolCounts { free: 1, bound: 1, draining: 2, ..none() });
}

pub async fn the_exact_leg_goes_before_anyone_and_lapsed_ones_carry_nothing(world: World) {
    let tenant = world.tenant().await;
    let pool = pool(&world, tenant, 2).await;
    let expires_at = Some(world.now().plus(Duration::from_secs(60)));
    let star = AliasRow { expires_at, ..alias(&world, tenant, pool, x(0), 1, None) };
    world.write(bind(&star)).await.unwrap();
    let own = world.store.leg(x(0), Some(person(1))).await.unwrap().unwrap();
    assert_eq!((own.from, own.to), (LegKey::Person(person(1)), LegTarget::Senders));
    for writer in [Some(person(2)), None] {
        let leg = world.store.leg(x(0), writer).await.unwrap().unwrap();
        assert_eq!((leg.from, leg.to, leg.alias), (LegKey::Anyone, LegTarget::Person(RecordId(1)), star.id));
    }
    world.write(bind(&alias(&world, tenant, pool, x(1), 1, Some(2)))).await.unwrap();
    let leg = world.store.leg(x(1), Some(person(2))).await.unwrap().unwrap();
    assert_eq!(leg.to, LegTarget::Person(RecordId(1)));
    assert_eq!(world.store.leg(x(1), Some(person(3))).await.unwrap(), None);
    assert_eq!(world.store.leg(x(1), None).await.unwrap(), None);
    world.pass(60);
    assert_eq!(world.store.leg(x(0), Some(person(2))).await.unwrap(), None);
    assert_eq!(world.store.leg(x(0), Some(person(1))).await.unwrap(), None);
}

pub async fn extending_and_ending_need_an_active_alias(world: World) {
    let tenant = world.tenant().await;
    let pool = pool(&world, tenant, 1).await;
    let in_secs = |secs| Some(world.now().plus(Duration::from_secs(secs)));
    let row = AliasRow { expires_at: in_secs(60), ..alias(&world, tenant, pool, x(0), 1, None) };
    let extend = |id, secs| Write::ExtendAlias { tenant, id, expires_at: in_secs(secs) };
    World::refused(world.write(extend(row.id, 90)).await, Conflict::Missing);
    World::refused(world.write(end(&world, tenant, row.id)).await, Conflict::Missing);
    world.write(bind(&row)).await.unwrap();
    world.write(extend(row.id, 90)).await.unwrap();
    world.pass(80);
    assert!(world.store.lapsed_aliases(10).await.unwrap().is_empty());
    assert!(world.store.leg(x(0), None).await.unwrap().is_some(), "the legs live as long as the alias");
    World::refused(world.write(end(&world, fresh(), row.id)).await, Conflict::Missing);
    world.pass(10);
    World::refused(world.write(extend(row.id, 900)).await, Conflict::AliasOver);
    assert_eq!(world.store.lapsed_aliases(10).await.unwrap()[0].id, row.id);
    world.write(end(&world, tenant, row.id)).await.unwrap();
    World::refused(world.write(end(&world, tenant, row.id)).await, Conflict::AliasOver);
    assert!(world.store.lapsed_aliases(10).await.unwrap().is_empty());
    assert_eq!(world.store.alias(tenant, row.id).await.unwrap().unwrap().status, AliasStatus::Released);
    assert_eq!(world.store.alias(fresh(), row.id).await.unwrap(), None);
}

pub async fn aliases_are_listed_newest_first_by_filter(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let pool = pool(&world, tenant, 6).await;
    let mut rows = Vec::new();
    for n in 0..6 {
        let owner = if n == 5 { other } else { tenant };
        let audience = (n % 2 == 0).then(|| "courier".to_owned());
        let row = AliasRow { audience, ..alias(&world, owner, pool, x(n), n, None) };
        world.write(bind(&row)).await.unwrap();
        rows.push(row);
    }
    world.write(end(&world, tenant, rows[0].id)).await.unwrap();
    let list = async |filter: AliasFilter| -> Vec<u64> {
        let rows = world.store.aliases(&filter).await.unwrap();
        rows.into_iter().map(|row| row.number.digits() - x(0).digits()).collect()
    };
    let of = |limit| AliasFilter { tenant: Some(tenant), limit, ..Default::default() };
    assert_eq!(list(of(10)).await, [4, 3, 2, 1, 0]);
    assert_eq!(list(of(2)).await, [4, 3]);
    assert_eq!(list(AliasFilter { after: Some(rows[3].id), ..of(2) }).await, [2, 1]);
    assert_eq!(list(AliasFilter { audience: Some("courier".into()), ..of(10) }).await, [4, 2, 0]);
    assert_eq!(list(AliasFilter { status: Some(AliasStatus::Released), ..of(10) }).await, [0]);
    assert_eq!(list(AliasFilter { number: Some(x(3)), ..of(10) }).await, [3]);
    assert_eq!(list(AliasFilter { number: Some(x(5)), ..of(10) }).await, [0; 0], "another tenant's");
    assert_eq!(list(AliasFilter { tenant: None, ..of(10) }).await, [5, 4, 3, 2, 1, 0]);
    assert_eq!(world.store.alias(tenant, rows[1].id).await.unwrap().as_ref(), Some(&rows[1]));
}
