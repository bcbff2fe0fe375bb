//! The key that signs verification proofs: Ed25519 (RFC 8032), known to the world by its thumbprint.

use data_encoding::BASE64URL_NOPAD;
use ring::digest;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::KeyError;
use crate::crypto::Key;

/// A signing key and its public name. The seed does not leave, and lies in locked memory; what is made of it to sign
/// with lives as long as that takes.
pub struct ProofKey {
    kid: String,
    public: [u8; 32],
    seed: Key,
}

impl ProofKey {
    pub(super) fn of(seed: &Key) -> Result<Self, KeyError> {
        let pair = pair(seed)?;
        let public = <[u8; 32]>::try_from(pair.public_key().as_ref()).map_err(|_| KeyError::Unopened)?;
        Ok(Self { kid: thumbprint(&public), public, seed: Key::new(*seed.bytes()) })
    }

    /// The key's id: its JWK thumbprint (RFC 7638, RFC 8037 appendix A.3), base64url.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key, 32 bytes, the `x` of its JWK before base64url.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// The 64-byte signature of `message`.
    #[expect(clippy::expect_used, reason = "`of` made a pair of this very seed")]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = pair(&self.seed).expect("a seed of 32 bytes").sign(message);
        let mut out = [0; 64];
        out.iter_mut().zip(signature.as_ref()).for_each(|(to, from)| *to = *from);
        out
    }
}

fn pair(seed: &Key) -> Result<Ed25519KeyPair, KeyError> {
    Ed25519KeyPair::from_seed_unchecked(seed.bytes().as_slice()).map_err(|_| KeyError::Unopened)
}

fn thumbprint(public: &[u8; 32]) -> String {
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, BASE64URL_NOPAD.encode(public));
    BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, jwk.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    /// RFC 8037 appendix A.1 and A.3.
    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        let seed = BASE64URL_NOPAD.decode(b"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = ProofKey::of(&Key::new(seed.try_into().unwrap())).unwrap();
        assert_eq!(BASE64URL_NOPAD.encode(&key.public()), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_signature_verifies_for_its_message_only() {
        let key = ProofKey::of(&Key::new([9; 32])).unwrap();
        let signature = key.sign(b"message");
        let public = UnparsedPublicKey::new(&ED25519, key.public());
        assert!(public.verify(b"message", &signature).is_ok());
        assert!(public.verify(b"messagf", &signature).is_err());
    }
}
