//! Signed requests (RFC 9421), signed by npm `http-message-signatures` as `tests/peers/sign.mjs` drives it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use data_encoding::BASE64;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::http::Shop;
use crate::service::{answer, eventually};

/// Runs the jobs; for each the status and code of every answer. None, said aloud, where the client is not installed.
fn send(jobs: &Value) -> Option<Vec<Vec<(u64, String)>>> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    if !peers.join("node_modules/http-message-signatures").is_dir() {
        let required = std::env::var("BAUTA_TEST_REQUIRE").is_ok_and(|value| value == "all");
        assert!(!required, "not installed: npm http-message-signatures, `npm ci` in tests/peers");
        eprintln!("skipped, not installed: npm http-message-signatures, `npm ci` in tests/peers");
        return None;
    }
    let mut child = Command::new("node")
        .arg(peers.join("sign.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is installed");
    child.stdin.take().unwrap().write_all(jobs.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers: Vec<Vec<Value>> = serde_json::from_slice(&output.stdout).unwrap();
    let one = |got: Value| (got["status"].as_u64().unwrap(), got["code"].as_str().unwrap_or_default().to_owned());
    Some(answers.into_iter().map(|job| job.into_iter().map(one).collect()).collect())
}

/// A client that signs: what its jobs have in common.
struct Signer {
    id: String,
    key: String,
    job: Value,
}

impl Signer {
    async fn hmac(shop: &Shop, more: Value) -> Self {
        Self::hired(shop, json!({"signing": {"alg": "hmac-sha256"}}), more, None).await
    }

    async fn ed25519(shop: &Shop) -> Self {
        let seed = bauta::crypto::random::<32>();
        let public = BASE64.encode(Ed25519KeyPair::from_seed_unchecked(&seed).unwrap().public_key().as_ref());
        let signing = json!({"signing": {"alg": "ed25519", "public_key": public}});
        // RFC 8410 §7: PKCS #8 around the seed.
        let der = [&PKCS8_ED25519[..], &seed].concat();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(&der));
        Self::hired(shop, signing, json!({}), Some(pem)).await
    }

    async fn hired(shop: &Shop, signing: Value, more: Value, private: Option<String>) -> Self {
        let mut wish = json!({"role": "business", "person": "signer"});
        for part in [signing, more] {
            wish.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        }
        let made = shop.post("/v1/credentials", &shop.admin, wish).await.expect(201);
        let alg = made.text_at("/signing/alg");
        let key = private.unwrap_or_else(|| made.text_at("/signing_secret"));
        let id = made.text_at("/id");
        let job = json!({"alg": alg, "key": key, "keyid": id});
        Self { id, key: made.text_at("/key"), job }
    }

    /// A job of its own: the usual one with some things changed.
    fn job(&self, shop: &Shop, path: &str, changes: Value) -> Value {
        let mut job = self.job.clone();
        let fields = job.as_object_mut().unwrap();
        fields.insert("url".into(), format!("{}{path}", shop.service.base).into());
        fields.extend(changes.as_object().unwrap().clone());
        job
    }
}

const PKCS8_ED25519: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

const NUMBER: &str = r#"{"number":"+12025550143"}"#;

#[actix_web::test]
async fn a_signed_request_needs_no_key_and_any_change_of_it_is_refused() {
    let shop = Shop::open().await;
    for signer in [Signer::hmac(&shop, json!({})).await, Signer::ed25519(&shop).await] {
        let base = &shop.service.base;
        let post = |changes: Value| {
            let mut all = json!({"method": "POST", "body": NUMBER});
            all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            signer.job(&shop, "/v1/tokens", all)
        };
        let list = |changes: Value| signer.job(&shop, "/v1/aliases?limit=3", changes);
        let cases = [
            (post(json!({})), 201, ""),
            (list(json!({})), 200, ""),
            (signer.job(&shop, "/v1/tenant", json!({})), 200, ""),
            (post(json!({"bearer": signer.key})), 201, ""),
            (post(json!({"bearer": shop.business})), 401, "unauthenticated"),
            (post(json!({"bearer": "bk_test_nobody"})), 401, "unauthenticated"),
            (post(json!({"then": {"body": r#"{"number":"+13125550178"}"#}})), 401, "signature_invalid"),
            (post(json!({"then": {"url": format!("{base}/v1/aliases")}})), 401, "signature_invalid"),
            (list(json!({"then": {"url": format!("{base}/v1/aliases?limit=4")}})), 401, "signature_invalid"),
            (list(json!({"then": {"url": format!("{base}/v1/aliases")}})), 401, "signature_invalid"),
            (list(json!({"then": {"method": "POST", "body": "{}"}})), 401, "signature_invalid"),
            (list(json!({"then": {"headers": {"Signature": "sig=:AAAA:"}}})), 401, "signature_invalid"),
            (post(json!({"age_s": 310})), 401, "signature_stale"),
            (post(json!({"age_s": -310})), 401, "signature_stale"),
            (post(json!({"age_s": 290})), 201, ""),
            (post(json!({"keyid": "crd_01k8q3v6r5e9x8wz7m4n2b1c0d"})), 401, "signature_invalid"),
            (post(json!({"keyid": "mallory"})), 401, "signature_invalid"),
            (
                post(json!({"fields": ["@method", "@authority", "@path", "content-digest"]})),
                401,
                "signature_incomplete",
            ),
            (post(json!({"fields": ["@method", "@authority", "@path", "@query"]})), 401, "signature_invalid"),
            (post(json!({"params": ["nonce", "keyid"]})), 401, "signature_incomplete"),
            (post(json!({"params": ["created", "keyid"]})), 401, "signature_incomplete"),
            (post(json!({"params": ["created", "nonce", "keyid"]})), 201, ""),
        ];
        let jobs: Value = cases.iter().map(|(job, ..)| job.clone()).collect();
        let Some(answers) = send(&jobs) else { return };
        for ((job, status, code), got) in cases.iter().zip(answers) {
            assert_eq!(got, [(*status, (*code).to_owned())], "{job}");
        }
    }
    shop.leaves_no_trace_of(&[("+12025550143", 1), ("+13125550178", 1)]);
}

#[actix_web::test]
async fn of_sixty_four_racing_uses_of_one_nonce_one_passes_and_none_after_a_restart() {
    let mut shop = Shop::open().await;
    let signer = Signer::hmac(&shop, json!({})).await;
    let race = signer.job(&shop, "/v1/tenant", json!({"nonce": "one-nonce-for-all", "times": 64}));
    let Some(answers) = send(&json!([race])) else { return };
    let passed = answers[0].iter().filter(|(status, _)| *status == 200).count();
    assert_eq!(passed, 1);
    assert!(answers[0].iter().all(|(status, code)| *status == 200 || code == "nonce_replayed"), "{answers:?}");
    shop.service.kill();
    shop.service.restart().await;
    let late = signer.job(&shop, "/v1/tenant", json!({"nonce": "one-nonce-for-all"}));
    let other = Signer::hmac(&shop, json!({})).await;
    let theirs = other.job(&shop, "/v1/tenant", json!({"nonce": "one-nonce-for-all"}));
    let got = send(&json!([late, theirs])).unwrap();
    assert_eq!(got[0], [(401, "nonce_replayed".to_owned())]);
    assert_eq!(got[1], [(200, String::new())], "nonces are each credential's own");
}

#[actix_web::test]
async fn the_algorithm_is_that_of_the_key_whatever_a_request_says() {
    let shop = Shop::open().await;
    let (shared, paired) = (Signer::hmac(&shop, json!({})).await, Signer::ed25519(&shop).await);
    let plain = ["created", "nonce", "keyid"];
    let jobs = json!([
        // The other's way of signing, under this one's name.
        shared.job(&shop, "/v1/tenant", json!({"alg": "ed25519", "key": paired.job["key"]})),
        shared.job(&shop, "/v1/tenant", json!({"alg": "ed25519", "key": paired.job["key"], "params": plain})),
        paired.job(&shop, "/v1/tenant", json!({"alg": "hmac-sha256", "key": shared.job["key"]})),
        paired.job(&shop, "/v1/tenant", json!({"alg": "hmac-sha256", "key": shared.job["key"], "params": plain})),
        shared.job(&shop, "/v1/tenant", json!({})),
        paired.job(&shop, "/v1/tenant", json!({})),
    ]);
    let Some(answers) = send(&jobs) else { return };
    let status: Vec<u64> = answers.iter().map(|job| job[0].0).collect();
    assert_eq!(status, [401, 401, 401, 401, 200, 200]);
}

#[actix_web::test]
async fn signatures_can_be_demanded_and_a_successor_signs_with_a_secret_of_its_own() {
    let shop = Shop::open().await;
    let signer = Signer::hmac(&shop, json!({"requires": ["key", "signature"]})).await;
    assert_eq!(shop.get("/v1/tenant", &signer.key).await.expect(403).code(), "signature_required");
    let rotated =
        shop.post(&format!("/v1/credentials/{}/rotate", signer.id), &shop.admin, json!({"overlap_s": 60})).await;
    let rotated = rotated.expect(201);
    assert_eq!(rotated.json()["requires"], json!(["key", "signature"]));
    let (id, secret) = (rotated.text_at("/id"), rotated.text_at("/signing_secret"));
    assert_ne!(Some(secret.as_str()), signer.job["key"].as_str());
    let jobs = json!([
        signer.job(&shop, "/v1/tenant", json!({})),
        signer.job(&shop, "/v1/tenant", json!({"bearer": signer.key})),
        signer.job(&shop, "/v1/tenant", json!({"keyid": id, "key": secret, "bearer": rotated.text_at("/key")})),
        signer.job(&shop, "/v1/tenant", json!({"keyid": id, "bearer": rotated.text_at("/key")})),
    ]);
    let Some(answers) = send(&jobs) else { return };
    let got: Vec<_> = answers.iter().map(|job| (job[0].0, job[0].1.as_str())).collect();
    assert_eq!(got, [(403, "key_required"), (200, ""), (200, ""), (401, "signature_invalid")]);

    shop.call("DELETE", &format!("/v1/credentials/{id}"), &shop.admin, None).await.expect(204);
    let after = signer.job(&shop, "/v1/tenant", json!({"keyid": id, "key": secret, "bearer": rotated.text_at("/key")}));
    eventually("revoked", 5, async || (send(&json!([after]))?[0][0].0 == 401).then_some(())).await;
}

#[actix_web::test]
async fn a_signature_that_cannot_be_read_is_refused_also_beside_a_good_key() {
    let shop = Shop::open().await;
    for (input, signature) in [
        ("", ""),
        ("sig=()", "sig=:AAAA:"),
        ("sig", "sig"),
        ("sig=(\"@method\");created=1", "sig=:AAAA:"),
        ("\"", "\""),
        ("sig=((((((((((", "sig=:AAAA:"),
    ] {
        let request = shop.service.request("GET", "/v1/tenant").bearer_auth(&shop.business);
        let request = request.header("signature-input", input).header("signature", signature);
        assert_eq!(answer(request).await.expect(401).code(), "signature_incomplete", "{input}");
    }
    let half = shop.service.request("GET", "/v1/tenant").bearer_auth(&shop.business).header("signature", "sig=:AAAA:");
    assert_eq!(answer(half).await.expect(401).code(), "signature_incomplete");
    let foreign = shop.service.request("GET", "/v1/tenant").bearer_auth(&shop.business);
    let foreign = foreign.header("signature", vec![b's', b'=', 0xe9]).header("signature-input", "sig=()");
    assert_eq!(answer(foreign).await.expect(401).code(), "signature_incomplete");
}
