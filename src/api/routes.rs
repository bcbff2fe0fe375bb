//! `/v1/routes`: which carriers the tenant's messages take, and why a message would go which way.
//!
//! What is wrong with rules comes back by rule and field with the mend; whatever a caller wrote there was held against
//! fixed forms first, so that no number returns.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::{Answer, Pending};
use super::body::{self, Body};
use super::code::Code;
use super::extract::Call;
use super::fields::{self, Object, Typed};
use super::idempotency::once;
use super::problem::{FieldError, Problem};
use crate::access::{Action, RouteSet, Ruling, TokenRef};
use crate::clock::Timestamp;
use crate::dispatch::{self, Explained, Explanation, Receiver, RoutesError, RoutesView, Trial};
use crate::phone::{self, Bearing, Prefix};
use crate::store::{Class, ClosedRoute};

/// Which carriers some messages take.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteRule {
    /// What people call it.
    #[schema(example = "codes to Viet Nam")]
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Only numbers that begin so: 1 to 7 digits from the country code on.
    #[schema(example = "84")]
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    /// Only numbers of this operator, by its name in `operators.toml`.
    #[schema(example = "vn-viettel")]
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<String>,
    /// Only `code`, `notice`, `marketing` or `relay`.
    #[schema(example = "code")]
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    /// Only receivers in this region, ISO 3166-1 alpha-2.
    #[schema(example = "VN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// Only by carriers of the tenant's own region.
    #[serde(skip_serializing_if = "Option::is_none")]
    residency: Option<bool>,
    /// What messages of the house show as their sender here: a name or a short code.
    #[schema(example = "Rialto")]
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
    /// The carriers that may take them.
    carriers: Vec<RouteShare>,
}

/// One carrier of a rule.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteShare {
    /// Its configured name.
    #[schema(example = "main")]
    carrier: String,
    /// Its share beside the others' weights, 0 to 1000; 1 if not said, 0 for one that stands in where the others cannot.
    #[schema(example = 3)]
    weight: Option<u32>,
}

/// The tenant's routes, all of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutRoutes {
    /// The rules; none at all for every carrier in the order of the settings.
    #[schema(value_type = Vec<RouteRule>)]
    rules: Vec<Object<RouteRule>>,
    /// The version that this is meant to replace, 0 for none; whatever is in force if not said.
    #[schema(example = 3)]
    base: Option<u32>,
    /// The approval of a second person, once it is given.
    #[schema(example = "apr_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    approval: Option<String>,
}

/// Two rules that fit some messages both, neither being narrower.
#[derive(Serialize, ToSchema)]
pub struct RouteOverlap {
    /// Their places, from 0.
    rules: [usize; 2],
    /// Which of them counts for those messages.
    first: usize,
}

/// A way that is closed because too many complained of what came by it.
#[derive(Serialize, ToSchema)]
pub struct ClosedAnswer {
    carrier: String,
    /// Where the receivers are, ISO 3166-1 alpha-2.
    country: String,
    #[schema(example = "marketing")]
    class: &'static str,
    /// Complaints within 30 days when it closed.
    complaints: u64,
    /// Of so many messages.
    sent: u64,
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// The tenant's routes in force.
#[derive(Serialize, ToSchema)]
pub struct RoutesAnswer {
    /// Grows with every change; none where none were ever set.
    version: Option<u32>,
    rules: Vec<RouteRule>,
    /// Pairs of rules that cross.
    overlaps: Vec<RouteOverlap>,
    /// Who set them.
    author: Option<String>,
    /// Who approved.
    approver: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// Ways that are closed for complaints.
    closed: Vec<ClosedAnswer>,
}

/// A message that might be sent: to a person, or to numbers that begin so.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainRoute {
    /// A token; needs the right to read it.
    #[schema(value_type = Option<String>, example = "tok_04c1k8q3v6r5e9x8wz7m4n2b1c0d9f8a")]
    to: Option<Typed>,
    /// In place of `to`: 1 to 7 digits from the country code on.
    #[schema(example = "8490")]
    prefix: Option<String>,
    /// With `prefix`: where the receiver is, ISO 3166-1 alpha-2; the main region of the country code if not said.
    #[schema(example = "VN")]
    region: Option<String>,
    /// `code`, `notice`, `marketing` or `relay`.
    #[schema(example = "code")]
    class: String,
    /// The pool number that it would come from.
    #[schema(example = "+18675550100")]
    from: Option<String>,
}

/// The rule that counts.
#[derive(Serialize, ToSchema)]
pub struct MatchedRule {
    /// Its place, from 0.
    index: usize,
    name: Option<String>,
}

/// Who serves the number.
#[derive(Serialize, ToSchema)]
pub struct OperatorAnswer {
    #[schema(example = "vn-mobifone")]
    name: String,
    /// `table` of prefixes, or `lookup`.
    #[schema(example = "table")]
    by: &'static str,
}

/// What was measured of a carrier for the receiver's country.
#[derive(Serialize, ToSchema)]
pub struct MeasuredAnswer {
    /// Messages taken within ten minutes.
    taken: u64,
    /// Those that failed for the carrier's sake.
    failed: u64,
    /// Those that it refused.
    refused: u64,
    /// Milliseconds over one, on average.
    latency_ms: Option<u64>,
    /// Receipts within the hour that say delivered.
    delivered: u64,
    /// Those that say otherwise.
    undelivered: u64,
}

/// One carrier, and why it would carry the message or not.
#[derive(Serialize, ToSchema)]
pub struct CandidateAnswer {
    #[schema(example = "main")]
    carrier: String,
    /// Its place among those that would be tried, from 1; drawn anew for every message where weights say.
    turn: Option<usize>,
    /// `eligible`, `link_down`, `other_mode`, `not_at_number`, `not_in_rule`, `other_region`, `closed_for_complaints` or
    /// `breaker_open`.
    #[schema(example = "eligible")]
    verdict: &'static str,
    /// The same in a sentence.
    because: String,
    /// As the rule says.
    weight: u32,
    /// The weight times what was measured.
    effective_weight: f64,
    measured: MeasuredAnswer,
    /// `closed` lets through, `open` does not, `half_open` lets single ones through.
    #[schema(example = "closed")]
    breaker: &'static str,
    region: Option<String>,
}

/// Why a message would go the way it would. No number is in it.
#[derive(Serialize, ToSchema)]
pub struct RouteExplanation {
    /// The version of the routes; none where none are set.
    version: Option<u32>,
    /// None: every carrier in the order of the settings.
    rule: Option<MatchedRule>,
    operator: Option<OperatorAnswer>,
    country_code: Option<u16>,
    region: Option<String>,
    /// The carrier that would be tried first.
    carrier: Option<String>,
    /// Every carrier.
    candidates: Vec<CandidateAnswer>,
}

/// Read the routes
#[utoipa::path(get, path = "/v1/routes", tag = "Routes",
    responses((status = 200, description = "The tenant's routes in force.", body = RoutesAnswer)))]
pub async fn read(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let permit = call.permit(Action::RouteRead, RouteSet {}).await?;
    Answer::ok(&RoutesAnswer::from(call.api.dispatch.routes(&permit)))
}

/// Set the routes
///
/// All of them, in the place of those in force; in every process within a second. Where there is a second person, one of
/// them has to approve: then repeat the request with `approval`.
#[utoipa::path(put, path = "/v1/routes", tag = "Routes", request_body = PutRoutes,
    responses((status = 200, description = "In force.", body = RoutesAnswer),
        (status = 202, description = "A second person has to approve first.", body = Pending)))]
pub async fn put(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let reads = call.permit(Action::RouteRead, RouteSet {}).await?;
        let wish: PutRoutes = body.read()?;
        let approval = fields::approval(wish.approval.as_deref())?;
        let rules = wish.rules.into_iter().map(|rule| rule.0.into()).collect();
        let (routes, bound) = call.api.dispatch.bound_routes(&reads, rules, wish.base, approval).await?;
        match call.rule(Action::RouteManage, RouteSet {}, bound).await? {
            Ruling::Permitted(permit) => {
                Answer::ok(&RoutesAnswer::from(call.api.dispatch.set_routes(&permit, routes).await?))
            }
            Ruling::Pending(view) => Answer::pending(&view),
        }
    })
    .await
}

/// Explain which way a message would go
///
/// Every carrier with what is for and against it. Sends nothing, asks nobody else, shows no number; asked about a person,
/// it is in the log.
#[utoipa::path(post, path = "/v1/routes/explain", tag = "Routes", request_body = ExplainRoute,
    responses((status = 200, description = "Every carrier, those that would be tried first.", body = RouteExplanation)))]
pub async fn explain(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let permit = call.permit(Action::RouteRead, RouteSet {}).await?;
        let wish: ExplainRoute = body.read()?;
        let class = Class::parse(&wish.class).ok_or_else(|| Problem::at(Code::InvalidField, "class"))?;
        let from = wish.from.as_deref().map(|text| fields::virtual_number("from", text)).transpose()?;
        let to = receiver(call, &wish).await?;
        let explained = call.api.dispatch.explain(&permit, &Trial { to, class, from }).await?;
        Ok(Answer::ok(&RouteExplanation::from(explained))?.afresh())
    })
    .await
}

async fn receiver(call: &Call, wish: &ExplainRoute) -> Result<Receiver, Problem> {
    let region = fields::region("region", wish.region.as_deref())?;
    match (&wish.to, &wish.prefix) {
        (Some(to), None) => {
            if region.is_some() {
                return Err(Problem::at(Code::InvalidField, "region"));
            }
            let token = fields::token(to.as_str())?;
            let permit = call.permit(Action::TokenRead, TokenRef { token, purpose: None }).await?;
            let (bearing, index, subject) = call.api.vault.bearing_of(&permit).await?;
            Ok(Receiver { bearing, person: Some((index, subject)) })
        }
        (None, Some(prefix)) => {
            let prefix: Prefix = prefix.parse().map_err(|_| Problem::at(Code::InvalidField, "prefix"))?;
            Ok(Receiver { bearing: Bearing::of_prefix(prefix, region), person: None })
        }
        (None, None) => Err(Problem::at(Code::MissingField, "to")),
        (Some(_), Some(_)) => Err(Problem::at(Code::InvalidField, "prefix")),
    }
}

impl From<RouteRule> for dispatch::RouteRule {
    fn from(rule: RouteRule) -> Self {
        let share = |RouteShare { carrier, weight }| dispatch::Share { carrier, weight: weight.unwrap_or(1) };
        Self {
            name: rule.name,
            prefix: rule.prefix,
            operator: rule.operator,
            class: rule.class,
            region: rule.region,
            residency: rule.residency.unwrap_or_default(),
            sender: rule.sender,
            carriers: rule.carriers.into_iter().map(share).collect(),
        }
    }
}

impl From<dispatch::RouteRule> for RouteRule {
    fn from(rule: dispatch::RouteRule) -> Self {
        let share = |dispatch::Share { carrier, weight }| RouteShare { carrier, weight: Some(weight) };
        Self {
            name: rule.name,
            prefix: rule.prefix,
            operator: rule.operator,
            class: rule.class,
            region: rule.region,
            residency: rule.residency.then_some(true),
            sender: rule.sender,
            carriers: rule.carriers.into_iter().map(share).collect(),
        }
    }
}

impl From<RoutesView> for RoutesAnswer {
    fn from(view: RoutesView) -> Self {
        let crossed = |crossed: dispatch::Crossed| RouteOverlap { rules: crossed.rules, first: crossed.first };
        let closed = |way: ClosedRoute| ClosedAnswer {
            carrier: way.carrier,
            country: way.country,
            class: way.class.as_str(),
            complaints: way.complaints,
            sent: way.sent,
            since: way.since,
        };
        Self {
            version: view.version,
            rules: view.rules.into_iter().map(RouteRule::from).collect(),
            overlaps: view.overlaps.into_iter().map(crossed).collect(),
            author: view.author,
            approver: view.approver,
            at: view.at,
            closed: view.closed.into_iter().map(closed).collect(),
        }
    }
}

impl From<Explanation> for RouteExplanation {
    fn from(explained: Explanation) -> Self {
        let by = |is_looked_up| if is_looked_up { "lookup" } else { "table" };
        Self {
            version: explained.version,
            rule: explained.rule.map(|(index, name)| MatchedRule { index, name }),
            operator: explained.operator.map(|(name, looked_up)| OperatorAnswer { name, by: by(looked_up) }),
            country_code: explained.country_code,
            region: explained.region,
            carrier: explained.carriers.iter().find(|one| one.turn == Some(1)).map(|one| one.carrier.clone()),
            candidates: explained.carriers.into_iter().map(CandidateAnswer::from).collect(),
        }
    }
}

impl From<Explained> for CandidateAnswer {
    fn from(one: Explained) -> Self {
        let measured = one.measured;
        Self {
            carrier: one.carrier,
            turn: one.turn,
            verdict: one.verdict.as_str(),
            because: one.because,
            weight: one.weight,
            effective_weight: (one.effective * 1_000.0).round() / 1_000.0,
            measured: MeasuredAnswer {
                taken: measured.taken,
                failed: measured.failed,
                refused: measured.refused,
                latency_ms: measured.latency_ms,
                delivered: measured.delivered,
                undelivered: measured.undelivered,
            },
            breaker: one.breaker.as_str(),
            region: one.region,
        }
    }
}

impl From<RoutesError> for Problem {
    fn from(error: RoutesError) -> Self {
        match error {
            RoutesError::Conflict => Self::at(Code::RoutesConflict, "base"),
            RoutesError::Store(error) => error.into(),
            RoutesError::Invalid(faults) => {
                let field = |fault: dispatch::Fault| FieldError {
                    field: fault.field,
                    line: None,
                    detail: Some(fault.detail).filter(|detail| !phone::contains_number(detail)),
                };
                let mut problem = Self::new(Code::RoutesInvalid);
                problem.fields = faults.into_iter().take(MAX_FAULTS).map(field).collect();
                problem
            }
        }
    }
}

/// So many faults are told at once.
const MAX_FAULTS: usize = 50;
