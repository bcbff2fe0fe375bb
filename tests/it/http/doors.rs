//! Who gets in, and how fast they are put out: modes, networks, audiences, roles, freezes, rotation, revocation.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{ANNA, BEN, Shop};
use crate::service::eventually;

#[actix_web::test]
async fn test_and_live_never_meet() {
    let shop = Shop::open().await;
    let live = shop.service.tenant("Ponte", "live");
    let business = shop.service.credential(&live, "business", "live shop", &[]);
    let admin = shop.service.credential(&live, "admin", "live admin", &[]);
    assert!(business.starts_with("bk_live_") && shop.business.starts_with("bk_test_"));
    let fiction = json!({"number": "+44 7700 900123"});
    shop.post("/v1/tokens", &shop.business, fiction.clone()).await.expect(201);
    assert_eq!(shop.post("/v1/tokens", &business, fiction).await.expect(422).code(), "number_invalid");
    for (method, path, body) in [
        ("GET", "/sandbox/messages?to=%2B12025550143", None),
        ("POST", "/sandbox/messages", Some(json!({"from": "HFM", "to": "+18675550100", "text": "x"}))),
    ] {
        assert_eq!(shop.call(method, path, &business, body).await.expect(403).code(), "forbidden", "{path}");
    }
    let token = shop.token(ANNA.0).await;
    let theirs = shop.post("/v1/tokens", &business, json!({"number": ANNA.0})).await.expect(201).text_at("/token");
    shop.get(&format!("/v1/tokens/{token}"), &business).await.expect(404);
    shop.get(&format!("/v1/tokens/{theirs}"), &shop.business).await.expect(404);
    // The first start's pool is shared among test tenants; nobody live has it, nor a pool on the sandbox.
    shop.post("/v1/aliases", &shop.business, json!({"mode": "ax", "a": token})).await.expect(201);
    let none = shop.post("/v1/aliases", &business, json!({"mode": "ax", "a": theirs})).await.expect(409);
    assert_eq!(none.code(), "pool_exhausted");
    let pool = shop.post("/v1/pools", &admin, json!({"name": "sneaky", "carrier": "sandbox"})).await;
    assert_eq!((pool.status, pool.code()), (422, "unroutable".to_owned()));
    // A live verification finds no carrier that may take it, and never the sandbox.
    let sent = shop.post("/v1/verifications", &business, json!({"to": theirs})).await;
    assert!(sent.status < 500, "{}", sent.text);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(shop.handset(&token, 0).await.is_empty());
    shop.leaves_no_trace_of(&[ANNA, ("+447700900123", 2)]);
}

#[actix_web::test]
async fn a_key_opens_only_from_its_networks() {
    let shop = Shop::open().await;
    let hire = async |ip: &str| {
        let wish = json!({"role": "business", "person": format!("from {ip}"), "ip": [ip]});
        shop.post("/v1/credentials", &shop.admin, wish).await.expect(201).text_at("/key")
    };
    let (elsewhere, here) = (hire("192.0.2.0/24").await, hire("127.0.0.0/8").await);
    shop.get("/v1/tenant", &here).await.expect(200);
    let refused = shop.get("/v1/tenant", &elsewhere).await.expect(401);
    let unknown = shop.get("/v1/tenant", "bk_test_nobody").await.expect(401);
    assert_eq!(refused.sans_request_id(), unknown.sans_request_id(), "a thief does not learn that the key is good");
    for header in ["x-forwarded-for", "forwarded", "x-real-ip"] {
        let claim = shop.service.request("GET", "/v1/tenant").bearer_auth(&elsewhere).header(header, "192.0.2.7");
        crate::service::answer(claim).await.expect(401);
    }
}

#[actix_web::test]
async fn a_proxy_of_ours_is_believed_about_where_a_caller_is() {
    let mut shop = Shop::open().await;
    let path = shop.service.folder().join("bauta.toml");
    let settings = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, settings.replace("[server]\n", "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n")).unwrap();
    let wish = json!({"role": "business", "person": "remote", "ip": ["192.0.2.0/24"]});
    let key = shop.post("/v1/credentials", &shop.admin, wish).await.expect(201).text_at("/key");
    shop.service.stop();
    shop.service.restart().await;
    for (hops, status) in
        [("192.0.2.7", 200), ("198.51.100.1", 401), ("192.0.2.7, 198.51.100.1", 401), ("x, 192.0.2.7", 200)]
    {
        let claim = shop.service.request("GET", "/v1/tenant").bearer_auth(&key).header("x-forwarded-for", hops);
        crate::service::answer(claim).await.expect(status);
    }
}

#[actix_web::test]
async fn a_partner_reaches_only_people_of_its_audience() {
    let shop = Shop::open().await;
    let (own, theirs) = (shop.token_for(ANNA.0, "courier").await, shop.token(ANNA.0).await);
    let foreign = shop.token_for(ANNA.0, "insurer").await;
    assert!(own != theirs && own != foreign && theirs != foreign, "no two audiences can be joined");
    let unknown = {
        let other = shop.service.tenant("Murano", "test");
        let key = shop.service.credential(&other, "business", "their shop", &[]);
        shop.post("/v1/tokens", &key, json!({"number": BEN.0})).await.expect(201).text_at("/token")
    };
    let bind = async |token: &str| shop.post("/v1/aliases", &shop.partner, json!({"mode": "ax", "a": token})).await;
    let alias = bind(&own).await.expect(201);
    assert_eq!(alias.text_at("/a"), own, "answers speak in the receiver's audience");
    let never = bind(&unknown).await.expect(404).sans_request_id();
    for token in [&theirs, &foreign] {
        assert_eq!(bind(token).await.expect(404).sans_request_id(), never);
        assert_eq!(shop.get(&format!("/v1/tokens/{token}"), &shop.partner).await.expect(403).code(), "forbidden");
    }
    let business = shop.post("/v1/aliases", &shop.business, json!({"mode": "ax", "a": theirs})).await.expect(201);
    let id = business.text_at("/id");
    let hidden = shop.get(&format!("/v1/aliases/{id}"), &shop.partner).await.expect(404);
    let nowhere = shop.get("/v1/aliases/als_01k8q3v6r5e9x8wz7m4n2b1c0d", &shop.partner).await.expect(404);
    assert_eq!(hidden.sans_request_id(), nowhere.sans_request_id());
    let list = shop.get("/v1/aliases", &shop.partner).await.expect(200).json();
    assert_eq!(list["data"].as_array().unwrap().len(), 1, "{list}");
    assert_eq!(list["data"][0]["id"], alias.json()["id"]);
    assert!(!list.to_string().contains("masked"));
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}

/// Method, whom it is refused, path, one id that exists and one that does not, body.
type Refusal<'a> = (&'a str, Vec<&'a String>, String, [String; 2], Option<Value>);

#[actix_web::test]
async fn a_role_is_refused_alike_whether_the_thing_exists_or_not() {
    let shop = Shop::open().await;
    let token = shop.token(ANNA.0).await;
    let verification = shop.start(json!({"to": token})).await.expect(201).text_at("/id");
    let alias = shop.post("/v1/aliases", &shop.business, json!({"mode": "ax", "a": token})).await.expect(201);
    let alias = alias.text_at("/id");
    let credential = shop.get("/v1/tenant", &shop.auditor).await.text_at("/credential/id");
    let pool = shop.pool("own", &["+16045550100".to_owned()]).await;
    let never = |prefix: &str| format!("{prefix}_01k8q3v6r5e9x8wz7m4n2b1c0d");
    let other = {
        let tenant = shop.service.tenant("Murano", "test");
        let key = shop.service.credential(&tenant, "business", "their shop", &[]);
        shop.post("/v1/tokens", &key, json!({"number": ANNA.0})).await.expect(201).text_at("/token")
    };
    let reveal = || Some(json!({"purpose": "support"}));
    let (business, partner, operator, auditor) = (&shop.business, &shop.partner, &shop.operator, &shop.auditor);
    let (custodian, admin) = (&shop.custodian, &shop.admin);
    let table: Vec<Refusal> = vec![
        (
            "POST",
            vec![business, partner, operator, auditor, admin],
            "/v1/tokens/{}/reveal".into(),
            [token.clone(), other.clone()],
            reveal(),
        ),
        ("GET", vec![partner, operator], "/v1/tokens/{}".into(), [token.clone(), other], None),
        ("GET", vec![partner, operator], "/v1/verifications/{}".into(), [verification.clone(), never("ver")], None),
        (
            "POST",
            vec![partner, operator, auditor, custodian, admin],
            "/v1/verifications/{}/check".into(),
            [verification.clone(), never("ver")],
            Some(json!({"code": "123456"})),
        ),
        (
            "POST",
            vec![partner, operator, auditor, custodian, admin],
            "/v1/verifications/{}/cancel".into(),
            [verification, never("ver")],
            None,
        ),
        (
            "DELETE",
            vec![operator, auditor, custodian, admin],
            "/v1/aliases/{}".into(),
            [alias.clone(), never("als")],
            None,
        ),
        (
            "PATCH",
            vec![operator, auditor, custodian, admin],
            "/v1/aliases/{}".into(),
            [alias, never("als")],
            Some(json!({"ttl_s": 60})),
        ),
        (
            "POST",
            vec![business, partner, operator, auditor, custodian],
            "/v1/credentials/{}/rotate".into(),
            [credential.clone(), never("crd")],
            None,
        ),
        (
            "DELETE",
            vec![business, partner, operator, auditor, custodian],
            "/v1/credentials/{}".into(),
            [credential, never("crd")],
            None,
        ),
        ("GET", vec![business, partner, auditor, custodian], "/v1/pools/{}".into(), [pool.clone(), never("pol")], None),
        (
            "POST",
            vec![business, partner, operator, auditor, custodian],
            "/v1/pools/{}/numbers".into(),
            [pool, never("pol")],
            Some(json!({"numbers": ["+16045550199"]})),
        ),
    ];
    for (method, keys, path, ids, body) in table {
        for key in keys {
            let mut heard = std::collections::BTreeSet::new();
            for id in &ids {
                let got = shop.call(method, &path.replace("{}", id), key, body.clone()).await;
                assert_eq!((got.status, got.code()), (403, "forbidden".to_owned()), "{method} {path}: {}", got.text);
                heard.insert(got.sans_request_id());
            }
            assert_eq!(heard.len(), 1);
        }
    }
    for (path, keys) in [
        ("/v1/tokens", vec![partner, operator, auditor, custodian, admin]),
        ("/v1/freeze", vec![business, partner, auditor, custodian, admin]),
        ("/v1/credentials", vec![business, partner, operator, auditor, custodian]),
    ] {
        let body = match path {
            "/v1/tokens" => json!({"number": BEN.0}),
            "/v1/freeze" => json!({"target": shop.tenant}),
            _ => json!({"role": "custodian", "person": "mallory"}),
        };
        for key in keys {
            assert_eq!(shop.post(path, key, body.clone()).await.expect(403).code(), "forbidden");
        }
    }
    shop.get("/v1/audit/entries", partner).await.expect(403);
    let denied = shop.get("/v1/audit/entries?outcome=denied&limit=100", auditor).await.expect(200).json();
    assert!(denied["data"].as_array().unwrap().len() >= 60, "every refusal is an entry");
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn a_reveal_needs_a_purpose_that_the_policies_know() {
    let shop = Shop::open().await;
    let token = shop.token(ANNA.0).await;
    let path = format!("/v1/tokens/{token}/reveal");
    for (body, status) in [(json!({}), 400), (json!({"purpose": "curiosity"}), 403), (json!({"purpose": ""}), 400)] {
        shop.post(&path, &shop.custodian, body).await.expect(status);
    }
    // Not through `shop`: this one answer may hold the number.
    let revealed = shop.service.post(&path, &shop.custodian, json!({"purpose": "fraud"})).await.expect(200);
    assert_eq!(revealed.text_at("/number"), ANNA.0);
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn a_freeze_holds_at_once_through_the_api_and_within_a_second_from_the_terminal() {
    let shop = Shop::open().await;
    let (token, ben) = (shop.token(ANNA.0).await, shop.token(BEN.0).await);
    let alias =
        shop.post("/v1/aliases", &shop.business, json!({"mode": "axb", "a": token, "b": ben})).await.expect(201);
    let (id, x) = (alias.text_at("/id"), alias.text_at("/number"));
    let custodian = shop.get("/v1/tenant", &shop.custodian).await.text_at("/credential/id");
    let reveal = async || {
        let path = format!("/v1/tokens/{token}/reveal");
        shop.service.post(&path, &shop.custodian, json!({"purpose": "support"})).await.status
    };
    let switch = async |way: &str, target: &str| {
        shop.post(&format!("/v1/{way}"), &shop.operator, json!({"target": target})).await.expect(200);
    };
    assert_eq!(reveal().await, 200);
    switch("freeze", &custodian).await;
    assert_eq!(reveal().await, 403);
    switch("thaw", &custodian).await;
    assert_eq!(reveal().await, 200);
    switch("freeze", &id).await;
    assert_eq!(shop.write(&token, &x, "is it still there?").await, "dropped");
    switch("thaw", &id).await;
    assert_eq!(shop.write(&token, &x, "hello").await, "carried");
    assert_eq!(shop.handset(&ben, 1).await, [(x.clone(), "hello".to_owned())]);
    shop.service.cli_word(&["freeze", "tenant", &shop.tenant]);
    let begun = Instant::now();
    eventually("the freeze", 5, async || (reveal().await == 403).then_some(())).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(shop.post("/v1/tokens", &shop.business, json!({"number": BEN.0})).await.expect(403).code(), "frozen");
    shop.service.cli_word(&["thaw", "tenant", &shop.tenant]);
    eventually("the thaw", 5, async || (reveal().await == 200).then_some(())).await;
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn a_rotated_key_goes_on_for_the_overlap_and_no_longer() {
    let shop = Shop::open().await;
    let id = shop.get("/v1/tenant", &shop.business).await.text_at("/credential/id");
    let path = format!("/v1/credentials/{id}/rotate");
    let wish = json!({"overlap_s": 2});
    let request = || shop.service.request("POST", &path).bearer_auth(&shop.admin).header("idempotency-key", "r1");
    let made = crate::service::answer(request().json(&wish)).await.expect(201);
    let successor = made.text_at("/key");
    let again = crate::service::answer(request().json(&wish)).await.expect(201);
    assert_eq!((again.json()["id"].clone(), again.json()["key"].clone()), (made.json()["id"].clone(), Value::Null));
    assert_ne!(successor, shop.business);
    shop.get("/v1/tenant", &shop.business).await.expect(200);
    assert_eq!(shop.get("/v1/tenant", &successor).await.expect(200).text_at("/credential/person"), "business one");
    eventually("the end of the overlap", 5, async || {
        (shop.get("/v1/tenant", &shop.business).await.status == 401).then_some(())
    })
    .await;
    shop.get("/v1/tenant", &successor).await.expect(200);
    let next = shop.get("/v1/tenant", &successor).await.text_at("/credential/id");
    shop.post(&format!("/v1/credentials/{next}/rotate"), &shop.admin, json!({"overlap_s": 0})).await.expect(201);
    shop.get("/v1/tenant", &successor).await.expect(401);
    let listed = shop.get("/v1/credentials", &shop.admin).await.expect(200).text;
    assert!(!listed.contains("bk_test_"), "{listed}");
}

#[actix_web::test]
async fn the_terminal_revokes_within_a_second_and_needs_an_admin_to() {
    let shop = Shop::open().await;
    let id = shop.get("/v1/tenant", &shop.auditor).await.text_at("/credential/id");
    let revoke = ["credential", "revoke", &id, "--tenant", &shop.tenant];
    let bare = shop.service.cli(&revoke);
    assert_eq!(bare.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&bare.stderr).contains("BAUTA_CREDENTIAL"));
    for (key, code) in [(&shop.business, 1), (&"bk_test_nonsense".to_owned(), 1), (&shop.admin, 0)] {
        shop.get("/v1/tenant", &shop.auditor).await.expect(200);
        let done = shop.service.command(&revoke).env("BAUTA_CREDENTIAL", key).output().unwrap();
        assert_eq!(done.status.code(), Some(code), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let begun = Instant::now();
    eventually("the revocation", 5, async || (shop.get("/v1/tenant", &shop.auditor).await.status == 401).then_some(()))
        .await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}
