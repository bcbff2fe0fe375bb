//! The file KMS: KEKs in `keks.json`, each wrapped by the root in `root.key`, both in one folder.
//!
//! Invariants: a root is made only for an empty store; both files are 0600; `keks.json` is replaced as a whole (written
//! beside, synced, renamed, folder synced) under an exclusive lock on `keks.lock`, after reading it again, so that a
//! command line beside the running service loses nothing. What another process changed is seen at the next use.
//! A new root stands beside the old one as `root.key.next` until every KEK is under it, so that a crash leaves one of
//! the two that opens them.

mod keks;

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use zeroize::Zeroizing;

use self::keks::{Fault, Kek, Keks};
use super::kms::{Kms, KmsError};
use super::root;
use crate::crypto::{self, Key, aead};

/// A KMS in a folder of the local file system. Cheap to clone; clones share one cache.
#[derive(Clone)]
pub struct FileKms {
    folder: Arc<Folder>,
}

struct Folder {
    path: PathBuf,
    root: Mutex<Arc<Key>>,
    seen: Mutex<Option<(Stamp, Arc<Keks>)>>,
}

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
        let folder = Folder { path: dir.to_owned(), root: Mutex::new(Arc::new(root)), seen: Mutex::new(None) };
        folder.check_root()?;
        Ok(Self { folder: Arc::new(folder) })
    }

    /// Root and KEKs as they stand in their files, for a backup.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn files(&self) -> Result<KeyFiles, KmsError> {
        let folder = &self.folder;
        let _held = folder.lock()?;
        folder.settle_root()?;
        let read = |name: &str| {
            let path = folder.path.join(name);
            fs::read(&path).map(Zeroizing::new).map_err(|source| KmsError::Io { path, source })
        };
        Ok(KeyFiles { root: read(root::ROOT)?, keks: read(KEKS)? })
    }

    /// Puts the files of a backup into `dir`, which may hold none yet.
    ///
    /// # Errors
    /// [`KmsError::Setting`] if there are keys already; what [`Self::open`] says of files that do not belong together.
    pub fn restore(dir: &Path, files: &KeyFiles) -> Result<Self, KmsError> {
        if [root::ROOT, KEKS].iter().any(|name| dir.join(name).exists()) {
            let mend = format!("{} holds keys already; restore into an empty folder", dir.display());
            return Err(KmsError::Setting { key: "kms.path", mend });
        }
        root::make_folder(dir)?;
        for (name, text) in [(KEKS, &files.keks), (root::ROOT, &files.root)] {
            root::replace(dir, name, text).map_err(|source| KmsError::Io { path: dir.join(name), source })?;
        }
        Self::open(dir, false)
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

/// What the folder holds, as a backup keeps it.
pub struct KeyFiles {
    /// `root.key`
    pub root: Zeroizing<Vec<u8>>,
    /// `keks.json`
    pub keks: Zeroizing<Vec<u8>>,
}

#[async_trait]
impl Kms for FileKms {
    fn place(&self) -> String {
        format!("file {}", self.folder.path.display())
    }

    async fn create(&self, kek: &str) -> Result<(), KmsError> {
        let kek = kek.to_owned();
        self.blocking(move |folder| {
            folder.change(|keks, root| {
                keks.entry(kek.clone()).or_insert_with(|| Kek::fresh(root, &kek));
                Ok(())
            })
        })
        .await
    }

    async fn names(&self) -> Result<Vec<String>, KmsError> {
        self.blocking(|folder| Ok(folder.keks()?.keys().cloned().collect())).await
    }

    async fn rotate(&self, kek: &str) -> Result<(), KmsError> {
        let kek = kek.to_owned();
        self.blocking(move |folder| {
            folder.change(|keks, root| {
                keks.get_mut(&kek).ok_or_else(|| KmsError::NoSuchKek(kek.clone()))?.rotate(root, &kek);
                Ok(())
            })
        })
        .await
    }

    async fn prune(&self, kek: &str) -> Result<(), KmsError> {
        let kek = kek.to_owned();
        self.blocking(move |folder| {
            folder.change(|keks, _| {
                keks.get_mut(&kek).ok_or_else(|| KmsError::NoSuchKek(kek.clone()))?.prune();
                Ok(())
            })
        })
        .await
    }

    async fn rotate_root(&self) -> Result<(), KmsError> {
        self.blocking(Folder::rotate_root).await
    }

    async fn exists(&self, kek: &str) -> Result<bool, KmsError> {
        let kek = kek.to_owned();
        self.blocking(move |folder| Ok(folder.keks()?.contains_key(&kek))).await
    }

    async fn wrap(&self, kek: &str, aad: &[u8], key: &Key) -> Result<Vec<u8>, KmsError> {
        let name = kek.to_owned();
        let versions = self.blocking(move |folder| folder.kek(&name)).await?;
        let newest = versions.first().ok_or_else(|| KmsError::NoSuchKek(kek.to_owned()))?;
        Ok(aead::seal(newest, aad, key.bytes().as_slice()))
    }

    async fn unwrap(&self, kek: &str, aad: &[u8], wrapped: &[u8]) -> Result<Key, KmsError> {
        let name = kek.to_owned();
        let versions = self.blocking(move |folder| folder.kek(&name)).await?;
        let opened = versions.iter().find_map(|version| open_key(version, aad, wrapped));
        opened.ok_or_else(|| KmsError::Unopened(kek.to_owned()))
    }

    async fn destroy(&self, kek: &str) -> Result<(), KmsError> {
        let kek = kek.to_owned();
        self.blocking(move |folder| {
            folder.change(|keks, _| {
                keks.remove(&kek);
                Ok(())
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

    /// The versions of a KEK, the newest first. Another process may have changed the root since it was read.
    fn kek(&self, name: &str) -> Result<Vec<Key>, KmsError> {
        let keks = self.keks()?;
        let kek = keks.get(name).ok_or_else(|| KmsError::NoSuchKek(name.to_owned()))?;
        let mut opened = kek.open(&self.root(), name);
        for file in [root::ROOT, root::NEXT] {
            let path = self.path.join(file);
            if matches!(opened, Err(Fault::Unopened)) && path.exists() {
                let other = root::read(path)?;
                opened = kek.open(&other, name);
                if opened.is_ok() {
                    *self.root.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(other);
                }
            }
        }
        opened.map_err(|fault| self.fault(fault, name))
    }

    fn root(&self) -> Arc<Key> {
        Arc::clone(&self.root.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fault(&self, fault: Fault, name: &str) -> KmsError {
        match fault {
            Fault::Malformed => self.malformed(),
            Fault::Unopened => KmsError::Unopened(name.to_owned()),
        }
    }

    /// Puts every KEK under a new root. Whichever step is the last one done, one of the two roots opens the KEKs.
    fn rotate_root(&self) -> Result<(), KmsError> {
        let io = |source| KmsError::Io { path: self.path.join(root::ROOT), source };
        let _held = self.lock()?;
        self.settle_root()?;
        let (old, keks) = (self.root(), self.keks()?);
        let next = Key::fresh();
        let moved = keks.iter().map(|(name, kek)| {
            let kek = kek.move_to(&old, &next, name).map_err(|fault| self.fault(fault, name))?;
            Ok((name.clone(), kek))
        });
        let moved = moved.collect::<Result<Keks, KmsError>>()?;
        root::replace(&self.path, root::NEXT, &root::text(&next)).map_err(io)?;
        self.write(&moved)?;
        self.settle_root()
    }

    /// Ends a change of the root that was begun: the next one takes the place of the root if the KEKs are under it
    /// already, else it goes. Under the lock.
    fn settle_root(&self) -> Result<(), KmsError> {
        let (now, next) = (self.path.join(root::ROOT), self.path.join(root::NEXT));
        let io = |source| KmsError::Io { path: now.clone(), source };
        self.check_root()?;
        if !next.exists() {
            return Ok(());
        }
        let in_force = self.root();
        let is_moved = !self.keks()?.is_empty()
            && crypto::equal(in_force.bytes().as_slice(), root::read(next.clone())?.bytes().as_slice());
        if is_moved { fs::rename(&next, &now) } else { fs::remove_file(&next) }.map_err(io)?;
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(io)
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
    fn change(&self, edit: impl FnOnce(&mut Keks, &Key) -> Result<(), KmsError>) -> Result<(), KmsError> {
        let _held = self.lock()?;
        // Under the lock, the root that opens what is there is the root to wrap with.
        self.settle_root()?;
        let before = self.keks()?;
        let mut after = Keks::clone(&before);
        edit(&mut after, &self.root())?;
        if after == *before { Ok(()) } else { self.write(&after) }
    }

    fn lock(&self) -> Result<File, KmsError> {
        let path = self.path.join(LOCK);
        let opened = File::options().create(true).append(true).mode(0o600).open(&path);
        let locked = opened.and_then(|file| file.lock().map(|()| file));
        locked.map_err(|source| KmsError::Io { path, source })
    }

    fn write(&self, keks: &Keks) -> Result<(), KmsError> {
        let text = serde_json::to_vec_pretty(keks).map_err(|_| self.malformed())?;
        root::replace(&self.path, KEKS, &text).map_err(|source| KmsError::Io { path: self.path.join(KEKS), source })
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

const KEKS: &str = "keks.json";
const LOCK: &str = "keks.lock";

#[cfg(test)]
mod tests;
