//! A backup of the file KMS: root and KEKs in one file, sealed under a passphrase.
//!
//! The key comes from the passphrase by Argon2id (RFC 9106), with 64 MiB of memory and three passes, so that guessing is
//! dear; parameters and salt stand in the file and are bound to what is sealed. Apart from the store's backup: whoever has
//! one of the two has nothing.

use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::file::KeyFiles;
use crate::crypto::{self, Key, aead};

/// Why a backup cannot be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// Too easily guessed.
    #[error("the passphrase is too short: 12 characters or more")]
    ShortPassphrase,
    /// Another format, or changed.
    #[error("this is no key backup that this version of bauta reads")]
    Malformed,
    /// The passphrase is another, or the file was changed.
    #[error("the backup does not open: the passphrase is another, or the file was changed")]
    Unopened,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    format: String,
    kdf: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
    sealed: String,
}

impl Sealed {
    fn aad(&self) -> Vec<u8> {
        let Self { format, kdf, memory_kib, passes, lanes, salt, .. } = self;
        format!("{format}|{kdf}|{memory_kib}|{passes}|{lanes}|{salt}").into_bytes()
    }

    fn key(&self, passphrase: &str) -> Result<Key, BackupError> {
        let bounds = self.kdf == KDF && self.memory_kib <= 1 << 20 && self.passes <= 16 && self.lanes <= 16;
        if self.format != FORMAT || !bounds {
            return Err(BackupError::Malformed);
        }
        let salt = BASE64.decode(self.salt.as_bytes()).map_err(|_| BackupError::Malformed)?;
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32));
        let params = params.map_err(|_| BackupError::Malformed)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &salt, key.as_mut_slice())
            .map_err(|_| BackupError::Malformed)?;
        Ok(Key::new(*key))
    }
}

/// The text of a backup of these files. Takes a few hundred milliseconds and 64 MiB.
///
/// # Errors
/// [`BackupError::ShortPassphrase`].
pub fn seal(files: &KeyFiles, passphrase: &str) -> Result<String, BackupError> {
    if passphrase.chars().count() < 12 {
        return Err(BackupError::ShortPassphrase);
    }
    let mut backup = Sealed {
        format: FORMAT.to_owned(),
        kdf: KDF.to_owned(),
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 1,
        salt: BASE64.encode(&crypto::random::<16>()),
        sealed: String::new(),
    };
    let mut plain = Zeroizing::new(Vec::with_capacity(8 + files.root.len() + files.keks.len()));
    plain.extend_from_slice(&(files.root.len() as u64).to_be_bytes());
    plain.extend_from_slice(&files.root);
    plain.extend_from_slice(&files.keks);
    backup.sealed = BASE64.encode(&aead::seal(&backup.key(passphrase)?, &backup.aad(), &plain));
    serde_json::to_string_pretty(&backup).map_err(|_| BackupError::Malformed)
}

/// The files that a backup holds.
///
/// # Errors
/// [`BackupError::Malformed`], [`BackupError::Unopened`].
pub fn open(text: &str, passphrase: &str) -> Result<KeyFiles, BackupError> {
    let backup: Sealed = serde_json::from_str(text).map_err(|_| BackupError::Malformed)?;
    let sealed = BASE64.decode(backup.sealed.as_bytes()).map_err(|_| BackupError::Malformed)?;
    let key = backup.key(passphrase)?;
    let mut plain = aead::open(&key, &backup.aad(), &sealed).map_err(|_| BackupError::Unopened)?;
    let (length, rest) = plain.split_first_chunk::<8>().ok_or(BackupError::Malformed)?;
    let length = usize::try_from(u64::from_be_bytes(*length)).map_err(|_| BackupError::Malformed)?;
    let (root, keks) = rest.split_at_checked(length).ok_or(BackupError::Malformed)?;
    let files = KeyFiles { root: Zeroizing::new(root.to_vec()), keks: Zeroizing::new(keks.to_vec()) };
    plain.zeroize();
    Ok(files)
}

const FORMAT: &str = "bauta key backup 1";
const KDF: &str = "argon2id";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn files() -> KeyFiles {
        KeyFiles { root: Zeroizing::new(b"root".to_vec()), keks: Zeroizing::new(b"{\"system\":\"00\"}".to_vec()) }
    }

    #[test]
    fn a_backup_opens_with_its_passphrase_alone_and_shows_nothing() {
        let text = seal(&files(), "twelve or more letters").unwrap();
        assert!(!text.contains("system"));
        let opened = open(&text, "twelve or more letters").unwrap();
        assert_eq!((opened.root.as_slice(), opened.keks.as_slice()), (&b"root"[..], &b"{\"system\":\"00\"}"[..]));
        assert_eq!(open(&text, "twelve or more letterz").err(), Some(BackupError::Unopened));
        assert_ne!(text, seal(&files(), "twelve or more letters").unwrap());
    }

    #[test]
    fn a_short_passphrase_and_a_changed_file_are_refused() {
        assert_eq!(seal(&files(), "eleven char").err(), Some(BackupError::ShortPassphrase));
        let text = seal(&files(), "twelve or more letters").unwrap();
        for (from, to) in [("\"passes\": 3", "\"passes\": 2"), ("backup 1", "backup 2"), ("argon2id", "argon2i")] {
            assert!(open(&text.replace(from, to), "twelve or more letters").is_err(), "{from}");
        }
        assert_eq!(open("{}", "twelve or more letters").err(), Some(BackupError::Malformed));
        assert!(open(&text.replace("65536", "4294967295"), "twelve or more letters").is_err(), "no unbounded memory");
    }
}
