//! Keyed fingerprints: HMAC-SHA-256 (RFC 2104, FIPS 198-1) over parts.
//!
//! Each part is preceded by its length, so that no two lists of parts give the same input. A fingerprint of a number
//! is a *blind index*: whoever lacks the key cannot test guesses, of which the number space holds few.

use ring::hmac;

use super::Key;

/// The first 16 bytes of the fingerprint of `parts`: blind indexes, keyed ids.
pub fn mac16(key: &Key, parts: &[&[u8]]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(mac32(key, parts).split_at(16).0);
    half
}

/// The fingerprint of `parts`: credentials, codes, idempotency keys.
pub fn mac32(key: &Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.bytes().as_slice()));
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    bytes(&context.sign())
}

/// The first 8 bytes, as a number, of the fingerprint of `text` under a fingerprint that is itself kept secret.
pub fn mac8(secret: &[u8; 32], text: &[u8]) -> i64 {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text);
    tag.as_ref().first_chunk().map_or(0, |first| i64::from_be_bytes(*first))
}

fn bytes(tag: &hmac::Tag) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::testing::hex;

    /// RFC 4231, §4.2 to §4.4 and §4.7: what `ring` computes is HMAC-SHA-256.
    #[test]
    fn agrees_with_rfc_4231() {
        let cases: [(Vec<u8>, Vec<u8>, &str); 4] = [
            (vec![0x0b; 20], b"Hi There".to_vec(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (vec![0xaa; 20], vec![0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, text, expected) in cases {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &text);
            assert_eq!(bytes(&tag).to_vec(), hex(expected));
        }
    }

    #[test]
    fn one_part_is_the_plain_hmac_of_length_and_part() {
        let key = Key::new([3; 32]);
        let mut text = 5u64.to_be_bytes().to_vec();
        text.extend_from_slice(b"bauta");
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.bytes().as_slice()), &text);
        assert_eq!(mac32(&key, &[b"bauta"]), bytes(&tag));
        assert!(mac32(&key, &[b"bauta"]).starts_with(&mac16(&key, &[b"bauta"])));
    }

    #[test]
    fn moving_a_byte_from_part_to_part_changes_the_fingerprint() {
        let key = Key::new([3; 32]);
        assert_ne!(mac16(&key, &[b"ab", b"c"]), mac16(&key, &[b"a", b"bc"]));
        assert_ne!(mac16(&key, &[b"ab"]), mac16(&key, &[b"ab", b""]));
    }

    #[test]
    fn another_key_gives_another_fingerprint() {
        assert_ne!(mac16(&Key::new([3; 32]), &[b"ab"]), mac16(&Key::new([4; 32]), &[b"ab"]));
    }
}
