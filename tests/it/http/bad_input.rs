//! What nobody should send: every POST refuses it with a problem of a stable code, and repeats none of it.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{ANNA, Shop};
use crate::leak::Search;
use crate::service::{Answer, answer};

/// Words that are in no answer, log or file unless somebody repeated what was sent.
const WORD: &str = "zebra7f3k";
/// Ids that are well formed and of nobody.
const VERIFICATION: &str = "ver_01k8q3v6r5e9x8wz7m4n2b1c0d";
const ALIAS: &str = "als_01k8q3v6r5e9x8wz7m4n2b1c0d";
const POOL: &str = "pol_01k8q3v6r5e9x8wz7m4n2b1c0d";
const CREDENTIAL: &str = "crd_01k8q3v6r5e9x8wz7m4n2b1c0d";

/// Settings under which a thousand wrong requests a minute are let through to be refused for what they are.
const PATIENT: &str = "[limits]\nstrangers_per_min = 100000\n";

/// Every POST of the contract with a caller who may use it, and a body whose every value has the wrong type.
fn posts(shop: &Shop, token: &str) -> Vec<(String, String, Value)> {
    let n: u64 = 12_025_550_143;
    let verification = |what: &str| format!("/v1/verifications/{VERIFICATION}/{what}");
    let credential = |what: &str| format!("/v1/credentials/{CREDENTIAL}/{what}");
    let (business, admin) = (&shop.business, &shop.admin);
    let all = [
        ("/v1/tokens".into(), business, json!({"number": n})),
        ("/v1/tokens/batch".into(), business, json!({"items": [{"number": "+1 202 555 0143"}, {"number": n}]})),
        ("/v1/tokens/lookup".into(), business, json!({"number": n})),
        (format!("/v1/tokens/{token}/exchange"), business, json!({"audience": n})),
        (format!("/v1/tokens/{token}/reveal"), &shop.custodian, json!({"purpose": n})),
        ("/v1/verifications".into(), business, json!({"to": {"number": n}})),
        (verification("check"), business, json!({"code": 123_456})),
        (verification("resend"), business, json!([n])),
        (verification("cancel"), business, json!([n])),
        ("/v1/aliases".into(), business, json!({"mode": "ax", "a": n})),
        ("/v1/pools".into(), admin, json!({"name": n, "carrier": "sandbox"})),
        (format!("/v1/pools/{POOL}/numbers"), admin, json!({"numbers": [n]})),
        ("/v1/credentials".into(), admin, json!({"role": "business", "person": n})),
        (credential("rotate"), admin, json!({"overlap_s": "soon"})),
        (credential("revoke"), admin, json!([n])),
        ("/v1/freeze".into(), &shop.operator, json!({"target": n})),
        ("/v1/thaw".into(), &shop.operator, json!({"target": n})),
        ("/sandbox/messages".into(), business, json!({"from": n, "to": n, "text": n})),
    ];
    all.into_iter().map(|(path, key, body)| (path, key.clone(), body)).collect()
}

/// Bodies that no call takes, with the code that each is refused with.
fn bodies() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let number = "+12025550143";
    let deep = format!("{{\"metadata\":{}{WORD}", "[".repeat(10_000)).into_bytes();
    let deep_and_closed = format!("{{\"{WORD}\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000)).into_bytes();
    let deep_objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000)).into_bytes();
    let huge = format!("{{\"number\":\"{number} {}\"}}", WORD.repeat(120_000)).into_bytes();
    vec![
        ("half an object", format!("{{\"{WORD}\":\"{number}").into_bytes(), "malformed_json"),
        ("no JSON", format!("number={number}&x={WORD}").into_bytes(), "malformed_json"),
        ("two documents", format!("{{}} {{\"{WORD}\":\"{number}\"}}").into_bytes(), "malformed_json"),
        ("bad UTF-8", [format!("{{\"{WORD}").as_bytes(), b"\xff\xfe\":1}"].concat(), "malformed_json"),
        (
            "bad UTF-8 in a value",
            [format!("{{\"number\":\"{number}").as_bytes(), b"\xc3\"}"].concat(),
            "malformed_json",
        ),
        ("a lone surrogate", format!("{{\"number\":\"{number}\\ud800\"}}").into_bytes(), "malformed_json"),
        ("a NUL", b"\0".to_vec(), "malformed_json"),
        ("10,000 brackets", deep, "malformed_json"),
        ("10,000 brackets, closed", deep_and_closed, "malformed_json"),
        ("10,000 objects", deep_objects, "malformed_json"),
        ("a text", format!("\"{WORD} {number}\"").into_bytes(), "invalid_field"),
        ("a list", format!("[\"{WORD}\", 12025550143]").into_bytes(), "invalid_field"),
        ("an integer", b"12025550143".to_vec(), "invalid_field"),
        ("nothing in words", b"null".to_vec(), "invalid_field"),
        ("an unknown field", format!("{{\"{WORD}\":\"{number}\"}}").into_bytes(), "unknown_field"),
        (
            "a field called as a number",
            format!("{{\"{number}\":{{\"{WORD}\":12025550143}}}}").into_bytes(),
            "unknown_field",
        ),
        ("over 1 MB", huge, "body_too_large"),
    ]
}

/// An answer to bad input: a problem, of the client's making, that repeats nothing.
#[track_caller]
fn refused(shop: &Shop, what: &str, answer: &Answer) -> String {
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
    let code = answer.code();
    assert!(!answer.text.contains(WORD), "{what} is repeated: {}", answer.text);
    let headers = format!("{:?}", answer.headers);
    assert!(!headers.contains(WORD) && !headers.contains("2025550143"), "{what} is repeated: {headers}");
    shop.note(&answer.text);
    code
}

fn raw(shop: &Shop, path: &str, key: &str, body: Vec<u8>) -> RequestBuilder {
    let request = shop.service.request("POST", path).bearer_auth(key);
    request.header("content-type", "application/json").body(body)
}

/// No word of what was sent is in any file, and no number either.
fn nothing_is_kept(shop: Shop) {
    let log = shop.service.log();
    assert!(!log.contains(WORD) && !log.contains("panicked"), "{log}");
    assert!(!log.contains("\"level\":\"ERROR\""), "{log}");
    for entry in std::fs::read_dir(shop.service.folder().join("data")).unwrap().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        assert!(!bytes.windows(WORD.len()).any(|w| w == WORD.as_bytes()), "{}", entry.path().display());
    }
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn a_body_that_cannot_be_read_is_refused_on_every_post() {
    let shop = Shop::open_with(PATIENT).await;
    let token = shop.token(ANNA.0).await;
    for (path, key, wrong) in posts(&shop, &token) {
        for (what, body, code) in bodies() {
            let got = answer(raw(&shop, &path, &key, body)).await;
            assert_eq!(refused(&shop, &format!("{path}: {what}"), &got), code, "{path}: {what}: {}", got.text);
        }
        let integer = answer(raw(&shop, &path, &key, wrong.to_string().into_bytes())).await;
        assert_eq!(refused(&shop, &path, &integer), "invalid_field", "{path}: {}", integer.text);
        let empty = answer(raw(&shop, &path, &key, Vec::new())).await;
        refused(&shop, &format!("{path}: empty"), &empty);
        let form = shop.service.request("POST", &path).bearer_auth(&key).header("content-type", "text/plain");
        let form = answer(form.body(format!("{{\"{WORD}\":1}}"))).await;
        assert_eq!(refused(&shop, &format!("{path}: text/plain"), &form), "unsupported_media_type");
        let query = shop.service.request("POST", &format!("{path}?{WORD}=%2B12025550143")).bearer_auth(&key);
        let query = answer(query.json(&json!({}))).await;
        assert_eq!(refused(&shop, &format!("{path}: a query"), &query), "unknown_field");
    }
    nothing_is_kept(shop);
}

#[actix_web::test]
async fn an_idempotency_key_that_is_none_is_refused_on_every_post() {
    let shop = Shop::open_with(PATIENT).await;
    let token = shop.token(ANNA.0).await;
    for (path, key, _) in posts(&shop, &token) {
        for wrong in ["", &"k".repeat(256), "caf\u{e9}"] {
            let request = raw(&shop, &path, &key, b"{}".to_vec()).header("idempotency-key", wrong);
            let code = refused(&shop, &path, &answer(request).await);
            assert_eq!(code, "idempotency_key_invalid", "{path}");
        }
        let twice =
            raw(&shop, &path, &key, b"{}".to_vec()).header("idempotency-key", "a").header("idempotency-key", "b");
        assert_eq!(refused(&shop, &path, &answer(twice).await), "idempotency_key_invalid", "{path}");
    }
    nothing_is_kept(shop);
}

#[actix_web::test]
async fn values_out_of_range_are_refused_by_name_and_a_batch_is_bounded() {
    let shop = Shop::open_with(PATIENT).await;
    let token = shop.token(ANNA.0).await;
    let number = |text: &str| json!({"number": text});
    for (text, code) in [
        ("", "number_invalid"),
        (WORD, "number_invalid"),
        ("+1 202 555 01", "number_too_short"),
        ("0901234567", "region_required"),
        ("+12025550143+12025550143", "number_invalid"),
        ("+1 202 555 0143; DROP TABLE tokens", "number_invalid"),
    ] {
        let got = shop.post("/v1/tokens", &shop.business, number(text)).await;
        assert_eq!(refused(&shop, text, &got), code, "{text}: {}", got.text);
    }
    let wishes = [
        ("/v1/tokens", json!({"number": ANNA.0, "region": WORD}), "invalid_field"),
        ("/v1/tokens", json!({"number": ANNA.0, "ttl_s": 0}), "invalid_field"),
        ("/v1/tokens", json!({"number": ANNA.0, "ttl_s": -1}), "invalid_field"),
        ("/v1/tokens", json!({"number": ANNA.0, "kind": "fpe", "ttl_s": 60}), "unsupported_value"),
        ("/v1/tokens", json!({"number": ANNA.0, "kind": "fpe", "fresh": true}), "unsupported_value"),
        ("/v1/tokens", json!({"number": ANNA.0, "kind": "fpe", "metadata": {}}), "unsupported_value"),
        ("/v1/tokens", json!({"number": ANNA.0, "kind": "sealed", "fresh": true}), "unsupported_value"),
        ("/v1/tokens", json!({"number": ANNA.0, "kind": "sealed", "metadata": {}}), "unsupported_value"),
        ("/v1/tokens", json!({"number": ANNA.0, "keep_country": true}), "unsupported_value"),
        ("/v1/tokens", json!({"number": "+999000000000000"}), "number_invalid"),
        ("/v1/tokens/lookup", json!({"number": "+1 202 555 01"}), "number_too_short"),
        ("/v1/tokens/lookup", json!({"number": ANNA.0, "region": WORD}), "invalid_field"),
        ("/v1/tokens", json!({"number": ANNA.0, "kind": WORD}), "invalid_field"),
        ("/v1/tokens", json!({"number": ANNA.0, "audience": "call +1 202 555 0143"}), "number_in_text"),
        ("/v1/tokens", json!({"number": ANNA.0, "metadata": {"tel": "(202) 555-0143"}}), "number_in_text"),
        ("/v1/tokens", json!({"number": ANNA.0, "metadata": {"x": WORD.repeat(600)}}), "invalid_field"),
        ("/v1/verifications", json!({}), "missing_field"),
        ("/v1/verifications", json!({"to": WORD}), "token_malformed"),
        ("/v1/verifications", json!({"to": token, "ttl_s": 29}), "invalid_field"),
        ("/v1/verifications", json!({"to": token, "ttl_s": 601}), "invalid_field"),
        ("/v1/verifications", json!({"to": token, "code_length": 3}), "invalid_field"),
        ("/v1/verifications", json!({"to": token, "code_length": 11}), "invalid_field"),
        ("/v1/verifications", json!({"to": token, "channel": "voice"}), "unsupported_value"),
        ("/v1/verifications", json!({"to": token, "user_ref": "202-555-0143"}), "number_in_text"),
        ("/v1/verifications", json!({"to": token, "origin": format!("javascript:{WORD}")}), "invalid_field"),
        ("/v1/aliases", json!({"mode": "axz", "a": token}), "invalid_field"),
        ("/v1/aliases", json!({"mode": "axg", "a": token}), "missing_field"),
        ("/v1/aliases", json!({"mode": "ax", "a": format!("{token}x")}), "token_malformed"),
        ("/v1/aliases", json!({"mode": "ax", "a": token, "ttl_s": 59}), "invalid_field"),
        ("/v1/aliases", json!({"mode": "ax", "a": token, "number": WORD}), "invalid_field"),
        ("/v1/aliases", json!({"mode": "axb", "a": token}), "missing_field"),
        ("/v1/aliases", json!({"mode": "axb", "a": token, "b": token}), "same_party"),
        ("/sandbox/messages", json!({"from": "twelve chars", "to": "+18675550100", "text": "x"}), "invalid_field"),
        ("/sandbox/messages", json!({"from": "HFM", "to": WORD, "text": "x"}), "invalid_field"),
        ("/sandbox/messages", json!({"from": "HFM", "to": "+18675550100", "text": ""}), "invalid_field"),
    ];
    for (path, body, code) in wishes {
        let got = shop.post(path, &shop.business, body.clone()).await;
        assert_eq!(refused(&shop, &body.to_string(), &got), code, "{body}: {}", got.text);
    }
    for query in
        ["limit=0", "limit=101", "limit=-1", "limit=x", "after=x", &format!("{WORD}=1"), "status=x", "number=x"]
    {
        let got = shop.get(&format!("/v1/aliases?{query}"), &shop.business).await;
        refused(&shop, query, &got);
    }
    let items = |count: usize| json!({"items": vec![json!({"number": "1"}); count]});
    let over = shop.post("/v1/tokens/batch", &shop.business, items(10_001)).await;
    assert_eq!(refused(&shop, "10,001 items", &over), "batch_too_large");
    let full = shop.post("/v1/tokens/batch", &shop.business, items(10_000)).await.expect(200);
    assert_eq!(full.json()["items"].as_array().unwrap().len(), 10_000);
    nothing_is_kept(shop);
}

/// Method, caller, path of a foreign thing, path of one that never was, body.
type Call<'a> = (&'a str, &'a str, String, String, Option<Value>);

#[actix_web::test]
async fn a_foreign_thing_reads_as_one_that_never_was() {
    let shop = Shop::open_with(PATIENT).await;
    let other = shop.service.tenant("Murano", "test");
    let stranger = shop.service.credential(&other, "business", "their shop", &[]);
    let custodian = shop.service.credential(&other, "custodian", "their desk", &[]);
    let operator = shop.service.credential(&other, "operator", "their operator", &[]);
    let admin = shop.service.credential(&other, "admin", "their admin", &[]);
    let token = shop.token(ANNA.0).await;
    let unknown = unknown_token(&shop).await;
    let verification = shop.start(json!({"to": token})).await.expect(201).text_at("/id");
    let alias = shop.post("/v1/aliases", &shop.business, json!({"mode": "ax", "a": token})).await.expect(201);
    let alias = alias.text_at("/id");
    let pool = shop.pool("own", &["+16045550100".to_owned()]).await;
    let credential = shop.get("/v1/tenant", &shop.auditor).await.text_at("/credential/id");
    let none = || None;
    let calls: Vec<Call> = vec![
        ("GET", &stranger, format!("/v1/tokens/{token}"), format!("/v1/tokens/{unknown}"), none()),
        (
            "POST",
            &custodian,
            format!("/v1/tokens/{token}/reveal"),
            format!("/v1/tokens/{unknown}/reveal"),
            Some(json!({"purpose": "support"})),
        ),
        (
            "GET",
            &stranger,
            format!("/v1/verifications/{verification}"),
            format!("/v1/verifications/{VERIFICATION}"),
            none(),
        ),
        (
            "POST",
            &stranger,
            format!("/v1/verifications/{verification}/check"),
            format!("/v1/verifications/{VERIFICATION}/check"),
            Some(json!({"code": "123456"})),
        ),
        (
            "POST",
            &stranger,
            format!("/v1/verifications/{verification}/resend"),
            format!("/v1/verifications/{VERIFICATION}/resend"),
            none(),
        ),
        (
            "POST",
            &stranger,
            format!("/v1/verifications/{verification}/cancel"),
            format!("/v1/verifications/{VERIFICATION}/cancel"),
            none(),
        ),
        ("GET", &stranger, format!("/v1/aliases/{alias}"), format!("/v1/aliases/{ALIAS}"), none()),
        (
            "PATCH",
            &stranger,
            format!("/v1/aliases/{alias}"),
            format!("/v1/aliases/{ALIAS}"),
            Some(json!({"ttl_s": 60})),
        ),
        ("DELETE", &stranger, format!("/v1/aliases/{alias}"), format!("/v1/aliases/{ALIAS}"), none()),
        ("GET", &stranger, format!("/v1/aliases/{alias}/messages"), format!("/v1/aliases/{ALIAS}/messages"), none()),
        ("GET", &admin, format!("/v1/pools/{pool}"), format!("/v1/pools/{POOL}"), none()),
        (
            "POST",
            &admin,
            format!("/v1/pools/{pool}/numbers"),
            format!("/v1/pools/{POOL}/numbers"),
            Some(json!({"numbers": ["+16045550101"]})),
        ),
        (
            "DELETE",
            &admin,
            format!("/v1/pools/{pool}/numbers/%2B16045550100"),
            format!("/v1/pools/{POOL}/numbers/%2B16045550100"),
            none(),
        ),
        (
            "POST",
            &admin,
            format!("/v1/credentials/{credential}/rotate"),
            format!("/v1/credentials/{CREDENTIAL}/rotate"),
            none(),
        ),
        (
            "POST",
            &admin,
            format!("/v1/credentials/{credential}/revoke"),
            format!("/v1/credentials/{CREDENTIAL}/revoke"),
            none(),
        ),
        ("DELETE", &admin, format!("/v1/credentials/{credential}"), format!("/v1/credentials/{CREDENTIAL}"), none()),
    ];
    for (method, key, foreign, never, body) in &calls {
        let foreign = shop.call(method, foreign, key, body.clone()).await.expect(404);
        let other = shop.call(method, never, key, body.clone()).await.expect(404);
        assert_eq!(foreign.code(), "not_found");
        assert_eq!(foreign.sans_request_id(), other.sans_request_id(), "{method} {never}");
    }
    for (place, foreign, never) in [
        ("a", json!({"mode": "ax", "a": token}), json!({"mode": "ax", "a": unknown})),
        ("pool", json!({"mode": "ax", "a": token, "pool": pool}), json!({"mode": "ax", "a": token, "pool": POOL})),
    ] {
        let foreign = shop.post("/v1/aliases", &stranger, foreign).await.expect(404);
        let never = shop.post("/v1/aliases", &stranger, never).await.expect(404);
        assert_eq!(foreign.sans_request_id(), never.sans_request_id(), "{place}");
    }
    for (foreign, never) in
        [(&alias, ALIAS), (&credential, CREDENTIAL), (&shop.tenant, "ten_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    {
        let foreign = shop.post("/v1/freeze", &operator, json!({"target": foreign})).await;
        let never = shop.post("/v1/freeze", &operator, json!({"target": never})).await;
        assert!([403, 404].contains(&foreign.status), "{}", foreign.text);
        assert_eq!(foreign.sans_request_id(), never.sans_request_id());
    }
    for garbage in [WORD, "%2B12025550143", "%00", "..%2f..", "ver_", &"v".repeat(4_000)] {
        let got = shop.get(&format!("/v1/verifications/{garbage}"), &shop.business).await;
        assert_eq!(refused(&shop, garbage, &got), "not_found");
    }
    nothing_is_kept(shop);
}

/// A token that once was this tenant's own other one, in another audience: well formed, and unknown where it is not.
async fn unknown_token(shop: &Shop) -> String {
    let third = shop.service.tenant("Burano", "test");
    let key = shop.service.credential(&third, "business", "third shop", &[]);
    shop.post("/v1/tokens", &key, json!({"number": ANNA.0})).await.expect(201).text_at("/token")
}

#[actix_web::test]
async fn a_caller_without_a_valid_key_hears_the_same_whatever_is_wrong_with_it() {
    let shop = Shop::open_with(PATIENT).await;
    let brief =
        shop.post("/v1/credentials", &shop.admin, json!({"role": "business", "person": "brief"})).await.expect(201);
    let (brief, id) = (brief.text_at("/key"), brief.text_at("/id"));
    shop.get("/v1/tenant", &brief).await.expect(200);
    shop.post(&format!("/v1/credentials/{id}/revoke"), &shop.admin, json!({})).await.expect(204);
    let mut typo = shop.business.clone().into_bytes();
    typo[12] = if typo[12] == b'2' { b'3' } else { b'2' };
    let typo = String::from_utf8(typo).unwrap();
    let wrong: Vec<Option<String>> = vec![
        None,
        Some(format!("Bearer {WORD}")),
        Some("Bearer".into()),
        Some("Bearer ".into()),
        Some(format!("Basic {}", shop.business)),
        Some(format!("Bearer {typo}")),
        Some(format!("Bearer {brief}")),
        Some(format!("Bearer {}", shop.business.replace("bk_test_", "bk_live_"))),
        Some(format!("Bearer {}", "k".repeat(6_000))),
        Some("Bearer +12025550143".into()),
    ];
    let token = shop.token(ANNA.0).await;
    let mut heard = std::collections::BTreeSet::new();
    for (path, _, body) in posts(&shop, &token) {
        for authorization in &wrong {
            let mut request = shop.service.request("POST", &path).json(&body);
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let got = answer(request).await.expect(401);
            assert_eq!(refused(&shop, &path, &got), "unauthenticated");
            heard.insert(got.sans_request_id());
        }
    }
    assert_eq!(heard.len(), 1, "{heard:?}");
    let twice = shop.service.request("GET", "/v1/tenant").bearer_auth(&shop.business).bearer_auth(&shop.admin);
    assert_eq!(answer(twice).await.expect(401).code(), "unauthenticated");
    nothing_is_kept(shop);
}

#[actix_web::test]
async fn strangers_are_limited_and_told_when_to_come_back() {
    let shop = Shop::open_with("[limits]\nstrangers_per_min = 20\n").await;
    let mut last = shop.get("/v1/tenant", WORD).await;
    for _ in 0..40 {
        last = shop.get("/v1/tenant", WORD).await;
    }
    assert_eq!((last.status, refused(&shop, "too many", &last)), (429, "rate_limited".to_owned()));
    let seconds: u64 = last.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    shop.get("/v1/tenant", &shop.business).await.expect(200);
    nothing_is_kept(shop);
}

#[test]
fn the_canary_would_be_found() {
    let search = Search::for_numbers([ANNA]);
    assert!(!search.in_bytes("an answer", br#"{"detail":"+1 202 555 0143 is no number"}"#).is_empty());
}
