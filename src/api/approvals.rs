//! `/v1/approvals`: what waits for a second person, and that person's yes or no.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer::Answer;
use super::body::{self, Body};
use super::code::Code;
use super::extract::Call;
use super::fields;
use super::idempotency::once;
use super::list::{self, List};
use super::problem::Problem;
use crate::access::{Action, ApprovalRef, ApprovalState, ApprovalView, Approvals, Permit};
use crate::clock::Timestamp;
use crate::event::Role;
use crate::ids::{ApprovalId, CredentialId};
use crate::store::ApprovalStatus;

/// Which approvals.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ApprovalsQuery {
    /// `pending`, `approved`, `denied`, `expired` or `used`; what is void or lapsed without having been used is listed as
    /// what it was before.
    #[param(value_type = Option<String>)]
    status: Option<ApprovalStatus>,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// What somebody asked for that needs a second person.
#[derive(Serialize, ToSchema)]
pub struct ApprovalAnswer {
    #[schema(value_type = String, example = "apr_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: ApprovalId,
    /// `pending`, `approved`, `denied`, `expired`, `used`, or `void`: a credential of the two ended or is frozen.
    #[schema(value_type = String, example = "pending")]
    status: ApprovalState,
    /// The action, by its name in policies.
    #[schema(example = "TokenReveal")]
    action: String,
    purpose: Option<String>,
    /// The requester's own note.
    reference: Option<String>,
    /// What is asked for, masked.
    #[schema(value_type = Object)]
    summary: serde_json::Value,
    /// The credential that asked.
    #[schema(value_type = String, example = "crd_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    requester: CredentialId,
    /// The person behind it.
    person: String,
    /// Who decided.
    approver: Option<String>,
    /// The version of the policies that asked for a second person.
    policy: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Until when it may be decided; once approved, until when it may be used.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<Timestamp>,
}

impl From<ApprovalView> for ApprovalAnswer {
    fn from(view: ApprovalView) -> Self {
        Self {
            id: view.id,
            status: view.status,
            action: view.action,
            purpose: view.purpose,
            reference: view.reference,
            summary: view.summary,
            requester: view.requester,
            person: view.person,
            approver: view.approver,
            policy: view.policy,
            created_at: view.created_at,
            expires_at: view.expires_at,
            decided_at: view.decided_at,
        }
    }
}

/// List approvals
///
/// Approvers and auditors see the tenant's, everybody else what they asked for themselves.
#[utoipa::path(get, path = "/v1/approvals", tag = "Approvals", params(ApprovalsQuery),
    responses((status = 200, description = "Newest first.", body = List<ApprovalAnswer>)))]
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let query: ApprovalsQuery = body::query(call.request())?;
    let limit = list::limit(query.limit)?;
    let after = fields::after(query.after.as_deref())?;
    let permit = reading(&call).await?;
    let found = call.api.access.approvals(&permit, query.status, after, limit + 1).await?;
    Answer::ok(&List::cut(found.into_iter().map(ApprovalAnswer::from).collect(), limit, |a| a.id.to_string()))
}

/// Look at an approval
#[utoipa::path(get, path = "/v1/approvals/{id}", tag = "Approvals",
    params(("id" = String, Path, description = "`apr_…`")),
    responses((status = 200, description = "As it stands.", body = ApprovalAnswer)))]
pub async fn read(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let permit = reading(&call).await?;
    Answer::ok(&ApprovalAnswer::from(call.api.access.approval(&permit, call.id()?).await?))
}

/// Approve
///
/// For approvers: another person than who asked. What was asked for can be done once, within an hour.
#[utoipa::path(post, path = "/v1/approvals/{id}/approve", tag = "Approvals",
    params(("id" = String, Path, description = "`apr_…`")),
    responses((status = 200, description = "Approved.", body = ApprovalAnswer)))]
pub async fn approve(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        body.nothing()?;
        let permit = deciding(call).await?;
        Answer::ok(&ApprovalAnswer::from(call.api.access.approve(&permit).await?))
    })
    .await
}

/// Deny
///
/// For approvers: another person than who asked.
#[utoipa::path(post, path = "/v1/approvals/{id}/deny", tag = "Approvals",
    params(("id" = String, Path, description = "`apr_…`")),
    responses((status = 200, description = "Denied.", body = ApprovalAnswer)))]
pub async fn deny(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        body.nothing()?;
        let permit = deciding(call).await?;
        Answer::ok(&ApprovalAnswer::from(call.api.access.deny(&permit).await?))
    })
    .await
}

async fn reading(call: &Call) -> Result<Permit<Approvals>, Problem> {
    let own = !matches!(call.caller.role, Role::Approver | Role::Auditor);
    call.permit(Action::ApprovalRead, Approvals { own }).await
}

async fn deciding(call: &Call) -> Result<Permit<ApprovalRef>, Problem> {
    let id = call.part("id").parse().map_err(|_| Problem::new(Code::NotFound))?;
    call.permit(Action::ApprovalDecide, ApprovalRef { id }).await
}
