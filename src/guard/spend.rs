//! What messages cost, and caps on what a day may cost: `policies/prices.toml` and `policies/spend.toml`.
//!
//! Pure: this says what is to be counted against which cap, the store counts it in the change that spends
//! ([`Write::Spending`]), so that a cap is never passed, by however many processes. Asked by `outreach`, `verify` and
//! `relay`; the price of what was sent is asked by `dispatch`.

use std::collections::HashMap;
use std::str::FromStr;

use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;

use crate::event::{Event, What};
use crate::ids::{AliasId, TenantId};
use crate::phone::{Bearing, Prefix};
use crate::store::{BlindIndex, Change, Class, NearCap, Payer, Spending, Write};

/// The name of the file of prices.
pub const PRICES_FILE: &str = "prices.toml";
/// The name of the file of caps.
pub const SPEND_FILE: &str = "spend.toml";

/// Millionths of the currency.
const MICROS: f64 = 1_000_000.0;

/// What parts of messages cost.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    currency: Option<String>,
    /// The most particular first.
    lines: Vec<Price>,
}

#[derive(Clone, Copy, Debug)]
struct Price {
    prefix: Option<Prefix>,
    class: Option<Class>,
    micros: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PricesFile {
    currency: Option<String>,
    #[serde(default)]
    price: Vec<PriceLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceLine {
    prefix: Option<String>,
    class: Option<Class>,
    part: f64,
}

impl Prices {
    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong and how to mend it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: PricesFile = Figment::from(Toml::string(text)).extract().map_err(|error| error.to_string())?;
        if !file.price.is_empty() && file.currency.as_deref().is_none_or(|currency| !is_currency(currency)) {
            return Err("currency: write the ISO 4217 code that prices are in, \"EUR\" say".into());
        }
        let mut lines = file.price.iter().map(PriceLine::read).collect::<Result<Vec<_>, _>>()?;
        lines.sort_by_key(|line| std::cmp::Reverse((line.prefix.map_or(0, Prefix::digits), line.class.is_some())));
        Ok(Self { currency: file.currency, lines })
    }

    /// The currency that prices are in, if there are any.
    pub fn currency(&self) -> Option<&str> {
        self.currency.as_deref()
    }

    /// What a part of a message costs, in millionths.
    pub fn part(&self, to: &Bearing, class: Class) -> u64 {
        let fits = |line: &&Price| {
            line.prefix.is_none_or(|prefix| to.begins_with(prefix)) && line.class.is_none_or(|of| of == class)
        };
        self.lines.iter().find(fits).map_or(0, |line| line.micros)
    }
}

impl PriceLine {
    fn read(&self) -> Result<Price, String> {
        let prefix = self.prefix.as_deref().map(Prefix::from_str).transpose();
        let prefix = prefix.map_err(|error| format!("price.prefix: {error}"))?;
        Ok(Price { prefix, class: self.class, micros: micros(self.part, "price.part")? })
    }
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|c| c.is_ascii_uppercase())
}

/// Money as whole millionths.
fn micros(money: f64, key: &str) -> Result<u64, String> {
    let whole = (money * MICROS).round();
    if !(0.0..1e15).contains(&whole) {
        return Err(format!("{key}: is no amount of money; write 0.035 say"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and 10^15, and whole")]
    Ok(whole as u64)
}

/// Caps on what messages may cost in a day.
#[derive(Clone, Debug, Default)]
pub struct Caps {
    tenant: Cap,
    alias: Cap,
    stranger: Cap,
    tenants: HashMap<TenantId, Cap>,
}

/// One cap; without either there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cap {
    parts: Option<u64>,
    cost: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CapsFile {
    #[serde(default)]
    tenant: CapLine,
    #[serde(default)]
    alias: CapLine,
    #[serde(default)]
    stranger: CapLine,
    #[serde(default)]
    tenants: HashMap<String, CapLine>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CapLine {
    parts: Option<u64>,
    cost: Option<f64>,
}

/// On whose account a message goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    /// The alias that it crosses.
    pub alias: Option<AliasId>,
    /// The stranger who wrote it, under the pool's key.
    pub stranger: Option<BlindIndex>,
}

impl Caps {
    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong and how to mend it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: CapsFile = Figment::from(Toml::string(text)).extract().map_err(|error| error.to_string())?;
        let mut tenants = HashMap::new();
        for (id, line) in &file.tenants {
            let tenant = id.parse().map_err(|_| format!("tenants.{id}: is no ten_… id"))?;
            tenants.insert(tenant, line.read()?);
        }
        let (tenant, alias, stranger) = (file.tenant.read()?, file.alias.read()?, file.stranger.read()?);
        Ok(Self { tenant, alias, stranger, tenants })
    }

    /// Whether anything of this tenant is capped at all: where nothing is, nobody needs to count.
    pub fn concern(&self, tenant: TenantId) -> bool {
        [self.of(tenant), self.alias, self.stranger].iter().any(|cap| *cap != Cap::default())
    }

    /// What is to be counted for so many parts that cost so much, in millionths, and fails the change that would pass a
    /// cap. Nothing where there is none.
    pub fn spending(&self, tenant: TenantId, account: Account, parts: u64, cost: u64) -> Vec<Write> {
        self.counted(tenant, account, parts, cost, true).map(Write::Spending).collect()
    }

    /// The same for whoever looks at the caps before, and whose change must not fail for them.
    pub fn counting(&self, tenant: TenantId, account: Account, parts: u64, cost: u64) -> Vec<Spending> {
        self.counted(tenant, account, parts, cost, false).collect()
    }

    fn counted(
        &self,
        tenant: TenantId,
        account: Account,
        parts: u64,
        cost: u64,
        exact: bool,
    ) -> impl Iterator<Item = Spending> {
        let payers = [
            Some((Payer::Tenant, self.of(tenant))),
            account.alias.map(|alias| (Payer::Alias(alias), self.alias)),
            account.stranger.map(|stranger| (Payer::Stranger(stranger), self.stranger)),
        ];
        let capped = payers.into_iter().flatten().filter(|(_, cap)| *cap != Cap::default());
        capped.map(move |(payer, cap)| {
            let (cap_parts, cap_cost) = (cap.parts, cap.cost);
            Spending { tenant, payer, parts, cost, cap_parts, cap_cost, exact }
        })
    }

    fn of(&self, tenant: TenantId) -> Cap {
        self.tenants.get(&tenant).copied().unwrap_or(self.tenant)
    }
}

impl CapLine {
    fn read(&self) -> Result<Cap, String> {
        let cost = self.cost.map(|cost| micros(cost, "cost")).transpose()?;
        if self.parts == Some(0) || cost == Some(0) {
            return Err("a cap begins above 0; freeze the tenant to stop it, or leave the line out".into());
        }
        Ok(Cap { parts: self.parts, cost })
    }
}

/// What tells that a cap is nearly spent, or that something was refused for it.
pub fn alert(near: NearCap) -> What {
    let alias = if let Payer::Alias(alias) = near.payer { Some(alias) } else { None };
    What::SpendAlert { cap: near.payer.as_str().to_owned(), alias, share: near.share.into() }
}

/// The change that tells, once a day, that something was refused for a cap. Its conflict means that it was told.
pub fn refused(tenant: TenantId, payer: Payer, event: impl FnOnce(What) -> Event) -> Change {
    let near = NearCap { payer, share: 100 };
    Change::telling(event(alert(near))).with(Write::TellCap { tenant, payer, share: near.share })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use crate::ids;
    use crate::phone::PhoneNumber;

    fn to(digits: u64) -> Bearing {
        Bearing::of(&PhoneNumber::from_digits(digits).unwrap())
    }

    #[test]
    fn the_longest_prefix_counts_and_then_the_class() {
        let text = "currency = \"EUR\"\n[[price]]\npart = 0.1\n[[price]]\nprefix = \"44\"\npart = 0.04\n\
                    [[price]]\nprefix = \"4477\"\npart = 0.05\n[[price]]\nprefix = \"44\"\nclass = \"marketing\"\n\
                    part = 0.035";
        let prices = Prices::parse(text).unwrap();
        assert_eq!(prices.currency(), Some("EUR"));
        assert_eq!(prices.part(&to(12_025_550_143), Class::Code), 100_000);
        assert_eq!(prices.part(&to(442_079_460_000), Class::Code), 40_000);
        assert_eq!(prices.part(&to(442_079_460_000), Class::Marketing), 35_000);
        assert_eq!(prices.part(&to(447_700_900_123), Class::Marketing), 50_000);
        assert_eq!(Prices::default().part(&to(447_700_900_123), Class::Code), 0);
    }

    #[test]
    fn only_what_is_capped_is_counted() {
        let tenant: TenantId = ids::fresh();
        let other: TenantId = ids::fresh();
        let text = format!("[tenant]\nparts = 10\n[stranger]\nparts = 2\n[tenants.{other}]\ncost = 1.5");
        let caps = Caps::parse(&text).unwrap();
        let account = Account { alias: Some(ids::fresh()), stranger: Some(BlindIndex([1; 16])) };
        let counted = |tenant, account| caps.counting(tenant, account, 2, 80_000);
        let [own, stranger] = counted(tenant, account).try_into().unwrap();
        assert_eq!((own.payer, own.parts, own.cap_parts, own.cost), (Payer::Tenant, 2, Some(10), 80_000));
        assert_eq!((stranger.payer, stranger.cap_parts), (Payer::Stranger(BlindIndex([1; 16])), Some(2)));
        let [own] = counted(other, Account::default()).try_into().unwrap();
        assert_eq!((own.cap_parts, own.cap_cost), (None, Some(1_500_000)));
        assert!(!Caps::default().concern(tenant) && caps.concern(tenant));
        assert!(Caps::default().spending(tenant, account, 2, 40_000).is_empty());
    }

    #[test]
    fn files_that_say_nothing_sensible_are_refused() {
        for (text, said) in [
            ("[[price]]\npart = 0.1", "currency"),
            ("currency = \"EUR\"\n[[price]]\npart = -1", "no amount"),
            ("currency = \"EUR\"\n[[price]]\nprefix = \"+0\"\npart = 1", "price.prefix"),
            ("rate = 1", "unknown field"),
        ] {
            let fault = Prices::parse(text).unwrap_err();
            assert!(fault.contains(said), "{text}: {fault}");
        }
        for (text, said) in [("[tenant]\nparts = 0", "above 0"), ("[tenants.x]\nparts = 1", "no ten_")] {
            let fault = Caps::parse(text).unwrap_err();
            assert!(fault.contains(said), "{text}: {fault}");
        }
        assert!(Prices::parse(include_str!("../../policies/prices.toml")).unwrap().lines.is_empty());
        assert_eq!(Caps::parse(include_str!("../../policies/spend.toml")).unwrap().tenant, Cap::default());
    }
}
