//! Which KMS the settings name.

use std::sync::Arc;

use crate::config::{Config, KmsKind};
use crate::keyring::{FileKms, Kms, KmsError, Pkcs11Kms, TransitKms};

/// Opens the KMS of the settings. For an empty store, and only then, the file KMS makes its root.
pub(super) async fn open(config: &Config, store_is_empty: bool) -> Result<Arc<dyn Kms>, KmsError> {
    Ok(match &config.kms {
        KmsKind::File => Arc::new(FileKms::open(&config.keys, store_is_empty)?),
        KmsKind::Transit(settings) => Arc::new(TransitKms::new(settings.clone())?),
        KmsKind::Pkcs11(settings) => Arc::new(Pkcs11Kms::open(settings.clone()).await?),
    })
}
