//! Versions of the policies: one in force, over the one that was meant.

use bauta::store::{Conflict, MAX_PROPOSALS, PolicyRow, PolicySource, PolicyStatus, Write};

use super::World;

fn row(world: &World, version: &str, base: Option<&str>) -> PolicyRow {
    PolicyRow {
        version: version.into(),
        status: PolicyStatus::Proposed,
        source: PolicySource::Proposal,
        base: base.map(str::to_owned),
        proposer: "Lan".into(),
        approver: None,
        proposed_at: world.now(),
        activated_at: None,
        ended_at: None,
    }
}

fn propose(world: &World, version: &str, base: &str) -> Write {
    Write::ProposePolicy { row: row(world, version, Some(base)), files: format!("{{\"{version}\":\"\"}}") }
}

fn adopt(world: &World, version: &str, over: Option<&str>) -> Write {
    let row = PolicyRow {
        status: PolicyStatus::Active,
        source: PolicySource::Program,
        activated_at: Some(world.now()),
        ..row(world, version, over)
    };
    Write::AdoptPolicy { row, files: format!("{{\"{version}\":\"\"}}"), over: over.map(str::to_owned) }
}

fn activate(world: &World, version: &str) -> Write {
    Write::ActivatePolicy { version: version.into(), approver: "Minh".into(), at: world.now() }
}

async fn status(world: &World, version: &str) -> PolicyStatus {
    world.store.policy(version).await.unwrap().unwrap().status
}

pub async fn the_first_policies_are_adopted_once(world: World) {
    assert_eq!(world.store.directory().await.unwrap().policy, None);
    let before = world.store.directory_version().await.unwrap();
    world.write(adopt(&world, "one", None)).await.unwrap();
    assert!(world.another().directory_version().await.unwrap() > before, "what decides about callers changed");
    World::refused(world.write(adopt(&world, "two", None)).await, Conflict::PolicyMoved);
    World::refused(world.write(adopt(&world, "two", Some("three"))).await, Conflict::PolicyMoved);
    world.write(adopt(&world, "two", Some("one"))).await.unwrap();
    assert_eq!(world.another().directory().await.unwrap().policy.as_deref(), Some("two"));
    assert_eq!(status(&world, "one").await, PolicyStatus::Superseded);
}

pub async fn a_proposal_comes_into_force_over_its_base_alone(world: World) {
    world.write(adopt(&world, "one", None)).await.unwrap();
    World::refused(world.write(propose(&world, "two", "none")).await, Conflict::PolicyMoved);
    World::refused(world.write(propose(&world, "one", "one")).await, Conflict::Exists);
    world.write(propose(&world, "two", "one")).await.unwrap();
    World::refused(world.write(propose(&world, "two", "one")).await, Conflict::Exists);
    world.write(propose(&world, "three", "one")).await.unwrap();
    assert_eq!(world.store.directory().await.unwrap().policy.as_deref(), Some("one"), "a proposal decides nothing");

    world.pass(60);
    let before = world.store.directory_version().await.unwrap();
    world.write(activate(&world, "two")).await.unwrap();
    assert!(world.store.directory_version().await.unwrap() > before);
    let two = world.another().policy("two").await.unwrap().unwrap();
    assert_eq!((two.status, two.approver.as_deref()), (PolicyStatus::Active, Some("Minh")));
    assert_eq!(two.activated_at, Some(world.now()));
    let one = world.store.policy("one").await.unwrap().unwrap();
    assert_eq!((one.status, one.ended_at), (PolicyStatus::Superseded, Some(world.now())));
    World::refused(world.write(activate(&world, "three")).await, Conflict::PolicyMoved);
    World::refused(world.write(activate(&world, "two")).await, Conflict::Missing);
    World::refused(world.write(activate(&world, "four")).await, Conflict::Missing);

    // The way back, and what was proposed over an older base proposed again.
    world.write(propose(&world, "one", "two")).await.unwrap();
    world.write(propose(&world, "three", "two")).await.unwrap();
    world.write(activate(&world, "one")).await.unwrap();
    assert_eq!(world.store.directory().await.unwrap().policy.as_deref(), Some("one"));
    assert_eq!(world.store.policy_files("one").await.unwrap().as_deref(), Some("{\"one\":\"\"}"));
    assert_eq!(world.store.policy_files("four").await.unwrap(), None);
}

pub async fn racing_activations_put_one_into_force(world: World) {
    world.write(adopt(&world, "one", None)).await.unwrap();
    for version in ["two", "three"] {
        world.write(propose(&world, version, "one")).await.unwrap();
    }
    let another = world.another();
    let second = another.commit(world.telling().with(activate(&world, "three")));
    let (first, second) = futures::future::join(world.write(activate(&world, "two")), second).await;
    assert_eq!(usize::from(first.is_ok()) + usize::from(second.is_ok()), 1);
    let rows = world.store.policies(None, 10).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.status == PolicyStatus::Active).count(), 1);
}

pub async fn proposals_are_withdrawn_and_bounded(world: World) {
    world.write(adopt(&world, "one", None)).await.unwrap();
    for n in 0..MAX_PROPOSALS {
        world.write(propose(&world, &format!("p{n}"), "one")).await.unwrap();
    }
    World::refused(world.write(propose(&world, "more", "one")).await, Conflict::TooMany);
    let withdraw = |version: &str| Write::WithdrawPolicy { version: version.into(), at: world.now() };
    world.write(withdraw("p0")).await.unwrap();
    assert_eq!(status(&world, "p0").await, PolicyStatus::Withdrawn);
    World::refused(world.write(withdraw("p0")).await, Conflict::Missing);
    World::refused(world.write(withdraw("one")).await, Conflict::Missing);
    World::refused(world.write(activate(&world, "p0")).await, Conflict::Missing);
    world.write(activate(&world, "p1")).await.unwrap();
    // One that was in force stays known as such.
    world.write(propose(&world, "one", "p1")).await.unwrap();
    world.write(withdraw("one")).await.unwrap();
    assert_eq!(status(&world, "one").await, PolicyStatus::Superseded);
}

pub async fn versions_are_listed_last_proposed_first(world: World) {
    world.write(adopt(&world, "one", None)).await.unwrap();
    for version in ["two", "three"] {
        world.pass(1);
        world.write(propose(&world, version, "one")).await.unwrap();
    }
    let names = |rows: Vec<PolicyRow>| rows.into_iter().map(|row| row.version).collect::<Vec<_>>();
    assert_eq!(names(world.store.policies(None, 2).await.unwrap()), ["three", "two"]);
    assert_eq!(names(world.store.policies(Some("two"), 2).await.unwrap()), ["one"]);
    assert!(world.store.policies(Some("unknown"), 2).await.unwrap().is_empty());
}
