//! HKDF-SHA-256 (RFC 5869): one secret in, a key for each purpose out.
//!
//! `info` names what the key is for (tenant, purpose, version); two names never share a key. The secrets that come in
//! are uniformly random, so that no salt is needed (RFC 5869 §3.1).

use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

use super::Key;
use super::siv::SivKey;

/// The 32-byte key that `secret` gives for `info`.
pub fn derive(secret: &Key, info: &str) -> Key {
    let mut key = Zeroizing::new([0; 32]);
    expand(&[], secret.bytes().as_slice(), info.as_bytes(), key.as_mut_slice());
    Key::new(*key)
}

/// The 64-byte key that `secret` gives for `info`: AES-SIV takes one key to authenticate and one to encrypt.
pub fn derive_siv(secret: &Key, info: &str) -> SivKey {
    let mut key = Zeroizing::new([0; 64]);
    expand(&[], secret.bytes().as_slice(), info.as_bytes(), key.as_mut_slice());
    SivKey::new(&key)
}

/// How many bytes are asked for.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[expect(clippy::expect_used, reason = "RFC 5869 §2.3: only more than 255 × 32 bytes fail, and the longest key has 64")]
fn expand(salt: &[u8], secret: &[u8], info: &[u8], out: &mut [u8]) {
    let prk = Salt::new(HKDF_SHA256, salt).extract(secret);
    let info = [info];
    let okm = prk.expand(&info, Length(out.len())).expect("a key is shorter than 8,160 bytes");
    okm.fill(out).expect("the length asked for is the length of the buffer");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use super::*;
    use crate::crypto::testing::hex;

    /// RFC 5869, appendices A.1 to A.3.
    #[test]
    fn agrees_with_rfc_5869() {
        let salts = [hex("000102030405060708090a0b0c"), (0x60..=0xaf).collect(), vec![]];
        let secrets = [vec![0x0b; 22], (0x00..=0x4f).collect(), vec![0x0b; 22]];
        let infos = [hex("f0f1f2f3f4f5f6f7f8f9"), (0xb0..=0xff).collect(), vec![]];
        let expected = [
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09
             da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ]
        .map(hex);
        for (case, okm) in expected.iter().enumerate() {
            let mut out = vec![0; okm.len()];
            expand(&salts[case], &secrets[case], &infos[case], &mut out);
            assert_eq!(out, *okm, "appendix A.{}", case + 1);
        }
    }

    #[test]
    fn each_name_and_each_secret_has_its_own_key() {
        let secret = Key::new([5; 32]);
        assert_eq!(derive(&secret, "t/index/1").bytes(), derive(&secret, "t/index/1").bytes());
        assert_ne!(derive(&secret, "t/index/1").bytes(), derive(&secret, "t/index/2").bytes());
        assert_ne!(derive(&secret, "t/index/1").bytes(), derive(&Key::new([6; 32]), "t/index/1").bytes());
    }
}
