//! `/v1/tokens/{token}/exchange`: one person's token for another audience.

use serde::Deserialize;
use utoipa::ToSchema;

use super::answer::Answer;
use super::body::Body;
use super::extract::Call;
use super::fields;
use super::idempotency::once;
use super::problem::Problem;
use super::tokens::TokenAnswer;
use crate::access::{Action, Exchange};

/// For whom the other token is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeToken {
    /// The partner's audience; the caller's own if not said.
    #[schema(example = "courier")]
    audience: Option<String>,
}

/// Get a person's token for another audience
///
/// The same person, kind and life; policies say who may. The log tells of it, and no record is made. Under an
/// `Idempotency-Key` a repetition is authorized and carried out afresh.
#[utoipa::path(post, path = "/v1/tokens/{token}/exchange", tag = "Tokens", request_body = ExchangeToken,
    params(("token" = String, Path, description = "`tok_…`, `tks_…` or `%2B999…`")),
    responses((status = 200, description = "The other token.", body = TokenAnswer)))]
pub async fn exchange(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, exchanged).await
}

async fn exchanged(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let ExchangeToken { audience } = body.read()?;
    fields::optional_text("audience", audience.as_deref())?;
    let token = fields::token(call.part("token"))?;
    let permit = call.permit(Action::TokenExchange, Exchange { token, audience }).await?;
    Ok(Answer::ok(&TokenAnswer::from(call.api.vault.exchange(&permit).await?))?.afresh())
}
