//! Who calls: an HMAC over the body, a secret in a header, or basic authentication. Compared in constant time.

use data_encoding::BASE64;
use ring::hmac;
use zeroize::Zeroizing;

use crate::carrier::http::mac;
use crate::carrier::{Callback, Refusal};
use crate::config::TemplateAuth;

/// Whether a call brings what it has to.
pub(super) fn checked(auth: &TemplateAuth, callback: &Callback<'_>) -> Result<(), Refusal> {
    let is_theirs = match auth {
        TemplateAuth::Hmac { header, timestamp, signed, secret } => {
            let time = timestamp.as_ref().map(|name| callback.header(name)).map_or(Some(""), |time| time);
            let is_fresh = time.is_some_and(|time| timestamp.is_none() || is_fresh(time, callback));
            let parts = parts(signed, callback.body, time.unwrap_or_default());
            let given = callback.header(header).unwrap_or_default();
            is_fresh && mac::is_mac(hmac::HMAC_SHA256, secret.0.as_bytes(), &parts, given)
        }
        TemplateAuth::Header { header, secret } => {
            crate::crypto::equal(callback.header(header).unwrap_or_default().as_bytes(), secret.0.as_bytes())
        }
        TemplateAuth::Basic { user, password } => {
            let pair = Zeroizing::new(format!("{user}:{}", password.0.as_str()));
            let given = callback.header("authorization").and_then(|value| value.split_once(' '));
            let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
            let given = given.and_then(|(_, text)| BASE64.decode(text.trim().as_bytes()).ok()).map(Zeroizing::new);
            given.is_some_and(|given| crate::crypto::equal(&given, pair.as_bytes()))
        }
    };
    if is_theirs { Ok(()) } else { Err(Refusal::Forged) }
}

/// What is signed, in a row: the text between the placeholders, the body, the time.
fn parts<'a>(signed: &'a str, body: &'a [u8], time: &'a str) -> Vec<&'a [u8]> {
    let mut parts: Vec<&[u8]> = Vec::new();
    let mut rest = signed;
    while let Some(at) = rest.find('{') {
        let (before, marked) = rest.split_at(at);
        parts.push(before.as_bytes());
        if let Some(after) = marked.strip_prefix("{body}") {
            parts.push(body);
            rest = after;
        } else if let Some(after) = marked.strip_prefix("{timestamp}") {
            parts.push(time.as_bytes());
            rest = after;
        } else {
            let (brace, after) = marked.split_at(1);
            parts.push(brace.as_bytes());
            rest = after;
        }
    }
    parts.push(rest.as_bytes());
    parts
}

/// Whether a time in Unix seconds is about now.
fn is_fresh(time: &str, callback: &Callback<'_>) -> bool {
    let time: Option<i64> = time.trim().parse().ok();
    time.is_some_and(|time| time.abs_diff(callback.at.as_secs()) <= WINDOW_S)
}

/// How far from now a call may have been signed.
const WINDOW_S: u64 = 300;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use crate::clock::Timestamp;
    use crate::config::Hidden;

    const NOW: i64 = 1_795_000_000;

    fn secret() -> Hidden {
        Hidden(Zeroizing::new("secret".to_owned()))
    }

    fn check(auth: &TemplateAuth, headers: &[(&str, String)], body: &str) -> bool {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), Zeroizing::new(value.clone()))).collect();
        let (at, url, body) = (Timestamp::from_millis(NOW * 1_000), "https://bauta.example", body.as_bytes());
        checked(auth, &Callback { at, is_post: true, url, query: "", headers: &headers, body }).is_ok()
    }

    fn signed(text: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        BASE64.encode(hmac::sign(&key, text.as_bytes()).as_ref())
    }

    #[test]
    fn what_is_signed_may_be_laid_out_as_the_gateway_likes() {
        let (header, timestamp) = ("X-Signature".to_owned(), Some("X-Timestamp".to_owned()));
        let signed_as = "v1.{timestamp}.{body}{".to_owned();
        let auth = TemplateAuth::Hmac { header: header.clone(), timestamp, signed: signed_as, secret: secret() };
        let at =
            |time: i64| vec![("x-signature", signed(&format!("v1.{time}.hello{{"))), ("x-timestamp", time.to_string())];
        assert!(check(&auth, &at(NOW), "hello") && check(&auth, &at(NOW - 300), "hello"));
        assert!(!check(&auth, &at(NOW), "other") && !check(&auth, &at(NOW - 301), "hello"));
        assert!(!check(&auth, &at(NOW)[..1], "hello"), "without its time");
        let plain = TemplateAuth::Hmac { header, timestamp: None, signed: "{body}".into(), secret: secret() };
        assert!(check(&plain, &[("x-signature", signed("hello"))], "hello"));
        assert!(!check(&plain, &[("x-signature", String::new())], "hello") && !check(&plain, &[], "hello"));
    }

    #[test]
    fn a_shared_secret_and_a_password_are_taken_whole() {
        let header = TemplateAuth::Header { header: "X-Secret".into(), secret: secret() };
        assert!(check(&header, &[("x-secret", "secret".into())], ""));
        for wrong in ["", "secre", "secrets", "Secret"] {
            assert!(!check(&header, &[("x-secret", wrong.into())], ""), "{wrong}");
        }
        let basic = TemplateAuth::Basic { user: "kannel".into(), password: secret() };
        let given = |pair: &str| vec![("authorization", format!("Basic {}", BASE64.encode(pair.as_bytes())))];
        assert!(check(&basic, &given("kannel:secret"), ""));
        assert!(!check(&basic, &given("kannel:secrets"), "") && !check(&basic, &given("other:secret"), ""));
        assert!(!check(&basic, &[("authorization", "Bearer secret".into())], "") && !check(&basic, &[], ""));
    }
}
