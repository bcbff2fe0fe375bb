//! What is held of a person, what forgetting leaves, and what goes by its age.

use std::time::Duration;

use bauta::alias::leg;
use bauta::event::{Mode, Role};
use bauta::ids::{RecordId, TenantId, fresh};
use bauta::store::{
    Aging, AliasMode, AliasRow, AliasStatus, BlindIndex, Conflict, CredentialRow, Disclose, EntryFilter, Erasure,
    HeldBy, Kept, LegTarget, Move, Party, RowKey, Sealed, SenderRow, TenantRow, TokenRow, Unknown, VerificationStatus,
    Write,
};

use super::aliases::{number, pool_row, x};
use super::messages::message;
use super::tokens::token;
use super::verifications::verification;
use super::{World, person};

const DAY: u64 = 86_400;
const WITHIN: Duration = Duration::from_secs(5);

/// A tenant with a pool of four numbers.
struct Town {
    tenant: TenantId,
    pool: bauta::ids::PoolId,
}

async fn town(world: &World) -> Town {
    let tenant = world.tenant().await;
    let row = pool_row(world, tenant);
    let mut change = world.telling().with(Write::Pool(row.clone()));
    for n in 0..4 {
        change = change.with(Write::Number(number(world, row.id, n)));
    }
    world.store.commit(change).await.unwrap();
    Town { tenant, pool: row.id }
}

/// The `n`-th person as the pool knows them.
fn place(n: u64) -> BlindIndex {
    person(1_000 + n)
}

fn party(n: u64) -> Party {
    Party { record: RecordId(n), index: place(n) }
}

impl Town {
    /// An alias on the `at`-th number.
    async fn bind(&self, world: &World, at: u64, a: u64, b: Option<u64>) -> AliasRow {
        let mode = if b.is_some() { AliasMode::Axb } else { AliasMode::Ax };
        let row = AliasRow {
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
        };
        let legs = leg::legs(&row);
        world.write(Write::BindAlias { alias: Box::new(row.clone()), legs }).await.unwrap();
        row
    }

    async fn token(&self, world: &World, n: u64) -> TokenRow {
        let row = token(world, self.tenant, RecordId(n), n);
        world.write(Write::Token(row.clone())).await.unwrap();
        row
    }

    /// Everything of a person, read.
    async fn erasure(&self, world: &World, n: u64, record: Option<RecordId>) -> Erasure {
        let of = HeldBy { tenant: self.tenant, index: person(n), record, places: vec![place(n)], messages: 10 };
        let held = world.store.held(&of).await.unwrap();
        Erasure {
            tenant: self.tenant,
            index: person(n),
            whole: record.is_none(),
            records: held.tokens.iter().map(|row| row.id).collect(),
            aliases: held.aliases,
            verifications: held.verifications.iter().map(|row| row.id).collect(),
            seats: held.seats,
            places: of.places,
            conversations: Vec::new(),
            sealed: None,
            cool_until: world.now().plus(Duration::from_secs(7 * DAY)),
            rest_until: world.now().plus(Duration::from_secs(90 * DAY)),
        }
    }
}

fn erase(what: &Erasure) -> Write {
    Write::Erase(Box::new(what.clone()))
}

pub async fn an_erasure_takes_all_of_a_person_and_keeps_the_other_partys_place_from_strangers(world: World) {
    let town = town(&world).await;
    let fresh_one = TokenRow { id: RecordId(91), canonical: false, ..town.token(&world, 1).await };
    world.write(Write::Token(fresh_one)).await.unwrap();
    town.token(&world, 2).await;
    let pair = town.bind(&world, 0, 1, Some(2)).await;
    let star = town.bind(&world, 1, 2, None).await;
    let seat = SenderRow {
        alias: star.id,
        tag: 1,
        index: place(1),
        number: Sealed(vec![9; 40]),
        until: world.now().plus(Duration::from_secs(DAY)),
    };
    world.write(Write::Sender(seat)).await.unwrap();
    let started = verification(&world, town.tenant, 1);
    world.write(Write::StartVerification { row: Box::new(started.clone()), supersedes: None }).await.unwrap();
    world.write(Write::CountFailure { tenant: town.tenant, party: person(1), day: 7 }).await.unwrap();
    world.write(Write::Message(Box::new(message(&world, town.tenant, pair.id)))).await.unwrap();
    let what = town.erasure(&world, 1, None).await;
    assert_eq!((what.records.len(), what.aliases.len(), what.seats.len()), (2, 1, 1));
    let gone = world.write(erase(&what)).await.unwrap().erased;
    assert_eq!((gone.tokens, gone.aliases, gone.verifications, gone.seats, gone.failures), (2, 1, 1, 1, 1));
    let left = town.erasure(&world, 1, None).await;
    assert!(left.records.is_empty() && left.aliases.is_empty() && left.verifications.is_empty());
    assert!(world.store.alias(town.tenant, pair.id).await.unwrap().is_none());
    assert!(world.store.senders(star.id).await.unwrap().is_empty());
    let forgotten = Write::ForgetMessages { tenant: town.tenant, aliases: vec![pair.id], party: None, limit: 10 };
    assert_eq!(world.write(forgotten).await.unwrap().erased.messages, 1);
    assert!(world.store.leg(x(0), Some(place(2))).await.unwrap().is_none());
    assert!(world.store.leg(x(1), None).await.unwrap().is_some(), "other people's aliases stand");
    // Whoever comes to stand opposite the other party on that number would be taken for the one who is gone.
    town.token(&world, 3).await;
    let bound = AliasRow { id: fresh(), a: party(3), b: Some(party(2)), ..pair.clone() };
    let legs = leg::legs(&bound);
    let bind = |legs| Write::BindAlias { alias: Box::new(bound.clone()), legs };
    World::refused(world.write(bind(legs.clone())).await, Conflict::LegTaken);
    world.pass(8 * DAY);
    world.write(bind(legs)).await.unwrap();
}

pub async fn what_came_in_since_the_reading_is_not_erased_unseen(world: World) {
    let town = town(&world).await;
    town.token(&world, 1).await;
    town.token(&world, 2).await;
    let read = town.erasure(&world, 1, None).await;
    town.bind(&world, 0, 1, Some(2)).await;
    World::refused(world.write(erase(&read)).await, Conflict::Taken);
    let read = town.erasure(&world, 1, None).await;
    let late = TokenRow { id: RecordId(92), canonical: false, ..token(&world, town.tenant, RecordId(92), 1) };
    world.write(Write::Token(late)).await.unwrap();
    World::refused(world.write(erase(&read)).await, Conflict::Taken);
    let read = town.erasure(&world, 1, None).await;
    let started = Box::new(verification(&world, town.tenant, 1));
    world.write(Write::StartVerification { row: started, supersedes: None }).await.unwrap();
    World::refused(world.write(erase(&read)).await, Conflict::Taken);
    let read = town.erasure(&world, 1, None).await;
    world.write(erase(&read)).await.unwrap();
    World::refused(world.write(erase(&read)).await, Conflict::Missing);
}

pub async fn a_record_alone_goes_with_what_stands_on_it(world: World) {
    let town = town(&world).await;
    let own = TokenRow { id: RecordId(91), canonical: false, ..town.token(&world, 1).await };
    world.write(Write::Token(own)).await.unwrap();
    town.token(&world, 2).await;
    let pair = town.bind(&world, 0, 1, Some(2)).await;
    let other = verification(&world, town.tenant, 1);
    world.write(Write::StartVerification { row: Box::new(other.clone()), supersedes: None }).await.unwrap();
    let what = town.erasure(&world, 1, Some(RecordId(1))).await;
    assert!(what.verifications.is_empty(), "this one stands on another record");
    world.write(erase(&what)).await.unwrap();
    assert!(world.store.token(town.tenant, RecordId(1)).await.unwrap().is_none());
    assert!(world.store.token(town.tenant, RecordId(91)).await.unwrap().is_some());
    let kept = world.store.alias(town.tenant, pair.id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.a.index), (AliasStatus::Released, BlindIndex([0; 16])));
    assert_eq!(kept.b.unwrap().index, place(2));
    assert!(world.store.verification(town.tenant, other.id).await.unwrap().is_some());
}

pub async fn the_list_of_erased_people_moves_forward_only_and_is_told(world: World) {
    let tenant = world.tenant().await;
    let before = world.store.directory().await.unwrap();
    assert!(before.erasures.is_empty());
    let set = |epoch| Write::SetEpoch { tenant, person: person(1), epoch };
    world.write(set(2)).await.unwrap();
    let after = world.another().directory().await.unwrap();
    assert!(after.version > before.version && after.erasures == [tenant]);
    world.write(set(1)).await.unwrap();
    assert_eq!(world.store.directory().await.unwrap().version, after.version, "only the first has to be told");
    assert_eq!(world.store.epochs(tenant, &[person(2), person(1)]).await.unwrap(), [0, 2]);
    assert_eq!(world.store.epochs(world.tenant().await, &[person(1)]).await.unwrap(), [0]);
}

pub async fn a_move_renames_a_person_or_nothing_at_all(world: World) {
    let town = town(&world).await;
    for n in 1..=3 {
        town.token(&world, n).await;
    }
    let pair = town.bind(&world, 0, 1, Some(2)).await;
    let star = town.bind(&world, 1, 1, None).await;
    let change = |aliases: &[&AliasRow]| {
        let aliases = aliases.iter().map(|alias| ((*alias).clone(), party(1), party(3))).collect();
        let cool_until = world.now().plus(Duration::from_secs(7 * DAY));
        Write::Move(Box::new(Move { tenant: town.tenant, aliases, cool_until }))
    };
    world.write(change(&[&pair, &star])).await.unwrap();
    let to = async |at, from| world.store.leg(x(at), Some(place(from))).await.unwrap().map(|leg| leg.to);
    assert_eq!(to(0, 3).await, Some(LegTarget::Person(RecordId(2))));
    assert_eq!(to(0, 2).await, Some(LegTarget::Person(RecordId(3))));
    assert_eq!(to(0, 1).await, None, "the old number reaches nobody");
    assert_eq!(to(1, 3).await, Some(LegTarget::Senders));
    let moved = world.store.alias(town.tenant, pair.id).await.unwrap().unwrap();
    assert_eq!((moved.a, moved.b), (party(3), Some(party(2))));
    // One of two that cannot be moved keeps the other where it is.
    town.token(&world, 4).await;
    let second = town.bind(&world, 2, 4, Some(2)).await;
    let third = town.bind(&world, 3, 4, Some(2)).await;
    let taken = town.bind(&world, 3, 1, Some(3)).await;
    let both = [&second, &third].map(|alias| (alias.clone(), party(4), party(1))).to_vec();
    let both = Move { tenant: town.tenant, aliases: both, cool_until: world.now() };
    World::refused(world.write(Write::Move(Box::new(both))).await, Conflict::LegTaken);
    assert_eq!(to(2, 4).await, Some(LegTarget::Person(RecordId(2))));
    assert_eq!(world.store.alias(town.tenant, taken.id).await.unwrap().unwrap().status, AliasStatus::Active);
}

pub async fn a_proof_is_used_once(world: World) {
    let used = |jti| Write::UseProof { jti: [jti; 32], until: world.now().plus(Duration::from_secs(600)) };
    world.write(used(1)).await.unwrap();
    world.write(used(2)).await.unwrap();
    World::refused(world.write(used(1)).await, Conflict::Taken);
}

/// Takes everything of a class away, in turns of two.
async fn age(world: &World, class: Aging) -> usize {
    let (mut after, mut gone) = (None, 0);
    loop {
        let aged = world.store.aged(class, after, 2).await.unwrap();
        let mut left: &[RowKey] = &aged.keys;
        while !left.is_empty() {
            let write = Write::Age { class, keys: left.to_vec(), within: WITHIN };
            let count = world.write(write).await.unwrap().aged;
            gone += count;
            left = &left[count..];
        }
        match aged.next {
            Some(next) => after = Some(next),
            None => return gone,
        }
    }
}

pub async fn each_class_goes_by_its_age_and_nothing_else_does(world: World) {
    let town = town(&world).await;
    let (mut lapsed, lasting) = (token(&world, town.tenant, RecordId(1), 1), town.token(&world, 2).await);
    lapsed.expires_at = Some(world.now());
    world.write(Write::Token(lapsed)).await.unwrap();
    let (over, pending) = (verification(&world, town.tenant, 1), verification(&world, town.tenant, 2));
    for row in [&over, &pending] {
        world.write(Write::StartVerification { row: Box::new(row.clone()), supersedes: None }).await.unwrap();
    }
    let ended = Write::EndVerification { tenant: town.tenant, id: over.id, status: VerificationStatus::Canceled };
    world.write(ended).await.unwrap();
    let (released, active) = (town.bind(&world, 0, 1, Some(2)).await, town.bind(&world, 1, 1, Some(2)).await);
    let (cool_until, rest_until) = (world.now(), world.now());
    let (tenant, status) = (town.tenant, AliasStatus::Released);
    world.write(Write::EndAlias { tenant, id: released.id, status, cool_until, rest_until }).await.unwrap();
    let old: Vec<_> = (0..5).map(|_| message(&world, tenant, active.id)).collect();
    for row in &old {
        world.write(Write::Message(Box::new(row.clone()))).await.unwrap();
    }
    let entries = world.store.entries(&EntryFilter { limit: 100, ..EntryFilter::default() }).await.unwrap().len();
    let early = world.now();
    for class in [
        Aging::Bodies(early),
        Aging::Messages(early),
        Aging::Verifications(early),
        Aging::Tokens(early),
        Aging::Aliases(early),
        Aging::Entries(early),
    ] {
        assert_eq!(age(&world, class).await, 0, "{class:?}");
    }
    world.pass(100 * DAY);
    let late = world.now();
    assert_eq!(age(&world, Aging::Bodies(late)).await, 5);
    assert!(world.store.message(tenant, old[0].id).await.unwrap().unwrap().body.is_none());
    assert_eq!(age(&world, Aging::Messages(late)).await, 5);
    assert_eq!(age(&world, Aging::Verifications(late)).await, 1);
    assert!(world.store.verification(tenant, pending.id).await.unwrap().is_some());
    assert_eq!(age(&world, Aging::Tokens(late)).await, 1);
    assert!(world.store.token(tenant, lasting.id).await.unwrap().is_some());
    assert_eq!(age(&world, Aging::Aliases(late)).await, 1);
    assert!(world.store.alias(tenant, active.id).await.unwrap().is_some());
    assert!(world.store.leg(x(1), Some(place(1))).await.unwrap().is_some());
    assert_eq!(age(&world, Aging::Entries(early.plus(Duration::from_millis(1)))).await, entries);
    let left = world.store.entries(&EntryFilter { limit: 100, ..EntryFilter::default() }).await.unwrap();
    assert!(left.iter().all(|entry| entry.index >= entries as u64), "the texts are gone");
    assert!(left[0].previous.0 != [0; 32], "the leaves are not");
    assert_eq!(age(&world, Aging::Entries(early.plus(Duration::from_millis(1)))).await, 0);
}

pub async fn what_test_tenants_made_goes_and_live_ones_keep_theirs(world: World) {
    let town = town(&world).await;
    let live = TenantRow { mode: Mode::Live, ..world.tenant_row() };
    world.write(Write::Tenant(live.clone())).await.unwrap();
    for n in 1..=5 {
        town.token(&world, n).await;
        world.write(Write::Token(token(&world, live.id, RecordId(50 + n), 50 + n))).await.unwrap();
    }
    let pair = town.bind(&world, 0, 1, Some(2)).await;
    world.pass(7 * DAY);
    let before = world.now();
    world.pass(1);
    let young = world.store.reserve_records(1).await.unwrap();
    world.write(Write::Token(token(&world, town.tenant, young, 9))).await.unwrap();
    let aged = world.store.aged(Aging::Test(Kept::Token, before), None, 100).await.unwrap();
    assert_eq!(aged.tenants, [(town.tenant, 5)]);
    for kept in Kept::ALL {
        age(&world, Aging::Test(kept, before)).await;
    }
    assert!(world.store.token(town.tenant, RecordId(1)).await.unwrap().is_none());
    assert!(world.store.token(town.tenant, young).await.unwrap().is_some());
    assert!(world.store.token(live.id, RecordId(51)).await.unwrap().is_some());
    assert!(world.store.alias(town.tenant, pair.id).await.unwrap().is_none());
    assert!(world.store.leg(x(0), Some(place(1))).await.unwrap().is_none());
    assert_eq!(world.store.pool_counts(town.pool).await.unwrap().free, 4, "its numbers are free again");
}

pub async fn an_erased_tenant_is_nobody_and_leaves_nothing(world: World) {
    let (town, other) = (town(&world).await, world.tenant().await);
    let credential = CredentialRow {
        id: fresh(),
        tenant: town.tenant,
        secret: [7; 32],
        person: "somebody".into(),
        role: Role::Admin,
        audience: None,
        networks: Vec::new(),
        created_at: world.now(),
        ends_at: None,
        proofs: bauta::store::Proofs::default(),
    };
    world.write(Write::Credential(credential)).await.unwrap();
    town.token(&world, 1).await;
    world.write(Write::Token(token(&world, other, RecordId(2), 2))).await.unwrap();
    town.bind(&world, 0, 1, None).await;
    world.write(Write::CountFailure { tenant: town.tenant, party: person(1), day: 1 }).await.unwrap();
    let ended = Write::EraseTenant { tenant: town.tenant, at: world.now() };
    world.write(ended).await.unwrap();
    let ended = Write::EraseTenant { tenant: town.tenant, at: world.now() };
    World::refused(world.write(ended).await, Conflict::Missing);
    let directory = world.store.directory().await.unwrap();
    assert!(directory.tenants.iter().all(|row| row.id != town.tenant));
    assert!(directory.credentials.is_empty() && directory.erased == [town.tenant]);
    assert_eq!(world.store.leavings().await.unwrap(), [town.tenant]);
    for kept in Kept::ALL {
        age(&world, Aging::Erased(kept)).await;
    }
    world.write(Write::Clear { tenant: town.tenant }).await.unwrap();
    assert!(world.store.leavings().await.unwrap().is_empty());
    assert!(world.store.token(town.tenant, RecordId(1)).await.unwrap().is_none());
    assert!(world.store.token(other, RecordId(2)).await.unwrap().is_some());
    assert_eq!(world.store.failures_since(town.tenant, person(1), 0).await.unwrap(), 0);
    assert!(world.store.number(x(0)).await.unwrap().is_none());
    assert!(world.store.pool(town.pool).await.unwrap().is_none());
}
