//! The life of one link: connect, bind, carry, unbind; and when to try again.
//!
//! Everything of a link runs in one task beside its lanes, so that its end is one place: the writer goes first, then
//! those who wait are told, then the lanes end, and only then may the next link in its place begin. That order keeps one
//! sender's messages in order over a break. Called by [`super::SmppCarrier::run`].

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use rusmpp_core::{CommandId, CommandStatus};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::frame::{self, Frame, FrameError};
use super::lanes::{Desk, Lanes};
use super::pdu::Fault;
use super::reader::WipingReader;
use super::session::{self, Session};
use super::settings::Role;
use super::stats::Counters;
use super::{SmppCarrier, SmppTiming, bind};
use crate::carrier::{Inbox, LinkChange};

/// While the peer may not have read some answer, it is asked for a sign of life this often.
const PROBE: Duration = Duration::from_secs(5);
/// How long an unbinding peer has for its answer, and what is under way when the peer unbinds.
const UNBIND_TIME: Duration = Duration::from_secs(2);
/// How long it may take to record that a link came up or went down.
const TELL_TIME: Duration = Duration::from_secs(5);

/// Why a link ended, or did not come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Unreachable,
    TlsRefused,
    BindRefused(u32),
    Silent,
    Closed,
    Unbound,
    Stopped,
}

impl End {
    /// As events say it.
    pub(super) fn reason(self) -> String {
        match self {
            Self::Unreachable => "unreachable".to_owned(),
            Self::TlsRefused => "tls_refused".to_owned(),
            Self::BindRefused(status) => format!("bind_refused_{status}"),
            Self::Silent => "silent".to_owned(),
            Self::Closed => "closed".to_owned(),
            Self::Unbound => "unbound".to_owned(),
            Self::Stopped => "stopped".to_owned(),
        }
    }
}

/// One of a carrier's links: its place among them, and where it brings what it gets.
pub(super) struct Link {
    pub(super) carrier: Arc<SmppCarrier>,
    pub(super) nth: usize,
    pub(super) role: Role,
    pub(super) inbox: Arc<dyn Inbox>,
}

impl Link {
    /// Keeps the link up until `stop` resolves.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut backoff = Backoff::new(self.carrier.timing);
        let mut is_down = false;
        loop {
            let began = Instant::now();
            let (end, was_up) = self.carry(&mut stop).await;
            let wait = backoff.after(began.elapsed());
            if end == End::Stopped {
                return;
            }
            tracing::warn!(carrier = self.carrier.link.name, link = self.name(), end = ?end, again_in_ms = wait.as_millis(), "link down");
            if was_up || !is_down {
                self.tell(LinkChange::Down(end.reason())).await;
            }
            is_down = true;
            if timeout(wait, stopped(&mut stop)).await.is_ok() {
                return;
            }
        }
    }

    /// Its name among the carrier's links.
    fn name(&self) -> String {
        format!("{}-{}", self.role.as_str(), self.nth + 1)
    }

    async fn tell(&self, change: LinkChange) {
        let _ = timeout(TELL_TIME, self.inbox.link(&self.carrier.link.name, &self.name(), change)).await;
    }

    /// Connects, binds and carries until the link ends or `stop` resolves; also whether it was bound.
    async fn carry(&self, stop: &mut watch::Receiver<bool>) -> (End, bool) {
        let stream = tokio::select! {
            connected = self.open() => connected,
            () = stopped(stop) => return (End::Stopped, false),
        };
        let Ok(stream) = stream else { return (End::Unreachable, false) };
        let Some(tls) = &self.carrier.tls else {
            let (reading, writing) = stream.into_split();
            return self.converse(reading, writing, stop).await;
        };
        let greeted = tokio::select! {
            greeted = timeout(self.carrier.timing.answer, tls.greet(stream)) => greeted,
            () = stopped(stop) => return (End::Stopped, false),
        };
        match greeted {
            Ok(Ok(stream)) => {
                let (reading, writing) = tokio::io::split(stream);
                self.converse(reading, writing, stop).await
            }
            _ => (End::TlsRefused, false),
        }
    }

    /// A connection: made, or waited for where the SMSC makes it.
    async fn open(&self) -> Result<TcpStream, std::io::Error> {
        let stream = match &self.carrier.outbind {
            Some(outbind) if self.role.receives() => outbind.accept().await?,
            _ => self.connect().await?,
        };
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    async fn connect(&self) -> Result<TcpStream, std::io::Error> {
        let link = &self.carrier.link;
        let connecting = TcpStream::connect((link.host.as_str(), link.port));
        timeout(self.carrier.timing.answer, connecting).await?
    }

    /// The whole conversation over an open connection.
    async fn converse(
        &self,
        reading: impl AsyncRead + Unpin,
        writing: impl AsyncWrite + Unpin,
        stop: &mut watch::Receiver<bool>,
    ) -> (End, bool) {
        let carrier = &self.carrier;
        let window = carrier.share(self.nth);
        let (session, queue) = Session::new(window);
        let lanes = Lanes::open(self.desk(&session));
        let end = tokio::select! {
            () = session::write(queue, writing) => End::Closed,
            () = self.read(reading, &session, &lanes) => End::Closed,
            end = self.lead(&session, &lanes, window, stop) => end,
        };
        let end = match session.refusal() {
            Some(status) if end == End::Closed => End::BindRefused(status),
            _ if end == End::Closed && session.has_goodbye() => End::Unbound,
            _ => end,
        };
        carrier.publish(self.nth, None);
        session.end();
        carrier.repeats.await_again(&session.unconfirmed, Instant::now());
        if session.is_bound() {
            Counters::count(&carrier.counters.losses);
        }
        lanes.finish().await;
        (end, session.is_bound())
    }

    fn desk(&self, session: &Arc<Session>) -> Desk {
        Desk {
            carrier: self.carrier.link.name.clone(),
            default_alphabet: self.carrier.alphabet,
            country: self.carrier.link.country.clone(),
            ids: self.carrier.ids.clone(),
            errors: self.carrier.errors.clone(),
            inbox: self.inbox.clone(),
            session: session.clone(),
            repeats: self.carrier.repeats.clone(),
            counters: self.carrier.counters.clone(),
        }
    }

    /// Our side of the conversation: bind, signs of life, and the end in good order.
    async fn lead(
        &self,
        session: &Arc<Session>,
        lanes: &Lanes,
        window: usize,
        stop: &mut watch::Receiver<bool>,
    ) -> End {
        let end = tokio::select! {
            () = stopped(stop) => End::Stopped,
            sequence = session.told_goodbye() => {
                self.part(session, lanes, window, UNBIND_TIME).await;
                farewell(session, CommandId::UnbindResp, CommandStatus::EsmeRok, sequence).await
            }
            end = self.talk(session) => end,
        };
        if end == End::Stopped && session.is_bound() {
            self.part(session, lanes, window, self.carrier.timing.drain).await;
            let _ = session.bare_request(CommandId::Unbind, UNBIND_TIME).await;
        }
        end
    }

    async fn talk(&self, session: &Arc<Session>) -> End {
        let carrier = &self.carrier;
        let (id, body) = bind::request(carrier, self.role);
        let answer = session.request(id, &body, carrier.timing.answer).await;
        match answer.map(|answer| (answer.id, answer.status)) {
            Ok((CommandId::GenericNack, status)) => return End::BindRefused(status),
            Ok((_, 0)) => {}
            Ok((_, status)) => return End::BindRefused(status),
            Err(_) => return End::Silent,
        }
        Counters::count(&carrier.counters.binds);
        carrier.publish(self.nth, Some(session.clone()));
        tracing::info!(carrier = carrier.link.name, link = self.name(), "bound");
        self.tell(LinkChange::Up).await;
        self.keep_alive(session).await
    }

    /// Returns when the peer leaves an `enquire_link` unanswered.
    async fn keep_alive(&self, session: &Session) -> End {
        let every = Duration::from_secs(u64::from(self.carrier.link.enquire_link_s.max(1)));
        let mut asked = Instant::now();
        loop {
            sleep(PROBE.min(every)).await;
            if asked.elapsed() >= every || session.unconfirmed.any() {
                asked = Instant::now();
                if session.bare_request(CommandId::EnquireLink, self.carrier.timing.answer).await.is_err() {
                    return End::Silent;
                }
            }
        }
    }

    /// Takes nothing new, and lets what is under way end within `limit`.
    async fn part(&self, session: &Session, lanes: &Lanes, window: usize, limit: Duration) {
        self.carrier.publish(self.nth, None);
        session.close();
        let window = session.window.acquire_many(u32::try_from(window).unwrap_or(u32::MAX));
        let _ = timeout(limit, async { tokio::join!(lanes.idle(), window) }).await;
    }

    /// The peer's side: reads what it sends until the link ends.
    async fn read(&self, link: impl AsyncRead + Unpin, session: &Arc<Session>, lanes: &Lanes) {
        let mut link = WipingReader::new(link);
        let desk = self.desk(session);
        loop {
            match Frame::read(&mut link).await {
                Ok(pdu) if pdu.is_answer() => {
                    session.answered(pdu);
                }
                Ok(pdu) => self.asked(pdu, &desk, session, lanes).await,
                Err(FrameError::Closed) => return,
                Err(FrameError::Length { sequence }) => {
                    desk.malformed("command_length").await;
                    farewell::<()>(session, CommandId::GenericNack, CommandStatus::EsmeRinvcmdlen, sequence).await;
                }
            }
        }
    }

    /// A request by the peer.
    async fn asked(&self, pdu: Frame, desk: &Desk, session: &Session, lanes: &Lanes) {
        let (id, sequence) = (pdu.id, pdu.sequence);
        match id {
            CommandId::EnquireLink => {
                session.answer(frame::bare(CommandId::EnquireLinkResp, CommandStatus::EsmeRok, sequence)).await;
            }
            CommandId::DeliverSm | CommandId::DataSm if !session.is_bound() || !self.role.receives() => {
                session.answer(frame::answer(id, CommandStatus::EsmeRinvbndsts, sequence)).await;
            }
            CommandId::DeliverSm | CommandId::DataSm if session.is_closing() => {
                session.answer(frame::answer(id, CommandStatus::EsmeRxTAppn, sequence)).await;
            }
            CommandId::DeliverSm | CommandId::DataSm => lanes.offer(pdu).await,
            CommandId::Unbind => session.goodbye(sequence),
            // Neither has an answer (SMPP 3.4 §4.1.7, §4.12); where it is bound or binds already, an outbind asks for nothing.
            CommandId::AlertNotification | CommandId::Outbind => {}
            _ => {
                let status = desk.fault(Fault::Command).await;
                session.answer(frame::bare(CommandId::GenericNack, status, sequence)).await;
            }
        }
    }
}

/// Says a last thing and waits for the writer to end the link.
async fn farewell<T>(session: &Session, id: CommandId, status: CommandStatus, sequence: u32) -> T {
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
