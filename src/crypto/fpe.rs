//! FF1 (NIST SP 800-38G §5.1, with the domain of at least 10^6 that its revision 1 demands) under AES-256 over decimal
//! digits: a permutation of all strings of one length, another one for each tweak.
//!
//! A string that begins with 0 stays one that does, and no other becomes one (cycle walking: the permutation is applied
//! until it leads back into the class), so that what looked like a number still does. Each class has to have 10^6
//! members, hence [`SHORTEST`]. Encryption only: nothing in the house turns such a text back. Called by `keyring`.

use aes::Aes256;
use fpe::ff1::{FF1, NumeralString, Operations};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Key;

/// The fewest digits that are permuted: those that begin with 0 are 10^6.
pub const SHORTEST: usize = 7;

/// The most: what the arithmetic has room for, and more than any number has.
const LONGEST: usize = 18;

/// The image of `digits`, of the same length. None unless they are [`SHORTEST`] to 18 ASCII digits.
pub fn permute(key: &Key, tweak: &[u8], digits: &str) -> Option<Zeroizing<String>> {
    if !(SHORTEST..=LONGEST).contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let ff1 = FF1::<Aes256>::new(key.bytes().as_slice(), RADIX).ok()?;
    let mut image = Digits { value: digits.parse().ok()?, length: digits.len() };
    let class = image.begins_with_zero();
    // A cycle leads back to where it began, which is in the class: this ends.
    loop {
        image = ff1.encrypt(tweak, &image).ok()?;
        if image.begins_with_zero() == class {
            return Some(image.spelled());
        }
    }
}

/// So many decimal digits: a numeral string of the standard, and its halves.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Digits {
    value: u64,
    length: usize,
}

impl Digits {
    fn begins_with_zero(&self) -> bool {
        self.value < power(self.length.saturating_sub(1))
    }

    fn spelled(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{:0length$}", self.value, length = self.length))
    }
}

impl NumeralString for Digits {
    type Ops = Self;

    fn is_valid(&self, radix: u32) -> bool {
        radix == RADIX && self.value < power(self.length)
    }

    fn numeral_count(&self) -> usize {
        self.length
    }

    fn split(&self) -> (Self, Self) {
        let (left, right) = (self.length / 2, self.length - self.length / 2);
        let cut = power(right);
        (Self { value: self.value / cut, length: left }, Self { value: self.value % cut, length: right })
    }

    fn concat(a: Self, b: Self) -> Self {
        Self { value: a.value * power(b.length) + b.value, length: a.length + b.length }
    }
}

impl Operations for Digits {
    type Bytes = Zeroizing<Vec<u8>>;

    fn numeral_count(&self) -> usize {
        self.length
    }

    fn to_be_bytes(&self, _: u32, b: usize) -> Self::Bytes {
        let bytes = Zeroizing::new(self.value.to_be_bytes());
        let unused = bytes.len().saturating_sub(b);
        Zeroizing::new(bytes.iter().skip(unused).copied().collect())
    }

    fn add_mod_exp(self, other: impl Iterator<Item = u8>, _: u32, m: usize) -> Self {
        Self { value: (self.value + reduced(other, m)) % power(m), length: m }
    }

    fn sub_mod_exp(self, other: impl Iterator<Item = u8>, _: u32, m: usize) -> Self {
        Self { value: (self.value + power(m) - reduced(other, m)) % power(m), length: m }
    }
}

/// What big-endian bytes spell, modulo 10^m. A half has at most nine digits, so that nothing overflows.
fn reduced(bytes: impl Iterator<Item = u8>, m: usize) -> u64 {
    bytes.fold(0, |sum, byte| (sum * 256 + u64::from(byte)) % power(m))
}

fn power(digits: usize) -> u64 {
    (0..digits).fold(1, |power, _| power * 10)
}

const RADIX: u32 = 10;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::collections::HashSet;

    use aes::cipher::{BlockCipherEncrypt, KeyInit};
    use aes::{Aes128, Aes192};
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::testing::hex;

    fn ff1<C: KeyInit + BlockCipherEncrypt + Clone>(key: &[u8], tweak: &[u8]) -> String {
        let ff1 = FF1::<C>::new(key, RADIX).unwrap();
        let image = ff1.encrypt(tweak, &Digits { value: 123_456_789, length: 10 }).unwrap();
        let back = ff1.decrypt(tweak, &image).unwrap();
        assert_eq!((back.value, back.length), (123_456_789, 10));
        image.spelled().to_string()
    }

    /// NIST, "FF1 samples" to SP 800-38G: the radix 10 ones, numbers 1, 2, 4, 5, 7 and 8, of 0123456789.
    #[test]
    fn agrees_with_nists_samples_of_ff1() {
        let key = hex("2B7E151628AED2A6ABF7158809CF4F3C EF4359D8D580AA4F 7F036D6F04FC6A94");
        let tweak = hex("39383736353433323130");
        assert_eq!(ff1::<Aes128>(&key[..16], &[]), "2433477484");
        assert_eq!(ff1::<Aes128>(&key[..16], &tweak), "6124200773");
        assert_eq!(ff1::<Aes192>(&key[..24], &[]), "2830668132");
        assert_eq!(ff1::<Aes192>(&key[..24], &tweak), "2496655549");
        assert_eq!(ff1::<Aes256>(&key, &[]), "6657667009");
        assert_eq!(ff1::<Aes256>(&key, &tweak), "1001623463");
    }

    #[test]
    fn a_domain_under_a_million_is_refused() {
        let key = Key::new([3; 32]);
        for digits in ["", "1", "123456", "1234567890123456789", "12345678x", "１２３４５６７８"] {
            assert!(permute(&key, b"t", digits).is_none(), "{digits}");
        }
        assert!(permute(&key, b"t", "1234567").is_some());
        assert!(permute(&key, b"t", "999999999999999999").is_some());
    }

    #[test]
    fn no_two_strings_have_one_image() {
        let key = Key::new([3; 32]);
        let images: HashSet<String> =
            (0..20_000).map(|n| permute(&key, b"t", &format!("{:07}", 990_000 + n)).unwrap().to_string()).collect();
        assert_eq!(images.len(), 20_000);
    }

    #[test]
    fn key_and_tweak_make_the_permutation() {
        let image = |key: u8, tweak: &[u8]| permute(&Key::new([key; 32]), tweak, "7700900123").unwrap();
        assert_eq!(image(1, b"a"), image(1, b"a"));
        assert_ne!(image(1, b"a"), image(2, b"a"));
        assert_ne!(image(1, b"a"), image(1, b"b"));
    }

    proptest! {
        #[test]
        fn length_and_a_leading_zero_stay(digits in "[0-9]{7,18}", tweak: Vec<u8>) {
            let image = permute(&Key::new([7; 32]), &tweak, &digits).unwrap();
            prop_assert_eq!(image.len(), digits.len());
            prop_assert_eq!(image.starts_with('0'), digits.starts_with('0'));
        }
    }
}
