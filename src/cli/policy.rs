//! `bauta policy check`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{CommandError, Place};
use crate::access::Policies;

/// Access policies
#[derive(Subcommand)]
pub enum Policy {
    /// Check a folder of policies against their schema, as the start of the service does
    Check {
        /// The folder [default: the one of the settings, else the built-in policies]
        dir: Option<PathBuf>,
    },
}

impl Policy {
    /// Prints the version and the policies, or what is wrong with them.
    pub fn run(self, place: &Place) -> Result<(), CommandError> {
        let Self::Check { dir } = self;
        let dir = match dir {
            Some(dir) => Some(dir),
            None => place.settings()?.policies,
        };
        let policies = Policies::load(dir.as_deref()).map_err(CommandError::failed)?;
        say!("version {}", policies.version());
        for policy in policies.summaries() {
            say!("  {:<6}  {}  {}:{}", policy.effect, policy.id, policy.file, policy.line);
        }
        Ok(())
    }
}
