//! What the service tells about itself: JSON lines on standard error, counters for Prometheus.
//!
//! Nothing in the house hands a number to a log line. Dependencies may, so every string that is about to be printed is
//! searched once more; what is found is blanked, counted in `bauta_leaks_total`, and is a bug to be mended where it
//! came from.

use std::fmt;
use std::io::Write;
use std::sync::LazyLock;

use prometheus::{HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::clock::{Clock, SystemClock};
use crate::phone;

/// Counters and gauges, by the names that `/metrics` shows.
pub struct Metrics {
    registry: Registry,
    /// Numbers that the log scrubber caught. Alert on more than 0.
    pub leaks: IntCounter,
    /// Events committed, by action.
    pub events: IntCounterVec,
    /// Requests refused because a daily budget had too little left, by budget.
    pub budget_refusals: IntCounterVec,
    /// A tenant's own messages that were refused, by rule.
    pub message_refusals: IntCounterVec,
    /// Messages that came in and were not carried, by reason.
    pub messages_dropped: IntCounterVec,
    /// HTTP answers, by route template, method and status.
    pub requests: IntCounterVec,
    /// Seconds from request to answer, by route template.
    pub latency: HistogramVec,
    /// Carrier links: 1 up, 0 down.
    pub carrier_up: IntGaugeVec,
    /// Links of a carrier that are up.
    pub carrier_links: IntGaugeVec,
    /// What passed a carrier: parts `sent`, `received`, `receipts`, `repeats`, and `throttled`, `errors`, `malformed`.
    pub carrier_traffic: IntCounterVec,
    /// Requests to a carrier that await an answer.
    pub carrier_waiting: IntGaugeVec,
    /// How many requests may.
    pub carrier_window: IntGaugeVec,
    /// Changed certificate files that were looked at, by outcome: `taken` or `refused`. Alert on `refused`.
    pub certificates: IntCounterVec,
    /// Whether the KMS served when it was last asked: 1 or 0.
    pub kms_up: IntGauge,
    /// Ciphertexts re-encrypted under a newer key version.
    pub resealed: IntCounter,
    /// Rows looked through by the pass over old ciphertexts that is under way; 0 when none is.
    pub reseal_pass: IntGauge,
    /// Seconds between a message's arrival and its submission, by lane.
    pub delivery: HistogramVec,
    /// Calls to endpoints of webhooks, by what came of them: `delivered`, `status` for an answer other than 2xx, `gone`,
    /// `answered`, `unanswered`, or a fault's name.
    pub webhook_calls: IntCounterVec,
    /// Seconds from an event to its delivery, by whether the `first` call brought it or one made `again`.
    pub webhook_delay: HistogramVec,
    /// Seconds that the oldest event which waits for an endpoint has waited.
    pub webhook_oldest: IntGauge,
    /// Endpoints that something waits for.
    pub webhook_waiting: IntGauge,
    /// Pools with fewer free numbers than their owners want to be told of.
    pub pools_low: IntGauge,
    /// Messages that were handed to a carrier, by country code and outcome: `taken`, `failed`, `refused`, `put_off`.
    pub route_submits: IntCounterVec,
    /// Seconds that a carrier took over a message.
    pub route_seconds: HistogramVec,
    /// Final receipts, by carrier, country code and outcome: `delivered` or `undelivered`.
    pub route_receipts: IntCounterVec,
    /// 1 where a carrier's breaker is open, for one country code or `all`. Alert on 1.
    pub route_breaker: IntGaugeVec,
    /// How many tenants' ways are closed for complaints, by carrier, country and class. Alert on more than 0.
    pub route_closed: IntGaugeVec,
    /// Look-ups of who serves a number, by outcome: `answered` or `failed`.
    pub portability: IntCounterVec,
    /// 1 for the version of the policies in force.
    policy: IntGaugeVec,
}

impl Metrics {
    /// Shows `version` as that of the policies in force.
    pub fn show_policy(&self, version: &str) {
        self.policy.reset();
        self.policy.with_label_values(&[version]).set(1);
    }

    /// The Prometheus text exposition of everything counted so far.
    pub fn render(&self) -> String {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

/// The process's counters.
pub fn metrics() -> &'static Metrics {
    &METRICS
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let registry = Registry::new();
    Metrics {
        leaks: registered(
            &registry,
            IntCounter::new("bauta_leaks_total", "Numbers caught on their way into a log line"),
        ),
        events: registered(&registry, counters("bauta_events_total", "Events committed", &["action"])),
        budget_refusals: registered(
            &registry,
            counters("bauta_budget_refusals_total", "Requests beyond a daily budget", &["budget"]),
        ),
        messages_dropped: registered(
            &registry,
            counters("bauta_messages_dropped_total", "Messages that came in and were not carried", &["reason"]),
        ),
        message_refusals: registered(
            &registry,
            counters("bauta_messages_refused_total", "A tenant's own messages refused, by rule", &["reason"]),
        ),
        requests: registered(
            &registry,
            counters("bauta_http_requests_total", "HTTP answers", &["method", "route", "status"]),
        ),
        latency: registered(&registry, histograms("bauta_http_seconds", "From request to answer", &["route"])),
        carrier_up: registered(
            &registry,
            IntGaugeVec::new(prometheus::Opts::new("bauta_carrier_up", "Whether a carrier's link is up"), &["carrier"]),
        ),
        carrier_links: registered(
            &registry,
            gauges("bauta_carrier_links", "Links of a carrier that are up", &["carrier"]),
        ),
        carrier_traffic: registered(
            &registry,
            counters("bauta_carrier_traffic_total", "What passed a carrier, by kind", &["carrier", "kind"]),
        ),
        carrier_waiting: registered(
            &registry,
            gauges("bauta_carrier_waiting", "Requests to a carrier that await an answer", &["carrier"]),
        ),
        carrier_window: registered(
            &registry,
            gauges("bauta_carrier_window", "Requests to a carrier that may await an answer", &["carrier"]),
        ),
        certificates: registered(
            &registry,
            counters("bauta_tls_reloads_total", "Changed certificate files, by outcome", &["outcome"]),
        ),
        kms_up: registered(&registry, IntGauge::new("bauta_kms_up", "Whether the KMS served when last asked")),
        pools_low: registered(
            &registry,
            IntGauge::new("bauta_pools_low", "Pools with fewer free numbers than their owners want to be told of"),
        ),
        resealed: registered(
            &registry,
            IntCounter::new("bauta_keys_resealed_total", "Ciphertexts re-encrypted under a newer key version"),
        ),
        reseal_pass: registered(
            &registry,
            IntGauge::new("bauta_keys_pass_rows", "Rows looked through for ciphertexts under old key versions"),
        ),
        delivery: registered(&registry, histograms("bauta_delivery_seconds", "From arrival to submission", &["lane"])),
        webhook_calls: registered(
            &registry,
            counters("bauta_webhook_calls_total", "Calls to webhooks, by what came of them", &["result"]),
        ),
        webhook_delay: registered(
            &registry,
            histograms("bauta_webhook_seconds", "From an event to its delivery", &["call"]),
        ),
        webhook_oldest: registered(
            &registry,
            IntGauge::new("bauta_webhook_oldest_seconds", "Age of the oldest event that waits for a webhook"),
        ),
        webhook_waiting: registered(
            &registry,
            IntGauge::new("bauta_webhook_waiting", "Webhooks that something waits for"),
        ),
        route_submits: registered(
            &registry,
            counters(
                "bauta_route_submits_total",
                "Messages handed to a carrier, by outcome",
                &["carrier", "country", "outcome"],
            ),
        ),
        route_seconds: registered(
            &registry,
            histograms("bauta_route_seconds", "What a carrier took over a message", &["carrier"]),
        ),
        route_receipts: registered(
            &registry,
            counters("bauta_route_receipts_total", "Final receipts, by outcome", &["carrier", "country", "outcome"]),
        ),
        route_breaker: registered(
            &registry,
            gauges("bauta_route_breaker_open", "Whether a carrier failed too often", &["carrier", "country"]),
        ),
        route_closed: registered(
            &registry,
            gauges("bauta_route_closed", "Ways closed for complaints", &["carrier", "country", "class"]),
        ),
        portability: registered(
            &registry,
            counters("bauta_portability_total", "Look-ups of who serves a number", &["outcome"]),
        ),
        policy: registered(
            &registry,
            IntGaugeVec::new(prometheus::Opts::new("bauta_policy_info", "The policies in force"), &["version"]),
        ),
        registry,
    }
});

fn counters(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(prometheus::Opts::new(name, help), labels)
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
    IntGaugeVec::new(prometheus::Opts::new(name, help), labels)
}

fn histograms(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<HistogramVec> {
    let buckets = vec![0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    HistogramVec::new(prometheus::HistogramOpts::new(name, help).buckets(buckets), labels)
}

/// Registers a collector whose name and labels are constants of this file.
fn registered<C: prometheus::core::Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    #[allow(clippy::expect_used, reason = "the names above are valid and distinct; a test renders them all")]
    let collector = made.expect("metric names are valid");
    #[allow(clippy::expect_used, reason = "as above")]
    registry.register(Box::new(collector.clone())).expect("metric names are distinct");
    collector
}

/// Starts logging for this process. `BAUTA_LOG` sets the filter (`info`, `bauta=debug`, …).
pub fn start() {
    let filter = EnvFilter::try_from_env("BAUTA_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::registry().with(filter).with(JsonLines).try_init();
    std::panic::set_hook(Box::new(|panic| told_panic(panic.location())));
}

/// Tells of a panic by its place alone. What it says may quote what it worked on (a slice that misses a character's
/// boundary prints the whole text), and the usual hook would print that past every scrubber.
fn told_panic(location: Option<&std::panic::Location<'_>>) {
    let place = location.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    tracing::error!(place, "a task broke off");
}

/// Blanks every number in `text`, and counts what it blanked.
pub fn scrub(text: &str) -> String {
    let found = phone::find(text);
    if found.is_empty() {
        return text.to_owned();
    }
    metrics().leaks.inc_by(found.len() as u64);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for span in found {
        out.push_str(text.get(at..span.start).unwrap_or_default());
        out.push_str("[number]");
        at = span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// One JSON object a line: time, level, target, message, fields; every value scrubbed.
struct JsonLines;

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let mut line = Map::new();
        line.insert("at".into(), SystemClock.now().to_string().into());
        line.insert("level".into(), event.metadata().level().as_str().into());
        line.insert("target".into(), event.metadata().target().into());
        line.extend(fields.0);
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // Standard error that went away is no reason to stop serving.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }

    fn put_integer(&mut self, field: &Field, value: Value) {
        let scrubbed = scrub(&value.to_string());
        let value = if scrubbed.contains("[number]") { scrubbed.into() } else { value };
        self.put(field, value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, scrub(&format!("{value:?}")).into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, scrub(value).into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put_integer(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put_integer(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, scrub(&value.to_string()).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_on_its_way_into_a_line_is_blanked_and_counted() {
        let before = metrics().leaks.get();
        assert_eq!(scrub("peer said +1 202 555 0143, bye"), "peer said [number], bye");
        assert!(metrics().leaks.get() > before);
        assert_eq!(scrub("listening on 127.0.0.1:8080"), "listening on 127.0.0.1:8080");
    }

    #[test]
    fn every_metric_renders() {
        metrics().events.with_label_values(&["audit.read"]).inc();
        assert!(metrics().render().contains("bauta_leaks_total"));
    }
}
