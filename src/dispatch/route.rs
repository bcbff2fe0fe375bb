//! Which carriers may carry a message, best first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::carrier::Carrier;
use crate::event::Mode;
use crate::phone::VirtualNumber;
use crate::store::{Store, StoreError};

/// The carriers that may carry a message of a tenant of this mode, those that are up first. `home` is the carrier of
/// the pool that the sender's number is in: the only one from which an answer finds back.
pub(super) fn choose<'a>(
    carriers: &'a [Arc<dyn Carrier>],
    mode: Mode,
    home: Option<&str>,
) -> impl Iterator<Item = &'a Arc<dyn Carrier>> {
    let may = |carrier: &&Arc<dyn Carrier>| {
        carrier.is_live() == (mode == Mode::Live) && home.is_none_or(|home| home == carrier.name())
    };
    let mut chosen: Vec<_> = carriers.iter().filter(may).collect();
    chosen.sort_by_key(|carrier| !carrier.is_up());
    chosen.into_iter()
}

/// The carrier at which each pool number lives. Neither ever changes.
pub(super) struct Homes {
    store: Arc<dyn Store>,
    known: Mutex<HashMap<VirtualNumber, Arc<str>>>,
}

impl Homes {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, known: Mutex::default() }
    }

    pub(super) async fn carrier(&self, number: VirtualNumber) -> Result<Option<Arc<str>>, StoreError> {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&number) {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(row) = self.store.number(number).await? else { return Ok(None) };
        let Some(pool) = self.store.pool(row.pool).await? else { return Ok(None) };
        let carrier: Arc<str> = pool.carrier.into();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_NUMBERS {
            known.clear();
        }
        known.insert(number, Arc::clone(&carrier));
        Ok(Some(carrier))
    }
}

const MAX_NUMBERS: usize = 65_536;

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::carrier::{Address, Inbox, Submission, SubmitError, Submitted};

    struct Line(&'static str, bool, bool);

    #[async_trait]
    impl Carrier for Line {
        fn name(&self) -> &str {
            self.0
        }
        fn is_live(&self) -> bool {
            self.1
        }
        fn sender(&self) -> Address {
            Address::Name("bauta".into())
        }
        fn is_up(&self) -> bool {
            self.2
        }
        async fn submit(&self, _: Submission) -> Result<Submitted, SubmitError> {
            Err(SubmitError::Unavailable)
        }
        async fn run(self: Arc<Self>, _: Arc<dyn Inbox>, _: tokio::sync::watch::Receiver<bool>) {}
    }

    fn names(mode: Mode, home: Option<&str>) -> Vec<String> {
        let lines: Vec<Arc<dyn Carrier>> = vec![
            Arc::new(Line("down", true, false)),
            Arc::new(Line("up", true, true)),
            Arc::new(Line("sandbox", false, true)),
        ];
        choose(&lines, mode, home).map(|line| line.name().to_owned()).collect()
    }

    #[test]
    fn test_and_live_never_share_a_carrier() {
        assert_eq!(names(Mode::Live, None), ["up", "down"]);
        assert_eq!(names(Mode::Test, None), ["sandbox"]);
        assert!(names(Mode::Test, Some("up")).is_empty());
    }

    #[test]
    fn a_pool_number_leaves_only_by_its_own_carrier() {
        assert_eq!(names(Mode::Live, Some("down")), ["down"]);
        assert!(names(Mode::Live, Some("elsewhere")).is_empty());
    }
}
