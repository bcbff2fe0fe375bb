//! The table of roles, every cell of it.

use super::*;
use crate::ids;

/// One row for each action: the roles that may, as a credential of a test tenant.
const TABLE: &[(Action, &[Role])] = {
    use Action::*;
    use Role::*;
    &[
        (TokenCreate, &[Business]),
        (TokenCreateFpe, &[Business]),
        (TokenLookup, &[Business]),
        (TokenExchange, &[Business]),
        (TokenRead, &[Admin, Business, Auditor, Custodian]),
        (TokenReveal, &[Custodian]),
        (TokenErase, &[Business]),
        (SubjectErase, &[Business]),
        // Asked for with a purpose, as the export that holds the number.
        (SubjectExport, &[Custodian]),
        (SubjectChange, &[Business]),
        (VerificationStart, &[Business]),
        (VerificationCheck, &[Business]),
        (VerificationCancel, &[Business]),
        (VerificationRead, &[Admin, Business, Auditor, Custodian]),
        (AliasBind, &[Business, Partner]),
        (AliasRead, &[Admin, Business, Partner, Auditor, Custodian]),
        (AliasChange, &[Business, Partner]),
        (AliasRelease, &[Business, Partner]),
        (MessageSend, &[Business, Partner]),
        (MessageRead, &[Admin, Business, Partner, Auditor, Custodian]),
        (TemplateRead, &[Admin, Business, Partner, Auditor, Custodian]),
        (TemplateManage, &[Admin, Business]),
        (SuppressionRead, &[Admin, Business, Auditor, Custodian]),
        (SuppressionManage, &[Business]),
        (ComplaintFile, &[Business, Operator]),
        (UsageRead, &[Admin, Business, Operator, Auditor]),
        (TenantRead, &[Admin, Business, Partner, Operator, Auditor, Custodian, Approver]),
        (TenantChange, &[Admin]),
        (PoolManage, &[Admin]),
        (PoolRead, &[Admin, Operator]),
        (NumberDrain, &[Admin, Operator]),
        (WebhookManage, &[Admin, Business, Partner]),
        (WebhookTend, &[Admin, Business, Partner]),
        (WebhookRead, &[Admin, Business, Partner, Auditor]),
        (RouteRead, &[Admin, Business, Operator, Auditor, Approver]),
        // There is an approver, so that a second person has to agree.
        (RouteManage, &[]),
        (CredentialManage, &[Admin]),
        (CredentialRead, &[Admin]),
        (CredentialRevoke, &[Admin]),
        (ApprovalRead, &[Auditor, Approver]),
        (ApprovalDecide, &[Approver]),
        (PolicyRead, &[Admin, Operator, Auditor, Approver]),
        (PolicyPropose, &[Admin]),
        // There is an approver, so that a second person has to agree.
        (PolicyActivate, &[]),
        (AuditRead, &[Admin, Operator, Auditor]),
        (Freeze, &[Operator]),
        (SandboxUse, &[Admin, Business, Partner, Operator, Auditor, Custodian, Approver]),
        (TenantCreate, &[]),
        (TenantErase, &[Admin]),
        (StoreBackup, &[]),
        (DeploymentAudit, &[]),
        (KeyManage, &[Admin]),
        // As for policies.
        (KeyDestroy, &[]),
        (DeploymentKeyManage, &[]),
        // Not to be asked for by a caller: it has no resource of its own outside this room.
        (AudienceCross, &[]),
    ]
};

async fn ask(world: &World, role: Role, action: Action) -> Result<bool, Denied> {
    let who = world.who(role).await;
    let access = &world.access;
    use Action::*;
    match action {
        TokenCreate => access.authorize(&who, action, NewTokens { audience: None }).await.map(|p| p.sees_all()),
        TokenCreateFpe => access.authorize(&who, action, NewFpe { audience: None }).await.map(|p| p.sees_all()),
        TokenLookup => access.authorize(&who, action, Holdings {}).await.map(|p| p.sees_all()),
        TokenExchange => access.authorize(&who, action, exchange(Some("insurer"))).await.map(|p| p.sees_all()),
        TokenRead | TokenReveal => access.authorize(&who, action, a_token(Some("support"))).await.map(|p| p.sees_all()),
        TokenErase | SubjectErase | SubjectChange => {
            access.authorize(&who, action, a_token(None)).await.map(|p| p.sees_all())
        }
        SubjectExport => access.authorize(&who, action, a_token(Some("support"))).await.map(|p| p.sees_all()),
        VerificationStart => access.authorize(&who, action, NewVerification {}).await.map(|p| p.sees_all()),
        VerificationCheck | VerificationCancel | VerificationRead => {
            access.authorize(&who, action, VerificationRef { id: ids::fresh() }).await.map(|p| p.sees_all())
        }
        AliasBind => access.authorize(&who, action, NewAlias {}).await.map(|p| p.sees_all()),
        AliasRead => access.authorize(&who, action, AliasList {}).await.map(|p| p.sees_all()),
        AliasChange | AliasRelease | MessageSend => {
            access.authorize(&who, action, AliasRef { id: ids::fresh() }).await.map(|p| p.sees_all())
        }
        MessageRead => access.authorize(&who, action, MessageRef { id: ids::fresh() }).await.map(|p| p.sees_all()),
        TemplateRead | TemplateManage => access.authorize(&who, action, Templates {}).await.map(|p| p.sees_all()),
        SuppressionRead | SuppressionManage => {
            access.authorize(&who, action, Suppressions {}).await.map(|p| p.sees_all())
        }
        ComplaintFile => access.authorize(&who, action, Complaints {}).await.map(|p| p.sees_all()),
        UsageRead => access.authorize(&who, action, UsageCounts {}).await.map(|p| p.sees_all()),
        TenantRead | TenantChange => access.authorize(&who, action, TenantProfile {}).await.map(|p| p.sees_all()),
        PoolManage | PoolRead | NumberDrain => access.authorize(&who, action, Pools {}).await.map(|p| p.sees_all()),
        WebhookManage | WebhookTend | WebhookRead => {
            let of = Endpoints { audience: who.audience.clone() };
            access.authorize(&who, action, of).await.map(|p| p.sees_all())
        }
        RouteRead | RouteManage => access.authorize(&who, action, RouteSet {}).await.map(|p| p.sees_all()),
        CredentialManage | CredentialRead | CredentialRevoke => {
            access.authorize(&who, action, Credentials { grants: None }).await.map(|p| p.sees_all())
        }
        ApprovalRead => access.authorize(&who, action, Approvals { own: false }).await.map(|p| p.sees_all()),
        ApprovalDecide => access.authorize(&who, action, ApprovalRef { id: ids::fresh() }).await.map(|p| p.sees_all()),
        PolicyRead | PolicyPropose | PolicyActivate => {
            access.authorize(&who, action, PolicySet { version: None }).await.map(|p| p.sees_all())
        }
        AuditRead => access.authorize(&who, action, AuditLog { own: false }).await.map(|p| p.sees_all()),
        Freeze => {
            let target = world.tenant.to_string();
            access.authorize(&who, action, FreezeSwitch { target }).await.map(|p| p.sees_all())
        }
        SandboxUse => access.authorize(&who, action, SandboxHandsets {}).await.map(|p| p.sees_all()),
        KeyManage | KeyDestroy => access.authorize(&who, action, Keys {}).await.map(|p| p.sees_all()),
        DeploymentKeyManage => access.authorize(&who, action, DeploymentKeys {}).await.map(|p| p.sees_all()),
        DeploymentAudit => access.authorize(&who, action, DeploymentLog {}).await.map(|p| p.sees_all()),
        TenantErase => access.authorize(&who, action, TenantRef {}).await.map(|p| p.sees_all()),
        StoreBackup => access.authorize(&who, action, DeploymentStore {}).await.map(|p| p.sees_all()),
        TenantCreate | AudienceCross => access.authorize(&who, action, NewTenant {}).await.map(|p| p.sees_all()),
    }
}

#[tokio::test]
async fn every_cell_of_the_table_of_roles_holds() {
    let world = World::new().await;
    assert_eq!(TABLE.iter().map(|(action, _)| *action).collect::<Vec<_>>(), Action::ALL, "every action has its row");
    for (action, allowed) in TABLE {
        for role in Role::ALL {
            world.pass(Duration::from_secs(1));
            let answer = ask(&world, role, *action).await;
            let name = format!("{} {}", role.as_str(), action.as_str());
            match (allowed.contains(&role), answer) {
                (true, Ok(sees_all)) => {
                    let reads = matches!(role, Role::Admin | Role::Business | Role::Auditor | Role::Custodian);
                    assert_eq!(sees_all, reads, "{name}: sees all audiences and masks");
                }
                (false, Err(Denied::Forbidden)) => {}
                (expected, answer) => panic!("{name}: expected {expected}, got {answer:?}"),
            }
        }
    }
}

#[tokio::test]
async fn own_entries_are_read_by_those_who_act_and_by_those_who_read_all() {
    let world = World::new().await;
    for role in Role::ALL {
        let answer = world.access.authorize(&world.who(role).await, Action::AuditRead, AuditLog { own: true }).await;
        assert_eq!(answer.is_ok(), !matches!(role, Role::Partner | Role::Approver), "{}", role.as_str());
    }
}

#[tokio::test]
async fn a_custodian_reveals_only_for_a_purpose_on_the_list() {
    let world = World::new().await;
    let custodian = world.who(Role::Custodian).await;
    for purpose in ["support", "fraud", "legal", "delivery", "emergency"] {
        let permit = world.access.authorize(&custodian, Action::TokenReveal, a_token(Some(purpose))).await.unwrap();
        assert_eq!(permit.resource().purpose(), Some(purpose));
    }
    for purpose in [None, Some(""), Some("curiosity"), Some("Support"), Some(&*"support".repeat(50))] {
        let answer = world.access.authorize(&custodian, Action::TokenReveal, a_token(purpose)).await;
        assert!(matches!(answer, Err(Denied::Forbidden)), "{purpose:?}");
    }
}

#[tokio::test]
async fn live_credentials_have_no_sandbox() {
    let world = World::new().await;
    for role in [Role::Business, Role::Partner, Role::Operator, Role::Admin] {
        let key = world.issue(world.live, role).await.unwrap().key;
        assert!(key.starts_with("bk_live_"));
        let who = world.access.identify(&key, HERE).await.unwrap();
        assert_eq!(who.mode, Mode::Live);
        let answer = world.access.authorize(&who, Action::SandboxUse, SandboxHandsets {}).await;
        assert!(matches!(answer, Err(Denied::Forbidden)), "{}", role.as_str());
    }
}

#[tokio::test]
async fn a_permit_says_whose_it_is_and_who_asked() {
    let world = World::new().await;
    let partner = world.who(Role::Partner).await;
    let permit = world.access.authorize(&partner, Action::AliasBind, NewAlias {}).await.unwrap();
    assert_eq!((permit.tenant(), permit.mode(), permit.brand()), (world.tenant, Mode::Test, "Market"));
    assert_eq!((permit.credential(), permit.audience()), (Some(partner.credential), Some("courier")));
    assert_eq!(permit.policy(), world.access.policies().version());
    let event = permit.event(world.now(), What::AuditRead { entries: 0 });
    assert_eq!((event.tenant, event.policy.as_deref()), (Some(world.tenant), Some(permit.policy())));
}

#[tokio::test]
async fn nothing_of_a_foreign_tenant_can_be_frozen_nor_told_from_nothing() {
    let world = World::new().await;
    let foreign = world.issue(world.other, Role::Business).await.unwrap().row.id;
    let nobody: ids::CredentialId = ids::fresh();
    let operator = world.who(Role::Operator).await;
    for target in [world.other.to_string(), foreign.to_string(), nobody.to_string(), String::new(), "x".into()] {
        let answer = world.access.authorize(&operator, Action::Freeze, FreezeSwitch { target: target.clone() }).await;
        assert!(matches!(answer, Err(Denied::Forbidden)), "{target}");
    }
}
