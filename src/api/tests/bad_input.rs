//! Nothing that strangers send is answered with a fault of ours or sent back.

use actix_web::http::Method;

use super::{House, NUMBER};
use crate::event::Role;

async fn refused(house: &House, path: &str, body: &str) -> (u16, String) {
    house.post(Role::Business, path, body).await.problem()
}

#[actix_web::test]
async fn each_kind_of_broken_body_has_its_code_and_is_not_sent_back() {
    let house = House::new().await;
    let deep = format!(r#"{{"metadata":{}"#, "[".repeat(50_000));
    for (body, expected) in [
        ("", (400, "malformed_json")),
        ("{", (400, "malformed_json")),
        (deep.as_str(), (400, "malformed_json")),
        ("[]", (400, "invalid_field")),
        ("{}", (400, "missing_field")),
        (r#"{"number":447700900123}"#, (400, "invalid_field")),
        (r#"{"number":"+447700900123","nummer":1}"#, (400, "unknown_field")),
        (r#"{"number":"+447700900123","kind":"plain"}"#, (400, "invalid_field")),
        (r#"{"number":"+447700900123","kind":"fpe","fresh":true}"#, (400, "unsupported_value")),
        (r#"{"number":"+447700900123","ttl_s":-1}"#, (400, "invalid_field")),
        (r#"{"number":"+447700900123","ttl_s":0}"#, (400, "invalid_field")),
        (r#"{"number":"+447700900123","metadata":{"tel":"+44 7700 900124"}}"#, (422, "number_in_text")),
        (r#"{"number":"07700 900123"}"#, (422, "region_required")),
        (r#"{"number":"hello"}"#, (422, "number_invalid")),
    ] {
        let reply = house.post(Role::Business, "/v1/tokens", body).await;
        assert_eq!(reply.problem(), (expected.0, expected.1.to_owned()), "{body:.60}");
        assert!(!reply.text.contains("7700") && !reply.text.contains("nummer") && !reply.text.contains("hello"));
    }
}

#[actix_web::test]
async fn bytes_that_are_no_utf_8_are_malformed() {
    let house = House::new().await;
    let bearer = format!("Bearer {}", house.key(Role::Business));
    let reply =
        house.send(Method::POST, "/v1/tokens", &[("authorization", &bearer)], b"{\"number\":\"\xff\"}".to_vec()).await;
    assert_eq!(reply.problem(), (400, "malformed_json".into()));
}

#[actix_web::test]
async fn a_body_over_one_megabyte_and_a_batch_over_ten_thousand_are_refused() {
    let house = House::new().await;
    let large = format!(r#"{{"number":"{}"}}"#, "x".repeat(1_000_000));
    assert_eq!(refused(&house, "/v1/tokens", &large).await, (413, "body_too_large".into()));
    let many = format!(r#"{{"items":[{}]}}"#, vec![r#"{"number":"+447700900123"}"#; 10_001].join(","));
    assert_eq!(refused(&house, "/v1/tokens/batch", &many).await, (400, "batch_too_large".into()));
}

#[actix_web::test]
async fn a_body_of_another_media_type_is_refused_and_one_without_a_type_is_read() {
    let house = House::new().await;
    let bearer = format!("Bearer {}", house.key(Role::Business));
    let body = format!(r#"{{"number":"{NUMBER}"}}"#);
    let typed = [("authorization", bearer.as_str()), ("content-type", "text/plain")];
    let reply = house.send(Method::POST, "/v1/tokens", &typed, body.clone()).await;
    assert_eq!(reply.problem(), (415, "unsupported_media_type".into()));
    let reply = house.send(Method::POST, "/v1/tokens", &typed[..1], body).await;
    assert_eq!(reply.status, 201);
}

#[actix_web::test]
async fn unknown_paths_methods_and_parameters_are_problems_too() {
    let house = House::new().await;
    assert_eq!(house.get(Role::Admin, "/v1/nothing").await.problem(), (404, "not_found".into()));
    let reply = house.get(Role::Admin, "/v1/tokens").await;
    assert_eq!((reply.problem(), reply.header("allow")), ((405, "method_not_allowed".into()), Some("POST")));
    assert_eq!(house.get(Role::Admin, "/v1/aliases?colour=red").await.problem(), (400, "unknown_field".into()));
    assert_eq!(house.get(Role::Admin, "/v1/aliases?limit=red").await.problem(), (400, "invalid_field".into()));
    assert_eq!(house.get(Role::Admin, "/v1/tenant?x=1").await.problem(), (400, "unknown_field".into()));
    assert_eq!(house.get(Role::Admin, "/v1/aliases/%FF%00").await.problem(), (404, "not_found".into()));
}

#[actix_web::test]
async fn a_batch_gives_each_item_its_own_answer_in_order() {
    let house = House::new().await;
    let body = r#"{"items":[{"number":"+447700900124"},{"number":"nobody"},{"number":"+447700900123","kind":"sealed"},
        {"number":"+447700900123","kind":"lookalike"},{"number":"+447700900124","audience":"courier"}]}"#;
    let reply = house.post(Role::Business, "/v1/tokens/batch", body).await;
    let items = reply.json()["items"].clone();
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(items[0]["token"].as_str().unwrap().starts_with("tok_"));
    assert_eq!(items[1]["error"]["code"], "number_invalid");
    assert!(items[2]["token"].as_str().unwrap().starts_with("tks_"));
    assert!(items[3]["token"].as_str().unwrap().starts_with("+999"));
    assert_ne!(items[4]["token"], items[0]["token"]);
    assert_eq!(items.as_array().unwrap().len(), 5);
}
