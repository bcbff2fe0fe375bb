//! What is measured of each carrier, as a whole and for each country: hand-overs, their time, receipts, and a breaker.
//!
//! In memory of this process, over the minutes just passed: after a start nothing is known and every carrier counts as
//! good. Countries are E.164 country codes; nothing here knows a number. Fed by dispatch and, for receipts, by `relay`.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::breaker::{Admission, Breaker, BreakerState, Turn};
use super::window::Window;
use crate::clock::Timestamp;
use crate::store::DeliveryStatus;
use crate::telemetry;

/// A country code; 0 for numbers of none.
pub type Country = u16;

/// How all carriers do.
pub struct Health {
    ways: Mutex<HashMap<String, Way>>,
    sent: Mutex<Sent>,
    keyed: RandomState,
}

/// One carrier.
struct Way {
    whole: Cell,
    countries: HashMap<Country, Cell>,
}

/// One carrier, as a whole or for one country.
struct Cell {
    breaker: Breaker,
    /// Ten minutes: taken, failed, refused, milliseconds of those taken.
    handed: Window<10, 4>,
    /// An hour: delivered, not delivered.
    receipts: Window<12, 2>,
}

/// Which country the parts that were handed over lately went to, so that their receipts count there.
#[derive(Default)]
struct Sent {
    of: HashMap<u64, Country>,
    order: VecDeque<u64>,
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Messages that the carrier took in the last ten minutes.
    pub taken: u64,
    /// Those that failed for its sake.
    pub failed: u64,
    /// Those that it refused.
    pub refused: u64,
    /// Milliseconds that it took over one, on average.
    pub latency_ms: Option<u64>,
    /// Receipts of the last hour that say delivered.
    pub delivered: u64,
    /// Those that say otherwise.
    pub undelivered: u64,
}

/// How a carrier does for one country.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// For this country.
    pub(super) here: Measured,
    /// Over all countries.
    pub(super) whole: Measured,
    pub(super) breaker: BreakerState,
    pub(super) admission: Admission,
}

/// A message on its way to a carrier; to be given back with what became of it.
pub(super) struct Handing {
    country: Country,
    probes: [bool; 2],
}

/// What became of a hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handed {
    Taken(Duration),
    /// The carrier failed.
    Failed,
    /// It refused this message.
    Refused,
    /// It asked to slow down, or had no link to begin with: says nothing about the way.
    Waits,
}

impl Handed {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Taken(_) => "taken",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Waits => "put_off",
        }
    }

    /// Whether the way went, for its breaker.
    const fn went(self) -> Option<bool> {
        match self {
            Self::Taken(_) | Self::Refused => Some(true),
            Self::Failed => Some(false),
            Self::Waits => None,
        }
    }
}

/// A breaker that turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turned {
    /// None is the carrier as a whole.
    pub(super) country: Option<Country>,
    pub(super) turn: Turn,
}

impl Default for Health {
    fn default() -> Self {
        Self { ways: Mutex::default(), sent: Mutex::default(), keyed: RandomState::new() }
    }
}

impl Cell {
    fn new() -> Self {
        Self { breaker: Breaker::new(), handed: Window::new(60_000), receipts: Window::new(300_000) }
    }

    fn measured(&self, now: Timestamp) -> Measured {
        let [taken, failed, refused, millis] = self.handed.sums(now);
        let [delivered, undelivered] = self.receipts.sums(now);
        Measured { taken, failed, refused, latency_ms: millis.checked_div(taken), delivered, undelivered }
    }

    fn note(&mut self, now: Timestamp, handed: Handed) {
        let counts = match handed {
            Handed::Taken(took) => [1, 0, 0, u64::try_from(took.as_millis()).unwrap_or(u64::MAX)],
            Handed::Failed => [0, 1, 0, 0],
            Handed::Refused => [0, 0, 1, 0],
            Handed::Waits => return,
        };
        self.handed.add(now, counts);
    }
}

impl Way {
    fn new() -> Self {
        Self { whole: Cell::new(), countries: HashMap::new() }
    }

    fn cell(&mut self, country: Country) -> &mut Cell {
        self.countries.entry(country).or_insert_with(Cell::new)
    }
}

impl Health {
    /// How a carrier does for a country.
    pub(super) fn look(&self, carrier: &str, country: Country, now: Timestamp) -> Look {
        let ways = self.ways();
        let (way, fresh) = (ways.get(carrier), Cell::new());
        let whole = way.map_or(&fresh, |way| &way.whole);
        let here = way.and_then(|way| way.countries.get(&country)).unwrap_or(&fresh);
        let states = [whole.breaker.state(now), here.breaker.state(now)];
        let breaker = [BreakerState::Open, BreakerState::HalfOpen].into_iter().find(|state| states.contains(state));
        Look {
            here: here.measured(now),
            whole: whole.measured(now),
            breaker: breaker.unwrap_or(BreakerState::Closed),
            admission: stricter(whole.breaker.admits(now), here.breaker.admits(now)),
        }
    }

    /// A message is about to go; an error says until when none may.
    pub(super) fn begin(&self, carrier: &str, country: Country, now: Timestamp) -> Result<Handing, Timestamp> {
        let mut ways = self.ways();
        let way = ways.entry(carrier.to_owned()).or_insert_with(Way::new);
        let whole = way.whole.breaker.admits(now);
        let here = way.cell(country).breaker.admits(now);
        if let Admission::Not(until) = stricter(whole, here) {
            return Err(until);
        }
        let probes = [way.whole.breaker.begin(now)?, way.cell(country).breaker.begin(now)?];
        Ok(Handing { country, probes })
    }

    /// What became of it. Returns the breakers that turned.
    pub(super) fn end(&self, carrier: &str, handing: Handing, now: Timestamp, handed: Handed) -> Vec<Turned> {
        let Handing { country, probes: [whole, here] } = handing;
        tell(carrier, country, handed);
        let mut ways = self.ways();
        let way = ways.entry(carrier.to_owned()).or_insert_with(Way::new);
        way.whole.note(now, handed);
        way.cell(country).note(now, handed);
        let went = handed.went();
        let turned = [
            (None, way.whole.breaker.end(now, whole, went)),
            (Some(country), way.cell(country).breaker.end(now, here, went)),
        ];
        turned.into_iter().filter_map(|(country, turn)| turn.map(|turn| Turned { country, turn })).collect()
    }

    /// A carrier took these parts, on their way to a country.
    pub(super) fn submitted(&self, carrier: &str, country: Country, ids: &[String]) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            let print = self.print(carrier, id);
            if sent.of.insert(print, country).is_none() {
                sent.order.push_back(print);
            }
        }
        while sent.order.len() > MAX_SENT {
            if let Some(oldest) = sent.order.pop_front() {
                sent.of.remove(&oldest);
            }
        }
    }

    /// A carrier's word on a part, by the spellings of its id. One that is not known here, since another process handed
    /// it over or too many came after it, counts for nothing.
    pub fn receipt<'a>(
        &self,
        carrier: &str,
        ids: impl IntoIterator<Item = &'a str>,
        status: DeliveryStatus,
        now: Timestamp,
    ) {
        let counts = match status {
            DeliveryStatus::Delivered => [1, 0],
            DeliveryStatus::Undelivered | DeliveryStatus::Expired | DeliveryStatus::Rejected => [0, 1],
            DeliveryStatus::Queued | DeliveryStatus::Submitted | DeliveryStatus::Unknown => return,
        };
        let Some(country) = self.forget(carrier, ids) else { return };
        let word = if counts == [1, 0] { "delivered" } else { "undelivered" };
        telemetry::metrics().route_receipts.with_label_values(&[carrier, &country.to_string(), word]).inc();
        let mut ways = self.ways();
        let way = ways.entry(carrier.to_owned()).or_insert_with(Way::new);
        way.whole.receipts.add(now, counts);
        way.cell(country).receipts.add(now, counts);
    }

    /// The country of the first of these parts that is known. Its place in the order is left: it goes with its turn.
    fn forget<'a>(&self, carrier: &str, ids: impl IntoIterator<Item = &'a str>) -> Option<Country> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        ids.into_iter().find_map(|id| sent.of.remove(&self.print(carrier, id)))
    }

    fn print(&self, carrier: &str, id: &str) -> u64 {
        self.keyed.hash_one((carrier, id))
    }

    fn ways(&self) -> MutexGuard<'_, HashMap<String, Way>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stricter(one: Admission, two: Admission) -> Admission {
    match (one, two) {
        (Admission::Not(one), Admission::Not(two)) => Admission::Not(one.max(two)),
        (Admission::Not(until), _) | (_, Admission::Not(until)) => Admission::Not(until),
        (Admission::Probe, _) | (_, Admission::Probe) => Admission::Probe,
        (Admission::Open, Admission::Open) => Admission::Open,
    }
}

fn tell(carrier: &str, country: Country, handed: Handed) {
    let metrics = telemetry::metrics();
    metrics.route_submits.with_label_values(&[carrier, &country.to_string(), handed.as_str()]).inc();
    if let Handed::Taken(took) = handed {
        metrics.route_seconds.with_label_values(&[carrier]).observe(took.as_secs_f64());
    }
}

impl Look {
    /// How much of its configured weight a carrier keeps, 0 to 1: what it takes, what arrives, and how fast it is
    /// beside the fastest (`best_ms`). Of a country of which little is known yet, what is known of the carrier counts.
    pub(super) fn factor(&self, best_ms: u64) -> f64 {
        let whole = self.whole;
        let taken = share(whole.taken, whole.failed + whole.refused, 1.0);
        let arrived = share(whole.delivered, whole.undelivered, 1.0);
        let here = self.here;
        let taken = share(here.taken, here.failed + here.refused, taken);
        let arrived = share(here.delivered, here.undelivered, arrived);
        (taken * arrived * self.speed(best_ms)).max(LEAST_FACTOR)
    }

    fn speed(&self, best_ms: u64) -> f64 {
        let Some(own) = self.latency_ms() else { return 1.0 };
        (float(best_ms) + GRACE_MS) / (float(own.max(best_ms)) + GRACE_MS)
    }

    /// Here, or where nothing went there lately, anywhere.
    pub(super) fn latency_ms(&self) -> Option<u64> {
        self.here.latency_ms.or(self.whole.latency_ms)
    }
}

/// The share of good ones, drawn towards `prior` while there are few.
fn share(good: u64, bad: u64, prior: f64) -> f64 {
    PRIOR.mul_add(prior, float(good)) / (float(good) + float(bad) + PRIOR)
}

fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// So many observations weigh as much as what was believed before.
const PRIOR: f64 = 10.0;
/// Differences of so many milliseconds hardly count.
const GRACE_MS: f64 = 100.0;
/// Never nothing: a carrier that got better has to be seen to.
const LEAST_FACTOR: f64 = 0.02;
/// Parts whose country is remembered, about 2 MB.
const MAX_SENT: usize = 65_536;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + ms)
    }

    fn hand(health: &Health, carrier: &str, country: Country, handed: Handed) -> Vec<Turned> {
        let handing = health.begin(carrier, country, at(0)).ok().unwrap();
        health.end(carrier, handing, at(0), handed)
    }

    const FAST: Handed = Handed::Taken(Duration::from_millis(20));

    #[test]
    fn a_carrier_that_fails_or_does_not_deliver_keeps_less_of_its_weight() {
        let health = Health::default();
        for n in 0..100 {
            hand(&health, "good", 44, FAST);
            hand(&health, "poor", 44, if n % 4 == 0 { Handed::Failed } else { FAST });
            health.submitted("silent", 44, &[format!("id{n}")]);
            health.receipt("silent", [format!("id{n}").as_str()], DeliveryStatus::Undelivered, at(0));
        }
        let factor = |carrier| health.look(carrier, 44, at(0)).factor(20);
        assert!(factor("good") > 0.99, "{}", factor("good"));
        assert!((0.7..0.85).contains(&factor("poor")), "{}", factor("poor"));
        assert!(factor("silent") < 0.1, "{}", factor("silent"));
        assert!(factor("unknown") > 0.99);
        assert!(factor("silent") >= LEAST_FACTOR);
    }

    #[test]
    fn a_slow_carrier_keeps_less_and_a_few_milliseconds_do_not_matter() {
        let health = Health::default();
        for _ in 0..10 {
            hand(&health, "slow", 44, Handed::Taken(Duration::from_millis(2_000)));
            hand(&health, "near", 44, Handed::Taken(Duration::from_millis(30)));
        }
        assert!(health.look("slow", 44, at(0)).factor(20) < 0.1);
        assert!(health.look("near", 44, at(0)).factor(20) > 0.9);
    }

    #[test]
    fn one_country_that_fails_is_cut_off_alone() {
        let health = Health::default();
        for _ in 0..200 {
            hand(&health, "main", 44, FAST);
        }
        let turned: Vec<_> = (0..30).filter(|_| health.begin("main", 84, at(0)).is_ok()).collect();
        assert_eq!(turned.len(), 30, "nothing failed yet");
        let mut cut = Vec::new();
        for _ in 0..20 {
            cut.extend(hand(&health, "main", 84, Handed::Failed));
        }
        assert_eq!(cut, [Turned { country: Some(84), turn: Turn::Opened }]);
        assert!(health.begin("main", 84, at(0)).is_err());
        assert!(health.begin("main", 44, at(0)).is_ok());
        assert_eq!(health.look("main", 84, at(0)).breaker, BreakerState::Open);
        assert_eq!(health.look("main", 44, at(0)).breaker, BreakerState::Closed);
    }

    #[test]
    fn receipts_count_once_and_only_for_what_was_handed_over_here() {
        let health = Health::default();
        health.submitted("main", 84, &["a".into(), "b".into()]);
        for _ in 0..2 {
            health.receipt("main", ["a"], DeliveryStatus::Delivered, at(0));
            health.receipt("other", ["b"], DeliveryStatus::Delivered, at(0));
            health.receipt("main", ["c"], DeliveryStatus::Delivered, at(0));
        }
        let here = health.look("main", 84, at(0)).here;
        assert_eq!((here.delivered, here.undelivered), (1, 0));
    }

    #[test]
    fn what_is_remembered_of_parts_is_bounded() {
        let health = Health::default();
        for n in 0..MAX_SENT + 10 {
            health.submitted("main", 1, &[n.to_string()]);
        }
        let sent = health.sent.lock().unwrap();
        assert_eq!((sent.of.len(), sent.order.len()), (MAX_SENT, MAX_SENT));
    }
}
