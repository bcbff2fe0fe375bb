//! The short-lived store inside the process.
//!
//! Buckets and running claims live in memory only: a process that dies leaves no claim behind. Answers that are to be
//! replayed, and what was given once, are kept in a small SQLite file ([`journal`]), durable before [`Scratch::settle`]
//! and [`Scratch::first`] return, so that a crash repeats no work that was answered and forgets nothing that was used. Everything expires; every map has a bound.

mod buckets;
mod claims;
mod journal;
mod used;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::buckets::Buckets;
use self::claims::Claims;
use super::{Claim, Rate, Scratch, ScratchError, Verdict};
use crate::clock::Clock;

/// A short-lived store for one process.
pub struct MemoryScratch {
    clock: Arc<dyn Clock>,
    buckets: Buckets,
    claims: Claims,
}

impl MemoryScratch {
    /// Opens it with its answers in the file at `path` (mode 0600), or in memory if there is none.
    ///
    /// # Errors
    /// If the file cannot be had.
    pub fn open(path: Option<&Path>, clock: Arc<dyn Clock>) -> Result<Self, ScratchError> {
        Ok(Self { claims: Claims::open(path, Arc::clone(&clock))?, buckets: Buckets::default(), clock })
    }
}

#[async_trait]
impl Scratch for MemoryScratch {
    async fn take(&self, key: &[u8], rate: Rate, cost: u32) -> Result<Verdict, ScratchError> {
        self.buckets.take(key, rate, cost, self.clock.now())
    }

    async fn claim(&self, key: &[u8], fingerprint: [u8; 32], ttl: Duration) -> Result<Claim, ScratchError> {
        self.claims.claim(key, fingerprint, ttl)
    }

    async fn settle(&self, key: &[u8], answer: Option<Vec<u8>>, ttl: Duration) -> Result<(), ScratchError> {
        self.claims.settle(key, answer, ttl).await
    }

    async fn first(&self, key: &[u8], ttl: Duration) -> Result<bool, ScratchError> {
        self.claims.first(key, ttl).await
    }
}
