//! `cargo bench --bench http [-- FILTER] [--seconds N] [--connections N] [--quick] [--store N] [--legs N]`: how fast the service
//! is, and beside what.
//!
//! One run starts a bare echo server and the real program with its default settings, both as processes of their own,
//! and drives them from one load generator: authentication, policies and the log are on. Echo and each row take turns in
//! short slices, so that the noise of the hour meets both. Every answer is checked; a wrong one ends the run with a
//! panic. The table at the end is Markdown, as `docs/performance.md` keeps it. Loopback only; all processes end with it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that goes wrong fails loudly"
)]

mod echo;
mod kannel;
mod large;
mod legs;
mod load;
mod numbers;
mod plan;
mod relay;
mod rows;
mod service;
#[path = "../../tests/peers/smsc.rs"]
mod smsc;
mod table;

use std::process::ExitCode;

use echo::Echo;
use kannel::Kannel;
use load::{Slice, drive, quantile_ms};
use plan::Plan;
use relay::{Manner, Relay, Relayed};
use rows::{House, Row};
use service::Service;
use table::{Line, grouped};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == echo::ARGUMENT) {
        echo::serve();
        return ExitCode::SUCCESS;
    }
    let plan = match Plan::read(arguments) {
        Ok(plan) => plan,
        Err(fault) => {
            eprintln!(
                "{fault}; usage: cargo bench --bench http [-- FILTER] [--seconds N] [--connections N] [--quick] [--store N] [--legs N]"
            );
            return ExitCode::from(64);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        tokio::select! {
            () = run(&plan) => ExitCode::SUCCESS,
            // What was started ends with its owner, which is dropped here.
            () = told_to_stop() => ExitCode::from(130),
        }
    })
}

async fn told_to_stop() {
    let (mut term, mut int) = (signal(SignalKind::terminate()).unwrap(), signal(SignalKind::interrupt()).unwrap());
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// Prints each part of the table as soon as it is measured.
async fn run(plan: &Plan) {
    table::head();
    if let Some(tokens) = plan.store {
        // It takes minutes and a disk full of tokens: the other rows have a run of their own.
        return table::print(&large::rows(plan, tokens).await);
    }
    if plan.legs.is_some() {
        return table::print(&legs::rows(plan).await);
    }
    let rows: Vec<Row> = Row::ALL.into_iter().filter(|row| plan.wants(row.name())).collect();
    if !rows.is_empty() || plan.wants(START_UP) {
        table::print(&http(plan, &rows).await);
    }
    if plan.wants(large::DISK) {
        table::print(&[large::disk(plan).await]);
    }
    if plan.wants(legs::LEGS) {
        table::print(&legs::rows(plan).await);
    }
    if plan.wants(RELAY) || RELAY_MORE.iter().any(|(name, ..)| plan.wants(name)) {
        table::print(&relayed(plan).await);
    }
}

/// The HTTP rows, then what the process weighs and how long it takes to come back with what they left.
async fn http(plan: &Plan, rows: &[Row]) -> Vec<Line> {
    let echo = Echo::start();
    let mut service = Service::start_to_measure("");
    let mut house = House::furnish(&service).await;
    let mut measured: Vec<Measured> = rows.iter().map(|row| Measured::new(*row)).collect();
    for _ in 0..plan.rounds {
        for row in &mut measured {
            row.round(plan, &echo, &service, &mut house).await;
        }
    }
    let mut lines = Vec::new();
    if measured.iter().any(|row| row.echo.requests > 0) {
        lines.push(echo_line(&measured));
    }
    lines.extend(measured.into_iter().map(Measured::line));
    if !rows.is_empty() {
        lines.push(memory(&service, "resident memory after these"));
    }
    if plan.wants(START_UP) {
        lines.extend(start_ups(&mut service));
    }
    lines
}

/// A row and its slices so far.
struct Measured {
    row: Row,
    own: Slice,
    echo: Slice,
    cpu_seconds: f64,
    entries: u64,
}

impl Measured {
    fn new(row: Row) -> Self {
        Self { row, own: Slice::default(), echo: Slice::default(), cpu_seconds: 0.0, entries: 0 }
    }

    /// One slice of echo, then one of the row.
    async fn round(&mut self, plan: &Plan, echo: &Echo, service: &Service, house: &mut House) {
        let row = self.row;
        let mut load = house.load(service, row).await;
        let entries = house.entries(service).await;
        service.settle().await;
        if !row.is_batch() {
            let mut same = rows::echo_load(house);
            self.echo.add(drive(echo.port, row.connections(plan.connections), plan.slice, &mut same).await);
        }
        let cpu = service.cpu_seconds();
        let slice = drive(service.port, row.connections(plan.connections), plan.slice, load.as_mut()).await;
        self.cpu_seconds += service.cpu_seconds() - cpu;
        eprintln!("{}: {} requests/s", row.name(), grouped(slice.per_second()));
        self.own.add(slice);
        service.settle().await;
        self.entries += house.entries(service).await - entries;
    }

    fn line(mut self) -> Line {
        let row = self.row;
        let units = self.own.requests as f64 * row.per_request() as f64;
        let rate = self.own.per_second() * row.per_request() as f64;
        let ratio = (self.echo.requests > 0).then(|| self.own.per_second() / self.echo.per_second());
        let (unit, aim) = if row.is_batch() {
            ("numbers", format!("≥ {}/s", grouped(row.aim())))
        } else {
            ("requests", format!("≥ {:.2}", row.aim()))
        };
        let latency = (quantile_ms(&mut self.own.latencies, 0.5), quantile_ms(&mut self.own.latencies, 0.99));
        Line {
            what: row.name().to_owned(),
            figure: format!("{} {unit}/s", grouped(rate)),
            ratio,
            aim,
            met: Some(ratio.unwrap_or(rate) >= row.aim()),
            latency: Some(latency),
            cpu_us: Some(self.cpu_seconds * 1e6 / units.max(1.0)),
            entries: Some(self.entries as f64 / self.own.elapsed.as_secs_f64()),
        }
    }
}

fn echo_line(measured: &[Measured]) -> Line {
    let mut all = Slice::default();
    for row in measured {
        all.requests += row.echo.requests;
        all.elapsed += row.echo.elapsed;
        all.latencies.extend_from_slice(&row.echo.latencies);
    }
    let figure = format!("{} requests/s", grouped(all.per_second()));
    let latency = (quantile_ms(&mut all.latencies, 0.5), quantile_ms(&mut all.latencies, 0.99));
    Line { ratio: Some(1.0), latency: Some(latency), ..Line::plain("bare echo", figure, "", None) }
}

fn memory(service: &Service, what: &str) -> Line {
    let resident = service.resident_mb();
    Line::plain(what, format!("{resident:.0} MB"), "≤ 64 MB", Some(resident <= 64.0))
}

/// Median times from the process's start to the first `/readyz` that says yes.
fn start_ups(used: &mut Service) -> [Line; 2] {
    let fresh = median((0..STARTS).map(|_| Service::start("").ready_after.as_secs_f64()));
    let again = median((0..STARTS).map(|_| {
        used.stop();
        used.restart();
        used.ready_after.as_secs_f64()
    }));
    let line = |what: &str, seconds: f64| {
        let what = format!("{START_UP}, {what}");
        Line::plain(what, format!("{:.0} ms", seconds * 1e3), "≤ 300 ms", Some(seconds <= 0.3))
    };
    [line("empty folder", fresh), line("folder of the rows above", again)]
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The relay rows, on a service and a store of their own.
async fn relayed(plan: &Plan) -> Vec<Line> {
    let mut relay = Relay::start().await;
    let mut lines = Vec::new();
    if plan.wants(RELAY) {
        lines.extend(beside_kannel(plan, &mut relay).await);
    }
    for (name, manner) in RELAY_MORE {
        if plan.wants(name) {
            relay.service.settle().await;
            let done = relay.relay(manner, plan.long()).await;
            eprintln!("{name}: {} messages in {:.1} s", done.messages, done.elapsed.as_secs_f64());
            let aim = if manner.rate.is_some() { "p99 ≤ 10 ms" } else { "" };
            let mut line = relay_line(name, aim, done);
            line.met = manner.rate.and(line.latency).map(|latency| latency.1 <= 10.0);
            lines.push(line);
        }
    }
    lines.push(memory(&relay.service, "resident memory after relaying"));
    lines
}

/// Relay and Kannel in turns, so that the noise of the hour meets both.
async fn beside_kannel(plan: &Plan, relay: &mut Relay) -> Vec<Line> {
    let manner = Manner { rate: None, receipts: false };
    let mut kannel = Kannel::start(&relay.aliases).await;
    let (mut own, mut theirs): (Option<Relayed>, Option<Relayed>) = (None, None);
    for _ in 0..plan.rounds {
        if let Some(kannel) = &mut kannel {
            let done = kannel.relay(plan.slice).await;
            eprintln!("Kannel: {} messages/s", grouped(done.per_second()));
            theirs = Some(match theirs {
                Some(before) => before.and(done),
                None => done,
            });
        }
        relay.service.settle().await;
        let done = relay.relay(manner, plan.slice).await;
        eprintln!("{RELAY}: {} messages/s", grouped(done.per_second()));
        own = Some(match own {
            Some(before) => before.and(done),
            None => done,
        });
    }
    let ratio = own.as_ref().zip(theirs.as_ref()).map(|(own, theirs)| own.per_second() / theirs.per_second());
    let mut lines = Vec::new();
    if let Some(done) = theirs {
        lines.push(relay_line("Kannel, in to out over SMPP, nothing durable", "", done));
    }
    if let Some(done) = own {
        let aim = ratio.map_or("≥ Kannel".to_owned(), |ratio| format!("≥ 1 × Kannel; {ratio:.2} here"));
        let mut line = relay_line(RELAY, &aim, done);
        line.met = ratio.map(|ratio| ratio >= 1.0);
        lines.push(line);
    }
    lines
}

fn relay_line(name: &str, aim: &str, mut done: Relayed) -> Line {
    let latency = (quantile_ms(&mut done.latencies, 0.5), quantile_ms(&mut done.latencies, 0.99));
    let plain = Line::plain(name, format!("{} messages/s", grouped(done.per_second())), aim, None);
    Line { latency: Some(latency), cpu_us: Some(done.cpu_us), ..plain }
}

const START_UP: &str = "start-up";
/// Starts of each kind, whose median counts.
const STARTS: usize = 5;
const RELAY: &str = "relay, in to out over SMPP";
const RELAY_MORE: [(&str, Manner); 2] = [
    ("relay, each with a receipt", Manner { rate: None, receipts: true }),
    ("relay, paced at 500/s", Manner { rate: Some(500.0), receipts: false }),
];
