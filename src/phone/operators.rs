//! Which operator serves a number, as far as its leading digits tell: a table that `policies/operators.toml` fills.
//!
//! A prefix says to whom a range was given, not where a number is since its owner changed: that only a look-up at the
//! country's number portability would tell.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Deserialize;

use super::bearing::{Bearing, Prefix};

/// The file's name in a set of policies.
pub const OPERATORS_FILE: &str = "operators.toml";

/// What holds where a set of policies has no such file.
const SHIPPED: &str = include_str!("../../policies/operators.toml");

/// Operators by prefix; the longest that fits tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operators {
    by_prefix: HashMap<Prefix, Arc<str>>,
    names: BTreeSet<Arc<str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    operator: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    prefixes: Vec<String>,
}

impl Operators {
    /// What comes with the program.
    pub fn shipped() -> Self {
        // A test reads the file; should it ever not be readable, no operator is known.
        Self::parse(SHIPPED).unwrap_or_default()
    }

    /// Reads the text of an `operators.toml`.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let mut table = Self::default();
        for Entry { name, prefixes } in file.operator {
            if !is_operator_name(&name) {
                return Err(
                    "operator.name: write 1 to 40 small letters, digits and dashes, \"example-mobile\" say".into()
                );
            }
            let name: Arc<str> = name.into();
            if !table.names.insert(Arc::clone(&name)) {
                return Err(format!("operator {name}: is there twice; put its prefixes together"));
            }
            if prefixes.is_empty() {
                return Err(format!("operator {name}: has no prefix; write one or leave it out"));
            }
            for text in prefixes {
                let prefix: Prefix = text.parse().map_err(|error| format!("operator {name}: {error}"))?;
                if let Some(other) = table.by_prefix.insert(prefix, Arc::clone(&name)) {
                    return Err(format!("operator {name}: the prefix {prefix} is {other}'s already; take one away"));
                }
            }
        }
        Ok(table)
    }

    /// The operator whose longest prefix the number begins with.
    pub fn of(&self, bearing: &Bearing) -> Option<&Arc<str>> {
        bearing.leads().find_map(|prefix| self.by_prefix.get(&prefix))
    }

    /// Whether the table has an operator of this name.
    pub fn knows(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// How many operators it has.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// Whether a text can be an operator's name, here or in an answer about a ported number.
pub fn is_operator_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        && !name.bytes().all(|c| c.is_ascii_digit() || c == b'-')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TABLE: &str = r#"
        [[operator]]
        name = "wide"
        prefixes = ["44", "+1867"]
        [[operator]]
        name = "narrow"
        prefixes = ["447700"]
    "#;

    fn at(prefix: &str) -> Bearing {
        Bearing::of_prefix(prefix.parse().unwrap(), None)
    }

    #[test]
    fn the_longest_prefix_tells() {
        let table = Operators::parse(TABLE).unwrap();
        let of = |prefix| table.of(&at(prefix)).map(|name| name.to_string());
        assert_eq!(of("4477009").as_deref(), Some("narrow"));
        assert_eq!(of("44770").as_deref(), Some("wide"));
        assert_eq!(of("1867555").as_deref(), Some("wide"));
        assert_eq!(of("1202"), None);
        assert!(table.knows("narrow") && !table.knows("Narrow") && table.len() == 2);
    }

    #[test]
    fn what_ships_is_read_and_knows_the_ranges_of_fiction() {
        let table = Operators::parse(SHIPPED).unwrap();
        assert_eq!(table, Operators::shipped());
        assert_eq!(table.of(&at("4477009")).unwrap().as_ref(), "example-gb");
        assert_eq!(table.of(&at("8490")).unwrap().as_ref(), "vn-mobifone");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_operators_name() {
        let fault = |name: &str, prefixes: &str| {
            Operators::parse(&format!("[[operator]]\nname = \"{name}\"\nprefixes = [{prefixes}]")).unwrap_err()
        };
        assert!(fault("Ann", "\"44\"").contains("operator.name"));
        assert!(fault("44-77", "\"44\"").contains("operator.name"), "a name of digits alone");
        assert!(fault("one", "").contains("one: has no prefix"));
        assert!(fault("one", "\"044\"").contains("one: write 1 to 9 digits"));
        assert!(fault("one", "\"44\", \"44\"").contains("44 is one's already"));
        assert!(Operators::parse("[[operator]]\nnames = 1").unwrap_err().contains("names"));
        assert!(Operators::parse(&format!("{TABLE}{TABLE}")).unwrap_err().contains("wide: is there twice"));
        assert!(Operators::parse("").unwrap().is_empty());
    }
}
