//! The life of one link: connect, bind, carry, unbind; and when to try again.
//!
//! Everything of a link runs in one task beside its lanes, so that its end is one place: the writer goes first, then
//! those who wait are told, then the lanes end, and only then may the next link begin. That order keeps one sender's
//! messages in order over a break. Called by [`super::SmppCarrier::run`].

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use rusmpp_core::pdus::borrowed::BindTransceiver;
use rusmpp_core::types::borrowed::COctetString;
use rusmpp_core::values::InterfaceVersion;
use rusmpp_core::{CommandId, CommandStatus};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::frame::{self, Frame, FrameError};
use super::lanes::{Desk, Lanes};
use super::pdu::Fault;
use super::reader::WipingReader;
use super::session::{self, Session};
use super::stats::Counters;
use super::{SmppCarrier, SmppTiming};
use crate::carrier::Inbox;

/// While the peer may not have read some answer, it is asked for a sign of life this often.
const PROBE: Duration = Duration::from_secs(5);
/// How long an unbinding peer has for its answer.
const UNBIND_TIME: Duration = Duration::from_secs(2);

/// Why a link ended, or did not come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Unreachable,
    BindRefused(u32),
    Silent,
    Closed,
    Stopped,
}

/// Connects, binds and carries until the link ends or `stop` resolves.
pub(super) async fn carry(carrier: &SmppCarrier, inbox: &Arc<dyn Inbox>, stop: &mut watch::Receiver<bool>) -> End {
    let address = (carrier.config.host.as_str(), carrier.config.port);
    let connecting = timeout(carrier.timing.answer, TcpStream::connect(address));
    let connected = tokio::select! {
        connected = connecting => connected,
        () = stopped(stop) => return End::Stopped,
    };
    let Ok(Ok(stream)) = connected else { return End::Unreachable };
    let _ = stream.set_nodelay(true);
    let (reading, writing) = stream.into_split();
    let (session, queue) = Session::new(usize::from(carrier.config.window));
    let lanes = Lanes::open(desk(carrier, inbox, &session), usize::from(carrier.config.window));
    let end = tokio::select! {
        () = session::write(queue, writing) => End::Closed,
        () = read(reading, carrier, inbox, &session, &lanes) => End::Closed,
        end = converse(carrier, &session, &lanes, stop) => end,
    };
    carrier.publish(None);
    session.end();
    if session.is_bound() {
        Counters::count(&carrier.counters.losses);
    }
    lanes.finish().await;
    carrier.repeats.await_again(&session.unconfirmed, Instant::now());
    end
}

fn desk(carrier: &SmppCarrier, inbox: &Arc<dyn Inbox>, session: &Arc<Session>) -> Desk {
    Desk {
        carrier: carrier.config.name.clone(),
        default_alphabet: carrier.config.default_alphabet,
        inbox: inbox.clone(),
        session: session.clone(),
        repeats: carrier.repeats.clone(),
        counters: carrier.counters.clone(),
    }
}

/// Our side of the conversation: bind, signs of life, unbind.
async fn converse(
    carrier: &SmppCarrier,
    session: &Arc<Session>,
    lanes: &Lanes,
    stop: &mut watch::Receiver<bool>,
) -> End {
    let bound = tokio::select! {
        bound = bind(carrier, session) => bound,
        () = stopped(stop) => Err(End::Stopped),
    };
    if let Err(end) = bound {
        return end;
    }
    Counters::count(&carrier.counters.binds);
    carrier.publish(Some(session.clone()));
    tracing::info!(carrier = carrier.config.name, "bound");
    let end = tokio::select! {
        () = stopped(stop) => End::Stopped,
        end = keep_alive(carrier, session) => end,
    };
    if end == End::Stopped {
        unbind(carrier, session, lanes).await;
    }
    end
}

async fn bind(carrier: &SmppCarrier, session: &Session) -> Result<(), End> {
    let [system_id, password, system_type] = carrier.credentials();
    let body = BindTransceiver::builder()
        .system_id(COctetString::new(&system_id).unwrap_or_default())
        .password(COctetString::new(&password).unwrap_or_default())
        .system_type(COctetString::new(&system_type).unwrap_or_default())
        .interface_version(InterfaceVersion::Smpp3_4)
        .build();
    let answer = session.request(CommandId::BindTransceiver, &body, carrier.timing.answer).await;
    match answer.map(|answer| answer.status) {
        Ok(0) => Ok(()),
        Ok(status) => Err(End::BindRefused(status)),
        Err(_) => Err(End::Silent),
    }
}

/// Returns when the peer leaves an `enquire_link` unanswered.
async fn keep_alive(carrier: &SmppCarrier, session: &Session) -> End {
    let every = Duration::from_secs(u64::from(carrier.config.enquire_link_s.max(1)));
    let mut asked = Instant::now();
    loop {
        sleep(PROBE.min(every)).await;
        if asked.elapsed() >= every || session.unconfirmed.any() {
            asked = Instant::now();
            if session.bare_request(CommandId::EnquireLink, carrier.timing.answer).await.is_err() {
                return End::Silent;
            }
        }
    }
}

/// Lets what is under way end, then says goodbye; all within deadlines.
async fn unbind(carrier: &SmppCarrier, session: &Session, lanes: &Lanes) {
    carrier.publish(None);
    session.close();
    let window = session.window.acquire_many(u32::from(carrier.config.window));
    let _ = timeout(carrier.timing.drain, async { tokio::join!(lanes.idle(), window) }).await;
    let _ = session.bare_request(CommandId::Unbind, UNBIND_TIME).await;
}

/// The peer's side: reads what it sends until the link ends.
async fn read(
    link: OwnedReadHalf,
    carrier: &SmppCarrier,
    inbox: &Arc<dyn Inbox>,
    session: &Arc<Session>,
    lanes: &Lanes,
) {
    let mut link = WipingReader::new(link);
    let desk = desk(carrier, inbox, session);
    loop {
        match Frame::read(&mut link).await {
            Ok(pdu) if pdu.is_answer() => {
                session.answered(pdu);
            }
            Ok(pdu) => asked(pdu, &desk, session, lanes).await,
            Err(FrameError::Closed) => return,
            Err(FrameError::Length { sequence }) => {
                desk.malformed("command_length").await;
                farewell(session, CommandId::GenericNack, CommandStatus::EsmeRinvcmdlen, sequence).await;
            }
        }
    }
}

/// A request by the peer.
async fn asked(pdu: Frame, desk: &Desk, session: &Session, lanes: &Lanes) {
    let sequence = pdu.sequence;
    match pdu.id {
        CommandId::EnquireLink => {
            session.answer(frame::bare(CommandId::EnquireLinkResp, CommandStatus::EsmeRok, sequence)).await;
        }
        CommandId::DeliverSm if !session.is_bound() => {
            session.answer(frame::deliver_sm_resp(CommandStatus::EsmeRinvbndsts, sequence)).await;
        }
        CommandId::DeliverSm if session.is_closing() => {
            session.answer(frame::deliver_sm_resp(CommandStatus::EsmeRxTAppn, sequence)).await;
        }
        CommandId::DeliverSm => lanes.offer(pdu).await,
        CommandId::Unbind => farewell(session, CommandId::UnbindResp, CommandStatus::EsmeRok, sequence).await,
        // Neither has an answer (SMPP 3.4 §4.1.7, §4.12).
        CommandId::AlertNotification | CommandId::Outbind => {}
        _ => {
            let status = desk.fault(Fault::Command).await;
            session.answer(frame::bare(CommandId::GenericNack, status, sequence)).await;
        }
    }
}

/// Says a last thing and waits for the writer to end the link.
async fn farewell(session: &Session, id: CommandId, status: CommandStatus, sequence: u32) {
    session.last_words(frame::bare(id, status, sequence)).await;
    std::future::pending().await
}

/// Resolves when we are to stop, also when nobody is left to say so.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}

/// When to try again: doubling waits, each drawn from its upper half so that many carriers do not knock at once.
pub(super) struct Backoff {
    timing: SmppTiming,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(timing: SmppTiming) -> Self {
        Self { timing, next: timing.backoff_min }
    }

    /// The wait after a link that lasted `lasted`; a long one starts over.
    pub(super) fn after(&mut self, lasted: Duration) -> Duration {
        if lasted >= self.timing.stable {
            self.next = self.timing.backoff_min;
        }
        let wait = self.next;
        self.next = (wait * 2).min(self.timing.backoff_max);
        let draw = RandomState::new().hash_one(0u8) % 512;
        wait / 2 + wait / 2 * u32::try_from(draw).unwrap_or(0) / 512
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_bound_and_start_over_after_a_stable_link() {
        let timing = SmppTiming::default();
        let mut backoff = Backoff::new(timing);
        let mut most = timing.backoff_min;
        for _ in 0..12 {
            let wait = backoff.after(Duration::ZERO);
            assert!(wait >= most / 2 && wait <= most, "{wait:?} for {most:?}");
            most = (most * 2).min(timing.backoff_max);
        }
        assert_eq!(most, timing.backoff_max);
        assert!(backoff.after(timing.stable) <= timing.backoff_min);
    }
}
