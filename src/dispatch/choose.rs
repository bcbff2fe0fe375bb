//! Which carriers a message may take, best first, and why the others may not. Pure but for the draw of a turn.

use std::collections::HashSet;
use std::sync::Arc;

use super::breaker::Admission;
use super::check::is_same_region;
use super::health::{Country, Health, Look};
use super::rules::Rule;
use crate::carrier::Carrier;
use crate::clock::Timestamp;
use crate::event::Mode;
use crate::store::Class;

/// What decides about carriers beside their health.
pub(super) struct Question<'a> {
    /// The tenant's.
    pub(super) mode: Mode,
    /// The tenant's region, where the rule asks for it.
    pub(super) region: Option<&'a str>,
    /// The carriers at which the sender's number lives, if it is a number.
    pub(super) homes: Option<&'a [Arc<str>]>,
    /// The rule that counts, if one fits.
    pub(super) rule: Option<&'a Rule>,
    /// Where the message goes.
    pub(super) country: Country,
    /// Where complaints are counted, where any way is closed.
    pub(super) iso: Option<&'a str>,
    /// What kind of message it is.
    pub(super) class: Class,
    /// The ways that are closed.
    pub(super) closed: &'a Closed,
}

/// Ways that are closed for complaints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Closed(pub(super) HashSet<(String, String, Class)>);

impl Closed {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, carrier: &str, iso: Option<&str>, class: Class) -> bool {
        // Only where any way is closed at all are names made to ask.
        !self.is_empty() && iso.is_some_and(|iso| self.0.contains(&(carrier.to_owned(), iso.to_owned(), class)))
    }
}

/// Why a carrier is taken or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may carry the message.
    Eligible,
    /// It may, but has no link just now: tried after all others.
    Down,
    /// Test and live tenants never share a carrier.
    OtherMode,
    /// The sender's number does not live there.
    NotAtNumber,
    /// The rule does not name it.
    NotInRule,
    /// The rule keeps messages in the tenant's region.
    OtherRegion,
    /// Too many complained of what came that way.
    Closed,
    /// Its breaker is open, or a probe is under way.
    BreakerOpen(Timestamp),
}

impl Verdict {
    /// Its name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eligible => "eligible",
            Self::Down => "link_down",
            Self::OtherMode => "other_mode",
            Self::NotAtNumber => "not_at_number",
            Self::NotInRule => "not_in_rule",
            Self::OtherRegion => "other_region",
            Self::Closed => "closed_for_complaints",
            Self::BreakerOpen(_) => "breaker_open",
        }
    }

    const fn is_open(self) -> bool {
        matches!(self, Self::Eligible | Self::Down)
    }
}

/// One carrier and what is to be said about it.
pub(super) struct Candidate<'a> {
    pub(super) carrier: &'a Arc<dyn Carrier>,
    /// Its place in the rule, or in the settings where none fits.
    place: usize,
    /// As the rule says; 1 where none fits.
    pub(super) weight: u32,
    /// Weight times what was measured.
    pub(super) effective: f64,
    pub(super) look: Look,
    pub(super) verdict: Verdict,
}

/// Every carrier with its verdict, in the order of the settings.
pub(super) fn weigh<'a>(
    carriers: &'a [Arc<dyn Carrier>],
    asked: &Question<'_>,
    health: &Health,
    now: Timestamp,
) -> Vec<Candidate<'a>> {
    let mut weighed = judged(carriers, asked, health, now);
    // A number's messages leave only by its own carriers: where the rule names none of them, it has to give way.
    let is_stranded = asked.rule.is_some() && asked.homes.is_some() && weighed.iter().all(|c| c.verdict.is_foreign());
    if is_stranded {
        let residency = asked.rule.is_some_and(|rule| rule.residency);
        weighed = judged(carriers, &Question { rule: None, ..*asked }, health, now);
        for candidate in &mut weighed {
            let is_elsewhere = residency && !is_at_home(asked.region, candidate.carrier.as_ref());
            if is_elsewhere && !candidate.verdict.is_foreign() {
                candidate.verdict = Verdict::OtherRegion;
            }
        }
    }
    let best = weighed.iter().filter(|c| c.verdict == Verdict::Eligible).filter_map(|c| c.look.latency_ms()).min();
    for candidate in &mut weighed {
        candidate.effective = f64::from(candidate.weight) * candidate.look.factor(best.unwrap_or_default());
    }
    weighed
}

impl Verdict {
    /// Whether the carrier is no way for this message at all, whatever its state.
    const fn is_foreign(self) -> bool {
        matches!(self, Self::OtherMode | Self::NotAtNumber | Self::NotInRule)
    }
}

fn judged<'a>(
    carriers: &'a [Arc<dyn Carrier>],
    asked: &Question<'_>,
    health: &Health,
    now: Timestamp,
) -> Vec<Candidate<'a>> {
    let one = |(place, carrier): (usize, &'a Arc<dyn Carrier>)| {
        let look = health.look(carrier.name(), asked.country, now);
        let share = asked.rule.map(|rule| {
            let found = rule.shares.iter().enumerate().find(|(_, share)| share.carrier == carrier.name());
            found.map(|(place, share)| (place, share.weight))
        });
        let verdict = verdict(carrier.as_ref(), asked, share.is_some_and(|share| share.is_none()), &look);
        let (place, weight) = share.flatten().unwrap_or((place, u32::from(asked.rule.is_none())));
        Candidate { carrier, place, weight, effective: 0.0, look, verdict }
    };
    carriers.iter().enumerate().map(one).collect()
}

fn verdict(carrier: &dyn Carrier, asked: &Question<'_>, is_unnamed: bool, look: &Look) -> Verdict {
    if carrier.is_live() != (asked.mode == Mode::Live) {
        return Verdict::OtherMode;
    }
    if asked.homes.is_some_and(|homes| !homes.iter().any(|home| home.as_ref() == carrier.name())) {
        return Verdict::NotAtNumber;
    }
    if is_unnamed {
        return Verdict::NotInRule;
    }
    if asked.rule.is_some_and(|rule| rule.residency) && !is_at_home(asked.region, carrier) {
        return Verdict::OtherRegion;
    }
    if asked.closed.has(carrier.name(), asked.iso, asked.class) {
        return Verdict::Closed;
    }
    match look.admission {
        Admission::Not(until) => Verdict::BreakerOpen(until),
        _ if !carrier.is_up() => Verdict::Down,
        _ => Verdict::Eligible,
    }
}

fn is_at_home(tenant: Option<&str>, carrier: &dyn Carrier) -> bool {
    tenant.is_some_and(|tenant| is_same_region(tenant, carrier.region()))
}

/// The order in which carriers are tried. Without a rule, that of the settings. With one, those with a share in an order
/// drawn by their effective weights, then those that stand in, in the rule's order. Whoever is down comes last.
pub(super) fn order<'a>(
    weighed: Vec<Candidate<'a>>,
    is_ruled: bool,
    mut draw: impl FnMut() -> f64,
) -> Vec<&'a Arc<dyn Carrier>> {
    let mut open: Vec<_> = weighed.into_iter().filter(|candidate| candidate.verdict.is_open()).collect();
    let drawn = is_ruled && open.len() > 1;
    let mut keyed: Vec<_> = open
        .drain(..)
        .map(|candidate| {
            // The first of independent exponential waits: each comes first as often as its weight says.
            let wait = if drawn && candidate.weight > 0 { -draw().ln() / candidate.effective } else { 0.0 };
            let group = (candidate.verdict == Verdict::Down, candidate.weight == 0);
            (group, wait, candidate.place, candidate.carrier)
        })
        .collect();
    keyed.sort_by(|one, two| one.0.cmp(&two.0).then(one.1.total_cmp(&two.1)).then(one.2.cmp(&two.2)));
    keyed.into_iter().map(|(.., carrier)| carrier).collect()
}

/// A number above 0 and at most 1, for [`order`].
pub(super) fn drawn() -> f64 {
    let bits = u32::from_be_bytes(crate::crypto::random());
    (f64::from(bits) + 1.0) / (f64::from(u32::MAX) + 1.0)
}
