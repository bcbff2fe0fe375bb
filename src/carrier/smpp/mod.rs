//! The SMPP carrier: links to one SMSC, as versions 3.4 and 5.0 of the protocol have them, kept up.
//!
//! `rusmpp-core` gives the types that are written; framing, session and retry are here, because every queue has to be
//! bounded and a malformed PDU must be answered instead of ending the link. Rooms, from the wire up: `frame` (where a PDU
//! ends), `tls`, `outbind`, `pdu`, `address`, `alphabet` and `receipt` (what it says), `ids` (how messages are named), `parts` and
//! `body` and `bind` (what is written), `session` (requests and answers), `lanes` (what comes in), `repeats` (what comes
//! again), `pace` (how fast), `submit` (what goes out), `link` (the life of one link). Made by the wiring; called by
//! `dispatch` through [`Carrier`].

mod address;
mod alphabet;
mod bind;
mod body;
mod frame;
mod ids;
mod lanes;
mod link;
mod outbind;
mod parts;
mod pdu;
mod reader;
mod receipt;
mod repeats;
mod session;
mod settings;
mod stats;
mod submit;
mod tls;

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use self::ids::Ids;
use self::link::Link;
use self::outbind::Outbind;

use self::receipt::ErrorCodes;
use self::repeats::Repeats;
use self::session::Session;
use self::settings::Role;
pub use self::settings::{SmppSettingError, SmppTiming};
use self::stats::Counters;
pub use self::stats::SmppStats;
use self::tls::Tls;
use super::pace::Pace;
use super::{Address, Carrier, CarrierCounts, Inbox, Submission, SubmitError, Submitted};
use crate::config::{SmppAlphabet, SmppLink};
use crate::message::Alphabet;

/// The links to one SMSC.
pub struct SmppCarrier {
    link: SmppLink,
    sender: Address,
    timing: SmppTiming,
    tls: Option<Tls>,
    outbind: Option<Outbind>,
    alphabet: Alphabet,
    /// Ended by NUL.
    service_type: Zeroizing<Vec<u8>>,
    errors: Arc<ErrorCodes>,
    pace: Pace,
    /// The part of the window that messages may fill which are no codes.
    ordinary: Semaphore,
    roles: Vec<Role>,
    /// Those that are bound, each in the place of its role.
    bound: Mutex<Vec<Option<Arc<Session>>>>,
    reference: AtomicU16,
    ids: Arc<Ids>,
    repeats: Arc<Repeats>,
    counters: Arc<Counters>,
}

/// The places of a window that are not kept for codes: seven of eight, and the only one there is.
fn ordinary(window: u16) -> usize {
    usize::from(window.saturating_sub((window / 8).max(1))).max(1)
}

impl SmppCarrier {
    /// A carrier that is down until it runs. `sender` is what messages of the house itself show.
    ///
    /// # Errors
    /// [`SmppSettingError`] names the first setting that cannot be.
    pub fn new(link: SmppLink, sender: Address) -> Result<Self, SmppSettingError> {
        let timing = SmppTiming::of(&link);
        Self::with_timing(link, sender, timing)
    }

    /// The same with other waits.
    ///
    /// # Errors
    /// [`SmppSettingError`] names the first setting that cannot be.
    pub fn with_timing(link: SmppLink, sender: Address, timing: SmppTiming) -> Result<Self, SmppSettingError> {
        settings::check(&link, &sender)?;
        let roles = Role::all(&link);
        Ok(Self {
            sender,
            timing,
            outbind: link.outbind.as_ref().map(Outbind::new),
            tls: link.tls.as_ref().map(Tls::new).transpose()?,
            alphabet: match link.default_alphabet {
                SmppAlphabet::Gsm7 => Alphabet::Gsm7,
                SmppAlphabet::Latin1 => Alphabet::Latin1,
            },
            service_type: settings::c_string(&link.service_type),
            errors: Arc::new(settings::error_codes(&link)?),
            pace: Pace::new(link.rate),
            ordinary: Semaphore::new(ordinary(link.window)),
            bound: Mutex::new(vec![None; roles.len()]),
            roles,
            reference: AtomicU16::new(0),
            ids: Arc::new(Ids::new(link.id_format)),
            repeats: Arc::default(),
            counters: Arc::default(),
            link,
        })
    }

    /// Counts since the start.
    pub fn stats(&self) -> SmppStats {
        self.counters.read()
    }

    /// The link that submits go over now: of those that are bound the one whose window is the emptiest.
    fn freest(&self) -> Option<Arc<Session>> {
        let bound = self.bound();
        let submitting = bound.iter().zip(&self.roles).filter(|(_, role)| role.submits());
        let free = submitting.filter_map(|(session, _)| session.as_ref());
        free.max_by_key(|session| session.window.available_permits()).cloned()
    }

    /// From now on the link in this place is bound, or not.
    fn publish(&self, nth: usize, session: Option<Arc<Session>>) {
        if let Some(place) = self.bound().get_mut(nth) {
            *place = session;
        }
    }

    fn bound(&self) -> MutexGuard<'_, Vec<Option<Arc<Session>>>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The share of the window that the link in this place has: all pairs the same, but for what is left over.
    fn share(&self, nth: usize) -> usize {
        let binds = usize::from(self.link.binds.max(1));
        let pair = nth * binds / self.roles.len().max(1);
        let window = usize::from(self.link.window);
        (window / binds + usize::from(pair < window % binds)).max(1)
    }

    /// Tells the parts of one message from those of the next.
    fn next_reference(&self) -> u16 {
        self.reference.fetch_add(1, Ordering::Relaxed)
    }
}

#[async_trait]
impl Carrier for SmppCarrier {
    fn name(&self) -> &str {
        &self.link.name
    }

    fn is_live(&self) -> bool {
        true
    }

    fn sender(&self) -> Address {
        self.sender.clone()
    }

    fn is_up(&self) -> bool {
        self.freest().is_some()
    }

    fn region(&self) -> Option<&str> {
        self.link.region.as_deref()
    }

    fn counts(&self) -> Option<CarrierCounts> {
        let stats = self.stats();
        let (mut links, mut free, mut window) = (0, 0, 0);
        for (nth, session) in self.bound().iter().enumerate() {
            let Some(session) = session else { continue };
            links += 1;
            if self.roles.get(nth).is_some_and(|role| role.submits()) {
                free += session.window.available_permits();
                window += self.share(nth);
            }
        }
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Some(CarrierCounts {
            sent: stats.submitted,
            throttled: stats.throttled,
            errors: stats.errors,
            received: stats.messages,
            repeats: stats.repeats,
            receipts: stats.receipts,
            malformed: stats.malformed,
            links,
            waiting: number(window.saturating_sub(free)),
            window: number(window),
        })
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        submit::submit(self, submission).await
    }

    async fn run(self: Arc<Self>, inbox: Arc<dyn Inbox>, stop: watch::Receiver<bool>) {
        let mut links = JoinSet::new();
        for (nth, role) in self.roles.iter().copied().enumerate() {
            let link = Link { carrier: self.clone(), nth, role, inbox: inbox.clone() };
            links.spawn(link.run(stop.clone()));
        }
        while let Some(ended) = links.join_next().await {
            if let Err(error) = ended {
                tracing::error!(carrier = self.link.name, %error, "a link broke off");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ordinary;

    #[test]
    fn places_are_kept_for_codes_wherever_there_are_two() {
        assert_eq!([1, 2, 8, 10, 64, 1_000].map(ordinary), [1, 1, 7, 9, 56, 875]);
    }
}
