//! Approvals by a second person, and daily budgets.

use std::sync::Arc;
use std::time::Duration;

use bauta::event::Role;
use bauta::ids::{ApprovalId, CredentialId, TenantId, fresh};
use bauta::store::{
    ApprovalFilter, ApprovalRow, ApprovalStatus, BudgetKind, Conflict, CredentialRow, Decision, Spend, Spent, Write,
};

use super::World;

async fn credential(world: &World, tenant: TenantId, role: Role) -> CredentialId {
    let id = fresh();
    let mut secret = [1; 32];
    secret[..16].copy_from_slice(&bauta::ids::bytes(&id));
    let row = CredentialRow {
        id,
        tenant,
        secret,
        person: role.as_str().into(),
        role,
        audience: None,
        networks: Vec::new(),
        created_at: world.now(),
        ends_at: None,
        proofs: bauta::store::Proofs::default(),
    };
    world.write(Write::Credential(row)).await.unwrap();
    id
}

fn pending(world: &World, tenant: TenantId, credential: CredentialId) -> ApprovalRow {
    ApprovalRow {
        id: fresh(),
        tenant,
        credential,
        person: "custodian".into(),
        action: "TokenReveal".into(),
        purpose: Some("legal".into()),
        reference: Some("case 7".into()),
        binding: [7; 32],
        policy: "0123456789abcdef".into(),
        summary: r#"{"tokens":1}"#.into(),
        status: ApprovalStatus::Pending,
        approver: None,
        approver_person: None,
        created_at: world.now(),
        expires_at: world.now().plus(Duration::from_secs(86_400)),
        decided_at: None,
    }
}

struct Two {
    tenant: TenantId,
    asks: CredentialId,
    decides: CredentialId,
}

async fn two(world: &World) -> Two {
    let tenant = world.tenant().await;
    let asks = credential(world, tenant, Role::Custodian).await;
    let decides = credential(world, tenant, Role::Approver).await;
    Two { tenant, asks, decides }
}

async fn filed(world: &World, two: &Two) -> ApprovalRow {
    let row = pending(world, two.tenant, two.asks);
    world.write(Write::FileApproval(Box::new(row.clone()))).await.unwrap();
    row
}

fn decision(world: &World, two: &Two, id: ApprovalId, approved: bool) -> Write {
    let use_by = world.now().plus(Duration::from_secs(3_600));
    Write::DecideApproval(Decision {
        tenant: two.tenant,
        id,
        approved,
        approver: two.decides,
        person: "approver".into(),
        use_by,
    })
}

async fn approved(world: &World, two: &Two) -> ApprovalId {
    let id = filed(world, two).await.id;
    world.write(decision(world, two, id, true)).await.unwrap();
    id
}

pub async fn an_approval_is_kept_whole_and_found_by_its_tenant_alone(world: World) {
    let two = two(&world).await;
    let row = filed(&world, &two).await;
    assert_eq!(world.another().approval(two.tenant, row.id).await.unwrap(), Some(row.clone()));
    assert_eq!(world.store.approval(fresh(), row.id).await.unwrap(), None);
    world.write(decision(&world, &two, row.id, true)).await.unwrap();
    let decided = ApprovalRow {
        status: ApprovalStatus::Approved,
        approver: Some(two.decides),
        approver_person: Some("approver".into()),
        decided_at: Some(world.now()),
        expires_at: world.now().plus(Duration::from_secs(3_600)),
        ..row.clone()
    };
    assert_eq!(world.store.approval(two.tenant, row.id).await.unwrap(), Some(decided));
    World::refused(world.write(Write::FileApproval(Box::new(row))).await, Conflict::Exists);
}

pub async fn of_racing_uses_of_one_approval_one_has_its_effect(world: World) {
    let two = two(&world).await;
    let id = approved(&world, &two).await;
    let world = Arc::new(world);
    let other = world.another();
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let store = if n % 2 == 0 { Arc::clone(&world.store) } else { Arc::clone(&other) };
            let tenant = two.tenant;
            let change = world
                .telling()
                .with(Write::UseApproval { tenant, id })
                .with(Write::Audience { tenant, audience: format!("effect-{n}") });
            tokio::spawn(async move { store.commit(change).await })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => done += 1,
            refused => World::refused(refused, Conflict::ApprovalUsed),
        }
    }
    assert_eq!(done, 1);
    assert_eq!(world.store.directory().await.unwrap().audiences.len(), 1, "the losers left nothing");
    assert_eq!(world.store.approval(two.tenant, id).await.unwrap().unwrap().status, ApprovalStatus::Used);
}

pub async fn an_approval_is_decided_once_and_in_time(world: World) {
    let two = two(&world).await;
    let denied = filed(&world, &two).await.id;
    let use_it = |id| Write::UseApproval { tenant: two.tenant, id };
    World::refused(world.write(use_it(denied)).await, Conflict::ApprovalUsed);
    world.write(decision(&world, &two, denied, false)).await.unwrap();
    World::refused(world.write(decision(&world, &two, denied, true)).await, Conflict::ApprovalOver);
    World::refused(world.write(use_it(denied)).await, Conflict::ApprovalUsed);
    World::refused(world.write(decision(&world, &two, fresh(), true)).await, Conflict::ApprovalOver);

    let (late, unused) = (filed(&world, &two).await.id, approved(&world, &two).await);
    world.pass(3_600);
    World::refused(world.write(use_it(unused)).await, Conflict::ApprovalUsed);
    world.pass(23 * 3_600);
    World::refused(world.write(decision(&world, &two, late, true)).await, Conflict::ApprovalOver);
}

pub async fn an_approval_is_not_used_while_one_of_the_two_is_out_of_office(world: World) {
    let two = two(&world).await;
    let id = approved(&world, &two).await;
    let tenant = two.tenant;
    for frozen in [two.asks.to_string(), two.decides.to_string(), tenant.to_string()] {
        world.write(Write::Freeze { target: frozen.clone(), on: true }).await.unwrap();
        World::refused(world.write(Write::UseApproval { tenant, id }).await, Conflict::ApprovalUsed);
        world.write(Write::Freeze { target: frozen, on: false }).await.unwrap();
    }
    for gone in [two.asks, two.decides] {
        let id = approved(&world, &two).await;
        world.write(Write::EndCredential { tenant, id: gone, at: world.now() }).await.unwrap();
        World::refused(world.write(Write::UseApproval { tenant, id }).await, Conflict::ApprovalUsed);
    }
}

pub async fn what_lapsed_is_found_and_ended_once(world: World) {
    let two = two(&world).await;
    let (waits, unused) = (filed(&world, &two).await.id, approved(&world, &two).await);
    let expire = |id| Write::ExpireApproval { tenant: two.tenant, id };
    World::refused(world.write(expire(waits)).await, Conflict::ApprovalOver);
    assert!(world.store.lapsed_approvals(10).await.unwrap().is_empty());
    world.pass(3_600);
    let lapsed = |rows: Vec<ApprovalRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(lapsed(world.store.lapsed_approvals(10).await.unwrap()), [unused]);
    world.pass(23 * 3_600);
    assert_eq!(lapsed(world.store.lapsed_approvals(1).await.unwrap()), [unused], "no more than asked for");
    for id in [waits, unused] {
        world.write(expire(id)).await.unwrap();
        World::refused(world.write(expire(id)).await, Conflict::ApprovalOver);
    }
    assert!(world.store.lapsed_approvals(10).await.unwrap().is_empty());
}

pub async fn approvals_are_listed_newest_first_by_filter(world: World) {
    let two = two(&world).await;
    let others = credential(&world, two.tenant, Role::Admin).await;
    let first = filed(&world, &two).await;
    let second = pending(&world, two.tenant, others);
    world.write(Write::FileApproval(Box::new(second.clone()))).await.unwrap();
    let third = approved(&world, &two).await;
    let all = ApprovalFilter { tenant: two.tenant, credential: None, status: None, after: None, limit: 10 };
    let list = async |filter: ApprovalFilter| {
        let rows = world.store.approvals(&filter).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(list(all.clone()).await, [third, second.id, first.id]);
    assert_eq!(list(ApprovalFilter { limit: 1, after: Some(third), ..all.clone() }).await, [second.id]);
    assert_eq!(list(ApprovalFilter { status: Some(ApprovalStatus::Approved), ..all.clone() }).await, [third]);
    assert_eq!(list(ApprovalFilter { credential: Some(two.asks), ..all.clone() }).await, [third, first.id]);
    assert!(list(ApprovalFilter { tenant: fresh(), ..all }).await.is_empty());
}

fn spend(world: &World, credential: CredentialId, count: u64) -> Spend {
    Spend { credential, kind: BudgetKind::Reveal, at: world.now(), count, limit: 100 }
}

pub async fn a_budget_is_never_passed_by_spenders_at_once(world: World) {
    let credential = fresh();
    let other = world.another();
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let store = if n % 2 == 0 { Arc::clone(&world.store) } else { Arc::clone(&other) };
            let change = world.telling().with(Write::Spend(spend(&world, credential, 3)));
            tokio::spawn(async move { store.commit(change).await })
        })
        .collect();
    let mut highest = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(committed) => highest = highest.max(committed.spent.unwrap().day),
            refused => World::refused(refused, Conflict::BudgetExhausted),
        }
    }
    assert_eq!(highest, 99, "33 of 40 fit");
    let last = world.write(Write::Spend(spend(&world, credential, 1))).await.unwrap();
    assert_eq!(last.spent, Some(Spent { day: 100, hour: 100 }), "what was refused was not counted");
}

pub async fn a_reservation_takes_what_is_left_and_a_day_starts_anew(world: World) {
    let credential = fresh();
    let wish = |count| Spend { kind: BudgetKind::Tokenize, ..spend(&world, credential, count) };
    assert_eq!(world.store.reserve_budget(wish(70)).await.unwrap(), 70);
    assert_eq!(world.another().reserve_budget(wish(70)).await.unwrap(), 30);
    assert_eq!(world.store.reserve_budget(wish(1)).await.unwrap(), 0);
    let lower = Spend { limit: 10, ..wish(1) };
    assert_eq!(world.store.reserve_budget(lower).await.unwrap(), 0, "a limit that was lowered meanwhile");
    assert_eq!(world.store.reserve_budget(Spend { kind: BudgetKind::Lookup, ..wish(5) }).await.unwrap(), 5);
    world.pass(86_400);
    let tomorrow = Spend { at: world.now(), ..wish(70) };
    assert_eq!(world.store.reserve_budget(tomorrow).await.unwrap(), 70);
    let past = |days| world.store.spent_before(credential, BudgetKind::Tokenize, world.now(), days);
    assert_eq!(past(7).await.unwrap(), [100]);
    world.pass(86_400 * 7);
    assert_eq!(past(7).await.unwrap(), [70], "no older than asked for");
}

pub async fn an_exhausted_budget_is_told_once_a_day(world: World) {
    let credential = fresh();
    let tell = |kind| Write::TellExhausted { credential, kind, at: world.now() };
    world.write(tell(BudgetKind::Reveal)).await.unwrap();
    World::refused(world.write(tell(BudgetKind::Reveal)).await, Conflict::Taken);
    world.write(tell(BudgetKind::Lookup)).await.unwrap();
    let counted = world.write(Write::Spend(spend(&world, credential, 1))).await.unwrap();
    assert_eq!(counted.spent.unwrap().day, 1, "telling spends nothing");
    World::refused(world.write(tell(BudgetKind::Reveal)).await, Conflict::Taken);
    world.pass(86_400);
    world.write(tell(BudgetKind::Reveal)).await.unwrap();
}

pub async fn budgets_outlive_an_end_without_notice(world: World) {
    let credential = fresh();
    world.write(Write::Spend(spend(&world, credential, 60))).await.unwrap();
    let wish = Spend { kind: BudgetKind::Tokenize, ..spend(&world, credential, 60) };
    world.store.reserve_budget(wish).await.unwrap();
    // What another process finds is what a power cut would leave: both read what was committed.
    let after = world.another();
    let refused = after.commit(world.telling().with(Write::Spend(spend(&world, credential, 41)))).await;
    World::refused(refused, Conflict::BudgetExhausted);
    assert_eq!(after.reserve_budget(wish).await.unwrap(), 40);
}
