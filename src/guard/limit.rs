//! Limits: how often, by whom, about whom. Shared over the fleet through the two stores.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::{self, CredentialId, TenantId};
use crate::keyring::Keyring;
use crate::signing;
use crate::store::{BlindIndex, Rate, Scratch, ScratchError, Store, StoreError, Verdict};

/// Asks the stores whether one more is allowed.
pub struct Guard {
    scratch: Arc<dyn Scratch>,
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    limits: Limits,
}

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Codes sent to one number, in any window of [`Limits::sends_per`].
    pub sends: u8,
    /// The window of `sends`.
    pub sends_per: Duration,
    /// Wrong codes against one number in [`Limits::failures_days`]; from there on no new verification starts.
    pub failures: u64,
    /// The window of `failures`, in days.
    pub failures_days: i64,
    /// Requests of one credential.
    pub requests: Rate,
    /// Requests without a valid credential from one address.
    pub strangers: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sends: 5,
            sends_per: Duration::from_secs(600),
            failures: 100,
            failures_days: 30,
            requests: Rate { burst: 100_000, per: Duration::from_secs(1) },
            strangers: Rate { burst: 120, per: Duration::from_secs(60) },
        }
    }
}

/// Why one more is not allowed.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// Too many; try again later.
    #[error("limit reached")]
    Limited {
        /// Not before.
        retry_after: Duration,
    },
    /// The limit cannot be asked, so the answer is no.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The count cannot be read, so the answer is no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Guard {
    /// A guard with the default [`Limits`].
    pub fn new(scratch: Arc<dyn Scratch>, store: Arc<dyn Store>, keyring: Arc<Keyring>) -> Self {
        Self { scratch, store, keyring, limits: Limits::default() }
    }

    /// The same guard with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Counts one more code to a number, `party` under the tenant's index key.
    ///
    /// The window slides and is exact: one bucket that refills evenly would let a tenth code through within the time
    /// in which five are allowed, so each of the five has a slot of its own that is free again only after the window.
    pub async fn sends(&self, tenant: TenantId, party: BlindIndex) -> Result<(), GuardError> {
        let slot = Rate { burst: 1, per: self.limits.sends_per };
        let mut soonest = self.limits.sends_per;
        for number in 0..self.limits.sends {
            let key = key(b"send", &[&ids::bytes(&tenant), &party.0, &[number]]);
            match self.scratch.take(&key, slot, 1).await? {
                Verdict::Within { .. } => return Ok(()),
                Verdict::Over { retry_after } => soonest = soonest.min(retry_after),
            }
        }
        Err(GuardError::Limited { retry_after: soonest })
    }

    /// Whether a number has had too many wrong codes lately for a new verification to start.
    pub async fn failures(&self, tenant: TenantId, party: BlindIndex) -> Result<(), GuardError> {
        let now = self.store.now();
        let since = day(now).saturating_sub(self.limits.failures_days);
        if self.store.failures_since(tenant, party, since).await? < self.limits.failures {
            return Ok(());
        }
        Err(GuardError::Limited { retry_after: until_next_day(now) })
    }

    /// Counts one more request of a credential.
    pub async fn request(&self, credential: CredentialId) -> Result<(), GuardError> {
        self.take(&key(b"cred", &[&ids::bytes(&credential)]), self.limits.requests).await
    }

    /// Counts one more request without a valid credential.
    pub async fn stranger(&self, from: &IpAddr) -> Result<(), GuardError> {
        let address = self.keyring.system().address(from);
        self.take(&key(b"addr", &[&address]), self.limits.strangers).await
    }

    /// Whether a signed request of this credential is the first with its nonce. One that is new now stays used for as
    /// long as a signature with it could be taken.
    pub async fn nonce(&self, credential: CredentialId, nonce: &str) -> Result<bool, GuardError> {
        let used = self.keyring.system().fingerprint(&[b"nonce", &ids::bytes(&credential), nonce.as_bytes()]);
        Ok(self.scratch.first(&used, NONCE_KEPT).await?)
    }

    /// Whether a client's text holds a number; as [`super::number_in_text`].
    pub fn number_in_text(&self, text: &str) -> bool {
        super::number_in_text(text)
    }

    async fn take(&self, key: &[u8], rate: Rate) -> Result<(), GuardError> {
        match self.scratch.take(key, rate, 1).await? {
            Verdict::Within { .. } => Ok(()),
            Verdict::Over { retry_after } => Err(GuardError::Limited { retry_after }),
        }
    }
}

/// Days since the epoch, UTC, as failures are counted by.
pub(crate) fn day(at: Timestamp) -> i64 {
    at.as_secs().div_euclid(SECONDS_A_DAY)
}

fn until_next_day(now: Timestamp) -> Duration {
    let left = SECONDS_A_DAY - now.as_secs().rem_euclid(SECONDS_A_DAY);
    Duration::from_secs(left.unsigned_abs())
}

/// A bucket's key: four bytes that say which limit, then parts of fixed sizes.
fn key(limit: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let mut key = limit.to_vec();
    key.extend(parts.iter().copied().flatten());
    key
}

/// Twice the window of `created`, which opens as long before a moment as it closes after it, and some time to spare.
const NONCE_KEPT: Duration = Duration::from_secs(2 * signing::WINDOW_S.unsigned_abs() + 60);

const SECONDS_A_DAY: i64 = 86_400;
