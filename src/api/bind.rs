//! The body of `POST /v1/aliases`: which of the contract's wishes this version honours, and the call that does.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use utoipa::ToSchema;

use super::code::Code;
use super::extract::Call;
use super::fields::{self, Typed};
use super::problem::Problem;
use crate::access::{Action, NewAlias, Permit};
use crate::alias::{AliasView, Bind};
use crate::ids::PoolId;
use crate::vault::Holder;

/// An alias to be bound.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BindAlias {
    mode: ModeName,
    /// The first person.
    #[schema(value_type = String, example = "tok_04c1k8q3v6r5e9x8wz7m4n2b1c0d9f8a")]
    a: Typed,
    /// The second person, in `axb`.
    #[schema(value_type = Option<String>)]
    b: Option<Typed>,
    /// This number and no other; own, unshared pools only.
    number: Option<String>,
    /// From this pool and no other.
    pool: Option<String>,
    /// ISO 3166-1 alpha-2 of the number, if it matters.
    region: Option<String>,
    /// `sms`.
    capabilities: Option<Vec<Capability>>,
    /// Life in seconds, at least 60; until released if not said.
    #[schema(minimum = 60)]
    ttl_s: Option<u64>,
    /// `none`.
    disclose: Option<Disclose>,
    /// What happens to messages from those who have no leg: `drop`.
    unknown: Option<Unknown>,
    /// An object of the caller's; at most 4 KB, no phone number in it.
    #[schema(value_type = Option<Object>)]
    metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// Not offered by this version.
    #[schema(value_type = Option<Vec<String>>)]
    members: Option<IgnoredAny>,
    /// Not offered by this version.
    #[schema(value_type = Option<String>)]
    number_y: Option<IgnoredAny>,
    /// Not offered by this version.
    #[schema(value_type = Option<String>)]
    a_region: Option<IgnoredAny>,
    /// Not offered by this version.
    #[schema(value_type = Option<String>)]
    b_region: Option<IgnoredAny>,
    /// Not offered by this version.
    #[schema(value_type = Option<String>)]
    strategy: Option<IgnoredAny>,
    /// Not offered by this version.
    #[schema(value_type = Option<String>)]
    content: Option<IgnoredAny>,
}

/// Who reaches whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModeName {
    /// Anyone who writes to X reaches A.
    Ax,
    /// A and B reach each other through X.
    Axb,
    /// Not offered by this version.
    Axn,
    /// Not offered by this version.
    Axe,
    /// Not offered by this version.
    Axyb,
    /// Not offered by this version.
    Axg,
}

/// What a number can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Text messages.
    Sms,
    /// Calls; not offered for aliases by this version.
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
}

/// What the tenant learns of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disclose {
    /// Nothing.
    None,
    /// Not offered by this version.
    MaskedCode,
    /// Not offered by this version.
    Code,
    /// Not offered by this version.
    Text,
}

/// What happens to messages of people without a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// Nothing.
    Drop,
    /// Not offered by this version.
    Reply,
    /// Not offered by this version.
    Webhook,
}

impl BindAlias {
    /// Carries the wish out.
    pub(super) async fn bind(self, call: &Call) -> Result<AliasView, Problem> {
        self.supported()?;
        let permit = call.permit(Action::AliasBind, NewAlias {}).await?;
        let wish = Bind {
            mode: if self.mode == ModeName::Ax { "ax" } else { "axb" }.to_owned(),
            a: person(call, &permit, &self.a).await?,
            b: match &self.b {
                Some(token) => Some(person(call, &permit, token).await?),
                None => None,
            },
            number: self.number.map(|text| fields::virtual_number("number", &text)).transpose()?,
            pool: self.pool.map(|text| fields::id::<PoolId>(&text)).transpose()?,
            region: fields::region("region", self.region.as_deref())?,
            ttl: self.ttl_s.map(Duration::from_secs),
            metadata: fields::metadata(self.metadata.as_ref())?,
        };
        Ok(call.api.alias.bind(&permit, wish).await?)
    }

    fn supported(&self) -> Result<(), Problem> {
        for (field, value) in [
            ("members", &self.members),
            ("number_y", &self.number_y),
            ("a_region", &self.a_region),
            ("b_region", &self.b_region),
            ("strategy", &self.strategy),
            ("content", &self.content),
        ] {
            fields::unsupported(field, value.as_ref())?;
        }
        for (field, offered) in [
            ("mode", matches!(self.mode, ModeName::Ax | ModeName::Axb)),
            ("disclose", self.disclose.is_none_or(|d| d == Disclose::None)),
            ("unknown", self.unknown.is_none_or(|u| u == Unknown::Drop)),
            ("capabilities", self.capabilities.iter().flatten().all(|c| *c == Capability::Sms)),
        ] {
            if !offered {
                return Err(Problem::at(Code::UnsupportedValue, field));
            }
        }
        Ok(())
    }
}

async fn person(call: &Call, permit: &Permit<NewAlias>, token: &Typed) -> Result<Holder, Problem> {
    Ok(call.api.vault.addressee(permit, &fields::token(token.as_str())?).await?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::body::read;
    use super::*;

    fn refused(body: &str) -> Option<(Code, String)> {
        let problem = read::<BindAlias>(body.as_bytes()).unwrap().supported().err()?;
        Some((problem.code, problem.fields.first()?.field.clone()))
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name_and_not_ignored() {
        assert_eq!(refused(r#"{"mode":"ax","a":"t","disclose":"none","unknown":"drop","capabilities":["sms"]}"#), None);
        for (body, field) in [
            (r#"{"mode":"axn","a":"t"}"#, "mode"),
            (r#"{"mode":"ax","a":"t","disclose":"code"}"#, "disclose"),
            (r#"{"mode":"ax","a":"t","unknown":"reply"}"#, "unknown"),
            (r#"{"mode":"ax","a":"t","strategy":"sticky"}"#, "strategy"),
            (r#"{"mode":"ax","a":"t","capabilities":["sms","voice"]}"#, "capabilities"),
        ] {
            assert_eq!(refused(body), Some((Code::UnsupportedValue, field.to_owned())));
        }
    }
}
