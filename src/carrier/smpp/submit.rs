//! Handing a message to the SMSC: one `submit_sm` for each part, in order (SMPP 3.4 §4.4.1).

use std::sync::Arc;
use std::time::Duration;

use rusmpp_core::pdus::borrowed::SubmitSm;
use rusmpp_core::types::borrowed::{COctetString, OctetString};
use rusmpp_core::values::{DataCoding, EsmClass, RegisteredDelivery};
use rusmpp_core::{CommandId, CommandStatus};
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use super::SmppCarrier;
use super::address::WireAddress;
use super::frame::Frame;
use super::pdu;
use super::session::{Lost, Session};
use super::stats::Counters;
use crate::carrier::{Submission, SubmitError, Submitted};
use crate::message::{Alphabet, Segment, segments};

/// How often a later part is tried again when the SMSC asks to slow down: the parts before it are taken already.
const PART_TRIES: u32 = 6;
/// The user data header indicator of `esm_class` (§5.2.12).
const UDHI: u8 = 0x40;
/// A receipt for the final outcome, good or bad (§5.2.17).
const FINAL_RECEIPT: u8 = 1;

/// Submits every part of a message.
pub(super) async fn submit(carrier: &SmppCarrier, submission: Submission) -> Result<Submitted, SubmitError> {
    let from = WireAddress::sender(&submission.from).ok_or_else(|| refused("sender_invalid"))?;
    let to = WireAddress::device(&submission.to);
    let parts = segments(&submission.text, carrier.config.default_alphabet, carrier.next_reference())
        .map_err(|_| refused("message_too_long"))?;
    let mut ids = Vec::with_capacity(parts.len());
    for (taken, part) in parts.iter().enumerate() {
        let body = Body { from: &from, to: &to, text: user_data(part), part };
        let id = if taken == 0 { body.submit(carrier).await? } else { body.submit_later(carrier).await? };
        ids.extend(id);
    }
    Ok(Submitted { ids })
}

fn refused(reason: &str) -> SubmitError {
    SubmitError::Refused { reason: reason.to_owned() }
}

/// Header and characters, as `short_message` carries them.
fn user_data(part: &Segment) -> Zeroizing<Vec<u8>> {
    let header = part.udh.as_deref().unwrap_or_default();
    let mut octets = Zeroizing::new(Vec::with_capacity(header.len() + part.octets.len()));
    octets.extend_from_slice(header);
    octets.extend_from_slice(&part.octets);
    octets
}

/// One part on its way.
struct Body<'a> {
    from: &'a WireAddress,
    to: &'a WireAddress,
    text: Zeroizing<Vec<u8>>,
    part: &'a Segment,
}

impl Body<'_> {
    async fn submit(&self, carrier: &SmppCarrier) -> Result<Option<String>, SubmitError> {
        carrier.pace.turn().await.map_err(|retry_after| SubmitError::Throttled { retry_after })?;
        let session = carrier.session().ok_or(SubmitError::Unavailable)?;
        let answer = self.exchange(&session, carrier.timing.answer).await?;
        outcome(carrier, &answer)
    }

    /// A part after the first: to give up now would leave half a message, so a pause is waited for.
    async fn submit_later(&self, carrier: &SmppCarrier) -> Result<Option<String>, SubmitError> {
        for _ in 0..PART_TRIES {
            match self.submit(carrier).await {
                Err(SubmitError::Throttled { retry_after }) => sleep(retry_after).await,
                Err(SubmitError::Unavailable) => return Err(SubmitError::Unconfirmed),
                settled => return settled,
            }
        }
        Err(SubmitError::Unconfirmed)
    }

    async fn exchange(&self, session: &Arc<Session>, limit: Duration) -> Result<Frame, SubmitError> {
        let pdu = self.pdu().ok_or_else(|| refused("address_invalid"))?;
        let _place = match timeout(limit, session.window.acquire()).await {
            Ok(Ok(place)) => place,
            _ => return Err(SubmitError::Unavailable),
        };
        session.request(CommandId::SubmitSm, &pdu, limit).await.map_err(|lost| match lost {
            Lost::NotSent => SubmitError::Unavailable,
            Lost::NoAnswer => SubmitError::Unconfirmed,
        })
    }

    fn pdu(&self) -> Option<SubmitSm<'_, 0>> {
        let esm_class = if self.part.udh.is_some() { UDHI } else { 0 };
        let pdu = SubmitSm::builder()
            .source_addr_ton(self.from.ton)
            .source_addr_npi(self.from.npi)
            .source_addr(COctetString::new(&self.from.text).ok()?)
            .dest_addr_ton(self.to.ton)
            .dest_addr_npi(self.to.npi)
            .destination_addr(COctetString::new(&self.to.text).ok()?)
            .esm_class(EsmClass::from(esm_class))
            .registered_delivery(RegisteredDelivery::from(FINAL_RECEIPT))
            .data_coding(data_coding(self.part.alphabet))
            .short_message(OctetString::new(&self.text).ok()?)
            .build();
        Some(pdu)
    }
}

/// `data_coding` of a part. GSM 7 goes as the SMSC's default alphabet, which it is wherever we send it.
fn data_coding(alphabet: Alphabet) -> DataCoding {
    match alphabet {
        Alphabet::Gsm7 => DataCoding::McSpecific,
        Alphabet::Latin1 => DataCoding::Latin1,
        _ => DataCoding::Ucs2,
    }
}

/// What the SMSC's status means for the part: taken, under the id that it gave if it gave one, or not.
fn outcome(carrier: &SmppCarrier, answer: &Frame) -> Result<Option<String>, SubmitError> {
    match CommandStatus::from(answer.status) {
        CommandStatus::EsmeRok => {
            carrier.pace.taken();
            Counters::count(&carrier.counters.submitted);
            Ok(pdu::message_id(&answer.body).ok())
        }
        CommandStatus::EsmeRthrottled | CommandStatus::EsmeRmsgqful => {
            Counters::count(&carrier.counters.throttled);
            Err(SubmitError::Throttled { retry_after: carrier.pace.slow_down(Instant::now()) })
        }
        CommandStatus::EsmeRsyserr | CommandStatus::EsmeRinvbndsts | CommandStatus::EsmeRxTAppn => {
            Err(SubmitError::Unavailable)
        }
        _ => Err(SubmitError::Refused { reason: format!("smpp_status_{}", answer.status) }),
    }
}
