//! Policies that change while the house is open: who may, what follows, and what may never come into force.

use super::*;
use crate::ids;
use crate::store::{PolicyRow, PolicySource, PolicyStatus, Store as _};

const ROLES: &str = include_str!("../../../policies/roles.cedar");

/// The shipped roles, and that nobody binds aliases any more.
const NO_BINDING: &str = "@id(\"no-binding\")\nforbid (principal, action == Bauta::Action::\"AliasBind\", resource);\n";

fn set(files: &[(&str, &str)]) -> PolicyFiles {
    PolicyFiles::of(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))).unwrap()
}

fn roles_and(text: &str) -> PolicyFiles {
    set(&[("roles.cedar", ROLES), ("more.cedar", text)])
}

/// A world whose keeping tenant has an admin and nobody else, so that one person changes policies alone.
struct Lone(World);

impl Lone {
    async fn new() -> Self {
        let mut world = World::new().await;
        let other = world.other;
        for role in [Role::Business, Role::Admin] {
            let issued = world.issue(other, role).await.unwrap();
            world.keys.retain(|(row, _)| row.role != role);
            world.keys.push((issued.row, issued.key));
        }
        world.access = world.access.kept_by(Some(other));
        world.told();
        Self(world)
    }

    async fn permit(&self, action: Action, version: Option<&str>) -> Permit<PolicySet> {
        let resource = PolicySet { version: version.map(str::to_owned) };
        self.0.access.authorize(&self.0.who(Role::Admin).await, action, resource).await.unwrap()
    }

    async fn propose(&self, proposal: Proposal) -> Result<PolicyView, AccessError> {
        let base = self.0.access.policies().version().to_owned();
        self.0.access.propose(&self.permit(Action::PolicyPropose, None).await, proposal, &base).await
    }

    async fn activate(&self, version: &str) -> Result<PolicyRow, AccessError> {
        self.0.access.activate(&self.permit(Action::PolicyActivate, Some(version)).await).await
    }

    async fn binds(&self) -> bool {
        let business = self.0.who(Role::Business).await;
        self.0.access.authorize(&business, Action::AliasBind, NewAlias {}).await.is_ok()
    }
}

#[tokio::test]
async fn the_first_start_puts_policies_into_force_and_later_ones_keep_them() {
    let world = World::new().await;
    let version = world.access.policies().version().to_owned();
    assert_eq!(version, PolicyFiles::shipped().version());
    let first = world.told().into_iter().find_map(|event| match event.what {
        What::PolicyActivated { version, over } => Some((event.policy, version, over)),
        _ => None,
    });
    assert_eq!(first, Some((Some(version.clone()), version.clone(), None)));
    let keyring = Arc::new(Keyring::open(world.store.clone(), kms(&world)).await.unwrap());
    let other = Policies::of(roles_and(NO_BINDING)).unwrap();
    let again = Access::open(world.store.clone(), keyring, other).await.unwrap();
    assert_eq!(again.policies().version(), version, "what is given later is at most a proposal");
}

fn kms(world: &World) -> Arc<FileKms> {
    Arc::new(FileKms::open(world._folder.path(), false).unwrap())
}

#[tokio::test]
async fn no_remembered_decision_outlives_a_change_here_or_in_another_process() {
    let lone = Lone::new().await;
    let world = &lone.0;
    let keyring = Arc::new(Keyring::open(world.store.clone(), kms(world)).await.unwrap());
    let elsewhere = Access::open(world.store.clone(), keyring, Policies::load(None).unwrap()).await.unwrap();
    let binds_elsewhere = async || {
        let who = elsewhere.identify(world.key(Role::Business), HERE).await.unwrap();
        elsewhere.authorize(&who, Action::AliasBind, NewAlias {}).await.is_ok()
    };
    assert!(lone.binds().await && binds_elsewhere().await, "remembered in both");

    let proposed = lone.propose(Proposal::Files(roles_and(NO_BINDING))).await.unwrap();
    assert_eq!(proposed.row.status, PolicyStatus::Proposed);
    assert!(lone.binds().await, "a proposal decides nothing");
    let version = proposed.row.version;
    lone.activate(&version).await.unwrap();
    assert!(!lone.binds().await);
    elsewhere.follow().await;
    assert!(!binds_elsewhere().await);
    assert_eq!(elsewhere.policies().version(), version);

    let told = world.told();
    let denial = told.iter().find(|event| matches!(event.what, What::Denied { .. })).unwrap();
    assert_eq!(denial.policy.as_deref(), Some(&*version), "the entry names what decided it");
}

#[tokio::test]
async fn each_step_is_told_and_names_the_policies_that_permitted_it() {
    let lone = Lone::new().await;
    let before = lone.0.access.policies().version().to_owned();
    let version = lone.propose(Proposal::Files(roles_and(NO_BINDING))).await.unwrap().row.version;
    let row = lone.activate(&version).await.unwrap();
    assert_eq!((row.status, row.approver.as_deref()), (PolicyStatus::Active, Some("admin of the house")));
    let told: Vec<_> = lone.0.told().into_iter().map(|event| (event.what.action(), event.policy)).collect();
    let by = Some(before.clone());
    assert_eq!(told, [("policy.proposed".to_owned(), by.clone()), ("policy.activated".to_owned(), by)]);
    let back = lone.propose(Proposal::Version(before.clone())).await.unwrap();
    assert!(back.diff.contains("--- more.cedar\n+++ /dev/null"), "{}", back.diff);
    lone.activate(&before).await.unwrap();
    assert_eq!(lone.0.access.policies().version(), before, "the way back is a change like any other");
    assert!(lone.binds().await);
}

#[tokio::test]
async fn a_change_over_other_policies_than_it_was_made_against_is_a_conflict() {
    let lone = Lone::new().await;
    let first = lone.propose(Proposal::Files(roles_and(NO_BINDING))).await.unwrap().row.version;
    let second =
        lone.propose(Proposal::Files(roles_and(&format!("// other\n{NO_BINDING}")))).await.unwrap().row.version;
    lone.activate(&first).await.unwrap();
    assert!(matches!(lone.activate(&second).await, Err(AccessError::PolicyConflict)));
    assert!(matches!(lone.activate(&first).await, Err(AccessError::PolicyConflict)), "in force already");
    assert!(matches!(lone.activate("0123456789abcdef").await, Err(AccessError::NotFound)));
    let permit = lone.permit(Action::PolicyPropose, None).await;
    let stale = lone.0.access.propose(&permit, Proposal::Files(PolicyFiles::shipped()), "0123456789abcdef").await;
    assert!(matches!(stale, Err(AccessError::PolicyConflict)));
}

#[tokio::test]
async fn a_set_that_nobody_could_change_again_is_refused() {
    let lone = Lone::new().await;
    for action in ["PolicyPropose", "PolicyActivate"] {
        let text = format!("forbid (principal, action == Bauta::Action::\"{action}\", resource);");
        let refused = lone.propose(Proposal::Files(roles_and(&text))).await.err().unwrap().to_string();
        assert!(refused.contains(action) && refused.contains("never be changed"), "{refused}");
    }
    // Somebody else than the people there are is nobody.
    let nobody = "forbid (principal is Bauta::Credential, action == Bauta::Action::\"PolicyActivate\", resource)\n\
        unless { principal.person == \"nobody\" };";
    assert!(matches!(lone.propose(Proposal::Files(roles_and(nobody))).await, Err(AccessError::Policy(_))));
    // Four eyes where nobody could be the second.
    let alone =
        "forbid (principal, action == Bauta::Action::\"PolicyActivate\", resource)\nunless { context.approved };";
    assert!(matches!(lone.propose(Proposal::Files(roles_and(alone))).await, Err(AccessError::Policy(_))));
    let at_night =
        "forbid (principal, action == Bauta::Action::\"PolicyActivate\", resource) when { context.hour > 2 };";
    assert!(lone.propose(Proposal::Files(roles_and(at_night))).await.is_ok(), "at some hour is enough");
}

#[tokio::test]
async fn no_set_lets_those_who_grant_access_reveal_and_one_that_tries_is_refused() {
    let lone = Lone::new().await;
    let text = ROLES.replace("@id(\"no-reveal-by-those-who-grant-it\")\nforbid", "@id(\"x\")\npermit");
    let refused = lone.propose(Proposal::Files(set(&[("roles.cedar", &text)]))).await.err().unwrap().to_string();
    assert!(refused.contains("admin reveal numbers"), "{refused}");
    // One that a start takes as it is stands on the floor all the same.
    let world =
        World::with(Policies::of(set(&[("all.cedar", "permit (principal, action, resource);")])).unwrap()).await;
    for (role, may) in [(Role::Admin, false), (Role::Approver, false), (Role::Custodian, true), (Role::Business, true)]
    {
        let answer = world.access.authorize(&world.who(role).await, Action::TokenReveal, a_token(None)).await;
        assert_eq!(answer.is_ok(), may, "{}", role.as_str());
    }
}

#[tokio::test]
async fn only_the_keeping_tenant_reads_or_changes_policies() {
    let world = World::new().await;
    let stranger = world.issue(world.live, Role::Admin).await.unwrap().key;
    let stranger = world.access.identify(&stranger, HERE).await.unwrap();
    let ask =
        async |who: &Principal, action| world.access.authorize(who, action, PolicySet { version: None }).await.is_ok();
    let admin = world.who(Role::Admin).await;
    for action in [Action::PolicyRead, Action::PolicyPropose] {
        assert!(ask(&admin, action).await && !ask(&stranger, action).await, "{action:?}");
    }
}

#[tokio::test]
async fn unless_named_the_only_live_tenant_keeps_the_policies_or_the_oldest_where_none_is_live() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Double::new());
    let keyring =
        Arc::new(Keyring::open(store.clone(), Arc::new(FileKms::open(folder.path(), true).unwrap())).await.unwrap());
    let access = Access::open(store, keyring, Policies::load(None).unwrap()).await.unwrap();
    assert_eq!(access.keeper(), None);
    let first = access.create_tenant("root", "First", Mode::Test, None).await.unwrap().id;
    access.create_tenant("root", "Second", Mode::Test, None).await.unwrap();
    assert_eq!(access.keeper(), Some(first));
    let live = access.create_tenant("root", "Live", Mode::Live, None).await.unwrap().id;
    assert_eq!(access.keeper(), Some(live), "no test tenant decides for live ones");
    access.create_tenant("root", "Livelier", Mode::Live, None).await.unwrap();
    assert_eq!(access.keeper(), None, "which one is the operator's to say");
    let access = access.kept_by(Some(first));
    assert_eq!(access.keeper(), Some(first));
    assert_eq!(access.kept_by(Some(ids::fresh())).keeper(), None);
}

#[tokio::test]
async fn policies_that_this_program_cannot_compile_permit_nothing_and_those_tampered_with_stop_the_start() {
    let lone = Lone::new().await;
    let world = &lone.0;
    // As a newer program on the same store would put it into force.
    let newer = set(&[("roles.cedar", "permit (principal, action == Bauta::Action::\"FromTheFuture\", resource);")]);
    let row = PolicyRow {
        version: newer.version(),
        status: PolicyStatus::Active,
        source: PolicySource::Proposal,
        base: None,
        proposer: "x".into(),
        approver: None,
        proposed_at: world.now(),
        activated_at: None,
        ended_at: None,
    };
    {
        let mut state = world.store.state();
        state.policies.push((row, newer.to_json()));
        state.rows.policy = Some(newer.version());
        state.rows.version += 1;
    }
    world.access.follow().await;
    assert!(!lone.binds().await);
    let keyring = || async { Arc::new(Keyring::open(world.store.clone(), kms(world)).await.unwrap()) };
    let open = async || Access::open(world.store.clone(), keyring().await, Policies::load(None).unwrap()).await;
    let refused = open().await.err().unwrap().to_string();
    assert!(refused.contains(&newer.version()) && refused.contains("roles.cedar:1"), "{refused}");

    world.store.state().policies.last_mut().unwrap().1 = PolicyFiles::shipped().to_json();
    assert!(open().await.is_err(), "files that are not what the version says");
    assert!(world.store.policy(&newer.version()).await.unwrap().is_some());
}

#[tokio::test]
async fn where_nobody_chose_policies_a_newer_programs_own_follow() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Double::new());
    let keyring =
        Arc::new(Keyring::open(store.clone(), Arc::new(FileKms::open(folder.path(), true).unwrap())).await.unwrap());
    let older = Policies::of(roles_and(NO_BINDING)).unwrap();
    let was = older.version().to_owned();
    drop(Access::open(store.clone(), keyring.clone(), older).await.unwrap());
    let begin = async || Access::begin(store.clone(), keyring.clone(), Opened::Settings(None)).await.unwrap();
    assert_eq!(begin().await.policies().version(), PolicyFiles::shipped().version());
    let over = store.state().events.iter().rev().find_map(|event| match &event.what {
        What::PolicyActivated { over, .. } => Some(over.clone()),
        _ => None,
    });
    assert_eq!(over, Some(Some(was.clone())));

    // But not where somebody did.
    {
        let mut state = store.state();
        state.rows.policy = Some(was.clone());
        state.policies.iter_mut().for_each(|(row, _)| row.source = PolicySource::Proposal);
    }
    assert_eq!(begin().await.policies().version(), was);
}
