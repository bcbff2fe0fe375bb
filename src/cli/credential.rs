//! `bauta credential …`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use ipnet::IpNet;

use super::{CommandError, Place, caller, permitted};
use crate::access::{AccessError, Action, Bound, Credentials, NewCredential, Permit};
use crate::app::App;
use crate::event::Role;
use crate::ids::{ApprovalId, CredentialId, TenantId};

/// API keys of named persons and systems
#[derive(Subcommand)]
pub enum Credential {
    /// Make a credential; prints its key, once
    Create(Create),
    /// Make a successor; the old key keeps working for a while. Prints the new key, once
    Rotate {
        /// The credential's id, crd_…
        id: CredentialId,
        /// Whose it is
        #[arg(long)]
        tenant: TenantId,
        /// How long the old key keeps working, 24h say
        #[arg(long, value_parser = span)]
        overlap: Option<Duration>,
        /// The approval, once another person approved: apr_…
        #[arg(long)]
        approval: Option<ApprovalId>,
    },
    /// End a credential now
    Revoke {
        /// The credential's id, crd_…
        id: CredentialId,
        /// Whose it is
        #[arg(long)]
        tenant: TenantId,
    },
    /// List a tenant's credentials, without their keys
    List {
        /// Whose
        #[arg(long)]
        tenant: TenantId,
    },
}

/// What a new credential is to be.
#[derive(Args)]
pub struct Create {
    /// Whose it is
    #[arg(long)]
    tenant: TenantId,
    /// What it may do
    #[arg(long, value_enum)]
    role: RoleName,
    /// The person or system that will hold it
    #[arg(long)]
    person: String,
    /// How long it is valid, 90d say
    #[arg(long, value_parser = span)]
    expires: Option<Duration>,
    /// Networks that it may come from
    #[arg(long = "ip", num_args = 1..)]
    networks: Vec<IpNet>,
    /// Whose tokens it speaks in; for partners
    #[arg(long)]
    audience: Option<String>,
    /// The approval, once another person approved: apr_…
    #[arg(long)]
    approval: Option<ApprovalId>,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleName {
    Admin,
    Business,
    Partner,
    Operator,
    Auditor,
    Custodian,
    Approver,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Admin => Self::Admin,
            RoleName::Business => Self::Business,
            RoleName::Partner => Self::Partner,
            RoleName::Operator => Self::Operator,
            RoleName::Auditor => Self::Auditor,
            RoleName::Custodian => Self::Custodian,
            RoleName::Approver => Self::Approver,
        }
    }
}

impl Credential {
    /// Runs it beside a service that may be running.
    pub fn run(self, place: &Place) -> Result<(), CommandError> {
        place.with_app(async |app| match self {
            Self::Create(create) => create.run(&app).await,
            Self::Rotate { id, tenant, overlap, approval } => {
                let bound = app.access.bound_rotation(tenant, id, overlap, approval);
                let permit = permit(&app, tenant, app.access.role_of(tenant, id), bound).await?;
                let issued = app.access.rotate(&permit, id, overlap).await.map_err(CommandError::failed)?;
                say!("{}", issued.key.as_str());
                Ok(())
            }
            Self::Revoke { id, tenant } => {
                let permit = plain(&app, tenant, Action::CredentialRevoke).await?;
                app.access.revoke(&permit, id).await.map_err(CommandError::failed)?;
                say!("revoked {id}");
                Ok(())
            }
            Self::List { tenant } => {
                let permit = plain(&app, tenant, Action::CredentialRead).await?;
                list(&app, &permit);
                Ok(())
            }
        })
    }
}

impl Create {
    async fn run(self, app: &App) -> Result<(), CommandError> {
        let new = NewCredential {
            role: self.role.into(),
            person: self.person,
            audience: self.audience,
            networks: self.networks,
            ends_at: self.expires.map(|life| app.now().plus(life)),
        };
        let bound = new.bound(self.expires, self.approval);
        let permit = permit(app, self.tenant, Some(new.role), bound).await?;
        let issued = app.access.issue(&permit, new).await.map_err(CommandError::failed)?;
        eprintln!("{} for {}. The key is shown this once:", issued.row.id, issued.row.person);
        say!("{}", issued.key.as_str());
        Ok(())
    }
}

fn list(app: &App, permit: &Permit<Credentials>) {
    let mut after = None;
    loop {
        let page = app.access.credentials(permit, after, 100);
        let Some(last) = page.last() else { return };
        after = Some(last.id);
        for view in page {
            let end = view.ends_at.map_or_else(|| "no end".to_owned(), |end| format!("until {end}"));
            let frozen = if view.frozen { "  frozen" } else { "" };
            say!("{}  {:<9}  {}  {end}{frozen}", view.id, view.role.as_str(), view.person);
        }
    }
}

/// To issue or rotate, which may take a second person.
async fn permit(
    app: &App,
    tenant: TenantId,
    grants: Option<Role>,
    bound: Bound,
) -> Result<Permit<Credentials>, CommandError> {
    let caller = caller(app, tenant).await?;
    match app.access.rule(&caller, Action::CredentialManage, Credentials { grants }, bound).await {
        Ok(ruling) => permitted(ruling),
        Err(AccessError::Denied(_)) => Err(refused()),
        Err(error) => Err(CommandError::failed(error)),
    }
}

async fn plain(app: &App, tenant: TenantId, action: Action) -> Result<Permit<Credentials>, CommandError> {
    let caller = caller(app, tenant).await?;
    app.access.authorize(&caller, action, Credentials { grants: None }).await.map_err(|_| refused())
}

fn refused() -> CommandError {
    CommandError::Failed(
        "refused: the tenant has an admin; put an admin's key of this tenant into BAUTA_CREDENTIAL".into(),
    )
}

/// Reads `90d`, `24h`, `30m` or `45s`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and d, h, m or s, 90d say".to_owned();
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "d" => 86_400,
        "h" => 3_600,
        "m" => 60,
        "s" => 1,
        _ => return Err(wrong()),
    };
    let count: u32 = digits.parse().map_err(|_| wrong())?;
    if count == 0 { Err(wrong()) } else { Ok(Duration::from_secs(u64::from(count) * seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_a_number_and_a_unit() {
        assert_eq!(span("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(span("45s"), Ok(Duration::from_secs(45)));
        for wrong in ["", "d", "0d", "90", "-1d", "9é", "1.5h"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
