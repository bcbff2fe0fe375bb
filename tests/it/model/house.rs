//! The real rooms in this process, over a real store: a clock that is set by hand, two tenants on one shared pool, and a
//! carrier that only remembers what it was given.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bauta::access::*;
use bauta::alias::{Alias, AliasError, AliasView, Bind, Import, NewPool};
use bauta::carrier::*;
use bauta::clock::{ManualClock, Timestamp};
use bauta::config::Rotation;
use bauta::dispatch::Dispatch;
use bauta::event::{Mode, Role};
use bauta::guard::Guard;
use bauta::ids::{self, AliasId, PoolId, TenantId};
use bauta::keyring::{FileKms, Keyring};
use bauta::message::{Alphabet, Encoded};
use bauta::phone::{self, Door, PhoneNumber, Rules, VirtualNumber};
use bauta::relay::Relay;
use bauta::rights::Rights;
use bauta::store::{EntryFilter, ErasureLog, MemoryScratch, SqliteStore, Store, Traits};
use bauta::vault::{Holder, Vault};
use bauta::verify::Verify;
use bauta::webhook::{Reach, Webhooks};
use bauta::worker;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::world::{Number, Person, Tenant};

/// What a device saw: its number, the sender, the text.
pub type Seen = (String, String, String);

/// Takes everything and remembers it.
#[derive(Default)]
pub struct Line(Mutex<Vec<Seen>>);

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
        let Address::Number(from) = submission.from else { panic!("a relayed message comes from a number") };
        let to = submission.to.expose(Door::Carrier).to_string();
        self.0.lock().unwrap().push((to, from.to_string(), submission.text.to_string()));
        Ok(Submitted { ids: Vec::new() })
    }
    async fn run(self: Arc<Self>, _: Arc<dyn Inbox>, _: watch::Receiver<bool>) {}
}

pub struct House {
    pub store: Arc<dyn Store>,
    pub clock: Arc<ManualClock>,
    access: Arc<Access>,
    vault: Arc<Vault>,
    alias: Arc<Alias>,
    relay: Arc<Relay>,
    line: Arc<Line>,
    pub tenants: Vec<TenantId>,
    callers: Vec<Principal>,
    stop: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

/// The number of a person; the last one is a pool's.
pub fn number_of(person: Person) -> String {
    format!("+4477009000{:02}", 10 + person)
}

impl House {
    /// Two tenants, the pool of the first open to both, and a third tenant's pool, to which `machine`'s number belongs.
    pub async fn new(numbers: &[Number], machine: Person) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_795_000_000_000)));
        let path = folder.path().join("bauta.db");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, clock.clone(), ids::fresh()).unwrap());
        let kms = Arc::new(FileKms::open(&folder.path().join("keys"), true).unwrap());
        let keyring = Arc::new(Keyring::open(store.clone(), kms).await.unwrap());
        let policies = Policies::load(None).unwrap();
        let access = Arc::new(Access::open(store.clone(), keyring.clone(), policies).await.unwrap());
        let vault = Arc::new(Vault::new(store.clone(), keyring.clone()));
        let line = Arc::new(Line::default());
        let carriers: Vec<Arc<dyn Carrier>> = vec![line.clone()];
        let alias =
            Arc::new(Alias::new(store.clone(), vault.clone(), keyring.clone(), access.clone(), carriers.clone()));
        let relay = Arc::new(Relay::new(store.clone(), keyring.clone(), access.clone(), vault.clone(), &alias));
        let scratch = Arc::new(MemoryScratch::open(None, clock.clone()).unwrap());
        let guard = Arc::new(Guard::new(scratch, store.clone(), keyring.clone()));
        let verify =
            Arc::new(Verify::new(store.clone(), vault.clone(), keyring.clone(), guard, "https://bauta.example"));
        let list = ErasureLog::at("/nonexistent/erasures.log");
        let rights = Rights::new(store.clone(), vault.clone(), verify.clone(), keyring.clone(), access.clone(), list);
        let dispatch = Dispatch::new(store.clone(), vault.clone(), keyring.clone(), access.clone(), carriers);
        let webhooks = Webhooks::new(store.clone(), keyring.clone(), access.clone(), Reach::default());
        let rooms = worker::Rooms {
            store: store.clone(),
            webhooks: Arc::new(webhooks),
            keyring,
            access: access.clone(),
            vault: vault.clone(),
            verify,
            alias: alias.clone(),
            relay: relay.clone(),
            rights: Arc::new(rights),
            dispatch: Arc::new(dispatch),
            rotation: Rotation::default(),
        };
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(worker::run(rooms, "model".into(), stopped));
        let mut tenants = Vec::new();
        let mut callers = Vec::new();
        for name in ["First", "Second", "Third"] {
            let tenant = access.create_tenant("root", name, Mode::Test, None).await.unwrap().id;
            callers.push(credential(&access, tenant).await);
            tenants.push(tenant);
        }
        let house = Self { store, clock, access, vault, alias, relay, line, tenants, callers, stop, _folder: folder };
        house.pool(0, "shared", true, numbers).await;
        house.pool(2, "machines", false, &[number_of(machine)[1..].parse().unwrap()]).await;
        house
    }

    async fn pool(&self, tenant: Tenant, name: &str, shared: bool, numbers: &[Number]) -> PoolId {
        let terminal = self.access.terminal("root", self.tenants[tenant]).unwrap();
        let permit = self.access.authorize(&terminal, Action::PoolManage, Pools {}).await.unwrap();
        let new = NewPool { name: name.into(), carrier: "line".into(), shared, low_water: None };
        let pool = self.alias.create_pool(&permit, new).await.unwrap().id;
        let numbers = numbers.iter().map(|n| VirtualNumber::from_digits(*n).unwrap());
        let import = Import::alike(numbers, &Traits::default());
        self.alias.import(&permit, pool, import).await.unwrap();
        pool
    }

    async fn may<R: Resource>(&self, tenant: Tenant, action: Action, resource: R) -> Permit<R> {
        self.access.authorize(&self.callers[tenant], action, resource).await.unwrap()
    }

    pub async fn holder(&self, tenant: Tenant, person: Person) -> Holder {
        let permit = self.may(tenant, Action::AliasBind, NewAlias {}).await;
        self.vault.hold(&permit, &real(person)).await.unwrap()
    }

    pub async fn bind(&self, tenant: Tenant, wish: Bind) -> Result<AliasView, AliasError> {
        let permit = self.may(tenant, Action::AliasBind, NewAlias {}).await;
        self.alias.bind(&permit, wish).await
    }

    pub async fn changing(&self, tenant: Tenant, id: AliasId) -> (&Alias, Permit<AliasRef>) {
        (&self.alias, self.may(tenant, Action::AliasChange, AliasRef { id }).await)
    }

    pub async fn release(&self, tenant: Tenant, id: AliasId) -> Result<(), AliasError> {
        let permit = self.may(tenant, Action::AliasRelease, AliasRef { id }).await;
        self.alias.release(&permit).await
    }

    pub async fn list(&self, tenant: Tenant) -> Vec<AliasId> {
        let permit = self.may(tenant, Action::AliasRead, AliasList {}).await;
        let query = bauta::alias::AliasQuery { limit: 200, ..Default::default() };
        self.alias.list(&permit, query).await.unwrap().into_iter().map(|alias| alias.id).collect()
    }

    pub async fn freeze(&self, tenant: Tenant, id: AliasId, on: bool) {
        let terminal = self.access.terminal("root", self.tenants[tenant]).unwrap();
        let target = FreezeSwitch { target: id.to_string() };
        let permit = self.access.authorize(&terminal, Action::Freeze, target).await.unwrap();
        self.access.freeze(permit, on).await.unwrap();
    }

    /// Somebody writes; then waits until nothing is on its way any more, and gives what devices got.
    pub async fn write(&self, from: Person, to: Number, text: &str) -> Vec<Seen> {
        let octets = Zeroizing::new(text.as_bytes().to_vec());
        let body = Encoded { alphabet: Alphabet::Utf8, octets };
        let (from, to) = (Origin::Number(real(from)), VirtualNumber::from_digits(to).unwrap());
        let incoming = Incoming { carrier: "line".into(), id: None, from, to, body, part: None, only: None };
        self.relay.message(incoming).await.unwrap();
        self.received().await
    }

    /// Waits until the outbox is empty, and gives what devices got since.
    pub async fn received(&self) -> Vec<Seen> {
        let drained = async {
            while self.store.next_due().await.unwrap().is_some() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), drained).await.expect("the outbox is emptied");
        std::mem::take(&mut *self.line.0.lock().unwrap())
    }

    /// Every entry of a tenant, or of all.
    pub async fn entries(&self, tenant: Option<TenantId>) -> Vec<String> {
        let filter = EntryFilter { tenant, limit: 10_000, ..EntryFilter::default() };
        self.store.entries(&filter).await.unwrap().into_iter().map(|row| row.text).collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

async fn credential(access: &Access, tenant: TenantId) -> Principal {
    let role = Role::Business;
    let terminal = access.terminal("root", tenant).unwrap();
    let permit =
        access.authorize(&terminal, Action::CredentialManage, Credentials { grants: Some(role) }).await.unwrap();
    let proofs = Default::default();
    let new = NewCredential { role, person: "backend".into(), audience: None, networks: vec![], ends_at: None, proofs };
    let issued = access.issue(&permit, new).await.unwrap();
    access.refresh().await.unwrap();
    access.identify(&issued.key, "127.0.0.1".parse().unwrap()).await.unwrap()
}

fn real(person: Person) -> PhoneNumber {
    phone::parse(&number_of(person), &Rules { test: true, ..Rules::default() }).unwrap().number
}
