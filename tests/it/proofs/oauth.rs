//! Client credentials (RFC 6749 §4.4): the journey, what ends it, and what is not understood.

use serde_json::json;

use crate::http::Shop;
use crate::service::{Answer, answer, eventually};

const FORM: &str = "application/x-www-form-urlencoded";

async fn ask(shop: &Shop, form: &str, basic: Option<(&str, &str)>) -> Answer {
    let mut request = shop.service.request("POST", "/oauth/token").header("content-type", FORM).body(form.to_owned());
    if let Some((id, secret)) = basic {
        request = request.basic_auth(id, Some(secret));
    }
    answer(request).await
}

/// A credential made by the admin, with what is asked of it: its id and its key.
async fn hire(shop: &Shop, more: serde_json::Value) -> (String, String) {
    let mut wish = json!({"role": "business", "person": "till"});
    wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = shop.post("/v1/credentials", &shop.admin, wish).await.expect(201);
    (made.text_at("/id"), made.text_at("/key"))
}

async fn token(shop: &Shop, id: &str, key: &str) -> String {
    let got = ask(shop, "grant_type=client_credentials", Some((id, key))).await.expect(200);
    assert_eq!((got.text_at("/token_type").as_str(), got.text_at("/expires_in").as_str()), ("Bearer", "300"));
    assert_eq!(got.headers["cache-control"], "no-store");
    got.text_at("/access_token")
}

#[actix_web::test]
async fn an_access_token_does_what_its_credential_may_until_that_is_revoked() {
    let shop = Shop::open().await;
    let (id, key) = hire(&shop, json!({})).await;
    let bearer = token(&shop, &id, &key).await;
    let made = shop.post("/v1/tokens", &bearer, json!({"number": "+12025550143"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(shop.get("/v1/credentials", &bearer).await.expect(403).code(), "forbidden", "no more than its role");
    let posted = ask(&shop, &format!("grant_type=client_credentials&client_id={id}&client_secret={key}"), None).await;
    assert_ne!(posted.expect(200).text_at("/access_token"), bearer);
    let renewed = ask(&shop, "grant_type=client_credentials", Some((&id, &bearer))).await;
    assert_eq!(renewed.expect(401).text_at("/error"), "invalid_client", "a token does not renew itself");
    for at in [3, bearer.len() / 2, bearer.len() - 3] {
        let mut forged = bearer.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        shop.get("/v1/tenant", std::str::from_utf8(&forged).unwrap()).await.expect(401);
    }
    shop.call("DELETE", &format!("/v1/credentials/{id}"), &shop.admin, None).await.expect(204);
    shop.get("/v1/tenant", &bearer).await.expect(401);
    ask(&shop, "grant_type=client_credentials", Some((&id, &key))).await.expect(401);
    shop.leaves_no_trace_of(&[("+12025550143", 1)]);
}

#[actix_web::test]
async fn what_another_process_ends_ends_for_access_tokens_within_a_second_too() {
    let shop = Shop::open().await;
    let (id, key) = hire(&shop, json!({})).await;
    let bearer = token(&shop, &id, &key).await;
    shop.service.cli_word(&["freeze", "credential", &id, "--tenant", &shop.tenant]);
    eventually("frozen", 5, async || {
        let made = shop.post("/v1/tokens", &bearer, json!({"number": "+12025550143"})).await;
        (made.status == 403 && made.code() == "frozen").then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_credential_can_demand_access_tokens_and_nothing_else_will_do() {
    let shop = Shop::open().await;
    let (id, key) = hire(&shop, json!({"requires": ["oauth"]})).await;
    assert_eq!(shop.get("/v1/tenant", &key).await.expect(403).code(), "oauth_required");
    let bearer = token(&shop, &id, &key).await;
    shop.get("/v1/tenant", &bearer).await.expect(200);
    let (id, key) = hire(&shop, json!({"requires": ["key"]})).await;
    let bearer = token(&shop, &id, &key).await;
    assert_eq!(shop.get("/v1/tenant", &bearer).await.expect(403).code(), "key_required");
    let (_, key) = hire(&shop, json!({"requires": ["tls"]})).await;
    assert_eq!(shop.get("/v1/tenant", &key).await.expect(403).code(), "tls_required", "this listener is plain");
    for (field, wish) in [
        ("requires", json!({"requires": ["client_cert"]})),
        ("requires", json!({"requires": ["signature"]})),
        ("requires", json!({"requires": ["key", "oauth"]})),
        ("requires[1]", json!({"requires": ["tls", "passport"]})),
        ("client_cert", json!({"kind": "certificate"})),
        ("client_cert", json!({"client_cert": "no certificate"})),
        ("signing.alg", json!({"signing": {"alg": "rsa"}})),
    ] {
        let mut all = json!({"role": "business", "person": "till"});
        all.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
        let refused = shop.post("/v1/credentials", &shop.admin, all).await.expect(400);
        assert_eq!((refused.code().as_str(), refused.text_at("/errors/0/field").as_str()), ("invalid_field", field));
    }
}

#[actix_web::test]
async fn what_is_not_understood_is_told_as_the_rfc_says_and_nothing_comes_back() {
    let shop = Shop::open().await;
    let (id, key) = hire(&shop, json!({})).await;
    let whole = format!("grant_type=client_credentials&client_id={id}&client_secret={key}");
    let (_, other) = hire(&shop, json!({})).await;
    let cases: Vec<(String, u16, &str)> = vec![
        (String::new(), 400, "invalid_request"),
        ("grant_type=".into(), 400, "unsupported_grant_type"),
        (whole.replace("client_credentials", "password"), 400, "unsupported_grant_type"),
        (whole.replace("client_credentials", "mallory%0a"), 400, "unsupported_grant_type"),
        (format!("{whole}&scope=everything-mallory"), 400, "invalid_scope"),
        (format!("{whole}&grant_type=client_credentials"), 400, "invalid_request"),
        (format!("{whole}&client_id=mallory"), 400, "invalid_request"),
        ("grant_type=client_credentials".into(), 401, "invalid_client"),
        (format!("grant_type=client_credentials&client_id={id}"), 401, "invalid_client"),
        (format!("grant_type=client_credentials&client_id={id}&client_secret="), 401, "invalid_client"),
        (format!("grant_type=client_credentials&client_id={id}&client_secret={other}"), 401, "invalid_client"),
        (whole.replace(&id, "mallory"), 401, "invalid_client"),
        (whole.replace(&id, "crd_01k8q3v6r5e9x8wz7m4n2b1c0d"), 401, "invalid_client"),
        (format!("{whole}&x={}", "mallory".repeat(2_000)), 400, "invalid_request"),
        ("{\"grant_type\":\"mallory\"}".into(), 400, "invalid_request"),
        ("%ff%fe=mallory&&&===".into(), 400, "invalid_request"),
    ];
    for (form, status, error) in cases {
        let got = ask(&shop, &form, None).await;
        let short: String = form.chars().take(120).collect();
        assert_eq!((got.status, got.text_at("/error").as_str()), (status, error), "{short}");
        assert!(!got.text.contains("mallory") && !got.text.contains(&key), "{short}");
        assert_eq!(got.headers.contains_key("www-authenticate"), status == 401, "{short}");
    }
    let json = shop.service.request("POST", "/oauth/token").json(&json!({"grant_type": "client_credentials"}));
    assert_eq!(answer(json).await.expect(400).text_at("/error"), "invalid_request");
    let query = format!("/oauth/token?{whole}");
    let query = shop.service.request("POST", &query).header("content-type", FORM).body(whole.clone());
    assert_eq!(answer(query).await.expect(400).text_at("/error"), "invalid_request", "secrets do not belong in a URL");
    let twice = ask(&shop, &whole, Some((&id, &key))).await;
    assert_eq!(twice.expect(400).text_at("/error"), "invalid_request");
    let raw = shop.service.request("POST", "/oauth/token").header("content-type", FORM).body(vec![0xff_u8; 100]);
    assert_eq!(answer(raw).await.expect(400).text_at("/error"), "invalid_request");
    assert!(!shop.service.log().contains(&key));
}

#[actix_web::test]
async fn strangers_are_slowed_down_at_this_door_as_at_the_others() {
    let shop = Shop::open_with("[limits]\nstrangers_per_min = 10\n").await;
    let mut last = 0;
    for _ in 0..12 {
        last = ask(&shop, "grant_type=client_credentials&client_id=crd_x&client_secret=y", None).await.status;
    }
    assert_eq!(last, 429);
}

#[actix_web::test]
async fn the_server_says_what_it_can_do() {
    let shop = Shop::open().await;
    let said = shop.get("/.well-known/oauth-authorization-server", "").await.expect(200);
    assert_eq!(said.text_at("/issuer"), shop.service.base);
    assert_eq!(said.text_at("/token_endpoint"), format!("{}/oauth/token", shop.service.base));
    assert_eq!(
        said.json()["token_endpoint_auth_methods_supported"],
        json!(["client_secret_basic", "client_secret_post"])
    );
}
