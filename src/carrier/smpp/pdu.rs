//! Bodies of the PDUs that an ESME reads: `deliver_sm` (SMPP 3.4 §4.6.1), `data_sm` (§4.7.1), and the answers to
//! `submit_sm` (§4.4.2) and `data_sm` (§4.7.2).
//!
//! Read in place, field by field. Optional fields (TLVs) are walked by their own lengths, since an SMSC's odd TLV must
//! not cost the message: those that mean nothing to us are skipped unread.
//! Pure: any octets give a value or a [`Fault`].

use rusmpp_core::values::Ton;
use rusmpp_core::{CommandId, CommandStatus};

use crate::carrier::Part;

/// What is wrong with a PDU whose frame is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A command that is unknown, or that no SMSC sends to a transceiver.
    Command,
    /// The body ends too early, or a field breaks its type.
    Field,
    /// The TLVs do not fill the body, or one we read has a wrong length.
    Tlv,
    /// The user data header breaks 3GPP TS 23.040 §9.2.3.24.
    Udh,
    /// A destination that is no number.
    Destination,
    /// A receipt that names no message or no state.
    Receipt,
}

impl Fault {
    /// Its short kind, for the log.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Command => "command_id",
            Self::Field => "field",
            Self::Tlv => "tlv",
            Self::Udh => "udh",
            Self::Destination => "destination",
            Self::Receipt => "receipt",
        }
    }

    /// The status it is answered with; none of these asks for another try.
    pub(super) fn status(self) -> CommandStatus {
        match self {
            Self::Command => CommandStatus::EsmeRinvcmdid,
            Self::Field => CommandStatus::EsmeRinvcmdlen,
            Self::Tlv => CommandStatus::EsmeRinvtlvstream,
            Self::Udh => CommandStatus::EsmeRinvesmclass,
            Self::Destination => CommandStatus::EsmeRinvdstadr,
            Self::Receipt => CommandStatus::EsmeRxPAppn,
        }
    }
}

/// The fields of a `deliver_sm` or `data_sm` that matter here.
pub(super) struct Delivery<'a> {
    pub(super) source_ton: Ton,
    pub(super) source: &'a str,
    pub(super) destination: &'a str,
    pub(super) esm_class: u8,
    pub(super) data_coding: u8,
    /// `short_message`, or `message_payload` if that is given; with its user data header.
    pub(super) payload: &'a [u8],
    pub(super) tlvs: Tlvs<'a>,
}

/// The TLVs that are read (§5.3.2).
#[derive(Default)]
pub(super) struct Tlvs<'a> {
    pub(super) receipted_message_id: Option<&'a [u8]>,
    pub(super) message_state: Option<u8>,
    /// Of which kind of network, and its code.
    pub(super) network_error: Option<(u8, u16)>,
    pub(super) delivery_failure_reason: Option<u8>,
    congestion_state: Option<u8>,
    message_payload: Option<&'a [u8]>,
    sar_msg_ref_num: Option<u16>,
    sar_total_segments: Option<u8>,
    sar_segment_seqnum: Option<u8>,
}

impl<'a> Delivery<'a> {
    /// Reads the body of a request by its command.
    pub(super) fn read(command: CommandId, body: &'a [u8]) -> Result<Self, Fault> {
        if command == CommandId::DataSm { Self::data_sm(body) } else { Self::deliver_sm(body) }
    }

    fn deliver_sm(body: &'a [u8]) -> Result<Self, Fault> {
        let mut fields = Fields(body);
        let (source_ton, source, destination) = fields.addresses(ADDRESS)?;
        let [esm_class, _protocol_id, _priority_flag] = fields.octets()?;
        let (_schedule, _validity) = (fields.text(TIME)?, fields.text(TIME)?);
        let [_registered, _replace, data_coding, _default_msg_id, length] = fields.octets()?;
        let short_message = fields.slice(usize::from(length)).ok_or(Fault::Field)?;
        let tlvs = Tlvs::read(fields)?;
        let payload = tlvs.message_payload.filter(|_| short_message.is_empty()).unwrap_or(short_message);
        Ok(Self { source_ton, source, destination, esm_class, data_coding, payload, tlvs })
    }

    fn data_sm(body: &'a [u8]) -> Result<Self, Fault> {
        let mut fields = Fields(body);
        let (source_ton, source, destination) = fields.addresses(DATA_ADDRESS)?;
        let [esm_class, _registered, data_coding] = fields.octets()?;
        let tlvs = Tlvs::read(fields)?;
        let payload = tlvs.message_payload.unwrap_or_default();
        Ok(Self { source_ton, source, destination, esm_class, data_coding, payload, tlvs })
    }
}

/// Most octets of `service_type`, with its NUL (§5.2.11).
const SERVICE_TYPE: usize = 6;
/// Most octets of an address, with its NUL (§5.2.8).
const ADDRESS: usize = 21;
/// The same in a `data_sm` (§4.7.1).
const DATA_ADDRESS: usize = 65;
/// Most octets of a time, with its NUL (§7.1.1).
const TIME: usize = 17;
/// Most octets of a `system_id`, with its NUL (§5.2.1).
const SYSTEM_ID: usize = 16;
/// Most octets of a password, with its NUL (§5.2.2).
const PASSWORD: usize = 9;
/// Most octets of a `message_id`, with its NUL (§5.2.23).
const MESSAGE_ID: usize = 65;

/// What keeps a `deliver_sm` or `data_sm` in order with others: of a message the number written to, so that whoever stands behind it
/// reads everything in the order of arrival; of a receipt the device, since all receipts may name one sender of ours.
/// Empty if it cannot be read.
pub(super) fn order_octets(body: &[u8]) -> &[u8] {
    let (_service_type, rest) = c_octets(body);
    let (source, rest) = c_octets(rest.get(2..).unwrap_or_default());
    let (destination, rest) = c_octets(rest.get(2..).unwrap_or_default());
    let is_receipt = rest.first().is_some_and(|esm_class| esm_class & 0b0011_1100 != 0);
    if is_receipt { source } else { destination }
}

/// Octets up to a NUL, and what follows it.
fn c_octets(body: &[u8]) -> (&[u8], &[u8]) {
    let end = body.iter().position(|octet| *octet == 0);
    end.and_then(|end| Some((body.get(..end)?, body.get(end + 1..)?))).unwrap_or_default()
}

/// What a `submit_sm_resp` or `data_sm_resp` gives.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The part's id, if it has one that can be named.
    pub(super) id: Option<String>,
    /// How busy the SMSC says that it is, in hundredths (SMPP 5.0 §4.8.4.18).
    pub(super) congestion: Option<u8>,
}

impl Answer {
    /// Reads what can be read: a part that was taken stays taken, however odd its answer.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut fields = Fields(body);
        let id = fields.text(MESSAGE_ID).ok().and_then(|text| printable(text.as_bytes()));
        let congestion = id.as_ref().and_then(|_| Tlvs::read(fields).ok()).and_then(|tlvs| tlvs.congestion_state);
        Self { id, congestion }
    }

    /// How busy the SMSC says that it is, in an answer that refuses: with or without an id before its TLVs.
    pub(super) fn congestion(body: &[u8]) -> Option<u8> {
        let mut fields = Fields(body);
        let told = |fields| Tlvs::read(fields).ok().and_then(|tlvs: Tlvs<'_>| tlvs.congestion_state);
        let bare = told(Fields(body));
        bare.or_else(|| fields.text(MESSAGE_ID).ok().and_then(|_| told(fields)))
    }
}

/// What an `outbind` shows: system id and password (§4.1.7).
pub(super) fn outbind(body: &[u8]) -> Option<(&str, &str)> {
    let mut fields = Fields(body);
    Some((fields.text(SYSTEM_ID).ok()?, fields.text(PASSWORD).ok()?))
}

/// An id as text, if it is one: 1 to 64 visible ASCII characters, whatever NULs or spaces stand around it.
pub(super) fn printable(octets: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(octets).ok()?.trim_matches(['\0', ' ']);
    let sound = (1..=64).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic());
    sound.then(|| text.to_owned())
}

impl<'a> Tlvs<'a> {
    fn read(mut fields: Fields<'a>) -> Result<Self, Fault> {
        let mut tlvs = Self::default();
        while !fields.0.is_empty() {
            let [a, b, c, d] = fields.octets().map_err(|_| Fault::Tlv)?;
            let value = fields.slice(usize::from(u16::from_be_bytes([c, d]))).ok_or(Fault::Tlv)?;
            tlvs.keep(u16::from_be_bytes([a, b]), value)?;
        }
        Ok(tlvs)
    }

    fn keep(&mut self, tag: u16, value: &'a [u8]) -> Result<(), Fault> {
        match tag {
            0x001e => self.receipted_message_id = Some(value),
            0x0427 => self.message_state = Some(one(value)?),
            0x0423 => {
                let [kind, a, b] = value.try_into().map_err(|_| Fault::Tlv)?;
                self.network_error = Some((kind, u16::from_be_bytes([a, b])));
            }
            0x0425 => self.delivery_failure_reason = Some(one(value)?),
            0x0428 => self.congestion_state = Some(one(value)?),
            0x0424 => self.message_payload = Some(value),
            0x020c => self.sar_msg_ref_num = Some(value.try_into().map(u16::from_be_bytes).map_err(|_| Fault::Tlv)?),
            0x020e => self.sar_total_segments = Some(one(value)?),
            0x020f => self.sar_segment_seqnum = Some(one(value)?),
            _ => {}
        }
        Ok(())
    }

    /// The place that `sar_*` give, if all three are there and it is one of several.
    pub(super) fn part(&self) -> Result<Option<Part>, Fault> {
        match (self.sar_msg_ref_num, self.sar_total_segments, self.sar_segment_seqnum) {
            (Some(reference), Some(total), Some(number)) => place(reference, total, number).ok_or(Fault::Tlv),
            _ => Ok(None),
        }
    }
}

/// A user data header and what follows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Headed<'a> {
    pub(super) part: Option<Part>,
    /// Another table takes the place of the whole alphabet (3GPP TS 23.038 §6.2.1.2.4).
    pub(super) locking_shift: bool,
    /// Another table takes the place of the extension (§6.2.1.2.2).
    pub(super) single_shift: bool,
    pub(super) rest: &'a [u8],
}

/// The user data header of `payload` cut off, and what it says (3GPP TS 23.040 §9.2.3.24).
pub(super) fn without_header(payload: &[u8]) -> Result<Headed<'_>, Fault> {
    let mut fields = Fields(payload);
    let length = fields.octet().map_err(|_| Fault::Udh)?;
    let mut header = Fields(fields.slice(usize::from(length)).ok_or(Fault::Udh)?);
    let mut headed = Headed { part: None, locking_shift: false, single_shift: false, rest: &[] };
    while !header.0.is_empty() {
        let [element, length] = header.octets().map_err(|_| Fault::Udh)?;
        let value = header.slice(usize::from(length)).ok_or(Fault::Udh)?;
        match (element, value) {
            (0x00, [reference, total, number]) => {
                headed.part = place(u16::from(*reference), *total, *number).ok_or(Fault::Udh)?;
            }
            (0x08, [a, b, total, number]) => {
                headed.part = place(u16::from_be_bytes([*a, *b]), *total, *number).ok_or(Fault::Udh)?;
            }
            (0x24, [language]) => headed.single_shift = *language != 0,
            (0x25, [language]) => headed.locking_shift = *language != 0,
            (0x00 | 0x08 | 0x24 | 0x25, _) => return Err(Fault::Udh),
            _ => {}
        }
    }
    headed.rest = fields.0;
    Ok(headed)
}

/// A place if it makes sense; the first of one is no part.
#[allow(clippy::option_option, reason = "no sense, no part, a part")]
fn place(reference: u16, total: u8, number: u8) -> Option<Option<Part>> {
    (1..=total).contains(&number).then(|| (total > 1).then_some(Part { reference, total, number }))
}

fn one(value: &[u8]) -> Result<u8, Fault> {
    match value {
        [octet] => Ok(*octet),
        _ => Err(Fault::Tlv),
    }
}

/// What is left of a body.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Type of number and text of the source, and text of the destination, after the type of service.
    fn addresses(&mut self, most: usize) -> Result<(Ton, &'a str, &'a str), Fault> {
        self.text(SERVICE_TYPE)?;
        let [ton, _npi] = self.octets()?;
        let source = self.text(most)?;
        let [_ton, _npi] = self.octets()?;
        Ok((Ton::from(ton), source, self.text(most)?))
    }

    /// ASCII up to a NUL, which is among the first `most` octets.
    fn text(&mut self, most: usize) -> Result<&'a str, Fault> {
        let end = self.0.iter().take(most).position(|octet| *octet == 0).ok_or(Fault::Field)?;
        let text = self.slice(end).filter(|text| text.is_ascii()).ok_or(Fault::Field)?;
        self.octet()?;
        std::str::from_utf8(text).map_err(|_| Fault::Field)
    }

    fn octet(&mut self) -> Result<u8, Fault> {
        self.octets().map(|[octet]| octet)
    }

    fn octets<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (octets, rest) = self.0.split_first_chunk().ok_or(Fault::Field)?;
        self.0 = rest;
        Ok(*octets)
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (slice, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(slice)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    fn deliver_sm(payload: &[u8], tlvs: &[u8]) -> Vec<u8> {
        let mut body = b"\0\x01\x0112025550101\0\x01\x0112025550199\0\x40\0\0\0\0\0\0\x08\0".to_vec();
        body.push(u8::try_from(payload.len()).unwrap());
        body.extend_from_slice(payload);
        body.extend_from_slice(tlvs);
        body
    }

    #[test]
    fn fields_are_where_the_specification_has_them() {
        let body = deliver_sm(b"hello", &[]);
        let read = Delivery::read(CommandId::DeliverSm, &body).unwrap();
        assert_eq!((read.source_ton, read.source), (Ton::International, "12025550101"));
        assert_eq!(read.destination, "12025550199");
        assert_eq!((read.esm_class, read.data_coding, read.payload), (0x40, 8, &b"hello"[..]));
        assert_eq!(order_octets(&body), b"12025550199");
    }

    #[test]
    fn unknown_tlvs_are_skipped_and_known_ones_read() {
        let body = deliver_sm(b"", b"\x14\x03\x00\x02xx\x04\x24\x00\x03abc\x04\x27\x00\x01\x02\x00\x1e\x00\x02id");
        let read = Delivery::read(CommandId::DeliverSm, &body).unwrap();
        assert_eq!((read.payload, read.tlvs.message_state), (&b"abc"[..], Some(2)));
        assert_eq!(read.tlvs.receipted_message_id, Some(&b"id"[..]));
    }

    #[test]
    fn each_fault_has_its_own_name() {
        let whole = deliver_sm(b"hello", &[]);
        for cut in 0..whole.len() {
            assert_eq!(Delivery::read(CommandId::DeliverSm, &whole[..cut]).err(), Some(Fault::Field), "{cut}");
        }
        for tlv in [&b"\x04"[..], b"\x04\x24\x00\x09abc", b"\x04\x27\x00\x02ab", b"\x02\x0c\x00\x01a"] {
            assert_eq!(Delivery::read(CommandId::DeliverSm, &deliver_sm(b"", tlv)).err(), Some(Fault::Tlv));
        }
        for udh in
            [&b""[..], b"\x05\x00\x03\x01", b"\x03\x00\x01\x01x", b"\x05\x00\x03\x01\x02\x03x", b"\x05\0\x03\x01\0\0"]
        {
            assert_eq!(without_header(udh).err(), Some(Fault::Udh), "{udh:?}");
        }
    }

    #[test]
    fn both_reference_lengths_give_a_place() {
        let part = |reference, total, number| Some(Part { reference, total, number });
        let header = |octets| without_header(octets).map(|headed| (headed.part, headed.rest));
        assert_eq!(header(b"\x05\x00\x03\x07\x02\x01ab").unwrap(), (part(7, 2, 1), &b"ab"[..]));
        assert_eq!(header(b"\x06\x08\x04\x01\x07\x03\x03").unwrap(), (part(263, 3, 3), &b""[..]));
        assert_eq!(header(b"\x04\x24\x01\x01\x00x").err(), Some(Fault::Udh));
        let turkish = without_header(b"\x03\x24\x01\x01x").unwrap();
        assert!(turkish.single_shift && !turkish.locking_shift);
        assert_eq!((turkish.part, turkish.rest), (None, &b"x"[..]));
        let body = deliver_sm(b"x", b"\x02\x0c\x00\x02\x01\x02\x02\x0e\x00\x01\x02\x02\x0f\x00\x01\x02");
        assert_eq!(Delivery::read(CommandId::DeliverSm, &body).unwrap().tlvs.part(), Ok(part(258, 2, 2)));
    }

    #[test]
    fn an_outbind_shows_both_words_or_nothing() {
        assert_eq!(outbind(b"smsc\0hush\0"), Some(("smsc", "hush")));
        for body in [&b""[..], b"smsc\0", b"smsc\0hush", b"seventeen octets!\0hush\0"] {
            assert_eq!(outbind(body), None);
        }
    }

    #[test]
    fn an_id_is_visible_text_only() {
        let id = |body| Answer::read(body).id;
        assert_eq!(id(b"a1b2\0"), Some("a1b2".into()));
        assert_eq!(id(b"\0"), None);
        assert_eq!(id(b"no end"), None);
        assert_eq!(printable(b"42\0"), Some("42".into()));
        assert_eq!(printable(b"a\nb"), None);
    }

    #[test]
    fn an_answer_tells_how_busy_the_smsc_is() {
        assert_eq!(Answer::read(b"7\0\x04\x28\x00\x01\x5f"), Answer { id: Some("7".into()), congestion: Some(95) });
        assert_eq!(Answer::read(b"7\0\x04\x28\x00\x09\x5f"), Answer { id: Some("7".into()), congestion: None });
        assert_eq!(Answer::congestion(b"\x04\x28\x00\x01\x64"), Some(100));
        assert_eq!(Answer::congestion(b"\0\x04\x28\x00\x01\x64"), Some(100));
        assert_eq!(Answer::congestion(b""), None);
    }

    #[test]
    fn a_data_sm_has_its_text_in_a_tlv() {
        let body = b"\0\x01\x0112025550101\0\x01\x0112025550199\0\x00\x00\x08\x04\x24\x00\x04\x00h\x00i";
        let read = Delivery::read(CommandId::DataSm, body).unwrap();
        assert_eq!((read.source, read.destination), ("12025550101", "12025550199"));
        assert_eq!((read.data_coding, read.payload), (8, &b"\x00h\x00i"[..]));
        assert_eq!(order_octets(body), b"12025550199");
        for cut in 0..32 {
            assert!(Delivery::read(CommandId::DataSm, &body[..cut]).is_err(), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn no_octets_panic(body: Vec<u8>) {
            let _ = Delivery::read(CommandId::DeliverSm, &body);
            let _ = Delivery::read(CommandId::DataSm, &body);
            let _ = Answer::read(&body);
            let _ = Answer::congestion(&body);
            let _ = without_header(&body);
            let _ = order_octets(&body);
        }

        #[test]
        fn no_damage_panics(at in 0usize..60, octet: u8, tail: Vec<u8>) {
            let mut body = deliver_sm(b"\x05\x00\x03\x07\x02\x01hello", &tail);
            if let Some(place) = body.get_mut(at) { *place = octet; }
            if let Ok(read) = Delivery::read(CommandId::DeliverSm, &body) {
                let _ = without_header(read.payload);
                let _ = read.tlvs.part();
            }
        }
    }
}
