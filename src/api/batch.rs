//! `/v1/tokens/batch`: many numbers in one request, partial success, one commit for each audience.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Answer;
use super::body::Body;
use super::code::Code;
use super::errors;
use super::extract::Call;
use super::fields::Object;
use super::problem::Problem;
use super::tokens::{CreateToken, TokenAnswer};
use crate::access::{Action, NewTokens};
use crate::vault::{ItemError, MAX_BATCH, NewToken};

/// Audiences in one batch: each is a decision and a commit of its own.
const MAX_AUDIENCES: usize = 16;

/// Numbers to be tokenized.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTokens {
    /// At most 10,000.
    #[schema(value_type = Vec<CreateToken>, max_items = 10_000)]
    items: Vec<Object<CreateToken>>,
}

/// One answer for each item, in order.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    items: Vec<Item>,
}

/// A token, or why there is none.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum Item {
    /// The token.
    Made(Box<TokenAnswer>),
    /// The refusal.
    Refused {
        /// Why.
        error: ItemRefusal,
    },
}

/// Why an item has no token.
#[derive(Serialize, ToSchema)]
pub struct ItemRefusal {
    /// As in problem documents.
    #[schema(example = "number_invalid")]
    code: &'static str,
    /// What it means and what to do.
    detail: &'static str,
}

/// The items of one audience, with their places in the batch.
#[derive(Default)]
struct Group {
    audience: Option<String>,
    places: Vec<usize>,
    items: Vec<Result<NewToken, Code>>,
}

pub(super) async fn created(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let batch: CreateTokens = body.read()?;
    if batch.items.len() > MAX_BATCH {
        return Err(Problem::new(Code::BatchTooLarge));
    }
    let mut answers: Vec<(usize, Item)> = Vec::with_capacity(batch.items.len());
    for group in grouped(call, batch)? {
        let permit = call.permit(Action::TokenCreate, NewTokens { audience: group.audience }).await?;
        let made = call.api.vault.tokenize_batch(&permit, group.items).await?;
        answers.extend(group.places.into_iter().zip(made.into_iter().map(item)));
    }
    answers.sort_unstable_by_key(|(place, _)| *place);
    Answer::ok(&Tokens { items: answers.into_iter().map(|(_, item)| item).collect() })
}

/// The items by audience. A refused item goes with the first group: it needs no audience.
fn grouped(call: &Call, batch: CreateTokens) -> Result<Vec<Group>, Problem> {
    let mut groups: Vec<Group> = Vec::new();
    for (place, Object(wish)) in batch.items.into_iter().enumerate() {
        let (audience, item) = match wish.parsed(call.caller.mode) {
            Ok((audience, new)) => (Some(audience), Ok(new)),
            Err(problem) => (None, Err(problem.code)),
        };
        let wanted = |group: &Group| audience.as_ref().is_none_or(|audience| *audience == group.audience);
        let found = groups.iter().position(wanted).unwrap_or_else(|| {
            groups.push(Group { audience: audience.flatten(), ..Group::default() });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(found) {
            group.places.push(place);
            group.items.push(item);
        }
    }
    if groups.len() > MAX_AUDIENCES {
        return Err(Problem::at(Code::InvalidField, "items"));
    }
    if groups.is_empty() {
        groups.push(Group::default());
    }
    Ok(groups)
}

fn item(made: Result<crate::vault::TokenView, ItemError<Code>>) -> Item {
    let code = match made {
        Ok(view) => return Item::Made(Box::new(view.into())),
        Err(ItemError::Given(code)) => code,
        Err(ItemError::Refused(code)) => errors::refused(code).code,
    };
    Item::Refused { error: ItemRefusal { code: code.as_str(), detail: code.detail() } }
}
