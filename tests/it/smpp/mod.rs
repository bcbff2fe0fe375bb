//! The SMPP carrier alone, against SMSCs that we did not write, with an inbox that only takes notes.

mod binds;
mod customs;
mod cuts;
mod fuzz;
mod inbound;
mod link;
mod malformed;
mod outbound;
mod receipts;
mod smpplib;
mod tls;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bauta::carrier::{
    Accepted, Address, Carrier, Inbox, InboxError, Incoming, LinkChange, Origin, Part, Receipt, SmppCarrier,
    SmppTiming, Submission, SubmitError, Submitted,
};
use bauta::config::{CarrierSettings, Config, Flags, SmppLink};
use bauta::ids;
use bauta::message::Alphabet;
use bauta::phone::{Door, PhoneNumber, VirtualNumber};
use bauta::store::{DeliveryStatus, Failure};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use crate::peer::Peer;

const PATIENCE: Duration = Duration::from_secs(15);
const X: &str = "12025550199";
const DEVICE: &str = "447700900123";

/// What the inbox was brought.
#[derive(Debug)]
enum Brought {
    Message { from: String, octets: Vec<u8>, alphabet: Alphabet, part: Option<Part> },
    Receipt(String, DeliveryStatus, More),
    Malformed(String),
}

/// What a receipt tells beyond id and state.
#[derive(Debug, Default, PartialEq, Eq)]
struct More {
    also: Vec<String>,
    failure: Option<Failure>,
    to: Option<String>,
}

impl Brought {
    fn text(&self) -> (String, String) {
        let Self::Message { from, octets, alphabet, .. } = self else { panic!("{self:?} is no message") };
        (from.clone(), text_of(octets, *alphabet))
    }
}

fn text_of(octets: &[u8], alphabet: Alphabet) -> String {
    let body = bauta::message::Encoded { alphabet, octets: Zeroizing::new(octets.to_vec()) };
    body.to_text().unwrap().to_string()
}

/// An inbox that takes notes, takes its time, and fails as often as it is told to.
struct Notes {
    notes: mpsc::UnboundedSender<Brought>,
    takes: Duration,
    failures: AtomicU32,
    links: Mutex<Vec<(String, LinkChange)>>,
}

#[async_trait]
impl Inbox for Notes {
    async fn message(&self, incoming: Incoming) -> Result<Accepted, InboxError> {
        sleep(self.takes).await;
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(InboxError("the store is down".into()));
        }
        assert!(incoming.to.to_string().starts_with("+1202555"), "{}", incoming.to);
        assert_eq!((incoming.carrier.as_str(), incoming.only), ("main", None));
        let from = match incoming.from {
            Origin::Number(number) => number.expose(Door::Carrier).to_string(),
            Origin::ShortCode(code) => format!("code {code}"),
            Origin::Name(name) => format!("name {name}"),
        };
        let octets = incoming.body.octets.to_vec();
        let message = Brought::Message { from, octets, alphabet: incoming.body.alphabet, part: incoming.part };
        self.notes.send(message).unwrap();
        Ok(Accepted::Carried)
    }

    async fn receipt(&self, receipt: Receipt) -> Result<(), InboxError> {
        let to = receipt.to.map(|number| number.expose(Door::Carrier).to_string());
        let more = More { also: receipt.also, failure: receipt.failure, to };
        self.notes.send(Brought::Receipt(receipt.id, receipt.status, more)).unwrap();
        Ok(())
    }

    async fn link(&self, carrier: &str, link: &str, change: LinkChange) {
        assert_eq!(carrier, "main");
        self.links.lock().unwrap().push((link.to_owned(), change));
    }

    async fn malformed(&self, carrier: &str, fault: &str) {
        assert_eq!(carrier, "main");
        self.notes.send(Brought::Malformed(fault.to_owned())).unwrap();
    }
}

/// A running carrier and what it brings.
struct Running {
    carrier: Arc<SmppCarrier>,
    inbox: Arc<Notes>,
    notes: mpsc::UnboundedReceiver<Brought>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(peer: &mut Peer) -> Self {
        Self::with(peer, Duration::ZERO, |_| {}).await
    }

    async fn with(peer: &mut Peer, takes: Duration, change: impl FnOnce(&mut SmppLink)) -> Self {
        let mut config = config(peer.port);
        change(&mut config);
        let running = Self::unbound(config, takes);
        assert_eq!(peer.event("bound").await["system_id"], "bauta");
        running.up().await;
        running
    }

    fn unbound(config: SmppLink, takes: Duration) -> Self {
        let timing =
            SmppTiming { answer: Duration::from_secs(2), backoff_max: Duration::from_secs(1), ..SmppTiming::default() };
        let carrier = Arc::new(SmppCarrier::with_timing(config, Address::Name("Bauta".into()), timing).unwrap());
        let (sender, notes) = mpsc::unbounded_channel();
        let inbox = Arc::new(Notes { notes: sender, takes, failures: AtomicU32::new(0), links: Mutex::default() });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(carrier.clone().run(inbox.clone(), stopped));
        Self { carrier, inbox, notes, stop, task }
    }

    async fn up(&self) {
        let up = async {
            while !self.carrier.is_up() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, up).await.expect("the carrier comes up");
    }

    /// The next receipt.
    async fn told(&mut self) -> (String, DeliveryStatus, More) {
        match self.brought().await {
            Brought::Receipt(id, status, more) => (id, status, more),
            other => panic!("{other:?} is no receipt"),
        }
    }

    /// Waits until this many links are bound.
    async fn links(&self, count: u64) {
        let up = async {
            while self.carrier.counts().unwrap().links != count {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, up).await.expect("the links come up");
    }

    async fn brought(&mut self) -> Brought {
        timeout(PATIENCE, self.notes.recv()).await.expect("something is brought").unwrap()
    }

    async fn submit(&self, text: &str) -> Result<Submitted, SubmitError> {
        self.carrier.submit(submission(text)).await
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        timeout(PATIENCE, self.task).await.expect("the carrier stops").unwrap();
    }
}

fn config(port: u16) -> SmppLink {
    let toml = format!(
        "[[carriers]]\nname = \"main\"\nkind = \"smpp\"\nhost = \"127.0.0.1\"\nport = {port}\nsystem_id = \"bauta\"\n\
         password = \"secret\"\nsystem_type = \"TEST\"\nwindow = 16\nsender = \"Bauta\"\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bauta.toml");
    std::fs::write(&file, toml).unwrap();
    let flags = Flags { config: Some(file), data: Some(folder.path().join("data")), listen: None };
    match Config::load(&flags).unwrap().carriers.remove(0) {
        CarrierSettings::Smpp(link) => *link,
        _ => panic!("no SMPP link"),
    }
}

fn number(digits: &str) -> PhoneNumber {
    let rules = bauta::phone::Rules { test: true, ..Default::default() };
    bauta::phone::parse(&format!("+{digits}"), &rules).unwrap().number
}

fn submission(text: &str) -> Submission {
    let from = Address::Number(VirtualNumber::from_digits(X.parse().unwrap()).unwrap());
    let lane = bauta::store::Lane::Code;
    Submission {
        tenant: ids::fresh(),
        from,
        to: number(DEVICE),
        text: Zeroizing::new(text.to_owned()),
        life: None,
        lane,
        registration: None,
    }
}

/// A `deliver_sm` frame by hand: header, then whatever body.
fn frame(command: u32, sequence: u32, body: &[u8]) -> String {
    let length = u32::try_from(16 + body.len()).unwrap();
    let words = [length, command, 0, sequence].map(u32::to_be_bytes).concat();
    [words.as_slice(), body].concat().iter().map(|octet| format!("{octet:02x}")).collect()
}

fn deliver_sm_body(esm_class: u8, payload: &[u8], tlvs: &[u8]) -> Vec<u8> {
    let addresses = format!("\0\x01\x01{DEVICE}\0\x01\x01{X}\0");
    let length = u8::try_from(payload.len()).unwrap();
    [addresses.as_bytes(), &[esm_class, 0, 0, 0, 0, 0, 0, 0, 0, length], payload, tlvs].concat()
}
