//! Refusals: what callers are told, and what the log is told.
//!
//! A denial of a known caller is an entry of its own, up to [`TOLD_PER_SECOND`] for each credential in a second; the
//! rest of that second is one entry with their count. Strangers are summed by address prefix and second. The sums wait
//! here, bounded, until the watch loop writes them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{PolicyError, Standing};
use crate::clock::Timestamp;
use crate::event::{Actor, Event, What};
use crate::ids::CredentialId;
use crate::keyring::KeyError;
use crate::store::{Proof, StoreError};

/// Why a caller does not get what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// No valid credential: unknown, expired or revoked.
    #[error("no valid credential")]
    Unauthenticated,
    /// A credential from outside its networks. To the caller the same as [`Self::Unauthenticated`].
    #[error("the credential may not come from this address")]
    AddressNotAllowed,
    /// A credential over a connection with another certificate than its own. To the caller the same as
    /// [`Self::Unauthenticated`].
    #[error("the credential is bound to another certificate")]
    OtherCertificate,
    /// The credential is valid, but has to bring this proof too.
    #[error("the credential demands one more proof: {}", .0.as_str())]
    Lacking(Proof),
    /// A signature by no key that is known, or over another request.
    #[error("the signature is not valid")]
    SignatureInvalid,
    /// A valid signature, made too long ago or in the future.
    #[error("the signature is not of now")]
    SignatureStale,
    /// The policies do not permit it.
    #[error("the policies do not permit this")]
    Forbidden,
    /// The tenant, credential or alias is frozen.
    #[error("frozen")]
    Frozen,
    /// The person asked to be spared such messages. Only deliveries meet this.
    #[error("the person asked to be spared this")]
    Suppressed,
    /// What had to be looked up could not be.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Denied {
    /// The stable name in problem documents and in the log. A wrong address is not told from a wrong key.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated | Self::AddressNotAllowed | Self::OtherCertificate => "unauthenticated",
            Self::Lacking(Proof::Key) => "key_required",
            Self::Lacking(Proof::OAuth) => "oauth_required",
            Self::Lacking(Proof::Tls) => "tls_required",
            Self::Lacking(Proof::ClientCert) => "client_cert_required",
            Self::Lacking(Proof::Signature) => "signature_required",
            Self::SignatureInvalid => "signature_invalid",
            Self::SignatureStale => "signature_stale",
            Self::Forbidden => "forbidden",
            Self::Suppressed => "suppressed",
            Self::Frozen => "frozen",
            Self::Store(_) => "unavailable",
        }
    }
}

/// Why something about tenants, credentials or freezes was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// There is no such thing in this tenant, or it has ended.
    #[error("no such tenant, credential or alias")]
    NotFound,
    /// The name is taken.
    #[error("a tenant of this name exists already")]
    NameTaken,
    /// A field does not hold what it should.
    #[error("{field}: {rule}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What it should hold.
        rule: &'static str,
    },
    /// A text that clients may choose holds a phone number.
    #[error("{0} holds a phone number")]
    NumberInText(&'static str),
    /// The second person's word is not there, or does not cover this.
    #[error(transparent)]
    Approval(#[from] super::ApprovalError),
    /// Other policies are in force than those that the proposal was made against, or it is no proposal.
    #[error("other policies are in force than the proposal was made against; propose again over those in force")]
    PolicyConflict,
    /// Too much waits.
    #[error("20 proposals wait over the policies in force; withdraw some")]
    TooManyProposals,
    /// The policies are wrong.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Entries for one credential in one second, before the rest is summed.
const TOLD_PER_SECOND: u32 = 20;

/// Sums that wait at a time. Strangers beyond that share one sum for each second; what is then still too much is lost
/// to the log, and says so in the trace.
const WAITING: usize = 2_048;

/// The name under which strangers beyond [`WAITING`] are summed.
const ELSEWHERE: &str = "elsewhere";

/// Denials that are not in the log yet.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Sums>);

#[derive(Default)]
struct Sums {
    waiting: HashMap<(i64, Refused), u64>,
    /// By credential: the second, and the entries told in it.
    told: HashMap<CredentialId, (i64, u32)>,
}

/// Whose refusals are summed, and of which kind.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Refused {
    Strangers(String),
    Known(CredentialId, &'static str),
}

/// A known caller's refusals beyond those told one by one.
const FURTHER: &str = "further";

/// What waited, taken out to be written; given back if it cannot be.
pub(super) struct Due(Vec<((i64, Refused), u64)>);

impl Ledger {
    /// Counts a call without a valid credential.
    pub(super) fn stranger(&self, from: IpAddr, now: Timestamp) {
        self.add((now.as_secs(), Refused::Strangers(prefix(from))), 1);
    }

    /// Counts a valid credential that was not let in, and why: from outside its networks, say.
    pub(super) fn astray(&self, credential: CredentialId, why: &'static str, now: Timestamp) {
        self.add((now.as_secs(), Refused::Known(credential, why)), 1);
    }

    /// Counts a denial of a known caller. True if it is to have an entry of its own; else it is summed here.
    pub(super) fn tells(&self, credential: CredentialId, now: Timestamp) -> bool {
        let second = now.as_secs();
        let told = {
            let mut sums = self.lock();
            let (since, told) = sums.told.entry(credential).or_insert((second, 0));
            if *since != second {
                (*since, *told) = (second, 0);
            }
            *told = told.saturating_add(1);
            *told
        };
        if told > TOLD_PER_SECOND {
            self.add((second, Refused::Known(credential, FURTHER)), 1);
        }
        told <= TOLD_PER_SECOND
    }

    /// Takes out what was summed before the second of `now`.
    pub(super) fn due(&self, now: Timestamp) -> Due {
        let mut sums = self.lock();
        let (due, later) = sums.waiting.drain().partition(|((second, _), _)| *second < now.as_secs());
        sums.waiting = later;
        let due: HashMap<_, _> = due;
        Due(due.into_iter().collect())
    }

    /// Takes back what could not be written.
    pub(super) fn give_back(&self, due: Due) {
        due.0.into_iter().for_each(|(key, count)| self.add(key, count));
    }

    fn add(&self, mut key: (i64, Refused), count: u64) {
        let mut sums = self.lock();
        if sums.waiting.len() >= WAITING && !sums.waiting.contains_key(&key) {
            if let Refused::Strangers(prefix) = &mut key.1 {
                ELSEWHERE.clone_into(prefix);
            }
            if sums.waiting.len() >= 2 * WAITING {
                tracing::warn!(count, "denials are lost to the log: too many wait to be written");
                return;
            }
        }
        *sums.waiting.entry(key).or_default() += count;
    }

    fn lock(&self) -> MutexGuard<'_, Sums> {
        // Counting cannot stop half-way; a poisoned lock holds sound sums.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Due {
    /// The events that tell of it, in order of time. `standing` finds the credentials.
    pub(super) fn events(&self, standing: impl Fn(CredentialId) -> Option<Arc<Standing>>) -> Vec<Event> {
        let mut events: Vec<Event> =
            self.0.iter().filter_map(|((second, refused), count)| event(*second, refused, *count, &standing)).collect();
        events.sort_by_key(|event| event.at);
        events
    }
}

fn event(
    second: i64,
    refused: &Refused,
    count: u64,
    standing: impl Fn(CredentialId) -> Option<Arc<Standing>>,
) -> Option<Event> {
    let at = Timestamp::from_millis(second.saturating_mul(1_000));
    Some(match refused {
        Refused::Strangers(prefix) => Event {
            at,
            tenant: None,
            actor: Actor::Stranger,
            policy: None,
            what: What::StrangersDenied { prefix: prefix.clone(), count },
        },
        Refused::Known(credential, kind) => {
            let standing = standing(*credential)?;
            Event {
                at,
                tenant: Some(standing.tenant),
                actor: standing.actor(),
                policy: None,
                what: What::Denied { attempted: "*".to_owned(), reason: format!("{kind}, {count} within the second") },
            }
        }
    })
}

/// The network that stands for an address in the log: /24 of IPv4, /48 of IPv6.
fn prefix(address: IpAddr) -> String {
    let length = if address.is_ipv4() { 24 } else { 48 };
    ipnet::IpNet::new(address, length).map_or_else(|_| ELSEWHERE.to_owned(), |network| network.trunc().to_string())
}
