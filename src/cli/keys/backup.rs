//! `bauta keys backup` and `restore`: apart from the store's backup, so that whoever has one of the two has nothing.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{CommandError, Place, of_deployment, passphrase};
use crate::config::KmsKind;
use crate::keyring::{FileKms, Kms as _, open_backup, seal_backup};

/// Where to
#[derive(Args)]
pub struct Backup {
    /// Where to; never beside the store's backup
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// A file that holds the passphrase [default: BAUTA_KEY_PASSPHRASE, else typed]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// From where
#[derive(Args)]
pub struct Restore {
    /// The backup
    file: PathBuf,
    /// A file that holds the passphrase [default: BAUTA_KEY_PASSPHRASE, else typed]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Backup {
    pub(super) fn run(self, place: &Place) -> Result<(), CommandError> {
        let config = place.settings()?;
        let secret = match config.kms {
            KmsKind::File => Some(passphrase(self.passphrase_file.as_ref(), true)?),
            KmsKind::Transit(_) | KmsKind::Pkcs11(_) => None,
        };
        place.with_app(async |app| {
            // What cannot be told of is not done.
            let permit = of_deployment(&app).await?;
            let (holder, keks) = app.access.back_up_keks(&permit).await.map_err(CommandError::failed)?;
            let text = match (&secret, &config.kms) {
                (Some(secret), _) => {
                    let files = FileKms::open(&config.keys, false).and_then(|kms| kms.files());
                    seal_backup(&files.map_err(CommandError::failed)?, secret).map_err(CommandError::failed)?
                }
                (None, kind) => names(&holder, &keks, kind),
            };
            write(&self.output, &text).map_err(|e| CommandError::Failed(format!("{}: {e}", self.output.display())))?;
            say!("{} key-encryption keys of {holder} in {}", keks.len(), self.output.display());
            if let Some(how) = how(&config.kms) {
                say!("{how}");
            }
            Ok(())
        })
    }
}

impl Restore {
    pub(super) fn run(self, place: &Place) -> Result<(), CommandError> {
        let config = place.settings()?;
        if let Some(how) = how(&config.kms) {
            return Err(CommandError::Usage(format!("the settings name another kind of KMS. {how}")));
        }
        let text = std::fs::read_to_string(&self.file);
        let text = text.map_err(|e| CommandError::Usage(format!("{}: {}", self.file.display(), e.kind())))?;
        let secret = passphrase(self.passphrase_file.as_ref(), false)?;
        let files = open_backup(&text, &secret).map_err(CommandError::failed)?;
        let kms = FileKms::restore(&config.keys, &files).map_err(CommandError::failed)?;
        let keks = super::super::runtime()?.block_on(kms.names()).map_err(CommandError::failed)?;
        say!("{} key-encryption keys in {}; now check: bauta keys list", keks.len(), config.keys.display());
        Ok(())
    }
}

/// How a KMS that holds its keys itself is backed up; none for the file KMS.
fn how(kind: &KmsKind) -> Option<&'static str> {
    match kind {
        KmsKind::File => None,
        KmsKind::Transit(_) => Some(
            "The keys themselves stay in the server: back it up with `bao operator raft snapshot save FILE`, restore it \
             with `bao operator raft snapshot restore FILE`, and keep its unseal keys apart.",
        ),
        KmsKind::Pkcs11(_) => Some(
            "The keys themselves stay in the token: clone or back it up with the vendor's tool (for SoftHSM: copy its \
             token folder while nothing uses it).",
        ),
    }
}

/// What can be written down of keys that do not leave their KMS: their names, to be compared after a restore.
fn names(holder: &str, keks: &[String], kind: &KmsKind) -> String {
    let list = json!({"format": "bauta key names 1", "kms": holder, "keks": keks, "backup": how(kind)});
    format!("{list:#}\n")
}

/// A file for its owner alone, there whole or not at all; one that exists is not written over.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
