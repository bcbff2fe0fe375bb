//! Who calls: a JWT (RFC 7519) in `Authorization`, HS256 under the account's signature secret, made lately, whose
//! `payload_hash` is the SHA-256 of the body; of a GET, of its parameters as a JSON object in their order.
//!
//! The token is taken apart here: one algorithm is known, and nothing in its header can choose another.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::carrier::http::fields::{self, Fields};
use crate::carrier::http::mac;
use crate::carrier::{Callback, Refusal};
use crate::config::Vonage;

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    payload_hash: String,
    api_key: Option<String>,
    application_id: Option<String>,
}

/// What a call of Vonage's says: its JSON, or its parameters as an object.
pub(super) fn checked(settings: &Vonage, callback: &Callback<'_>) -> Result<Value, Refusal> {
    let token = callback.header("authorization").and_then(|value| value.split_once(' '));
    let (scheme, token) = token.ok_or(Refusal::Forged)?;
    let claims = if scheme.eq_ignore_ascii_case("bearer") { claims(settings, token.trim()) } else { None };
    let claims = claims.ok_or(Refusal::Forged)?;
    let made = claims.iat.saturating_mul(1_000).abs_diff(callback.at.as_millis());
    let ours = |claim: &Option<String>, own: Option<&str>| match (claim, own) {
        (Some(claim), Some(own)) => claim == own,
        _ => true,
    };
    let is_ours = ours(&claims.api_key, Some(&settings.api_key))
        && ours(&claims.application_id, settings.application_id.as_deref());
    if u128::from(made) > WINDOW.as_millis() || !is_ours {
        return Err(Refusal::Forged);
    }
    if callback.is_post {
        if !mac::is_sha256(callback.body, &claims.payload_hash) {
            return Err(Refusal::Forged);
        }
        return fields::json(callback.body);
    }
    let parameters = parameters(callback)?;
    let text = spelled(callback)?;
    if mac::is_sha256(text.as_bytes(), &claims.payload_hash) { Ok(parameters) } else { Err(Refusal::Forged) }
}

/// The claims of a token that is signed by the secret.
fn claims(settings: &Vonage, token: &str) -> Option<Claims> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header: Header = serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).ok()?).ok()?;
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, settings.signature_secret.0.as_bytes());
    let is_signed = header.alg == "HS256" && hmac::verify(&key, signed.as_bytes(), &signature).is_ok();
    if !is_signed {
        return None;
    }
    serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?).ok()
}

fn parameters(callback: &Callback<'_>) -> Result<Value, Refusal> {
    let fields = Fields::parse(callback.query.as_bytes())?;
    let text = |value: &str| Value::String(value.to_owned());
    Ok(Value::Object(fields.iter().map(|(name, value)| (name.to_owned(), text(value))).collect::<Map<_, _>>()))
}

/// The parameters as the object whose hash is signed: in their order, without white space.
fn spelled(callback: &Callback<'_>) -> Result<zeroize::Zeroizing<String>, Refusal> {
    let fields = Fields::parse(callback.query.as_bytes())?;
    let pairs: Result<Vec<String>, _> = fields
        .iter()
        .map(|(name, value)| Ok(format!("{}:{}", serde_json::to_string(name)?, serde_json::to_string(value)?)))
        .collect();
    let pairs = pairs.map_err(|_: serde_json::Error| Refusal::Forged)?;
    Ok(zeroize::Zeroizing::new(format!("{{{}}}", pairs.join(","))))
}

/// How far from now a token may have been made.
const WINDOW: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use data_encoding::HEXLOWER;
    use ring::digest;
    use serde_json::json;
    use zeroize::Zeroizing;

    use super::*;
    use crate::clock::Timestamp;

    const NOW: i64 = 1_795_000_000;

    fn token(header: &Value, claims: &Value, secret: &str) -> String {
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
        format!("Bearer {signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }

    fn hash(text: &str) -> String {
        HEXLOWER.encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
    }

    fn check(authorization: &str, query: &str, body: &str) -> Result<Value, Refusal> {
        let settings = Vonage::for_test("http://127.0.0.1:1");
        let headers = [("authorization".to_owned(), Zeroizing::new(authorization.to_owned()))];
        let (url, at) = ("https://bauta.example/carriers/vonage/inbound", Timestamp::from_millis(NOW * 1_000));
        let is_post = !body.is_empty();
        checked(&settings, &Callback { at, is_post, url, query, headers: &headers, body: body.as_bytes() })
    }

    #[test]
    fn a_token_counts_for_its_body_its_account_and_its_time() {
        let body = r#"{"text":"hello"}"#;
        let header = json!({"alg": "HS256", "typ": "JWT"});
        let good = json!({"iat": NOW, "payload_hash": hash(body), "api_key": "abcd1234", "jti": "1"});
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            token(&header, &claims, "signature secret")
        };
        assert_eq!(check(&with("iss", json!("Vonage")), "", body).unwrap()["text"], "hello");
        let forged = [
            token(&header, &good, "another secret"),
            token(&json!({"alg": "none"}), &good, "signature secret"),
            token(&json!({"alg": "HS512"}), &good, "signature secret"),
            with("iat", json!(NOW - 301)),
            with("iat", json!(NOW + 301)),
            with("payload_hash", json!(hash("other"))),
            with("payload_hash", Value::Null),
            with("api_key", json!("efgh5678")),
            with("iss", json!("x")).replace("Bearer", "Basic"),
            "Bearer a.b.c".to_owned(),
            "Bearer".to_owned(),
            String::new(),
        ];
        for authorization in forged {
            assert!(matches!(check(&authorization, "", body), Err(Refusal::Forged)), "{authorization}");
        }
    }

    #[test]
    fn parameters_are_hashed_as_an_object_in_their_order() {
        let query = "to=12025550199&from=12025550101&uuid=a";
        let claims =
            json!({"iat": NOW, "payload_hash": hash(r#"{"to":"12025550199","from":"12025550101","uuid":"a"}"#)});
        let token = token(&json!({"alg": "HS256"}), &claims, "signature secret");
        assert_eq!(check(&token, query, "").unwrap()["uuid"], "a");
        assert!(check(&token, "to=12025550199&from=12025550102&uuid=a", "").is_err());
        assert!(check(&token, "", "").is_err());
    }
}
