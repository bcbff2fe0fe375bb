//! `bauta serve`.

use std::io::IsTerminal as _;
use std::net::SocketAddr;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{CommandError, Place, service_runtime};
use crate::app::{App, Doors, FirstStart};
use crate::config::{Config, Flags};
use crate::telemetry;

/// Run the service
#[derive(Args)]
pub struct Serve {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

impl Serve {
    /// Runs until SIGTERM or SIGINT, then drains.
    pub fn run(self, place: &Place) -> Result<(), CommandError> {
        let flags = Flags { config: place.config.clone(), data: place.data.clone(), listen: self.listen };
        let mut config = Config::load(&flags)?;
        telemetry::start();
        service_runtime()?.block_on(async {
            let doors = Doors::bind(&mut config)?;
            let app = App::open(config).await?;
            if let Some(first) = app.first_start("Test").await? {
                welcome(&app, &first)?;
            }
            app.serve(doors, asked_to_stop()).await?;
            tracing::info!("stopped");
            Ok(())
        })
    }
}

/// Hands the first credential over: to a terminal, else in a file that only its owner can read.
fn welcome(app: &App, first: &FirstStart) -> Result<(), CommandError> {
    if std::io::stdout().is_terminal() {
        say!(
            "First start. Test tenant {} and its admin's key, shown this once:\n\n  {}\n",
            first.tenant,
            first.key.as_str()
        );
        say!("Next: give others their own keys with POST /v1/credentials, or read /docs.");
        return Ok(());
    }
    let path = app.keep_first_key(first)?;
    tracing::info!(path = %path.display(), tenant = %first.tenant, "first start: the admin's key is in this file; move it to where secrets are kept");
    Ok(())
}

async fn asked_to_stop() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::warn!("no signals can be received; stop the process to stop the service");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
