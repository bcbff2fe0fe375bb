//! `[policies]`: where policies to begin with are, and whose people keep them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::ids::TenantId;

/// The section as people write it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPolicies {
    dir: Option<PathBuf>,
    tenant: Option<String>,
}

impl RawPolicies {
    /// The folder, which has to be there.
    pub(super) fn folder(&self, at: &dyn Fn(&Path) -> PathBuf, place: &str) -> Result<Option<PathBuf>, ConfigError> {
        let Some(dir) = &self.dir else { return Ok(None) };
        let dir = at(dir);
        if !dir.is_dir() {
            return Err(ConfigError::new(
                place,
                "policies.dir",
                "is no folder; name one with .cedar files or leave it out for the built-in policies",
            ));
        }
        Ok(Some(dir))
    }

    /// The tenant that keeps the policies, if one is named.
    pub(super) fn keeper(&self, place: &str) -> Result<Option<TenantId>, ConfigError> {
        let wrong = || ConfigError::new(place, "policies.tenant", "is no tenant; write its id, \"ten_…\"");
        self.tenant.as_deref().map(|id| id.parse().map_err(|_| wrong())).transpose()
    }
}
