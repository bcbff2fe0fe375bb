//! `/v1/tokens`: numbers in, tokens out; masked metadata.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Answer;
use super::batch;
use super::body::{self, Body};
use super::code::Code;
use super::extract::Call;
use super::fields::{self, Typed};
use super::idempotency::once;
use super::problem::Problem;
use crate::access::{Action, NewFpe, NewTokens, Permit, TokenRef};
use crate::clock::Timestamp;
use crate::event::Mode;
use crate::phone::{LineType, Masked};
use crate::token::{Kind, Token};
use crate::vault::{NewToken, TokenView};

/// The longest life that can be asked for: ten years.
const LONGEST_LIFE: u64 = 10 * 366 * 24 * 60 * 60;

/// A number to be tokenized.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// As people type it: spaces, brackets, `00`, `tel:`, any script's digits; national form needs `region`.
    #[schema(value_type = String, example = "+44 7700 900123")]
    number: Typed,
    /// ISO 3166-1 alpha-2, for numbers in national form.
    #[schema(example = "GB")]
    region: Option<String>,
    /// `vaulted` if not said.
    kind: Option<TokenKind>,
    /// For whom; the caller's own audience if not said. Other audience, other token.
    audience: Option<String>,
    /// Life in seconds; for ever if not said. A token with a life is a token of its own.
    #[schema(minimum = 1)]
    ttl_s: Option<u64>,
    /// Whether the token is to be a new one even if the number has one. Of `vaulted` and `lookalike` ones.
    fresh: Option<bool>,
    /// An object of the caller's, kept with the token; at most 4 KB, no phone number in it. Of `vaulted` and `lookalike`
    /// ones.
    #[schema(value_type = Option<Object>)]
    metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// Whether an `fpe` text begins with the number's own country code: true if not said. Of `fpe` ones.
    keep_country: Option<bool>,
}

/// Which kind of token.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// `tok_…`, kept in the store.
    Vaulted,
    /// `tks_…`, needs no store.
    Sealed,
    /// `+999…`, kept in the store: takes the place of a number where a column or pattern insists on one, and never rings.
    Lookalike,
    /// A number in the form of a number, for test data. No call takes it for a token, since it may be somebody's number.
    Fpe,
}

/// What may be shown of a token.
#[derive(Serialize, ToSchema)]
pub struct TokenAnswer {
    /// `tok_…`, `tks_…`, `+999…`, or for `fpe` a number.
    #[schema(value_type = String, example = "tok_04c1k8q3v6r5e9x8wz7m4n2b1c0d9f8a")]
    token: Token,
    kind: TokenKind,
    /// Absent for callers who may see no masks.
    #[schema(value_type = Option<String>, example = "+44 ••• ••• •23")]
    #[serde(skip_serializing_if = "Option::is_none")]
    masked: Option<Masked>,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "GB")]
    country: String,
    #[schema(value_type = String, example = "mobile")]
    line_type: LineType,
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<serde_json::Value>,
}

impl CreateToken {
    /// What it asks for, checked: the audience, and what the vault needs.
    pub(super) fn parsed(self, mode: Mode) -> Result<(Option<String>, NewToken), Problem> {
        let kind = Kind::from(self.kind.unwrap_or(TokenKind::Vaulted));
        fields::optional_text("audience", self.audience.as_deref())?;
        let ttl = fields::seconds("ttl_s", self.ttl_s, 1..=LONGEST_LIFE)?;
        let metadata = fields::metadata(self.metadata.as_ref())?;
        let fresh = self.fresh.unwrap_or(false);
        has_room(kind, fresh, ttl.is_some(), metadata.is_some())?;
        if kind != Kind::Fpe {
            fields::unsupported("keep_country", self.keep_country.as_ref())?;
        }
        let keep_country = self.keep_country.unwrap_or(true);
        let region = fields::region("region", self.region.as_deref())?;
        let parsed = fields::number(&self.number, region.as_deref(), mode, false)?;
        let (number, country, line_type) = (parsed.number, parsed.country, parsed.line_type);
        Ok((
            self.audience,
            NewToken { number, country, line_type, kind, ttl, ends_at: None, fresh, metadata, keep_country },
        ))
    }
}

/// A sealed token carries number and life and nothing else, an fpe text the number alone: what needs more is refused.
fn has_room(kind: Kind, fresh: bool, ttl: bool, metadata: bool) -> Result<(), Problem> {
    let field = match kind {
        Kind::Sealed | Kind::Fpe if fresh => "fresh",
        Kind::Sealed | Kind::Fpe if metadata => "metadata",
        Kind::Fpe if ttl => "ttl_s",
        _ => return Ok(()),
    };
    Err(Problem::at(Code::UnsupportedValue, field))
}

impl From<TokenKind> for Kind {
    fn from(kind: TokenKind) -> Self {
        match kind {
            TokenKind::Vaulted => Self::Vaulted,
            TokenKind::Sealed => Self::Sealed,
            TokenKind::Lookalike => Self::Lookalike,
            TokenKind::Fpe => Self::Fpe,
        }
    }
}

impl From<Kind> for TokenKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Vaulted => Self::Vaulted,
            Kind::Sealed => Self::Sealed,
            Kind::Lookalike => Self::Lookalike,
            Kind::Fpe => Self::Fpe,
        }
    }
}

impl From<TokenView> for TokenAnswer {
    fn from(view: TokenView) -> Self {
        Self {
            token: view.token,
            kind: view.kind.into(),
            masked: view.masked,
            country: view.country,
            line_type: view.line_type,
            created_at: view.created_at,
            expires_at: view.expires_at,
            metadata: view.metadata.and_then(|text| serde_json::from_str(&text).ok()),
        }
    }
}

/// Make a token
///
/// The same number gives the same token for the same kind and audience, unless `fresh`, `ttl_s` or `metadata` ask for one
/// of its own. No answer tells whether the number was known.
#[utoipa::path(post, path = "/v1/tokens", tag = "Tokens", request_body = CreateToken,
    responses((status = 201, description = "The token.", body = TokenAnswer)))]
pub async fn create(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, created).await
}

async fn created(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let (audience, new) = body.read::<CreateToken>()?.parsed(call.caller.mode)?;
    let view = match new.kind {
        Kind::Fpe => call.api.vault.fpe(&fpe_permit(call, audience).await?, new).await?,
        _ => {
            let permit = call.permit(Action::TokenCreate, NewTokens { audience }).await?;
            call.api.vault.tokenize(&permit, new).await?
        }
    };
    Answer::created(&TokenAnswer::from(view))
}

/// Asks for numbers in the form of numbers. Live tenants hear that no policy would help.
pub(super) async fn fpe_permit(call: &Call, audience: Option<String>) -> Result<Permit<NewFpe>, Problem> {
    let answer = call.permit(Action::TokenCreateFpe, NewFpe { audience }).await;
    answer.map_err(|problem| match (problem.code, call.caller.mode) {
        (Code::Forbidden, Mode::Live) => Problem::new(Code::FpeNotAllowed),
        _ => problem,
    })
}

/// Make many tokens
///
/// Up to 10,000 numbers, kinds and audiences mixed; each has its own token or its own error, in the order given. A long
/// answer is sent in pieces. Error codes of items: `number_invalid`, `number_too_short`, `region_required`,
/// `number_in_text`, `invalid_field`, `unsupported_value`, `fpe_domain_too_small`. What the caller may not do at all
/// (`forbidden`, `fpe_not_allowed`) refuses the whole batch before anything is done.
#[utoipa::path(post, path = "/v1/tokens/batch", tag = "Tokens", request_body = batch::CreateTokens,
    responses((status = 200, description = "One answer for each item.", body = batch::Tokens)))]
pub async fn create_batch(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, batch::created).await
}

/// Look at a token
///
/// Masked metadata; never the number.
#[utoipa::path(get, path = "/v1/tokens/{token}", tag = "Tokens",
    params(("token" = String, Path, description = "`tok_…`, `tks_…` or `%2B999…`")),
    responses((status = 200, description = "What may be shown.", body = TokenAnswer)))]
pub async fn read(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let token = fields::token(call.part("token"))?;
    let permit = call.permit(Action::TokenRead, TokenRef { token, purpose: None }).await?;
    Answer::ok(&TokenAnswer::from(call.api.vault.describe(&permit).await?))
}
