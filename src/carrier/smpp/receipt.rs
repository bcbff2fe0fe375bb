//! Delivery receipts (SMPP 3.4 §5.2.12 and Appendix B): which message, and what became of it.
//!
//! Pure. TLVs count before the text, whose form every SMSC bends a little.

use super::pdu::{DeliverSm, Fault, printable};
use crate::store::DeliveryStatus;

/// The id of the message that a receipt is about, and its state.
pub(super) fn read(pdu: &DeliverSm<'_>) -> Result<(String, DeliveryStatus), Fault> {
    let id = pdu.tlvs.receipted_message_id.or_else(|| field(pdu.payload, b"id:")).and_then(printable);
    let status = pdu.tlvs.message_state.map(state).or_else(|| field(pdu.payload, b"stat:").map(stat));
    id.zip(status).ok_or(Fault::Receipt)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(text: &[u8], tlvs: &[u8]) -> Result<(String, DeliveryStatus), Fault> {
        let mut body = b"\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\0".to_vec();
        body.push(u8::try_from(text.len()).unwrap());
        body.extend_from_slice(text);
        body.extend_from_slice(tlvs);
        read(&DeliverSm::read(&body).unwrap())
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
    }

    #[test]
    fn a_receipt_without_message_or_state_is_none() {
        for text in [&b""[..], b"id:1", b"stat:DELIVRD", b"id: stat:DELIVRD", b"paid:1 stat:DELIVRD", b"\xff\xfe"] {
            assert_eq!(of(text, b""), Err(Fault::Receipt));
        }
    }
}
