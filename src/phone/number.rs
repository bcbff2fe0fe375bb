//! The secret type [`PhoneNumber`] and its printable opposite [`VirtualNumber`].
//!
//! A `PhoneNumber` is valid by existing: only [`crate::phone::parse`] and the opening of a sealed record make one.
//! It has no `Debug`, `Display`, `Serialize` or `Clone`-by-accident, and is wiped when dropped:
//!
//! ```compile_fail
//! fn show(number: bauta::phone::PhoneNumber) { println!("{number}"); }
//! ```
//! ```compile_fail
//! fn show(number: bauta::phone::PhoneNumber) { println!("{number:?}"); }
//! ```
//! ```compile_fail
//! fn show(number: bauta::phone::PhoneNumber) { let _ = serde_json::to_string(&number); }
//! ```
//! ```compile_fail
//! fn copy(number: &bauta::phone::PhoneNumber) -> bauta::phone::PhoneNumber { number.clone() }
//! ```

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use serde::{Serialize, Serializer};
use zeroize::{Zeroize, Zeroizing};

use super::metadata::Split;

/// A real E.164 number (ITU-T E.164 §6: at most 15 digits, country code first, no leading zero).
///
/// Held as the integer that the digits spell, which is lossless and of one size for every number, so that
/// ciphertexts do not tell how long a number is.
pub struct PhoneNumber(u64);

/// The doors through which a number may leave the boundary. Each call of [`PhoneNumber::expose`] names its door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// To a carrier, to reach that very number.
    Carrier,
    /// To a custodian, after the audit entry is durable.
    Reveal,
    /// To the service that says which operator serves it, after the entry that tells of it is durable.
    Portability,
    /// Back to the terminal on which it was just typed (`bauta inspect`).
    Typist,
}

impl PhoneNumber {
    /// The number that `digits` spells, if it has 4 to 15 digits.
    ///
    /// For `phone::parse` and for opening sealed records; whoever reads input goes through the parser.
    pub(crate) fn from_digits(digits: u64) -> Option<Self> {
        (1_000..=MAX_E164).contains(&digits).then_some(Self(digits))
    }

    /// Crosses from secret to public: the number as `+` and its digits, on its way through `door`.
    pub fn expose(&self, door: Door) -> Zeroizing<String> {
        let _ = door;
        Zeroizing::new(format!("+{}", self.0))
    }

    /// The eight big-endian bytes that are sealed, and that blind indexes are computed over.
    pub(crate) fn secret_bytes(&self) -> Zeroizing<[u8; 8]> {
        Zeroizing::new(self.0.to_be_bytes())
    }

    /// Reads back what [`Self::secret_bytes`] gave.
    pub(crate) fn from_secret_bytes(bytes: [u8; 8]) -> Option<Self> {
        Self::from_digits(u64::from_be_bytes(bytes))
    }

    /// What is kept of it to notice walks through numbers, under a key of this process.
    pub(crate) fn footprint(&self, keyed: &RandomState) -> Footprint {
        let print = |digits: u64| keyed.hash_one(digits);
        Footprint { this: print(self.0), around: [print(self.0.wrapping_sub(1)), print(self.0.wrapping_add(1))] }
    }

    /// The digits of country code and national number, where the code is one that is assigned.
    pub(crate) fn secret_parts(&self) -> Option<(u16, Zeroizing<String>)> {
        Split::of(self.0).map(|split| (split.country_code, split.national))
    }

    /// The same digits as a virtual number, to look a called number up in a pool.
    pub(crate) fn as_virtual(&self) -> VirtualNumber {
        VirtualNumber(self.0)
    }

    /// Whether it begins with these digits, one or more, which a `+` may precede.
    pub(crate) fn begins_with(&self, prefix: &str) -> bool {
        let prefix = prefix.strip_prefix('+').unwrap_or(prefix);
        let Ok(wanted) = prefix.parse::<u64>() else { return false };
        let (length, own) = (prefix.len(), self.0.checked_ilog10().map_or(1, |log| log as usize + 1));
        let Some(tail) = own.checked_sub(length).and_then(|tail| u32::try_from(tail).ok()) else { return false };
        10_u64.checked_pow(tail).is_some_and(|unit| self.0 / unit == wanted)
    }

    pub(super) fn digits(&self) -> u64 {
        self.0
    }
}

/// Keyed fingerprints of a number and of the two beside it: good for telling neighbours within one process, and for
/// nothing else.
#[derive(Clone, Copy)]
pub struct Footprint {
    this: u64,
    around: [u64; 2],
}

impl Footprint {
    /// Whether the other number is the next or the one before.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.around.contains(&other.this)
    }
}

impl Drop for PhoneNumber {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A number of a pool: no person's, therefore printable. Shown as `+` and digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualNumber(u64);

impl VirtualNumber {
    /// The number that `digits` spells, if it has 4 to 15 digits.
    pub fn from_digits(digits: u64) -> Option<Self> {
        (1_000..=MAX_E164).contains(&digits).then_some(Self(digits))
    }

    /// The integer that the digits spell, as stored.
    pub fn digits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for VirtualNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl Serialize for VirtualNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What kind of line libphonenumber's metadata says a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineType {
    /// Certainly mobile.
    Mobile,
    /// Certainly not mobile.
    FixedLine,
    /// Mobile and fixed lines share the range (the whole North American plan).
    FixedLineOrMobile,
    /// Voice over IP, toll-free, pager, voicemail, personal: reachable, of no other class here.
    Other,
    /// The metadata does not say.
    Unknown,
}

const MAX_E164: u64 = 999_999_999_999_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_the_first_digits_and_no_others() {
        let begins = |prefix| PhoneNumber::from_digits(447_700_900_123).is_some_and(|it| it.begins_with(prefix));
        for prefix in ["+44", "44", "4", "+447700900123"] {
            assert!(begins(prefix), "{prefix}");
        }
        for prefix in ["+4", "+1", "+45", "7700", "", "+", "+4477009001234", "x"] {
            assert_eq!(begins(prefix), prefix == "+4", "{prefix}");
        }
    }
}
