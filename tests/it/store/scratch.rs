//! The short-lived port, over the adapter inside the process with and without its file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bauta::clock::{ManualClock, Timestamp};
use bauta::store::MemoryScratch;
use bauta::store::{Claim, Rate, Scratch, Verdict};

struct Bench {
    clock: Arc<ManualClock>,
    scratch: Arc<dyn Scratch>,
    folder: tempfile::TempDir,
}

type Open = fn(&Path, Arc<ManualClock>) -> Arc<dyn Scratch>;

impl Bench {
    fn new(open: Open) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_795_000_000_000)));
        let scratch = open(folder.path(), Arc::clone(&clock));
        Self { clock, scratch, folder }
    }

    async fn claim(&self, fingerprint: u8) -> Claim {
        self.scratch.claim(b"key", [fingerprint; 32], MINUTE).await.unwrap()
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

fn in_file(folder: &Path, clock: Arc<ManualClock>) -> Arc<dyn Scratch> {
    Arc::new(MemoryScratch::open(Some(&folder.join("data/scratch.db")), clock).unwrap())
}

fn in_memory(_: &Path, clock: Arc<ManualClock>) -> Arc<dyn Scratch> {
    Arc::new(MemoryScratch::open(None, clock).unwrap())
}

async fn work_is_given_out_once_and_its_answer_replayed(bench: Bench) {
    assert_eq!(bench.claim(1).await, Claim::New);
    assert_eq!(bench.claim(1).await, Claim::InFlight);
    assert_eq!(bench.claim(2).await, Claim::Mismatch);
    bench.scratch.settle(b"key", Some(b"201 made".to_vec()), DAY).await.unwrap();
    assert_eq!(bench.claim(1).await, Claim::Answered(b"201 made".to_vec()));
    assert_eq!(bench.claim(2).await, Claim::Mismatch);
    bench.clock.advance(DAY - Duration::from_secs(1));
    assert_eq!(bench.claim(1).await, Claim::Answered(b"201 made".to_vec()));
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.claim(2).await, Claim::New, "the key is free again");
}

async fn a_claim_given_up_or_lapsed_frees_its_key(bench: Bench) {
    assert_eq!(bench.claim(1).await, Claim::New);
    bench.scratch.settle(b"key", None, MINUTE).await.unwrap();
    assert_eq!(bench.claim(2).await, Claim::New);
    bench.clock.advance(MINUTE);
    assert_eq!(bench.claim(3).await, Claim::New);
    bench.scratch.settle(b"other", None, MINUTE).await.unwrap();
    assert!(bench.scratch.settle(b"other", Some(vec![1]), MINUTE).await.is_err(), "nobody claimed it");
}

async fn of_sixty_four_claimers_one_gets_the_work_also_while_it_is_answered(bench: Bench) {
    for round in 0..20_u8 {
        let key = [round; 8];
        let claimers: Vec<_> = (0..64)
            .map(|_| {
                let scratch = Arc::clone(&bench.scratch);
                tokio::spawn(async move {
                    let claim = scratch.claim(&key, [1; 32], MINUTE).await.unwrap();
                    if claim == Claim::New {
                        scratch.settle(&key, Some(vec![7]), DAY).await.unwrap();
                    }
                    claim == Claim::New
                })
            })
            .collect();
        let mut new = 0;
        for claimer in claimers {
            new += u32::from(claimer.await.unwrap());
        }
        assert_eq!(new, 1);
    }
}

async fn a_bucket_empties_and_refills(bench: Bench) {
    let rate = Rate { burst: 3, per: MINUTE };
    for left in [2, 1, 0] {
        assert_eq!(bench.scratch.take(b"b", rate, 1).await.unwrap(), Verdict::Within { left });
    }
    let Verdict::Over { retry_after } = bench.scratch.take(b"b", rate, 2).await.unwrap() else { panic!("not over") };
    assert_eq!(retry_after, Duration::from_secs(40));
    bench.clock.advance(retry_after);
    assert_eq!(bench.scratch.take(b"b", rate, 2).await.unwrap(), Verdict::Within { left: 0 });
    assert_eq!(bench.scratch.take(b"c", rate, 1).await.unwrap(), Verdict::Within { left: 2 });
}

async fn of_a_thousand_racing_takers_just_the_burst_gets_through(bench: Bench) {
    let rate = Rate { burst: 100, per: MINUTE };
    let takers: Vec<_> = (0..1_000)
        .map(|_| {
            let scratch = Arc::clone(&bench.scratch);
            tokio::spawn(async move { matches!(scratch.take(b"b", rate, 1).await.unwrap(), Verdict::Within { .. }) })
        })
        .collect();
    let mut through = 0;
    for taker in takers {
        through += u32::from(taker.await.unwrap());
    }
    assert_eq!(through, 100);
}

async fn a_nonce_is_first_once_until_its_time_is_over(bench: Bench) {
    assert!(bench.scratch.first(b"nonce", MINUTE).await.unwrap());
    assert!(!bench.scratch.first(b"nonce", MINUTE).await.unwrap());
    assert!(bench.scratch.first(b"another", MINUTE).await.unwrap());
    bench.clock.advance(MINUTE - Duration::from_secs(1));
    assert!(!bench.scratch.first(b"nonce", MINUTE).await.unwrap());
    bench.clock.advance(Duration::from_secs(1));
    assert!(bench.scratch.first(b"nonce", MINUTE).await.unwrap());
    assert!(!bench.scratch.first(b"nonce", MINUTE).await.unwrap());
}

async fn of_sixty_four_racing_uses_of_a_nonce_one_is_first(bench: Bench) {
    for round in 0..20_u8 {
        let key = [round; 16];
        let users: Vec<_> = (0..64)
            .map(|_| {
                let scratch = Arc::clone(&bench.scratch);
                tokio::spawn(async move { scratch.first(&key, MINUTE).await.unwrap() })
            })
            .collect();
        let mut first = 0;
        for user in users {
            first += u32::from(user.await.unwrap());
        }
        assert_eq!(first, 1);
    }
}

macro_rules! conformance {
    ($adapter:ident, $open:ident: $($case:ident),+ $(,)?) => {
        mod $adapter {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Bench::new(super::$open)).await;
            })+
        }
    };
}

conformance! { over_memory, in_memory:
    work_is_given_out_once_and_its_answer_replayed,
    a_claim_given_up_or_lapsed_frees_its_key,
    of_sixty_four_claimers_one_gets_the_work_also_while_it_is_answered,
    a_bucket_empties_and_refills,
    of_a_thousand_racing_takers_just_the_burst_gets_through,
    a_nonce_is_first_once_until_its_time_is_over,
    of_sixty_four_racing_uses_of_a_nonce_one_is_first,
}

conformance! { over_file, in_file:
    work_is_given_out_once_and_its_answer_replayed,
    a_claim_given_up_or_lapsed_frees_its_key,
    of_sixty_four_claimers_one_gets_the_work_also_while_it_is_answered,
    a_bucket_empties_and_refills,
    of_a_thousand_racing_takers_just_the_burst_gets_through,
    a_nonce_is_first_once_until_its_time_is_over,
    of_sixty_four_racing_uses_of_a_nonce_one_is_first,
}

/// The file is copied while the process runs, as a crash would leave it.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_keeps_answers_and_nonces_and_drops_running_claims() {
    let bench = Bench::new(in_file);
    assert_eq!(bench.claim(1).await, Claim::New);
    bench.scratch.settle(b"key", Some(b"done".to_vec()), DAY).await.unwrap();
    assert_eq!(bench.scratch.claim(b"running", [1; 32], DAY).await.unwrap(), Claim::New);
    assert!(bench.scratch.first(b"nonce", DAY).await.unwrap());
    let cut = tempfile::tempdir().unwrap();
    std::fs::create_dir(cut.path().join("data")).unwrap();
    for name in ["data/scratch.db", "data/scratch.db-wal"] {
        std::fs::copy(bench.folder.path().join(name), cut.path().join(name)).unwrap();
    }
    let scratch = in_file(cut.path(), Arc::clone(&bench.clock));
    let replayed = scratch.claim(b"key", [1; 32], MINUTE).await.unwrap();
    assert_eq!(replayed, Claim::Answered(b"done".to_vec()));
    assert!(!scratch.first(b"nonce", DAY).await.unwrap(), "a nonce that was used stays used");
    assert_eq!(scratch.claim(b"running", [1; 32], MINUTE).await.unwrap(), Claim::New);
}
