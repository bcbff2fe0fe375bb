//! Each resource, once through its life.

use actix_web::http::Method;
use serde_json::json;

use super::{House, NUMBER};
use crate::event::Role;

#[actix_web::test]
async fn a_verification_is_started_guessed_at_cancelled_and_over() {
    let house = House::new().await;
    let wish = json!({ "to": { "number": NUMBER }, "purpose": "login", "locale": "vi", "code_length": 4 });
    let started = house.post(Role::Business, "/v1/verifications", wish).await;
    assert_eq!((started.status, &started.json()["status"]), (201, &json!("pending")), "{started:?}");
    assert_eq!(started.json()["attempts_left"], 5);
    assert_eq!(started.json()["masked"], "+44 ••• ••• •23");
    let path = format!("/v1/verifications/{}", started.json()["id"].as_str().unwrap());
    let wrong = house.post(Role::Business, &format!("{path}/check"), r#"{"code":"wrong-"}"#).await;
    assert!(wrong.status == 400 || wrong.json()["valid"] == false, "{wrong:?}");
    assert_eq!(house.post(Role::Business, &format!("{path}/check"), r#"{"code":1234}"#).await.problem().0, 400);
    assert_eq!(house.post(Role::Business, &format!("{path}/resend"), "").await.status, 200);
    assert_eq!(house.post(Role::Business, &format!("{path}/cancel"), "{}").await.json()["status"], "canceled");
    let over = house.post(Role::Business, &format!("{path}/check"), r#"{"code":"1234"}"#).await;
    assert_eq!(over.problem(), (410, "verification_canceled".into()));
    assert_eq!(house.get(Role::Auditor, &path).await.json()["status"], "canceled");
}

#[actix_web::test]
async fn what_a_verification_cannot_honour_is_refused() {
    let house = House::new().await;
    for (wish, expected) in [
        (json!({ "to": "tok_x" }), "token_malformed"),
        (json!({ "purpose": "login" }), "missing_field"),
        (json!({ "to": { "number": NUMBER }, "channel": "voice" }), "unsupported_value"),
        (json!({ "to": { "number": NUMBER }, "workflow": [] }), "unsupported_value"),
        (json!({ "hosted": { "return_url": "https://shop.example" } }), "unsupported_value"),
        (json!({ "to": { "number": NUMBER, "nummer": 1 } }), "unknown_field"),
        (json!({ "to": { "number": NUMBER }, "code_length": 3 }), "invalid_field"),
        (json!({ "to": { "number": NUMBER }, "ttl_s": 29 }), "invalid_field"),
        (json!({ "to": { "number": NUMBER }, "user_ref": "+44 7700 900124" }), "number_in_text"),
        (json!({ "to": 4 }), "invalid_field"),
    ] {
        assert_eq!(house.post(Role::Business, "/v1/verifications", &wish).await.problem().1, expected, "{wish}");
    }
}

#[actix_web::test]
async fn an_alias_is_bound_from_a_pool_seen_extended_and_released() {
    let house = House::new().await;
    let pool = house.post(Role::Admin, "/v1/pools", r#"{"name":"main","carrier":"sandbox"}"#).await;
    assert_eq!((pool.status, &pool.json()["free"]), (201, &json!(0)), "{pool:?}");
    let numbers = format!("/v1/pools/{}/numbers", pool.json()["id"].as_str().unwrap());
    let added =
        house.post(Role::Admin, &numbers, r#"{"numbers":["+12025550143","+1 202 555 0144"],"region":"US"}"#).await;
    assert_eq!((added.status, &added.json()["added"]), (201, &json!(2)), "{added:?}");
    assert_eq!(house.get(Role::Admin, "/v1/pools").await.json()["data"][0]["free"], 2);

    let wish = json!({ "mode": "ax", "a": house.token(NUMBER).await, "ttl_s": 3600, "metadata": { "order": "B-17" } });
    let bound = house.post(Role::Business, "/v1/aliases", wish).await;
    assert_eq!((bound.status, &bound.json()["status"]), (201, &json!("active")), "{bound:?}");
    let path = format!("/v1/aliases/{}", bound.json()["id"].as_str().unwrap());
    let number = bound.json()["number"].as_str().unwrap().to_owned();
    let listed = house.get(Role::Business, &format!("/v1/aliases?status=active&number={number}")).await;
    assert_eq!((listed.json()["data"].as_array().unwrap().len(), &listed.json()["next"]), (1, &json!(null)));
    assert_eq!(house.get(Role::Business, &format!("{path}/messages")).await.json()["data"], json!([]));

    let bearer = format!("Bearer {}", house.key(Role::Business));
    let patched = house.send(Method::PATCH, &path, &[("authorization", &bearer)], r#"{"ttl_s":null}"#).await;
    assert_eq!((patched.status, &patched.json()["expires_at"]), (200, &json!(null)), "{patched:?}");
    assert_eq!(house.call(Role::Business, Method::DELETE, &path).await.status, 204);
    assert_eq!(house.get(Role::Business, &path).await.json()["status"], "released");
    assert_eq!(house.call(Role::Operator, Method::DELETE, &format!("{numbers}/{number}")).await.status, 204);
    assert_eq!(house.call(Role::Admin, Method::DELETE, &format!("{numbers}/+12025550199")).await.problem().0, 404);
}

#[actix_web::test]
async fn a_credential_is_issued_listed_rotated_and_revoked() {
    let house = House::new().await;
    let body = r#"{"role":"auditor","person":"Ada","ip":["192.0.2.0/24"]}"#;
    let issued = house.post(Role::Admin, "/v1/credentials", body).await;
    assert_eq!(issued.status, 201, "{issued:?}");
    let path = format!("/v1/credentials/{}", issued.json()["id"].as_str().unwrap());
    let rotated = house.post(Role::Admin, &format!("{path}/rotate"), r#"{"overlap_s":60}"#).await;
    assert!(rotated.json()["key"].as_str().unwrap() != issued.json()["key"].as_str().unwrap());
    assert_eq!(house.call(Role::Admin, Method::DELETE, &path).await.status, 204);
    let page = house.get(Role::Admin, "/v1/credentials?limit=2").await;
    assert_eq!(page.json()["data"].as_array().unwrap().len(), 2);
    assert!(page.json()["next"].is_string() && !page.text.contains("bk_"));
    // Used from elsewhere, a key is as good as none.
    let bearer = format!("Bearer {}", rotated.json()["key"].as_str().unwrap());
    let reply = house.send(Method::GET, "/v1/tenant", &[("authorization", &bearer)], "").await;
    assert_eq!(reply.problem(), (401, "unauthenticated".into()));
    assert_eq!(house.get(Role::Business, "/v1/credentials").await.problem().0, 403);
}

#[actix_web::test]
async fn a_handset_is_read_by_token_or_number_and_writes_to_an_alias() {
    let house = House::new().await;
    let token = house.token(NUMBER).await;
    for to in [token.as_str(), "%2B447700900123", "+447700900123"] {
        let reply = house.get(Role::Business, &format!("/sandbox/messages?to={to}")).await;
        assert_eq!((reply.status, &reply.json()["data"]), (200, &json!([])), "{reply:?}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    for from in ["Facebook", "8069", "+447700900124", token.as_str()] {
        let message = json!({ "from": from, "to": "+12025550143", "text": "123456 is your code" });
        let reply = house.post(Role::Business, "/sandbox/messages", message).await;
        assert_eq!((reply.status, &reply.json()["status"]), (201, &json!("carried")), "{reply:?}");
    }
    assert_eq!(house.notes.0.lock().unwrap().len(), 4);
}

#[actix_web::test]
async fn what_is_public_needs_no_credential() {
    let house = House::new().await;
    for path in ["/healthz", "/readyz", "/.well-known/jwks.json", "/openapi.json"] {
        let reply = house.send(Method::GET, path, &[], "").await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert!(reply.header("x-request-id").unwrap().starts_with("req_"));
    }
    let page = house.send(Method::GET, "/docs/", &[], "").await;
    assert!(page.status == 200 && page.header("content-security-policy").is_some(), "{page:?}");
    let bare = house.send(Method::GET, "/docs", &[], "").await;
    assert_eq!((bare.status, bare.header("location")), (307, Some("/docs/")));
    let settings = house.send(Method::GET, "/docs/swagger-initializer.js", &[], "").await;
    assert!(settings.text.contains("/openapi.json") && settings.status == 200, "{settings:?}");
}

#[actix_web::test]
async fn every_route_is_in_the_document_and_every_documented_route_answers() {
    let house = House::new().await;
    let document: serde_json::Value = serde_json::from_str(&super::super::openapi::document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let concrete = path.replace("{token}", "tok_x").replace("{id}", "x").replace("{n}", "x");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            // Nobody is told which carriers there are; that the door is there shows in what it does not take.
            let (method, refused): (_, &[u16]) =
                if path.starts_with("/carriers/") { (Method::DELETE, &[404]) } else { (method, &[404, 405]) };
            let reply = house.send(method.clone(), &concrete, &[], "").await;
            assert!(!refused.contains(&reply.status), "{method} {path}: {reply:?}");
        }
    }
}
