//! The real rooms over a real store, with one carrier that only remembers what it was given.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::access::*;
use crate::alias::{Alias, AliasError, AliasView, Bind, Import, NewPool};
use crate::carrier::*;
use crate::clock::{ManualClock, Timestamp};
use crate::event::{Mode, Role};
use crate::ids::{self, PoolId, TenantId};
use crate::keyring::{FileKms, Keyring};
use crate::message::{Alphabet, Encoded};
use crate::phone::{self, Door, PhoneNumber, Rules, VirtualNumber};
use crate::relay::{BODY, Relay};
use crate::store::SqliteStore;
use crate::store::*;
use crate::vault::{Holder, Vault};

pub(crate) const ANN: &str = "+44 7700 900001";
pub(crate) const BEN: &str = "+44 7700 900002";
pub(crate) const CAT: &str = "+44 7700 900003";
pub(crate) const DAN: &str = "+44 7700 900004";

/// What a device would have seen: its number, the sender, the text.
pub(crate) type Seen = (String, String, String);

/// A carrier that answers as told, then takes everything.
pub(crate) struct Line {
    pub(crate) seen: Mutex<Vec<Seen>>,
    pub(crate) answers: Mutex<VecDeque<SubmitError>>,
}

#[async_trait]
impl Carrier for Line {
    fn name(&self) -> &str {
        "line"
    }
    fn is_live(&self) -> bool {
        false
    }
    fn sender(&self) -> Address {
        Address::Name("bauta".into())
    }
    fn is_up(&self) -> bool {
        true
    }
    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        if let Some(error) = self.answers.lock().unwrap().pop_front() {
            return Err(error);
        }
        let Address::Number(from) = submission.from else { panic!("a relayed message comes from X") };
        let mut seen = self.seen.lock().unwrap();
        seen.push((submission.to.expose(Door::Carrier).to_string(), from.to_string(), submission.text.to_string()));
        Ok(Submitted { ids: vec![format!("id{}", seen.len())] })
    }
    async fn run(self: Arc<Self>, _: Arc<dyn Inbox>, _: watch::Receiver<bool>) {}
}

pub(crate) struct House {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) access: Arc<Access>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) alias: Arc<Alias>,
    pub(crate) relay: Arc<Relay>,
    pub(crate) line: Arc<Line>,
    pub(crate) tenant: TenantId,
    pub(crate) business: Principal,
    _folder: tempfile::TempDir,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::under(Policies::load(None).unwrap()).await
    }

    /// Under policies of its own.
    pub(crate) async fn under(policies: Policies) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_795_000_000_000)));
        let path = folder.path().join("bauta.db");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, clock.clone(), ids::fresh()).unwrap());
        let kms = Arc::new(FileKms::open(&folder.path().join("keys"), true).unwrap());
        let keyring = Arc::new(Keyring::open(store.clone(), kms).await.unwrap());
        let access = Arc::new(Access::open(store.clone(), keyring.clone(), policies).await.unwrap());
        let line = Arc::new(Line { seen: Mutex::default(), answers: Mutex::default() });
        let vault = Arc::new(Vault::new(store.clone(), keyring.clone()));
        let carriers: Vec<Arc<dyn Carrier>> = vec![line.clone()];
        let alias = Arc::new(Alias::new(store.clone(), vault.clone(), keyring.clone(), access.clone(), carriers));
        let relay = Arc::new(Relay::new(store.clone(), keyring.clone(), access.clone(), vault.clone(), &alias));
        let tenant = access.create_tenant("root", "Market", Mode::Test, None).await.unwrap().id;
        let business = credential(&access, tenant, Role::Business, None).await;
        Self { store, clock, keyring, access, vault, alias, relay, line, tenant, business, _folder: folder }
    }

    pub(crate) async fn partner(&self, audience: &str) -> Principal {
        credential(&self.access, self.tenant, Role::Partner, Some(audience.to_owned())).await
    }

    pub(crate) async fn may<R: Resource>(&self, who: &Principal, action: Action, resource: R) -> Permit<R> {
        self.access.authorize(who, action, resource).await.unwrap()
    }

    pub(crate) async fn operate<R: Resource>(&self, action: Action, resource: R) -> Permit<R> {
        let terminal = self.access.terminal("root", self.tenant).unwrap();
        self.access.authorize(&terminal, action, resource).await.unwrap()
    }

    pub(crate) async fn holder(&self, number: &str) -> Holder {
        let permit = self.may(&self.business, Action::AliasBind, NewAlias {}).await;
        self.vault.hold(&permit, &real(number)).await.unwrap()
    }

    pub(crate) async fn pool(&self, name: &str, numbers: &[u64]) -> PoolId {
        let permit = self.operate(Action::PoolManage, Pools {}).await;
        let new = NewPool { name: name.into(), carrier: "line".into(), shared: false, low_water: None };
        let pool = self.alias.create_pool(&permit, new).await.unwrap().id;
        self.import(pool, numbers).await.unwrap();
        pool
    }

    pub(crate) async fn import(&self, pool: PoolId, numbers: &[u64]) -> Result<u64, AliasError> {
        let permit = self.operate(Action::PoolManage, Pools {}).await;
        let numbers = numbers.iter().map(|n| VirtualNumber::from_digits(*n).unwrap());
        self.alias.import(&permit, pool, Import::alike(numbers, &Traits::default())).await
    }

    pub(crate) async fn wish(&self, mode: &str, a: &str, b: Option<&str>) -> Bind {
        let b = match b {
            Some(b) => Some(self.holder(b).await),
            None => None,
        };
        let a = self.holder(a).await;
        Bind { b, ..Bind::of(mode, a) }
    }

    pub(crate) async fn bind(&self, wish: Bind) -> Result<AliasView, AliasError> {
        let permit = self.may(&self.business, Action::AliasBind, NewAlias {}).await;
        self.alias.bind(&permit, wish).await
    }

    /// Binds `mode` and returns it.
    pub(crate) async fn bound(&self, mode: &str, a: &str, b: Option<&str>) -> AliasView {
        self.bind(self.wish(mode, a, b).await).await.unwrap()
    }

    pub(crate) async fn write(&self, from: &str, x: VirtualNumber, text: &str) -> Accepted {
        self.relay.message(incoming(Origin::Number(real(from)), x, text)).await.unwrap()
    }

    /// What waits in the outbox, oldest first, as devices would see it. Takes each row out.
    pub(crate) async fn outbox(&self) -> Vec<Seen> {
        let mut seen = Vec::new();
        loop {
            let until = self.store.now().plus(Duration::from_secs(60));
            let rows = self.store.claim("test", until, 100).await.unwrap();
            if rows.is_empty() {
                return seen;
            }
            for row in rows {
                seen.push(self.open(&row).await);
                let permit = self.access.for_delivery(row.clone()).await.unwrap();
                let event = permit.event(self.store.now(), crate::event::What::Swept {});
                self.store.commit(Change::telling(event).with(Write::Dequeue(row.id))).await.unwrap();
            }
        }
    }

    async fn open(&self, row: &OutboxRow) -> Seen {
        let Task::Message(id) = row.task else { panic!("not a message") };
        let message = self.store.message(row.tenant, id).await.unwrap().unwrap();
        let keys = self.keyring.tenant(row.tenant).await.unwrap();
        let text = keys.open_text(BODY, &ids::bytes(&id), &message.body.unwrap()).unwrap();
        let to = match message.to {
            Recipient::Person(record) => {
                let token = self.store.token(row.tenant, record).await.unwrap().unwrap();
                keys.open_number(record, &token.number).unwrap()
            }
            Recipient::Stranger(sealed) => {
                let place = message.alias.map_or(ids::bytes(&id), |alias| ids::bytes(&alias));
                keys.open_stranger(&place, &sealed).unwrap()
            }
        };
        (to.expose(Door::Carrier).to_string(), message.from.number().unwrap().to_string(), text.to_string())
    }

    /// The reasons of everything that was not carried, in order.
    pub(crate) async fn drops(&self) -> Vec<String> {
        let entries = self.entries("message.dropped").await;
        entries.iter().map(|entry| entry["reason"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn entries(&self, action: &str) -> Vec<serde_json::Value> {
        let filter = EntryFilter { action: Some(action.to_owned()), limit: 1_000, ..EntryFilter::default() };
        let rows = self.store.entries(&filter).await.unwrap();
        rows.iter().map(|row| serde_json::from_str(&row.text).unwrap()).collect()
    }
}

async fn credential(access: &Access, tenant: TenantId, role: Role, audience: Option<String>) -> Principal {
    let terminal = access.terminal("root", tenant).unwrap();
    let permit =
        access.authorize(&terminal, Action::CredentialManage, Credentials { grants: Some(role) }).await.unwrap();
    let proofs = Default::default();
    let new = NewCredential { role, person: "Ann".into(), audience, networks: vec![], ends_at: None, proofs };
    let issued = access.issue(&permit, new).await.unwrap();
    access.refresh().await.unwrap();
    access.identify(&issued.key, "127.0.0.1".parse().unwrap()).await.unwrap()
}

pub(crate) fn real(number: &str) -> PhoneNumber {
    phone::parse(number, &Rules { test: true, ..Rules::default() }).unwrap().number
}

/// As a device shows it: `+` and digits.
pub(crate) fn shown(number: &str) -> String {
    number.replace(' ', "")
}

pub(crate) fn utf8(text: &str) -> Encoded {
    Encoded { alphabet: Alphabet::Utf8, octets: Zeroizing::new(text.as_bytes().to_vec()) }
}

pub(crate) fn delivered(id: &str) -> Receipt {
    let status = DeliveryStatus::Delivered;
    Receipt { carrier: "line".into(), id: id.into(), also: Vec::new(), status, failure: None, to: None }
}

pub(crate) fn incoming(from: Origin, to: VirtualNumber, text: &str) -> Incoming {
    Incoming { carrier: "line".into(), id: None, from, to, body: utf8(text), part: None, only: None }
}
