//! The body of `POST /v1/aliases`, and the call that carries it out.

use std::time::Duration;

use serde::Deserialize;
use utoipa::ToSchema;

use super::extract::Call;
use super::fields::{self, Typed};
use super::problem::Problem;
use crate::access::{Action, NewAlias, Permit, Resource};
use crate::alias::{AliasView, Bind, leg};
use crate::ids::PoolId;
use crate::store::{AliasMode, Disclose, Strategy, Unknown};
use crate::vault::Holder;

/// An alias to be bound.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BindAlias {
    /// `ax`, `axb`, `axn`, `axe`, `axyb` or `axg`.
    #[schema(value_type = String, example = "axb")]
    mode: AliasMode,
    /// The first person.
    #[schema(value_type = String, example = "tok_04c1k8q3v6r5e9x8wz7m4n2b1c0d9f8a")]
    a: Typed,
    /// The second person: needed in `axb` and `axyb`; in `axn` the one whom A reaches instead of the last caller; in `axg`
    /// the member whom A reaches instead of all.
    #[schema(value_type = Option<String>)]
    b: Option<Typed>,
    /// The team, in `axg`: 1 to 50 people.
    #[schema(value_type = Option<Vec<String>>, max_items = 50)]
    members: Option<Vec<Typed>>,
    /// This number and no other; own, unshared pools only.
    number: Option<String>,
    /// The same for the number that A sees, in `axyb`.
    number_y: Option<String>,
    /// From this pool and no other.
    pool: Option<String>,
    /// ISO 3166-1 alpha-2 of the number, if it matters.
    region: Option<String>,
    /// The same of the number that A writes to and sees, in `axyb`.
    a_region: Option<String>,
    /// The same of the number that B writes to and sees, in `axyb`.
    b_region: Option<String>,
    /// What the number has to be able to do, and the alias carries: `sms`, `voice`. If not said: whatever the number can,
    /// texts at least.
    capabilities: Option<Vec<Capability>>,
    /// Life in seconds, at least 60; until released if not said.
    #[schema(minimum = 60)]
    ttl_s: Option<u64>,
    /// `sticky` (as if not said): the number that these people had before, if it can be had; `least_used`; `random`.
    strategy: Option<StrategyName>,
    /// What the tenant learns of messages: `none` (as if not said), `masked_code`, `code` or `text`.
    #[schema(value_type = Option<String>, example = "none")]
    disclose: Option<Disclose>,
    /// What becomes of messages from those who have no leg: `drop`, `reply` (as if not said) or `webhook`.
    #[schema(value_type = Option<String>, example = "reply")]
    unknown: Option<Unknown>,
    /// The content policy that messages pass, by name.
    content: Option<String>,
    /// An object of the caller's; at most 4 KB, no phone number in it.
    #[schema(value_type = Option<Object>)]
    metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Which of several numbers is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StrategyName {
    /// The one that these people had before, else any.
    Sticky,
    /// One that carries the fewest aliases.
    LeastUsed,
    /// Any.
    Random,
}

impl From<StrategyName> for Strategy {
    fn from(name: StrategyName) -> Self {
        match name {
            StrategyName::Sticky => Self::Sticky,
            StrategyName::LeastUsed => Self::LeastUsed,
            StrategyName::Random => Self::Random,
        }
    }
}

/// What a number can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Text messages.
    Sms,
    /// Calls.
    Voice,
}

impl Capability {
    /// As the store keeps it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Voice => "voice",
        }
    }

    /// Several, as the store keeps them: each once.
    pub(super) fn names(wanted: Option<Vec<Self>>) -> Vec<String> {
        let mut names: Vec<_> = wanted.into_iter().flatten().map(|it| it.as_str().to_owned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl BindAlias {
    /// Carries the wish out.
    pub(super) async fn bind(self, call: &Call) -> Result<AliasView, Problem> {
        let permit = call.permit(Action::AliasBind, NewAlias {}).await?;
        self.bind_by(call, &permit).await
    }

    /// The same on a permit that is there already.
    pub(super) async fn bind_by(self, call: &Call, permit: &Permit<NewAlias>) -> Result<AliasView, Problem> {
        let number = |field, text: Option<String>| text.map(|text| fields::virtual_number(field, &text)).transpose();
        let mut members = Vec::new();
        for token in self.members.iter().flatten().take(leg::MAX_MEMBERS + 1) {
            members.push(person(call, permit, token).await?);
        }
        let wish = Bind {
            b: match &self.b {
                Some(token) => Some(person(call, permit, token).await?),
                None => None,
            },
            members,
            number: number("number", self.number)?,
            number_y: number("number_y", self.number_y)?,
            pool: self.pool.map(|text| fields::id::<PoolId>(&text)).transpose()?,
            region: fields::region("region", self.region.as_deref())?,
            a_region: fields::region("a_region", self.a_region.as_deref())?,
            b_region: fields::region("b_region", self.b_region.as_deref())?,
            capabilities: Capability::names(self.capabilities),
            strategy: self.strategy.map(Strategy::from).unwrap_or_default(),
            disclose: self.disclose.unwrap_or_default(),
            unknown: self.unknown.unwrap_or_default(),
            content: self.content,
            ttl: self.ttl_s.map(Duration::from_secs),
            metadata: fields::metadata(self.metadata.as_ref())?,
            ..Bind::of(leg::name(self.mode), person(call, permit, &self.a).await?)
        };
        Ok(call.api.alias.bind(permit, wish).await?)
    }
}

/// The person whom a token of the request names.
pub(super) async fn person<R: Resource>(call: &Call, permit: &Permit<R>, token: &Typed) -> Result<Holder, Problem> {
    Ok(call.api.vault.addressee(permit, &fields::token(token.as_str())?).await?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::body::read;
    use super::*;

    #[test]
    fn every_wish_of_the_contract_is_read_and_no_other() {
        for mode in ["ax", "axb", "axn", "axe", "axyb", "axg"] {
            assert!(read::<BindAlias>(format!(r#"{{"mode":"{mode}","a":"t"}}"#).as_bytes()).is_ok(), "{mode}");
        }
        let all = r#"{"mode":"axyb","a":"t","b":"u","members":["v"],"number":"+1","number_y":"+2","pool":"p","region":"GB",
            "a_region":"GB","b_region":"FR","capabilities":["sms","voice"],"ttl_s":60,"strategy":"least_used",
            "disclose":"masked_code","unknown":"webhook","content":"calm","metadata":{}}"#;
        let read_all = read::<BindAlias>(all.as_bytes()).unwrap();
        assert_eq!((read_all.disclose, read_all.unknown), (Some(Disclose::MaskedCode), Some(Unknown::Webhook)));
        for other in [r#""mode":"axz""#, r#""mode":"ax","strategy":"best""#, r#""mode":"ax","disclose":"all""#] {
            assert!(read::<BindAlias>(format!(r#"{{"a":"t",{other}}}"#).as_bytes()).is_err(), "{other}");
        }
    }
}
