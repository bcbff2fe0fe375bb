//! `/v1/pools`: the stock of virtual numbers.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer::Answer;
use super::bind::Capability;
use super::body::{self, Body};
use super::code::Code;
use super::extract::Call;
use super::fields;
use super::idempotency::once;
use super::list::{self, List};
use super::problem::Problem;
use crate::access::{Action, Pools};
use crate::alias::{Import, NewPool, PoolView};
use crate::clock::Timestamp;
use crate::ids::PoolId;
use crate::phone::VirtualNumber;
use crate::store::{NumberFilter, NumberRow, PoolCounts, Traits};

/// A pool to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePool {
    /// Unique within the tenant; no phone number in it.
    #[schema(example = "main")]
    name: String,
    /// The carrier that its numbers live at.
    #[schema(example = "sandbox")]
    carrier: String,
    /// Whether other tenants of the same mode may bind from it; no if not said.
    shared: Option<bool>,
    /// Free numbers below which `alert.pool_low` tells; never if not said.
    low_water: Option<u32>,
}

/// Numbers to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddNumbers {
    /// 1 to 10,000; all or none.
    #[schema(example = json!(["+12025550143"]), min_items = 1, max_items = 10_000)]
    numbers: Vec<String>,
    /// `sms` if not said.
    capabilities: Option<Vec<Capability>>,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "US")]
    region: Option<String>,
    /// Prefixes that these numbers reach and are reached from; everywhere if not said. Only people of these prefixes are
    /// bound to them.
    #[schema(example = json!(["+1"]), max_items = 64)]
    reach: Option<Vec<String>>,
    /// The carriers that may carry what these numbers send; the pool's if not said.
    #[schema(max_items = 8)]
    carriers: Option<Vec<String>>,
}

/// What is to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePool {
    /// Free numbers below which `alert.pool_low` tells; null: never.
    #[serde(default, deserialize_with = "fields::given")]
    #[schema(value_type = Option<u32>)]
    low_water: Option<Option<u32>>,
}

/// Why a number is set aside.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quarantine {
    /// For the log and for whoever takes it back; at most 200 characters, no phone number in it.
    #[schema(example = "a carrier marks it as spam")]
    reason: String,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PoolsQuery {
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Which numbers.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NumbersQuery {
    /// Only those that an operator set aside.
    quarantined: Option<bool>,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// A number of a pool.
#[derive(Serialize, ToSchema)]
pub struct NumberAnswer {
    #[schema(value_type = String, example = "+12025550143")]
    number: VirtualNumber,
    #[schema(example = "US")]
    region: Option<String>,
    /// `sms`, `voice`.
    capabilities: Vec<String>,
    /// Prefixes that it reaches and is reached from; empty: everywhere.
    reach: Vec<String>,
    /// The carriers that may carry what it sends; empty: the pool's.
    carriers: Vec<String>,
    /// Out of allocation for good.
    draining: bool,
    /// Why an operator set it aside, while it is.
    quarantined: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<NumberRow> for NumberAnswer {
    fn from(row: NumberRow) -> Self {
        let NumberRow { number, traits, draining, aside, created_at, .. } = row;
        let Traits { region, capabilities, reach, carriers } = traits;
        Self { number, region, capabilities, reach, carriers, draining, quarantined: aside, created_at }
    }
}

/// A pool.
#[derive(Serialize, ToSchema)]
pub struct PoolAnswer {
    #[schema(value_type = String, example = "pol_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: PoolId,
    name: String,
    carrier: String,
    shared: bool,
    /// Free numbers below which `alert.pool_low` tells.
    low_water: Option<u64>,
    /// Numbers that carry nothing.
    free: u64,
    /// Numbers that carry at least one alias.
    bound: u64,
    /// Numbers that rest after an alias ended.
    cooling: u64,
    /// Numbers taken out of allocation for good, whatever they carry still.
    draining: u64,
    /// Numbers that an operator set aside, whatever they carry still.
    quarantined: u64,
}

/// How many numbers were added.
#[derive(Serialize, ToSchema)]
pub struct Added {
    added: u64,
}

impl From<PoolView> for PoolAnswer {
    fn from(view: PoolView) -> Self {
        let PoolView { id, name, carrier, shared, low_water, counts } = view;
        let PoolCounts { free, bound, cooling, draining, quarantined } = counts;
        Self { id, name, carrier, shared, low_water, free, bound, cooling, draining, quarantined }
    }
}

/// Make a pool
#[utoipa::path(post, path = "/v1/pools", tag = "Pools", request_body = CreatePool,
    responses((status = 201, description = "Made, empty.", body = PoolAnswer)))]
pub async fn create(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let wish: CreatePool = body.read()?;
        fields::text("name", &wish.name)?;
        fields::text("carrier", &wish.carrier)?;
        let permit = call.permit(Action::PoolManage, Pools {}).await?;
        let new = NewPool {
            name: wish.name,
            carrier: wish.carrier,
            shared: wish.shared.unwrap_or(false),
            low_water: wish.low_water.map(u64::from),
        };
        Answer::created(&PoolAnswer::from(call.api.alias.create_pool(&permit, new).await?))
    })
    .await
}

/// List pools
#[utoipa::path(get, path = "/v1/pools", tag = "Pools", params(PoolsQuery),
    responses((status = 200, description = "The tenant's own pools, newest first.", body = List<PoolAnswer>)))]
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let query: PoolsQuery = body::query(call.request())?;
    let limit = list::limit(query.limit)?;
    let after = fields::after(query.after.as_deref())?;
    let permit = call.permit(Action::PoolRead, Pools {}).await?;
    let pools = call.api.alias.pools(&permit, after, limit + 1).await?;
    Answer::ok(&List::cut(pools.into_iter().map(PoolAnswer::from).collect(), limit, |pool| pool.id.to_string()))
}

/// Look at a pool
#[utoipa::path(get, path = "/v1/pools/{id}", tag = "Pools",
    params(("id" = String, Path, description = "`pol_…`")),
    responses((status = 200, description = "Its numbers by state.", body = PoolAnswer)))]
pub async fn read(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let permit = call.permit(Action::PoolRead, Pools {}).await?;
    Answer::ok(&PoolAnswer::from(call.api.alias.counts(&permit, call.id()?).await?))
}

/// Change a pool
#[utoipa::path(patch, path = "/v1/pools/{id}", tag = "Pools", request_body = ChangePool,
    params(("id" = String, Path, description = "`pol_…`")),
    responses((status = 200, description = "As it is now.", body = PoolAnswer)))]
pub async fn change(call: Call, body: Body) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let wish: ChangePool = body.read()?;
    let permit = call.permit(Action::PoolManage, Pools {}).await?;
    let pool = call.id()?;
    let view = match wish.low_water {
        Some(low_water) => call.api.alias.set_low_water(&permit, pool, low_water.map(u64::from)).await?,
        None => call.api.alias.counts(&permit, pool).await?,
    };
    Answer::ok(&PoolAnswer::from(view))
}

/// List numbers
///
/// Those of one pool in order, all or those that an operator set aside.
#[utoipa::path(get, path = "/v1/pools/{id}/numbers", tag = "Pools",
    params(("id" = String, Path, description = "`pol_…`"), NumbersQuery),
    responses((status = 200, description = "The numbers.", body = List<NumberAnswer>)))]
pub async fn numbers(call: Call) -> Result<Answer, Problem> {
    let query: NumbersQuery = body::query(call.request())?;
    let limit = list::limit(query.limit)?;
    let after = query.after.map(|text| fields::virtual_number("after", &text)).transpose()?;
    let permit = call.permit(Action::PoolRead, Pools {}).await?;
    let aside = query.quarantined.unwrap_or(false);
    let filter = NumberFilter { pool: call.id()?, aside, after, limit: limit + 1 };
    let found = call.api.alias.numbers(&permit, filter).await?;
    Answer::ok(&List::cut(found.into_iter().map(NumberAnswer::from).collect(), limit, |it| it.number.to_string()))
}

/// Add numbers
#[utoipa::path(post, path = "/v1/pools/{id}/numbers", tag = "Pools", request_body = AddNumbers,
    params(("id" = String, Path, description = "`pol_…`")),
    responses((status = 201, description = "Added.", body = Added)))]
pub async fn add(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let import = body.read::<AddNumbers>()?.import()?;
        let permit = call.permit(Action::PoolManage, Pools {}).await?;
        let added = call.api.alias.import(&permit, call.id()?, import).await?;
        Answer::created(&Added { added })
    })
    .await
}

/// Drain a number
///
/// It is not allocated any more; what is bound to it stays until it ends.
#[utoipa::path(delete, path = "/v1/pools/{id}/numbers/{n}", tag = "Pools",
    params(("id" = String, Path, description = "`pol_…`"), ("n" = String, Path, description = "`+12025550143`")),
    responses((status = 204, description = "Draining.")))]
pub async fn drain(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let permit = call.permit(Action::NumberDrain, Pools {}).await?;
    let number = fields::virtual_number("n", call.part("n")).map_err(|_| Problem::new(Code::NotFound))?;
    call.api.alias.drain(&permit, call.id()?, number).await?;
    Ok(Answer::nothing())
}

/// Set a number aside
///
/// It is given to nobody until it is taken back; what is bound to it stays.
#[utoipa::path(post, path = "/v1/pools/{id}/numbers/{n}/quarantine", tag = "Pools", request_body = Quarantine,
    params(("id" = String, Path, description = "`pol_…`"), ("n" = String, Path, description = "`+12025550143`")),
    responses((status = 204, description = "Set aside.")))]
pub async fn quarantine(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let wish: Quarantine = body.read()?;
        fields::text("reason", &wish.reason)?;
        aside(call, Some(wish.reason)).await
    })
    .await
}

/// Take a number back
///
/// It can be bound again, unless it is drained.
#[utoipa::path(delete, path = "/v1/pools/{id}/numbers/{n}/quarantine", tag = "Pools",
    params(("id" = String, Path, description = "`pol_…`"), ("n" = String, Path, description = "`+12025550143`")),
    responses((status = 204, description = "Taken back.")))]
pub async fn restore(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    aside(&call, None).await
}

async fn aside(call: &Call, reason: Option<String>) -> Result<Answer, Problem> {
    let permit = call.permit(Action::NumberDrain, Pools {}).await?;
    let number = fields::virtual_number("n", call.part("n")).map_err(|_| Problem::new(Code::NotFound))?;
    call.api.alias.set_aside(&permit, call.id()?, number, reason).await?;
    Ok(Answer::nothing())
}

impl AddNumbers {
    fn import(self) -> Result<Import, Problem> {
        if self.numbers.len() > crate::vault::MAX_BATCH {
            return Err(Problem::new(Code::BatchTooLarge));
        }
        if self.numbers.is_empty() {
            return Err(Problem::at(Code::InvalidField, "numbers"));
        }
        let numbered = |(place, text): (usize, &String)| {
            fields::virtual_number("", text).map_err(|_| Problem::at(Code::InvalidField, format!("numbers[{place}]")))
        };
        let numbers = self.numbers.iter().enumerate().map(numbered).collect::<Result<Vec<_>, _>>()?;
        let traits = Traits {
            region: fields::region("region", self.region.as_deref())?,
            capabilities: Capability::names(self.capabilities),
            reach: self.reach.unwrap_or_default(),
            carriers: self.carriers.unwrap_or_default(),
        };
        Ok(Import::alike(numbers, &traits))
    }
}
