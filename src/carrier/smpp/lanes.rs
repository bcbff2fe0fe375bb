//! What the SMSC sends us, brought to the [`Inbox`] and answered.
//!
//! Lanes are tasks, each with its own queue; a message goes to the lane of the number it was written to, so that whoever
//! stands behind that number gets everything in the order of arrival while messages to other numbers pass beside. Invariants: a `deliver_sm` is
//! answered as taken only after the inbox said so; at most [`PLACES`] are held; once the link is gone those not yet
//! begun are left to the SMSC, which sends them again.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusmpp_core::CommandStatus;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::frame::{self, Frame};
use super::pdu::{self, DeliverSm, Fault};
use super::repeats::Repeats;
use super::session::Session;
use super::stats::Counters;
use super::{address, receipt};
use crate::carrier::digest::Digest;
use crate::carrier::{Inbox, Incoming, Part, Receipt};
use crate::message::{Alphabet, Encoded};

/// `deliver_sm` held at once, waiting or under way.
const PLACES: usize = 256;
/// More lanes than this bring nothing.
const MOST_LANES: usize = 64;
/// How long the reader waits for a place before it answers that we are full.
const PLACE_TIME: Duration = Duration::from_secs(2);
/// After such an answer the reader waits for none for this long, so that answers to our requests still pass.
const FULL_TIME: Duration = Duration::from_secs(1);
/// How long the inbox may take for one message.
const INBOX_TIME: Duration = Duration::from_secs(10);

/// Where one link's `deliver_sm` are brought.
pub(super) struct Desk {
    pub(super) carrier: String,
    pub(super) default_alphabet: Alphabet,
    pub(super) inbox: Arc<dyn Inbox>,
    pub(super) session: Arc<Session>,
    pub(super) repeats: Arc<Repeats>,
    pub(super) counters: Arc<Counters>,
}

/// The lanes of one link.
pub(super) struct Lanes {
    queues: Vec<mpsc::Sender<(Frame, OwnedSemaphorePermit)>>,
    tasks: JoinSet<()>,
    places: Arc<Semaphore>,
    full_until: Mutex<Option<Instant>>,
    hasher: RandomState,
    session: Arc<Session>,
}

impl Lanes {
    /// Opens up to `wanted` lanes.
    pub(super) fn open(desk: Desk, wanted: usize) -> Self {
        let (session, desk) = (desk.session.clone(), Arc::new(desk));
        let mut tasks = JoinSet::new();
        let queues = (0..wanted.clamp(1, MOST_LANES)).map(|_| {
            let (sender, queue) = mpsc::channel(PLACES);
            tasks.spawn(desk.clone().serve(queue));
            sender
        });
        let queues = queues.collect();
        let places = Arc::new(Semaphore::new(PLACES));
        Self { queues, tasks, places, full_until: Mutex::default(), hasher: RandomState::new(), session }
    }

    /// Gives a `deliver_sm` to its lane, or answers why not.
    pub(super) async fn offer(&self, pdu: Frame) {
        let sequence = pdu.sequence;
        let lane = self.lane_of(pdu::order_octets(&pdu.body));
        let refused = match (self.place().await, lane) {
            (Some(place), Some(lane)) => lane.try_send((pdu, place)).is_err(),
            _ => true,
        };
        if refused {
            self.session.answer(frame::deliver_sm_resp(CommandStatus::EsmeRmsgqful, sequence)).await;
        }
    }

    fn lane_of(&self, order: &[u8]) -> Option<&mpsc::Sender<(Frame, OwnedSemaphorePermit)>> {
        let lanes = u64::try_from(self.queues.len()).ok()?;
        let lane = self.hasher.hash_one(order).checked_rem(lanes)?;
        self.queues.get(usize::try_from(lane).ok()?)
    }

    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Some(place);
        }
        let full = || self.full_until.lock().unwrap_or_else(PoisonError::into_inner);
        if full().is_some_and(|until| until > Instant::now()) {
            return None;
        }
        let place = timeout(PLACE_TIME, self.places.clone().acquire_owned()).await;
        *full() = place.is_err().then(|| Instant::now() + FULL_TIME);
        place.ok()?.ok()
    }

    /// Waits until every `deliver_sm` held is answered.
    pub(super) async fn idle(&self) {
        let _ = self.places.acquire_many(u32::try_from(PLACES).unwrap_or(u32::MAX)).await;
    }

    /// The link is gone: what is under way may end, within the inbox's own time.
    pub(super) async fn finish(mut self) {
        self.queues.clear();
        let _ = timeout(INBOX_TIME, async { while self.tasks.join_next().await.is_some() {} }).await;
    }
}

/// What a `deliver_sm` was.
enum Arrival {
    Message(Digest, Box<Incoming>),
    Receipt(Receipt),
    /// An acknowledgement by the device or its user: nothing asked for it.
    Nothing,
}

impl Desk {
    async fn serve(self: Arc<Self>, mut queue: mpsc::Receiver<(Frame, OwnedSemaphorePermit)>) {
        while let Some((pdu, _place)) = queue.recv().await {
            if self.session.is_over() {
                return;
            }
            self.take(pdu).await;
        }
    }

    async fn take(&self, pdu: Frame) {
        let sequence = pdu.sequence;
        let (status, taken) = match self.read(&pdu) {
            Ok(Arrival::Message(digest, incoming)) => (self.message(&digest, *incoming).await, Some(digest)),
            Ok(Arrival::Receipt(receipt)) => (self.receipt(receipt).await, None),
            Ok(Arrival::Nothing) => (CommandStatus::EsmeRok, None),
            Err(fault) => (self.fault(fault).await, None),
        };
        self.session.answer(frame::deliver_sm_resp(status, sequence)).await;
        if let Some(digest) = taken.filter(|_| status == CommandStatus::EsmeRok) {
            self.session.unconfirmed.push(digest);
        }
    }

    fn read(&self, pdu: &Frame) -> Result<Arrival, Fault> {
        let pdu = DeliverSm::read(&pdu.body)?;
        match pdu.esm_class & MESSAGE_TYPE {
            RECEIPT | NOTIFICATION => {
                let (id, status) = receipt::read(&pdu)?;
                let carrier = self.carrier.clone();
                Ok(Arrival::Receipt(Receipt { carrier, id, also: Vec::new(), status, failure: None, to: None }))
            }
            0 => self.message_of(&pdu),
            _ => Ok(Arrival::Nothing),
        }
    }

    fn message_of(&self, pdu: &DeliverSm<'_>) -> Result<Arrival, Fault> {
        let (header_part, octets) =
            if pdu.esm_class & UDHI == 0 { (None, pdu.payload) } else { pdu::without_header(pdu.payload)? };
        let part: Option<Part> = if header_part.is_some() { header_part } else { pdu.tlvs.part()? };
        let alphabet = alphabet(pdu.data_coding, self.default_alphabet);
        let incoming = Incoming {
            carrier: self.carrier.clone(),
            id: None,
            from: address::origin(pdu.source_ton, pdu.source.as_str()),
            to: address::destination(pdu.destination.as_str())?,
            body: Encoded { alphabet, octets: octets.to_vec().into() },
            part,
            only: None,
        };
        Ok(Arrival::Message(self.repeats.digest(pdu, part), Box::new(incoming)))
    }

    async fn message(&self, digest: &Digest, incoming: Incoming) -> CommandStatus {
        if self.repeats.take(digest, Instant::now()) {
            Counters::count(&self.counters.repeats);
            return CommandStatus::EsmeRok;
        }
        Counters::count(&self.counters.messages);
        taken(timeout(INBOX_TIME, self.inbox.message(incoming)).await.is_ok_and(|taken| taken.is_ok()))
    }

    async fn receipt(&self, receipt: Receipt) -> CommandStatus {
        Counters::count(&self.counters.receipts);
        taken(timeout(INBOX_TIME, self.inbox.receipt(receipt)).await.is_ok_and(|taken| taken.is_ok()))
    }

    /// Tells of a fault and gives the status to answer it with.
    pub(super) async fn fault(&self, fault: Fault) -> CommandStatus {
        self.malformed(fault.kind()).await;
        fault.status()
    }

    /// Tells that the peer broke the protocol.
    pub(super) async fn malformed(&self, kind: &str) {
        Counters::count(&self.counters.malformed);
        let _ = timeout(INBOX_TIME, self.inbox.malformed(&self.carrier, kind)).await;
    }
}

fn taken(durable: bool) -> CommandStatus {
    if durable { CommandStatus::EsmeRok } else { CommandStatus::EsmeRxTAppn }
}

/// `esm_class`, SMPP 3.4 §5.2.12.
const MESSAGE_TYPE: u8 = 0b0011_1100;
const RECEIPT: u8 = 0b0000_0100;
const NOTIFICATION: u8 = 0b0010_0000;
const UDHI: u8 = 0b0100_0000;

/// How `data_coding` says that octets spell characters (SMPP 3.4 §5.2.19, 3GPP TS 23.038 §4).
fn alphabet(data_coding: u8, default: Alphabet) -> Alphabet {
    match data_coding {
        0 => default,
        // IA5 is the lower half of Latin-1.
        1 | 3 => Alphabet::Latin1,
        8 => Alphabet::Ucs2,
        2 | 4..=7 | 9..=15 => Alphabet::Binary,
        // 23.038 groups 00xx and 1111: general coding and message class.
        0x10..=0x1f => [default, Alphabet::Binary, Alphabet::Ucs2, Alphabet::Binary]
            .get(usize::from(data_coding >> 2 & 3))
            .copied()
            .unwrap_or(Alphabet::Binary),
        0xc0..=0xdf => default,
        0xe0..=0xef => Alphabet::Ucs2,
        0xf0..=0xff if data_coding & 4 == 0 => default,
        _ => Alphabet::Binary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_coding_tells_the_alphabet() {
        let read = |coding| alphabet(coding, Alphabet::Gsm7);
        for (coding, expected) in [
            (0x00, Alphabet::Gsm7),
            (0x01, Alphabet::Latin1),
            (0x02, Alphabet::Binary),
            (0x03, Alphabet::Latin1),
            (0x04, Alphabet::Binary),
            (0x08, Alphabet::Ucs2),
            (0x10, Alphabet::Gsm7),
            (0x18, Alphabet::Ucs2),
            (0xe8, Alphabet::Ucs2),
            (0xf0, Alphabet::Gsm7),
            (0xf4, Alphabet::Binary),
        ] {
            assert_eq!(read(coding), expected, "{coding:#x}");
        }
        assert_eq!(alphabet(0, Alphabet::Latin1), Alphabet::Latin1);
    }
}
