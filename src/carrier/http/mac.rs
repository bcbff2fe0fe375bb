//! Signatures over what carriers send. Compared in constant time.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use ring::digest;
use ring::hmac::{self, Algorithm};

/// Whether `given` (base64 or hexadecimal) is the HMAC of these parts in a row.
pub(in crate::carrier) fn is_mac(algorithm: Algorithm, secret: &[u8], parts: &[&[u8]], given: &str) -> bool {
    let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, secret));
    parts.iter().for_each(|part| context.update(part));
    let made = context.sign();
    decoded(given.trim(), made.as_ref().len()).is_some_and(|given| crate::crypto::equal(made.as_ref(), &given))
}

/// Octets as they are usually written in a header; `length` tells the two spellings apart.
fn decoded(text: &str, length: usize) -> Option<Vec<u8>> {
    let text = text.strip_prefix("sha256=").unwrap_or(text);
    if text.len() == 2 * length {
        return HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
    }
    BASE64.decode(text.as_bytes()).ok()
}

/// Whether `given` is the SHA-256 of `body` in hexadecimal.
pub(in crate::carrier) fn is_sha256(body: &[u8], given: &str) -> bool {
    let made = digest::digest(&digest::SHA256, body);
    let given = HEXLOWER_PERMISSIVE.decode(given.as_bytes());
    given.is_ok_and(|given| crate::crypto::equal(made.as_ref(), &given))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202 §3, test case 2; RFC 4231 §4.3.
    #[test]
    fn the_published_vectors_are_found_in_both_spellings() {
        let (key, data): (&[u8], &[u8]) = (b"Jefe", b"what do ya want for nothing?");
        let one = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
        let two = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(is_mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key, &[data], one));
        assert!(is_mac(
            hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            key,
            &[b"what do ya ", b"want for nothing?"],
            "7/zfauXrL6LSdBbV8YTfnCWafHk="
        ));
        assert!(
            is_mac(hmac::HMAC_SHA256, key, &[data], two)
                && is_mac(hmac::HMAC_SHA256, key, &[data], &format!("sha256={two}"))
        );
        for wrong in
            ["", "e", &one[1..], "effcdf6ae5eb2fa2d27416d5f184df9c259a7c78", "7/zfauXrL6LSdBbV8YTfnCWafHg=", "é"]
        {
            assert!(!is_mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key, &[data], wrong), "{wrong}");
        }
    }

    #[test]
    fn a_hash_is_of_the_whole_body() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert!(is_sha256(b"", empty) && !is_sha256(b"x", empty) && !is_sha256(b"", &empty[2..]));
    }
}
