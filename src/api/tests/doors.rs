//! Who gets in, and what those learn who do not.

use actix_web::http::Method;

use super::{House, NUMBER};
use crate::event::{Mode, Role};

#[actix_web::test]
async fn a_stranger_hears_401_before_anything_of_the_body_is_looked_at() {
    let house = House::new().await;
    for bearer in ["", "Basic x", "Bearer bk_test_unknown", "Bearer "] {
        let reply = house.send(Method::POST, "/v1/tokens", &[("authorization", bearer)], "{").await;
        assert_eq!(reply.problem(), (401, "unauthenticated".into()));
        assert_eq!(reply.header("www-authenticate"), Some(r#"Bearer realm="bauta""#));
    }
}

#[actix_web::test]
async fn a_stranger_who_keeps_trying_is_slowed_down() {
    let house = House::new().await;
    let mut last = 401;
    for _ in 0..200 {
        let reply = house.send(Method::GET, "/v1/tenant", &[], "").await;
        last = reply.status;
        if last == 429 {
            assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
            assert!(reply.header("ratelimit").is_some());
            break;
        }
    }
    assert_eq!(last, 429);
}

#[actix_web::test]
async fn only_a_custodian_with_a_purpose_gets_a_number_and_the_answer_is_not_cached() {
    let house = House::new().await;
    let path = format!("/v1/tokens/{}/reveal", house.token(NUMBER).await);
    for role in [Role::Admin, Role::Business, Role::Partner, Role::Operator, Role::Auditor, Role::Approver] {
        assert_eq!(house.post(role, &path, r#"{"purpose":"support"}"#).await.problem(), (403, "forbidden".into()));
    }
    assert_eq!(house.post(Role::Custodian, &path, r#"{"purpose":"curiosity"}"#).await.problem().0, 403);
    assert_eq!(house.post(Role::Custodian, &path, "{}").await.problem(), (400, "missing_field".into()));
    let reply = house.post(Role::Custodian, &path, r#"{"purpose":"support","reference":"case 4711"}"#).await;
    assert_eq!((reply.status, reply.json()["number"].as_str()), (200, Some("+447700900123")));
    assert_eq!(reply.json()["leaf"].as_str().unwrap().len(), 64);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[actix_web::test]
async fn a_token_that_is_unknown_foreign_or_mistyped_is_told_as_the_contract_says() {
    let (house, other) = (House::new().await, House::new().await);
    let own = house.token(NUMBER).await;
    let foreign = other.token(NUMBER).await;
    let read = async |token: &str| house.get(Role::Auditor, &format!("/v1/tokens/{token}")).await;
    assert_eq!(read(&own).await.json()["masked"], "+44 ••• ••• •23");
    assert_eq!(read(&foreign).await.problem(), (404, "not_found".into()));
    let last = if own.ends_with('x') { 'y' } else { 'x' };
    let mistyped = format!("{}{last}", &own[..own.len() - 1]);
    assert_eq!(read(&mistyped).await.problem(), (400, "token_mistyped".into()));
    assert_eq!(read(&own[1..]).await.problem(), (400, "token_malformed".into()));
    // A role that may not read hears the same whether the token exists or not.
    for token in [&own, &foreign] {
        assert_eq!(house.get(Role::Operator, &format!("/v1/tokens/{token}")).await.problem().0, 403);
    }
}

#[actix_web::test]
async fn a_frozen_tenant_reveals_nothing_until_it_is_thawed() {
    let house = House::new().await;
    let path = format!("/v1/tokens/{}/reveal", house.token(NUMBER).await);
    let tenant = house.get(Role::Operator, "/v1/tenant").await.json()["id"].clone();
    let target = serde_json::json!({ "target": tenant });
    assert_eq!(house.post(Role::Operator, "/v1/freeze", &target).await.json()["frozen"], true);
    let reveal = || house.post(Role::Custodian, &path, r#"{"purpose":"support"}"#);
    assert_eq!(reveal().await.problem(), (403, "frozen".into()));
    assert_eq!(house.post(Role::Operator, "/v1/thaw", &target).await.status, 200);
    assert_eq!(reveal().await.status, 200);
}

#[actix_web::test]
async fn the_sandbox_is_closed_to_live_credentials() {
    let house = House::of(Mode::Live).await;
    let reply = house.get(Role::Business, "/sandbox/messages?to=%2B447700900123").await;
    assert_eq!(reply.problem().0, 403, "{reply:?}");
}

#[actix_web::test]
async fn a_business_sees_only_its_own_entries_and_an_auditor_the_tenants() {
    let house = House::new().await;
    let token = house.token(NUMBER).await;
    house.post(Role::Custodian, &format!("/v1/tokens/{token}/reveal"), r#"{"purpose":"support"}"#).await;
    let actions = async |role: Role, query: &str| {
        let reply = house.get(role, &format!("/v1/audit/entries{query}")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(!reply.text.contains("447700900123") && !reply.text.contains(&token));
        let entries = reply.json()["data"].as_array().unwrap().clone();
        entries.iter().map(|e| e["entry"]["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(actions(Role::Auditor, &format!("?token={token}")).await, ["token.created", "token.revealed"]);
    assert_eq!(actions(Role::Auditor, "?action=token.revealed").await, ["token.revealed"]);
    assert_eq!(actions(Role::Business, "").await, ["token.created"]);
    assert!(actions(Role::Business, "?actor=custodian").await.is_empty());
    assert!(actions(Role::Auditor, "").await.contains(&"credential.created".to_owned()));
    assert_eq!(house.get(Role::Partner, "/v1/audit/entries").await.problem().0, 403);
}
