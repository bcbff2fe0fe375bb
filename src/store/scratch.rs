//! The short-lived port: limits, idempotency answers and nonces. Everything here has an expiry.

use std::time::Duration;

use async_trait::async_trait;

/// The short-lived store. Keys are HMACs or ids: never a number, never a client's text.
#[async_trait]
pub trait Scratch: Send + Sync {
    /// Takes `cost` from the token bucket `key`, which refills by `rate`.
    async fn take(&self, key: &[u8], rate: Rate, cost: u32) -> Result<Verdict, ScratchError>;

    /// Claims `key` for one piece of work whose input has this fingerprint. The claim lapses after `ttl`.
    async fn claim(&self, key: &[u8], fingerprint: [u8; 32], ttl: Duration) -> Result<Claim, ScratchError>;

    /// Ends a claim: with an answer to replay for `ttl` (durable before this returns), or without, which frees the key.
    async fn settle(&self, key: &[u8], answer: Option<Vec<u8>>, ttl: Duration) -> Result<(), ScratchError>;

    /// Whether `key` was never given here within the last `ttl`; from now on it was, also after a crash.
    async fn first(&self, key: &[u8], ttl: Duration) -> Result<bool, ScratchError>;
}

/// A token bucket: `burst` at once, refilled evenly over `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The most that can be taken at once.
    pub burst: u32,
    /// How long an empty bucket takes to fill.
    pub per: Duration,
}

/// Whether a bucket had enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Taken; so many are left.
    Within {
        /// What is left in the bucket.
        left: u32,
    },
    /// Not taken; try again after this long.
    Over {
        /// When enough will have refilled.
        retry_after: Duration,
    },
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Yours: do the work, then settle.
    New,
    /// Somebody is at it.
    InFlight,
    /// Done before, with this answer.
    Answered(Vec<u8>),
    /// The key was used for another input.
    Mismatch,
}

/// The short-lived store cannot be used now.
#[derive(Debug, thiserror::Error)]
#[error("the short-lived store is unavailable: {0}")]
pub struct ScratchError(pub String);
