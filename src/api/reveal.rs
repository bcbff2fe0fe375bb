//! `/v1/tokens/{token}/reveal` and `/v1/tokens/reveal/batch`: numbers to a custodian, a second person's word where
//! policies ask for one.
//!
//! No answer with a number is kept or cached. Whoever is asked to approve sees masks.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::answer::{Answer, Pending};
use super::batch::ItemRefusal;
use super::body::Body;
use super::code::Code;
use super::extract::Call;
use super::fields::{self, Object};
use super::idempotency::once;
use super::problem::Problem;
use crate::access::{Action, Bound, Ruling, TokenRef, TokenSet};
use crate::ids::ApprovalId;
use crate::token::Token;
use crate::vault::{MAX_BATCH, VaultError};

/// Masks that an approver gets to see of a long list.
const SHOWN: usize = 100;

/// Why a number is to be shown.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevealToken {
    /// One that the policies know: `support`, `fraud`, `legal`, `delivery`, `emergency`.
    #[schema(example = "support")]
    purpose: String,
    /// The caller's own note for the log; no phone number in it.
    #[schema(example = "case 4711")]
    reference: Option<String>,
    /// Once a second person approved what the same request without this asked for.
    #[schema(example = "apr_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    approval: Option<String>,
}

/// A number, after its audit entry became durable.
#[derive(Serialize, ToSchema)]
pub struct Revealed {
    /// E.164.
    #[serde(serialize_with = "fields::shown")]
    #[schema(value_type = String, example = "+447700900123")]
    number: Zeroizing<String>,
    /// The entry's leaf in the log, hexadecimal.
    leaf: String,
}

/// Many numbers to be shown, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevealTokens {
    /// At most 10,000. Or `items`.
    #[schema(max_items = 10_000)]
    tokens: Option<Vec<String>>,
    /// The same, an object for each.
    #[schema(value_type = Option<Vec<RevealItem>>, max_items = 10_000)]
    items: Option<Vec<Object<RevealItem>>>,
    /// One that the policies know, for all of them.
    #[schema(example = "delivery")]
    purpose: String,
    /// The caller's own note for the log; no phone number in it.
    reference: Option<String>,
    /// Once a second person approved what the same request without this asked for.
    #[schema(example = "apr_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    approval: Option<String>,
}

/// One of many.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevealItem {
    /// `tok_…` or `tks_…`.
    token: String,
}

/// One answer for each token, in order.
#[derive(Serialize, ToSchema)]
pub struct RevealedBatch {
    items: Vec<RevealedItem>,
    /// The leaves of the entries that name all of them, hexadecimal.
    leaves: Vec<String>,
}

/// A number, or why there is none.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum RevealedItem {
    /// The number.
    Shown {
        /// E.164.
        #[serde(serialize_with = "fields::shown")]
        #[schema(value_type = String, example = "+447700900123")]
        number: Zeroizing<String>,
    },
    /// The refusal.
    Refused {
        /// Why.
        error: ItemRefusal,
    },
}

/// Reveal a number
///
/// For custodians, with a purpose that the policies allow. The audit entry is durable before the answer. Where policies
/// ask for a second person the answer is 202; once an approver said yes, the same request with `approval` reveals, once.
/// Under an `Idempotency-Key` a repetition is authorized and audited afresh.
#[utoipa::path(post, path = "/v1/tokens/{token}/reveal", tag = "Tokens", request_body = RevealToken,
    params(("token" = String, Path, description = "`tok_…` or `tks_…`")),
    responses((status = 200, description = "The number. `RateLimit` says what the day's budget has left.", body = Revealed),
        (status = 202, description = "A second person has to approve first.", body = Pending)))]
pub async fn one(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, revealed).await
}

async fn revealed(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let wish: RevealToken = body.read()?;
    fields::text("purpose", &wish.purpose)?;
    fields::optional_text("reference", wish.reference.as_deref())?;
    let approval = fields::approval(wish.approval.as_deref())?;
    let token = fields::token(call.part("token"))?;
    let resource = TokenRef { token: token.clone(), purpose: Some(wish.purpose.clone()) };
    let needs = approval.is_none() && call.api.access.needs_second_person(&call.caller, Action::TokenReveal, &resource);
    let tokens = vec![token];
    let bound = bound(call, tokens, &wish.reference, approval, needs).await?;
    match call.rule(Action::TokenReveal, resource, bound).await? {
        Ruling::Pending(view) => Answer::pending(&view),
        Ruling::Permitted(permit) => {
            let revealed = call.api.vault.reveal(&permit, wish.reference).await?;
            let answer = Answer::ok(&Revealed { number: revealed.number, leaf: revealed.leaf.to_hex() })?;
            Ok(answer.revealing().with_budget(revealed.left, call.api.store.now()))
        }
    }
}

/// Reveal many numbers
///
/// Up to 10,000 tokens for one purpose; each has its number or its own error, in the order given. All of them are named in
/// the log before the answer. A request that needs more than the day's budget has left reveals nothing.
#[utoipa::path(post, path = "/v1/tokens/reveal/batch", tag = "Tokens", request_body = RevealTokens,
    responses((status = 200, description = "One answer for each token.", body = RevealedBatch),
        (status = 202, description = "A second person has to approve first.", body = Pending)))]
pub async fn batch(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, revealed_batch).await
}

async fn revealed_batch(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let wish: RevealTokens = body.read()?;
    fields::text("purpose", &wish.purpose)?;
    fields::optional_text("reference", wish.reference.as_deref())?;
    let approval = fields::approval(wish.approval.as_deref())?;
    let texts = texts(wish.tokens, wish.items)?;
    let read: Vec<Result<Token, Code>> =
        texts.iter().map(|text| fields::token(text).map_err(|problem| problem.code)).collect();
    let tokens: Vec<Token> = read.iter().flatten().cloned().collect();
    let resource = TokenSet { tokens: tokens.clone(), purpose: Some(wish.purpose.clone()) };
    let needs = approval.is_none() && call.api.access.needs_second_person(&call.caller, Action::TokenReveal, &resource);
    let bound = bound(call, tokens, &wish.reference, approval, needs).await?;
    let permit = match call.rule(Action::TokenReveal, resource, bound).await? {
        Ruling::Pending(view) => return Answer::pending(&view),
        Ruling::Permitted(permit) => permit,
    };
    let revealed = call.api.vault.reveal_batch(&permit, wish.reference).await?;
    let mut numbers = revealed.numbers.into_iter();
    let items = read.iter().map(|token| match token {
        Err(code) => RevealedItem::refused(*code),
        Ok(_) => match numbers.next().flatten() {
            Some(number) => RevealedItem::Shown { number },
            None => RevealedItem::refused(Code::NotFound),
        },
    });
    let leaves: Vec<_> = revealed.leaves.into_iter().map(crate::event::Leaf::to_hex).collect();
    let answer = Answer::items_told(items.collect(), &leaves)?;
    Ok(answer.revealing().with_budget(revealed.left, call.api.store.now()))
}

/// The tokens, in whichever of the two ways they were given.
fn texts(tokens: Option<Vec<String>>, items: Option<Vec<Object<RevealItem>>>) -> Result<Vec<String>, Problem> {
    let texts = match (tokens, items) {
        (Some(tokens), None) => tokens,
        (None, Some(items)) => items.into_iter().map(|Object(item)| item.token).collect(),
        (None, None) => return Err(Problem::at(Code::MissingField, "tokens")),
        (Some(_), Some(_)) => return Err(Problem::at(Code::InvalidField, "items")),
    };
    if texts.len() > MAX_BATCH {
        return Err(Problem::new(Code::BatchTooLarge));
    }
    if texts.is_empty() {
        return Err(Problem::at(Code::InvalidField, "tokens"));
    }
    Ok(texts)
}

/// What an approval is bound to: these tokens in this order. With the masks for the approver, where one is to be asked.
async fn bound(
    call: &Call,
    tokens: Vec<Token>,
    reference: &Option<String>,
    approval: Option<ApprovalId>,
    summed: bool,
) -> Result<Bound, Problem> {
    let texts: Vec<String> = tokens.iter().map(|token| token.as_str().to_owned()).collect();
    let digest = Bound::digest([b"reveal".as_slice()].into_iter().chain(texts.iter().map(String::as_bytes)));
    let summary = if summed { summary(call, tokens).await? } else { serde_json::Value::Null };
    Ok(Bound { digest, summary, reference: reference.clone(), approval })
}

/// How many tokens, and the masks of the first hundred. What is not there to be revealed is not to be approved either.
async fn summary(call: &Call, tokens: Vec<Token>) -> Result<serde_json::Value, Problem> {
    let permit = call.permit(Action::TokenRead, TokenSet { tokens, purpose: None }).await?;
    let found: Vec<_> = call.api.vault.masks(&permit).await?.into_iter().flatten().collect();
    if found.is_empty() {
        return Err(VaultError::NotFound.into());
    }
    let masks: Vec<_> = found.iter().take(SHOWN).collect();
    Ok(json!({ "tokens": found.len(), "masks": masks }))
}

impl RevealedItem {
    fn refused(code: Code) -> Self {
        Self::Refused { error: ItemRefusal::of(code) }
    }
}
