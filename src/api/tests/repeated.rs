//! The same POST twice.

use actix_web::http::Method;

use super::{House, NUMBER, Reply};
use crate::event::Role;

async fn keyed(house: &House, role: Role, path: &str, key: &str, body: &str) -> Reply {
    let bearer = format!("Bearer {}", house.key(role));
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key), ("content-type", "application/json")];
    house.send(Method::POST, path, &headers, body.to_owned()).await
}

#[actix_web::test]
async fn a_repetition_gets_the_first_answer_and_another_body_is_told_so() {
    let house = House::new().await;
    let body = format!(r#"{{"number":"{NUMBER}","fresh":true}}"#);
    let first = keyed(&house, Role::Business, "/v1/tokens", "k1", &body).await;
    let second = keyed(&house, Role::Business, "/v1/tokens", "k1", &body).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
    assert_eq!((second.status, second.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(first.text, second.text);
    let other = keyed(&house, Role::Business, "/v1/tokens", "k1", r#"{"number":"+447700900124"}"#).await;
    assert_eq!(other.problem(), (422, "idempotency_mismatch".into()));
    let third = keyed(&house, Role::Business, "/v1/tokens", "k2", &body).await;
    assert_ne!(first.text, third.text);
}

#[actix_web::test]
async fn a_key_counts_for_one_credential_and_one_path_only() {
    let house = House::new().await;
    let target = r#"{"target":"als_01k8q3v6r5e9x8wz7m4n2b1c0d"}"#;
    assert_eq!(keyed(&house, Role::Operator, "/v1/freeze", "k", target).await.problem().0, 404);
    assert_eq!(
        keyed(&house, Role::Operator, "/v1/freeze", "k", target).await.header("idempotent-replayed"),
        Some("true")
    );
    assert_eq!(keyed(&house, Role::Operator, "/v1/thaw", "k", target).await.header("idempotent-replayed"), None);
    assert_eq!(keyed(&house, Role::Business, "/v1/freeze", "k", target).await.problem().0, 403);
}

#[actix_web::test]
async fn a_refused_request_gets_the_same_refusal_again() {
    let house = House::new().await;
    let first = keyed(&house, Role::Business, "/v1/tokens", "k", r#"{"number":1}"#).await;
    let second = keyed(&house, Role::Business, "/v1/tokens", "k", r#"{"number":1}"#).await;
    assert_eq!(first.problem(), second.problem());
    assert_eq!(first.json()["errors"], second.json()["errors"]);
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
}

#[actix_web::test]
async fn a_repeated_reveal_is_done_and_audited_afresh() {
    let house = House::new().await;
    let path = format!("/v1/tokens/{}/reveal", house.token(NUMBER).await);
    let reveal = || keyed(&house, Role::Custodian, &path, "k", r#"{"purpose":"support"}"#);
    let (first, second) = (reveal().await, reveal().await);
    assert_eq!((first.status, second.status), (200, 200));
    assert_ne!(first.json()["leaf"], second.json()["leaf"]);
    let other = keyed(&house, Role::Custodian, &path, "k", r#"{"purpose":"fraud"}"#).await;
    assert_eq!(other.problem(), (422, "idempotency_mismatch".into()));
}

#[actix_web::test]
async fn a_repeated_creation_of_a_credential_answers_without_its_key() {
    let house = House::new().await;
    let body = r#"{"role":"business","person":"checkout"}"#;
    let first = keyed(&house, Role::Admin, "/v1/credentials", "k", body).await;
    let second = keyed(&house, Role::Admin, "/v1/credentials", "k", body).await;
    assert!(first.json()["key"].as_str().unwrap().starts_with("bk_test_"));
    assert_eq!(first.header("cache-control"), Some("no-store"));
    assert_eq!(first.json()["id"], second.json()["id"]);
    assert!(second.json().get("key").is_none() && second.status == 201);
}

#[actix_web::test]
async fn a_key_has_1_to_255_visible_characters() {
    let house = House::new().await;
    let body = format!(r#"{{"number":"{NUMBER}"}}"#);
    for key in ["", "x".repeat(256).as_str()] {
        let reply = keyed(&house, Role::Business, "/v1/tokens", key, &body).await;
        assert_eq!(reply.problem(), (400, "idempotency_key_invalid".into()));
    }
    assert_eq!(keyed(&house, Role::Business, "/v1/tokens", &"x".repeat(255), &body).await.status, 201);
}
