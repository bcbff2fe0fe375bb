//! `/v1/tokens/lookup`: whether a number has a token.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Answer;
use super::body::Body;
use super::extract::Call;
use super::fields::{self, Typed};
use super::idempotency::once;
use super::problem::Problem;
use crate::access::{Action, Holdings};
use crate::token::Token;

/// The number that is asked about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookUpNumber {
    /// As people type it; national form needs `region`.
    #[schema(value_type = String, example = "+44 7700 900123")]
    number: Typed,
    /// ISO 3166-1 alpha-2, for numbers in national form.
    #[schema(example = "GB")]
    region: Option<String>,
}

/// The number's token, if it has one.
#[derive(Serialize, ToSchema)]
pub struct Found {
    /// `tok_…`, or null. Tokens with a life or metadata of their own, fresh and sealed ones are not found.
    #[schema(value_type = Option<String>, example = "tok_04c1k8q3v6r5e9x8wz7m4n2b1c0d9f8a")]
    token: Option<Token>,
}

/// Ask whether a number has a token
///
/// Makes none. Known and unknown numbers are answered with the same status and in the same time; the log tells of each
/// question. Under an `Idempotency-Key` a repetition is asked afresh.
#[utoipa::path(post, path = "/v1/tokens/lookup", tag = "Tokens", request_body = LookUpNumber,
    responses((status = 200, description = "The token, or null.", body = Found)))]
pub async fn lookup(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, looked_up).await
}

async fn looked_up(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let wish: LookUpNumber = body.read()?;
    let region = fields::region("region", wish.region.as_deref())?;
    let number = fields::number(&wish.number, region.as_deref(), call.caller.mode, false)?.number;
    let permit = call.permit(Action::TokenLookup, Holdings {}).await?;
    Ok(Answer::ok(&Found { token: call.api.vault.lookup(&permit, &number).await? })?.afresh())
}
