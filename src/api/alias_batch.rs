//! `/v1/aliases/batch`: many bindings in one request, each by itself.

use futures::StreamExt as _;
use futures::stream;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::aliases::AliasAnswer;
use super::answer::Answer;
use super::batch::ItemRefusal;
use super::bind::BindAlias;
use super::body::Body;
use super::code::Code;
use super::extract::Call;
use super::fields::Object;
use super::idempotency::once;
use super::problem::Problem;
use crate::access::{Action, NewAlias};

/// Bindings of one request: each is a commit of its own.
const MAX_ITEMS: usize = 1_000;
/// Bindings under way at once, so that several share a commit of the store.
const WIDTH: usize = 32;

/// Aliases to be bound.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BindAliases {
    /// At most 1,000.
    #[schema(value_type = Vec<BindAlias>, max_items = 1_000)]
    items: Vec<Object<BindAlias>>,
}

/// One answer for each item, in order.
#[derive(Serialize, ToSchema)]
pub struct Aliases {
    items: Vec<AliasItem>,
}

/// An alias, or why there is none.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum AliasItem {
    /// The alias.
    Bound(Box<AliasAnswer>),
    /// The refusal.
    Refused {
        /// Why.
        error: ItemRefusal,
    },
}

/// Bind many aliases
///
/// Each by itself: some may be bound and others refused. The same request with the same `Idempotency-Key` binds none
/// twice.
#[utoipa::path(post, path = "/v1/aliases/batch", tag = "Aliases", request_body = BindAliases,
    responses((status = 200, description = "One answer for each item, in order.", body = Aliases)))]
pub async fn create(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let batch: BindAliases = body.read()?;
        if batch.items.len() > MAX_ITEMS {
            return Err(Problem::new(Code::BatchTooLarge));
        }
        let permit = call.permit(Action::AliasBind, NewAlias {}).await?;
        let binding = batch.items.into_iter().map(|Object(item)| item.bind_by(call, &permit));
        let done: Vec<_> = stream::iter(binding).buffered(WIDTH).collect().await;
        Answer::ok(&Aliases { items: done.into_iter().map(item).collect() })
    })
    .await
}

fn item(bound: Result<crate::alias::AliasView, Problem>) -> AliasItem {
    match bound {
        Ok(view) => AliasItem::Bound(Box::new(view.into())),
        Err(problem) => AliasItem::Refused { error: ItemRefusal::of(problem.code) },
    }
}
