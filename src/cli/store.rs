//! `bauta store backup` and `bauta store restore`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{CommandError, Place, caller};
use crate::access::{Action, DeploymentStore};
use crate::app::App;

/// The store's files
#[derive(Subcommand)]
pub enum Store {
    /// Copy the store as of this moment, while a service goes on serving. Keys are not in it: `bauta keys backup`
    Backup {
        /// The copy's file, or a folder for a file named by the time
        to: PathBuf,
    },
    /// Make a backup the store again, in an empty place, and do again every erasure since
    Restore {
        /// The backup's file
        from: PathBuf,
    },
}

impl Store {
    /// Runs it.
    pub fn run(self, place: &Place) -> Result<(), CommandError> {
        match self {
            Self::Backup { to } => place.with_app(async |app| backup(&app, to).await),
            Self::Restore { from } => {
                let config = place.settings()?;
                super::runtime()?.block_on(async {
                    let (app, erasures) = App::restore(config, &from).await?;
                    app.close().await;
                    say!("restored; {erasures} erasures since the backup done again");
                    Ok(())
                })
            }
        }
    }
}

/// A terminal speaks for some tenant; the oldest one's log tells of the copy.
async fn backup(app: &App, to: PathBuf) -> Result<(), CommandError> {
    let tenants = app.access.tenants();
    let first =
        tenants.first().ok_or_else(|| CommandError::Failed("there is no tenant yet: nothing to copy".into()))?;
    let caller = caller(app, first.id).await?;
    let permit =
        app.access.authorize(&caller, Action::StoreBackup, DeploymentStore {}).await.map_err(CommandError::failed)?;
    let to =
        if to.is_dir() { to.join(format!("bauta-{}.db", app.now().to_string().replace([':', '.'], "-"))) } else { to };
    app.backup(&permit, &to).await?;
    say!("{}", to.display());
    Ok(())
}
