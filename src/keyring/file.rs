//! The file KMS: KEKs in `keks.json`, each wrapped by the root in `root.key`, both in one folder.
//!
//! Invariants: a root is made only for an empty store; both files are 0600; `keks.json` is replaced as a whole (written
//! beside, synced, renamed, folder synced) under an exclusive lock on `keks.lock`, after reading it again, so that a
//! command line beside the running service loses nothing. What another process changed is seen at the next use.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use data_encoding::HEXLOWER;

use super::kms::{Kms, KmsError};
use super::root;
use crate::crypto::{Key, aead};

/// A KMS in a folder of the local file system. Cheap to clone; clones share one cache.
#[derive(Clone)]
pub struct FileKms {
    folder: Arc<Folder>,
}

struct Folder {
    path: PathBuf,
    root: Key,
    seen: Mutex<Option<(Stamp, Arc<Keks>)>>,
}

/// KEK name to its wrapped bytes, lower-case hex.
type Keks = BTreeMap<String, String>;

/// Tells one `keks.json` from its successor: each one is a new file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl FileKms {
    /// Opens the KMS in `dir`. For an empty store, and only then, makes the folder (0700) and the root (0600) where
    /// there are none.
    ///
    /// # Errors
    /// Everything that is not exactly right stops the start: see [`KmsError`].
    pub fn open(dir: &Path, store_is_empty: bool) -> Result<Self, KmsError> {
        let keks_path = dir.join(KEKS);
        let may_make_root = store_is_empty && !keks_path.exists();
        let root = root::open(dir, may_make_root)?;
        if !store_is_empty && !keks_path.exists() {
            return Err(KmsError::KeksMissing { path: keks_path });
        }
        let folder = Folder { path: dir.to_owned(), root, seen: Mutex::new(None) };
        folder.check_root()?;
        Ok(Self { folder: Arc::new(folder) })
    }

    /// Runs file work off the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, KmsError> + Send + 'static,
    ) -> Result<T, KmsError> {
        let folder = Arc::clone(&self.folder);
        let path = self.folder.path.clone();
        tokio::task::spawn_blocking(move || work(&folder))
            .await
            .unwrap_or_else(|gone| Err(KmsError::Io { path, source: std::io::Error::other(gone) }))
    }
}

#[async_trait]
impl Kms for FileKms {
    async fn create(&self, kek: &str) -> Result<(), KmsError> {
        let kek = kek.to_owned();
        self.blocking(move |folder| {
            folder.change(|keks| {
                let entry = keks.entry(kek);
                let name = entry.key().clone();
                entry.or_insert_with(|| HEXLOWER.encode(&folder.wrap_kek(&name, &Key::fresh())));
            })
        })
        .await
    }

    async fn exists(&self, kek: &str) -> Result<bool, KmsError> {
        let kek = kek.to_owned();
        self.blocking(move |folder| Ok(folder.keks()?.contains_key(&kek))).await
    }

    async fn wrap(&self, kek: &str, aad: &[u8], key: &Key) -> Result<Vec<u8>, KmsError> {
        let name = kek.to_owned();
        let kek = self.blocking(move |folder| folder.kek(&name)).await?;
        Ok(aead::seal(&kek, aad, key.bytes()))
    }

    async fn unwrap(&self, kek: &str, aad: &[u8], wrapped: &[u8]) -> Result<Key, KmsError> {
        let name = kek.to_owned();
        let key = self.blocking(move |folder| folder.kek(&name)).await?;
        open_key(&key, aad, wrapped).ok_or_else(|| KmsError::Unopened(kek.to_owned()))
    }

    async fn destroy(&self, kek: &str) -> Result<(), KmsError> {
        let kek = kek.to_owned();
        self.blocking(move |folder| {
            folder.change(|keks| {
                keks.remove(&kek);
            })
        })
        .await
    }
}

impl Folder {
    /// One KEK is enough to tell whether the root belongs to the file.
    fn check_root(&self) -> Result<(), KmsError> {
        let keks = self.keks()?;
        let Some(name) = keks.keys().next() else { return Ok(()) };
        match self.kek(name) {
            Err(KmsError::Unopened(_)) => Err(KmsError::WrongRoot { path: self.path.join(root::ROOT) }),
            other => other.map(drop),
        }
    }

    fn kek(&self, name: &str) -> Result<Key, KmsError> {
        let keks = self.keks()?;
        let hex = keks.get(name).ok_or_else(|| KmsError::NoSuchKek(name.to_owned()))?;
        let wrapped = HEXLOWER.decode(hex.as_bytes()).map_err(|_| self.malformed())?;
        open_key(&self.root, &kek_aad(name), &wrapped).ok_or_else(|| KmsError::Unopened(name.to_owned()))
    }

    fn wrap_kek(&self, name: &str, kek: &Key) -> Vec<u8> {
        aead::seal(&self.root, &kek_aad(name), kek.bytes())
    }

    /// The file's content, read again whenever another file stands in its place.
    fn keks(&self) -> Result<Arc<Keks>, KmsError> {
        let path = self.path.join(KEKS);
        let stamp = match fs::metadata(&path) {
            Ok(found) => Stamp::of(&found),
            Err(none) if none.kind() == std::io::ErrorKind::NotFound => return Ok(Arc::default()),
            Err(source) => return Err(KmsError::Io { path, source }),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, keks)) = seen.as_ref()
            && *known == stamp
        {
            return Ok(Arc::clone(keks));
        }
        root::refuse_loose_file(&path)?;
        let text = fs::read(&path).map_err(|source| KmsError::Io { path, source })?;
        let keks: Arc<Keks> = Arc::new(serde_json::from_slice(&text).map_err(|_| self.malformed())?);
        *seen = Some((stamp, Arc::clone(&keks)));
        Ok(keks)
    }

    /// Reads, changes and replaces the file while no other process does.
    fn change(&self, edit: impl FnOnce(&mut Keks)) -> Result<(), KmsError> {
        let lock = self.path.join(LOCK);
        let io = |source| KmsError::Io { path: self.path.join(KEKS), source };
        let held = File::options().create(true).append(true).mode(0o600).open(&lock).map_err(io)?;
        held.lock().map_err(io)?;
        let before = self.keks()?;
        let mut after = Keks::clone(&before);
        edit(&mut after);
        if after == *before {
            return Ok(());
        }
        let text = serde_json::to_vec_pretty(&after).map_err(|_| self.malformed())?;
        self.replace(&text).map_err(io)
    }

    fn replace(&self, text: &[u8]) -> std::io::Result<()> {
        let beside = self.path.join(KEKS_NEW);
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        // A left-over of a crash keeps its mode: set it, whatever it was.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&beside, self.path.join(KEKS))?;
        File::open(&self.path)?.sync_all()
    }

    fn malformed(&self) -> KmsError {
        KmsError::Malformed { path: self.path.join(KEKS), fault: "not an object of names and hexadecimal keys" }
    }
}

impl Stamp {
    fn of(found: &fs::Metadata) -> Self {
        Self { inode: found.ino(), size: found.size(), modified: (found.mtime(), found.mtime_nsec()) }
    }
}

fn open_key(under: &Key, aad: &[u8], wrapped: &[u8]) -> Option<Key> {
    let opened = aead::open(under, aad, wrapped).ok()?;
    <[u8; 32]>::try_from(opened.as_slice()).ok().map(Key::new)
}

/// The name closes the associated data, so that no two names give the same bytes.
fn kek_aad(name: &str) -> Vec<u8> {
    [b"bauta/1|kek|", name.as_bytes()].concat()
}

const KEKS: &str = "keks.json";
const KEKS_NEW: &str = "keks.json.new";
const LOCK: &str = "keks.lock";

#[cfg(test)]
mod tests;
