//! A tenant with keys over the real store, and the worker's and a person's hands.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::event::{Actor, Event, Mode, What};
use crate::guard::Guard;
use crate::ids::{self, CredentialId, TenantId};
use crate::keyring::{FileKms, Keyring, Owner};
use crate::phone::{self, Rules};
use crate::store::MemoryScratch;
use crate::store::SqliteStore;
use crate::store::*;
use crate::vault::{Holder, Vault};

pub(super) const ISSUER: &str = "https://bauta.example";

pub(super) struct House {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) scratch: Arc<Switched>,
    pub(super) verify: Arc<Verify>,
    pub(super) vault: Arc<Vault>,
    pub(super) tenant: TenantId,
    pub(super) credential: CredentialId,
    _folder: tempfile::TempDir,
}

impl House {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_795_000_000_000)));
        let path = folder.path().join("bauta.db");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, Arc::clone(&clock) as _, ids::fresh()).unwrap());
        let kms = Arc::new(FileKms::open(&folder.path().join("keys"), true).unwrap());
        let keyring = Arc::new(Keyring::open(Arc::clone(&store), kms).await.unwrap());
        let tenant = ids::fresh();
        make_tenant(store.as_ref(), &keyring, tenant).await;
        let vault = Arc::new(Vault::new(Arc::clone(&store), Arc::clone(&keyring)));
        let scratch = Arc::new(Switched::new(Arc::clone(&clock)));
        let guard =
            Arc::new(Guard::new(Arc::clone(&scratch) as Arc<dyn Scratch>, Arc::clone(&store), Arc::clone(&keyring)));
        let verify = Arc::new(Verify::new(Arc::clone(&store), Arc::clone(&vault), keyring, guard, ISSUER));
        Self { store, clock, scratch, verify, vault, tenant, credential: ids::fresh(), _folder: folder }
    }

    pub(super) fn permit<R>(&self, resource: R) -> Permit<R> {
        Permit::for_test(self.tenant, self.credential, None, resource)
    }

    pub(super) fn partner<R>(&self, audience: &str, resource: R) -> Permit<R> {
        Permit::for_test(self.tenant, self.credential, Some(audience), resource)
    }

    pub(super) fn of(&self, id: VerificationId) -> Permit<VerificationRef> {
        self.permit(VerificationRef { id })
    }

    pub(super) async fn holder(&self, number: &str) -> Holder {
        let number = phone::parse(number, &Rules { test: true, ..Rules::default() }).unwrap().number;
        self.vault.hold(&self.permit(NewVerification {}), &number).await.unwrap()
    }

    /// A wish with nothing but a person.
    pub(super) async fn wish(&self) -> StartVerification {
        StartVerification {
            to: self.holder("+44 7700 900123").await,
            purpose: None,
            user_ref: None,
            channel: None,
            locale: None,
            code_length: None,
            alphanumeric: false,
            ttl: None,
            origin: None,
            app_hash: None,
            transaction: None,
        }
    }

    pub(super) async fn start(&self) -> VerificationId {
        self.start_with(|_| {}).await.unwrap().id
    }

    pub(super) async fn start_with(
        &self,
        change: impl FnOnce(&mut StartVerification),
    ) -> Result<VerificationView, VerifyError> {
        let mut wish = self.wish().await;
        change(&mut wish);
        self.verify.start(&self.permit(NewVerification {}), wish).await
    }

    pub(super) async fn check(&self, id: VerificationId, answer: &str) -> Result<Checked, VerifyError> {
        self.verify.check(&self.of(id), answer).await
    }

    /// The outbox rows that are due, oldest of each conversation, as a worker leases them.
    pub(super) async fn due(&self) -> Vec<Permit<Delivery>> {
        let until = self.store.now().plus(Duration::from_secs(60));
        let rows = self.store.claim("worker", until, 100).await.unwrap();
        rows.into_iter().map(|row| self.permit(Delivery { row })).collect()
    }

    /// The text that the next due row becomes, if its verification is not over. Takes the row away as sent.
    pub(super) async fn message(&self) -> Option<CodeMessage> {
        let permit = self.due().await.pop().unwrap();
        let row = permit.resource().row.clone();
        let message = self.verify.code_message(&row, &permit).await.unwrap();
        match message {
            Some(_) => drop(
                self.verify
                    .sent(
                        &row,
                        &permit,
                        "sandbox",
                        vec![row.id.to_string().as_str().into()],
                        Counted::plain(Class::Code),
                    )
                    .await
                    .unwrap(),
            ),
            None => self.verify.dropped(&row, &permit).await.unwrap(),
        }
        message
    }

    /// The code in the next due message.
    pub(super) async fn code(&self) -> String {
        let text = self.message().await.unwrap().text;
        text.split(|c: char| !c.is_ascii_digit()).find(|run| run.len() == 6).unwrap().to_owned()
    }

    /// The actions of this tenant's entries about a verification, in order.
    pub(super) async fn told(&self, id: VerificationId) -> Vec<String> {
        let (tenant, names) = (Some(self.tenant), Some(id.to_string()));
        let filter = EntryFilter { tenant, names, limit: 100, ..EntryFilter::default() };
        let entries = self.store.entries(&filter).await.unwrap();
        entries.iter().map(|entry| action(&entry.text)).collect()
    }
}

fn action(entry: &str) -> String {
    let entry: serde_json::Value = serde_json::from_str(entry).unwrap();
    entry["action"].as_str().unwrap().to_owned()
}

/// A wrong answer of the right length.
pub(super) fn other_than(code: &str) -> String {
    code.bytes().map(|digit| if digit == b'9' { '0' } else { char::from(digit + 1) }).collect()
}

async fn make_tenant(store: &dyn Store, keyring: &Keyring, id: TenantId) {
    let now = store.now();
    let event = |what| Event { at: now, tenant: Some(id), actor: Actor::Worker, policy: None, what };
    let row = TenantRow { id, name: "Shop".to_owned(), mode: Mode::Test, region: None, created_at: now };
    let made = What::TenantCreated { mode: Mode::Test, region: None };
    let mut change = Change::telling(event(made)).with(Write::Tenant(row));
    for (key, what) in keyring.provision(Owner::Tenant(id), now).await.unwrap() {
        change = change.and_telling(event(what)).with(Write::Key(key));
    }
    store.commit(change).await.unwrap();
}

/// The real short-lived store, with a switch.
pub(super) struct Switched {
    scratch: MemoryScratch,
    /// Whether nothing can be asked.
    pub(super) down: AtomicBool,
}

impl Switched {
    fn new(clock: Arc<ManualClock>) -> Self {
        Self { scratch: MemoryScratch::open(None, clock).unwrap(), down: AtomicBool::new(false) }
    }

    fn up(&self) -> Result<&MemoryScratch, ScratchError> {
        if self.down.load(Ordering::SeqCst) { Err(ScratchError("told to be down".into())) } else { Ok(&self.scratch) }
    }
}

#[async_trait]
impl Scratch for Switched {
    async fn take(&self, key: &[u8], rate: Rate, cost: u32) -> Result<Verdict, ScratchError> {
        self.up()?.take(key, rate, cost).await
    }

    async fn claim(&self, key: &[u8], fingerprint: [u8; 32], ttl: Duration) -> Result<Claim, ScratchError> {
        self.up()?.claim(key, fingerprint, ttl).await
    }

    async fn settle(&self, key: &[u8], answer: Option<Vec<u8>>, ttl: Duration) -> Result<(), ScratchError> {
        self.up()?.settle(key, answer, ttl).await
    }

    async fn first(&self, key: &[u8], ttl: Duration) -> Result<bool, ScratchError> {
        self.up()?.first(key, ttl).await
    }
}
