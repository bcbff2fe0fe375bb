//! The primitives that everything else is built on, each under one name and with one way to use it.
//!
//! * [`aead`] XAES-256-GCM, randomised: whatever is sealed at rest.
//! * [`siv`] AES-SIV, deterministic: sealed tokens.
//! * [`fpe`] FF1, a permutation of decimal digits: tokens for test data.
//! * [`block`] one AES-256 block, a permutation of 128 bits: vaulted tokens.
//! * [`index`] HMAC-SHA-256 over length-prefixed parts: blind indexes, keyed ids, credentials, codes.
//! * [`keyset`] HKDF-SHA-256: one key for each purpose out of a tenant's secret.
//! * [`locked`] where keys lie: memory that is not swapped.
//!
//! Nothing here knows tenants, numbers or stores. Keys are wiped when dropped and cannot be shown, copied or compared
//! with `==`. No function takes a nonce: randomised ones draw it, deterministic ones need none. Called by `keyring`,
//! and by whoever needs [`random`] bytes or a comparison in constant time.

pub mod aead;
pub mod block;
pub mod fpe;
pub mod index;
pub mod keyset;
pub mod locked;
pub mod siv;

use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use locked::Locked;

/// 256 secret bits in locked memory, wiped when dropped:
///
/// ```compile_fail
/// fn show(key: bauta::crypto::Key) { println!("{key:?}"); }
/// ```
/// ```compile_fail
/// fn copy(key: &bauta::crypto::Key) -> bauta::crypto::Key { key.clone() }
/// ```
/// ```compile_fail
/// fn same(a: bauta::crypto::Key, b: bauta::crypto::Key) -> bool { a == b }
/// ```
pub struct Key(Locked<32>);

impl Key {
    /// The key that consists of these bytes, as unwrapped or derived.
    pub fn new(mut bytes: [u8; 32]) -> Self {
        let key = Self(Locked::keep(&bytes));
        bytes.zeroize();
        key
    }

    /// A key that nobody has had before.
    pub fn fresh() -> Self {
        Self::new(random())
    }

    /// A copy of the bytes, which wipes itself: for ciphers, for wrapping under another key and for signing seeds.
    pub fn bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.copy()
    }
}

/// What was to be opened is not authentic under this key and associated data, or too short to be anything.
///
/// One variant on purpose: telling the reasons apart would be an oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not authentic under this key and associated data")]
pub struct NotAuthentic;

/// `N` bytes from the operating system's generator.
///
/// # Panics
/// If the operating system has no randomness to give: whatever the caller would make of predictable bytes is worse
/// than stopping. `getrandom(2)` does not fail once the machine has booted.
#[expect(clippy::expect_used, reason = "predictable bytes would be worse than stopping; see # Panics")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Whether two secrets are equal, in time that depends on their lengths only.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
pub(crate) mod testing {
    //! What the vector tests share.

    use data_encoding::HEXLOWER_PERMISSIVE;

    /// The bytes that `text` spells in hexadecimal; spaces and line breaks are for the reader.
    pub(crate) fn hex(text: &str) -> Vec<u8> {
        let digits: String = text.split_whitespace().collect();
        HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).unwrap_or_else(|error| unreachable!("bad vector: {error}"))
    }

    /// The same, of a known length.
    pub(crate) fn array<const N: usize>(text: &str) -> [u8; N] {
        hex(text).try_into().unwrap_or_else(|_| unreachable!("a vector of another length"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_do_not_repeat() {
        assert_ne!(random::<16>(), random::<16>());
        assert_ne!(*Key::fresh().bytes(), [0; 32]);
    }

    #[test]
    fn equal_compares_contents_and_lengths() {
        assert!(equal(b"proof", b"proof"));
        assert!(!equal(b"proof", b"proog"));
        assert!(!equal(b"proof", b"proo"));
        assert!(!equal(b"", b"p"));
    }
}
