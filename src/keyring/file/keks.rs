//! What `keks.json` holds: a name, and the wrapped versions of its KEK, the newest first.
//!
//! A KEK of one version stands as its bare text, several as a list.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::crypto::{Key, aead};

/// KEKs by name.
pub(super) type Keks = BTreeMap<String, Kek>;

/// The versions of one KEK, wrapped, in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(super) struct Kek(Vec<String>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    One(String),
    Many(Vec<String>),
}

impl From<Written> for Kek {
    fn from(written: Written) -> Self {
        match written {
            Written::One(one) => Self(vec![one]),
            Written::Many(many) => Self(many),
        }
    }
}

impl From<Kek> for Written {
    fn from(mut kek: Kek) -> Self {
        match (kek.0.len(), kek.0.pop()) {
            (1, Some(one)) => Self::One(one),
            (_, last) => {
                kek.0.extend(last);
                Self::Many(kek.0)
            }
        }
    }
}

/// Why a KEK cannot be had from what is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No hexadecimal digits.
    Malformed,
    /// Not under this root.
    Unopened,
}

impl Kek {
    /// A KEK of one version.
    pub(super) fn fresh(root: &Key, name: &str) -> Self {
        Self(vec![wrap(root, name, &Key::fresh())])
    }

    /// Puts a new version before the others.
    pub(super) fn rotate(&mut self, root: &Key, name: &str) {
        self.0.insert(0, wrap(root, name, &Key::fresh()));
    }

    /// Forgets all versions but the newest.
    pub(super) fn prune(&mut self) {
        self.0.truncate(1);
    }

    /// The versions, the newest first; at least one.
    pub(super) fn open(&self, root: &Key, name: &str) -> Result<Vec<Key>, Fault> {
        if self.0.is_empty() {
            return Err(Fault::Malformed);
        }
        self.0.iter().map(|text| open(root, name, text)).collect()
    }

    /// The same versions under another root.
    pub(super) fn move_to(&self, root: &Key, next: &Key, name: &str) -> Result<Self, Fault> {
        Ok(Self(self.open(root, name)?.iter().map(|kek| wrap(next, name, kek)).collect()))
    }
}

fn wrap(root: &Key, name: &str, kek: &Key) -> String {
    HEXLOWER.encode(&aead::seal(root, &aad(name), kek.bytes().as_slice()))
}

fn open(root: &Key, name: &str, text: &str) -> Result<Key, Fault> {
    let wrapped = HEXLOWER.decode(text.as_bytes()).map_err(|_| Fault::Malformed)?;
    super::open_key(root, &aad(name), &wrapped).ok_or(Fault::Unopened)
}

/// The name closes the associated data, so that no two names give the same bytes.
fn aad(name: &str) -> Vec<u8> {
    [b"bauta/1|kek|", name.as_bytes()].concat()
}
