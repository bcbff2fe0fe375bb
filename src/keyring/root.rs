//! The root key of the file KMS: 32 random bytes, as 64 hexadecimal digits, in `root.key`, mode 0600.
//!
//! Invariants: made at most once, and whole or not at all (written beside, synced, linked into place); a file that
//! others could read, or a folder where others could replace it, is refused with the mend.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use super::kms::KmsError;
use crate::crypto::{self, Key};

/// The file's name within the folder.
pub(super) const ROOT: &str = "root.key";

/// The root that is about to take its place: there only while KEKs are moved under it, or after a crash in between.
pub(super) const NEXT: &str = "root.key.next";

/// Reads the root in `dir`, making it first where there is none and `may_make` says so.
pub(super) fn open(dir: &Path, may_make: bool) -> Result<Key, KmsError> {
    let path = dir.join(ROOT);
    if !path.exists() {
        if !may_make {
            return Err(KmsError::RootMissing { path });
        }
        make_folder(dir)?;
        refuse_loose_folder(dir)?;
        make(dir).map_err(|source| KmsError::Io { path: path.clone(), source })?;
    }
    refuse_loose_folder(dir)?;
    refuse_loose_file(&path)?;
    read(path)
}

/// Refuses a file that anyone but its owner may read, write or run.
pub(super) fn refuse_loose_file(path: &Path) -> Result<(), KmsError> {
    match mode(path)? {
        mode if mode & 0o077 != 0 => Err(KmsError::LooseFile { path: path.to_owned(), mode }),
        _ => Ok(()),
    }
}

fn refuse_loose_folder(dir: &Path) -> Result<(), KmsError> {
    match mode(dir)? {
        mode if mode & 0o022 != 0 => Err(KmsError::LooseFolder { path: dir.to_owned(), mode }),
        _ => Ok(()),
    }
}

fn mode(path: &Path) -> Result<u32, KmsError> {
    let found = fs::metadata(path).map_err(|source| KmsError::Io { path: path.to_owned(), source })?;
    Ok(found.permissions().mode() & 0o7777)
}

pub(super) fn make_folder(dir: &Path) -> Result<(), KmsError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| KmsError::Io { path: dir.to_owned(), source })
}

/// Of several processes that start at once, one makes the root; the others find it whole.
fn make(dir: &Path) -> std::io::Result<()> {
    let beside = dir.join(format!("{ROOT}.{}.new", HEXLOWER.encode(&crypto::random::<8>())));
    let written = write(&beside);
    let linked = written.and_then(|()| match fs::hard_link(&beside, dir.join(ROOT)) {
        Err(other) if other.kind() != ErrorKind::AlreadyExists => Err(other),
        _ => Ok(()),
    });
    fs::remove_file(&beside)?;
    linked?;
    File::open(dir)?.sync_all()
}

fn write(path: &Path) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    // The process's umask may have taken bits away; the owner must be able to read it.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(&text(&Key::fresh()))?;
    file.sync_all()
}

/// How a root stands in its file.
pub(super) fn text(root: &Key) -> Zeroizing<Vec<u8>> {
    let digits = Zeroizing::new(HEXLOWER.encode(root.bytes().as_slice()));
    Zeroizing::new([digits.as_bytes(), b"\n"].concat())
}

/// Puts `text` in the place of the file `name` as a whole: written beside, synced, renamed, folder synced; mode 0600.
pub(super) fn replace(dir: &Path, name: &str, text: &[u8]) -> std::io::Result<()> {
    let beside = dir.join(format!("{name}.new"));
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    // A left-over of a crash keeps its mode: set it, whatever it was.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&beside, dir.join(name))?;
    File::open(dir)?.sync_all()
}

pub(super) fn read(path: PathBuf) -> Result<Key, KmsError> {
    let text = match fs::read(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(source) => return Err(KmsError::Io { path, source }),
    };
    let decoded = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(text.trim_ascii()).unwrap_or_default());
    match <[u8; 32]>::try_from(decoded.as_slice()) {
        Ok(secret) => Ok(Key::new(secret)),
        Err(_) => Err(KmsError::Malformed { path, fault: "not 64 hexadecimal digits" }),
    }
}
