//! Turns: whoever works on the same thing waits for each other, first come first served.

use tokio::sync::{Mutex, MutexGuard};

use crate::store::BlindIndex;

/// A fixed number of fair locks; things that share one by chance only wait longer.
pub(in crate::relay) struct Turns(Vec<Mutex<()>>);

impl Turns {
    /// Waits for one's turn at `key`.
    pub(super) async fn take(&self, key: &BlindIndex) -> Option<MutexGuard<'_, ()>> {
        // Any two bytes of an HMAC are as good as random.
        let [a, b, ..] = key.0;
        let slot = usize::from(u16::from_be_bytes([a, b])) % STRIPES;
        match self.0.get(slot) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self(std::iter::repeat_with(Mutex::default).take(STRIPES).collect())
    }
}

const STRIPES: usize = 4_096;
