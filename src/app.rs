//! The wiring: the only file that names concrete stores, carriers and key holders.
//!
//! [`App::open`] opens every room on the files of one deployment; commands of the terminal stop there. A service binds
//! first ([`Doors::bind`]), then opens, then runs until a given future resolves ([`App::serve`]).

mod carriers;
mod doors;
mod error;
mod keep;
mod kms;

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use zeroize::Zeroizing;

use carriers::{Made, watch_links};
pub use doors::Doors;
pub use error::AppError;

use crate::access::{Access, Action, Credentials, NewCredential, NewProofs, Opened, Pools, Terminal};
use crate::alias::{Alias, Import, NewPool};
use crate::api::Api;
use crate::audit::Log;
use crate::carrier::{Carrier, HttpCarrier, Inbox, Sandbox};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::config::{Config, Limits};
use crate::crypto;
use crate::dispatch::{Dispatch, Health, Portability};
use crate::event::{Mode, Role};
use crate::guard::{self, Guard};
use crate::ids::{self, TenantId};
use crate::keyring::Keyring;
use crate::outreach::Outreach;
use crate::phone::VirtualNumber;
use crate::relay::Relay;
use crate::rights::Rights;
use crate::store::{ErasureLog, MemoryScratch, Rate, Scratch, SqliteStore, Store, TenantRow, Traits};
use crate::vault::Vault;
use crate::verify::Verify;
use crate::webhook::{Reach, Webhooks};
use crate::worker;

/// Every room, opened and connected.
pub struct App {
    /// Who may do what.
    pub access: Arc<Access>,
    /// The log, for readers.
    pub log: Arc<Log>,
    /// Erasure.
    pub rights: Arc<Rights>,
    /// Messages in tenants' own names.
    pub outreach: Arc<Outreach>,
    config: Config,
    store: Arc<SqliteStore>,
    keyring: Arc<Keyring>,
    vault: Arc<Vault>,
    verify: Arc<Verify>,
    /// Aliases and pools.
    pub alias: Arc<Alias>,
    relay: Arc<Relay>,
    /// The ways out, and which of them messages take.
    pub dispatch: Arc<Dispatch>,
    webhooks: Arc<Webhooks>,
    guard: Arc<Guard>,
    scratch: Arc<dyn Scratch>,
    sandbox: Arc<Sandbox>,
    carriers: Vec<Arc<dyn Carrier>>,
    http_carriers: Vec<Arc<dyn HttpCarrier>>,
}

/// What the first start made.
pub struct FirstStart {
    /// A test tenant to begin with.
    pub tenant: TenantId,
    /// Its admin's key.
    pub key: Zeroizing<String>,
}

impl App {
    /// Opens every room. Nothing is bound, and no worker runs.
    ///
    /// # Errors
    /// If a setting is unsafe, or the store, the keys or the policies cannot be opened.
    pub async fn open(config: Config) -> Result<Self, AppError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = SqliteStore::open(&config.database, Arc::clone(&clock), ids::fresh::<ids::Node>())
            .map_err(|source| AppError::Store { path: config.database.clone(), source })?;
        let kms = kms::open(&config, store.is_empty()?).await?;
        let store = Arc::new(store);
        let shared: Arc<dyn Store> = Arc::clone(&store) as _;
        let keyring = Arc::new(Keyring::open(Arc::clone(&shared), kms).await?.with_cache(config.key_cache));
        let policies = Opened::Settings(config.policies.clone());
        let access = Access::begin(Arc::clone(&shared), Arc::clone(&keyring), policies).await?;
        let access = Arc::new(access.kept_by(config.policy_keeper));
        if config.policy_keeper.is_some() && access.keeper().is_none() {
            return Err(AppError::NoKeeper);
        }
        if config.require_locked && !crypto::locked::is_locked() {
            return Err(AppError::NotLocked);
        }
        if config.keys_beside_data() && access.tenants().iter().any(|tenant| tenant.mode == Mode::Live) {
            return Err(AppError::KeysBesideData);
        }
        let scratch = MemoryScratch::open(Some(&config.database.with_file_name("scratch.db")), clock)?;
        let app = Self::connect(config, store, keyring, access, Arc::new(scratch))?;
        app.dispatch.refresh().await?;
        Ok(app)
    }

    fn connect(
        config: Config,
        store: Arc<SqliteStore>,
        keyring: Arc<Keyring>,
        access: Arc<Access>,
        scratch: Arc<dyn Scratch>,
    ) -> Result<Self, AppError> {
        let shared: Arc<dyn Store> = Arc::clone(&store) as _;
        let sandbox = Arc::new(Sandbox::new("sandbox"));
        let mut carriers = Vec::<Arc<dyn Carrier>>::new();
        let mut http_carriers = Vec::new();
        for settings in &config.carriers {
            match carriers::made(settings, &public_url(&config))? {
                Made::Linked(carrier) => carriers.push(carrier),
                Made::Http(carrier) => {
                    carriers.push(Arc::clone(&carrier) as _);
                    http_carriers.push(carrier);
                }
            }
        }
        carriers.push(Arc::clone(&sandbox) as _);
        let vault = Arc::new(Vault::new(Arc::clone(&shared), Arc::clone(&keyring)));
        let guard = Guard::new(Arc::clone(&scratch), Arc::clone(&shared), Arc::clone(&keyring));
        let guard = Arc::new(guard.with_limits(limits(config.limits)));
        let alias = Arc::new(Alias::new(
            Arc::clone(&shared),
            Arc::clone(&vault),
            Arc::clone(&keyring),
            Arc::clone(&access),
            carriers.clone(),
        ));
        let health = Arc::new(Health::default());
        let relay =
            Relay::new(Arc::clone(&shared), Arc::clone(&keyring), Arc::clone(&access), Arc::clone(&vault), &alias);
        let relay = relay.measuring(Arc::clone(&health));
        let dispatch = Dispatch::new(
            Arc::clone(&shared),
            Arc::clone(&vault),
            Arc::clone(&keyring),
            Arc::clone(&access),
            carriers.clone(),
        );
        let portability = config.portability.clone().map(Portability::new).transpose()?;
        let dispatch = dispatch.measuring(health).asking(portability);
        let verify = Verify::new(
            Arc::clone(&shared),
            Arc::clone(&vault),
            Arc::clone(&keyring),
            Arc::clone(&guard),
            public_url(&config),
        );
        let verify = Arc::new(verify);
        let rights = Rights::new(
            Arc::clone(&shared),
            Arc::clone(&vault),
            Arc::clone(&verify),
            Arc::clone(&keyring),
            Arc::clone(&access),
            ErasureLog::at(&config.erasures),
        );
        let webhooks = Webhooks::new(Arc::clone(&shared), Arc::clone(&keyring), Arc::clone(&access), reach(&config));
        let outreach = Outreach::new(Arc::clone(&shared), Arc::clone(&vault), Arc::clone(&keyring));
        Ok(Self {
            outreach: Arc::new(outreach),
            webhooks: Arc::new(webhooks),
            rights: Arc::new(rights),
            log: Arc::new(Log::new(shared)),
            relay: Arc::new(relay),
            dispatch: Arc::new(dispatch),
            verify,
            config,
            store,
            keyring,
            access,
            vault,
            alias,
            guard,
            scratch,
            sandbox,
            carriers,
            http_carriers,
        })
    }

    /// The deployment's clock.
    pub fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// What and where the KMS is, and the names of the key-encryption keys it holds.
    ///
    /// # Errors
    /// If the KMS does not serve.
    pub async fn keks(&self) -> Result<(String, Vec<String>), AppError> {
        Ok(self.keyring.keks().await?)
    }

    /// The vault, for commands of the terminal.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Ends what a command of the terminal did: settles reservations, and closes the store.
    pub async fn close(self) {
        if let Err(error) = self.vault.settle().await {
            tracing::warn!(%error, "reservations of sealed tokens stay unsettled and count in full");
        }
        self.store.close().await;
    }

    /// Makes a tenant; a live one only if the key file lies apart from the data.
    ///
    /// # Errors
    /// [`AppError::KeysBesideData`], or what access says.
    pub async fn create_tenant(
        &self,
        user: &str,
        name: &str,
        mode: Mode,
        region: Option<String>,
    ) -> Result<TenantRow, AppError> {
        if mode == Mode::Live && self.config.keys_beside_data() {
            return Err(AppError::KeysBesideData);
        }
        Ok(self.access.create_tenant(user, name, mode, region).await?)
    }

    /// On a store without tenants: a test tenant called `name`, its admin's key, and a shared pool of sandbox numbers. Else nothing.
    ///
    /// # Errors
    /// If the store cannot keep them.
    pub async fn first_start(&self, name: &str) -> Result<Option<FirstStart>, AppError> {
        if !self.access.tenants().is_empty() {
            return Ok(None);
        }
        let tenant = self.create_tenant("first start", name, Mode::Test, None).await?.id;
        let terminal = self.access.terminal("first start", tenant)?;
        let key = self.first_admin(&terminal).await?;
        self.sandbox_pool(&terminal).await?;
        Ok(Some(FirstStart { tenant, key }))
    }

    async fn first_admin(&self, terminal: &Terminal) -> Result<Zeroizing<String>, AppError> {
        let permit = self
            .access
            .authorize(terminal, Action::CredentialManage, Credentials { grants: Some(Role::Admin) })
            .await?;
        let new = NewCredential {
            role: Role::Admin,
            person: "first admin".into(),
            audience: None,
            networks: Vec::new(),
            ends_at: None,
            proofs: NewProofs::default(),
        };
        Ok(self.access.issue(&permit, new).await?.key)
    }

    /// Numbers of a range reserved for fiction, so that a test tenant can bind aliases with no further set-up.
    async fn sandbox_pool(&self, terminal: &Terminal) -> Result<(), AppError> {
        let permit = self.access.authorize(terminal, Action::PoolManage, Pools {}).await?;
        let new = NewPool { name: "sandbox".into(), carrier: "sandbox".into(), shared: true, low_water: None };
        let pool = self.alias.create_pool(&permit, new).await?.id;
        let numbers = (SANDBOX_NUMBERS..SANDBOX_NUMBERS + 100).filter_map(VirtualNumber::from_digits);
        let traits = Traits { region: Some("CA".into()), ..Traits::default() };
        self.alias.import(&permit, pool, Import::alike(numbers, &traits)).await?;
        Ok(())
    }

    /// Writes the first admin's key into a file of mode 0600 in the data folder. Returns which.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep_first_key(&self, first: &FirstStart) -> Result<PathBuf, AppError> {
        use std::io::Write as _;
        let path = self.config.data.join("admin.credential");
        let write = || {
            std::fs::create_dir_all(&self.config.data)?;
            // One that is there already belongs to a store that is gone: this one had no tenant.
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
            writeln!(file, "{}", first.key.as_str())?;
            file.sync_all()
        };
        write().map_err(|source| AppError::File { path: path.clone(), source })?;
        Ok(path)
    }

    fn api(&self) -> Api {
        Api {
            access: Arc::clone(&self.access),
            vault: Arc::clone(&self.vault),
            verify: Arc::clone(&self.verify),
            alias: Arc::clone(&self.alias),
            dispatch: Arc::clone(&self.dispatch),
            outreach: Arc::clone(&self.outreach),
            rights: Arc::clone(&self.rights),
            webhooks: Arc::clone(&self.webhooks),
            log: Arc::clone(&self.log),
            guard: Arc::clone(&self.guard),
            store: Arc::clone(&self.store) as _,
            scratch: Arc::clone(&self.scratch),
            keyring: Arc::clone(&self.keyring),
            sandbox: Some(Arc::clone(&self.sandbox)),
            inbox: Arc::clone(&self.relay) as _,
            http_carriers: self.http_carriers.clone(),
            public_url: self.config.public_url.clone(),
            trusted_proxies: self.config.trusted_proxies.clone(),
            issuer: public_url(&self.config),
            client_certificates: self.config.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()),
        }
    }

    fn rooms(&self) -> worker::Rooms {
        worker::Rooms {
            store: Arc::clone(&self.store) as _,
            keyring: Arc::clone(&self.keyring),
            access: Arc::clone(&self.access),
            vault: Arc::clone(&self.vault),
            verify: Arc::clone(&self.verify),
            alias: Arc::clone(&self.alias),
            relay: Arc::clone(&self.relay),
            rights: Arc::clone(&self.rights),
            webhooks: Arc::clone(&self.webhooks),
            dispatch: Arc::clone(&self.dispatch),
            rotation: self.config.rotation,
        }
    }
}

impl App {
    /// Serves until `stop` resolves; then takes no more requests, lets what is under way finish, and closes the store.
    ///
    /// # Errors
    /// If the HTTP server fails.
    pub async fn serve(self, doors: Doors, stop: impl Future<Output = ()>) -> Result<(), AppError> {
        let app = self;
        let _only = lock(&app.config)?;
        app.store.release_leases(HOLDER).await?;
        if let Some(folder) = &app.config.policies {
            app.access.tell_files(folder);
        }
        let (halt, halted) = watch::channel(false);
        let mut tasks = tokio::task::JoinSet::new();
        let access = Arc::clone(&app.access);
        let halted_access = halted.clone();
        tasks.spawn(async move { access.watch(halted_access).await });
        let keyring = Arc::clone(&app.keyring);
        let halted_keyring = halted.clone();
        tasks.spawn(async move { keyring.watch(halted_keyring).await });
        let dispatch = Arc::clone(&app.dispatch);
        let halted_dispatch = halted.clone();
        tasks.spawn(async move { dispatch.watch(halted_dispatch).await });
        tasks.spawn(worker::run(app.rooms(), HOLDER.to_owned(), halted.clone()));
        for carrier in &app.carriers {
            tasks.spawn(Arc::clone(carrier).run(Arc::clone(&app.relay) as Arc<dyn Inbox>, halted.clone()));
        }
        tasks.spawn(watch_links(app.carriers.clone(), halted.clone()));
        let (address, admin_address) = (doors.address, doors.admin_address);
        let (handles, tls) = doors::open(&app, doors)?;
        if let Some(tls) = tls {
            tasks.spawn(doors::follow(tls, Arc::clone(&app.store) as _, halted));
        }
        tracing::info!(listen = %address, admin = %admin_address, "ready");
        stop.await;
        for handle in handles {
            handle.stop(true).await;
        }
        // Nobody listens only if every task is over already.
        let _ = halt.send(true);
        let drained = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("not everything under way finished in time; leases lapse and the next start goes on");
        }
        app.close().await;
        Ok(())
    }
}

/// Keeps a second service off the same files: both would claim the same leases.
fn lock(config: &Config) -> Result<File, AppError> {
    let path = config.database.with_extension("lock");
    let wrong = |source| AppError::File { path: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(wrong)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AppError::InUse { path }),
        Err(TryLockError::Error(source)) => Err(wrong(source)),
    }
}

fn limits(limits: Limits) -> guard::Limits {
    guard::Limits {
        requests: Rate { burst: limits.burst, per: full_after(limits.burst, limits.requests_per_s) },
        strangers: Rate { burst: limits.strangers_per_min, per: Duration::from_secs(60) },
        ..guard::Limits::default()
    }
}

/// How long a bucket of `burst` takes to fill at so many a second.
fn full_after(burst: u32, per_second: u32) -> Duration {
    Duration::from_secs_f64(f64::from(burst) / f64::from(per_second.max(1)))
}

/// Which addresses webhooks may call: never where we listen ourselves.
fn reach(config: &Config) -> Reach {
    Reach {
        allowed: config.webhook_networks.clone(),
        own: [Some(config.listen), config.admin].into_iter().flatten().collect(),
    }
}

fn public_url(config: &Config) -> String {
    config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("{}://{}", if config.tls.is_some() { "https" } else { "http" }, config.listen))
}

/// The first of a hundred numbers of a range reserved for fiction: area code 867, exchange 555, 0100 to 0199.
const SANDBOX_NUMBERS: u64 = 18_675_550_100;

/// This process in leases. The lock keeps it the only one on its store.
const HOLDER: &str = "embedded";

/// How long tasks may take to finish when the service stops.
const DRAIN: Duration = Duration::from_secs(12);
