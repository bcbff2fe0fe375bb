//! Whether routes can come into force: each fault with the rule, the field and the mend. Pure.

use super::rules::{RouteRule, Routes, Rule, Share};
use crate::event::Mode;
use crate::phone::{self, Operators, Prefix};
use crate::store::Class;

/// The most rules of a tenant.
const MAX_RULES: usize = 200;
/// The most carriers of a rule.
const MAX_SHARES: usize = 16;
/// The most digits of a rule's prefix: what a route says of a number leaves ten thousand others.
const MAX_DIGITS: u32 = 7;
/// The greatest weight.
const MAX_WEIGHT: u32 = 1_000;
/// The longest name.
const MAX_NAME: usize = 60;

/// What routes of a tenant may name.
pub struct World<'a> {
    /// The carriers there are.
    pub carriers: Vec<Known<'a>>,
    /// The tenant's.
    pub mode: Mode,
    /// Where the tenant's data have to stay, if that is said.
    pub region: Option<&'a str>,
    /// The operators there are.
    pub operators: &'a Operators,
    /// Whether operators beyond those may come back from a look-up.
    pub other_operators: bool,
}

/// A carrier, as far as rules look.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Its configured name.
    pub name: &'a str,
    /// Whether it reaches real devices.
    pub is_live: bool,
    /// Where it is, if that is said.
    pub region: Option<&'a str>,
}

/// What is wrong with one field of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `rules[3].carriers[0].carrier`, say.
    pub field: String,
    /// What is wrong and how to mend it; never anything of a number.
    pub detail: String,
}

/// Reads rules as somebody wrote them.
///
/// # Errors
/// Everything that is wrong.
pub fn check(written: Vec<RouteRule>, version: u32, world: &World<'_>) -> Result<Routes, Vec<Fault>> {
    let mut faults = Faults::default();
    if written.len() > MAX_RULES {
        faults.add("rules".to_owned(), format!("at most {MAX_RULES} rules"));
        return Err(faults.0);
    }
    let mut rules: Vec<Rule> = Vec::with_capacity(written.len());
    for (place, rule) in written.iter().enumerate() {
        let at = format!("rules[{place}]");
        let read = read(rule, &at, world, &mut faults);
        if let Some(twin) = rules.iter().position(|earlier| earlier.is_twin(&read)) {
            faults.add(
                at.clone(),
                format!("overlaps: rules[{twin}] has the same conditions; put their carriers together"),
            );
        }
        if read.name.is_some() && rules.iter().any(|earlier| earlier.name == read.name) {
            faults.add(format!("{at}.name"), "another rule has this name already");
        }
        rules.push(read);
    }
    if faults.0.is_empty() { Ok(Routes { version, rules, written }) } else { Err(faults.0) }
}

/// Reads rules that were checked when they came into force. What is gone since is left out: a carrier that no longer
/// exists takes nothing.
pub fn stored(written: Vec<RouteRule>, version: u32) -> Routes {
    let rule = |rule: &RouteRule| Rule {
        name: rule.name.clone(),
        prefix: rule.prefix.as_deref().and_then(|text| text.parse().ok()),
        operator: rule.operator.clone(),
        class: rule.class.as_deref().and_then(Class::parse),
        region: rule.region.clone(),
        residency: rule.residency,
        sender: rule.sender.clone(),
        shares: rule.carriers.clone(),
    };
    Routes { version, rules: written.iter().map(rule).collect(), written }
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, field: String, detail: impl Into<String>) {
        self.0.push(Fault { field, detail: detail.into() });
    }
}

fn read(rule: &RouteRule, at: &str, world: &World<'_>, faults: &mut Faults) -> Rule {
    let prefix = rule.prefix.as_deref().and_then(|text| prefix(text, at, faults));
    let class = rule.class.as_deref().and_then(|name| {
        let class = Class::parse(name);
        if class.is_none() {
            faults.add(format!("{at}.class"), "write code, notice, marketing or relay");
        }
        class
    });
    name(rule, at, faults);
    operator(rule, at, world, faults);
    region(rule, prefix, at, faults);
    sender(rule, at, faults);
    carriers(rule, at, world, faults);
    Rule {
        name: rule.name.clone(),
        prefix,
        operator: rule.operator.clone(),
        class,
        region: rule.region.clone(),
        residency: rule.residency,
        sender: rule.sender.clone(),
        shares: rule.carriers.clone(),
    }
}

fn prefix(text: &str, at: &str, faults: &mut Faults) -> Option<Prefix> {
    let prefix = text.parse::<Prefix>().ok().filter(|prefix| prefix.digits() <= MAX_DIGITS);
    if prefix.is_none() {
        faults.add(
            format!("{at}.prefix"),
            format!("write 1 to {MAX_DIGITS} digits from the country code on, \"4477\" say"),
        );
    }
    prefix
}

fn name(rule: &RouteRule, at: &str, faults: &mut Faults) {
    let Some(name) = rule.name.as_deref() else { return };
    let fit = (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if !fit {
        faults.add(format!("{at}.name"), format!("write 1 to {MAX_NAME} characters on one line"));
    } else if phone::contains_number(name) {
        faults.add(format!("{at}.name"), "holds a phone number; call the rule something else");
    }
}

fn operator(rule: &RouteRule, at: &str, world: &World<'_>, faults: &mut Faults) {
    let Some(name) = rule.operator.as_deref() else { return };
    let known = world.operators.knows(name) || world.other_operators && phone::is_operator_name(name);
    if !known {
        faults.add(
            format!("{at}.operator"),
            "is not in operators.toml; name one that is there, or propose another table",
        );
    }
}

fn region(rule: &RouteRule, prefix: Option<Prefix>, at: &str, faults: &mut Faults) {
    let Some(region) = rule.region.as_deref() else { return };
    if region.len() != 2 || !region.bytes().all(|c| c.is_ascii_uppercase()) {
        faults.add(format!("{at}.region"), "write two capital letters (ISO 3166-1), \"VN\" say");
    } else if let Some(code) = prefix.and_then(Prefix::country_code)
        && !phone::is_code_of(code, region)
    {
        faults.add(
            format!("{at}.region"),
            format!("no number that begins with {code} is in {region}: the rule fits nothing"),
        );
    }
}

fn sender(rule: &RouteRule, at: &str, faults: &mut Faults) {
    if rule.sender.as_deref().is_some_and(|sender| !is_sender(sender)) {
        let mend =
            "write a name of 1 to 11 letters, digits and spaces with a letter in it, or a short code of 3 to 8 digits";
        faults.add(format!("{at}.sender"), mend);
    }
}

/// A name (3GPP TS 23.040 §9.1.2.5) or a short code.
fn is_sender(text: &str) -> bool {
    let is_code = (3..=8).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    let plain = |c: u8| c.is_ascii_alphanumeric() || b" -._&".contains(&c);
    let is_name = (1..=11).contains(&text.len())
        && text.bytes().all(plain)
        && text.bytes().any(|c| c.is_ascii_alphabetic())
        && text.trim() == text;
    is_code || is_name
}

fn carriers(rule: &RouteRule, at: &str, world: &World<'_>, faults: &mut Faults) {
    let at = format!("{at}.carriers");
    if rule.carriers.is_empty() || rule.carriers.len() > MAX_SHARES {
        faults.add(at, format!("name 1 to {MAX_SHARES} carriers"));
        return;
    }
    if rule.carriers.iter().all(|share| share.weight == 0) {
        faults.add(at.clone(), "every weight is 0; give one carrier a share");
    }
    if rule.residency && world.region.is_none() {
        faults.add(at.replace("carriers", "residency"), "the tenant has no region; leave residency out");
    }
    for (place, share) in rule.carriers.iter().enumerate() {
        let at = format!("{at}[{place}]");
        if share.weight > MAX_WEIGHT {
            faults.add(format!("{at}.weight"), format!("write 0 to {MAX_WEIGHT}"));
        }
        if rule.carriers.iter().take(place).any(|earlier| earlier.carrier == share.carrier) {
            faults.add(format!("{at}.carrier"), "is named twice in this rule");
        }
        if let Some(detail) = fault_of(share, rule.residency, world) {
            faults.add(format!("{at}.carrier"), detail);
        }
    }
}

fn fault_of(share: &Share, residency: bool, world: &World<'_>) -> Option<String> {
    let Some(carrier) = world.carriers.iter().find(|known| known.name == share.carrier) else {
        let names: Vec<_> = world.carriers.iter().map(|known| known.name).collect();
        return Some(format!("is not configured; there are: {}", names.join(", ")));
    };
    if carrier.is_live != (world.mode == Mode::Live) {
        return Some(match world.mode {
            Mode::Test => "reaches real devices, which a test tenant's messages may not".to_owned(),
            Mode::Live => "reaches no device; a live tenant's messages would be lost".to_owned(),
        });
    }
    let (tenant, own) = (world.region?, carrier.region);
    (residency && !is_same_region(tenant, own)).then(|| match own {
        Some(own) => format!("is in {own}, and residency keeps this rule's messages in {tenant}"),
        None => format!("says no region, and residency keeps this rule's messages in {tenant}"),
    })
}

/// Whether a carrier's region is the tenant's.
pub(super) fn is_same_region(tenant: &str, carrier: Option<&str>) -> bool {
    carrier.is_some_and(|carrier| carrier.eq_ignore_ascii_case(tenant))
}
