//! How choosing a number, binding it and finding a leg fare as a pool fills: over the store itself, since by HTTP ten
//! million legs would take hours to bind.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bauta::alias::leg;
use bauta::clock::{Clock as _, SystemClock};
use bauta::event::{Actor, Event, Mode, What};
use bauta::ids::{PoolId, RecordId, TenantId, fresh};
use bauta::phone::VirtualNumber;
use bauta::store::*;
use futures::StreamExt as _;

use crate::plan::Plan;
use crate::table::{Line, grouped};

/// Named so that a filter can ask for it.
pub const LEGS: &str = "legs: choose, bind, find";
/// Legs, unless the command line says.
const USUAL: u64 = 100_000;
/// From the smallest store to the largest, how much slower anything may become.
const FLAT: f64 = 3.0;
/// Numbers: a tenth of the legs, within these.
const NUMBERS: std::ops::RangeInclusive<u64> = 100..=1_000_000;

/// A pool with its store.
struct Field {
    store: Arc<SqliteStore>,
    tenant: TenantId,
    pool: PoolId,
    lots: Vec<LotId>,
    numbers: u64,
    aliases: u64,
    /// Where each alias of the filling stands.
    placed: Vec<u64>,
    _folder: tempfile::TempDir,
}

/// What was measured at one size, in microseconds.
struct Figures {
    choose: (f64, f64),
    find: (f64, f64),
    binds_per_second: f64,
}

/// Fills one pool in steps and measures at each. The last step has the legs that the command line asks for.
pub async fn rows(plan: &Plan) -> Vec<Line> {
    let most = plan.legs.unwrap_or(USUAL);
    let mut field = Field::open().await;
    let (mut lines, mut first) = (Vec::new(), None);
    for legs in steps(most) {
        field.grow(legs).await;
        let figures = field.measure(plan.slice).await;
        eprintln!("{} legs on {} numbers", grouped(legs as f64), grouped(field.numbers as f64));
        let slower = first.get_or_insert((figures.choose.0, figures.find.0));
        let met = figures.choose.0 <= slower.0 * FLAT && figures.find.0 <= slower.1 * FLAT;
        let what = format!(
            "{} legs on {} numbers: choose {:.0} µs, find {:.0} µs (p99 {:.0}, {:.0})",
            grouped(legs as f64),
            grouped(field.numbers as f64),
            figures.choose.0,
            figures.find.0,
            figures.choose.1,
            figures.find.1
        );
        let binds = format!("{} binds/s", grouped(figures.binds_per_second));
        lines.push(Line::plain(what, binds, "≤ 3 × of the first", Some(met)));
    }
    lines
}

/// Sizes a hundredfold apart, and the one asked for.
fn steps(most: u64) -> Vec<u64> {
    let mut steps: Vec<u64> = [2, 1_000, 100_000].into_iter().filter(|step| *step < most).collect();
    steps.push(most);
    steps
}

impl Field {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store =
            SqliteStore::open(&folder.path().join("bauta.db"), Arc::new(SystemClock), fresh()).expect("a store");
        let (tenant, pool) = (fresh(), fresh());
        let now = SystemClock.now();
        let mode = Mode::Test;
        let row = TenantRow { id: tenant, name: "Field".into(), mode, region: None, created_at: now };
        let stock = PoolRow {
            id: pool,
            tenant,
            name: "field".into(),
            carrier: "sandbox".into(),
            shared: false,
            mode,
            low_water: None,
            created_at: now,
        };
        let change = telling().with(Write::Tenant(row)).with(Write::Pool(stock));
        store.commit(change).await.expect("a pool");
        Self {
            store: Arc::new(store),
            tenant,
            pool,
            lots: Vec::new(),
            numbers: 0,
            aliases: 0,
            placed: Vec::new(),
            _folder: folder,
        }
    }

    /// Adds numbers and pairs of strangers until there are so many legs.
    async fn grow(&mut self, legs: u64) {
        let numbers = (legs / 10).clamp(*NUMBERS.start(), *NUMBERS.end());
        while self.numbers < numbers {
            let next = (self.numbers + CHUNK).min(numbers);
            let mut change = telling();
            change.writes.extend((self.numbers..next).map(|n| Write::Number(self.number(n))));
            self.store.commit(change).await.expect("numbers");
            self.numbers = next;
        }
        self.lots = self.store.lots(self.pool).await.expect("lots").iter().map(|lot| lot.id).collect();
        while self.aliases * 2 < legs {
            let next = (self.aliases + CHUNK).min(legs.div_ceil(2));
            let mut change = telling();
            change
                .writes
                .extend((self.aliases..next).map(|n| bound(&self.alias(n * 2, n * 2 + 1, x(n % self.numbers)))));
            self.store.commit(change).await.expect("legs");
            self.placed.extend((self.aliases..next).map(|n| n % self.numbers));
            self.aliases = next;
        }
    }

    async fn measure(&self, slice: Duration) -> Figures {
        let (mut choose, mut find) = (Vec::new(), Vec::new());
        let end = Instant::now() + slice;
        while Instant::now() < end {
            let (a, b) = (random() % (self.aliases * 2), u64::MAX / 2 + random() % 1_000_000);
            let started = Instant::now();
            let had = self.store.allocate(&self.wish(a, b)).await.expect("a choice");
            choose.push(started.elapsed());
            assert!(had.is_some(), "the pool is large enough");
            let n = random() % self.aliases;
            let started = Instant::now();
            let stands = self.placed[usize::try_from(n).expect("memory")];
            let leg = self.store.leg(x(stands), Some(person(n * 2))).await.expect("a look");
            find.push(started.elapsed());
            assert!(leg.is_some(), "everybody has a leg");
        }
        let started = Instant::now();
        let end = started + slice;
        let turns = futures::stream::iter(std::iter::from_fn(|| (Instant::now() < end).then(|| self.one_more())));
        let bound = turns.buffer_unordered(64).filter(|done| std::future::ready(*done)).count().await;
        let binds_per_second = bound as f64 / started.elapsed().as_secs_f64();
        Figures { choose: micros(choose), find: micros(find), binds_per_second }
    }

    /// Chooses and binds for two who are new, as a service does.
    async fn one_more(&self) -> bool {
        let (a, b) = (u64::MAX / 4 + random() / 8, u64::MAX / 2 + random() / 8);
        let Some(number) = self.store.allocate(&self.wish(a, b)).await.expect("a choice") else { return false };
        self.store.commit(telling().with(bound(&self.alias(a, b, number)))).await.is_ok()
    }

    fn wish(&self, a: u64, b: u64) -> Allocation {
        Allocation {
            pool: self.pool,
            number: None,
            lots: self.lots.clone(),
            without: Vec::new(),
            usage: Usage::Pair,
            parties: vec![(person(a), Some(person(b))), (person(b), Some(person(a)))],
            owner: person(a),
            tenant: self.tenant,
            strategy: Strategy::Sticky,
            spread: random(),
        }
    }

    fn number(&self, n: u64) -> NumberRow {
        let traits = Traits { capabilities: vec!["sms".into()], ..Traits::default() };
        NumberRow { number: x(n), pool: self.pool, traits, draining: false, aside: None, created_at: SystemClock.now() }
    }

    fn alias(&self, a: u64, b: u64, number: VirtualNumber) -> AliasRow {
        AliasRow {
            id: fresh(),
            tenant: self.tenant,
            mode: AliasMode::Axb,
            number,
            number_y: None,
            extension: None,
            pool: self.pool,
            a: party(a),
            b: Some(party(b)),
            members: Vec::new(),
            disclose: Disclose::None,
            unknown: Unknown::Reply,
            content: None,
            capabilities: vec!["sms".into()],
            audience: None,
            credential: fresh(),
            status: AliasStatus::Active,
            metadata: None,
            created_at: SystemClock.now(),
            expires_at: None,
        }
    }
}

/// The median and the 99th of a hundred, in microseconds.
fn micros(mut taken: Vec<Duration>) -> (f64, f64) {
    taken.sort_unstable();
    let at = |share: usize| taken[(taken.len() * share / 100).min(taken.len() - 1)].as_secs_f64() * 1e6;
    (at(50), at(99))
}

fn bound(row: &AliasRow) -> Write {
    Write::BindAlias { alias: Box::new(row.clone()), legs: leg::legs(row) }
}

fn telling() -> Change {
    let what = What::AuditRead { entries: 0 };
    Change::telling(Event { at: SystemClock.now(), tenant: None, actor: Actor::Worker, policy: None, what })
}

/// Indexes as scattered as those of a keyed hash.
fn person(n: u64) -> BlindIndex {
    let scattered = (u128::from(n) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    BlindIndex(scattered.to_be_bytes())
}

fn party(n: u64) -> Party {
    Party { record: RecordId(n >> 1), index: person(n) }
}

fn x(n: u64) -> VirtualNumber {
    VirtualNumber::from_digits(99_900_000_000 + n).expect("a number")
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Rows of one commit while the pool fills.
const CHUNK: u64 = 2_000;
