//! What no set of policies may bring about, however many persons agree: that nobody can change policies any more, and
//! that those who grant access to numbers see them.
//!
//! The second is kept by the floor too, whatever a set says; a set that tries is refused all the same, so that nobody
//! believes in a permission that is none. Tried by asking the set, since what it permits cannot be read off its text:
//! on the keepers' own credentials at each hour, and on every purpose that the texts name.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::somebody::{Somebody, kind_of};
use super::{Policies, PolicyError};
use crate::access::authorize::Asked;
use crate::access::{Action, Standing};
use crate::event::{Mode, Role};
use crate::store::{Proof, With};

/// Purposes tried at most.
const MAX_PURPOSES: usize = 64;

/// Addresses that callers may come from: this machine, and one of the documentation (RFC 5737).
const ADDRESSES: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))];

/// Credentials tried at most: admins first, then approvers.
const MAX_CREDENTIALS: usize = 64;

/// Those who may change policies today.
pub(super) struct Keepers {
    credentials: Vec<Arc<Standing>>,
    mode: Mode,
    has_admin: bool,
}

impl Keepers {
    /// Of the keeping tenant: its credentials that have not ended, its mode, whether it has an admin.
    pub(super) fn of(mut credentials: Vec<Arc<Standing>>, mode: Mode, has_admin: bool) -> Self {
        let rank = |role| match role {
            Role::Admin => 0,
            Role::Approver => 1,
            _ => 2,
        };
        credentials.sort_by_key(|standing| (rank(standing.role), standing.credential));
        credentials.truncate(MAX_CREDENTIALS);
        Self { credentials, mode, has_admin }
    }

    /// Somebody of each role in a live tenant, where nobody is known.
    pub(super) fn imagined() -> Self {
        let credentials = Role::ALL.into_iter().map(|role| Somebody::standing(role, Mode::Live, role.as_str(), None));
        Self { credentials: credentials.collect(), mode: Mode::Live, has_admin: true }
    }

    fn callers(&self) -> impl Iterator<Item = (Somebody, Vec<IpAddr>)> {
        let credential = |standing: &Arc<Standing>| {
            let addresses = standing.usual_address().map_or_else(|| ADDRESSES.to_vec(), |usual| vec![usual]);
            (Somebody::Credential(Arc::clone(standing)), addresses)
        };
        let terminal = (Somebody::terminal(self.mode, self.has_admin), ADDRESSES.to_vec());
        self.credentials.iter().map(credential).chain([terminal])
    }

    /// Whether any of them could do `action` at some hour, with or without the word of one of `deciders`.
    fn could(&self, policies: &Policies, action: Action, deciders: &[Somebody]) -> bool {
        self.callers().any(|(caller, addresses)| {
            let second_person = self.has_second_person(&caller);
            let may = |approved| may(policies, (&caller, &addresses), action, Eyes { approved, second_person });
            let in_person = matches!(caller, Somebody::Credential(_));
            may(false) || (in_person && deciders.iter().any(|decider| !decider.is_person_of(&caller)) && may(true))
        })
    }

    /// Those who could approve what others ask for.
    fn deciders(&self, policies: &Policies) -> Vec<Somebody> {
        let decides = |(decider, addresses): &(Somebody, Vec<IpAddr>)| {
            let eyes = Eyes { approved: false, second_person: self.has_second_person(decider) };
            may(policies, (decider, addresses), Action::ApprovalDecide, eyes)
        };
        // A terminal is no person.
        let people = self.callers().filter(|(caller, _)| matches!(caller, Somebody::Credential(_)));
        people.filter(decides).map(|(decider, _)| decider).collect()
    }

    fn has_second_person(&self, caller: &Somebody) -> bool {
        let mut approvers = self.credentials.iter().filter(|standing| standing.role == Role::Approver);
        approvers.any(|approver| !Somebody::Credential(Arc::clone(approver)).is_person_of(caller))
    }
}

/// What a second person said, and whether there is one.
#[derive(Clone, Copy)]
struct Eyes {
    approved: bool,
    second_person: bool,
}

/// Whether the caller may at any hour from any of its addresses.
fn may(policies: &Policies, (caller, addresses): (&Somebody, &[IpAddr]), action: Action, eyes: Eyes) -> bool {
    let Ok(kind) = kind_of(action, None) else { return false };
    let plain = Asked { approved: eyes.approved, ..Asked::plainly(action, kind) };
    let question = |hour, with| Asked { hour, with, ..plain.clone() };
    let least_and_most = [With::NONE.and(Proof::Key), caller.could_bring()];
    (0..24).any(|hour| {
        least_and_most.iter().any(|with| {
            addresses.iter().any(|from| caller.asks(policies, question(hour, *with), *from, eyes.second_person))
        })
    })
}

/// Refuses a set that may never come into force.
pub(super) fn check(policies: &Policies, keepers: &Keepers) -> Result<(), PolicyError> {
    let deciders = keepers.deciders(policies);
    for action in [Action::PolicyPropose, Action::PolicyActivate] {
        if !keepers.could(policies, action, &deciders) {
            let name = action.as_str();
            return Err(PolicyError::Unsafe(format!(
                "nobody who keeps the policies could do {name} under this set, so that it could never be changed \
                 again; permit {name} to somebody who has a credential"
            )));
        }
    }
    check_reveals(policies)
}

fn check_reveals(policies: &Policies) -> Result<(), PolicyError> {
    let bare = Policies::on_floor(policies.files().clone(), "")?;
    let purposes = purposes(policies);
    for role in [Role::Admin, Role::Approver] {
        for caller in [Mode::Live, Mode::Test].map(|mode| Somebody::credential(role, mode, "somebody", None)) {
            if purposes.iter().any(|purpose| sees_numbers(&bare, &caller, purpose.as_deref())) {
                return Err(PolicyError::Unsafe(format!(
                    "this set would let the role {} reveal numbers, and whoever grants access may not have it; \
                     forbid it, as no-reveal-by-those-who-grant-it of roles.cedar does",
                    role.as_str()
                )));
            }
        }
    }
    Ok(())
}

/// Whether the caller could get at a number for this purpose. An export without a purpose holds none.
fn sees_numbers(policies: &Policies, caller: &Somebody, purpose: Option<&str>) -> bool {
    let actions = [Some(Action::TokenReveal), purpose.map(|_| Action::SubjectExport)];
    actions.into_iter().flatten().any(|action| {
        let Ok(kind) = kind_of(action, None) else { return false };
        [0, 6, 12, 18].into_iter().any(|hour| {
            let purpose = purpose.map(str::to_owned);
            let question = Asked { purpose, hour, approved: true, ..Asked::plainly(action, kind) };
            let asks = |with, address| caller.asks(policies, Asked { with, ..question.clone() }, address, true);
            let sets = [With::NONE.and(Proof::Key), Proof::ALL.into_iter().collect()];
            sets.iter().any(|with| ADDRESSES.iter().any(|address| asks(*with, *address)))
        })
    })
}

/// Whether the schema gives a text another meaning: the name of an action, a role or a mode.
fn is_schemas(text: &str) -> bool {
    Action::ALL.iter().any(|action| action.as_str() == text)
        || Role::parse(text).is_some()
        || [Mode::Live, Mode::Test].iter().any(|mode| mode.as_str() == text)
}

/// No purpose, and every text in quotation marks that the policies hold: the purposes are among them.
fn purposes(policies: &Policies) -> Vec<Option<String>> {
    let mut texts = BTreeSet::from(["support"]);
    for (_, text) in policies.files().iter().filter(|(name, _)| name.ends_with(".cedar")) {
        for line in text.lines() {
            // An annotation decides nothing.
            let annotated = line.trim_start().strip_prefix('@').and_then(|rest| rest.split_once(')'));
            let line = annotated.map_or(line, |(_, rest)| rest);
            let quoted = line.split('"').skip(1).step_by(2);
            texts.extend(quoted.filter(|text| text.len() <= 64 && !is_schemas(text)));
        }
    }
    let named = texts.into_iter().take(MAX_PURPOSES).map(|text| Some(text.to_owned()));
    [None].into_iter().chain(named).collect()
}
