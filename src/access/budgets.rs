//! Daily budgets and what counts as unusual, as `policies/budgets.toml` says: part of the policies, with a version.
//!
//! Pure reading. A permit carries what its holder may spend ([`Allowance`]); counting is the vault's.

use std::collections::HashMap;
use std::str::FromStr;

use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;

use crate::event::Role;
use crate::ids::CredentialId;
use crate::store::BudgetKind;

/// The file's name.
pub const BUDGETS_FILE: &str = "budgets.toml";

/// What holds where a set of policies has no such file, and where the file leaves something out.
const SHIPPED: &str = include_str!("../../policies/budgets.toml");

/// What each credential may spend in a day; by default nothing.
#[derive(Clone, Debug, Default)]
pub struct Budgets {
    default: Line,
    roles: HashMap<Role, Line>,
    credentials: HashMap<CredentialId, Line>,
    alert: AlertRule,
}

/// What one credential may spend in a day, and when its reveals are unusual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    reveal: u64,
    lookup: u64,
    tokenize: u64,
    /// When reveals are unusual.
    pub alert: AlertRule,
}

/// When a credential's reveals are unusual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertRule {
    /// More than so many in an hour.
    pub per_hour: u64,
    /// More than so many times the daily mean in an hour …
    pub times_daily_mean: u64,
    /// … but not before so many.
    pub at_least: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    default: Line,
    #[serde(default)]
    role: HashMap<Role, Line>,
    #[serde(default)]
    credential: HashMap<String, Line>,
    #[serde(default)]
    alert: AlertLine,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    reveal: Option<u64>,
    lookup: Option<u64>,
    tokenize: Option<u64>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertLine {
    per_hour: Option<u64>,
    times_daily_mean: Option<u64>,
    at_least: Option<u64>,
}

impl Allowance {
    /// How many items of a kind.
    pub const fn of(&self, kind: BudgetKind) -> u64 {
        match kind {
            BudgetKind::Reveal => self.reveal,
            BudgetKind::Lookup => self.lookup,
            BudgetKind::Tokenize => self.tokenize,
        }
    }

    /// For permits that nothing decided.
    #[cfg(test)]
    pub(crate) const fn for_test(each: u64) -> Self {
        let alert = AlertRule { per_hour: 50, times_daily_mean: 3, at_least: 10 };
        Self { reveal: each, lookup: each, tokenize: each, alert }
    }
}

impl Budgets {
    /// Reads the text of a `budgets.toml`.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wider = read(SHIPPED)?;
        let file = read(text)?;
        let mut credentials = HashMap::new();
        for (id, line) in file.credential {
            let wrong =
                format!("credential.{id}: is no id of a credential; write crd_… as `bauta credential list` does");
            credentials.insert(CredentialId::from_str(&id).map_err(|_| wrong)?, line);
        }
        let (alert, wide) = (file.alert, wider.alert);
        let budgets = Self {
            default: file.default.or(wider.default),
            roles: file.role,
            credentials,
            alert: AlertRule {
                per_hour: alert.per_hour.or(wide.per_hour).unwrap_or(u64::MAX),
                times_daily_mean: alert.times_daily_mean.or(wide.times_daily_mean).unwrap_or(u64::MAX),
                at_least: alert.at_least.or(wide.at_least).unwrap_or_default(),
            },
        };
        if budgets.alert.times_daily_mean == 0 {
            return Err("alert.times_daily_mean: 1 or more; for no such alert write a large number".to_owned());
        }
        Ok(budgets)
    }

    /// What a credential of this role may spend.
    pub fn allowance(&self, credential: CredentialId, role: Role) -> Allowance {
        let of = |lines: Option<&Line>| lines.copied().unwrap_or_default();
        let line = of(self.credentials.get(&credential)).or(of(self.roles.get(&role))).or(self.default);
        // Nothing said is nothing allowed; the file that ships says something of everything.
        let (reveal, lookup) = (line.reveal.unwrap_or_default(), line.lookup.unwrap_or_default());
        Allowance { reveal, lookup, tokenize: line.tokenize.unwrap_or_default(), alert: self.alert }
    }
}

impl Line {
    fn or(self, wider: Self) -> Self {
        Self {
            reveal: self.reveal.or(wider.reveal),
            lookup: self.lookup.or(wider.lookup),
            tokenize: self.tokenize.or(wider.tokenize),
        }
    }
}

fn read(text: &str) -> Result<File, String> {
    Figment::from(Toml::string(text)).extract().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ids;

    fn allowed(text: &str, credential: CredentialId, role: Role) -> [u64; 3] {
        let allowance = Budgets::parse(text).unwrap().allowance(credential, role);
        [BudgetKind::Reveal, BudgetKind::Lookup, BudgetKind::Tokenize].map(|kind| allowance.of(kind))
    }

    #[test]
    fn what_ships_is_generous_and_a_file_changes_what_it_says() {
        let id = ids::fresh();
        assert_eq!(allowed(SHIPPED, id, Role::Custodian), [10_000, 100_000, 100_000_000]);
        assert_eq!(allowed("", id, Role::Custodian), [10_000, 100_000, 100_000_000]);
        assert_eq!(allowed("[default]\nreveal = 7", id, Role::Business), [7, 100_000, 100_000_000]);
    }

    #[test]
    fn the_narrowest_line_counts() {
        let id: CredentialId = ids::fresh();
        let text = format!("[role.custodian]\nreveal = 5\nlookup = 0\n[credential.{id}]\nreveal = 2\n");
        assert_eq!(allowed(&text, id, Role::Custodian), [2, 0, 100_000_000]);
        assert_eq!(allowed(&text, ids::fresh(), Role::Custodian), [5, 0, 100_000_000]);
        assert_eq!(allowed(&text, ids::fresh(), Role::Business), [10_000, 100_000, 100_000_000]);
    }

    #[test]
    fn a_misspelt_line_is_refused() {
        for wrong in [
            "[defaults]\nreveal = 1",
            "[default]\nreveals = 1",
            "[role.custodain]\nreveal = 1",
            "[credential.crd_x]\nreveal = 1",
            "[default]\nreveal = -1",
            "[default]\nreveal = \"many\"",
            "[alert]\ntimes_daily_mean = 0",
            "reveal = 1",
        ] {
            assert!(Budgets::parse(wrong).is_err(), "{wrong}");
        }
    }
}
