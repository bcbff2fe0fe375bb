//! `bauta keys`: the keys under which everything lies, and whoever holds them.

mod backup;
mod list;

use clap::{Args, Subcommand};
use std::path::PathBuf;

use super::{Caller, CommandError, Place, caller, permitted};
use crate::access::{Access, AccessError, Action, DeploymentKeys, KeyHolder, Keys as TenantsKeys, Permit};
use crate::app::App;
use crate::ids::{ApprovalId, TenantId};

/// Keys, and whoever holds them
#[derive(Subcommand)]
pub enum Keys {
    /// Make the keys of a new deployment, or check that those of a used one can be had
    Init,
    /// List key versions, and how far re-encryption got
    List {
        /// Only this tenant's
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Write a backup of whatever holds the key-encryption keys, apart from the store's
    Backup(backup::Backup),
    /// Put a backup of the file KMS into an empty key folder
    Restore(backup::Restore),
    /// Make a new version of a key; it begins within seconds
    Rotate(Rotate),
    /// Wrap an owner's keys anew, and forget older versions of its key-encryption key
    Rewrap(Whose),
    /// Destroy a tenant's keys: all that they sealed, here and in every backup, is noise from then on
    Destroy(Destroy),
}

/// Whose keys
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Whose {
    /// A tenant's
    #[arg(long)]
    tenant: Option<TenantId>,
    /// The deployment's own
    #[arg(long)]
    system: bool,
}

/// Which key of whom
#[derive(Args)]
pub struct Rotate {
    #[command(flatten)]
    what: What,
    /// Of this tenant [default: the deployment's own]
    #[arg(long)]
    tenant: Option<TenantId>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The key of this purpose: seal, code or siv of a tenant; seal or proof of the deployment
    #[arg(long, value_name = "PURPOSE")]
    key: Option<String>,
    /// The key-encryption key, with all that it wraps
    #[arg(long)]
    kek: bool,
    /// The root of the file KMS, with all that it wraps
    #[arg(long, conflicts_with = "tenant")]
    root: bool,
}

/// Whose keys, and that it is meant
#[derive(Args)]
pub struct Destroy {
    /// The tenant
    #[arg(long)]
    tenant: TenantId,
    /// The tenant's name, so that nobody does it by mistake
    #[arg(long)]
    name: String,
    /// The approval, once another person approved: apr_…
    #[arg(long)]
    approval: Option<ApprovalId>,
}

impl Keys {
    /// Runs it beside a service that may be running; that one follows within a second.
    pub fn run(self, place: &Place) -> Result<(), CommandError> {
        match self {
            Self::Restore(restore) => restore.run(place),
            Self::Backup(backup) => backup.run(place),
            Self::Init => place.with_app(async |app| init(&app).await),
            Self::List { tenant } => place.with_app(async |app| list::run(&app, tenant).await),
            Self::Rotate(rotate) => place.with_app(async |app| rotate.run(&app).await),
            Self::Rewrap(whose) => place.with_app(async |app| {
                let count = match whose.tenant {
                    Some(tenant) => rewrap(&app, &of_tenant(&app, tenant).await?, false).await?,
                    None => rewrap(&app, &of_deployment(&app).await?, false).await?,
                };
                say!("{count} keys wrapped anew; older versions of their key-encryption key are gone");
                Ok(())
            }),
            Self::Destroy(destroy) => place.with_app(async |app| destroy.run(&app).await),
        }
    }
}

async fn init(app: &App) -> Result<(), CommandError> {
    let (place, keks) = app.keks().await?;
    say!("{place}: {} key-encryption keys; the deployment's own keys are there and open", keks.len());
    Ok(())
}

impl Rotate {
    async fn run(self, app: &App) -> Result<(), CommandError> {
        let What { key, kek: _, root } = self.what;
        if root {
            let permit = of_deployment(app).await?;
            app.access.rotate_root(&permit).await.map_err(CommandError::failed)?;
            say!("the root is new; write a new backup, since older ones hold the old root: bauta keys backup -o FILE");
            return Ok(());
        }
        match (self.tenant, key) {
            (Some(tenant), Some(key)) => rotate(app, &of_tenant(app, tenant).await?, &key).await,
            (None, Some(key)) => rotate(app, &of_deployment(app).await?, &key).await,
            (Some(tenant), None) => new_kek(app, &of_tenant(app, tenant).await?).await,
            (None, None) => new_kek(app, &of_deployment(app).await?).await,
        }
    }
}

async fn rotate<R: KeyHolder>(app: &App, permit: &Permit<R>, key: &str) -> Result<(), CommandError> {
    let version = app.access.rotate_key(permit, key).await.map_err(CommandError::failed)?;
    say!("version {version} of the {key} key begins shortly");
    match key {
        "siv" => {
            say!(
                "sealed tokens of numbers differ from now on; those given out still open. To turn them into new ones:"
            );
            say!("bauta tokens rewrap");
        }
        "seal" => say!("a running service re-encrypts what older versions sealed; bauta keys list tells how far it is"),
        "proof" => say!("it is published now and signs in 5 minutes; the old one stays published for 2 hours more"),
        _ => {}
    }
    Ok(())
}

async fn new_kek<R: KeyHolder>(app: &App, permit: &Permit<R>) -> Result<(), CommandError> {
    let count = rewrap(app, permit, true).await?;
    say!("{count} keys wrapped under a new key-encryption key; older versions of it are gone");
    say!("write a new backup, since older ones hold the old one: bauta keys backup -o FILE");
    Ok(())
}

async fn rewrap<R: KeyHolder>(app: &App, permit: &Permit<R>, new_kek: bool) -> Result<u64, CommandError> {
    app.access.rewrap_keys(permit, new_kek).await.map_err(CommandError::failed)
}

impl Destroy {
    async fn run(self, app: &App) -> Result<(), CommandError> {
        let tenants = app.access.tenants();
        let found = tenants.iter().find(|tenant| tenant.id == self.tenant);
        let row = found.ok_or_else(|| CommandError::Failed("there is no such tenant".into()))?;
        if row.name != self.name {
            return Err(CommandError::Usage(format!("--name has to be the tenant's name; {} has another", row.id)));
        }
        let caller = caller(app, self.tenant).await?;
        let bound = Access::bound_destruction(self.tenant, self.approval);
        let ruling = app.access.rule(&caller, Action::KeyDestroy, TenantsKeys {}, bound).await;
        let permit = permitted(ruling.map_err(|error| refused(&caller, error))?)?;
        app.access.destroy_keys(&permit).await.map_err(CommandError::failed)?;
        say!("the keys of {} are destroyed; numbers, bodies and tokens under them are noise", self.tenant);
        Ok(())
    }
}

fn refused(caller: &Caller, error: AccessError) -> CommandError {
    match (caller, error) {
        (Caller::Terminal(_), AccessError::Denied(_)) => CommandError::Failed(
            "refused at this terminal: the tenant has an admin; put an admin's key into BAUTA_CREDENTIAL".into(),
        ),
        (_, error) => CommandError::failed(error),
    }
}

async fn of_tenant(app: &App, tenant: TenantId) -> Result<Permit<TenantsKeys>, CommandError> {
    let caller = caller(app, tenant).await?;
    app.access.authorize(&caller, Action::KeyManage, TenantsKeys {}).await.map_err(CommandError::failed)
}

/// A terminal speaks for some tenant; the oldest one's log tells of what is done to the deployment's own keys.
async fn of_deployment(app: &App) -> Result<Permit<DeploymentKeys>, CommandError> {
    let tenants = app.access.tenants();
    let none = || CommandError::Failed("there is no tenant yet: make one with `bauta tenant create NAME`".into());
    let first = tenants.first().ok_or_else(none)?;
    let terminal = app.access.terminal(&super::user(), first.id).map_err(CommandError::failed)?;
    let asked = app.access.authorize(&terminal, Action::DeploymentKeyManage, DeploymentKeys {}).await;
    asked.map_err(CommandError::failed)
}

/// A passphrase: from a file, from `BAUTA_KEY_PASSPHRASE`, or typed.
fn passphrase(file: Option<&PathBuf>, is_new: bool) -> Result<zeroize::Zeroizing<String>, CommandError> {
    use std::io::IsTerminal as _;
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map(zeroize::Zeroizing::new);
        let text = text.map_err(|error| CommandError::Usage(format!("{}: {}", path.display(), error.kind())))?;
        return Ok(zeroize::Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()));
    }
    if let Ok(text) = std::env::var("BAUTA_KEY_PASSPHRASE") {
        return Ok(zeroize::Zeroizing::new(text));
    }
    if !std::io::stdin().is_terminal() {
        let mend = "name a file with --passphrase-file, or put the passphrase into BAUTA_KEY_PASSPHRASE";
        return Err(CommandError::Usage(mend.into()));
    }
    let ask = |prompt| rpassword::prompt_password(prompt).map(zeroize::Zeroizing::new).map_err(CommandError::failed);
    let typed = ask("Passphrase of the backup: ")?;
    if is_new && typed != ask("Once more: ")? {
        return Err(CommandError::Usage("the two differ".into()));
    }
    Ok(typed)
}
