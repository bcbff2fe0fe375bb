//! `/v1/tokens/batch`: many numbers in one request, partial success, one commit and one entry.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Answer;
use super::body::Body;
use super::code::Code;
use super::errors;
use super::extract::Call;
use super::fields::Object;
use super::problem::Problem;
use super::tokens::{CreateToken, TokenAnswer, fpe_permit};
use crate::access::{Action, NewFpe, NewTokens, Permit};
use crate::token::Kind;
use crate::vault::{Group, ItemError, MAX_BATCH, NewToken};

/// Audiences in one batch: each is a decision of its own.
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

impl ItemRefusal {
    pub(in crate::api) const fn of(code: Code) -> Self {
        Self { code: code.as_str(), detail: code.detail() }
    }
}

/// The items of one audience, with their places in the batch.
#[derive(Default)]
struct Wishes {
    audience: Option<String>,
    places: Vec<usize>,
    items: Vec<Result<NewToken, Code>>,
}

/// The permits for one group's items.
struct Permits {
    tokens: Permit<NewTokens>,
    fpe: Option<Permit<NewFpe>>,
}

pub(super) async fn created(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let batch: CreateTokens = body.read()?;
    if batch.items.len() > MAX_BATCH {
        return Err(Problem::new(Code::BatchTooLarge));
    }
    let wishes = grouped(call, batch)?;
    let mut permits = Vec::with_capacity(wishes.len());
    for wish in &wishes {
        permits.push(permits_for(call, wish).await?);
    }
    let (mut places, mut groups) = (Vec::new(), Vec::new());
    for (wish, permit) in wishes.into_iter().zip(&permits) {
        places.extend(wish.places);
        groups.push(Group { permit: &permit.tokens, fpe: permit.fpe.as_ref(), items: wish.items });
    }
    let made = call.api.vault.tokenize_groups(groups).await?;
    let mut answers: Vec<(usize, Item)> = places.into_iter().zip(made.into_iter().flatten().map(item)).collect();
    answers.sort_unstable_by_key(|(place, _)| *place);
    Answer::items(answers.into_iter().map(|(_, item)| item).collect())
}

async fn permits_for(call: &Call, wish: &Wishes) -> Result<Permits, Problem> {
    let audience = || wish.audience.clone();
    let tokens = call.permit(Action::TokenCreate, NewTokens { audience: audience() }).await?;
    let fpe = match wish.items.iter().flatten().any(|new| new.kind == Kind::Fpe) {
        true => Some(fpe_permit(call, audience()).await?),
        false => None,
    };
    Ok(Permits { tokens, fpe })
}

/// The items by audience. A refused item goes with the first group: it needs no audience.
fn grouped(call: &Call, batch: CreateTokens) -> Result<Vec<Wishes>, Problem> {
    let mut groups: Vec<Wishes> = Vec::new();
    for (place, Object(wish)) in batch.items.into_iter().enumerate() {
        let (audience, item) = match wish.parsed(call.caller.mode) {
            Ok((audience, new)) => (Some(audience), Ok(new)),
            Err(problem) => (None, Err(problem.code)),
        };
        let wanted = |group: &Wishes| audience.as_ref().is_none_or(|audience| *audience == group.audience);
        let found = groups.iter().position(wanted).unwrap_or_else(|| {
            groups.push(Wishes { audience: audience.flatten(), ..Wishes::default() });
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
        groups.push(Wishes::default());
    }
    Ok(groups)
}

fn item(made: Result<crate::vault::TokenView, ItemError<Code>>) -> Item {
    let code = match made {
        Ok(view) => return Item::Made(Box::new(view.into())),
        Err(ItemError::Given(code)) => code,
        Err(ItemError::Refused(code)) => errors::refused(code).code,
    };
    Item::Refused { error: ItemRefusal::of(code) }
}
