//! The PDU that hands one part over, as `rusmpp`'s types write it.

use std::time::Duration;

use rusmpp_core::CommandId;
use rusmpp_core::pdus::borrowed::{DataSm, SubmitSm};
use rusmpp_core::tlvs::TlvTag;
use rusmpp_core::tlvs::borrowed::MessageSubmissionRequestTlvValue as Tlv;
use rusmpp_core::types::borrowed::{AnyOctetString, COctetString, EmptyOrFullCOctetString, OctetString};
use rusmpp_core::values::borrowed::{MessagePayload, ServiceType};
use rusmpp_core::values::{DataCoding, EsmClass, RegisteredDelivery};

use super::address::WireAddress;
use super::alphabet;
use super::parts::{Part, Tie};
use crate::config::{ReceiptsWanted, SubmitCommand};
use crate::store::Registration;

/// One part, ready to be written.
pub(super) struct Body<'a> {
    pub(super) from: &'a WireAddress,
    pub(super) to: &'a WireAddress,
    pub(super) part: &'a Part,
    /// Ended by NUL.
    pub(super) service_type: &'a [u8],
    pub(super) receipts: ReceiptsWanted,
    pub(super) validity: &'a Validity,
    /// Under what sender and text are registered.
    pub(super) registration: Option<&'a Registration>,
}

/// Of the principal entity and of the content template (DLT, India), as operators there number them.
const ENTITY_ID: u16 = 0x1400;
const TEMPLATE_ID: u16 = 0x1401;
/// The user data header indicator of `esm_class` (SMPP 3.4 §5.2.12).
const UDHI: u8 = 0x40;
/// The most TLVs that a part has: payload, three of `sar_*`, time to live, two of a registration.
const TLVS: usize = 7;

/// The command that a setting names.
pub(super) const fn command(command: SubmitCommand) -> CommandId {
    match command {
        SubmitCommand::SubmitSm => CommandId::SubmitSm,
        SubmitCommand::DataSm => CommandId::DataSm,
    }
}

/// How long the SMSC may try: no longer than the message is of use, and than the settings say. None leaves it to the SMSC.
pub(super) struct Validity {
    seconds: Option<u32>,
    /// Ended by NUL: a relative time (§7.1.1.2), or nothing.
    text: Vec<u8>,
}

impl Validity {
    pub(super) fn new(life: Option<Duration>, most_s: u32) -> Self {
        let life = life.filter(|_| most_s > 0).map(|life| u32::try_from(life.as_secs()).unwrap_or(u32::MAX));
        let seconds = life.map(|life| life.max(SHORTEST_LIFE).min(most_s));
        let text = seconds.map_or_else(String::new, |seconds| {
            let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
            format!("0000{days:02}{hours:02}{minutes:02}{:02}000R", seconds % 60)
        });
        let mut text = text.into_bytes();
        text.push(0);
        Self { seconds, text }
    }
}

/// In seconds; a shorter time would be over before the SMSC has begun.
const SHORTEST_LIFE: u32 = 60;

impl Body<'_> {
    /// As a `submit_sm`. None if an address does not fit.
    pub(super) fn submit_sm(&self) -> Option<SubmitSm<'_, TLVS>> {
        let is_payload = self.part.tie == Tie::Payload;
        let short: &[u8] = if is_payload { &[] } else { &self.part.octets };
        let pdu = SubmitSm::builder()
            .service_type(ServiceType::new(COctetString::new(self.service_type).ok()?))
            .source_addr_ton(self.from.ton)
            .source_addr_npi(self.from.npi)
            .source_addr(COctetString::new(&self.from.text).ok()?)
            .dest_addr_ton(self.to.ton)
            .dest_addr_npi(self.to.npi)
            .destination_addr(COctetString::new(&self.to.text).ok()?)
            .esm_class(EsmClass::from(self.esm_class()))
            .validity_period(EmptyOrFullCOctetString::new(&self.validity.text).ok()?)
            .registered_delivery(RegisteredDelivery::from(self.registered_delivery()))
            .data_coding(DataCoding::from(alphabet::data_coding(self.part.alphabet)))
            .short_message(OctetString::new(short).ok()?);
        let tlvs = self.payload(is_payload).into_iter().chain(self.sar()).chain(self.registered());
        let pdu = tlvs.into_iter().try_fold(pdu, |pdu, tlv| pdu.push_tlv(tlv).ok())?;
        Some(pdu.build())
    }

    /// As a `data_sm`, whose text is a TLV and whose time to live another. None if an address does not fit.
    pub(super) fn data_sm(&self) -> Option<DataSm<'_, TLVS>> {
        let pdu = DataSm::builder()
            .service_type(ServiceType::new(COctetString::new(self.service_type).ok()?))
            .source_addr_ton(self.from.ton)
            .source_addr_npi(self.from.npi)
            .source_addr(COctetString::new(&self.from.text).ok()?)
            .dest_addr_ton(self.to.ton)
            .dest_addr_npi(self.to.npi)
            .destination_addr(COctetString::new(&self.to.text).ok()?)
            .esm_class(EsmClass::from(self.esm_class()))
            .registered_delivery(RegisteredDelivery::from(self.registered_delivery()))
            .data_coding(DataCoding::from(alphabet::data_coding(self.part.alphabet)));
        let life = self.validity.seconds.map(Tlv::QosTimeToLive);
        let tlvs = self.payload(true).into_iter().chain(self.sar()).chain(life).chain(self.registered());
        let pdu = tlvs.into_iter().try_fold(pdu, |pdu, tlv| pdu.push_tlv(tlv).ok())?;
        Some(pdu.build())
    }

    const fn esm_class(&self) -> u8 {
        if matches!(self.part.tie, Tie::Header) { UDHI } else { 0 }
    }

    /// §5.2.17: bits 1 and 0 for the outcome, bit 4 for what happens on the way.
    const fn registered_delivery(&self) -> u8 {
        match self.receipts {
            ReceiptsWanted::Final => 0b0_0001,
            ReceiptsWanted::Failure => 0b0_0010,
            ReceiptsWanted::All => 0b1_0001,
            ReceiptsWanted::None => 0,
        }
    }

    fn payload(&self, is_payload: bool) -> Option<Tlv<'_>> {
        is_payload.then(|| Tlv::MessagePayload(MessagePayload::new(AnyOctetString::new(&self.part.octets))))
    }

    /// Each id in a TLV of its own. A campaign (10DLC) has none: its SMSC knows it by the sender.
    fn registered(&self) -> impl Iterator<Item = Tlv<'_>> {
        let ids = self.registration.map(|of| [(ENTITY_ID, &of.entity_id), (TEMPLATE_ID, &of.template_id)]);
        ids.into_iter().flatten().filter_map(|(tag, id)| {
            let value = AnyOctetString::new(id.as_deref()?.as_bytes());
            Some(Tlv::Other { tag: TlvTag::Other(tag), value })
        })
    }

    fn sar(&self) -> Vec<Tlv<'_>> {
        match self.part.tie {
            Tie::Sar(reference, total, number) => {
                vec![Tlv::SarMsgRefNum(reference), Tlv::SarTotalSegments(total), Tlv::SarSegmentSeqnum(number)]
            }
            Tie::None | Tie::Header | Tie::Payload => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_tried_no_longer_than_it_is_of_use() {
        let text = |life, most| {
            let validity = Validity::new(life, most);
            (validity.seconds, String::from_utf8_lossy(&validity.text).into_owned())
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(text(seconds(300), 172_800), (Some(300), "000000000500000R\0".into()));
        assert_eq!(text(seconds(86_400 + 3_661), 172_800), (Some(90_061), "000001010101000R\0".into()));
        assert_eq!(text(seconds(999_999), 172_800), (Some(172_800), "000002000000000R\0".into()));
        assert_eq!(text(seconds(1), 172_800).0, Some(60));
        assert_eq!(text(seconds(300), 0), (None, "\0".into()));
        assert_eq!(text(None, 172_800), (None, "\0".into()));
    }
}
