//! A tenant's routes: rules that say which carriers a message may take, and which rule goes first. Pure.
//!
//! Of the rules that fit a message one counts, the narrowest: the longest prefix, then one that names an operator, then
//! one that names a region, then one that names a class. Two rules cannot say the same conditions, so that there is
//! always one. What no rule fits goes by every carrier in the order of the settings, as where no routes are set.

use serde::{Deserialize, Serialize};

use crate::phone::{Bearing, Prefix};
use crate::store::Class;

/// One rule, as people write it and as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteRule {
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only numbers that begin so: 1 to 7 digits from the country code on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Only numbers of this operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Only messages of this class: `code`, `notice`, `marketing` or `relay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Only receivers in this region, ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Only by carriers of the tenant's own region.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub residency: bool,
    /// What messages of the house show as their sender here: a name or a short code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Which carriers, in the order of preference among equals.
    pub carriers: Vec<Share>,
}

/// A carrier of a rule and how much of the traffic it is to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Its configured name.
    pub carrier: String,
    /// Its share beside the others' weights; 0 for one that only stands in where the others cannot.
    #[serde(default = "one")]
    pub weight: u32,
}

const fn one() -> u32 {
    1
}

/// A rule ready to be matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub(super) name: Option<String>,
    pub(super) prefix: Option<Prefix>,
    pub(super) operator: Option<String>,
    pub(super) class: Option<Class>,
    pub(super) region: Option<String>,
    pub(super) residency: bool,
    pub(super) sender: Option<String>,
    pub(super) shares: Vec<Share>,
}

/// What routes know of a message.
pub struct Aim<'a> {
    /// Where the receiver's number points.
    pub bearing: &'a Bearing,
    /// The receiver's operator, where it is known.
    pub operator: Option<&'a str>,
    /// What kind of message it is.
    pub class: Class,
}

impl Rule {
    fn fits(&self, aim: &Aim<'_>) -> bool {
        self.class.is_none_or(|class| class == aim.class)
            && self.prefix.is_none_or(|prefix| aim.bearing.begins_with(prefix))
            && self.operator.as_deref().is_none_or(|operator| aim.operator == Some(operator))
            && self.region.as_deref().is_none_or(|region| aim.bearing.region() == Some(region))
    }

    /// How narrow it is: of those that fit a message the greatest counts.
    pub(super) fn rank(&self) -> (u32, bool, bool, bool) {
        let digits = self.prefix.map_or(0, Prefix::digits);
        (digits, self.operator.is_some(), self.region.is_some(), self.class.is_some())
    }

    /// Whether both say the same conditions.
    pub(super) fn is_twin(&self, other: &Self) -> bool {
        (self.prefix, &self.operator, self.class, &self.region)
            == (other.prefix, &other.operator, other.class, &other.region)
    }

    /// Whether some message fits both while each also fits messages that the other does not.
    pub(super) fn crosses(&self, other: &Self) -> bool {
        self.meets(other) && !self.is_within(other) && !other.is_within(self)
    }

    fn meets(&self, other: &Self) -> bool {
        let prefixes = match (self.prefix, other.prefix) {
            (Some(one), Some(two)) => one.covers(two) || two.covers(one),
            _ => true,
        };
        prefixes
            && agree(self.operator.as_ref(), other.operator.as_ref())
            && agree(self.class.as_ref(), other.class.as_ref())
            && agree(self.region.as_ref(), other.region.as_ref())
    }

    /// Whether all that fits this fits `other` too.
    fn is_within(&self, other: &Self) -> bool {
        let prefix = other.prefix.is_none_or(|wide| self.prefix.is_some_and(|narrow| wide.covers(narrow)));
        prefix
            && narrows(self.operator.as_ref(), other.operator.as_ref())
            && narrows(self.class.as_ref(), other.class.as_ref())
            && narrows(self.region.as_ref(), other.region.as_ref())
    }
}

fn agree<T: PartialEq>(one: Option<&T>, two: Option<&T>) -> bool {
    one.zip(two).is_none_or(|(one, two)| one == two)
}

fn narrows<T: PartialEq>(narrow: Option<&T>, wide: Option<&T>) -> bool {
    wide.is_none_or(|wide| narrow == Some(wide))
}

/// Routes in force, ready to be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// Which version of the tenant's.
    pub version: u32,
    pub(super) rules: Vec<Rule>,
    /// As they were written.
    pub written: Vec<RouteRule>,
}

impl Routes {
    /// The rule that counts for a message, and its place.
    pub(super) fn pick(&self, aim: &Aim<'_>) -> Option<(usize, &Rule)> {
        let fitting = self.rules.iter().enumerate().filter(|(_, rule)| rule.fits(aim));
        fitting.max_by_key(|(_, rule)| rule.rank())
    }

    /// Whether any rule asks for the operator.
    pub(super) fn asks_operator(&self) -> bool {
        self.rules.iter().any(|rule| rule.operator.is_some())
    }

    /// Whether any rule asks for the region.
    pub(super) fn asks_region(&self) -> bool {
        self.rules.iter().any(|rule| rule.region.is_some())
    }

    /// Pairs of rules that fit some messages both, neither of them narrower, and which of the two counts there.
    pub fn crossings(&self) -> Vec<Crossed> {
        let mut crossed = Vec::new();
        for (place, one) in self.rules.iter().enumerate() {
            for (other, two) in self.rules.iter().enumerate().skip(place + 1) {
                if crossed.len() < MAX_CROSSED && one.crosses(two) {
                    let first = if one.rank() >= two.rank() { place } else { other };
                    crossed.push(Crossed { rules: [place, other], first });
                }
            }
        }
        crossed
    }
}

/// Two rules that fit some messages both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Crossed {
    /// Their places in the list, from 0.
    pub rules: [usize; 2],
    /// Which of them counts for those messages.
    pub first: usize,
}

/// So many pairs are told.
const MAX_CROSSED: usize = 50;
