//! `/v1/usage` and `/v1/stats`: what messages came to, and how well they went. No number in either.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer::Answer;
use super::body;
use super::code::Code;
use super::extract::Call;
use super::problem::Problem;
use crate::access::{Action, Permit, UsageCounts};
use crate::clock;
use crate::outreach::{Stats, Usage, UsageQuery};
use crate::store::{By, Conversion, Counts, UsageRow};

/// Which days, and what to tell apart.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsageParams {
    /// The first day (UTC), `2026-01-31`; 27 days before the last if left out.
    from: Option<String>,
    /// The last day; today if left out.
    to: Option<String>,
    /// What to tell apart, with commas between: `day`, `country`, `channel`, `class`, `carrier`.
    by: Option<String>,
}

/// Which days.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatsParams {
    /// The first day (UTC), `2026-01-31`; 27 days before the last if left out.
    from: Option<String>,
    /// The last day; today if left out.
    to: Option<String>,
}

/// What messages came to.
#[derive(Serialize, ToSchema)]
pub struct UsageAnswer {
    /// The first day.
    #[schema(example = "2026-01-01")]
    from: String,
    /// The last day.
    #[schema(example = "2026-01-31")]
    to: String,
    /// The currency of `cost`; null where nothing has a price.
    currency: Option<String>,
    data: Vec<UsageLine>,
}

/// The counts of one of what is told apart.
#[derive(Serialize, ToSchema)]
pub struct UsageLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-01-31")]
    day: Option<String>,
    /// ISO 3166-1 alpha-2; null for numbers of no country.
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<String>,
    /// Messages and codes that a carrier took.
    messages: u64,
    /// Parts that they took.
    parts: u64,
    /// What they cost, as a decimal.
    #[schema(example = "12.340000")]
    cost: String,
}

/// How well messages went.
#[derive(Serialize, ToSchema)]
pub struct StatsAnswer {
    #[schema(example = "2026-01-01")]
    from: String,
    #[schema(example = "2026-01-31")]
    to: String,
    messages: Delivery,
    /// By class.
    #[schema(value_type = std::collections::HashMap<String, Delivery>)]
    by_class: BTreeMap<String, Delivery>,
    /// By carrier.
    #[schema(value_type = std::collections::HashMap<String, Delivery>)]
    by_carrier: BTreeMap<String, Delivery>,
    verifications: Verifications,
}

/// What became of messages, by the day on which it was clear.
#[derive(Serialize, ToSchema)]
pub struct Delivery {
    /// Messages that a carrier took.
    messages: u64,
    delivered: u64,
    undelivered: u64,
    expired: u64,
    rejected: u64,
    /// No word came within 72 h.
    unknown: u64,
    /// Of those that something is known of, delivered: 0 to 1; null before anything is.
    delivered_share: Option<f64>,
    /// From a carrier's taking a message to its word that the device has it, on average.
    latency_ms: Option<u64>,
    /// Of the delivered, so quick: 0 to 1.
    within_5_s: Option<f64>,
    within_30_s: Option<f64>,
}

/// What verifications came to.
#[derive(Serialize, ToSchema)]
pub struct Verifications {
    started: u64,
    approved: u64,
    canceled: u64,
    expired: u64,
    exhausted: u64,
    failed: u64,
    /// Approved of those that began: 0 to 1; null before any did.
    conversion: Option<f64>,
}

/// What messages came to
///
/// Counted in the commit that sends, so that nothing is counted twice or lost. Days are UTC; counts are kept for 400.
#[utoipa::path(get, path = "/v1/usage", tag = "Tenant", params(UsageParams),
    responses((status = 200, description = "The counts.", body = UsageAnswer)))]
pub async fn usage(call: Call) -> Result<Answer, Problem> {
    let params: UsageParams = body::query(call.request())?;
    let by = by(params.by.as_deref().unwrap_or_default())?;
    let query = UsageQuery { from: day("from", params.from.as_deref())?, to: day("to", params.to.as_deref())?, by };
    let Usage { from, to, currency, rows } = call.api.outreach.usage(&permit(&call).await?, query).await?;
    let data = rows.into_iter().map(UsageLine::from).collect();
    Answer::ok(&UsageAnswer { from: clock::date(from), to: clock::date(to), currency, data })
}

/// How well messages went
///
/// Shares and times of delivery, by class and carrier, and how many verifications were approved.
#[utoipa::path(get, path = "/v1/stats", tag = "Tenant", params(StatsParams),
    responses((status = 200, description = "The figures.", body = StatsAnswer)))]
pub async fn stats(call: Call) -> Result<Answer, Problem> {
    let params: StatsParams = body::query(call.request())?;
    let (from, to) = (day("from", params.from.as_deref())?, day("to", params.to.as_deref())?);
    let query = UsageQuery { from, to, by: By::default() };
    let stats = call.api.outreach.stats(&permit(&call).await?, query).await?;
    Answer::ok(&StatsAnswer::from(stats))
}

async fn permit(call: &Call) -> Result<Permit<UsageCounts>, Problem> {
    call.permit(Action::UsageRead, UsageCounts {}).await
}

fn day(field: &'static str, text: Option<&str>) -> Result<Option<i64>, Problem> {
    text.map(|text| clock::day(text).ok_or_else(|| Problem::at(Code::InvalidField, field))).transpose()
}

fn by(text: &str) -> Result<By, Problem> {
    let mut by = By::default();
    for name in text.split(',').filter(|name| !name.is_empty()) {
        match name {
            "day" => by.day = true,
            "country" => by.country = true,
            "channel" => by.channel = true,
            "class" => by.class = true,
            "carrier" => by.carrier = true,
            _ => return Err(Problem::at(Code::InvalidField, "by")),
        }
    }
    Ok(by)
}

impl From<UsageRow> for UsageLine {
    fn from(row: UsageRow) -> Self {
        let UsageRow { day, country, channel, class, carrier, counts } = row;
        Self {
            day: day.map(clock::date),
            country: country.map(|country| Some(country).filter(|country| !country.is_empty())),
            channel,
            class: class.map(crate::store::Class::as_str),
            carrier,
            messages: counts.messages,
            parts: counts.parts,
            cost: format!("{}.{:06}", counts.cost / 1_000_000, counts.cost % 1_000_000),
        }
    }
}

impl From<Stats> for StatsAnswer {
    fn from(stats: Stats) -> Self {
        let Stats { from, to, messages, by_class, by_carrier, verifications } = stats;
        let named = |rows: Vec<UsageRow>, name: fn(&UsageRow) -> Option<String>| {
            rows.into_iter().filter_map(|row| Some((name(&row)?, Delivery::from(row.counts)))).collect()
        };
        Self {
            from: clock::date(from),
            to: clock::date(to),
            messages: messages.into(),
            by_class: named(by_class, |row| row.class.map(|class| class.as_str().to_owned())),
            by_carrier: named(by_carrier, |row| row.carrier.clone()),
            verifications: verifications.into(),
        }
    }
}

impl From<Counts> for Delivery {
    fn from(counts: Counts) -> Self {
        let Counts { messages, delivered, undelivered, expired, rejected, unknown, .. } = counts;
        Self {
            messages,
            delivered,
            undelivered,
            expired,
            rejected,
            unknown,
            delivered_share: share(delivered, delivered + undelivered + expired + rejected),
            latency_ms: counts.latency_ms.checked_div(delivered),
            within_5_s: share(counts.within_5s, delivered),
            within_30_s: share(counts.within_30s, delivered),
        }
    }
}

impl From<Conversion> for Verifications {
    fn from(counts: Conversion) -> Self {
        let Conversion { started, approved, canceled, expired, exhausted, failed } = counts;
        Self { started, approved, canceled, expired, exhausted, failed, conversion: share(approved, started) }
    }
}

/// To four places.
#[allow(clippy::cast_precision_loss, reason = "counts of messages, to four places")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0)
}
