//! Verification as a shop uses it: a code on a handset, typed as people type, worth one proof; and every way it ends.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::{ANNA, BEN, CAM, Shop};

/// Ten digits: long enough not to stand in a file by chance.
const LONG: u8 = 10;

/// The longest run of digits or capitals and digits in a text: the code.
fn code_in(text: &str) -> String {
    let runs = text.split(|c: char| !c.is_ascii_alphanumeric());
    let codes = runs.filter(|run| run.len() >= 4 && run.bytes().any(|b| b.is_ascii_digit()));
    codes.max_by_key(|run| run.len()).unwrap_or_else(|| panic!("no code in {text}")).to_owned()
}

/// Starts one and reads its code from the handset, where it is message number `count`.
async fn started(shop: &Shop, to: &str, more: Value, count: usize) -> (String, String) {
    let mut body = json!({"to": to, "code_length": LONG});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let id = shop.start(body).await.expect(201).text_at("/id");
    let texts = shop.handset(to, count).await;
    (id, code_in(&texts[count - 1].1))
}

/// Another code of the same length.
fn wrong(code: &str) -> String {
    let first = if code.starts_with('1') { "2" } else { "1" };
    format!("{first}{}", &code[1..])
}

#[actix_web::test]
async fn of_a_thousand_racing_right_answers_one_is_approved() {
    let shop = Shop::open().await;
    let token = shop.token(ANNA.0).await;
    let (id, code) = started(&shop, &token, json!({}), 1).await;
    let race = futures::stream::iter(0..1_000).map(|_| shop.check(&id, &code)).buffer_unordered(64);
    let answers: Vec<_> = race.collect().await;
    let approved: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(approved.len(), 1, "{:?}", approved.iter().map(|a| &a.text).collect::<Vec<_>>());
    assert_eq!(approved[0].json()["status"], "approved");
    assert!(approved[0].json()["proof"].is_string());
    for lost in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(lost.status, 410, "{}", lost.text);
        assert!(["verification_approved", "verification_exhausted"].contains(&lost.code().as_str()), "{}", lost.text);
    }
    let after = shop.get(&format!("/v1/verifications/{id}"), &shop.business).await.expect(200);
    assert_eq!(after.text_at("/status"), "approved");
    assert_eq!(shop.check(&id, &code).await.expect(410).code(), "verification_approved");
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn five_wrong_answers_end_it_and_then_the_right_one_is_worth_nothing() {
    let shop = Shop::open().await;
    let token = shop.token(ANNA.0).await;
    let (id, code) = started(&shop, &token, json!({}), 1).await;
    for left in (0..5).rev() {
        let answer = shop.check(&id, &wrong(&code)).await.expect(200).json();
        let status = if left == 0 { "exhausted" } else { "pending" };
        assert_eq!((&answer["valid"], &answer["attempts_left"]), (&json!(false), &json!(left)));
        assert_eq!((&answer["status"], &answer["proof"]), (&json!(status), &Value::Null));
    }
    assert_eq!(shop.check(&id, &code).await.expect(410).code(), "verification_exhausted");
    for way in ["resend", "cancel"] {
        let over = shop.call("POST", &format!("/v1/verifications/{id}/{way}"), &shop.business, None).await.expect(410);
        assert_eq!(over.code(), "verification_exhausted");
    }
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn racing_wrong_answers_spend_five_attempts_and_no_more() {
    let shop = Shop::open().await;
    let token = shop.token(BEN.0).await;
    let (id, code) = started(&shop, &token, json!({}), 1).await;
    let bad = wrong(&code);
    let race = futures::stream::iter(0..200).map(|_| shop.check(&id, &bad)).buffer_unordered(64);
    let answers: Vec<_> = race.collect().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 5);
    for lost in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((lost.status, lost.code()), (410, "verification_exhausted".to_owned()), "{}", lost.text);
    }
    shop.leaves_no_trace_of(&[BEN]);
}

#[actix_web::test]
async fn a_code_is_taken_as_people_type_it() {
    let shop = Shop::open().await;
    let translate = |code: &str, zero: char| -> String {
        code.bytes().map(|b| char::from_u32(zero as u32 + u32::from(b - b'0')).unwrap()).collect()
    };
    let spellings: [&dyn Fn(&str) -> String; 5] = [
        &|code| format!(" {} {} ", &code[..3], &code[3..]),
        &|code| format!("{}-{}", &code[..5], &code[5..]),
        &|code| translate(code, '\u{660}'),
        &|code| translate(code, '\u{ff10}'),
        &|code| translate(code, '\u{966}'),
    ];
    for (n, spelling) in spellings.iter().enumerate() {
        let token = shop.token(&format!("+1202555015{n}")).await;
        let (id, code) = started(&shop, &token, json!({}), 1).await;
        let answer = shop.check(&id, &spelling(&code)).await.expect(200);
        assert_eq!(answer.text_at("/status"), "approved", "spelling {n}");
    }
    let (id, code) = started(&shop, &shop.token(CAM.0).await, json!({"alphabet": "alphanumeric"}), 1).await;
    assert_eq!(code.len(), usize::from(LONG));
    assert_eq!(shop.check(&id, &code.to_lowercase()).await.expect(200).text_at("/status"), "approved");
    shop.leaves_no_trace_of(&[CAM, ("+12025550150", 1), ("+12025550151", 1), ("+12025550154", 1)]);
}

#[actix_web::test]
async fn a_resend_brings_the_same_code_and_five_sends_are_the_most() {
    let shop = Shop::open().await;
    let token = shop.token(ANNA.0).await;
    let (id, code) = started(&shop, &token, json!({"ttl_s": 60}), 1).await;
    let before = shop.get(&format!("/v1/verifications/{id}"), &shop.business).await.text_at("/expires_at");
    shop.check(&id, &wrong(&code)).await.expect(200);
    for sends in 2..=5 {
        let again =
            shop.call("POST", &format!("/v1/verifications/{id}/resend"), &shop.business, None).await.expect(200);
        assert_eq!(again.text_at("/expires_at"), before, "extends nothing");
        assert_eq!(again.text_at("/attempts_left"), "4", "resets no counter");
        let texts = shop.handset(&token, sends).await;
        assert_eq!(code_in(&texts[sends - 1].1), code);
    }
    let sixth = shop.call("POST", &format!("/v1/verifications/{id}/resend"), &shop.business, None).await.expect(429);
    assert_eq!(sixth.code(), "rate_limited");
    assert!(sixth.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
    let start = shop.start(json!({"to": token, "user_ref": "somebody else"})).await.expect(429);
    assert_eq!(start.code(), "rate_limited");
    assert_eq!(shop.check(&id, &code).await.expect(200).text_at("/status"), "approved", "nobody is locked out");
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn a_new_one_cancels_the_old_of_the_same_undertaking_and_no_other() {
    let shop = Shop::open().await;
    let token = shop.token(ANNA.0).await;
    let (login, _) = started(&shop, &token, json!({"purpose": "login", "user_ref": "u1"}), 1).await;
    let (payment, pay) = started(&shop, &token, json!({"purpose": "payment", "user_ref": "u1"}), 2).await;
    let (other, _) = started(&shop, &token, json!({"purpose": "login", "user_ref": "u2"}), 3).await;
    let (newer, code) = started(&shop, &token, json!({"purpose": "login", "user_ref": "u1"}), 4).await;
    let status = async |id: &str| shop.get(&format!("/v1/verifications/{id}"), &shop.business).await.text_at("/status");
    assert_eq!(status(&login).await, "canceled");
    assert_eq!(status(&payment).await, "pending");
    assert_eq!(status(&other).await, "pending");
    assert_eq!(shop.check(&login, &code).await.expect(410).code(), "verification_canceled");
    let crossed = shop.check(&payment, &code).await.expect(200);
    assert_eq!(crossed.json()["valid"], false, "a code opens only its own");
    assert_eq!(shop.check(&newer, &code).await.expect(200).text_at("/status"), "approved");
    let gone =
        shop.call("POST", &format!("/v1/verifications/{payment}/cancel"), &shop.business, None).await.expect(200);
    assert_eq!(gone.text_at("/status"), "canceled");
    assert_eq!(shop.check(&payment, &pay).await.expect(410).code(), "verification_canceled");
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn a_number_that_is_no_destination_is_refused_typed_or_as_a_token() {
    let shop = Shop::open().await;
    shop.pool("own", &["+16045550101".to_owned()]).await;
    for (number, code) in [
        ("+16045550101", "number_in_pool"),
        ("+19005550123", "number_type_refused"),
        ("+442079460123", "number_not_mobile"),
    ] {
        let token = shop.token(number).await;
        for to in [json!(token), json!({"number": number})] {
            let refused = shop.start(json!({"to": to})).await;
            assert_eq!((refused.status, refused.code().as_str()), (422, code), "{to}");
        }
    }
    shop.leaves_no_trace_of(&[("+19005550123", 1), ("+442079460123", 2)]);
}

#[actix_web::test]
async fn a_message_speaks_the_persons_language_and_binds_the_code_to_its_site() {
    let shop = Shop::open().await;
    for (n, (locale, words)) in [
        ("en", "do not share"),
        ("vi-VN", "mã"),
        ("zh-CN", "【Rialto】"),
        ("zh-TW", "【Rialto】"),
        ("xx", "do not share"),
    ]
    .iter()
    .enumerate()
    {
        let token = shop.token(&format!("+1202555016{n}")).await;
        shop.start(json!({"to": token, "locale": locale, "origin": "https://shop.example"})).await.expect(201);
        let text = shop.handset(&token, 1).await.remove(0).1;
        assert!(text.to_lowercase().contains(&words.to_lowercase()), "{locale}: {text}");
        assert!(text.contains("Rialto") && !text.contains("202"), "{locale}: {text}");
        let (first, last) = text.split_once('\n').unwrap();
        assert_eq!(last, format!("@shop.example #{}", code_in(first)), "{locale}");
    }
    let token = shop.token(BEN.0).await;
    let payment = json!({"to": token, "transaction": {"amount": "49.90 EUR", "payee": "Example Shop"}});
    shop.start(payment).await.expect(201);
    let text = shop.handset(&token, 1).await.remove(0).1;
    assert!(text.contains("49.90 EUR") && text.contains("Example Shop"), "{text}");
    shop.leaves_no_trace_of(&[BEN, ("+12025550160", 1), ("+12025550164", 1)]);
}

#[actix_web::test]
async fn a_code_and_a_proof_stand_in_no_file() {
    let mut shop = Shop::open().await;
    let token = shop.token(ANNA.0).await;
    let (id, code) = started(&shop, &token, json!({"user_ref": "u1"}), 1).await;
    let path = format!("/v1/verifications/{id}/check");
    let check = shop.service.request("POST", &path).bearer_auth(&shop.business).header("idempotency-key", "one");
    let first = crate::service::answer(check.json(&json!({"code": code}))).await.expect(200);
    let proof = first.text_at("/proof");
    assert_eq!(first.headers["cache-control"], "no-store");
    let check = shop.service.request("POST", &path).bearer_auth(&shop.business).header("idempotency-key", "one");
    let again = crate::service::answer(check.json(&json!({"code": code}))).await.expect(200);
    assert_eq!((again.text_at("/status"), again.json()["proof"].clone()), ("approved".into(), Value::Null));
    let signature = proof.rsplit('.').next().unwrap();
    for stopped in [false, true] {
        if stopped {
            shop.service.stop();
        }
        for secret in [code.as_str(), signature] {
            assert_eq!(holders(shop.service.folder(), secret), Vec::<String>::new());
        }
    }
    std::fs::write(shop.service.folder().join("planted"), format!("code {code}")).unwrap();
    assert_eq!(holders(shop.service.folder(), &code), ["planted"]);
    std::fs::remove_file(shop.service.folder().join("planted")).unwrap();
    shop.leaves_no_trace_of(&[ANNA]);
}

/// The files below a folder that hold a text.
fn holders(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(holders(&entry.path(), text));
        } else if std::fs::read(entry.path()).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

#[actix_web::test]
async fn a_library_of_others_verifies_the_proof_offline() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers-venv/bin/python");
    if !python.is_file() {
        assert!(!std::env::var("BAUTA_TEST_REQUIRE").is_ok_and(|v| v == "all"), "PyJWT: a venv in target/peers-venv");
        eprintln!("skipped, not installed: PyJWT");
        return;
    }
    let shop = Shop::open().await;
    let token = shop.token(ANNA.0).await;
    let (id, code) = started(&shop, &token, json!({"purpose": "login", "user_ref": "u1"}), 1).await;
    let proof = shop.check(&id, &code).await.expect(200).text_at("/proof");
    let jwks = shop.get("/.well-known/jwks.json", "").await.expect(200).json();
    let verified = |proof: &str, audience: &str| -> Value {
        let question = json!({"jwks": jwks, "proof": proof, "audience": audience});
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/check_proof.py");
        let mut child = Command::new(&python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
        serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
    };
    let good = verified(&proof, &shop.tenant);
    assert_eq!(
        (&good["header"]["alg"], &good["header"]["typ"]),
        (&json!("EdDSA"), &json!("verification+jwt")),
        "{good}"
    );
    let claims = &good["claims"];
    assert_eq!((&claims["sub"], &claims["aud"], &claims["ver"]), (&json!(token), &json!(shop.tenant), &json!(id)));
    assert_eq!((&claims["purpose"], &claims["user_ref"]), (&json!("login"), &json!("u1")));
    assert!(claims["jti"].is_string() && claims["exp"].as_u64() > claims["iat"].as_u64());
    assert_eq!(verified(&proof, "ten_01k8q3v6r5e9x8wz7m4n2b1c0d")["error"], "InvalidAudienceError");
    let (head, signature) = proof.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    assert!(verified(&forged, &shop.tenant)["error"].is_string());
    shop.note(&good.to_string());
    shop.leaves_no_trace_of(&[ANNA]);
}
