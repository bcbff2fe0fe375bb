//! `bauta tenant create`, `list` and `erase`.

use clap::{Subcommand, ValueEnum};

use super::{CommandError, Place, caller, permitted, user};
use crate::access::{Action, Bound, TenantRef};
use crate::app::App;
use crate::event::Mode;
use crate::ids::{ApprovalId, TenantId};

/// Businesses
#[derive(Subcommand)]
pub enum Tenant {
    /// Make a tenant; prints its id
    Create {
        /// What people see as the sender of codes
        name: String,
        /// Test tenants reach only the sandbox carrier
        #[arg(long, value_enum, default_value = "test")]
        mode: Traffic,
        /// Where its data has to stay
        #[arg(long)]
        region: Option<String>,
    },
    /// List the tenants
    List,
    /// Erase a tenant for good: its keys are destroyed, so that all it ever had is noise, also in backups
    Erase {
        /// Its id: ten_…
        id: TenantId,
        /// The approval, once another person approved: apr_…
        #[arg(long)]
        approval: Option<ApprovalId>,
    },
}

/// Whether a tenant's traffic is real.
#[derive(Clone, Copy, ValueEnum)]
pub enum Traffic {
    /// Reaches real carriers
    Live,
    /// Reaches only the sandbox
    Test,
}

impl From<Traffic> for Mode {
    fn from(traffic: Traffic) -> Self {
        match traffic {
            Traffic::Live => Self::Live,
            Traffic::Test => Self::Test,
        }
    }
}

impl Tenant {
    /// Runs it beside a service that may be running.
    pub fn run(self, place: &Place) -> Result<(), CommandError> {
        place.with_app(async |app| {
            match self {
                Self::Create { name, mode, region } => {
                    let tenant = app.create_tenant(&user(), &name, mode.into(), region).await?;
                    say!("{}", tenant.id);
                }
                Self::Erase { id, approval } => erase(&app, id, approval).await?,
                Self::List => {
                    for tenant in app.access.tenants() {
                        say!("{}  {}  {}", tenant.id, tenant.mode.as_str(), tenant.name);
                    }
                }
            }
            Ok(())
        })
    }
}

async fn erase(app: &App, id: TenantId, approval: Option<ApprovalId>) -> Result<(), CommandError> {
    let caller = caller(app, id).await?;
    let bound = Bound {
        digest: Bound::digest([id.to_string().as_bytes()]),
        summary: serde_json::json!({"erase": id.to_string()}),
        reference: None,
        approval,
    };
    let ruling = app.access.rule(&caller, Action::TenantErase, TenantRef {}, bound).await;
    let permit = permitted(ruling.map_err(CommandError::failed)?)?;
    app.rights.erase_tenant(&permit).await.map_err(CommandError::failed)?;
    say!("erased {id}: its keys are destroyed; a running service removes what is left");
    Ok(())
}
