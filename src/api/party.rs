//! People in requests: a token, or a number that is turned into its record at once.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::extract::Call;
use super::fields::{self, Typed};
use super::problem::Problem;
use crate::access::{Permit, Resource};
use crate::phone::Bearing;
use crate::token::Token;
use crate::vault::Holder;

/// Who is meant.
#[derive(ToSchema)]
pub enum To {
    /// `tok_…`.
    #[schema(value_type = String, example = "tok_04c1k8q3v6r5e9x8wz7m4n2b1c0d9f8a")]
    Token(Zeroizing<String>),
    /// A number, as people type it.
    Number(Number),
}

/// A number in place of a token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// In international form.
    #[schema(value_type = String, example = "+44 7700 900123")]
    number: Typed,
}

impl<'de> Deserialize<'de> for To {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ToVisitor)
    }
}

struct ToVisitor;

impl<'de> Visitor<'de> for ToVisitor {
    type Value = To;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token or an object with a number")
    }

    fn visit_str<E>(self, text: &str) -> Result<To, E> {
        Ok(To::Token(Zeroizing::new(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<To, A::Error> {
        Number::deserialize(MapAccessDeserializer::new(map)).map(To::Number)
    }
}

/// The person that `to` means, who is to be sent something.
pub async fn addressee<R: Resource>(call: &Call, permit: &Permit<R>, to: &To) -> Result<Holder, Problem> {
    let vault = &call.api.vault;
    match to {
        To::Token(text) => Ok(vault.addressee(permit, &fields::token(text)?).await?),
        To::Number(typed) => {
            let number = fields::number(&typed.number, None, call.caller.mode, true)?.number;
            vault.reachable(&number, call.caller.mode).await?;
            Ok(vault.hold(permit, &number).await?)
        }
    }
}

/// The person that `to` means, who is to be sent something, with where they are and their token in the caller's audience.
pub async fn destination<R: Resource>(
    call: &Call,
    permit: &Permit<R>,
    to: &To,
) -> Result<(Holder, Bearing, Token), Problem> {
    let vault = &call.api.vault;
    match to {
        To::Token(text) => {
            let token = fields::token(text)?;
            let (holder, bearing) = vault.destination(permit, &token).await?;
            Ok((holder, bearing, token))
        }
        To::Number(typed) => {
            let number = fields::number(&typed.number, None, call.caller.mode, true)?.number;
            vault.reachable(&number, call.caller.mode).await?;
            let holder = vault.hold(permit, &number).await?;
            let token = vault.token_of(permit.tenant(), holder.record, permit.audience()).await?;
            Ok((holder, Bearing::with_region(&number), token))
        }
    }
}
