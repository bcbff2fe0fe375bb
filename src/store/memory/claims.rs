//! Claims on pieces of work and the answers that are replayed.
//!
//! An answer is durable before its claim goes, and a claim looks for a running one first and for an answer second, under
//! the lock of its shard: so no work is given out twice.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::journal::{Answer, Journal, Kept};
use super::used::Used;
use crate::clock::{Clock, Timestamp};
use crate::store::{Claim, ScratchError};

pub(super) struct Claims {
    clock: Arc<dyn Clock>,
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    journal: Option<Journal>,
    /// What was given once, where there is no journal.
    used: Mutex<Used>,
}

struct Shard {
    running: HashMap<Box<[u8]>, Running>,
    answers: Kept,
}

struct Running {
    fingerprint: [u8; 32],
    until: Timestamp,
}

const SHARDS: usize = 4;
/// The most claims under way in one shard; far above what requests in flight can be.
const MOST: usize = 16_384;

impl Claims {
    pub(super) fn open(path: Option<&Path>, clock: Arc<dyn Clock>) -> Result<Self, ScratchError> {
        let journal = path.map(|path| Journal::open(path, Arc::clone(&clock))).transpose()?;
        let shards = (0..SHARDS)
            .map(|_| Ok(Mutex::new(Shard { running: HashMap::new(), answers: Kept::open(path)? })))
            .collect::<Result<_, ScratchError>>()?;
        Ok(Self { clock, shards, hasher: RandomState::new(), journal, used: Mutex::default() })
    }

    pub(super) fn claim(&self, key: &[u8], fingerprint: [u8; 32], ttl: Duration) -> Result<Claim, ScratchError> {
        let now = self.clock.now();
        let mut shard = self.shard(key)?;
        if let Some(running) = shard.running.get(key).filter(|running| running.until > now) {
            return Ok(if running.fingerprint == fingerprint { Claim::InFlight } else { Claim::Mismatch });
        }
        if let Some(answer) = shard.answers.find(key, now)? {
            let same = answer.fingerprint == fingerprint;
            return Ok(if same { Claim::Answered(answer.text) } else { Claim::Mismatch });
        }
        if shard.running.len() >= MOST {
            shard.running.retain(|_, running| running.until > now);
            if shard.running.len() >= MOST {
                return Err(ScratchError("too many claims under way".into()));
            }
        }
        shard.running.insert(key.into(), Running { fingerprint, until: now.plus(ttl) });
        Ok(Claim::New)
    }

    pub(super) async fn settle(&self, key: &[u8], answer: Option<Vec<u8>>, ttl: Duration) -> Result<(), ScratchError> {
        if let Some(text) = answer {
            let fingerprint = self.shard(key)?.running.get(key).map(|running| running.fingerprint);
            let fingerprint = fingerprint.ok_or_else(|| ScratchError("the claim is gone".into()))?;
            let answer = Answer { fingerprint, until: self.clock.now().plus(ttl), text };
            match &self.journal {
                Some(journal) => journal.write(key, answer).await?,
                None => self.shard(key)?.answers.hold(key, answer, self.clock.now())?,
            }
        }
        self.shard(key)?.running.remove(key);
        Ok(())
    }

    pub(super) async fn first(&self, key: &[u8], ttl: Duration) -> Result<bool, ScratchError> {
        let now = self.clock.now();
        match &self.journal {
            Some(journal) => journal.first(key, now.plus(ttl)).await,
            None => self.used.lock().unwrap_or_else(PoisonError::into_inner).first(key, now.plus(ttl), now),
        }
    }

    fn shard(&self, key: &[u8]) -> Result<MutexGuard<'_, Shard>, ScratchError> {
        let place = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        let shard = self.shards.get(place).ok_or_else(|| ScratchError("no shard".into()))?;
        Ok(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
