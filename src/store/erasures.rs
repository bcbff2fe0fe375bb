//! The list of what was erased, kept elsewhere than the store: a file of lines that only grows.
//!
//! Written and on disk before an erasure is answered, and read by a restore, so that a backup brings back nobody who is
//! gone. It holds keyed ids only: without the keys it names nobody. Invariants: mode 0600; one line at a time, under a
//! lock that other processes mind; a line that a crash cut short was never answered, and is taken away by the next.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{BlindIndex, StoreError};
use crate::clock::Timestamp;
use crate::ids::{RecordRef, TenantId};

/// The file.
#[derive(Clone, Debug)]
pub struct ErasureLog {
    path: PathBuf,
}

/// One line: what was erased, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureEntry {
    /// What a restore finds made after this moment is not meant.
    pub at: Timestamp,
    /// What.
    pub what: Erasing,
}

/// What was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "erased", rename_all = "snake_case", deny_unknown_fields)]
pub enum Erasing {
    /// One token record.
    Token {
        /// Whose.
        tenant: TenantId,
        /// Its keyed id.
        record: RecordRef,
    },
    /// Every sealed token of a person that carries a smaller epoch.
    Sealed {
        /// Whose.
        tenant: TenantId,
        /// The person in the list of erased people.
        #[serde(with = "hex")]
        person: BlindIndex,
        /// The epoch.
        epoch: u8,
    },
    /// Everything of a person, sealed tokens too.
    Subject {
        /// Whose.
        tenant: TenantId,
        /// The person in the list of erased people.
        #[serde(with = "hex")]
        person: BlindIndex,
        /// The epoch.
        epoch: u8,
    },
    /// A whole tenant.
    Tenant {
        /// Which.
        tenant: TenantId,
    },
}

#[derive(Serialize, Deserialize)]
struct Line {
    at: String,
    #[serde(flatten)]
    what: Erasing,
}

mod hex {
    use data_encoding::HEXLOWER;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use super::BlindIndex;

    pub(super) fn serialize<S: Serializer>(index: &BlindIndex, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(&index.0))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BlindIndex, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(BlindIndex).ok_or_else(|| D::Error::custom("not 32 hexadecimal digits"))
    }
}

impl ErasureLog {
    /// The list in the file at `path`, which is made with the first erasure.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line; it is on disk before this returns.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: then nothing may be said to be erased.
    pub async fn append(&self, entry: ErasureEntry) -> Result<(), StoreError> {
        let path = self.path.clone();
        let line = Line { at: entry.at.to_string(), what: entry.what };
        let written = tokio::task::spawn_blocking(move || {
            let mut text = serde_json::to_vec(&line)?;
            text.push(b'\n');
            append(&path, &text)
        });
        let written = written.await.unwrap_or_else(|gone| Err(std::io::Error::other(gone)));
        written.map_err(|error| StoreError::Unavailable(format!("the list of erasures: {}", error.kind())))
    }

    /// Every line, oldest first; none if there is no file. A last line that was cut short is left out.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if another line cannot be read, [`StoreError::Unavailable`] if the file cannot.
    pub fn read(&self) -> Result<Vec<ErasureEntry>, StoreError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(none) if none.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::Unavailable(format!("the list of erasures: {}", error.kind()))),
        };
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
        whole.lines().map(|line| entry(line).ok_or(StoreError::Corrupt("line in the list of erasures"))).collect()
    }
}

fn entry(line: &str) -> Option<ErasureEntry> {
    let line: Line = serde_json::from_str(line).ok()?;
    Some(ErasureEntry { at: Timestamp::parse(&line.at)?, what: line.what })
}

fn append(path: &Path, line: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let is_new = !path.exists();
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.lock()?;
    let end = whole_lines(&mut file)?;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    file.write_all(line)?;
    file.sync_all()?;
    if is_new { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The length of the lines that are whole.
fn whole_lines(file: &mut File) -> std::io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut last = [0];
    while end > 0 {
        file.seek(SeekFrom::Start(end - 1))?;
        file.read_exact(&mut last)?;
        if last == *b"\n" {
            break;
        }
        end -= 1;
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::ids;

    fn entries() -> Vec<ErasureEntry> {
        let tenant: TenantId = ids::from_bytes([1; 16]);
        let at = Timestamp::from_millis(1_795_000_000_000);
        let person = BlindIndex([7; 16]);
        [
            Erasing::Token { tenant, record: ids::from_bytes([2; 16]) },
            Erasing::Sealed { tenant, person, epoch: 3 },
            Erasing::Subject { tenant, person, epoch: 4 },
            Erasing::Tenant { tenant },
        ]
        .map(|what| ErasureEntry { at, what })
        .to_vec()
    }

    #[tokio::test]
    async fn what_was_appended_is_read_in_order_and_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let list = ErasureLog::at(folder.path().join("elsewhere/erasures.log"));
        assert_eq!(list.read().unwrap(), []);
        for entry in entries() {
            list.append(entry).await.unwrap();
        }
        assert_eq!(list.read().unwrap(), entries());
        let mode = std::fs::metadata(list.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_line_cut_short_by_a_crash_is_left_out_and_spoils_none_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let list = ErasureLog::at(folder.path().join("erasures.log"));
        let mut all = entries().into_iter();
        let (first, second) = (all.next().unwrap(), all.next().unwrap());
        list.append(first.clone()).await.unwrap();
        let mut torn = std::fs::read(list.path()).unwrap();
        torn.extend(b"{\"at\":\"2026-");
        std::fs::write(list.path(), torn).unwrap();
        assert_eq!(list.read().unwrap(), std::slice::from_ref(&first));
        list.append(second.clone()).await.unwrap();
        assert_eq!(list.read().unwrap(), [first, second]);
    }

    #[test]
    fn a_line_that_cannot_be_read_stops_a_restore() {
        let folder = tempfile::tempdir().unwrap();
        let list = ErasureLog::at(folder.path().join("erasures.log"));
        std::fs::write(list.path(), "{\"at\":\"2026-01-01T00:00:00Z\",\"erased\":\"moon\"}\n").unwrap();
        assert!(matches!(list.read(), Err(StoreError::Corrupt(_))));
    }
}
