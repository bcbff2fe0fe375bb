//! The limits over the real stores, on a clock that the test moves.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::ids;
use crate::keyring::{FileKms, Keyring};
use crate::store::MemoryScratch;
use crate::store::SqliteStore;
use crate::store::{BlindIndex, Rate, Store};

struct Gate {
    guard: Guard,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

async fn gate(limits: Limits) -> Gate {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_795_000_000_000)));
    let path = folder.path().join("bauta.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, Arc::clone(&clock) as _, ids::fresh()).unwrap());
    let kms = Arc::new(FileKms::open(&folder.path().join("keys"), true).unwrap());
    let keyring = Arc::new(Keyring::open(Arc::clone(&store), kms).await.unwrap());
    let scratch = Arc::new(MemoryScratch::open(None, Arc::clone(&clock) as _).unwrap());
    Gate { guard: Guard::new(scratch, store, keyring).with_limits(limits), clock, _folder: folder }
}

fn retry_after(result: Result<(), GuardError>) -> Option<Duration> {
    match result {
        Err(GuardError::Limited { retry_after }) => Some(retry_after),
        _ => None,
    }
}

#[tokio::test]
async fn no_window_of_ten_minutes_holds_more_than_five_sends() {
    let gate = gate(Limits::default()).await;
    let (tenant, party) = (ids::fresh(), BlindIndex([1; 16]));
    let mut allowed = Vec::new();
    for second in (0_u64..3_600).step_by(7) {
        match gate.guard.sends(tenant, party).await {
            Ok(()) => allowed.push(second),
            Err(error) => assert!(retry_after(Err(error)).is_some_and(|wait| wait <= Duration::from_secs(600))),
        }
        gate.clock.advance(Duration::from_secs(7));
    }
    assert!(allowed.windows(6).all(|six| matches!(six, [first, .., last] if last - first >= 600)), "{allowed:?}");
    // Nor is anything wasted: five in each of the six spans.
    assert_eq!(allowed.len(), 30);
}

#[tokio::test]
async fn a_stranger_has_one_limit_for_all_addresses_of_a_network_of_its_own() {
    let one = Rate { burst: 1, per: Duration::from_secs(60) };
    let gate = gate(Limits { strangers: one, ..Limits::default() }).await;
    let from = |address: &str| address.parse().unwrap();
    assert!(gate.guard.stranger(&from("2001:db8:1:2::1")).await.is_ok());
    assert!(gate.guard.stranger(&from("2001:db8:1:2:ffff::9")).await.is_err());
    assert!(gate.guard.stranger(&from("2001:db8:1:3::1")).await.is_ok());
}

#[tokio::test]
async fn numbers_tenants_credentials_and_addresses_are_counted_apart() {
    let one = Rate { burst: 1, per: Duration::from_secs(60) };
    let gate = gate(Limits { sends: 1, requests: one, strangers: one, ..Limits::default() }).await;
    let (tenant, credential) = (ids::fresh(), ids::fresh());
    let (home, other) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
    assert!(gate.guard.sends(tenant, BlindIndex([1; 16])).await.is_ok());
    assert!(gate.guard.sends(tenant, BlindIndex([2; 16])).await.is_ok());
    assert!(gate.guard.sends(ids::fresh(), BlindIndex([1; 16])).await.is_ok());
    assert!(gate.guard.request(credential).await.is_ok());
    assert!(gate.guard.request(ids::fresh()).await.is_ok());
    assert!(gate.guard.stranger(&home).await.is_ok());
    assert!(gate.guard.stranger(&other).await.is_ok());

    let minute = Some(Duration::from_secs(60));
    assert!(retry_after(gate.guard.sends(tenant, BlindIndex([1; 16])).await).is_some());
    assert_eq!(retry_after(gate.guard.request(credential).await), minute);
    assert_eq!(retry_after(gate.guard.stranger(&home).await), minute);
    gate.clock.advance(Duration::from_secs(60));
    assert!(gate.guard.request(credential).await.is_ok());
}
