//! Signatures of Standard Webhooks 1.0: HMAC-SHA-256 over `id.timestamp.body`.
//!
//! Pure. While a secret is being replaced both sign, separated by a space, so that a receiver may know either.

use data_encoding::BASE64;
use ring::hmac;
use zeroize::Zeroizing;

/// The header that names the message: the same over all tries of one event.
pub(super) const ID: &str = "webhook-id";
/// The header with the moment of this try, in Unix seconds.
pub(super) const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures.
pub(super) const SIGNATURE: &str = "webhook-signature";

/// A secret as receivers are given it.
pub(super) fn shown(secret: &[u8; 32]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(64));
    text.push_str("whsec_");
    BASE64.encode_append(secret, &mut text);
    text
}

/// The value of the signature header: one signature for each secret.
pub(super) fn header<'a>(secrets: impl IntoIterator<Item = &'a [u8]>, id: &str, timestamp: i64, body: &[u8]) -> String {
    let signed = |secret: &[u8]| {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64.encode(context.sign().as_ref()))
    };
    secrets.into_iter().map(signed).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The example of the specification's reference libraries, which all of them check themselves by.
    #[test]
    fn agrees_with_the_published_vector() {
        let secret = BASE64.decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let header = header([secret.as_slice()], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(header, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_make_two_signatures_and_a_moved_dot_makes_another() {
        let both = header([b"one".as_slice(), b"two"], "evt_1", 7, b"{}");
        let (one, two) = both.split_once(' ').unwrap();
        assert_eq!(one, header([b"one".as_slice()], "evt_1", 7, b"{}"));
        assert_eq!(two, header([b"two".as_slice()], "evt_1", 7, b"{}"));
        assert_ne!(one, header([b"one".as_slice()], "evt_", 17, b"{}"));
        assert_ne!(one, header([b"one".as_slice()], "evt_1", 7, b"{} "));
    }

    #[test]
    fn a_secret_is_shown_as_receivers_read_it() {
        let shown = shown(&[0xff; 32]);
        let bytes = BASE64.decode(shown.strip_prefix("whsec_").unwrap().as_bytes()).unwrap();
        assert_eq!(bytes, [0xff; 32]);
    }
}
