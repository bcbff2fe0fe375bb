//! Fixtures: cases written beside the policies that say who may do what, tried before a set is taken.
//!
//! A case names one caller or several, one action or several, a resource and circumstances, and what is expected of each
//! combination. It is decided by the same code as a request, floor included. Tried by `bauta policy check`, by every
//! proposal, and to show an approver which cases a change decides otherwise. Bounded in number, since proposals come
//! over the network.

use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;
use toml::Spanned;

use super::files::FIXTURES;
use super::somebody::{Somebody, kind_of};
use super::{Policies, PolicyError, PolicyFiles, line_of};
use crate::access::Action;
use crate::access::authorize::Asked;
use crate::event::{Mode, Role};
use crate::ids;
use crate::store::Proof;

/// The most combinations that one set may try.
const MAX_COMBINATIONS: usize = 2_048;

/// One case, read.
#[derive(Debug)]
pub(super) struct Fixture {
    file: String,
    line: usize,
    name: String,
    callers: Vec<Somebody>,
    actions: Vec<Action>,
    resource: Resource,
    context: Circumstances,
    expect: Expect,
}

/// One combination of a case, and how a set decides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// File, name, caller and action: `fixtures/roles.toml: makes tokens (test business, TokenCreate)`.
    pub case: String,
    /// Whether it is permitted.
    pub allowed: bool,
}

/// A combination that a set decides otherwise than its case says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: the case {case:?} expects {expected}, and the policies {got}; mend the policy or the case")]
pub struct Failure {
    /// The file's name in the set.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// The case's name, the caller and the action.
    pub case: String,
    expected: Expect,
    got: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Spanned<Case>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    principal: Who,
    action: OneOrMore<String>,
    #[serde(default)]
    resource: Resource,
    #[serde(default)]
    context: Circumstances,
    expect: Expect,
}

/// The caller of a case: a credential, or a terminal of the machine.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    role: Option<OneOrMore<Role>>,
    /// Whether it is a terminal instead, and then whether the tenant has an admin.
    terminal: Option<AtTerminal>,
    mode: Option<OneOrMore<Mode>>,
    person: Option<String>,
    audience: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AtTerminal {
    has_admin: bool,
}

/// What a case is about.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Resource {
    /// Needed where the action applies to several.
    kind: Option<String>,
    audience: Option<String>,
    own: bool,
    /// The role to be granted, of credentials.
    grants: Option<Role>,
    /// Whether it is another tenant's.
    foreign: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Circumstances {
    purpose: Option<String>,
    address: IpAddr,
    hour: u8,
    approved: bool,
    second_person: bool,
    /// By what a credential proves who it is.
    with: Vec<Proof>,
}

impl Default for Circumstances {
    fn default() -> Self {
        // An address of the documentation (RFC 5737), at noon.
        Self {
            purpose: None,
            address: IpAddr::V4([192, 0, 2, 1].into()),
            hour: 12,
            approved: false,
            second_person: false,
            with: vec![Proof::Key],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Allow,
    Deny,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        })
    }
}

impl<T> OneOrMore<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::More(more) => more,
        }
    }
}

/// Reads every case of a set.
pub(super) fn read(files: &PolicyFiles) -> Result<Vec<Fixture>, PolicyError> {
    let mut fixtures = Vec::new();
    let mut combinations = 0;
    for (name, text) in
        files.iter().filter(|(name, _)| name.split_once('/').is_some_and(|(folder, _)| folder == FIXTURES))
    {
        let file: File = toml::from_str(text).map_err(|error| PolicyError::Invalid {
            file: name.to_owned(),
            line: line_of(text, error.span().map(|span| span.start)),
            message: error.message().to_owned(),
        })?;
        for case in file.case {
            let line = line_of(text, Some(case.span().start));
            let fixture = fixture(name, line, case.into_inner()).map_err(|message| PolicyError::Invalid {
                file: name.to_owned(),
                line,
                message,
            })?;
            combinations += fixture.callers.len() * fixture.actions.len();
            if combinations > MAX_COMBINATIONS {
                let message = format!("a set tries at most {MAX_COMBINATIONS} combinations; leave some out");
                return Err(PolicyError::Invalid { file: name.to_owned(), line, message });
            }
            fixtures.push(fixture);
        }
    }
    Ok(fixtures)
}

fn fixture(file: &str, line: usize, case: Case) -> Result<Fixture, String> {
    let actions = case.action.into_vec().iter().map(|name| action(name)).collect::<Result<Vec<_>, _>>()?;
    if case.context.hour > 23 {
        return Err("hour is 0 to 23".to_owned());
    }
    let fixture = Fixture {
        file: file.to_owned(),
        line,
        name: case.name,
        callers: callers(case.principal)?,
        actions,
        resource: case.resource,
        context: case.context,
        expect: case.expect,
    };
    if fixture.callers.is_empty() || fixture.actions.is_empty() {
        return Err("a case needs a caller and an action".to_owned());
    }
    fixture.actions.iter().try_for_each(|action| kind_of(*action, fixture.resource.kind.as_deref()).map(drop))?;
    Ok(fixture)
}

fn action(name: &str) -> Result<Action, String> {
    Action::ALL
        .iter()
        .copied()
        .find(|action| action.as_str() == name)
        .ok_or_else(|| "there is no such action".to_owned())
}

fn callers(who: Who) -> Result<Vec<Somebody>, String> {
    let modes = who.mode.map_or_else(|| vec![Mode::Test], OneOrMore::into_vec);
    let person = who.person.unwrap_or_else(|| "somebody".to_owned());
    let mut callers = Vec::new();
    match (who.role, who.terminal) {
        (Some(roles), None) => {
            for role in roles.into_vec() {
                // A partner always speaks in an audience.
                let audience = who.audience.clone().or_else(|| (role == Role::Partner).then(|| "partner".to_owned()));
                callers.extend(modes.iter().map(|mode| Somebody::credential(role, *mode, &person, audience.clone())));
            }
        }
        (None, Some(terminal)) => {
            callers.extend(modes.iter().map(|mode| Somebody::terminal(*mode, terminal.has_admin)))
        }
        _ => return Err("principal needs either role or terminal".to_owned()),
    }
    Ok(callers)
}

impl Policies {
    /// Tries every case of the set on the set itself.
    ///
    /// # Errors
    /// The first that is decided otherwise than it says.
    pub fn try_fixtures(&self) -> Result<usize, Failure> {
        let mut tried = 0;
        for fixture in &self.fixtures {
            for (case, allowed) in fixture.decided_by(self) {
                if allowed != (fixture.expect == Expect::Allow) {
                    let got = if allowed { "allow" } else { "deny" };
                    let (file, line) = (fixture.file.clone(), fixture.line);
                    return Err(Failure { file, line, case, expected: fixture.expect, got });
                }
                tried += 1;
            }
        }
        Ok(tried)
    }

    /// The cases of both sets that `other` decides otherwise than this one, as `other` decides them.
    pub fn changed_by(&self, other: &Self) -> Vec<Outcome> {
        let mut changed = Vec::new();
        for fixture in self.fixtures.iter().chain(&other.fixtures) {
            let before = fixture.decided_by(self).map(|(_, allowed)| allowed).collect::<Vec<_>>();
            for ((case, allowed), before) in fixture.decided_by(other).zip(before) {
                let outcome = Outcome { case: format!("{}: {case}", fixture.file), allowed };
                if allowed != before && !changed.contains(&outcome) {
                    changed.push(outcome);
                }
            }
        }
        changed
    }
}

impl Fixture {
    /// Each combination by name, and whether `policies` permit it.
    fn decided_by(&self, policies: &Policies) -> impl Iterator<Item = (String, bool)> {
        self.callers.iter().flat_map(move |caller| {
            self.actions.iter().map(move |action| {
                let case = format!("{} ({}, {})", self.name, caller.name(), action.as_str());
                (case, self.permits(policies, caller, *action))
            })
        })
    }

    fn permits(&self, policies: &Policies, caller: &Somebody, action: Action) -> bool {
        // Read already: a kind that does not go with the action was refused.
        let Ok(kind) = kind_of(action, self.resource.kind.as_deref()) else { return false };
        let question = Asked {
            owner: self.resource.foreign.then(|| ids::from_bytes::<ids::Tenant>([2; 16]).to_string()),
            audience: self.resource.audience.clone(),
            own: self.resource.own,
            grants: self.resource.grants,
            approved: self.context.approved,
            purpose: self.context.purpose.clone(),
            hour: self.context.hour,
            with: self.context.with.iter().copied().collect(),
            ..Asked::plainly(action, kind)
        };
        caller.asks(policies, question, self.context.address, self.context.second_person)
    }
}

#[cfg(test)]
mod tests;
