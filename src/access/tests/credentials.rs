//! Issue, list, rotate, revoke; the terminal and the first admin.

use super::*;
use crate::ids;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn at_a_terminal_credentials_are_made_until_the_tenant_has_an_admin() {
    let world = World::new().await;
    for role in [Role::Business, Role::Partner, Role::Admin] {
        world.issue(world.other, role).await.unwrap();
    }
    let answer = world.issue(world.other, Role::Business).await;
    assert!(matches!(answer, Err(AccessError::Denied(Denied::Forbidden))), "now it takes the admin's key");
    assert!(world.issue(world.live, Role::Business).await.is_ok(), "another tenant's admin does not count");
    assert!(world.access.issue(&world.grant(Role::Auditor).await, a_credential(Role::Auditor)).await.is_ok());
}

#[tokio::test]
async fn once_the_admin_has_ended_the_terminal_issues_again() {
    let world = World::new().await;
    let ends_at = Some(world.now().plus(DAY));
    world.issue_as(world.other, NewCredential { ends_at, ..a_credential(Role::Admin) }).await.unwrap();
    assert!(world.issue(world.other, Role::Business).await.is_err());
    world.pass(DAY);
    assert!(world.issue(world.other, Role::Business).await.is_ok());
}

#[tokio::test]
async fn a_terminal_reveals_nothing_and_speaks_only_for_tenants_that_exist() {
    let world = World::new().await;
    let terminal = world.access.terminal("root", world.tenant).unwrap();
    let reveal = world.access.authorize(&terminal, Action::TokenReveal, a_token(Some("support"))).await;
    assert!(matches!(reveal, Err(Denied::Forbidden)));
    assert!(world.access.authorize(&terminal, Action::AuditRead, AuditLog { own: false }).await.is_ok());
    assert!(matches!(world.access.terminal("root", ids::fresh()), Err(Denied::Forbidden)));
}

#[tokio::test]
async fn the_key_is_kept_only_as_an_hmac_and_told_only_by_id() {
    let world = World::new().await;
    world.told();
    let issued = world.access.issue(&world.admin().await, a_credential(Role::Business)).await.unwrap();
    let kept = format!("{:?}", world.store.state().rows.credentials);
    let told: String = world.told().iter().map(|event| event.entry([0; 16]).text).collect();
    assert!(kept.contains(&issued.row.person) && told.contains(&issued.row.id.to_string()), "the right place to look");
    for text in [kept, told] {
        assert!(!text.contains(&issued.key[8..40]), "the key's own part");
    }
    assert_eq!(issued.row.secret, world.access.system().credential(&issued.key));
}

#[tokio::test]
async fn an_old_key_goes_on_for_the_overlap_beside_its_successor() {
    let world = World::new().await;
    let admin = world.grant(Role::Partner).await;
    let old = world.who(Role::Partner).await.credential;
    let new = world.access.rotate(&admin, old, None).await.unwrap();
    assert_eq!((new.row.role, new.row.audience.as_deref()), (Role::Partner, Some("courier")));
    world.pass(DAY - Duration::from_millis(1));
    assert!(world.access.identify(world.key(Role::Partner), HERE).await.is_ok());
    assert!(world.access.identify(&new.key, HERE).await.is_ok());
    world.pass(Duration::from_millis(1));
    assert!(world.access.identify(world.key(Role::Partner), HERE).await.is_err());
    assert!(world.access.identify(&new.key, HERE).await.is_ok());
    assert!(matches!(world.access.rotate(&admin, old, None).await, Err(AccessError::NotFound)));
}

#[tokio::test]
async fn rotation_keeps_the_length_of_a_life_and_never_lengthens_the_old_one() {
    let world = World::new().await;
    let admin = world.admin().await;
    let ends_at = Some(world.now().plus(2 * DAY));
    let old = world.access.issue(&admin, NewCredential { ends_at, ..a_credential(Role::Business) }).await.unwrap();
    world.pass(DAY);
    let new = world.access.rotate(&admin, old.row.id, Some(7 * DAY)).await.unwrap();
    assert_eq!(new.row.ends_at, Some(world.now().plus(2 * DAY)));
    let list = world.access.credentials(&admin, None, 100);
    assert_eq!(list.iter().find(|view| view.id == old.row.id).unwrap().ends_at, ends_at);
    let too_long = world.access.rotate(&admin, new.row.id, Some(31 * DAY)).await;
    assert!(matches!(too_long, Err(AccessError::Invalid { field: "overlap", .. })));
}

#[tokio::test]
async fn a_revoked_key_is_unknown_at_once() {
    let world = World::new().await;
    let business = world.who(Role::Business).await;
    let admin = world.admin().await;
    world.told();
    world.access.revoke(&admin, business.credential).await.unwrap();
    assert!(world.access.identify(world.key(Role::Business), HERE).await.is_err());
    let answer = world.access.authorize(&business, Action::AliasBind, NewAlias {}).await;
    assert!(matches!(answer, Err(Denied::Unauthenticated)));
    world.access.revoke(&admin, business.credential).await.unwrap();
    let revoked = |e: &&crate::event::Event| matches!(e.what, What::CredentialRevoked { .. });
    assert_eq!(world.told().iter().filter(revoked).count(), 1, "the second time changes nothing");
}

#[tokio::test]
async fn a_foreign_tenants_credential_is_not_found_nor_listed() {
    let world = World::new().await;
    let foreign = world.issue(world.other, Role::Business).await.unwrap().row.id;
    let admin = world.admin().await;
    assert!(matches!(world.access.revoke(&admin, foreign).await, Err(AccessError::NotFound)));
    assert!(matches!(world.access.rotate(&admin, foreign, None).await, Err(AccessError::NotFound)));
    let list = world.access.credentials(&admin, None, usize::MAX);
    assert_eq!(list.len(), Role::ALL.len());
    assert!(list.iter().all(|view| view.id != foreign));
}

#[tokio::test]
async fn a_list_goes_page_by_page_newest_first() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut seen = Vec::new();
    loop {
        let page = world.access.credentials(&admin, seen.last().copied(), 3);
        if page.is_empty() {
            break;
        }
        seen.extend(page.iter().map(|view| view.id));
    }
    assert_eq!(seen.len(), Role::ALL.len());
    assert!(seen.is_sorted_by(|a, b| a > b));
}

#[tokio::test]
async fn what_a_credential_must_not_be_is_refused_by_field() {
    let world = World::new().await;
    let admin = world.admin().await;
    let base = || a_credential(Role::Business);
    let partner =
        |audience: Option<&str>| NewCredential { audience: audience.map(str::to_owned), ..a_credential(Role::Partner) };
    let cases = [
        ("person", NewCredential { person: " ".into(), ..base() }),
        ("person", NewCredential { person: "a\nb".into(), ..base() }),
        ("person", NewCredential { person: "x".repeat(201), ..base() }),
        ("person", NewCredential { person: "Ann +1 212 555 0123".into(), ..base() }),
        ("audience", NewCredential { audience: Some("courier".into()), ..base() }),
        ("audience", partner(None)),
        ("audience", partner(Some(""))),
        ("audience", partner(Some("84901234567"))),
        ("audience", partner(Some("Grab Ltd"))),
        ("networks", NewCredential { networks: vec!["192.0.2.0/24".parse().unwrap(); 33], ..base() }),
        ("ends_at", NewCredential { ends_at: Some(world.now()), ..base() }),
    ];
    for (field, new) in cases {
        let shown = format!("{new:?}");
        match world.access.issue(&admin, new).await.err() {
            Some(AccessError::Invalid { field: named, .. } | AccessError::NumberInText(named)) => {
                assert_eq!(named, field, "{shown}");
            }
            other => panic!("{shown}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_tenant_comes_with_its_keys_and_a_name_of_its_own() {
    let world = World::new().await;
    assert!(world.access.keyring().tenant(world.live).await.is_ok());
    let again = world.access.create_tenant("root", "Market", Mode::Test, None).await;
    assert!(matches!(again, Err(AccessError::NameTaken)));
    let names: Vec<_> = world.access.tenants().iter().map(|tenant| tenant.name.clone()).collect();
    assert_eq!(names, ["Market", "Other", "Real"]);
    let bad = world.access.create_tenant("root", "Fine", Mode::Test, Some("not a region".into())).await;
    assert!(matches!(bad, Err(AccessError::Invalid { field: "region", .. })));
}
