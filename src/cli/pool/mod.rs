//! `bauta pool create`, `import`, `list` and `plan`.

mod import;
mod plan;
mod read;

use std::path::PathBuf;

use clap::Subcommand;

use super::{CommandError, Place, caller};
use crate::access::{Action, Permit, Pools};
use crate::alias::{NewPool, PoolView};
use crate::app::App;
use crate::ids::{PoolId, TenantId};
use crate::store::PoolCounts;

/// Stocks of virtual numbers
#[derive(Subcommand)]
pub enum Pool {
    /// Make an empty pool; prints its id
    Create {
        /// Its name, unique within the tenant
        name: String,
        /// Whose: ten_…
        #[arg(long)]
        tenant: TenantId,
        /// The carrier its numbers live at, unless a number says otherwise
        #[arg(long)]
        carrier: String,
        /// Other tenants of the same mode may bind from it
        #[arg(long)]
        shared: bool,
        /// Free numbers below which alert.pool_low tells
        #[arg(long, value_name = "COUNT")]
        low_water: Option<u64>,
    },
    /// Add the numbers of a CSV or NDJSON file. The file is looked through before anything is added; a run that was cut
    /// short is finished by the same command
    Import {
        /// Columns or fields: number; region, capabilities, reach, carrier if you like
        file: PathBuf,
        /// The pool: pol_…
        #[arg(long)]
        pool: PoolId,
    },
    /// List pools with their numbers by state
    List {
        /// Only this tenant's: ten_…
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Say how many numbers a pool of pairs needs: of a CSV file with two columns of people, or of what is bound now
    Plan {
        /// A header and two columns: each row a pair that is to be connected at the same time as all others
        #[arg(required_unless_present = "pool")]
        pairs: Option<PathBuf>,
        /// The pool: pol_…
        #[arg(long, conflicts_with = "pairs")]
        pool: Option<PoolId>,
    },
}

impl Pool {
    /// Runs it beside a service that may be running.
    pub fn run(self, place: &Place) -> Result<(), CommandError> {
        match self {
            Self::Plan { pairs: Some(file), .. } => plan::of_file(&file),
            Self::Plan { pool, .. } => place.with_app(async |app| match pool {
                Some(pool) => plan::of_pool(&app, pool).await,
                None => Err(CommandError::Usage("name a file of pairs, or --pool pol_…".into())),
            }),
            Self::Import { file, pool } => {
                let read = read::file(&file)?;
                place.with_app(async |app| import::run(&app, pool, read).await)
            }
            Self::List { tenant } => place.with_app(async |app| list(&app, tenant).await),
            Self::Create { name, tenant, carrier, shared, low_water } => place.with_app(async |app| {
                let permit = permit(&app, tenant, Action::PoolManage).await?;
                let new = NewPool { name, carrier, shared, low_water };
                let pool = app.alias.create_pool(&permit, new).await.map_err(CommandError::failed)?;
                say!("{}", pool.id);
                Ok(())
            }),
        }
    }
}

async fn list(app: &App, tenant: Option<TenantId>) -> Result<(), CommandError> {
    let tenants = match tenant {
        Some(tenant) => vec![tenant],
        None => app.access.tenants().iter().map(|tenant| tenant.id).collect(),
    };
    for tenant in tenants {
        let permit = permit(app, tenant, Action::PoolRead).await?;
        let mut after = None;
        loop {
            let page = app.alias.pools(&permit, after, PAGE).await.map_err(CommandError::failed)?;
            for pool in &page {
                say!("{}", line(tenant, pool));
            }
            after = page.last().map(|pool| pool.id);
            if page.len() < PAGE as usize {
                break;
            }
        }
    }
    Ok(())
}

fn line(tenant: TenantId, pool: &PoolView) -> String {
    let PoolCounts { free, bound, cooling, draining, quarantined } = pool.counts;
    let low = pool.low_water.filter(|mark| free < *mark).map_or("", |_| "  LOW");
    let shared = if pool.shared { "  shared" } else { "" };
    format!(
        "{}  {tenant}  {}  {}{shared}  {free} free, {bound} bound, {cooling} cooling, {draining} draining, \
         {quarantined} set aside{low}",
        pool.id, pool.name, pool.carrier
    )
}

/// Leave for whoever types to do `action` to the tenant's pools.
async fn permit(app: &App, tenant: TenantId, action: Action) -> Result<Permit<Pools>, CommandError> {
    let caller = caller(app, tenant).await?;
    app.access.authorize(&caller, action, Pools {}).await.map_err(CommandError::failed)
}

/// The pool's owner.
async fn owner(app: &App, pool: PoolId) -> Result<TenantId, CommandError> {
    let row = app.alias.owner(pool).await.map_err(CommandError::failed)?;
    row.ok_or_else(|| CommandError::Failed(format!("there is no pool {pool}: `bauta pool list` has them")))
}

/// Pools read at once.
const PAGE: u32 = 100;
