//! Callers to put questions to policies: imagined ones for fixtures, the keepers' own for the rails.
//!
//! They ask by the same code as a request does.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use cedar_policy::{EntityId, EntityTypeName, EntityUid};

use super::{Policies, schema};
use crate::access::authorize::{Asked, ask};
use crate::access::directory::same_person;
use crate::access::{Action, Caller, Principal, Standing, Terminal};
use crate::clock::Timestamp;
use crate::event::{Mode, Role};
use crate::ids::{self, TenantId};
use crate::store::{TenantRow, With};

/// A caller to try policies on.
#[derive(Clone)]
pub(super) enum Somebody {
    Credential(Arc<Standing>),
    Terminal(Terminal),
}

impl fmt::Debug for Somebody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// The tenant that every imagined caller is of.
fn home() -> TenantId {
    ids::from_bytes([1; 16])
}

impl Somebody {
    pub(super) fn credential(role: Role, mode: Mode, person: &str, audience: Option<String>) -> Self {
        Self::Credential(Self::standing(role, mode, person, audience))
    }

    pub(super) fn standing(role: Role, mode: Mode, person: &str, audience: Option<String>) -> Arc<Standing> {
        Arc::new(Standing::imagined(home(), mode, role, person, audience))
    }

    pub(super) fn terminal(mode: Mode, has_admin: bool) -> Self {
        let tenant = TenantRow {
            id: home(),
            name: "Imagined".into(),
            mode,
            region: None,
            created_at: Timestamp::from_millis(0),
        };
        Self::Terminal(Terminal { user: "somebody".into(), tenant: Arc::new(tenant), has_admin })
    }

    /// Whether both are one person; a terminal is nobody's.
    pub(super) fn is_person_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Credential(one), Self::Credential(other)) => same_person(&one.person, &other.person),
            _ => false,
        }
    }

    /// Mode and role, or that it is a terminal.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Credential(standing) => format!("{} {}", standing.mode.as_str(), standing.role.as_str()),
            Self::Terminal(_) => "terminal".to_owned(),
        }
    }

    /// Every proof that the caller could bring at once.
    pub(super) fn could_bring(&self) -> With {
        match self {
            Self::Credential(standing) => standing.proofs.all(),
            Self::Terminal(_) => With::NONE,
        }
    }

    /// Whether `policies` permit what is asked, from `address` where the caller has one.
    pub(super) fn asks(&self, policies: &Policies, mut question: Asked, address: IpAddr, second_person: bool) -> bool {
        match self {
            Self::Credential(standing) => {
                question.address = Some(address);
                let principal = Principal::new(Arc::clone(standing), address, question.with);
                ask(Caller::Credential(&principal), &question, policies, second_person)
            }
            Self::Terminal(terminal) => {
                question.with = With::NONE;
                ask(Caller::Terminal(terminal), &question, policies, second_person)
            }
        }
    }
}

/// The kinds of resource that each action applies to, from the schema.
static KINDS: LazyLock<HashMap<Action, Vec<String>>> = LazyLock::new(|| {
    let (Ok(schema), Ok(action_type)) = (schema(), "Bauta::Action".parse::<EntityTypeName>()) else {
        return HashMap::new();
    };
    let of = |action: &Action| {
        let uid = EntityUid::from_type_name_and_id(action_type.clone(), EntityId::new(action.as_str()));
        let kinds = schema.resources_for_action(&uid).into_iter().flatten().map(|kind| kind.basename().to_owned());
        (*action, kinds.collect())
    };
    Action::ALL.iter().map(of).collect()
});

/// The kind that a case means: the one it names, else the only one there is.
pub(super) fn kind_of(action: Action, named: Option<&str>) -> Result<&'static str, String> {
    let kinds = KINDS.get(&action).map(Vec::as_slice).unwrap_or_default();
    match (named, kinds) {
        (None, [only]) => Ok(only),
        (None, _) => Err(format!("resource needs a kind: {}", kinds.join(" or "))),
        (Some(named), _) => {
            kinds.iter().find(|kind| *kind == named).map(String::as_str).ok_or_else(|| {
                format!("{} does not go with that kind, but with {}", action.as_str(), kinds.join(" or "))
            })
        }
    }
}
