//! Who calls: `X-Twilio-Signature`, base64 of HMAC-SHA1 under the account's token.
//!
//! A form is signed with the address that was called and its fields by name; anything else with the address alone, whose
//! query then names the body's SHA-256 (`bodySHA256`). The address is ours as we know it, never as the caller says.

use ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY;
use zeroize::Zeroizing;

use crate::carrier::http::fields::Fields;
use crate::carrier::http::mac;
use crate::carrier::{Callback, Refusal};

/// The fields of a call that is Twilio's.
pub(super) fn checked(token: &str, callback: &Callback<'_>) -> Result<Fields, Refusal> {
    let given = callback.header("x-twilio-signature").ok_or(Refusal::Forged)?;
    let query = Fields::parse(callback.query.as_bytes()).map_err(|_| Refusal::Forged)?;
    let fields = match query.get("bodySHA256") {
        Some(hash) if callback.is_post && !is_form(callback) => {
            if !mac::is_sha256(callback.body, hash) {
                return Err(Refusal::Forged);
            }
            None
        }
        _ if callback.is_post => Some(Fields::parse(callback.body).map_err(|_| Refusal::Forged)?),
        _ => None,
    };
    let signed = fields.as_ref().map(spelled).unwrap_or_default();
    if !addresses(callback).iter().any(|address| is_signed(token, address, &signed, given)) {
        return Err(Refusal::Forged);
    }
    Ok(fields.unwrap_or(query))
}

fn is_signed(token: &str, address: &str, fields: &str, given: &str) -> bool {
    mac::is_mac(HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes(), &[address.as_bytes(), fields.as_bytes()], given)
}

fn is_form(callback: &Callback<'_>) -> bool {
    let kind = callback.header("content-type").unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The address with its query; with and without the port that goes without saying, since both are in use.
fn addresses(callback: &Callback<'_>) -> Vec<Zeroizing<String>> {
    let full = |url: &str| {
        let mark = if callback.query.is_empty() { "" } else { "?" };
        Zeroizing::new(format!("{url}{mark}{}", callback.query))
    };
    let mut known = vec![full(callback.url)];
    let Some((scheme, rest)) = callback.url.split_once("://") else { return known };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let port = if scheme == "https" { ":443" } else { ":80" };
    match authority.strip_suffix(port) {
        Some(bare) => known.push(full(&format!("{scheme}://{bare}{path}"))),
        None if has_port(authority) => {}
        None => known.push(full(&format!("{scheme}://{authority}{port}{path}"))),
    }
    known
}

fn has_port(authority: &str) -> bool {
    authority.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|octet| octet.is_ascii_digit()))
}

/// Names and values in a row, sorted; a value that comes twice under one name counts once.
fn spelled(fields: &Fields) -> Zeroizing<String> {
    let mut pairs: Vec<(&str, &str)> = fields.iter().collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut text =
        Zeroizing::new(String::with_capacity(pairs.iter().map(|(name, value)| name.len() + value.len()).sum()));
    for (name, value) in pairs {
        text.push_str(name);
        text.push_str(value);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_in_result)]
    use data_encoding::BASE64;
    use ring::{digest, hmac};

    use super::*;
    use crate::clock::Timestamp;

    const TOKEN: &str = "12345";
    const FORM: &[u8] =
        b"CallSid=CA1234567890ABCDE&Caller=%2B12025550101&Digits=1234&From=%2B12025550101&To=%2B12025550199";
    const URL: &str = "https://mycompany.example/myapp.php";

    fn check(url: &str, query: &str, headers: &[(&str, &str)], body: &[u8]) -> bool {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), Zeroizing::new((*value).to_owned()))).collect();
        let is_post = !body.is_empty();
        let callback = Callback { at: Timestamp::from_millis(0), is_post, url, query, headers: &headers, body };
        checked(TOKEN, &callback).is_ok()
    }

    fn signature(signed: &str) -> String {
        let key = hmac::Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes());
        BASE64.encode(hmac::sign(&key, signed.as_bytes()).as_ref())
    }

    /// Made by PyPI `twilio`, after the example of Twilio's own page on security.
    #[test]
    fn what_twilios_own_library_signs_is_taken_and_nothing_beside_it() {
        let header = [("x-twilio-signature", "g3lZYsk+zgYyP7Cm6VMg5yE1Zg0=")];
        assert!(check(URL, "foo=1&bar=2", &header, FORM));
        assert!(check("https://mycompany.example:443/myapp.php", "foo=1&bar=2", &header, FORM));
        assert!(!check(URL, "foo=1&bar=3", &header, FORM), "another query");
        assert!(!check(URL, "", &header, FORM));
        assert!(!check("http://mycompany.example/myapp.php", "foo=1&bar=2", &header, FORM), "another scheme");
        assert!(
            !check("https://mycompany.example.evil.example/myapp.php", "foo=1&bar=2", &header, FORM),
            "another host"
        );
        assert!(!check(URL, "foo=1&bar=2", &header, &FORM[1..]));
        assert!(!check(URL, "foo=1&bar=2", &[], FORM));
        let twice = [header[0], header[0]];
        assert!(!check(URL, "foo=1&bar=2", &twice, FORM), "one signature and no more");
    }

    #[test]
    fn json_is_signed_through_the_hash_of_its_body() {
        let body = br#"{"property": "value", "boolean": true}"#;
        let hash = data_encoding::HEXLOWER.encode(digest::digest(&digest::SHA256, body).as_ref());
        let query = format!("bodySHA256={hash}");
        let made = signature(&format!("{URL}?{query}"));
        let header = [("x-twilio-signature", made.as_str()), ("content-type", "application/json")];
        assert!(check(URL, &query, &header, body));
        assert!(!check(URL, &query, &header, br#"{"property": "other"}"#));
    }

    #[test]
    fn a_form_cannot_pass_for_json_under_a_signature_of_the_address_alone() {
        let hash = data_encoding::HEXLOWER.encode(digest::digest(&digest::SHA256, FORM).as_ref());
        let query = format!("bodySHA256={hash}");
        let made = signature(&format!("{URL}?{query}"));
        let kind = "application/x-www-form-urlencoded";
        assert!(!check(URL, &query, &[("x-twilio-signature", &made), ("content-type", kind)], FORM));
    }
}
