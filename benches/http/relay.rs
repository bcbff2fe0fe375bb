//! The relay rows: messages from outside senders to aliases, over SMPP, to the handsets behind them.
//!
//! Each message has a sender of its own among 50,000 short codes and a text of its own. It has to come out once, at the
//! handset that its alias stands for, shown as from the alias, with the text as it was; else the run fails.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::numbers::{self, Numbers};
use crate::service::Service;
use crate::smsc::{Came, Smsc};

/// `deliver_sm` that may wait for their answer.
pub const WINDOW: usize = 256;
/// Messages that may be between the two links, so that what is measured is the whole way and not a queue filling up.
const ON_THE_WAY: usize = 2_000;
const ALIASES: usize = 200;
const SENDERS: usize = 50_000;
/// What is still on its way at the end may take this long.
const LAST: Duration = Duration::from_secs(60);
/// What comes twice comes within this time.
const LINGER: Duration = Duration::from_millis(300);

/// A service with a live tenant whose aliases live at our SMSC.
pub struct Relay {
    pub service: Service,
    smsc: Smsc,
    /// Virtual number and handset of each alias, digits only.
    pub aliases: Vec<(String, String)>,
}

/// How messages are handed over.
#[derive(Clone, Copy)]
pub struct Manner {
    /// Messages a second; none is as fast as they are taken.
    pub rate: Option<f64>,
    /// Whether handsets confirm, each with a receipt that the service has to record.
    pub receipts: bool,
}

/// What came of it.
pub struct Relayed {
    pub messages: usize,
    /// From the first message in to the last one out.
    pub elapsed: Duration,
    /// From each message in to the same out, in microseconds.
    pub latencies: Vec<u32>,
    /// Processor time of the service for each message, in microseconds.
    pub cpu_us: f64,
}

impl Relayed {
    /// Both, one after the other.
    pub fn and(mut self, other: Self) -> Self {
        let messages = self.messages + other.messages;
        let cpu = self.cpu_us * self.messages as f64 + other.cpu_us * other.messages as f64;
        self.latencies.extend(other.latencies);
        let cpu_us = cpu / messages.max(1) as f64;
        Self { messages, elapsed: self.elapsed + other.elapsed, latencies: self.latencies, cpu_us }
    }

    pub fn per_second(&self) -> f64 {
        self.messages as f64 / self.elapsed.as_secs_f64()
    }
}

impl Relay {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let service = Service::start_to_measure(&format!(
            "[[carriers]]\nname = \"main\"\nkind = \"smpp\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             system_id = \"bauta\"\npassword = \"bench\"\nsender = \"Bench\"\n"
        ));
        let smsc = Smsc::bound(&listener, 0).await.expect("a client");
        let aliases = bind(&service).await;
        Self { service, smsc, aliases }
    }

    /// Relays for so long; then waits for what is on its way.
    pub async fn relay(&mut self, manner: Manner, length: Duration) -> Relayed {
        let cpu = self.service.cpu_seconds();
        let mut traffic = Traffic::new(Route::Aliases(&self.aliases));
        traffic.run(&mut self.smsc, manner, length).await;
        let cpu = self.service.cpu_seconds() - cpu;
        traffic.done(cpu)
    }
}

/// A pool of 200 numbers, and an `ax` alias on each. The numbers are of ranges reserved for fiction.
async fn bind(service: &Service) -> Vec<(String, String)> {
    let tenant = service.tenant("live");
    let business = service.credential(&tenant, "business").await;
    let admin = service.credential(&tenant, "admin").await;
    let pool = service.make("/v1/pools", &admin, &json!({"name": "bench", "carrier": "main"})).await;
    let pool = pool["id"].as_str().expect("a pool").to_owned();
    let virtual_number = |n: usize| format!("+1{}55501{:02}", [202, 303][n / 100], n % 100);
    let stock: Vec<String> = (0..ALIASES).map(virtual_number).collect();
    service.make(&format!("/v1/pools/{pool}/numbers"), &admin, &json!({"numbers": stock})).await;
    let people = Numbers::default();
    let mut aliases = Vec::with_capacity(ALIASES);
    for _ in 0..ALIASES {
        let handset = numbers::text(people.next());
        let made = service.make("/v1/tokens", &business, &json!({"number": handset})).await;
        let wish = json!({"mode": "ax", "a": made["token"], "pool": pool});
        let alias: Value = service.make("/v1/aliases", &business, &wish).await;
        let x = alias["number"].as_str().expect("its number");
        aliases.push((x[1..].to_owned(), handset[1..].to_owned()));
    }
    aliases
}

struct Message {
    at: Instant,
    took: Option<Duration>,
}

impl Message {
    fn arrived_after(&self) -> u32 {
        let took = self.took.expect("every message arrived");
        u32::try_from(took.as_micros()).unwrap_or(u32::MAX)
    }
}

/// Where messages are to come out.
#[derive(Clone, Copy)]
pub enum Route<'a> {
    /// At the handset behind each alias, shown as from the alias.
    Aliases(&'a [(String, String)]),
    /// At the virtual number itself, shown as from their writers: turned round, nothing more.
    Through(&'a [(String, String)]),
}

impl Route<'_> {
    /// The virtual number that message `place` is handed in for.
    fn to(&self, place: usize) -> &str {
        let (Self::Aliases(aliases) | Self::Through(aliases)) = self;
        &aliases[place % ALIASES].0
    }

    /// Source and destination with which it has to come out.
    fn out(&self, place: usize) -> (String, &str) {
        match self {
            Self::Aliases(aliases) => (aliases[place % ALIASES].0.clone(), aliases[place % ALIASES].1.as_str()),
            Self::Through(_) => (writer(place), self.to(place)),
        }
    }
}

/// The short code that writes message `place`.
fn writer(place: usize) -> String {
    (10_000 + place % SENDERS).to_string()
}

/// The messages of one run.
pub struct Traffic<'a> {
    route: Route<'a>,
    began: Instant,
    last: Instant,
    messages: Vec<Message>,
    /// `deliver_sm` without an answer, receipts among them.
    untaken: usize,
    arrived: usize,
    /// Receipts that wait for room in the window.
    receipts: Vec<(String, String, String)>,
    /// Tells this run's texts from those of another.
    run: u32,
}

impl<'a> Traffic<'a> {
    pub fn new(route: Route<'a>) -> Self {
        let began = Instant::now();
        let run = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.subsec_nanos());
        Self { route, began, last: began, messages: Vec::new(), untaken: 0, arrived: 0, receipts: Vec::new(), run }
    }

    /// Relays for so long, then waits for what is on its way.
    pub async fn run(&mut self, smsc: &mut Smsc, manner: Manner, length: Duration) {
        let mut tick = interval(Duration::from_millis(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let sending = self.began.elapsed() < length;
            self.send(smsc, manner, sending);
            smsc.flush().await.expect("the client takes it");
            if !sending && self.untaken == 0 && self.arrived == self.messages.len() && self.receipts.is_empty() {
                break;
            }
            let missing = self.messages.len() - self.arrived;
            assert!(self.began.elapsed() < length + LAST, "{missing} messages never came out");
            tokio::select! {
                read = smsc.readable() => {
                    read.expect("the link stands");
                    self.take(smsc, manner);
                }
                _ = tick.tick() => {}
            }
        }
        let again = timeout(LINGER, smsc.readable()).await;
        if again.is_ok() {
            self.take(smsc, manner);
            smsc.flush().await.expect("the client takes it");
        }
    }

    /// What came of it, with the processor time that it took.
    pub fn done(self, cpu_seconds: f64) -> Relayed {
        let messages = self.messages.len();
        let latencies: Vec<u32> = self.messages.iter().map(Message::arrived_after).collect();
        let cpu_us = cpu_seconds * 1e6 / messages.max(1) as f64;
        Relayed { messages, elapsed: self.last - self.began, latencies, cpu_us }
    }

    /// Puts as much into the next write as window and manner allow.
    fn send(&mut self, smsc: &mut Smsc, manner: Manner, sending: bool) {
        while self.untaken < WINDOW
            && let Some((id, from, to)) = self.receipts.pop()
        {
            smsc.receipt(&id, &from, &to);
            self.untaken += 1;
        }
        let due = match manner.rate {
            Some(rate) => (self.began.elapsed().as_secs_f64() * rate) as usize,
            None => usize::MAX,
        };
        let may = |this: &Self| {
            this.untaken < WINDOW && this.messages.len() < due && this.messages.len() - this.arrived < ON_THE_WAY
        };
        while sending && may(self) {
            let place = self.messages.len();
            smsc.deliver(&writer(place), self.route.to(place), &self.text(place));
            self.messages.push(Message { at: Instant::now(), took: None });
            self.untaken += 1;
        }
    }

    fn text(&self, place: usize) -> String {
        format!("{place} is message {:08x} of this bench and 482913 your code", self.run)
    }

    fn take(&mut self, smsc: &mut Smsc, manner: Manner) {
        for came in smsc.came() {
            match came {
                Came::Taken { status, .. } => {
                    assert_eq!(status, 0, "a deliver_sm was not taken");
                    self.untaken -= 1;
                }
                Came::Submitted { id, from, to, text } => {
                    self.arrive(&from, &to, &text);
                    if manner.receipts {
                        self.receipts.push((id, to, from));
                    }
                }
            }
        }
    }

    fn arrive(&mut self, from: &str, to: &str, text: &str) {
        let place: usize = text.split(' ').next().and_then(|place| place.parse().ok()).expect("a text of ours");
        assert_eq!(text, self.text(place), "a text was changed");
        let (shown, handset) = self.route.out(place);
        assert_eq!((from, to), (shown.as_str(), handset), "a message went astray");
        let message = self.messages.get_mut(place).expect("a message of this run");
        assert!(message.took.is_none(), "a message came out twice");
        message.took = Some(message.at.elapsed());
        self.arrived += 1;
        self.last = Instant::now();
    }
}
