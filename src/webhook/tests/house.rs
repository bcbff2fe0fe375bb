//! The room over a real store with a clock that is told to move, and a receiver that answers as told.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::access::*;
use crate::clock::{ManualClock, Timestamp};
use crate::event::{Actor, Event, Mode, Role, What};
use crate::ids::{self, RecordId, TenantId, WebhookId};
use crate::keyring::{FileKms, Keyring};
use crate::phone::VirtualNumber;
use crate::store::{
    self, AliasMode, AliasRow, AliasStatus, BlindIndex, Class, DISCLOSED, DeliveryStatus, Disclose, EntryFilter,
    MessageRow, NoticeRow, NumberRow, Party, PoolRow, Progress, Recipient, Shown, SqliteStore, Store, Traits, Unknown,
};
use crate::webhook::line::Resolve;
use crate::webhook::{Created, NewEndpoint, Reach, WebhookError, Webhooks};

/// One call as the receiver had it.
#[derive(Clone)]
pub(super) struct Heard {
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Value,
}

/// What the receiver has and does.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) statuses: VecDeque<u16>,
    pub(super) heard: Vec<Heard>,
    pub(super) connections: usize,
    /// What it answers 200 with, instead of 204.
    pub(super) says: Option<&'static str>,
    /// Whether it ends the connection after each answer, without saying so.
    pub(super) closes: bool,
}

/// A receiver on this machine, which answers with the statuses it was given, then with 204.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    pub(super) desk: Arc<Mutex<Desk>>,
}

impl Receiver {
    pub(super) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, desk) = (listener.local_addr().unwrap(), Arc::<Mutex<Desk>>::default());
        let shared = Arc::clone(&desk);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                tokio::spawn(converse(BufReader::new(stream), Arc::clone(&shared)));
            }
        });
        Self { address, desk }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn answers(&self, statuses: impl IntoIterator<Item = u16>) {
        self.desk.lock().unwrap().statuses.extend(statuses);
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.desk.lock().unwrap().heard.clone()
    }

    /// The types that were heard of, in order.
    pub(super) fn types(&self) -> Vec<String> {
        self.heard().iter().map(|heard| heard.body["type"].as_str().unwrap().to_owned()).collect()
    }
}

async fn converse(mut stream: BufReader<TcpStream>, desk: Arc<Mutex<Desk>>) {
    while let Some(heard) = request(&mut stream).await {
        let (status, body) = {
            let mut desk = desk.lock().unwrap();
            desk.heard.push(heard);
            let usual = if desk.says.is_some() { 200 } else { 204 };
            (desk.statuses.pop_front().unwrap_or(usual), desk.says.unwrap_or_default())
        };
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status} as told\r\ncontent-length: {length}\r\nlocation: /elsewhere\r\n\r\n{body}");
        stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
        if desk.lock().unwrap().closes {
            return;
        }
    }
}

async fn request(stream: &mut BufReader<TcpStream>) -> Option<Heard> {
    let mut headers = BTreeMap::new();
    let mut line = String::new();
    while stream.read_line(&mut line).await.ok()? > 0 && line != "\r\n" {
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        line.clear();
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some(Heard { headers, body: serde_json::from_slice(&body).unwrap() })
}

/// Names that have the addresses they were given, one list for each time they are asked for; the last stays.
#[derive(Default)]
pub(super) struct Names(pub(super) Mutex<VecDeque<Vec<SocketAddr>>>);

#[async_trait]
impl Resolve for Names {
    async fn addresses(&self, _: &str, _: u16) -> Vec<SocketAddr> {
        let mut lists = self.0.lock().unwrap();
        if lists.len() > 1 { lists.pop_front().unwrap() } else { lists.front().cloned().unwrap_or_default() }
    }
}

pub(super) struct House {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) access: Arc<Access>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) webhooks: Webhooks,
    pub(super) names: Arc<Names>,
    pub(super) tenant: TenantId,
    pub(super) business: Principal,
    /// The next number of a pool.
    numbers: AtomicU64,
    _folder: tempfile::TempDir,
}

impl House {
    pub(super) async fn new() -> Self {
        Self::reaching(&["127.0.0.0/8"]).await
    }

    pub(super) async fn reaching(allowed: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_795_000_000_000)));
        let path = folder.path().join("bauta.db");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, clock.clone(), ids::fresh()).unwrap());
        let kms = Arc::new(FileKms::open(&folder.path().join("keys"), true).unwrap());
        let keyring = Arc::new(Keyring::open(store.clone(), kms).await.unwrap());
        let policies = Policies::load(None).unwrap();
        let access = Arc::new(Access::open(store.clone(), keyring.clone(), policies).await.unwrap());
        let names = Arc::new(Names::default());
        let reach = Reach { allowed: allowed.iter().map(|net| net.parse().unwrap()).collect(), own: Vec::new() };
        let webhooks = Webhooks::resolving(store.clone(), keyring.clone(), access.clone(), reach, names.clone());
        let tenant = access.create_tenant("root", "Market", Mode::Test, None).await.unwrap().id;
        let business = credential(&access, tenant, Role::Business).await;
        Self {
            store,
            clock,
            access,
            keyring,
            webhooks,
            names,
            tenant,
            business,
            numbers: AtomicU64::new(447_700_900_000),
            _folder: folder,
        }
    }

    pub(super) async fn may(&self, audience: Option<&str>) -> Permit<Endpoints> {
        let of = Endpoints { audience: audience.map(str::to_owned) };
        self.access.authorize(&self.business, Action::WebhookManage, of).await.unwrap()
    }

    pub(super) async fn endpoint(&self, url: &str, events: &[&str]) -> Result<Created, WebhookError> {
        self.endpoint_of(None, url, events).await
    }

    pub(super) async fn endpoint_of(
        &self,
        audience: Option<&str>,
        url: &str,
        events: &[&str],
    ) -> Result<Created, WebhookError> {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        self.webhooks.create(&self.may(audience).await, NewEndpoint { url: url.to_owned(), events }).await
    }

    /// Something that tenants are told of.
    pub(super) async fn happens(&self, n: u64) {
        let what = What::EnumerationAlert { credential: ids::fresh(), pattern: "walk".into(), of: 200, matching: n };
        self.tell(what).await;
    }

    pub(super) async fn tell(&self, what: What) {
        let event = Event { at: self.store.now(), tenant: Some(self.tenant), actor: Actor::Worker, policy: None, what };
        self.store.commit(store::Change::telling(event)).await.unwrap();
    }

    /// An alias that was bound in an audience, and a message on it of which this may be known.
    pub(super) async fn message(&self, audience: Option<&str>, known: &Value) -> MessageRow {
        let (now, pool, x) = (self.store.now(), ids::fresh(), self.numbers.fetch_add(1, Ordering::Relaxed));
        let number = VirtualNumber::from_digits(x).unwrap();
        let stock = PoolRow {
            id: pool,
            tenant: self.tenant,
            name: format!("pool {x}"),
            carrier: "sandbox".into(),
            shared: false,
            mode: Mode::Test,
            low_water: None,
            created_at: now,
        };
        let traits = Traits { capabilities: vec!["sms".into()], ..Traits::default() };
        let in_stock = NumberRow { number, pool, traits, draining: false, aside: None, created_at: now };
        let alias = AliasRow {
            id: ids::fresh(),
            tenant: self.tenant,
            mode: AliasMode::Ax,
            number,
            number_y: None,
            extension: None,
            pool,
            a: Party { record: RecordId(5), index: BlindIndex([1; 16]) },
            b: None,
            members: Vec::new(),
            disclose: Disclose::Code,
            unknown: Unknown::Webhook,
            content: None,
            capabilities: vec!["sms".into()],
            audience: audience.map(str::to_owned),
            credential: self.business.credential,
            status: AliasStatus::Active,
            metadata: None,
            created_at: now,
            expires_at: None,
        };
        let id = ids::fresh();
        let keys = self.keyring.tenant(self.tenant).await.unwrap();
        let row = MessageRow {
            id,
            tenant: self.tenant,
            alias: Some(alias.id),
            sender: "number".into(),
            from: Shown::Number(alias.number),
            class: Class::Relay,
            to: Recipient::Person(RecordId(5)),
            body: None,
            disclosed: Some(keys.seal_text(DISCLOSED, &ids::bytes(&id), &known.to_string())),
            status: DeliveryStatus::Queued,
            parts: 1,
            created_at: now,
            expires_at: now.plus(Duration::from_secs(24 * 3_600)),
            asked: None,
            progress: Progress::default(),
        };
        let what = What::MessageReceived {
            message: id,
            alias: alias.id,
            subject: ids::fresh(),
            sender: "number".into(),
            parts: 1,
        };
        let event = Event { at: now, tenant: Some(self.tenant), actor: Actor::Worker, policy: None, what };
        let change = store::Change::telling(event)
            .with(store::Write::Pool(stock))
            .with(store::Write::Number(in_stock))
            .with(store::Write::BindAlias { alias: Box::new(alias), legs: Vec::new() })
            .with(store::Write::Message(Box::new(row.clone())));
        self.store.commit(change).await.unwrap();
        row
    }

    pub(super) async fn deliveries(&self, of: WebhookId) -> Vec<NoticeRow> {
        self.store.notices(self.tenant, of, None, 100).await.unwrap()
    }

    pub(super) async fn sweep(&self) {
        let event =
            Event { at: self.store.now(), tenant: None, actor: Actor::Worker, policy: None, what: What::Swept {} };
        self.store.commit(store::Change::telling(event).with(store::Write::Sweep)).await.unwrap();
    }

    pub(super) async fn told(&self, action: &str) -> usize {
        let filter = EntryFilter { action: Some(action.to_owned()), limit: 100, ..EntryFilter::default() };
        self.store.entries(&filter).await.unwrap().len()
    }
}

async fn credential(access: &Access, tenant: TenantId, role: Role) -> Principal {
    let terminal = access.terminal("root", tenant).unwrap();
    let permit =
        access.authorize(&terminal, Action::CredentialManage, Credentials { grants: Some(role) }).await.unwrap();
    let new = NewCredential {
        role,
        person: "checkout".into(),
        audience: None,
        networks: Vec::new(),
        ends_at: None,
        proofs: NewProofs::default(),
    };
    let issued = access.issue(&permit, new).await.unwrap();
    access.identify(&issued.key, "192.0.2.7".parse().unwrap()).await.unwrap()
}
