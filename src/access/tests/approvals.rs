//! Four eyes: bound to requester, action, purpose, the very thing and the policies; lapses; works once; two persons.

use super::*;
use crate::ids::ApprovalId;
use crate::store::ApprovalStatus;

const LEGAL: &str = r#"
@id("legal-reveals-need-two-persons")
forbid (principal, action == Bauta::Action::"TokenReveal", resource)
when { context has purpose && context.purpose == "legal" }
unless { context.approved };
"#;
const ROLES: &str = include_str!("../../../policies/roles.cedar");

async fn world() -> World {
    World::with(legal()).await
}

fn legal() -> Policies {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("roles.cedar"), ROLES).unwrap();
    std::fs::write(folder.path().join("two.cedar"), LEGAL).unwrap();
    Policies::load(Some(folder.path())).unwrap()
}

fn bound(what: u8, approval: Option<ApprovalId>) -> Bound {
    let digest = Bound::digest([&[what][..]]);
    Bound { digest, summary: serde_json::json!({"tokens": 1}), reference: Some("case 7".into()), approval }
}

type Outcome = Result<Ruling<TokenRef>, AccessError>;

impl World {
    async fn ask(&self, who: &Principal, bound: Bound) -> Outcome {
        self.access.rule(who, Action::TokenReveal, a_token(Some("legal")), bound).await
    }

    async fn asked(&self, who: &Principal) -> ApprovalId {
        match self.ask(who, bound(1, None)).await.unwrap() {
            Ruling::Pending(view) => view.id,
            Ruling::Permitted(_) => panic!("one person was enough"),
        }
    }

    async fn decide(&self, who: &Principal, id: ApprovalId, yes: bool) -> Result<ApprovalView, AccessError> {
        let permit = self.access.authorize(who, Action::ApprovalDecide, ApprovalRef { id }).await?;
        if yes { self.access.approve(&permit).await } else { self.access.deny(&permit).await }
    }

    async fn approved(&self) -> (Principal, ApprovalId) {
        let custodian = self.who(Role::Custodian).await;
        let id = self.asked(&custodian).await;
        self.decide(&self.who(Role::Approver).await, id, true).await.unwrap();
        (custodian, id)
    }

    async fn use_it(&self, permit: &Permit<TokenRef>) -> bool {
        self.store.commit(permit.change(self.now(), What::AuditRead { entries: 0 })).await.is_ok()
    }
}

fn why(outcome: Outcome) -> &'static str {
    match outcome {
        Ok(Ruling::Permitted(_)) => "permitted",
        Ok(Ruling::Pending(_)) => "pending",
        Err(AccessError::Approval(error)) => error.code(),
        Err(AccessError::NotFound) => "not_found",
        Err(AccessError::Denied(denied)) => denied.code(),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_second_person_opens_the_very_same_request_once() {
    let world = world().await;
    let custodian = world.who(Role::Custodian).await;
    let id = world.asked(&custodian).await;
    assert_eq!(world.asked(&custodian).await, id, "the same question waits once");
    assert_eq!(why(world.ask(&custodian, bound(1, Some(id))).await), "approval_pending");
    let view = world.decide(&world.who(Role::Approver).await, id, true).await.unwrap();
    assert_eq!((view.status, view.approver.as_deref()), (ApprovalState::Approved, Some("approver of the house")));
    assert_eq!(why(world.ask(&custodian, bound(2, Some(id))).await), "approval_mismatch");
    let (Ok(Ruling::Permitted(one)), Ok(Ruling::Permitted(two))) =
        (world.ask(&custodian, bound(1, Some(id))).await, world.ask(&custodian, bound(1, Some(id))).await)
    else {
        panic!("approved")
    };
    assert!(world.use_it(&one).await);
    assert!(!world.use_it(&two).await, "two permits, one use");
    assert_eq!(why(world.ask(&custodian, bound(1, Some(id))).await), "approval_used");
    let told: Vec<_> = world.told().iter().map(|event| event.what.action()).collect();
    let of_approvals: Vec<_> = told.iter().filter(|action| action.starts_with("approval.")).collect();
    assert_eq!(of_approvals, ["approval.requested", "approval.approved", "approval.used"]);
}

#[tokio::test]
async fn an_approval_is_bound_to_requester_purpose_reference_and_action() {
    let world = world().await;
    let (custodian, id) = world.approved().await;
    let wanted = Credentials { grants: Some(Role::Custodian) };
    let other = Bound { reference: None, ..bound(1, Some(id)) };
    assert_eq!(why(world.ask(&custodian, other).await), "approval_mismatch", "another reference");
    let admin = world.who(Role::Admin).await;
    let ruled = world.access.rule(&admin, Action::CredentialManage, wanted, bound(1, Some(id))).await;
    assert!(matches!(ruled, Err(AccessError::Approval(ApprovalError::Mismatch))), "another requester and action");
    let unknown = world.ask(&custodian, bound(1, Some(crate::ids::fresh()))).await;
    assert_eq!(why(unknown), "not_found");
}

#[tokio::test]
async fn one_person_with_two_credentials_is_one_person() {
    let world = world().await;
    let permit = world.who(Role::Custodian).await;
    let id = world.asked(&permit).await;
    let twin = NewCredential { person: "  CUSTODIAN  of the House ".into(), ..a_credential(Role::Approver) };
    let twin = world.smuggle(twin).await;
    let refused = world.decide(&twin, id, true).await;
    assert!(matches!(refused, Err(AccessError::Approval(ApprovalError::SamePerson))));
    assert!(world.decide(&world.who(Role::Admin).await, id, true).await.is_err(), "an admin never approves");
    assert!(world.decide(&permit, id, true).await.is_err(), "nor the requester");
    assert_eq!(world.store.state().approvals[0].status, ApprovalStatus::Pending);
}

impl World {
    /// A credential of the test tenant that no policy was asked about.
    async fn smuggle(&self, new: NewCredential) -> Principal {
        let credential = crate::ids::fresh();
        let permit = Permit::for_test(self.tenant, credential, None, Credentials { grants: Some(new.role) });
        let issued = self.access.issue(&permit, new).await.unwrap();
        self.access.identify(&issued.key, HERE).await.unwrap()
    }
}

#[tokio::test]
async fn what_nobody_decides_or_uses_in_time_lapses_and_the_log_says_so() {
    let world = world().await;
    let custodian = world.who(Role::Custodian).await;
    let id = world.asked(&custodian).await;
    world.pass(Duration::from_secs(24 * 3_600));
    assert_eq!(why(world.ask(&custodian, bound(1, Some(id))).await), "approval_expired");
    let late = world.decide(&world.who(Role::Approver).await, id, true).await;
    assert!(matches!(late, Err(AccessError::Approval(ApprovalError::Decided))));
    let (_, unused) = world.approved().await;
    world.pass(Duration::from_secs(3_600));
    assert_eq!(why(world.ask(&custodian, bound(1, Some(unused))).await), "approval_expired");
    world.told();
    world.access.expire_approvals(10).await.unwrap();
    assert_eq!(world.told().iter().filter(|e| e.what.action() == "approval.expired").count(), 2);
    world.access.expire_approvals(10).await.unwrap();
    assert!(world.told().is_empty(), "once each");
}

#[tokio::test]
async fn a_denial_is_final() {
    let world = world().await;
    let custodian = world.who(Role::Custodian).await;
    let id = world.asked(&custodian).await;
    world.decide(&world.who(Role::Approver).await, id, false).await.unwrap();
    assert_eq!(why(world.ask(&custodian, bound(1, Some(id))).await), "approval_denied");
    assert!(world.decide(&world.who(Role::Approver).await, id, true).await.is_err());
    assert_ne!(world.asked(&custodian).await, id, "asking again is a new request");
}

#[tokio::test]
async fn an_approval_is_void_once_requester_or_approver_is_out_of_office() {
    let world = world().await;
    let (custodian, id) = world.approved().await;
    let approver = world.who(Role::Approver).await.credential;
    let freeze = async |target: String, on: bool| {
        let operator = world.who(Role::Operator).await;
        let permit = world.access.authorize(&operator, Action::Freeze, FreezeSwitch { target }).await.unwrap();
        world.access.freeze(permit, on).await.unwrap();
    };
    freeze(approver.to_string(), true).await;
    assert_eq!(why(world.ask(&custodian, bound(1, Some(id))).await), "approval_void");
    freeze(approver.to_string(), false).await;
    assert_eq!(why(world.ask(&custodian, bound(1, Some(id))).await), "permitted");
    world.access.revoke(&world.admin().await, approver).await.unwrap();
    assert_eq!(why(world.ask(&custodian, bound(1, Some(id))).await), "approval_void");
    let pending = world.asked(&custodian).await;
    let second = world.smuggle(NewCredential { person: "Zoe".into(), ..a_credential(Role::Approver) }).await;
    world.access.revoke(&world.admin().await, custodian.credential).await.unwrap();
    let late = world.decide(&second, pending, true).await;
    assert!(matches!(late, Err(AccessError::Approval(ApprovalError::Void))), "the requester is gone");
}

#[tokio::test]
async fn another_set_of_policies_asks_again() {
    let world = world().await;
    let (custodian, id) = world.approved().await;
    world.store.state().approvals[0].policy = "0123456789abcdef".into();
    assert_eq!(why(world.ask(&custodian, bound(1, Some(id))).await), "permitted", "the digest decides, not the column");
    let pending = match world.ask(&custodian, bound(9, None)).await.unwrap() {
        Ruling::Pending(view) => view.id,
        Ruling::Permitted(_) => panic!("not approved"),
    };
    world.store.state().approvals[1].policy = "0123456789abcdef".into();
    let late = world.decide(&world.who(Role::Approver).await, pending, true).await;
    assert!(matches!(late, Err(AccessError::Approval(ApprovalError::Mismatch))), "decided under other policies");
}

#[tokio::test]
async fn a_live_tenants_credentials_need_two_persons_once_there_are_two() {
    let world = World::new().await;
    let new = |role, person: &str| NewCredential { person: person.into(), ..a_credential(role) };
    let approver = world.issue_as(world.live, new(Role::Approver, "Bo")).await.unwrap();
    let admin = world.issue_as(world.live, new(Role::Admin, "Ann")).await.unwrap();
    let admin = world.access.identify(&admin.key, HERE).await.unwrap();
    let rule = async |role, approval| {
        let wanted = Credentials { grants: Some(role) };
        world.access.rule(&admin, Action::CredentialManage, wanted, bound(1, approval)).await
    };
    assert!(matches!(rule(Role::Business, None).await, Ok(Ruling::Pending(_))));
    let read = world.access.authorize(&admin, Action::CredentialRead, Credentials { grants: None }).await;
    assert!(read.is_ok());
    // Revoking is an emergency act of one person; but it does not make the second person go away at once.
    let revoke = world.access.authorize(&admin, Action::CredentialRevoke, Credentials { grants: None }).await.unwrap();
    world.access.revoke(&revoke, approver.row.id).await.unwrap();
    assert!(matches!(rule(Role::Auditor, None).await, Ok(Ruling::Pending(_))), "not alone at once");
    world.pass(Duration::from_secs(72 * 3_600));
    assert!(matches!(rule(Role::Auditor, None).await, Ok(Ruling::Permitted(_))), "nobody is locked out for ever");
}

#[tokio::test]
async fn an_admin_who_is_also_the_only_approver_is_one_person() {
    let world = World::new().await;
    world.issue_as(world.live, NewCredential { person: "Ann".into(), ..a_credential(Role::Approver) }).await.unwrap();
    let admin = NewCredential { person: "ann ".into(), ..a_credential(Role::Admin) };
    let admin = world.issue_as(world.live, admin).await.unwrap();
    let admin = world.access.identify(&admin.key, HERE).await.unwrap();
    let wanted = Credentials { grants: Some(Role::Business) };
    let ruled = world.access.rule(&admin, Action::CredentialManage, wanted, bound(1, None)).await;
    assert!(matches!(ruled, Ok(Ruling::Permitted(_))));
}

#[tokio::test]
async fn custodians_and_approvers_are_made_by_two_persons_also_in_a_test_tenant() {
    let world = World::new().await;
    let admin = world.who(Role::Admin).await;
    for (role, alone) in [(Role::Business, true), (Role::Custodian, false), (Role::Approver, false)] {
        let wanted = Credentials { grants: Some(role) };
        let ruled = world.access.rule(&admin, Action::CredentialManage, wanted, bound(1, None)).await.unwrap();
        assert_eq!(matches!(ruled, Ruling::Permitted(_)), alone, "{}", role.as_str());
    }
    let wanted = Credentials { grants: Some(Role::Business) };
    let permit = world.access.authorize(&admin, Action::CredentialManage, wanted).await.unwrap();
    let smuggled = world.access.issue(&permit, a_credential(Role::Custodian)).await;
    assert!(matches!(smuggled, Err(AccessError::Denied(Denied::Forbidden))), "a permit for one role grants no other");
}

#[tokio::test]
async fn what_an_approval_would_not_allow_is_denied_and_not_filed() {
    let world = world().await;
    let business = world.who(Role::Business).await;
    assert_eq!(why(world.ask(&business, bound(1, None)).await), "forbidden");
    assert!(world.store.state().approvals.is_empty());
    let support = a_token(Some("support"));
    let custodian = world.who(Role::Custodian).await;
    let alone = world.access.rule(&custodian, Action::TokenReveal, support, bound(1, None)).await;
    assert!(matches!(alone, Ok(Ruling::Permitted(_))), "policies ask for two only where they say so");
}

#[tokio::test]
async fn waiting_approvals_are_bounded_and_notes_hold_no_number() {
    let world = world().await;
    let custodian = world.who(Role::Custodian).await;
    for what in 0..100 {
        assert_eq!(why(world.ask(&custodian, bound(what, None)).await), "pending");
    }
    assert_eq!(why(world.ask(&custodian, bound(200, None)).await), "approvals_waiting");
    let note = Bound { reference: Some("call +44 7700 900123".into()), ..bound(201, None) };
    assert!(matches!(world.ask(&custodian, note).await, Err(AccessError::NumberInText("reference"))));
}
