//! What the modes beyond two people and one star need of the store: extensions and their sessions, second numbers, teams,
//! other people in an alias, numbers set aside, pools that run low.

use std::collections::HashSet;
use std::time::Duration;

use bauta::alias::leg;
use bauta::clock::Timestamp;
use bauta::ids::{PoolId, RecordId, TenantId, fresh};
use bauta::store::{
    AliasMode, AliasRow, AliasStatus, AliasWrite, Allocation, Conflict, Disclose, Erasure, HeldBy, LegKey, LegRow,
    LegTarget, Move, NumberFilter, NumberRow, Party, PoolCounts, PoolRow, Strategy, Traits, Unknown, Usage, Write,
};

use super::aliases::{number, pool_row, x};
use super::tokens::token;
use super::{World, person};

const DAY: u64 = 86_400;

struct Town {
    tenant: TenantId,
    pool: PoolId,
}

/// A pool of `count` numbers.
async fn town(world: &World, count: u64) -> Town {
    let tenant = world.tenant().await;
    let row = pool_row(world, tenant);
    let mut change = world.telling().with(Write::Pool(row.clone()));
    for n in 0..count {
        change = change.with(Write::Number(number(world, row.id, n)));
    }
    world.store.commit(change).await.unwrap();
    Town { tenant, pool: row.id }
}

fn party(n: u64) -> Party {
    Party { record: RecordId(n), index: person(n) }
}

fn in_days(world: &World, days: u64) -> Timestamp {
    world.now().plus(Duration::from_secs(days * DAY))
}

impl Town {
    fn row(&self, world: &World, mode: AliasMode, at: u64, a: u64, b: Option<u64>) -> AliasRow {
        AliasRow {
            id: fresh(),
            tenant: self.tenant,
            mode,
            number: x(at),
            number_y: None,
            extension: None,
            pool: self.pool,
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
            metadata: None,
            created_at: world.now(),
            expires_at: None,
        }
    }

    fn extension(&self, world: &World, at: u64, a: u64, digits: &str) -> AliasRow {
        AliasRow { extension: Some(digits.into()), ..self.row(world, AliasMode::Axe, at, a, None) }
    }

    fn two_numbers(&self, world: &World, at: u64, y: u64, a: u64, b: u64) -> AliasRow {
        AliasRow { number_y: Some(x(y)), ..self.row(world, AliasMode::Axyb, at, a, Some(b)) }
    }

    fn team(&self, world: &World, at: u64, a: u64, members: &[u64]) -> AliasRow {
        let members = members.iter().copied().map(party).collect();
        AliasRow { members, ..self.row(world, AliasMode::Axg, at, a, None) }
    }

    async fn bind(&self, world: &World, row: AliasRow) -> AliasRow {
        world.write(bind(&row)).await.unwrap();
        row
    }

    async fn end(&self, world: &World, row: &AliasRow) {
        let (cool_until, rest_until) = (in_days(world, 7), in_days(world, 90));
        let status = AliasStatus::Released;
        world.write(Write::EndAlias { tenant: self.tenant, id: row.id, status, cool_until, rest_until }).await.unwrap();
    }

    async fn wish(&self, world: &World, usage: Usage, parties: &[(u64, u64)]) -> Allocation {
        Allocation {
            pool: self.pool,
            number: None,
            lots: world.store.lots(self.pool).await.unwrap().iter().map(|lot| lot.id).collect(),
            without: Vec::new(),
            usage,
            parties: parties.iter().map(|(party, counterpart)| (person(*party), Some(person(*counterpart)))).collect(),
            owner: person(parties.first().map_or(0, |(party, _)| *party)),
            tenant: self.tenant,
            strategy: Strategy::Random,
            spread: 0,
        }
    }

    async fn counts(&self, world: &World) -> PoolCounts {
        world.store.pool_counts(self.pool).await.unwrap()
    }
}

fn bind(row: &AliasRow) -> Write {
    Write::BindAlias { alias: Box::new(row.clone()), legs: leg::legs(row) }
}

fn rebind(world: &World, was: &AliasRow, to: &AliasRow) -> Write {
    let (before, alias) = (Box::new(was.clone()), Box::new(to.clone()));
    Write::Alias(AliasWrite::Rebind { was: before, alias, legs: leg::legs(to), cool_until: in_days(world, 7) })
}

fn session(world: &World, row: &AliasRow, caller: u64, secs: u64) -> Write {
    Write::Alias(AliasWrite::OpenSession(LegRow {
        number: row.number,
        from: LegKey::Person(person(caller)),
        shown: row.number,
        alias: row.id,
        tenant: row.tenant,
        to: LegTarget::Person(row.a.record),
        expires_at: Some(world.now().plus(Duration::from_secs(secs))),
    }))
}

pub async fn extensions_share_a_number_with_each_other_and_nobody_else(world: World) {
    let town = town(&world, 2).await;
    let first = town.bind(&world, town.extension(&world, 0, 1, "402817")).await;
    town.bind(&world, town.extension(&world, 0, 1, "112233")).await;
    town.bind(&world, town.extension(&world, 0, 2, "556677")).await;
    World::refused(world.write(bind(&town.extension(&world, 0, 3, "402817"))).await, Conflict::LegTaken);
    World::refused(world.write(bind(&town.row(&world, AliasMode::Axb, 0, 4, Some(5)))).await, Conflict::LegTaken);
    World::refused(world.write(bind(&town.row(&world, AliasMode::Ax, 0, 4, None))).await, Conflict::LegTaken);
    town.bind(&world, town.row(&world, AliasMode::Axb, 1, 4, Some(5))).await;
    World::refused(world.write(bind(&town.extension(&world, 1, 3, "402817"))).await, Conflict::LegTaken);

    let found = world.store.extension(x(0), "402817").await.unwrap().unwrap();
    assert_eq!(
        (found.from, found.to, found.alias),
        (LegKey::Extension("402817".into()), LegTarget::Person(RecordId(1)), first.id)
    );
    for other in ["402818", "4028", "", "4028170000", "40281x"] {
        assert_eq!(world.store.extension(x(0), other).await.unwrap(), None, "{other}");
    }
    let own = world.store.extensions_of(x(0), person(1)).await.unwrap();
    assert_eq!(own.len(), 2, "one person may have several");
    assert!(world.store.extensions_of(x(0), person(3)).await.unwrap().is_empty());
    let chosen = world.store.allocate(&town.wish(&world, Usage::Ext, &[]).await).await.unwrap();
    assert_eq!(chosen, Some(x(0)), "what carries extensions is filled first");
    assert_eq!(town.counts(&world).await, PoolCounts { bound: 2, ..PoolCounts::default() });
}

pub async fn an_extension_is_nobody_elses_for_long_and_its_number_stays_one_of_extensions(world: World) {
    let town = town(&world, 1).await;
    let gone = town.bind(&world, town.extension(&world, 0, 1, "402817")).await;
    town.end(&world, &gone).await;
    assert_eq!(world.store.extension(x(0), "402817").await.unwrap(), None);
    assert_eq!(town.counts(&world).await.cooling, 1);
    for (days, is_over) in [(0, false), (8, false), (83, true)] {
        world.pass(days * DAY);
        let heir = world.write(bind(&town.extension(&world, 0, 2, "402817"))).await;
        assert_eq!(heir.is_ok(), is_over, "after {days} days more");
        if !is_over {
            World::refused(world.write(bind(&town.row(&world, AliasMode::Ax, 0, 3, None))).await, Conflict::LegTaken);
            let other = town.bind(&world, town.extension(&world, 0, 2, &format!("9{days:05}"))).await;
            let sooner = (world.now(), world.now());
            let status = AliasStatus::Expired;
            let end = Write::EndAlias {
                tenant: town.tenant,
                id: other.id,
                status,
                cool_until: sooner.0,
                rest_until: sooner.1,
            };
            world.write(end).await.unwrap();
        }
    }
}

pub async fn a_number_of_old_extensions_is_free_once_nobody_writes_to_them(world: World) {
    let town = town(&world, 1).await;
    let gone = town.bind(&world, town.extension(&world, 0, 1, "402817")).await;
    world.write(session(&world, &gone, 7, DAY)).await.unwrap();
    town.end(&world, &gone).await;
    world.pass(89 * DAY);
    world.write(Write::Sweep).await.unwrap();
    assert_eq!(town.counts(&world).await.cooling, 1);
    world.pass(2 * DAY);
    world.write(Write::Sweep).await.unwrap();
    assert_eq!(town.counts(&world).await.free, 1);
    town.bind(&world, town.row(&world, AliasMode::Ax, 0, 3, None)).await;
}

pub async fn a_session_is_the_callers_last_and_ends_by_itself(world: World) {
    let town = town(&world, 2).await;
    let one = town.bind(&world, town.extension(&world, 0, 1, "402817")).await;
    let other = town.bind(&world, town.extension(&world, 0, 2, "112233")).await;
    let pair = town.bind(&world, town.row(&world, AliasMode::Axb, 1, 4, Some(5))).await;
    let reached = async || world.store.leg(x(0), Some(person(9))).await.unwrap().map(|leg| (leg.alias, leg.to));
    world.write(session(&world, &one, 9, 3_600)).await.unwrap();
    assert_eq!(reached().await, Some((one.id, LegTarget::Person(RecordId(1)))));
    world.write(session(&world, &other, 9, 3_600)).await.unwrap();
    assert_eq!(reached().await, Some((other.id, LegTarget::Person(RecordId(2)))), "the last one that was named");
    let until = Write::ExtendAlias { tenant: town.tenant, id: other.id, expires_at: Some(in_days(&world, 30)) };
    world.write(until).await.unwrap();
    world.pass(3_600);
    assert_eq!(reached().await, None, "an extended alias extends no session");
    world.write(Write::Sweep).await.unwrap();
    World::refused(world.write(session(&world, &pair, 9, 60)).await, Conflict::AliasOver);
    world.write(session(&world, &one, 9, 3_600)).await.unwrap();
    town.end(&world, &one).await;
    assert_eq!(reached().await, None, "it ends with its alias");
    World::refused(world.write(session(&world, &one, 9, 60)).await, Conflict::AliasOver);
}

pub async fn an_alias_on_two_numbers_stands_on_both_or_on_none(world: World) {
    let town = town(&world, 3).await;
    let two = town.bind(&world, town.two_numbers(&world, 0, 1, 1, 2)).await;
    let leg = |at, from| world.store.leg(x(at), Some(person(from)));
    let back = leg(0, 2).await.unwrap().unwrap();
    assert_eq!((back.to, back.shown), (LegTarget::Person(RecordId(1)), x(1)));
    let there = leg(1, 1).await.unwrap().unwrap();
    assert_eq!((there.to, there.shown), (LegTarget::Person(RecordId(2)), x(0)));
    assert!(leg(0, 1).await.unwrap().is_none() && leg(1, 2).await.unwrap().is_none(), "each writes to the own number");
    let half = town.two_numbers(&world, 2, 1, 1, 3);
    World::refused(world.write(bind(&half)).await, Conflict::LegTaken);
    assert!(world.store.leg(x(2), Some(person(3))).await.unwrap().is_none(), "nor the half that could be");
    assert_eq!(town.counts(&world).await, PoolCounts { free: 1, bound: 2, ..PoolCounts::default() });
    let listed = bauta::store::AliasFilter { number: Some(x(1)), limit: 10, ..Default::default() };
    assert_eq!(world.store.aliases(&listed).await.unwrap(), std::slice::from_ref(&two), "found by either number");
    town.end(&world, &two).await;
    assert_eq!(town.counts(&world).await, PoolCounts { free: 1, cooling: 2, ..PoolCounts::default() });
    World::refused(world.write(bind(&town.two_numbers(&world, 0, 1, 1, 3))).await, Conflict::LegTaken);
    town.bind(&world, town.two_numbers(&world, 0, 1, 1, 2)).await;
}

pub async fn a_team_is_kept_whole_and_has_its_place_back_alone(world: World) {
    let town = town(&world, 1).await;
    let team = town.bind(&world, town.team(&world, 0, 1, &[2, 3])).await;
    assert_eq!(world.store.alias(town.tenant, team.id).await.unwrap(), Some(team.clone()));
    assert_eq!(world.store.leg(x(0), Some(person(1))).await.unwrap().unwrap().to, LegTarget::Members);
    World::refused(world.write(bind(&town.row(&world, AliasMode::Axb, 0, 3, Some(4)))).await, Conflict::LegTaken);
    town.end(&world, &team).await;
    World::refused(world.write(bind(&town.team(&world, 0, 1, &[2]))).await, Conflict::LegTaken);
    town.bind(&world, town.team(&world, 0, 1, &[3, 2])).await;
}

pub async fn other_people_come_in_whole_or_not_at_all(world: World) {
    let town = town(&world, 1).await;
    let was = town.bind(&world, town.row(&world, AliasMode::Axb, 0, 1, Some(2))).await;
    town.bind(&world, town.row(&world, AliasMode::Axb, 0, 3, Some(4))).await;
    let taken = AliasRow { b: Some(party(3)), ..was.clone() };
    World::refused(world.write(rebind(&world, &was, &taken)).await, Conflict::LegTaken);
    let reached = async |from| world.store.leg(x(0), Some(person(from))).await.unwrap().map(|leg| leg.to);
    assert_eq!(reached(1).await, Some(LegTarget::Person(RecordId(2))), "as it was");
    let to = AliasRow { b: Some(party(5)), ..was.clone() };
    world.write(rebind(&world, &was, &to)).await.unwrap();
    assert_eq!(reached(1).await, Some(LegTarget::Person(RecordId(5))));
    assert_eq!((reached(2).await, reached(5).await), (None, Some(LegTarget::Person(RecordId(1)))));
    World::refused(world.write(rebind(&world, &was, &taken)).await, Conflict::Taken);
    // Who left cools for others, and comes back to the same counterpart at once.
    World::refused(world.write(bind(&town.row(&world, AliasMode::Axb, 0, 2, Some(6)))).await, Conflict::LegTaken);
    world.write(rebind(&world, &to, &was)).await.unwrap();
    assert_eq!(reached(2).await, Some(LegTarget::Person(RecordId(1))));
    assert_eq!(town.counts(&world).await.bound, 1);
    town.end(&world, &was).await;
    World::refused(world.write(rebind(&world, &was, &to)).await, Conflict::AliasOver);
}

pub async fn callers_stay_in_their_sessions_when_another_answers(world: World) {
    let town = town(&world, 1).await;
    let was = town.bind(&world, town.extension(&world, 0, 1, "402817")).await;
    world.write(session(&world, &was, 9, DAY)).await.unwrap();
    let to = AliasRow { a: party(2), ..was.clone() };
    world.write(rebind(&world, &was, &to)).await.unwrap();
    for leg in [world.store.leg(x(0), Some(person(9))).await, world.store.extension(x(0), "402817").await] {
        assert_eq!(leg.unwrap().unwrap().to, LegTarget::Person(RecordId(2)));
    }
    assert!(world.store.extensions_of(x(0), person(1)).await.unwrap().is_empty());
}

pub async fn forgetting_a_person_finds_them_in_teams_and_on_second_numbers(world: World) {
    let town = town(&world, 4).await;
    for n in 1..=3 {
        world.write(Write::Token(token(&world, town.tenant, RecordId(n), n))).await.unwrap();
    }
    let named = AliasRow { b: Some(party(2)), ..town.team(&world, 0, 1, &[2, 3]) };
    let team = town.bind(&world, named).await;
    let two = town.bind(&world, town.two_numbers(&world, 1, 2, 2, 3)).await;
    let of = HeldBy { tenant: town.tenant, index: person(2), record: None, places: vec![person(2)], messages: 0 };
    let held = world.store.held(&of).await.unwrap();
    assert_eq!(held.aliases.iter().map(|row| row.id).collect::<HashSet<_>>(), HashSet::from([team.id, two.id]));
    let erasure = Erasure {
        tenant: town.tenant,
        index: person(2),
        whole: true,
        records: vec![RecordId(2)],
        aliases: held.aliases,
        verifications: Vec::new(),
        seats: Vec::new(),
        places: of.places.clone(),
        conversations: Vec::new(),
        sealed: None,
        cool_until: in_days(&world, 7),
        rest_until: in_days(&world, 90),
    };
    world.write(Write::Erase(Box::new(erasure))).await.unwrap();
    assert!(world.store.held(&of).await.unwrap().aliases.is_empty());
    for (at, who) in [(0, 2), (1, 3), (2, 2)] {
        assert!(world.store.leg(x(at), Some(person(who))).await.unwrap().is_none(), "{who} on {at}");
    }
    let left = world.store.alias(town.tenant, team.id).await.unwrap().unwrap();
    assert_eq!((left.status, left.b, left.members), (AliasStatus::Active, None, vec![party(3)]), "the team goes on");
    assert_eq!(world.store.leg(x(0), Some(person(1))).await.unwrap().unwrap().to, LegTarget::Members);
    assert!(world.store.leg(x(0), Some(person(3))).await.unwrap().is_some());
    // Nobody is taken for the one who is gone.
    World::refused(world.write(bind(&town.row(&world, AliasMode::Axb, 1, 3, Some(8)))).await, Conflict::LegTaken);
}

pub async fn a_person_moves_in_a_team_and_on_a_second_number(world: World) {
    let town = town(&world, 3).await;
    let team = town.bind(&world, town.team(&world, 0, 1, &[2, 3])).await;
    let two = town.bind(&world, town.two_numbers(&world, 1, 2, 2, 4)).await;
    let aliases = vec![(team.clone(), party(2), party(7)), (two.clone(), party(2), party(7))];
    let moved = Move { tenant: town.tenant, aliases, cool_until: in_days(&world, 7) };
    world.write(Write::Move(Box::new(moved))).await.unwrap();
    let members = world.store.alias(town.tenant, team.id).await.unwrap().unwrap().members;
    assert_eq!(members, [party(7), party(3)]);
    let reached = async |at, from| world.store.leg(x(at), Some(person(from))).await.unwrap().map(|leg| leg.to);
    assert_eq!(reached(0, 7).await, Some(LegTarget::Person(RecordId(1))));
    assert_eq!(reached(2, 7).await, Some(LegTarget::Person(RecordId(4))));
    assert_eq!(reached(1, 4).await, Some(LegTarget::Person(RecordId(7))));
    assert_eq!((reached(0, 2).await, reached(2, 2).await), (None, None));
    World::refused(world.write(bind(&town.row(&world, AliasMode::Axb, 2, 2, Some(8)))).await, Conflict::LegTaken);
}

pub async fn a_number_set_aside_is_given_to_nobody_until_it_is_taken_back(world: World) {
    let town = town(&world, 2).await;
    let aside = |reason: Option<&str>| {
        let reason = reason.map(str::to_owned);
        Write::Alias(AliasWrite::SetAside { pool: town.pool, number: x(0), reason })
    };
    world.write(aside(Some("spam"))).await.unwrap();
    assert_eq!(town.counts(&world).await, PoolCounts { free: 1, quarantined: 1, ..PoolCounts::default() });
    for usage in [Usage::Star, Usage::Pair, Usage::Ext] {
        let wish = Allocation { number: Some(x(0)), ..town.wish(&world, usage, &[(1, 2)]).await };
        assert_eq!(world.store.allocate(&wish).await.unwrap(), None, "{usage:?}");
        let any = town.wish(&world, usage, &[(1, 2)]).await;
        assert_eq!(world.store.allocate(&any).await.unwrap(), Some(x(1)), "{usage:?}");
    }
    World::refused(world.write(bind(&town.row(&world, AliasMode::Ax, 0, 1, None))).await, Conflict::LegTaken);
    let filter = |aside| NumberFilter { pool: town.pool, aside, after: None, limit: 10 };
    let listed = world.store.numbers(&filter(true)).await.unwrap();
    assert_eq!(listed.iter().map(|row| (row.number, row.aside.as_deref())).collect::<Vec<_>>(), [(x(0), Some("spam"))]);
    assert_eq!(world.store.numbers(&filter(false)).await.unwrap().len(), 2);
    world.write(aside(None)).await.unwrap();
    town.bind(&world, town.row(&world, AliasMode::Ax, 0, 1, None)).await;
    let elsewhere = AliasWrite::SetAside { pool: fresh(), number: x(0), reason: None };
    World::refused(world.write(Write::Alias(elsewhere)).await, Conflict::Missing);
}

pub async fn a_pool_runs_low_once_and_fills_again(world: World) {
    let tenant = world.tenant().await;
    let row = PoolRow { low_water: Some(2), ..pool_row(&world, tenant) };
    world.write(Write::Pool(row.clone())).await.unwrap();
    world.write(Write::Pool(pool_row(&world, tenant))).await.unwrap();
    let low = world.store.low_pools().await.unwrap();
    assert_eq!(low.iter().map(|low| (low.pool.id, low.free, low.told)).collect::<Vec<_>>(), [(row.id, 0, false)]);
    let told = |told| Write::Alias(AliasWrite::ToldLow { pool: row.id, told });
    world.write(told(true)).await.unwrap();
    World::refused(world.write(told(true)).await, Conflict::Taken);
    for n in 0..2 {
        world.write(Write::Number(number(&world, row.id, n))).await.unwrap();
    }
    let [again] = &world.store.low_pools().await.unwrap()[..] else { panic!("not one") };
    assert!(!again.is_low() && again.told, "enough again, and told that there were few");
    world.write(told(false)).await.unwrap();
    assert!(world.store.low_pools().await.unwrap().is_empty());
}

pub async fn the_same_people_get_their_number_back_and_the_emptiest_is_found(world: World) {
    let town = town(&world, 8).await;
    let row = town.bind(&world, town.row(&world, AliasMode::Axb, 5, 1, Some(2))).await;
    town.end(&world, &row).await;
    let wish = town.wish(&world, Usage::Pair, &[(2, 1), (1, 2)]).await;
    let sticky = Allocation { strategy: Strategy::Sticky, ..wish.clone() };
    assert_eq!(world.store.allocate(&sticky).await.unwrap(), Some(x(5)), "while it cools");
    world.pass(30 * DAY);
    world.write(Write::Sweep).await.unwrap();
    assert_eq!(world.store.allocate(&sticky).await.unwrap(), Some(x(5)), "and long after");
    let other = Allocation { tenant: fresh(), ..sticky };
    assert!(world.store.allocate(&other).await.unwrap().is_some(), "another tenant's past tells nothing");

    for n in 0..8 {
        town.bind(&world, town.row(&world, AliasMode::Axb, n, 100 + n, Some(200 + n))).await;
        if n != 3 {
            town.bind(&world, town.row(&world, AliasMode::Axb, n, 300 + n, Some(400 + n))).await;
        }
    }
    let least = Allocation { strategy: Strategy::LeastUsed, ..wish };
    assert_eq!(world.store.allocate(&least).await.unwrap(), Some(x(3)));
    assert_eq!(world.store.busiest(town.pool).await.unwrap(), 1);
}

pub async fn numbers_of_one_pool_are_of_few_kinds(world: World) {
    let town = town(&world, 1).await;
    let kind = |n: u64| NumberRow {
        traits: Traits { reach: vec![format!("+{n}")], ..Traits::default() },
        ..number(&world, town.pool, n)
    };
    for n in 1..u64::from(bauta::store::MAX_LOTS) {
        world.write(Write::Number(kind(n))).await.unwrap();
    }
    World::refused(world.write(Write::Number(kind(999))).await, Conflict::TooMany);
    world.write(Write::Number(NumberRow { number: x(998), ..kind(7) })).await.unwrap();
    assert_eq!(world.store.lots(town.pool).await.unwrap().len(), bauta::store::MAX_LOTS as usize);
    assert_eq!(town.counts(&world).await.free, 257);
    let read = world.store.number(x(7)).await.unwrap().unwrap();
    assert_eq!(read, kind(7));
}
