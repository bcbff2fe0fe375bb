//! `bauta demo`: the whole story on the sandbox carrier, told by a real service over real HTTP.
//!
//! The service runs in a folder of its own that goes when the demo ends. Every call is printed as a `curl` line that
//! can be repeated while the demo stays up.

mod client;
mod story;

use std::process;

use clap::Args;
use tokio::sync::oneshot;

use super::{CommandError, service_runtime};
use crate::app::{App, Doors};
use crate::config::{Config, Flags};

/// Tell the whole story on the sandbox carrier, with the HTTP calls it makes
#[derive(Args)]
pub struct Demo {
    /// Exit when the story is told, instead of staying up to be tried
    #[arg(long)]
    once: bool,
}

impl Demo {
    /// Runs the story; fails if any of it turns out untrue.
    pub fn run(self) -> Result<(), CommandError> {
        // The narration is on standard output; the service's own lines would only stand between.
        let folder = Folder::make()?;
        service_runtime()?.block_on(async {
            let flags =
                Flags { data: Some(folder.0.clone()), listen: Some(([127, 0, 0, 1], 0).into()), ..Flags::default() };
            let mut config = Config::load(&flags)?;
            let doors = Doors::bind(&mut config)?;
            let base = format!("http://{}", doors.address);
            let app = App::open(config).await?;
            let first = app.first_start("Rialto").await?;
            let (stop, stopped) = oneshot::channel::<()>();
            let server = actix_web::rt::spawn(app.serve(doors, async {
                let _ = stopped.await;
            }));
            let told = story::tell(&base, first).await;
            if told.is_ok() && !self.once {
                stay(&base).await;
            }
            let _ = stop.send(());
            let _ = server.await;
            told
        })
    }
}

async fn stay(base: &str) {
    say!("\nThe service stays up until Ctrl-C. Try the curl lines above, or open\n");
    say!("  {base}/sandbox   the handsets, in a browser");
    say!("  {base}/docs      every call, with its fields");
    let _ = tokio::signal::ctrl_c().await;
}

/// A folder that is there while the demo runs.
struct Folder(std::path::PathBuf);

impl Folder {
    fn make() -> Result<Self, CommandError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let unique = crate::ids::fresh::<crate::ids::Node>();
        let path = std::env::temp_dir().join(format!("bauta-demo-{}-{unique}", process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(CommandError::failed)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A temporary folder that cannot be removed is left to the system.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
