//! Keys that sign requests, and the two algorithms (RFC 9421 §3.3.3, §3.3.6).

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::hmac;
use ring::signature::{ED25519, UnparsedPublicKey};

/// How requests are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA-256 with a secret that both sides have.
    HmacSha256,
    /// Ed25519 with a private key that only the client has.
    Ed25519,
}

impl Algorithm {
    /// Its name in the registry of RFC 9421 §6.2.2.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// What a signature is checked with. It knows its algorithm; what a request says cannot change that.
pub enum Key {
    /// The secret, ready for use.
    Hmac(hmac::Key),
    /// The public key.
    Ed25519([u8; 32]),
}

impl Key {
    /// A key of this secret.
    pub fn hmac(secret: &[u8]) -> Self {
        Self::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    pub(super) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hmac(_) => Algorithm::HmacSha256,
            Self::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Ed25519(public) => UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok(),
        }
    }
}

/// An Ed25519 public key as people have it: PEM as `openssl pkey -pubout` writes it (RFC 8410 §4), or its 32 bytes in
/// base64 or base64url.
pub fn public_key(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    let Some(pem) = text.strip_prefix("-----BEGIN PUBLIC KEY-----") else {
        let bytes = BASE64.decode(text.as_bytes()).or_else(|_| BASE64URL_NOPAD.decode(text.as_bytes())).ok()?;
        return bytes.try_into().ok();
    };
    let body: String = pem.strip_suffix("-----END PUBLIC KEY-----")?.split_whitespace().collect();
    let der = BASE64.decode(body.as_bytes()).ok()?;
    der.strip_prefix(SPKI_ED25519)?.try_into().ok()
}

/// SubjectPublicKeyInfo up to the key: SEQUENCE { SEQUENCE { 1.3.101.112 }, BIT STRING of 32 bytes }.
const SPKI_ED25519: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
