//! `bauta audit export`.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{CommandError, Place, caller};
use crate::access::{Action, AuditLog, DeploymentLog};
use crate::app::App;
use crate::ids::TenantId;

/// The masked, tamper-evident log
#[derive(Subcommand)]
pub enum Audit {
    /// Write entries with salts and leaves as NDJSON
    Export {
        /// Only this tenant's entries [default: the whole log]
        #[arg(long)]
        tenant: Option<TenantId>,
        /// Where to [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

impl Audit {
    /// Runs it beside a service that may be running.
    pub fn run(self, place: &Place) -> Result<(), CommandError> {
        let Self::Export { tenant, output } = self;
        place.with_app(async |app| match output {
            Some(path) => {
                let mut file = private(&path).map_err(CommandError::failed)?;
                let count = export(&app, tenant, &mut file).await?;
                file.sync_all().map_err(CommandError::failed)?;
                eprintln!("{count} entries written to {}", path.display());
                Ok(())
            }
            None => export(&app, tenant, &mut std::io::stdout().lock()).await.map(drop),
        })
    }
}

/// A file for its owner alone, whatever the umask: entries name people and what they did, and come with their salts.
fn private(path: &Path) -> std::io::Result<File> {
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

async fn export(app: &App, tenant: Option<TenantId>, out: &mut dyn Write) -> Result<u64, CommandError> {
    let Some(tenant) = tenant else { return export_whole(app, out).await };
    let caller = caller(app, tenant).await?;
    let permit = app
        .access
        .authorize(&caller, Action::AuditRead, AuditLog { own: false })
        .await
        .map_err(CommandError::failed)?;
    app.log.export(&permit, out).await.map_err(CommandError::failed)
}

/// A terminal speaks for some tenant; the oldest one's log tells of the export.
async fn export_whole(app: &App, out: &mut dyn Write) -> Result<u64, CommandError> {
    let tenants = app.access.tenants();
    let first = tenants.first().ok_or_else(|| CommandError::Failed("there is no tenant yet, and no log".into()))?;
    let caller = caller(app, first.id).await?;
    let permit =
        app.access.authorize(&caller, Action::DeploymentAudit, DeploymentLog {}).await.map_err(CommandError::failed)?;
    app.log.export_whole(&permit, out).await.map_err(CommandError::failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_export_is_its_owners_alone_also_where_a_file_stood_open() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("new"), folder.path().join("old")] {
            if path.ends_with("old") {
                std::fs::write(&path, "x").unwrap();
                std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
            }
            drop(private(&path).unwrap());
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
