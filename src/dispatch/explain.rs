//! Why a message would go the way it would: every carrier with what is for and against it. Sends nothing, asks nobody,
//! shows no number.

use std::sync::Arc;

use super::choose::{self, Question, Verdict};
use super::health::Measured;
use super::rules::Aim;
use super::{BreakerState, Dispatch};
use crate::access::{Permit, RouteSet};
use crate::clock::Timestamp;
use crate::event::What;
use crate::ids::SubjectId;
use crate::phone::{Bearing, VirtualNumber};
use crate::store::{BlindIndex, Change, Class, StoreError};

/// A message that might be sent.
pub struct Trial {
    /// Where it would go.
    pub to: Receiver,
    /// What kind it would be.
    pub class: Class,
    /// The pool number that it would come from, if it would.
    pub from: Option<VirtualNumber>,
}

/// Where a message would go, without the number.
pub struct Receiver {
    /// Where the number points.
    pub bearing: Bearing,
    /// The person, if one is asked about: by index, and as events name them.
    pub person: Option<(BlindIndex, SubjectId)>,
}

/// Why a message would go the way it would.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The tenant's version of the routes; none where none are set.
    pub version: Option<u32>,
    /// The rule that counts, by its place from 0, and its name; none where every carrier is taken in order.
    pub rule: Option<(usize, Option<String>)>,
    /// The receiver's operator, and whether a look-up said so rather than the table.
    pub operator: Option<(String, bool)>,
    /// The receiver's country code.
    pub country_code: Option<u16>,
    /// The receiver's region.
    pub region: Option<String>,
    /// Every carrier; those that would be tried first, in one order that may be drawn.
    pub carriers: Vec<Explained>,
}

/// One carrier.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Its configured name.
    pub carrier: String,
    /// Its place among those that would be tried, from 1.
    pub turn: Option<usize>,
    /// `eligible`, or why not.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub because: String,
    /// Its weight in the rule; 1 where none counts.
    pub weight: u32,
    /// The weight times what was measured.
    pub effective: f64,
    /// What was measured for the receiver's country.
    pub measured: Measured,
    /// Its breaker.
    pub breaker: BreakerState,
    /// Where it is, if it says.
    pub region: Option<String>,
}

impl Dispatch {
    /// Explains which way a message of the tenant would go now. What is known about a person is told to the log.
    ///
    /// # Errors
    /// If the store cannot be read or cannot keep the entry.
    pub async fn explain(&self, permit: &Permit<RouteSet>, trial: &Trial) -> Result<Explanation, StoreError> {
        let now = self.store.now();
        if let Some((_, subject)) = trial.to.person {
            let what = What::RouteExplained { subject, class: trial.class.as_str().to_owned() };
            self.store.commit(Change::telling(permit.event(now, what))).await?;
        }
        let homes = match trial.from {
            Some(number) => Some(self.homes.carriers(number).await?.unwrap_or_else(|| Arc::from([]))),
            None => None,
        };
        let operator = self.known_operator(permit, &trial.to, now);
        let snapshot = self.table.load();
        let set = snapshot.of_tenant(permit.tenant());
        let bearing = &trial.to.bearing;
        let aim = Aim { bearing, operator: operator.as_ref().map(|(name, _)| name.as_str()), class: trial.class };
        let picked = set.and_then(|set| set.routes.pick(&aim));
        let rule = picked.map(|(_, rule)| rule);
        let region = self.region(permit, rule);
        let asked = Question {
            mode: permit.mode(),
            region: region.as_deref(),
            homes: homes.as_deref(),
            rule,
            country: bearing.country_code().unwrap_or_default(),
            iso: bearing.region(),
            class: trial.class,
            closed: snapshot.closed(permit.tenant()),
        };
        let weighed = || choose::weigh(&self.carriers, &asked, &self.health, now);
        let order = choose::order(weighed(), rule.is_some(), choose::drawn);
        let turn = |name: &str| order.iter().position(|carrier| carrier.name() == name).map(|place| place + 1);
        let mut carriers: Vec<_> = weighed().iter().map(|one| explained(one, turn(one.carrier.name()))).collect();
        carriers.sort_by_key(|one| one.turn.unwrap_or(usize::MAX));
        Ok(Explanation {
            version: set.map(|set| set.routes.version),
            rule: picked.map(|(place, rule)| (place, rule.name.clone())),
            operator,
            country_code: bearing.country_code(),
            region: bearing.region().map(str::to_owned),
            carriers,
        })
    }

    /// The operator as far as it is known here; nobody is asked.
    fn known_operator(&self, permit: &Permit<RouteSet>, to: &Receiver, now: Timestamp) -> Option<(String, bool)> {
        let looked_up =
            self.portability.as_ref().zip(to.person).and_then(|(portability, (index, _))| {
                portability.remembered(&(permit.tenant(), index), now)?.operator()
            });
        match looked_up {
            Some(name) => Some((name.to_string(), true)),
            None => self.access.policies().operators().of(&to.bearing).map(|name| (name.to_string(), false)),
        }
    }
}

fn explained(one: &choose::Candidate<'_>, turn: Option<usize>) -> Explained {
    Explained {
        carrier: one.carrier.name().to_owned(),
        turn,
        verdict: one.verdict,
        because: because(one.verdict, one.weight),
        weight: one.weight,
        effective: one.effective,
        measured: one.look.here,
        breaker: one.look.breaker,
        region: one.carrier.region().map(str::to_owned),
    }
}

fn because(verdict: Verdict, weight: u32) -> String {
    match verdict {
        Verdict::Eligible if weight == 0 => "stands in where those with a weight cannot".to_owned(),
        Verdict::Eligible => "may carry it".to_owned(),
        Verdict::Down => "has no link now; tried after the others".to_owned(),
        Verdict::OtherMode => "test and live tenants never share a carrier".to_owned(),
        Verdict::NotAtNumber => "the sender's number does not live there".to_owned(),
        Verdict::NotInRule => "the rule does not name it".to_owned(),
        Verdict::OtherRegion => "the rule keeps messages in the tenant's region".to_owned(),
        Verdict::Closed => "too many complaints about this class in this country within 30 days".to_owned(),
        Verdict::BreakerOpen(until) => format!("it failed too often; tried again from {until}"),
    }
}
