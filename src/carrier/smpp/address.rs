//! Addresses on the wire: type of number (TON), numbering plan (NPI) and text (SMPP 3.4 §5.2.5 ff.).
//!
//! Pure. Invariant: a source that could be a person's number becomes a [`PhoneNumber`] or loses its digits; it never
//! stays in a printable [`Origin`].

use rusmpp_core::values::{Npi, Ton};
use zeroize::Zeroizing;

use super::pdu::Fault;
use crate::carrier::{Address, Origin};
use crate::config::{Addressing, TonNpi};
use crate::phone::{Door, PhoneNumber, VirtualNumber};

/// An address as a PDU has it, its text ended by NUL.
pub(super) struct WireAddress {
    pub(super) ton: Ton,
    pub(super) npi: Npi,
    pub(super) text: Zeroizing<Vec<u8>>,
}

/// Who wrote, when the source says nothing that can be shown or answered.
const UNKNOWN: &str = "unknown";
/// No service code in use is longer; no subscriber number in use is this short.
const SHORT_CODE: usize = 6;

impl WireAddress {
    /// A device's number, on its way to that device.
    pub(super) fn device(number: &PhoneNumber, addressing: &Addressing, prefix: &str) -> Self {
        Self::new(addressing.device, prefix, number.expose(Door::Carrier).trim_start_matches('+'))
    }

    /// What a message shows as its sender; none if the sender is no address.
    pub(super) fn sender(address: &Address, addressing: &Addressing) -> Option<Self> {
        let sound =
            |text: &str| (1..=20).contains(&text.len()) && text.bytes().all(|octet| matches!(octet, b' '..=b'~'));
        match address {
            Address::Number(number) => Some(Self::new(addressing.number, "", &number.digits().to_string())),
            Address::ShortCode(code) if sound(code) => Some(Self::new(addressing.short_code, "", code)),
            Address::Name(name) if sound(name) && name.len() <= 11 => Some(Self::new(addressing.name, "", name)),
            Address::ShortCode(_) | Address::Name(_) => None,
        }
    }

    fn new(TonNpi { ton, npi }: TonNpi, prefix: &str, text: &str) -> Self {
        let mut octets = Zeroizing::new(Vec::with_capacity(prefix.len() + text.len() + 1));
        octets.extend_from_slice(prefix.as_bytes());
        octets.extend_from_slice(text.as_bytes());
        octets.push(0);
        Self { ton: Ton::from(ton), npi: Npi::from(npi), text: octets }
    }
}

/// Who wrote. `country` is the code of national numbers; without one, such a number is nobody's in particular.
pub(super) fn origin(ton: Ton, source: &str, country: &str) -> Origin {
    let source = source.trim();
    let digits = source.strip_prefix('+').unwrap_or(source);
    if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return name(source);
    }
    let marked = source.len() > digits.len() || ton == Ton::International;
    match (ton, digits.strip_prefix("00")) {
        _ if digits.len() <= SHORT_CODE => Origin::ShortCode(digits.to_owned()),
        (_, Some(international)) => number(international),
        _ if marked => number(digits),
        (Ton::NetworkSpecific | Ton::Abbreviated, _) => Origin::ShortCode(digits.to_owned()),
        (Ton::National, _) => national(digits, country),
        (Ton::SubscriberNumber, _) => Origin::Name(UNKNOWN.to_owned()),
        // Many carriers leave the type of a full number unknown; a national one starts with its trunk zero.
        _ if digits.starts_with('0') => national(digits, country),
        _ => number(digits),
    }
}

/// The pool number that was written to.
pub(super) fn destination(text: &str) -> Result<VirtualNumber, Fault> {
    let digits = text.trim().trim_start_matches('+');
    let digits = digits.strip_prefix("00").unwrap_or(digits);
    let sound = !digits.starts_with('0') && digits.bytes().all(|octet| octet.is_ascii_digit());
    digits.parse().ok().filter(|_| sound).and_then(VirtualNumber::from_digits).ok_or(Fault::Destination)
}

/// A number within a country, with or without its trunk zero.
fn national(digits: &str, country: &str) -> Origin {
    if country.is_empty() {
        return Origin::Name(UNKNOWN.to_owned());
    }
    let full = Zeroizing::new([country, digits.trim_start_matches('0')].concat());
    number(&full)
}

fn number(digits: &str) -> Origin {
    let sound = (SHORT_CODE + 1..=15).contains(&digits.len()) && !digits.starts_with('0');
    let number = digits.parse().ok().filter(|_| sound).and_then(PhoneNumber::from_digits);
    number.map_or_else(|| Origin::Name(UNKNOWN.to_owned()), Origin::Number)
}

fn name(text: &str) -> Origin {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let shown = !text.is_empty() && digits <= SHORT_CODE;
    Origin::Name(if shown { text } else { UNKNOWN }.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_address_panics_and_no_long_run_of_digits_can_be_printed(ton: u8, source in "\\PC{0,64}", country in "[0-9]{0,3}") {
            let _ = destination(&source);
            match origin(Ton::from(ton), &source, &country) {
                Origin::Name(shown) => {
                    let digits = shown.chars().filter(char::is_ascii_digit).count();
                    proptest::prop_assert!(digits <= SHORT_CODE);
                }
                Origin::Number(_) | Origin::ShortCode(_) => {}
            }
        }
    }

    fn read(ton: Ton, source: &str) -> String {
        match origin(ton, source, "") {
            Origin::Number(number) => format!("number {}", *number.expose(Door::Carrier)),
            Origin::ShortCode(code) => format!("code {code}"),
            Origin::Name(name) => format!("name {name}"),
        }
    }

    #[test]
    fn a_full_number_is_secret_however_it_is_marked() {
        for (ton, source) in [
            (Ton::International, "12025550101"),
            (Ton::International, "+12025550101"),
            (Ton::Unknown, "+12025550101"),
            (Ton::Unknown, "0012025550101"),
            (Ton::Unknown, "12025550101"),
            (Ton::National, "+12025550101"),
            (Ton::Alphanumeric, "12025550101"),
            (Ton::Alphanumeric, "+12025550101"),
        ] {
            assert_eq!(read(ton, source), "number +12025550101", "{ton:?} {source}");
        }
    }

    #[test]
    fn codes_and_names_stay_as_they_are() {
        assert_eq!(read(Ton::Unknown, "8069"), "code 8069");
        assert_eq!(read(Ton::International, "32665"), "code 32665");
        assert_eq!(read(Ton::NetworkSpecific, "1069000012"), "code 1069000012");
        assert_eq!(read(Ton::Abbreviated, "2002002"), "code 2002002");
        assert_eq!(read(Ton::Alphanumeric, "HFM"), "name HFM");
        assert_eq!(read(Ton::Alphanumeric, "Shop 24"), "name Shop 24");
    }

    #[test]
    fn a_number_that_cannot_be_placed_loses_its_digits() {
        for (ton, source) in [
            (Ton::National, "2025550101"),
            (Ton::Unknown, "02025550101"),
            (Ton::SubscriberNumber, "5550101"),
            (Ton::Alphanumeric, "call 202 555 0101"),
            (Ton::International, "1234567890123456"),
            (Ton::Unknown, ""),
        ] {
            assert_eq!(read(ton, source), "name unknown", "{ton:?} {source}");
        }
    }

    #[test]
    fn a_country_places_national_numbers() {
        for (ton, source) in
            [(Ton::National, "7700900123"), (Ton::National, "07700900123"), (Ton::Unknown, "07700900123")]
        {
            let Origin::Number(number) = origin(ton, source, "44") else { unreachable!("{source} was not placed") };
            assert_eq!(*number.expose(Door::Carrier), "+447700900123");
        }
        assert!(matches!(origin(Ton::SubscriberNumber, "7700900123", "44"), Origin::Name(_)));
    }

    #[test]
    fn settings_say_how_addresses_are_marked() {
        let addressing = Addressing { device: TonNpi { ton: 0, npi: 8 }, ..Addressing::default() };
        let number = PhoneNumber::from_digits(12_025_550_101).unwrap();
        for (prefix, text) in [("", &b"12025550101\0"[..]), ("+", b"+12025550101\0"), ("00", b"0012025550101\0")] {
            let wire = WireAddress::device(&number, &addressing, prefix);
            assert_eq!((wire.ton, u8::from(wire.npi), wire.text.as_slice()), (Ton::Unknown, 8, text));
        }
    }

    #[test]
    fn a_destination_is_a_number() {
        let number = VirtualNumber::from_digits(12_025_550_199).unwrap();
        for text in ["12025550199", "+12025550199", "0012025550199"] {
            assert_eq!(destination(text), Ok(number));
        }
        for text in ["", "HFM", "02025550199", "123", "99999999999999999999"] {
            assert_eq!(destination(text), Err(Fault::Destination), "{text}");
        }
    }

    #[test]
    fn each_kind_of_sender_has_its_type() {
        let wire =
            |address| WireAddress::sender(&address, &Addressing::default()).map(|wire| (wire.ton, wire.text.to_vec()));
        let number = Address::Number(VirtualNumber::from_digits(12_025_550_199).unwrap());
        assert_eq!(wire(number), Some((Ton::International, b"12025550199\0".to_vec())));
        assert_eq!(wire(Address::ShortCode("8069".into())), Some((Ton::NetworkSpecific, b"8069\0".to_vec())));
        assert_eq!(wire(Address::Name("Shop".into())), Some((Ton::Alphanumeric, b"Shop\0".to_vec())));
        assert_eq!(wire(Address::Name("twelve chars".into())), None);
        assert_eq!(wire(Address::Name("Bücher".into())), None);
        assert_eq!(wire(Address::ShortCode(String::new())), None);
    }
}
