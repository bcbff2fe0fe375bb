//! Delivery receipts (SMPP 3.4 §5.2.12 and Appendix B): which message, what became of it, and why not.
//!
//! Pure. TLVs count before the text, whose form every SMSC bends a little.

use std::collections::BTreeMap;

use super::ids::Named;
use super::pdu::{Delivery, Fault, printable};
use crate::store::{DeliveryStatus, Failure};

/// What a receipt tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) named: Named,
    pub(super) status: DeliveryStatus,
    pub(super) failure: Option<Failure>,
}

/// What the `err` words of one SMSC mean, where they mean something of their own.
pub(super) type ErrorCodes = BTreeMap<String, Failure>;

/// Reads a receipt.
pub(super) fn read(pdu: &Delivery<'_>, codes: &ErrorCodes) -> Result<Told, Fault> {
    let named = Named {
        tlv: pdu.tlvs.receipted_message_id.and_then(printable),
        text: field(pdu.payload, b"id:").and_then(printable),
    };
    let status = pdu.tlvs.message_state.map(state).or_else(|| field(pdu.payload, b"stat:").map(stat));
    let is_named = named.tlv.is_some() || named.text.is_some();
    let status = status.filter(|_| is_named).ok_or(Fault::Receipt)?;
    Ok(Told { named, status, failure: failure(pdu, status, codes) })
}

/// The word after `label`, which has to start a word itself.
fn field<'a>(text: &'a [u8], label: &[u8]) -> Option<&'a [u8]> {
    let starts = |at: usize| at.checked_sub(1).and_then(|before| text.get(before)).is_none_or(|octet| *octet == b' ');
    let at = text
        .windows(label.len())
        .enumerate()
        .find(|(at, window)| starts(*at) && window.eq_ignore_ascii_case(label))
        .map(|(at, _)| at + label.len())?;
    text.get(at..)?.split(|octet| *octet == b' ').next()
}

/// `message_state` (§5.2.28).
fn state(code: u8) -> DeliveryStatus {
    match code {
        0 | 1 | 6 => DeliveryStatus::Submitted,
        2 => DeliveryStatus::Delivered,
        3 => DeliveryStatus::Expired,
        4 | 5 | 9 => DeliveryStatus::Undelivered,
        8 => DeliveryStatus::Rejected,
        _ => DeliveryStatus::Unknown,
    }
}

/// `stat` of Appendix B, which SMSCs shorten to seven letters or not.
fn stat(word: &[u8]) -> DeliveryStatus {
    let head: Vec<u8> = word.iter().take(5).map(u8::to_ascii_uppercase).collect();
    match head.as_slice() {
        b"ENROU" | b"ACCEP" | b"SCHED" | b"BUFFE" => DeliveryStatus::Submitted,
        b"DELIV" => DeliveryStatus::Delivered,
        b"EXPIR" => DeliveryStatus::Expired,
        b"DELET" | b"UNDEL" | b"SKIPP" | b"FAILE" => DeliveryStatus::Undelivered,
        b"REJEC" => DeliveryStatus::Rejected,
        _ => DeliveryStatus::Unknown,
    }
}

/// Why it failed: what the settings say of `err`, else what the network said, else what `err` means to most.
fn failure(pdu: &Delivery<'_>, status: DeliveryStatus, codes: &ErrorCodes) -> Option<Failure> {
    let failed = matches!(status, DeliveryStatus::Expired | DeliveryStatus::Undelivered | DeliveryStatus::Rejected);
    let err = field(pdu.payload, b"err:").and_then(printable);
    let own = err.as_ref().and_then(|word| codes.get(word)).copied();
    let network = || match pdu.tlvs.network_error {
        Some((GSM, code)) => map_error(code),
        _ => None,
    };
    let reason = || match pdu.tlvs.delivery_failure_reason? {
        0 => Some(Failure::AbsentSubscriber),
        1 => Some(Failure::UnknownSubscriber),
        3 => Some(Failure::Congestion),
        _ => Some(Failure::Other),
    };
    let usual = || err.as_ref().and_then(|word| word.parse().ok()).and_then(map_error);
    let by_state = || (status == DeliveryStatus::Expired).then_some(Failure::Expired);
    own.or_else(network).or_else(reason).or_else(usual).or_else(by_state).filter(|_| failed)
}

/// `network_error_code` of a GSM network (§5.3.2.31).
const GSM: u8 = 3;

/// An error of the mobile application part (3GPP TS 29.002 §17.6); none for 0 and for what is nothing in particular.
fn map_error(code: u16) -> Option<Failure> {
    match code {
        1 | 5 => Some(Failure::UnknownSubscriber),
        6 | 27 | 31 | 32 => Some(Failure::AbsentSubscriber),
        8..=13 => Some(Failure::Barred),
        33 => Some(Failure::Congestion),
        7 | 14..=26 | 28..=30 | 34..=72 => Some(Failure::Other),
        _ => None,
    }
}

/// What a status of `submit_sm_resp` says about the message, where it says something (SMPP 3.4 §5.1.3, 5.0 §4.7.6).
pub(super) fn refusal(status: u32) -> Option<Failure> {
    match status {
        // Invalid source address, its type or plan; not allowed for it.
        0x0a | 0x48 | 0x49 => Some(Failure::InvalidSender),
        // Invalid destination address, its type or plan.
        0x0b | 0x50 | 0x51 => Some(Failure::UnknownSubscriber),
        0x14 | 0x58 => Some(Failure::Congestion),
        // Prohibited: the source, the destination.
        0x101 => Some(Failure::InvalidSender),
        0x102 => Some(Failure::Blocked),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use rusmpp_core::CommandId;

    use super::*;

    fn body(text: &[u8], tlvs: &[u8]) -> Vec<u8> {
        let mut body = b"\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\0".to_vec();
        body.push(u8::try_from(text.len()).unwrap());
        body.extend_from_slice(text);
        body.extend_from_slice(tlvs);
        body
    }

    fn told(text: &[u8], tlvs: &[u8]) -> Result<Told, Fault> {
        let own = ErrorCodes::from([("0A5".to_owned(), Failure::Spam)]);
        read(&Delivery::read(CommandId::DeliverSm, &body(text, tlvs)).unwrap(), &own)
    }

    fn of(text: &[u8], tlvs: &[u8]) -> Result<(String, DeliveryStatus), Fault> {
        told(text, tlvs).map(|told| (told.named.tlv.or(told.named.text).unwrap(), told.status))
    }

    #[test]
    fn the_text_of_appendix_b_reads() {
        let text = b"id:0123456789 sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:id:9";
        assert_eq!(of(text, b""), Ok(("0123456789".into(), DeliveryStatus::Delivered)));
        assert_eq!(of(b"ID:a-b STAT:undeliv", b""), Ok(("a-b".into(), DeliveryStatus::Undelivered)));
        assert_eq!(of(b"id:1 stat:SOMETHING", b""), Ok(("1".into(), DeliveryStatus::Unknown)));
    }

    #[test]
    fn tlvs_count_before_the_text() {
        let tlvs = b"\x00\x1e\x00\x03ff\0\x04\x27\x00\x01\x03";
        assert_eq!(of(b"id:255 stat:DELIVRD", tlvs), Ok(("ff".into(), DeliveryStatus::Expired)));
        assert_eq!(of(b"", tlvs), Ok(("ff".into(), DeliveryStatus::Expired)));
        let both = told(b"id:255 stat:DELIVRD", tlvs).unwrap().named;
        assert_eq!((both.tlv.as_deref(), both.text.as_deref()), (Some("ff"), Some("255")));
    }

    #[test]
    fn a_receipt_without_message_or_state_is_none() {
        for text in [&b""[..], b"id:1", b"stat:DELIVRD", b"id: stat:DELIVRD", b"paid:1 stat:DELIVRD", b"\xff\xfe"] {
            assert_eq!(of(text, b""), Err(Fault::Receipt));
        }
    }

    #[test]
    fn a_failure_has_its_class_and_a_delivery_none() {
        let why = |text: &str, tlvs: &[u8]| told(format!("id:1 {text}").as_bytes(), tlvs).unwrap().failure;
        assert_eq!(why("stat:UNDELIV err:001", b""), Some(Failure::UnknownSubscriber));
        assert_eq!(why("stat:UNDELIV err:027", b""), Some(Failure::AbsentSubscriber));
        assert_eq!(why("stat:UNDELIV err:013", b""), Some(Failure::Barred));
        assert_eq!(why("stat:REJECTD err:0A5", b""), Some(Failure::Spam), "the settings' word");
        assert_eq!(why("stat:EXPIRED err:000", b""), Some(Failure::Expired));
        assert_eq!(why("stat:UNDELIV err:000", b""), None);
        assert_eq!(why("stat:DELIVRD err:001", b""), None);
        assert_eq!(why("stat:UNDELIV err:999", b"\x04\x23\x00\x03\x03\x00\x21"), Some(Failure::Congestion));
        assert_eq!(why("stat:UNDELIV", b"\x04\x25\x00\x01\x01"), Some(Failure::UnknownSubscriber));
        assert_eq!(refusal(0x0a), Some(Failure::InvalidSender));
        assert_eq!(refusal(0x45), None);
    }

    proptest! {
        #[test]
        fn no_text_and_no_tlvs_panic(text in proptest::collection::vec(any::<u8>(), 0..255), tlvs: Vec<u8>) {
            if let Ok(pdu) = Delivery::read(CommandId::DeliverSm, &body(&text, &tlvs)) {
                let _ = read(&pdu, &ErrorCodes::new());
            }
        }
    }
}
