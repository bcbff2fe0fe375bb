//! `bauta freeze` and `bauta thaw`.

use clap::{Args, ValueEnum};

use super::{CommandError, Place, caller};
use crate::access::{Action, FreezeSwitch};
use crate::ids::TenantId;

/// What to freeze or thaw.
#[derive(Args)]
pub struct Switch {
    /// What kind of thing it is
    #[arg(value_enum)]
    kind: Kind,
    /// Its id: ten_…, crd_… or als_…
    id: String,
    /// Whose it is; left out for a tenant
    #[arg(long)]
    tenant: Option<TenantId>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Tenant,
    Credential,
    Alias,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Tenant => "ten_",
            Self::Credential => "crd_",
            Self::Alias => "als_",
        }
    }
}

impl Switch {
    /// Sets the switch beside a service that may be running; it follows within a second.
    pub fn run(self, place: &Place, on: bool) -> Result<(), CommandError> {
        if !self.id.starts_with(self.kind.prefix()) {
            return Err(CommandError::Usage(format!("the id has to begin with {}", self.kind.prefix())));
        }
        let tenant = match (self.tenant, self.kind) {
            (Some(tenant), _) => tenant,
            (None, Kind::Tenant) => self.id.parse().map_err(|_| CommandError::Usage("that is no tenant id".into()))?,
            (None, _) => return Err(CommandError::Usage("say whose it is with --tenant ten_…".into())),
        };
        place.with_app(async |app| {
            let caller = caller(&app, tenant).await?;
            let target = FreezeSwitch { target: self.id.clone() };
            let permit = app.access.authorize(&caller, Action::Freeze, target).await.map_err(CommandError::failed)?;
            app.access.freeze(permit, on).await.map_err(CommandError::failed)?;
            say!("{} {}", if on { "frozen" } else { "thawed" }, self.id);
            Ok(())
        })
    }
}
