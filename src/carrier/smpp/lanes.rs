//! What the SMSC sends us, brought to the [`Inbox`] and answered.
//!
//! Lanes are tasks, each with its own queue; a message goes to the lane of the number it was written to, so that whoever
//! stands behind that number gets everything in the order of arrival while messages to other numbers pass beside.
//! Invariants: a `deliver_sm` or `data_sm` is answered as taken only after the inbox said so; at most [`PLACES`] are
//! held; once the link is gone those not yet begun are left to the SMSC, which sends them again.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusmpp_core::{CommandId, CommandStatus};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::frame::{self, Frame};
use super::ids::Ids;
use super::pdu::{self, Delivery, Fault};
use super::receipt::ErrorCodes;
use super::repeats::{Coming, Repeats};
use super::session::Session;
use super::stats::Counters;
use super::{address, alphabet, receipt};
use crate::carrier::digest::Digest;
use crate::carrier::{Inbox, Incoming, Origin, Receipt};
use crate::message::Alphabet;

/// Messages and receipts held at once, waiting or under way.
const PLACES: usize = 256;
/// Lanes of a link; more bring nothing.
const LANES: usize = 64;
/// How long the reader waits for a place before it answers that we are full.
const PLACE_TIME: Duration = Duration::from_secs(2);
/// After such an answer the reader waits for none for this long, so that answers to our requests still pass.
const FULL_TIME: Duration = Duration::from_secs(1);
/// How long the inbox may take for one message.
const INBOX_TIME: Duration = Duration::from_secs(10);

/// Where what one link's peer sends is brought.
pub(super) struct Desk {
    pub(super) carrier: String,
    pub(super) default_alphabet: Alphabet,
    pub(super) country: String,
    pub(super) ids: Arc<Ids>,
    pub(super) errors: Arc<ErrorCodes>,
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
    /// Opens the lanes.
    pub(super) fn open(desk: Desk) -> Self {
        let (session, desk) = (desk.session.clone(), Arc::new(desk));
        let mut tasks = JoinSet::new();
        let queues = (0..LANES).map(|_| {
            let (sender, queue) = mpsc::channel(PLACES);
            tasks.spawn(desk.clone().serve(queue));
            sender
        });
        let queues = queues.collect();
        let places = Arc::new(Semaphore::new(PLACES));
        Self { queues, tasks, places, full_until: Mutex::default(), hasher: RandomState::new(), session }
    }

    /// Gives a `deliver_sm` or `data_sm` to its lane, or answers why not.
    pub(super) async fn offer(&self, pdu: Frame) {
        let (id, sequence) = (pdu.id, pdu.sequence);
        let lane = self.lane_of(pdu::order_octets(&pdu.body));
        let refused = match (self.place().await, lane) {
            (Some(place), Some(lane)) => lane.try_send((pdu, place)).is_err(),
            _ => true,
        };
        if refused {
            self.session.answer(frame::answer(id, CommandStatus::EsmeRmsgqful, sequence)).await;
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

    /// Waits until everything held is answered.
    pub(super) async fn idle(&self) {
        let _ = self.places.acquire_many(u32::try_from(PLACES).unwrap_or(u32::MAX)).await;
    }

    /// The link is gone: what is under way may end, within the inbox's own time.
    pub(super) async fn finish(mut self) {
        self.queues.clear();
        let _ = timeout(INBOX_TIME, async { while self.tasks.join_next().await.is_some() {} }).await;
    }
}

/// What a `deliver_sm` or `data_sm` was.
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
        let (id, sequence) = (pdu.id, pdu.sequence);
        let status = match self.read(&pdu) {
            Ok(Arrival::Message(digest, incoming)) => {
                // On the heap, where what is freed is wiped: a lane's own future lives as long as its link.
                return Box::pin(self.message(digest, *incoming, (id, sequence))).await;
            }
            Ok(Arrival::Receipt(receipt)) => self.receipt(receipt).await,
            Ok(Arrival::Nothing) => CommandStatus::EsmeRok,
            Err(fault) => self.fault(fault).await,
        };
        self.session.answer(frame::answer(id, status, sequence)).await;
    }

    fn read(&self, pdu: &Frame) -> Result<Arrival, Fault> {
        let pdu = Delivery::read(pdu.id, &pdu.body)?;
        match pdu.esm_class & MESSAGE_TYPE {
            RECEIPT | NOTIFICATION => self.receipt_of(&pdu),
            // Some mark their receipts by nothing but the id that they are about.
            0 if pdu.tlvs.receipted_message_id.is_some() => self.receipt_of(&pdu),
            0 => self.message_of(&pdu),
            _ => Ok(Arrival::Nothing),
        }
    }

    fn receipt_of(&self, pdu: &Delivery<'_>) -> Result<Arrival, Fault> {
        let told = receipt::read(pdu, &self.errors)?;
        let to = match address::origin(pdu.source_ton, pdu.source, &self.country) {
            Origin::Number(number) => Some(number),
            Origin::ShortCode(_) | Origin::Name(_) => None,
        };
        let (id, also) = self.ids.meant(&told.named, to.as_ref()).ok_or(Fault::Receipt)?;
        let (carrier, status, failure) = (self.carrier.clone(), told.status, told.failure);
        Ok(Arrival::Receipt(Receipt { carrier, id, also, status, failure, to }))
    }

    fn message_of(&self, pdu: &Delivery<'_>) -> Result<Arrival, Fault> {
        let (headed, octets) = if pdu.esm_class & UDHI == 0 {
            (None, pdu.payload)
        } else {
            let headed = pdu::without_header(pdu.payload)?;
            let rest = headed.rest;
            (Some(headed), rest)
        };
        let part = match headed.as_ref().and_then(|headed| headed.part) {
            Some(part) => Some(part),
            None => pdu.tlvs.part()?,
        };
        let incoming = Incoming {
            carrier: self.carrier.clone(),
            id: None,
            from: address::origin(pdu.source_ton, pdu.source, &self.country),
            to: address::destination(pdu.destination)?,
            body: alphabet::read(pdu.data_coding, self.default_alphabet, headed.as_ref(), octets),
            part,
            only: None,
        };
        Ok(Arrival::Message(self.repeats.digest(pdu, part), Box::new(incoming)))
    }

    async fn message(&self, digest: Digest, incoming: Incoming, (id, sequence): (CommandId, u32)) {
        let coming = self.repeats.take(&digest, Instant::now());
        if coming == Coming::Undecided {
            self.session.answer(frame::answer(id, CommandStatus::EsmeRxTAppn, sequence)).await;
            return;
        }
        if !self.session.unconfirmed.begin(digest) {
            // Left to the SMSC, which sends it again: it has to be known then.
            return self.repeats.put_back(digest, coming, Instant::now());
        }
        let is_taken = if coming == Coming::Again {
            Counters::count(&self.counters.repeats);
            true
        } else {
            Counters::count(&self.counters.messages);
            timeout(INBOX_TIME, self.inbox.message(incoming)).await.is_ok_and(|taken| taken.is_ok())
        };
        self.session.answer(frame::answer(id, taken(is_taken), sequence)).await;
        self.session.unconfirmed.end(digest, is_taken, &self.repeats);
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
