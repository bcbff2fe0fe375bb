//! One link's requests and answers: sequence numbers, the window, what was written and what was answered.
//!
//! A [`Session`] is shared by the reader (which brings answers), the lanes (which answer `deliver_sm`) and whoever
//! submits; one writer owns the socket's other half. Invariants: no more than the window of submits await an answer; a
//! request that was not written is told from one that may have been; the queue to the writer is bounded.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusmpp_core::encode::Encode;
use rusmpp_core::{CommandId, CommandStatus};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::frame::{self, Frame};
use super::repeats::Unconfirmed;

/// PDUs that wait for the writer.
const QUEUE: usize = 256;
/// PDUs that one write takes along.
const BATCH: usize = 64;
/// A peer that takes nothing for this long is gone.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// One link, from connecting to its end.
pub(super) struct Session {
    writer: mpsc::Sender<Outgoing>,
    waiting: Mutex<HashMap<u32, oneshot::Sender<Frame>>>,
    sequence: AtomicU32,
    bound: AtomicBool,
    /// The status of the answer to our bind, if that refused it.
    refused: AtomicU32,
    closing: AtomicBool,
    over: AtomicBool,
    /// The sequence number of the peer's `unbind`, once it sent one.
    goodbye: watch::Sender<Option<u32>>,
    /// Submits that may await an answer.
    pub(super) window: Arc<Semaphore>,
    /// Answers of ours that the peer may not have read.
    pub(super) unconfirmed: Unconfirmed,
}

/// A PDU on its way to the socket.
pub(super) struct Outgoing {
    octets: Zeroizing<Vec<u8>>,
    ticket: Option<Arc<Ticket>>,
    last: bool,
}

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// It never left.
    NotSent,
    /// It left, wholly or in part.
    NoAnswer,
}

/// Whether a request left, decided once: by the writer that takes it or by the caller that withdraws it.
#[derive(Default)]
struct Ticket(AtomicU8);

const WRITTEN: u8 = 1;
const WITHDRAWN: u8 = 2;

impl Ticket {
    fn decide(&self, as_what: u8) -> bool {
        self.0.compare_exchange(0, as_what, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Session {
    /// A session, and the queue for its [`write`].
    pub(super) fn new(window: usize) -> (Arc<Self>, mpsc::Receiver<Outgoing>) {
        let (writer, queue) = mpsc::channel(QUEUE);
        let session = Self {
            writer,
            waiting: Mutex::default(),
            sequence: AtomicU32::new(1),
            bound: AtomicBool::new(false),
            refused: AtomicU32::new(0),
            closing: AtomicBool::new(false),
            over: AtomicBool::new(false),
            goodbye: watch::Sender::new(None),
            window: Arc::new(Semaphore::new(window)),
            unconfirmed: Unconfirmed::default(),
        };
        (Arc::new(session), queue)
    }

    /// Sends a request and waits for its answer, both within `limit`.
    pub(super) async fn request(&self, id: CommandId, body: &impl Encode, limit: Duration) -> Result<Frame, Lost> {
        let sequence = self.next_sequence();
        self.exchange(sequence, frame::full(id, sequence, body), limit).await
    }

    /// Sends a request without body and waits for its answer, both within `limit`.
    pub(super) async fn bare_request(&self, id: CommandId, limit: Duration) -> Result<Frame, Lost> {
        let sequence = self.next_sequence();
        self.exchange(sequence, frame::bare(id, CommandStatus::EsmeRok, sequence), limit).await
    }

    async fn exchange(&self, sequence: u32, octets: Zeroizing<Vec<u8>>, limit: Duration) -> Result<Frame, Lost> {
        let ticket = Arc::new(Ticket::default());
        let (sender, answer) = oneshot::channel();
        self.waiting().insert(sequence, sender);
        let _place = Place { session: self, sequence };
        let mark = self.unconfirmed.mark();
        let outgoing = Outgoing { octets, ticket: Some(ticket.clone()), last: false };
        let exchange = async {
            self.writer.send(outgoing).await.ok()?;
            answer.await.ok()
        };
        match timeout(limit, exchange).await {
            Ok(Some(frame)) => {
                self.unconfirmed.confirm(mark);
                Ok(frame)
            }
            _ if ticket.decide(WITHDRAWN) => Err(Lost::NotSent),
            _ => Err(Lost::NoAnswer),
        }
    }

    /// Brings the peer's answer to whoever waits for it; false if nobody does.
    pub(super) fn answered(&self, frame: Frame) -> bool {
        let is_bind = matches!(
            frame.id,
            CommandId::BindTransceiverResp | CommandId::BindTransmitterResp | CommandId::BindReceiverResp
        );
        if is_bind {
            self.refused.store(frame.status, Ordering::Release);
            self.bound.store(frame.status == 0, Ordering::Release);
        }
        let waiting = self.waiting().remove(&frame.sequence);
        waiting.is_some_and(|waiting| waiting.send(frame).is_ok())
    }

    /// The peer wants to unbind: nothing new is taken, and whoever leads the conversation ends it.
    pub(super) fn goodbye(&self, sequence: u32) {
        self.close();
        self.goodbye.send_replace(Some(sequence));
    }

    /// Whether the peer wanted to unbind.
    pub(super) fn has_goodbye(&self) -> bool {
        self.goodbye.borrow().is_some()
    }

    /// Waits until the peer wants to unbind.
    pub(super) async fn told_goodbye(&self) -> u32 {
        let mut goodbye = self.goodbye.subscribe();
        match goodbye.wait_for(Option::is_some).await.map(|sequence| *sequence) {
            Ok(Some(sequence)) => sequence,
            _ => std::future::pending().await,
        }
    }

    /// Hands an answer of ours to the link; false if the link is gone.
    pub(super) async fn answer(&self, octets: Zeroizing<Vec<u8>>) -> bool {
        self.writer.send(Outgoing { octets, ticket: None, last: false }).await.is_ok()
    }

    /// Hands over the link's last words: the writer ends after them, and the link with it.
    pub(super) async fn last_words(&self, octets: Zeroizing<Vec<u8>>) {
        let _ = self.writer.send(Outgoing { octets, ticket: None, last: true }).await;
    }

    /// Whether the peer took our bind.
    pub(super) fn is_bound(&self) -> bool {
        self.bound.load(Ordering::Acquire)
    }

    /// The status with which the peer refused our bind, also if it closed the link right after.
    pub(super) fn refusal(&self) -> Option<u32> {
        Some(self.refused.load(Ordering::Acquire)).filter(|status| *status != 0)
    }

    /// Whether we are about to unbind, and take nothing new.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// From now on nothing new is taken.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Whether the link is gone.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// The link is gone and its writer ended: whoever waits is told. Called once, after the writer's queue is dropped.
    pub(super) fn end(&self) {
        self.close();
        self.over.store(true, Ordering::Release);
        self.window.close();
        self.waiting().clear();
    }

    /// 1 to 0x7fffffff, round and round (SMPP 3.4 §3.2).
    fn next_sequence(&self) -> u32 {
        let next = self.sequence.fetch_add(1, Ordering::Relaxed) & 0x7fff_ffff;
        if next == 0 { self.next_sequence() } else { next }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u32, oneshot::Sender<Frame>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A waiting request, which forgets itself when its caller stops waiting.
struct Place<'a> {
    session: &'a Session,
    sequence: u32,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.session.waiting().remove(&self.sequence);
    }
}

/// Writes what is handed to the session, several PDUs at a time, until the last words or the link's end.
pub(super) async fn write(mut queue: mpsc::Receiver<Outgoing>, mut link: impl AsyncWrite + Unpin) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let mut octets = Zeroizing::new(Vec::with_capacity(batch.iter().map(|pdu| pdu.octets.len()).sum()));
        let mut last = false;
        for pdu in batch.drain(..) {
            last |= pdu.last;
            if pdu.ticket.is_none_or(|ticket| ticket.decide(WRITTEN)) {
                octets.extend_from_slice(&pdu.octets);
            }
        }
        let written = timeout(WRITE_TIME, async {
            link.write_all(&octets).await?;
            // TLS keeps back what the socket had no room for.
            link.flush().await
        })
        .await;
        if last || !matches!(written, Ok(Ok(()))) {
            let _ = timeout(WRITE_TIME, link.shutdown()).await;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_request_that_the_writer_never_took_was_not_sent() {
        let (session, queue) = Session::new(1);
        assert_eq!(session.bare_request(CommandId::EnquireLink, SHORT).await.err(), Some(Lost::NotSent));
        assert!(session.waiting().is_empty());
        let (mut peer, link) = tokio::io::duplex(1024);
        let writing = tokio::spawn(write(queue, link));
        session.last_words(frame::bare(CommandId::UnbindResp, CommandStatus::EsmeRok, 9)).await;
        assert_eq!(Frame::read(&mut peer).await.unwrap().id, CommandId::UnbindResp, "the withdrawn one was written");
        writing.await.unwrap();
    }

    #[tokio::test]
    async fn a_written_request_without_answer_may_have_arrived() {
        let (session, queue) = Session::new(1);
        let (_peer, link) = tokio::io::duplex(1024);
        let writing = tokio::spawn(write(queue, link));
        assert_eq!(session.bare_request(CommandId::EnquireLink, SHORT).await.err(), Some(Lost::NoAnswer));
        writing.abort();
    }

    #[tokio::test]
    async fn the_end_of_a_link_wakes_those_who_wait() {
        let (session, queue) = Session::new(1);
        let (_peer, link) = tokio::io::duplex(1024);
        let writing = tokio::spawn(write(queue, link));
        let waiting = {
            let session = session.clone();
            tokio::spawn(async move { session.bare_request(CommandId::EnquireLink, WRITE_TIME).await.err() })
        };
        tokio::time::sleep(SHORT).await;
        writing.abort();
        let _ = writing.await;
        session.end();
        assert_eq!(timeout(SHORT, waiting).await.unwrap().unwrap(), Some(Lost::NoAnswer));
    }

    #[tokio::test]
    async fn an_answer_nobody_waits_for_is_told() {
        let (session, _queue) = Session::new(1);
        let stray = Frame { id: CommandId::SubmitSmResp, status: 0, sequence: 77, body: Zeroizing::default() };
        assert!(!session.answered(stray));
    }
}
