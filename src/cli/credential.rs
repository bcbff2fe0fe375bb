//! `bauta credential …`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use ipnet::IpNet;

use super::{CommandError, Place, caller, permitted};
use crate::access::{
    AccessError, Action, Bound, Credentials, Issued, NewCredential, NewProofs, NewSigning, Permit, Renewal,
};
use crate::app::App;
use crate::event::Role;
use crate::ids::{ApprovalId, CredentialId, TenantId};
use crate::store::{Proof, Proofs, SigningKey};
use crate::{signing, tls};

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
        /// Another client certificate, PEM
        #[arg(long, value_name = "FILE")]
        client_cert: Option<PathBuf>,
        /// Another Ed25519 public key, PEM; a secret for HMAC is always made anew
        #[arg(long, value_name = "FILE")]
        signing_key: Option<PathBuf>,
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
    #[command(flatten)]
    bound: BoundTo,
    /// The approval, once another person approved: apr_…
    #[arg(long)]
    approval: Option<ApprovalId>,
}

/// What a new credential is to be bound to beside its key.
#[derive(Args)]
struct BoundTo {
    /// The one client certificate that it works with, PEM
    #[arg(long, value_name = "FILE")]
    client_cert: Option<PathBuf>,
    /// Make no key: the certificate is the credential
    #[arg(long, requires = "client_cert")]
    certificate_only: bool,
    /// Make a secret for signing requests with HMAC-SHA-256; prints it below the key, once
    #[arg(long, conflicts_with = "signing_key")]
    signing_secret: bool,
    /// The Ed25519 public key that its requests are signed with, PEM
    #[arg(long, value_name = "FILE")]
    signing_key: Option<PathBuf>,
    /// What every request has to bring: key, oauth, tls, client_cert, signature
    #[arg(long = "require", value_name = "PROOF", value_delimiter = ',', value_parser = proof)]
    requires: Vec<Proof>,
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
            Self::Rotate { id, tenant, overlap, client_cert, signing_key, approval } => {
                let renewal = Renewal {
                    overlap,
                    certificate: client_cert.as_deref().map(thumbprint).transpose()?,
                    signing_key: signing_key.as_deref().map(public_key).transpose()?,
                };
                let bound = app.access.bound_rotation(tenant, id, &renewal, approval);
                let permit = permit(&app, tenant, app.access.role_of(tenant, id), bound).await?;
                show(&app.access.renew(&permit, id, renewal).await.map_err(CommandError::failed)?);
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
        let proofs = self.bound.read()?;
        let new = NewCredential {
            role: self.role.into(),
            person: self.person,
            audience: self.audience,
            networks: self.networks,
            ends_at: self.expires.map(|life| app.now().plus(life)),
            proofs,
        };
        let bound = new.bound(self.expires, self.approval);
        let permit = permit(app, self.tenant, Some(new.role), bound).await?;
        let issued = app.access.issue(&permit, new).await.map_err(CommandError::failed)?;
        show(&issued);
        Ok(())
    }
}

impl BoundTo {
    fn read(self) -> Result<NewProofs, CommandError> {
        let public = self.signing_key.as_deref().map(public_key).transpose()?.map(NewSigning::Ed25519);
        Ok(NewProofs {
            keyless: self.certificate_only,
            certificate: self.client_cert.as_deref().map(thumbprint).transpose()?,
            signing: public.or(self.signing_secret.then_some(NewSigning::Hmac)),
            requires: self.requires.into_iter().collect(),
        })
    }
}

/// Prints what is shown once, one to a line: the key, then the signing secret; of a certificate its credential's id.
fn show(issued: &Issued) {
    let row = &issued.row;
    if row.proofs.keyless {
        eprintln!("{} for {}: the certificate is the credential.", row.id, row.person);
        say!("{}", row.id);
    } else {
        eprintln!("{} for {}. The key is shown this once:", row.id, row.person);
        say!("{}", issued.key.as_str());
    }
    if let Some(secret) = &issued.signing_secret {
        eprintln!("Its requests are signed as keyid {} with this secret (base64), shown this once:", row.id);
        say!("{}", secret.as_str());
    }
}

fn thumbprint(path: &Path) -> Result<[u8; 32], CommandError> {
    let certificate = tls::certificate(&text(path)?).ok_or_else(|| {
        CommandError::Usage(format!("{}: holds no X.509 certificate of version 3; name a PEM file", path.display()))
    })?;
    Ok(tls::thumbprint(&certificate))
}

fn public_key(path: &Path) -> Result<[u8; 32], CommandError> {
    let wrong = || CommandError::Usage(format!("{}: holds no Ed25519 public key; name a PEM file", path.display()));
    std::str::from_utf8(&text(path)?).ok().and_then(signing::public_key).ok_or_else(wrong)
}

fn text(path: &Path) -> Result<Vec<u8>, CommandError> {
    std::fs::read(path).map_err(|error| CommandError::Usage(format!("{}: {}", path.display(), error.kind())))
}

fn proof(name: &str) -> Result<Proof, String> {
    Proof::parse(name).ok_or_else(|| "write key, oauth, tls, client_cert or signature".to_owned())
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
            let bound = told(&view.proofs);
            say!("{}  {:<9}  {}  {end}{frozen}{bound}", view.id, view.role.as_str(), view.person);
        }
    }
}

/// What a credential is bound to and demands, as a list shows it.
fn told(proofs: &Proofs) -> String {
    let mut parts = Vec::new();
    if proofs.keyless {
        parts.push("certificate".to_owned());
    } else if proofs.certificate.is_some() {
        parts.push("key and certificate".to_owned());
    }
    match proofs.signing {
        Some(SigningKey::Hmac(_)) => parts.push("signs hmac-sha256".to_owned()),
        Some(SigningKey::Ed25519(_)) => parts.push("signs ed25519".to_owned()),
        None => {}
    }
    let requires = proofs.requires.spelled();
    if !requires.is_empty() {
        parts.push(format!("requires {requires}"));
    }
    if parts.is_empty() { String::new() } else { format!("  ({})", parts.join(", ")) }
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
