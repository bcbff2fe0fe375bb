//! Handing a message to the SMSC: one `submit_sm` or `data_sm` for each part, in order (SMPP 3.4 §4.4.1, §4.7.1).

use std::sync::Arc;
use std::time::Duration;

use rusmpp_core::{CommandId, CommandStatus};
use tokio::sync::{OwnedSemaphorePermit, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::address::WireAddress;
use super::body::{Body, Validity};
use super::frame::Frame;
use super::parts::{Part, parts};
use super::pdu::Answer;
use super::session::{Lost, Session};
use super::stats::Counters;
use super::{SmppCarrier, body, receipt};
use crate::carrier::{Submission, SubmitError, Submitted};
use crate::phone::PhoneNumber;
use crate::store::{Lane, Registration};

/// How often a later part is tried again when the SMSC asks to slow down: the parts before it are taken already.
const PART_TRIES: u32 = 6;

/// Submits every part of a message.
pub(super) async fn submit(carrier: &SmppCarrier, submission: Submission) -> Result<Submitted, SubmitError> {
    let link = &carrier.link;
    let from = WireAddress::sender(&submission.from, &link.addressing).ok_or_else(|| refused("invalid_sender"))?;
    let to = WireAddress::device(&submission.to, &link.addressing, &link.prefix);
    let parts = parts(&submission.text, carrier.alphabet, link.concat, || carrier.next_reference())
        .map_err(|_| refused("message_too_long"))?;
    let validity = Validity::new(submission.life, link.validity_s);
    let mut ids = Vec::with_capacity(parts.len());
    for (nth, part) in parts.iter().enumerate() {
        let registration = submission.registration.as_ref();
        let one =
            One { from: &from, to: &to, device: &submission.to, part, validity: &validity, registration, carrier };
        let id = if nth == 0 { one.submit(submission.lane).await? } else { one.submit_later().await? };
        ids.extend(id);
    }
    Ok(Submitted { ids })
}

fn refused(reason: &str) -> SubmitError {
    SubmitError::Refused { reason: reason.to_owned() }
}

/// One part on its way.
struct One<'a> {
    carrier: &'a SmppCarrier,
    from: &'a WireAddress,
    to: &'a WireAddress,
    device: &'a PhoneNumber,
    part: &'a Part,
    validity: &'a Validity,
    registration: Option<&'a Registration>,
}

impl One<'_> {
    async fn submit(&self, lane: Lane) -> Result<Option<String>, SubmitError> {
        let carrier = self.carrier;
        carrier.pace.turn(lane).await.map_err(|retry_after| SubmitError::Throttled { retry_after })?;
        let outcome = match self.exchange(lane, carrier.timing.answer).await {
            Ok(answer) => self.outcome(&answer),
            Err(error) => Err(error),
        };
        if matches!(outcome, Err(SubmitError::Refused { .. } | SubmitError::Unconfirmed)) {
            Counters::count(&carrier.counters.errors);
        }
        outcome
    }

    /// A part after the first: to give up now would leave half a message, so a pause is waited for.
    async fn submit_later(&self) -> Result<Option<String>, SubmitError> {
        for _ in 0..PART_TRIES {
            match self.submit(Lane::Code).await {
                Err(SubmitError::Throttled { retry_after }) => sleep(retry_after).await,
                Err(SubmitError::Unavailable) => return Err(SubmitError::Unconfirmed),
                settled => return settled,
            }
        }
        Err(SubmitError::Unconfirmed)
    }

    async fn exchange(&self, lane: Lane, limit: Duration) -> Result<Frame, SubmitError> {
        let SmppCarrier { link, service_type, .. } = self.carrier;
        let Self { from, to, part, validity, registration, .. } = *self;
        let body = Body { from, to, part, service_type, receipts: link.receipts, validity, registration };
        let _kept = yielded(self.carrier, lane, limit).await.ok_or(SubmitError::Unavailable)?;
        let (session, _place) = place(self.carrier, limit).await.ok_or(SubmitError::Unavailable)?;
        let answer = match body::command(link.command) {
            CommandId::DataSm => {
                let pdu = body.data_sm().ok_or_else(|| refused("address_invalid"))?;
                session.request(CommandId::DataSm, &pdu, limit).await
            }
            command => {
                let pdu = body.submit_sm().ok_or_else(|| refused("address_invalid"))?;
                session.request(command, &pdu, limit).await
            }
        };
        answer.map_err(|lost| match lost {
            Lost::NotSent => SubmitError::Unavailable,
            Lost::NoAnswer => SubmitError::Unconfirmed,
        })
    }

    /// What the SMSC's status means for the part: taken, under the id that it gave if it gave one, or not.
    fn outcome(&self, answer: &Frame) -> Result<Option<String>, SubmitError> {
        let (carrier, now) = (self.carrier, Instant::now());
        let is_nack = answer.id == CommandId::GenericNack;
        if !is_nack && !matches!(answer.id, CommandId::SubmitSmResp | CommandId::DataSmResp) {
            return Err(SubmitError::Unconfirmed);
        }
        match CommandStatus::from(answer.status) {
            CommandStatus::EsmeRok if !is_nack => {
                carrier.pace.taken(now);
                Counters::count(&carrier.counters.submitted);
                let Answer { id, congestion } = Answer::read(&answer.body);
                if let Some(hundredths) = congestion {
                    carrier.pace.busy(hundredths, now);
                }
                Ok(id.map(|id| carrier.ids.given(id, self.device)))
            }
            CommandStatus::EsmeRthrottled | CommandStatus::EsmeRmsgqful => {
                Counters::count(&carrier.counters.throttled);
                Err(SubmitError::Throttled { retry_after: carrier.pace.slow_down(now) })
            }
            CommandStatus::EsmeRsyserr | CommandStatus::EsmeRinvbndsts | CommandStatus::EsmeRxTAppn => {
                if let Some(hundredths) = Answer::congestion(&answer.body) {
                    carrier.pace.busy(hundredths, now);
                }
                Err(SubmitError::Unavailable)
            }
            _ => {
                tracing::info!(carrier = carrier.link.name, status = answer.status, is_nack, "a part was refused");
                let class = receipt::refusal(answer.status).map(|class| format!("{}:", class.as_str()));
                let reason = format!("{}smpp_status_{}", class.unwrap_or_default(), answer.status);
                Err(SubmitError::Refused { reason })
            }
        }
    }
}

/// Whatever is no code waits here first, so that some places of the window are kept for codes.
async fn yielded(carrier: &SmppCarrier, lane: Lane, limit: Duration) -> Option<Option<SemaphorePermit<'_>>> {
    if lane == Lane::Code {
        return Some(None);
    }
    timeout(limit, carrier.ordinary.acquire()).await.ok()?.ok().map(Some)
}

/// A place in the window of the link that has most of them free.
async fn place(carrier: &SmppCarrier, limit: Duration) -> Option<(Arc<Session>, OwnedSemaphorePermit)> {
    let end = Instant::now() + limit;
    loop {
        let session = carrier.freest()?;
        // A link that ends closes its window: then there may be another.
        match timeout_at(end, session.window.clone().acquire_owned()).await {
            Ok(Ok(place)) => return Some((session, place)),
            Ok(Err(_)) => tokio::task::yield_now().await,
            Err(_) => return None,
        }
    }
}
