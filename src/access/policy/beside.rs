//! The `*.toml` files beside the policies, each read by whoever it is for.
//!
//! A set is refused if one of them is not known or its owner cannot read it, so that a typing error in a name is not a
//! setting left out. An owner adds a line to [`KNOWN`].

use super::super::{BUDGETS_FILE, Budgets};
use super::PolicyError;
use crate::access::retention::{RETENTION_FILE, Retention};
use crate::guard::content::{CONTENT_FILE, Content};
use crate::guard::spend::{Caps, PRICES_FILE, Prices, SPEND_FILE};
use crate::phone::{OPERATORS_FILE, Operators};

/// Reads the text of one file; the error says line and mend.
pub(super) type Check = fn(&str) -> Result<(), String>;

/// Every file there is, by name.
const KNOWN: &[(&str, Check)] = &[
    (BUDGETS_FILE, |text| Budgets::parse(text).map(drop)),
    (RETENTION_FILE, |text| Retention::parse(text).map(drop)),
    (OPERATORS_FILE, |text| Operators::parse(text).map(drop)),
    (CONTENT_FILE, |text| Content::parse(text).map(drop)),
    (PRICES_FILE, |text| Prices::parse(text).map(drop)),
    (SPEND_FILE, |text| Caps::parse(text).map(drop)),
];

/// Whether a set may have a file of this name.
pub(super) fn knows(name: &str) -> bool {
    names().any(|known| known == name)
}

/// The names of all.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    registry().into_iter().map(|(name, _)| name)
}

/// Has the owner of `name` read `text`; files of other kinds pass.
pub(super) fn check(name: &str, text: &str) -> Result<(), PolicyError> {
    match registry().into_iter().find(|(known, _)| *known == name) {
        Some((_, check)) => check(text).map_err(|message| PolicyError::file(name, message)),
        None => Ok(()),
    }
}

/// [`KNOWN`], and in unit tests one more, so that there is something to refuse.
fn registry() -> Vec<(&'static str, Check)> {
    let mut known = KNOWN.to_vec();
    if cfg!(test) {
        known.push((
            "example.toml",
            |text| if text.contains("wrong") { Err("line 1: write right".into()) } else { Ok(()) },
        ));
    }
    known
}
