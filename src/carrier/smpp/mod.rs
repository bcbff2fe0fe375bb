//! The SMPP 3.4 carrier: one transceiver bind to an SMSC, kept up.
//!
//! `rusmpp-core` gives the PDU types; framing, session and retry are here, because every queue has to be bounded and a
//! malformed PDU must be answered instead of ending the link. Rooms, from the wire up: `frame` (where a PDU ends), `pdu`
//! and `address` and `receipt` (what it says), `session` (requests and answers), `lanes` (what comes in), `submit` (what
//! goes out), `link` (the life of one link). Made by the wiring; called by `dispatch` through [`Carrier`].

mod address;
mod frame;
mod lanes;
mod link;
pub(super) mod pace;
mod pdu;
mod reader;
mod receipt;
mod repeats;
mod session;
mod stats;
mod submit;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusmpp_core::types::borrowed::COctetString;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use self::link::{Backoff, End};
use self::pace::Pace;
use self::repeats::Repeats;
use self::session::Session;
use self::stats::Counters;
pub use self::stats::SmppStats;
use super::{Address, Carrier, Inbox, Submission, SubmitError, Submitted};
use crate::message::Alphabet;

/// How to reach an SMSC and what it expects.
pub struct SmppConfig {
    /// The carrier's name.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Who we are to the SMSC, at most 15 ASCII characters.
    pub system_id: String,
    /// At most 8 ASCII characters (SMPP 3.4 §5.2.2).
    pub password: Zeroizing<String>,
    /// At most 12 ASCII characters; often empty.
    pub system_type: String,
    /// Submits that may await an answer, and `deliver_sm` brought to the inbox at once; at least 1.
    pub window: u16,
    /// Submits a second; 0 is no limit.
    pub rate: u32,
    /// What messages of the house itself show as their sender.
    pub sender: Address,
    /// What `data_coding` 0 means to this SMSC: [`Alphabet::Gsm7`] or [`Alphabet::Latin1`].
    pub default_alphabet: Alphabet,
    /// Seconds between signs of life; at least 1.
    pub enquire_link_s: u32,
    /// Where it keeps what passes it, if that was said.
    pub region: Option<String>,
    /// Whether real devices are behind it.
    pub live: bool,
}

/// A setting that SMPP has no room for; the wiring stops on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} {mend}")]
pub struct SmppSettingError {
    /// The key in the carrier's section.
    pub key: &'static str,
    /// What it has to be.
    pub mend: &'static str,
}

/// How long the carrier waits for what. The default suits networks; tests wait less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmppTiming {
    /// For a connection, and for the answer to any request.
    pub answer: Duration,
    /// For what is under way when we are to stop.
    pub drain: Duration,
    /// Before the first new try after a link ended.
    pub backoff_min: Duration,
    /// Before a new try at most.
    pub backoff_max: Duration,
    /// A link that lasted this long was a good one: the next try comes soon again.
    pub stable: Duration,
}

impl Default for SmppTiming {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(10),
            drain: Duration::from_secs(5),
            backoff_min: Duration::from_millis(200),
            backoff_max: Duration::from_secs(30),
            stable: Duration::from_secs(10),
        }
    }
}

/// One bind to one SMSC.
pub struct SmppCarrier {
    config: SmppConfig,
    timing: SmppTiming,
    pace: Pace,
    bound: Mutex<Option<Arc<Session>>>,
    reference: AtomicU8,
    repeats: Arc<Repeats>,
    counters: Arc<Counters>,
}

impl SmppCarrier {
    /// A carrier that is down until it runs.
    ///
    /// # Errors
    /// [`SmppSettingError`] names the first setting that cannot be.
    pub fn new(config: SmppConfig) -> Result<Self, SmppSettingError> {
        Self::with_timing(config, SmppTiming::default())
    }

    /// The same with other waits.
    ///
    /// # Errors
    /// [`SmppSettingError`] names the first setting that cannot be.
    pub fn with_timing(config: SmppConfig, timing: SmppTiming) -> Result<Self, SmppSettingError> {
        check(&config)?;
        Ok(Self {
            pace: Pace::new(config.rate),
            config,
            timing,
            bound: Mutex::default(),
            reference: AtomicU8::new(0),
            repeats: Arc::default(),
            counters: Arc::default(),
        })
    }

    /// Counts since the start.
    pub fn stats(&self) -> SmppStats {
        self.counters.read()
    }

    fn session(&self) -> Option<Arc<Session>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on submits go over this session, or nowhere.
    fn publish(&self, session: Option<Arc<Session>>) {
        *self.bound.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    /// Tells the parts of one message from those of the next.
    fn next_reference(&self) -> u8 {
        self.reference.fetch_add(1, Ordering::Relaxed)
    }

    /// `system_id`, `password` and `system_type`, each ended by NUL.
    fn credentials(&self) -> [Zeroizing<Vec<u8>>; 3] {
        [&self.config.system_id, &*self.config.password, &self.config.system_type].map(|text| c_string(text))
    }
}

fn c_string(text: &str) -> Zeroizing<Vec<u8>> {
    let mut octets = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    octets.extend_from_slice(text.as_bytes());
    octets.push(0);
    octets
}

fn check(config: &SmppConfig) -> Result<(), SmppSettingError> {
    let error = |key, mend| SmppSettingError { key, mend };
    let sound = [
        (
            COctetString::<1, 16>::new(&c_string(&config.system_id)).is_ok(),
            "system_id",
            "has at most 15 ASCII characters",
        ),
        (COctetString::<1, 9>::new(&c_string(&config.password)).is_ok(), "password", "has at most 8 ASCII characters"),
        (
            COctetString::<1, 13>::new(&c_string(&config.system_type)).is_ok(),
            "system_type",
            "has at most 12 ASCII characters",
        ),
        (
            address::WireAddress::sender(&config.sender).is_some(),
            "sender",
            "is +digits, a short code or a name of 1 to 11",
        ),
        (config.window > 0, "window", "is at least 1"),
        (matches!(config.default_alphabet, Alphabet::Gsm7 | Alphabet::Latin1), "default_alphabet", "is gsm7 or latin1"),
    ];
    sound.iter().find(|(sound, ..)| !sound).map_or(Ok(()), |(_, key, mend)| Err(error(*key, *mend)))
}

#[async_trait]
impl Carrier for SmppCarrier {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn is_live(&self) -> bool {
        self.config.live
    }

    fn sender(&self) -> Address {
        self.config.sender.clone()
    }

    fn is_up(&self) -> bool {
        self.session().is_some()
    }

    fn region(&self) -> Option<&str> {
        self.config.region.as_deref()
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        submit::submit(self, submission).await
    }

    async fn run(self: Arc<Self>, inbox: Arc<dyn Inbox>, mut stop: watch::Receiver<bool>) {
        let mut backoff = Backoff::new(self.timing);
        loop {
            let began = Instant::now();
            let end = link::carry(&self, &inbox, &mut stop).await;
            let wait = backoff.after(began.elapsed());
            if end == End::Stopped {
                return;
            }
            tracing::warn!(carrier = self.config.name, end = ?end, again_in_ms = wait.as_millis(), "link down");
            if timeout(wait, link::stopped(&mut stop)).await.is_ok() {
                return;
            }
        }
    }
}
