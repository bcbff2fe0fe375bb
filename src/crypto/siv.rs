//! AES-SIV with CMAC and 512 key bits (RFC 5297; AEAD_AES_SIV_CMAC_512 of its §6, used without a nonce): the same
//! plaintext under the same key and associated data always gives the same text, and nothing else is told by it.
//!
//! A sealed text is the synthetic IV (16 bytes, also the tag) ‖ ciphertext. Associated data come as components (S2V,
//! §2.4), so that moving a byte from one to the next is noticed. Called by `keyring` for sealed tokens.

use aes::cipher::Array;
use aes_siv::KeyInit;
use aes_siv::siv::Aes256Siv;
use zeroize::Zeroizing;

use super::NotAuthentic;
use super::locked::Locked;

/// The length of the synthetic IV in bytes.
pub const OVERHEAD: usize = aes_siv::siv::IV_SIZE;

/// 512 secret bits in locked memory, the first half to authenticate, the second to encrypt; wiped when dropped.
/// Made by [`super::keyset::derive_siv`].
pub struct SivKey(Locked<64>);

impl SivKey {
    pub(super) fn new(bytes: &[u8; 64]) -> Self {
        Self(Locked::keep(bytes))
    }
}

/// Seals `plaintext` with at most 126 components of associated data.
#[expect(clippy::expect_used, reason = "RFC 5297 §2.6: only more than 126 components fail, and callers list theirs")]
pub fn seal(key: &SivKey, aad: &[&[u8]], plaintext: &[u8]) -> Vec<u8> {
    cipher(key).encrypt(aad, plaintext).expect("at most 126 components of associated data")
}

/// Opens what [`seal`] made with the same key and the same components.
///
/// # Errors
/// [`NotAuthentic`] for anything else, whatever its length.
pub fn open(key: &SivKey, aad: &[&[u8]], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotAuthentic> {
    cipher(key).decrypt(aad, sealed).map(Zeroizing::new).map_err(|_| NotAuthentic)
}

fn cipher(key: &SivKey) -> Aes256Siv {
    Aes256Siv::new(&Array(*key.0.copy()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use aes_siv::siv::Aes128Siv;
    use serde_json::Value;

    use super::*;
    use crate::crypto::testing::{array, hex};

    /// RFC 5297, appendix A.1: deterministic, one component. Its keys have 256 bits.
    #[test]
    fn the_construction_agrees_with_rfc_5297_a1() {
        let key = array::<32>("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0 f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
        let aad = hex("101112131415161718191a1b1c1d1e1f 2021222324252627");
        let sealed = Aes128Siv::new(&Array(key)).encrypt([aad], &hex("112233445566778899aabbccddee")).unwrap();
        assert_eq!(sealed, hex("85632d07c6e8f37f950acd320a2ecc93 40c02b9690c4dc04daef7f6afe5c"));
    }

    /// RFC 5297, appendix A.2: a nonce as the last of three components.
    #[test]
    fn the_construction_agrees_with_rfc_5297_a2() {
        let key = array::<32>("7f7e7d7c7b7a79787776757473727170 404142434445464748494a4b4c4d4e4f");
        let aad = [
            hex("00112233445566778899aabbccddeeff deaddadadeaddadaffeeddccbbaa9988 7766554433221100"),
            hex("102030405060708090a0"),
            hex("09f911029d74e35bd84156c5635688c0"),
        ];
        let plaintext = b"this is some plaintext to encrypt using SIV-AES";
        let sealed = Aes128Siv::new(&Array(key)).encrypt(aad, plaintext).unwrap();
        let expected = "7bdb6e3b432667eb06f4d14bff2fbd0f cb900f2fddbe404326601965c889bf17
                        dba77ceb094fa663b7a3f748ba8af829 ea64ad544a272e9c485b62a3fd5c0d";
        assert_eq!(sealed, hex(expected));
    }

    #[test]
    fn agrees_with_wycheproof_in_what_opens_and_what_does_not() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/aes_siv_cmac_512.json")).unwrap();
        let field = |test: &Value, name: &str| test[name].as_str().map(hex);
        let mut seen = [0, 0];
        for test in vectors["tests"].as_array().unwrap() {
            let key = SivKey::new(&field(test, "key").unwrap().try_into().unwrap());
            let components: Vec<Vec<u8>> = [field(test, "aad"), field(test, "iv")].into_iter().flatten().collect();
            let aad: Vec<&[u8]> = components.iter().map(Vec::as_slice).collect();
            let (msg, sealed) = (field(test, "msg").unwrap(), field(test, "ct").unwrap());
            let valid = test["valid"] == true;
            let opened = open(&key, &aad, &sealed);
            assert_eq!(opened.is_ok_and(|text| *text == msg), valid, "{}", test["id"]);
            assert_eq!(seal(&key, &aad, &msg) == sealed, valid, "{}", test["id"]);
            seen[usize::from(valid)] += 1;
        }
        assert!(seen[0] >= 10 && seen[1] >= 10, "the file holds vectors of both sorts: {seen:?}");
    }

    #[test]
    fn the_same_text_is_always_sealed_the_same_way() {
        let key = SivKey::new(&[9; 64]);
        assert_eq!(seal(&key, &[b"a", b"b"], b"text"), seal(&key, &[b"a", b"b"], b"text"));
        assert_eq!(seal(&key, &[b"a"], b"text").len(), 4 + OVERHEAD);
    }

    #[test]
    fn a_wrong_key_opens_nothing() {
        let sealed = seal(&SivKey::new(&[9; 64]), &[b"a"], b"text");
        let (mut mac, mut enc) = ([9; 64], [9; 64]);
        (mac[0], enc[63]) = (8, 8);
        assert_eq!(open(&SivKey::new(&mac), &[b"a"], &sealed).err(), Some(NotAuthentic));
        assert_eq!(open(&SivKey::new(&enc), &[b"a"], &sealed).err(), Some(NotAuthentic));
    }

    #[test]
    fn swapped_or_shifted_associated_data_open_nothing() {
        let key = SivKey::new(&[9; 64]);
        let sealed = seal(&key, &[b"tenant", b"partner"], b"text");
        for aad in [&[b"partner".as_slice(), b"tenant"] as &[&[u8]], &[b"tenantp", b"artner"], &[b"tenant"], &[]] {
            assert_eq!(open(&key, aad, &sealed).err(), Some(NotAuthentic));
        }
    }

    #[test]
    fn a_truncated_or_lengthened_text_does_not_open() {
        let key = SivKey::new(&[9; 64]);
        let mut sealed = seal(&key, &[b"a"], b"text");
        for length in 0..sealed.len() {
            assert_eq!(open(&key, &[b"a"], &sealed[..length]).err(), Some(NotAuthentic), "{length} bytes");
        }
        sealed.push(0);
        assert_eq!(open(&key, &[b"a"], &sealed).err(), Some(NotAuthentic));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let key = SivKey::new(&[9; 64]);
        let sealed = seal(&key, &[b"a"], b"text");
        for bit in 0..sealed.len() * 8 {
            let mut broken = sealed.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&key, &[b"a"], &broken).err(), Some(NotAuthentic), "bit {bit}");
        }
    }
}
