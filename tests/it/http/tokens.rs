//! Every kind of token, exchange, lookup and batches, as a client meets them.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Value, json};

use super::{ANNA, BEN, CAM, Shop};
use crate::service::Answer;

impl Shop {
    async fn of_kind(&self, number: &str, kind: &str) -> String {
        let wish = json!({"number": number, "kind": kind});
        self.post("/v1/tokens", &self.business, wish).await.expect(201).text_at("/token")
    }

    async fn exchange(&self, key: &str, token: &str, audience: Value) -> Answer {
        self.post(&format!("/v1/tokens/{}/exchange", in_path(token)), key, json!({"audience": audience})).await
    }

    async fn look_up(&self, key: &str, number: &str) -> Answer {
        self.post("/v1/tokens/lookup", key, json!({"number": number})).await
    }

    /// How many entries the log has of an action, and the newest of them.
    async fn told(&self, action: &str) -> (usize, Value) {
        let path = format!("/v1/audit/entries?limit=100&action={action}");
        let entries = self.get(&path, &self.auditor).await.expect(200).json()["data"].clone();
        let entries = entries.as_array().unwrap();
        let newest = entries.iter().max_by_key(|entry| entry["index"].as_u64()).cloned();
        (entries.len(), newest.map(|entry| entry["entry"].clone()).unwrap_or_default())
    }

    async fn reveals(&self, token: &str) -> String {
        let path = format!("/v1/tokens/{}/reveal", in_path(token));
        // Not through `call`: this one answer may hold the number.
        let revealed = self.service.post(&path, &self.custodian, json!({"purpose": "support"})).await;
        revealed.expect(200).text_at("/number")
    }
}

/// A token as a path spells it.
fn in_path(token: &str) -> String {
    token.replace('+', "%2B")
}

#[actix_web::test]
async fn a_lookalike_passes_for_a_number_and_works_wherever_a_token_does() {
    let shop = Shop::open().await;
    let anna = shop.of_kind(ANNA.0, "lookalike").await;
    assert!(Regex::new(r"^\+[1-9][0-9]{1,14}$").unwrap().is_match(&anna), "E.164's form");
    assert!(anna.starts_with("+999") && anna.len() == 16);
    assert_eq!(shop.of_kind(ANNA.0, "lookalike").await, anna);
    for path in [format!("/v1/tokens/{}", in_path(&anna)), format!("/v1/tokens/{anna}")] {
        let view = shop.get(&path, &shop.business).await.expect(200);
        assert_eq!((view.text_at("/token"), view.text_at("/kind")), (anna.clone(), "lookalike".into()));
        assert_eq!(view.text_at("/masked"), "+1 ••• ••• •43");
    }
    assert_eq!(shop.reveals(&anna).await, ANNA.0);
    let plain = shop.token(ANNA.0).await;
    let started = shop.start(json!({"to": anna})).await.expect(201);
    assert_eq!(started.text_at("/to"), plain, "answers name a person by the vaulted token");
    let received = shop.get(&format!("/sandbox/messages?to={}", in_path(&anna)), &shop.business).await;
    received.expect(200);
    assert_eq!(shop.handset(ANNA.0, 1).await.len(), 1);
    let ben = shop.of_kind(BEN.0, "lookalike").await;
    let bound = json!({"mode": "axb", "a": anna, "b": ben});
    shop.post("/v1/aliases", &shop.business, bound).await.expect(201);
    let same = shop.post("/v1/aliases", &shop.business, json!({"mode": "axb", "a": anna, "b": plain})).await;
    assert_eq!(same.expect(422).code(), "same_party");
    let entries = async |token: &str| {
        let path = format!("/v1/audit/entries?limit=100&action=token.revealed&token={}", in_path(token));
        shop.get(&path, &shop.auditor).await.expect(200).json()["data"].clone()
    };
    assert_eq!(entries(&anna).await.as_array().unwrap().len(), 1);
    assert_eq!(entries(&anna).await, entries(&plain).await, "the log names the record, whichever token is asked for");
    let as_number = shop.post("/v1/tokens", &shop.business, json!({"number": anna})).await;
    assert_eq!(as_number.expect(422).code(), "number_invalid", "it is nobody's number");
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn an_fpe_text_is_for_test_data_and_no_call_takes_it_for_a_token() {
    let shop = Shop::open().await;
    let text = shop.of_kind(ANNA.0, "fpe").await;
    assert_eq!(shop.of_kind(ANNA.0, "fpe").await, text);
    assert!(text.starts_with("+1") && text.len() == ANNA.0.len() && text != ANNA.0, "the form of its number");
    let whole = json!({"number": ANNA.0, "kind": "fpe", "keep_country": false});
    let whole = shop.post("/v1/tokens", &shop.business, whole).await.expect(201).text_at("/token");
    assert!(whole.len() == ANNA.0.len() && whole != text);
    assert_eq!(shop.get(&format!("/v1/tokens/{}", in_path(&text)), &shop.business).await.code(), "token_malformed");
    assert_eq!(shop.exchange(&shop.business, &text, json!("courier")).await.expect(400).code(), "token_malformed");
    assert_eq!(shop.start(json!({"to": text})).await.expect(400).code(), "token_malformed");
    let bound = shop.post("/v1/aliases", &shop.business, json!({"mode": "ax", "a": text})).await;
    assert_eq!(bound.expect(400).code(), "token_malformed");
    let path = format!("/v1/tokens/{}/reveal", in_path(&text));
    let revealed = shop.post(&path, &shop.custodian, json!({"purpose": "support"})).await;
    assert_eq!(revealed.expect(400).code(), "token_malformed");
    let wish = json!({"number": ANNA.0, "kind": "fpe"});
    for other in [&shop.partner, &shop.auditor, &shop.custodian, &shop.admin] {
        assert_eq!(shop.post("/v1/tokens", other, wish.clone()).await.expect(403).code(), "forbidden");
    }
    let live = shop.service.tenant("Ponte", "live");
    let live = shop.service.credential(&live, "business", "live shop", &[]);
    let batch = json!({"items": [{"number": ANNA.0}, wish]});
    assert_eq!(shop.post("/v1/tokens", &live, wish.clone()).await.expect(403).code(), "fpe_not_allowed");
    assert_eq!(shop.post("/v1/tokens/batch", &live, batch).await.expect(403).code(), "fpe_not_allowed");
    assert_eq!(shop.look_up(&live, ANNA.0).await.expect(200).json()["token"], Value::Null, "nothing of it was done");
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn a_token_is_exchanged_between_audiences_by_those_whom_policies_let() {
    let shop = Shop::open().await;
    let kinds = ["vaulted", "sealed", "lookalike"];
    let mut known = Vec::new();
    for kind in kinds {
        let own = shop.of_kind(ANNA.0, kind).await;
        let got = shop.exchange(&shop.business, &own, json!("courier")).await.expect(200);
        assert_eq!((got.text_at("/kind"), got.text_at("/masked")), (kind.to_owned(), "+1 ••• ••• •43".into()));
        let theirs = got.text_at("/token");
        let wish = json!({"number": ANNA.0, "kind": kind, "audience": "courier"});
        let asked = shop.post("/v1/tokens", &shop.business, wish).await.expect(201);
        assert_eq!(asked.text_at("/token"), theirs, "as if it had been made for that audience");
        assert_eq!(shop.exchange(&shop.business, &theirs, Value::Null).await.expect(200).text_at("/token"), own);
        // The partner knows its own, and not the other.
        let bind = async |token: &str| shop.post("/v1/aliases", &shop.partner, json!({"mode": "ax", "a": token})).await;
        bind(&theirs).await.expect(201);
        assert_eq!(bind(&own).await.expect(404).code(), "not_found");
        for (who, role) in [
            (&shop.partner, "partner"),
            (&shop.auditor, "auditor"),
            (&shop.custodian, "custodian"),
            (&shop.admin, "admin"),
        ] {
            for audience in ["courier", "insurer"] {
                let refused = shop.exchange(who, &theirs, json!(audience)).await.expect(403);
                assert_eq!(refused.code(), "forbidden", "{role}");
            }
        }
        known.extend([own, theirs]);
    }
    let (count, newest) = shop.told("token.exchanged").await;
    assert_eq!(count, 6);
    assert!(newest["record"].as_str().unwrap().starts_with("rec_") && newest["subject"].is_string());
    let other = shop.service.tenant("Murano", "test");
    let other = shop.service.credential(&other, "business", "their shop", &[]);
    let never = shop.exchange(&other, "tok_05gj0rkcdxhpp83fcrg64ybmcnsqxzdf", json!("courier")).await.expect(404);
    for token in &known {
        let foreign = shop.exchange(&other, token, json!("courier")).await.expect(404);
        assert_eq!(foreign.sans_request_id(), never.sans_request_id());
    }
    let number = shop.exchange(&shop.business, &known[0], json!("call +1 202 555 0143")).await;
    assert_eq!(number.expect(422).code(), "number_in_text");
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn a_lookup_answers_and_writes_alike_for_known_and_unknown_numbers() {
    let shop = Shop::open().await;
    let token = shop.token(ANNA.0).await;
    shop.of_kind(BEN.0, "sealed").await;
    let known = shop.look_up(&shop.business, "+1 (202) 555-0143").await.expect(200);
    assert_eq!(known.json(), json!({"token": token}));
    for number in [BEN.0, CAM.0] {
        let unknown = shop.look_up(&shop.business, number).await.expect(200);
        assert_eq!(unknown.json(), json!({"token": null}));
        let names = |answer: &Answer| answer.headers.keys().map(|name| name.to_string()).collect::<BTreeSet<_>>();
        assert_eq!(names(&known), names(&unknown));
    }
    let (count, newest) = shop.told("token.looked_up").await;
    assert_eq!((count, &newest["found"]), (3, &json!(false)));
    assert!(newest["subject"].as_str().unwrap().starts_with("sub_"));
    // What was asked about was not made known by that.
    assert_eq!(shop.look_up(&shop.business, CAM.0).await.json()["token"], Value::Null);
    for other in [&shop.partner, &shop.auditor, &shop.custodian, &shop.admin, &shop.operator] {
        let (yes, no) = (shop.look_up(other, ANNA.0).await.expect(403), shop.look_up(other, CAM.0).await.expect(403));
        assert_eq!(yes.sans_request_id(), no.sans_request_id());
    }
    let keyed = async || {
        let request = shop.service.request("POST", "/v1/tokens/lookup").bearer_auth(&shop.business);
        crate::service::answer(request.header("idempotency-key", "k").json(&json!({"number": CAM.0}))).await.expect(200)
    };
    assert_eq!(keyed().await.json()["token"], Value::Null);
    let made = shop.token(CAM.0).await;
    assert_eq!(keyed().await.json()["token"], json!(made), "a repeated question is asked afresh");
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn ten_thousand_of_every_kind_come_back_in_order_in_pieces_with_one_entry() {
    let shop = Shop::open().await;
    let (before, _) = shop.told("token.batch_created").await;
    let kinds = ["vaulted", "sealed", "lookalike", "fpe"];
    let item = |n: usize| match n % 10 {
        9 => json!({"number": "12"}),
        8 => json!({"number": BEN.0, "audience": "courier"}),
        _ => json!({"number": if n.is_multiple_of(2) { ANNA.0 } else { BEN.0 }, "kind": kinds[n / 2 % 4]}),
    };
    let items: Vec<Value> = (0..10_000).map(item).collect();
    let body = json!({"items": items});
    let got = shop.post("/v1/tokens/batch", &shop.business, body.clone()).await.expect(200);
    assert_eq!(got.headers["transfer-encoding"], "chunked");
    let answers = got.json()["items"].as_array().unwrap().clone();
    assert_eq!(answers.len(), 10_000);
    let courier = shop.token_for(BEN.0, "courier").await;
    for (n, answer) in answers.iter().enumerate() {
        match n % 10 {
            9 => assert_eq!(answer["error"]["code"], "number_too_short", "{n}"),
            8 => assert_eq!(answer["token"], json!(courier), "{n}"),
            _ => {
                assert_eq!(answer["kind"], kinds[n / 2 % 4], "{n}");
                assert_eq!(answer["masked"], if n % 2 == 0 { "+1 ••• ••• •43" } else { "+1 ••• ••• •78" }, "{n}");
                assert_eq!(answer["token"], answers[n % 2 + n / 2 % 4 * 2]["token"].clone(), "{n}");
            }
        }
    }
    let (after, newest) = shop.told("token.batch_created").await;
    assert_eq!(after - before, 1, "one entry for the request");
    assert_eq!((&newest["created"], &newest["refused"], &newest["fpe"]), (&json!(2), &json!(1_000), &json!(2_000)));
    // Under a key the same answer again, byte for byte.
    let keyed = async || {
        let request = shop.service.request("POST", "/v1/tokens/batch").bearer_auth(&shop.business);
        crate::service::answer(request.header("idempotency-key", "k").json(&body)).await.expect(200)
    };
    let (first, second) = (keyed().await, keyed().await);
    assert_eq!(second.headers["idempotent-replayed"], "true");
    assert!(first.text == second.text && first.json()["items"][0]["token"] == answers[0]["token"]);
    shop.note(&first.text);
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn what_is_no_token_is_told_and_every_other_failure_is_one_404() {
    let shop = Shop::open().await;
    let other = shop.service.tenant("Murano", "test");
    let other = shop.service.credential(&other, "business", "their shop", &[]);
    let read = async |token: &str| shop.get(&format!("/v1/tokens/{}", in_path(token)), &shop.business).await;
    let never = read("tok_05gj0rkcdxhpp83fcrg64ybmcnsqxzdf").await.expect(404).sans_request_id();
    for kind in ["vaulted", "sealed", "lookalike"] {
        let own = shop.of_kind(ANNA.0, kind).await;
        let wish = json!({"number": ANNA.0, "kind": kind});
        let theirs = shop.post("/v1/tokens", &other, wish).await.expect(201).text_at("/token");
        assert_eq!(read(&theirs).await.expect(404).sans_request_id(), never, "{kind} of another tenant");
        let short = json!({"number": ANNA.0, "kind": kind, "ttl_s": 1});
        let short = shop.post("/v1/tokens", &shop.business, short).await.expect(201).text_at("/token");
        crate::service::eventually("its end", 10, async || (read(&short).await.status == 404).then_some(())).await;
        assert_eq!(read(&short).await.sans_request_id(), never, "{kind} expired");
        for (what, broken, code) in [
            ("cut", own[..own.len() - 1].to_owned(), "token_malformed"),
            ("doubled", format!("{own}{own}"), "token_malformed"),
            ("lengthened", format!("{own}0"), "token_malformed"),
        ] {
            assert_eq!(read(&broken).await.expect(400).code(), code, "{kind} {what}");
        }
        for at in 4..own.len() {
            let digit = if own.as_bytes()[at] == b'7' { "3" } else { "7" };
            let mut broken = own.clone();
            broken.replace_range(at..=at, digit);
            assert_eq!(read(&broken).await.expect(400).code(), "token_mistyped", "{kind} at {at}");
        }
    }
    // Well formed, of nobody: versions that do not exist, digits that nobody has.
    for token in [
        "tks_0400ewvsdst6gsbmd5hj0tbp41gpws10cdmq0t35e9t6ay3m47t55cm5",
        "+999123456789018",
        "tok_05gj0rkcdxhpp83fcrg64ybmcnsqxzdf",
    ] {
        assert_eq!(read(token).await.expect(404).sans_request_id(), never, "{token}");
    }
    shop.leaves_no_trace_of(&[ANNA]);
}
