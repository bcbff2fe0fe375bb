//! `bauta keys list`.

use super::{CommandError, of_deployment};
use crate::app::App;
use crate::ids::TenantId;
use crate::keyring::KeyView;

/// Prints one line for each key version, then what is wrong or under way.
pub(super) async fn run(app: &App, tenant: Option<TenantId>) -> Result<(), CommandError> {
    let permit = of_deployment(app).await?;
    let (keys, pass) = app.access.keys(&permit).await.map_err(CommandError::failed)?;
    let tenant = tenant.map(|tenant| tenant.to_string());
    for key in keys.iter().filter(|key| tenant.as_ref().is_none_or(|tenant| *tenant == key.owner)) {
        say!("{}", line(key));
    }
    if let Some(pass) = pass {
        let kind = pass.kind.as_str();
        say!(
            "re-encrypting since {}: at {kind}, {} rows looked through, {} of {} older ciphertexts done",
            pass.started_at,
            pass.looked,
            pass.resealed,
            pass.stale
        );
    }
    let (place, keks) = app.keks().await?;
    say!("{} key-encryption keys in {place}", keks.len());
    for owner in missing(&keys, &keks) {
        say!(
            "{owner}: its key-encryption key is gone, so its keys do not open; restore the KMS's backup if that was not meant"
        );
    }
    Ok(())
}

fn line(key: &KeyView) -> String {
    let uses = key.uses.map_or_else(String::new, |uses| format!("  up to {uses} uses"));
    format!(
        "{:<30}  {:<10}  v{:<3}  {:<7}  since {}{uses}",
        key.owner,
        key.purpose,
        key.version,
        key.state.as_str(),
        key.created_at
    )
}

/// Owners of keys whose KEK the KMS does not hold.
fn missing<'a>(keys: &'a [KeyView], keks: &[String]) -> Vec<&'a str> {
    let mut owners: Vec<_> =
        keys.iter().map(|key| key.owner.as_str()).filter(|o| !keks.iter().any(|k| k == o)).collect();
    owners.dedup();
    owners
}
