//! `Idempotency-Key`: a POST that is repeated happens once, also when fifty race and when the service went down between.

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::{ANNA, BEN, Shop};
use crate::service::{Answer, answer, eventually};

impl Shop {
    async fn once(&self, path: &str, key: &str, idempotency: &str, body: &Value) -> Answer {
        let request = self.service.request("POST", path).bearer_auth(key).header("idempotency-key", idempotency);
        let got = answer(request.json(body)).await;
        self.note(&got.text);
        got
    }

    /// How many entries of this action the log has.
    async fn entries(&self, action: &str) -> usize {
        let path = format!("/v1/audit/entries?limit=100&action={action}");
        self.get(&path, &self.auditor).await.expect(200).json()["data"].as_array().unwrap().len()
    }
}

#[actix_web::test]
async fn of_fifty_racing_posts_one_creates() {
    let shop = Shop::open().await;
    let wish = json!({"number": ANNA.0, "fresh": true});
    let race = futures::stream::iter(0..50).map(|_| shop.once("/v1/tokens", &shop.business, "k1", &wish));
    let answers: Vec<Answer> = race.buffer_unordered(50).collect().await;
    let mut made = std::collections::BTreeSet::new();
    for got in &answers {
        match got.status {
            201 => drop(made.insert(got.text.clone())),
            409 => assert_eq!(got.code(), "idempotency_in_flight"),
            _ => panic!("{} {}", got.status, got.text),
        }
    }
    assert_eq!(made.len(), 1, "{made:?}");
    let first_hand = |got: &&Answer| got.status == 201 && !got.headers.contains_key("idempotent-replayed");
    assert_eq!(answers.iter().filter(first_hand).count(), 1);
    let again = shop.once("/v1/tokens", &shop.business, "k1", &wish).await.expect(201);
    assert_eq!((again.headers["idempotent-replayed"].as_bytes(), made.contains(&again.text)), (&b"true"[..], true));
    assert_eq!(shop.entries("token.created").await, 1);
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn a_key_is_bound_to_its_body_path_and_caller() {
    let shop = Shop::open().await;
    let wish = json!({"number": ANNA.0, "fresh": true});
    let first = shop.once("/v1/tokens", &shop.business, "k1", &wish).await.expect(201).text_at("/token");
    for other in [json!({"number": BEN.0, "fresh": true}), json!({"number": ANNA.0}), json!({})] {
        let got = shop.once("/v1/tokens", &shop.business, "k1", &other).await.expect(422);
        assert_eq!(got.code(), "idempotency_mismatch");
    }
    let path = "/v1/verifications";
    shop.once(path, &shop.business, "k1", &json!({"to": first})).await.expect(201);
    let id = shop.get("/v1/tenant", &shop.business).await.text_at("/credential/id");
    let second = shop.post(&format!("/v1/credentials/{id}/rotate"), &shop.admin, json!({})).await.expect(201);
    let theirs = shop.once("/v1/tokens", &second.text_at("/key"), "k1", &wish).await.expect(201);
    assert_ne!(theirs.text_at("/token"), first, "another caller's key is another key");
    // What was wrong stays wrong, in the same words.
    let wrong = json!({"number": "12"});
    let refused = shop.once("/v1/tokens", &shop.business, "k2", &wrong).await;
    let again = shop.once("/v1/tokens", &shop.business, "k2", &wrong).await;
    assert_eq!((refused.status, refused.sans_request_id()), (again.status, again.sans_request_id()));
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn an_answer_is_given_again_after_a_restart_and_after_a_power_cut() {
    let mut shop = Shop::open().await;
    let token = shop.token(ANNA.0).await;
    let (path, wish) = ("/v1/verifications", json!({"to": token, "purpose": "login"}));
    let first = shop.once(path, &shop.business, "k1", &wish).await.expect(201);
    shop.handset(&token, 1).await;
    for way in [Shop::stop as fn(&mut Shop), Shop::kill] {
        way(&mut shop);
        shop.service.restart().await;
        let again = shop.once(path, &shop.business, "k1", &wish).await.expect(201);
        assert_eq!(again.text, first.text);
        assert_eq!(again.headers["idempotent-replayed"], "true");
        assert_eq!(
            shop.once(path, &shop.business, "k1", &json!({"to": token})).await.expect(422).code(),
            "idempotency_mismatch"
        );
    }
    assert_eq!(shop.entries("verification.started").await, 1);
    shop.leaves_no_trace_of(&[ANNA]);
}

impl Shop {
    fn stop(&mut self) {
        self.service.stop();
    }

    fn kill(&mut self) {
        self.service.kill();
    }
}

#[actix_web::test]
async fn a_reveal_is_never_kept_but_audited_each_time() {
    let shop = Shop::open().await;
    let token = shop.token(ANNA.0).await;
    let path = format!("/v1/tokens/{token}/reveal");
    let reveal = async || {
        let request = shop.service.request("POST", &path).bearer_auth(&shop.custodian).header("idempotency-key", "k1");
        answer(request.json(&json!({"purpose": "support"}))).await
    };
    let (first, second) = (reveal().await.expect(200), reveal().await.expect(200));
    assert_eq!((first.text_at("/number"), second.text_at("/number")), (ANNA.0.to_owned(), ANNA.0.to_owned()));
    assert_ne!(first.text_at("/leaf"), second.text_at("/leaf"));
    assert!(!second.headers.contains_key("idempotent-replayed"));
    assert_eq!(shop.entries("token.revealed").await, 2);
    let custodian = shop.get("/v1/tenant", &shop.custodian).await.text_at("/credential/id");
    shop.post("/v1/freeze", &shop.operator, json!({"target": custodian})).await.expect(200);
    eventually("the freeze", 2, async || (reveal().await.status == 403).then_some(())).await;
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn a_new_keys_secret_is_in_one_answer_only() {
    let mut shop = Shop::open().await;
    let wish = json!({"role": "auditor", "person": "night desk"});
    let first = shop.once("/v1/credentials", &shop.admin, "k1", &wish).await.expect(201);
    let key = first.text_at("/key");
    assert_eq!(first.headers["cache-control"], "no-store");
    let again = shop.once("/v1/credentials", &shop.admin, "k1", &wish).await.expect(201);
    assert_eq!(again.json()["id"], first.json()["id"]);
    assert!(again.json().get("key").is_none() && !again.text.contains(&key));
    shop.get("/v1/tenant", &key).await.expect(200);
    shop.service.stop();
    for name in ["bauta.db", "bauta.db-wal", "scratch.db", "scratch.db-wal"] {
        let bytes = std::fs::read(shop.service.folder().join("data").join(name)).unwrap_or_default();
        assert!(!bytes.windows(key.len()).any(|window| window == key.as_bytes()), "{name}");
    }
}

#[actix_web::test]
async fn an_answer_is_not_given_again_once_its_token_is_erased_or_its_caller_frozen() {
    let shop = Shop::open().await;
    let (anna, ben) = (json!({"number": ANNA.0}), json!({"number": BEN.0}));
    let token = shop.once("/v1/tokens", &shop.business, "k1", &anna).await.expect(201).text_at("/token");
    shop.once("/v1/tokens", &shop.business, "k2", &ben).await.expect(201);
    shop.call("DELETE", &format!("/v1/tokens/{token}"), &shop.business, None).await.expect(204);
    let gone = shop.once("/v1/tokens", &shop.business, "k1", &anna).await.expect(404);
    assert_eq!(gone.code(), "not_found");
    shop.once("/v1/tokens", &shop.business, "k2", &ben).await.expect(201);

    let id = shop.get("/v1/tenant", &shop.business).await.text_at("/credential/id");
    shop.post("/v1/freeze", &shop.operator, json!({"target": id})).await.expect(200);
    assert_eq!(shop.once("/v1/tokens", &shop.business, "k2", &ben).await.expect(403).code(), "frozen");
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}
