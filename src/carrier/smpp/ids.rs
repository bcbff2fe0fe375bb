//! How an SMSC spells the ids of messages: one way in its answers, and maybe another in its receipts.
//!
//! What goes to the store is the answer's spelling, *folded*: of a hexadecimal number without leading zeros and in small
//! letters. A receipt's id is brought to that form by a [`Reading`]. Where the settings do not say which, it is learned:
//! the last ids given and whom they went to are remembered until receipts have agreed [`SURE`] times on one reading;
//! until then a receipt names every spelling it may mean, and the store lets the device decide.
//! Bounded; called by `submit` and `lanes`.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::carrier::digest::{Digest, DigestKey};
use crate::config::IdFormat;
use crate::phone::PhoneNumber;

/// How many receipts in a row have to agree before a reading is taken for the SMSC's custom.
const SURE: u32 = 3;
/// Ids remembered while the custom is not known.
const REMEMBERED: usize = 2_048;

/// The ids of one SMSC.
pub(super) struct Ids {
    format: IdFormat,
    key: DigestKey,
    learning: Mutex<Learning>,
}

#[derive(Default)]
struct Learning {
    recent: VecDeque<(String, Digest)>,
    /// Of the TLV, and of the text.
    customs: [Custom; 2],
}

#[derive(Clone, Copy, Default)]
struct Custom {
    learned: Option<Reading>,
    /// The reading that the last receipts agreed on, and how many did.
    leaning: Option<(Reading, u32)>,
}

/// What stands in a receipt, and what stood in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// The same number or text.
    Same,
    /// Decimal here, hexadecimal there.
    Decimal,
    /// Hexadecimal here, decimal there.
    Hex,
}

const TLV: usize = 0;
const TEXT: usize = 1;

/// The id of one message, in a receipt: from its TLV, from its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) tlv: Option<String>,
    pub(super) text: Option<String>,
}

impl Ids {
    pub(super) fn new(format: IdFormat) -> Self {
        Self { format, key: DigestKey::default(), learning: Mutex::default() }
    }

    /// The id that an answer gave, as receipts will be looked up.
    pub(super) fn given(&self, id: String, to: &PhoneNumber) -> String {
        let id = if self.format == IdFormat::AsIs { id } else { fold(&id) };
        if self.format == IdFormat::Auto {
            self.remember(&id, to);
        }
        id
    }

    fn remember(&self, id: &str, to: &PhoneNumber) {
        let mut learning = self.learning();
        // Without a conversion there is nothing to learn.
        if learning.is_learned() || readings(id).len() == 1 {
            return;
        }
        let device = self.digest(to);
        learning.recent.push_back((id.to_owned(), device));
        if learning.recent.len() > REMEMBERED {
            learning.recent.pop_front();
        }
    }

    /// What a receipt's id was in the answer, the likeliest first. None if it names nothing.
    pub(super) fn meant(&self, named: &Named, device: Option<&PhoneNumber>) -> Option<(String, Vec<String>)> {
        match self.format {
            IdFormat::Auto => self.guessed(named, device),
            IdFormat::AsIs => named.first().map(|id| (id.to_owned(), Vec::new())),
            IdFormat::Hex | IdFormat::Decimal => named.first().map(|id| (fold(id), Vec::new())),
            IdFormat::HexToDecimal => named.converted(Reading::Decimal),
            IdFormat::DecimalToHex => named.converted(Reading::Hex),
        }
    }

    fn guessed(&self, named: &Named, device: Option<&PhoneNumber>) -> Option<(String, Vec<String>)> {
        let mut learning = self.learning();
        let sources = [(TLV, &named.tlv), (TEXT, &named.text)];
        let sources = sources.into_iter().filter_map(|(source, id)| id.as_deref().map(|id| (source, id)));
        let mut spellings: Vec<String> = Vec::new();
        for (source, id) in sources {
            if let Some(device) = device.filter(|_| learning.of(source).learned.is_none()) {
                let digest = self.digest(device);
                learning.hear(source, id, digest);
            }
            match learning.of(source).learned {
                Some(reading) => return Some((reading.apply(id).unwrap_or_else(|| fold(id)), Vec::new())),
                None => spellings.extend(readings(id).into_iter().map(|(_, spelling)| spelling)),
            }
        }
        let mut distinct = Vec::new();
        for spelling in spellings {
            if !distinct.contains(&spelling) {
                distinct.push(spelling);
            }
        }
        let mut distinct = distinct.into_iter();
        distinct.next().map(|first| (first, distinct.collect()))
    }

    fn digest(&self, number: &PhoneNumber) -> Digest {
        self.key.digest(&[number.secret_bytes().as_slice()])
    }

    fn learning(&self) -> MutexGuard<'_, Learning> {
        self.learning.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Learning {
    fn is_learned(&self) -> bool {
        self.customs.iter().any(|custom| custom.learned.is_some())
    }

    fn of(&self, source: usize) -> Custom {
        self.customs.get(source).copied().unwrap_or_default()
    }

    /// Counts which reading this receipt speaks for, if it speaks for one alone.
    fn hear(&mut self, source: usize, id: &str, device: Digest) {
        let is_recent = |spelling: &String| self.recent.iter().any(|known| known.0 == *spelling && known.1 == device);
        let mut fit = readings(id).into_iter().filter(|(_, spelling)| is_recent(spelling));
        let (Some((reading, _)), None) = (fit.next(), fit.next()) else { return };
        let Some(custom) = self.customs.get_mut(source) else { return };
        let agreed = match custom.leaning {
            Some((leaning, times)) if leaning == reading => times + 1,
            _ => 1,
        };
        custom.leaning = Some((reading, agreed));
        if agreed >= SURE {
            custom.learned = Some(reading);
            self.recent = VecDeque::new();
        }
    }
}

impl Named {
    fn first(&self) -> Option<&str> {
        self.tlv.as_deref().or(self.text.as_deref())
    }

    /// A TLV that differs from the text is there to give the answer's own spelling.
    fn converted(&self, reading: Reading) -> Option<(String, Vec<String>)> {
        let id = match (&self.tlv, &self.text) {
            (Some(tlv), Some(text)) if fold(tlv) != fold(text) => fold(tlv),
            (Some(id), _) | (None, Some(id)) => reading.apply(id).unwrap_or_else(|| fold(id)),
            (None, None) => return None,
        };
        Some((id, Vec::new()))
    }
}

impl Reading {
    fn apply(self, id: &str) -> Option<String> {
        match self {
            Self::Same => Some(fold(id)),
            Self::Decimal => decimal(id).map(|number| format!("{number:x}")),
            Self::Hex => hex(id).map(|number| number.to_string()),
        }
    }
}

/// Every reading that an id allows and the spelling it leads to; of readings that lead to one spelling the first.
fn readings(id: &str) -> Vec<(Reading, String)> {
    let mut found: Vec<(Reading, String)> = Vec::new();
    for reading in [Reading::Same, Reading::Decimal, Reading::Hex] {
        if let Some(spelling) = reading.apply(id).filter(|spelling| found.iter().all(|known| known.1 != *spelling)) {
            found.push((reading, spelling));
        }
    }
    found
}

/// A number without leading zeros and in small letters; anything else as it is.
fn fold(id: &str) -> String {
    if !id.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return id.to_owned();
    }
    let bare = id.trim_start_matches('0');
    if bare.is_empty() { "0".to_owned() } else { bare.to_ascii_lowercase() }
}

fn decimal(id: &str) -> Option<u128> {
    id.bytes().all(|octet| octet.is_ascii_digit()).then(|| id.parse().ok())?
}

fn hex(id: &str) -> Option<u128> {
    id.bytes().all(|octet| octet.is_ascii_hexdigit()).then(|| u128::from_str_radix(id, 16).ok())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn device(n: u64) -> PhoneNumber {
        PhoneNumber::from_digits(12_025_550_100 + n).unwrap()
    }

    fn text(id: &str) -> Named {
        Named { tlv: None, text: Some(id.to_owned()) }
    }

    fn meant(ids: &Ids, named: &Named) -> String {
        let (first, also) = ids.meant(named, None).unwrap();
        assert!(also.is_empty(), "{also:?}");
        first
    }

    #[test]
    fn each_format_brings_a_receipt_to_the_answers_spelling() {
        for (format, answer, receipt) in [
            (IdFormat::AsIs, "0A1", "0A1"),
            (IdFormat::Hex, "00000A1F", "a1f"),
            (IdFormat::Decimal, "42", "0000000042"),
            (IdFormat::HexToDecimal, "7B", "0000000123"),
            (IdFormat::DecimalToHex, "0123", "0000007b"),
            (IdFormat::Decimal, "0", "000"),
            (IdFormat::Hex, "ea9f4c36-1f1c-4b0e", "ea9f4c36-1f1c-4b0e"),
        ] {
            let ids = Ids::new(format);
            assert_eq!(meant(&ids, &text(receipt)), ids.given(answer.to_owned(), &device(0)), "{format:?}");
        }
        assert_ne!(meant(&Ids::new(IdFormat::AsIs), &text("0a1")), "0A1");
    }

    #[test]
    fn a_tlv_that_differs_from_the_text_has_the_answers_spelling() {
        let ids = Ids::new(IdFormat::HexToDecimal);
        let both = Named { tlv: Some("7B".into()), text: Some("123".into()) };
        assert_eq!(meant(&ids, &both), ids.given("7b".into(), &device(0)));
        let same = Named { tlv: Some("123".into()), text: Some("0123".into()) };
        assert_eq!(meant(&ids, &same), "7b");
    }

    #[test]
    fn a_custom_is_learned_from_receipts_whose_device_agrees() {
        let ids = Ids::new(IdFormat::Auto);
        let give = |n: u64| ids.given(format!("{:X}", 1_000 + n), &device(n));
        for n in 0..4 {
            give(n);
        }
        let (first, also) = ids.meant(&text("1000"), Some(&device(3))).unwrap();
        assert_eq!((first.as_str(), also), ("1000", vec!["3e8".to_owned(), "4096".to_owned()]), "another device");
        for n in 0..2 {
            let (_, also) = ids.meant(&text(&(1_000 + n).to_string()), Some(&device(n))).unwrap();
            assert!(!also.is_empty(), "sure too early");
        }
        let (first, also) = ids.meant(&text("0000001002"), Some(&device(2))).unwrap();
        assert_eq!((first.as_str(), also), ("3ea", Vec::new()));
        assert_eq!(meant(&ids, &text("255")), "ff");
    }

    #[test]
    fn what_is_no_number_needs_no_learning() {
        let ids = Ids::new(IdFormat::Auto);
        assert_eq!(ids.given("m-1".into(), &device(0)), "m-1");
        assert!(ids.learning().recent.is_empty());
        assert_eq!(meant(&ids, &text("m-1")), "m-1");
        assert_eq!(ids.meant(&Named::default(), None), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let ids = Ids::new(IdFormat::Auto);
        for n in 100..(REMEMBERED as u64 + 200) {
            ids.given(n.to_string(), &device(n));
        }
        assert_eq!(ids.learning().recent.len(), REMEMBERED);
    }

    proptest! {
        #[test]
        fn no_id_panics_and_spellings_are_few(tlv: Option<String>, text: Option<String>, answer: String) {
            for format in [IdFormat::Auto, IdFormat::AsIs, IdFormat::Hex, IdFormat::HexToDecimal, IdFormat::DecimalToHex] {
                let ids = Ids::new(format);
                ids.given(answer.clone(), &device(0));
                let named = Named { tlv: tlv.clone(), text: text.clone() };
                if let Some((_, also)) = ids.meant(&named, None) { prop_assert!(also.len() < 6) }
            }
        }

        #[test]
        fn a_number_finds_back_from_any_spelling(number: u64, width in 1usize..24) {
            let hex_to_decimal = Ids::new(IdFormat::HexToDecimal);
            let given = hex_to_decimal.given(format!("{number:0width$X}"), &device(0));
            prop_assert_eq!(meant(&hex_to_decimal, &text(&format!("{number:0width$}"))), given);
        }
    }
}
