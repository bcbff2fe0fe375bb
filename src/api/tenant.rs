//! `/v1/tenant`, `/v1/freeze`, `/v1/thaw`: what the caller's tenant is, and the switch that stops it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Answer;
use super::body::{self, Body};
use super::extract::Call;
use super::idempotency::once;
use super::problem::Problem;
use crate::access::{Action, FreezeSwitch};
use crate::clock::Timestamp;
use crate::event::{Mode, Role};
use crate::ids::{CredentialId, TenantId};

/// The caller's tenant, and the caller.
#[derive(Serialize, ToSchema)]
pub struct TenantAnswer<'a> {
    #[schema(value_type = String, example = "ten_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: TenantId,
    /// The name that people see in messages.
    brand: &'a str,
    /// `live` or `test`.
    #[schema(value_type = String, example = "test")]
    mode: Mode,
    /// The credential that asks.
    credential: Own<'a>,
}

/// The credential that asks.
#[derive(Serialize, ToSchema)]
pub struct Own<'a> {
    #[schema(value_type = String, example = "crd_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: CredentialId,
    person: &'a str,
    #[schema(value_type = String, example = "business")]
    role: Role,
    audience: Option<&'a str>,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// What is to be stopped, or let go on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `ten_…`, `crd_…` or `als_…`.
    #[schema(example = "als_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    target: String,
}

/// Whether it is stopped now.
#[derive(Serialize, ToSchema)]
pub struct Switched {
    target: String,
    frozen: bool,
}

/// Look at the own tenant
#[utoipa::path(get, path = "/v1/tenant", tag = "Tenant",
    responses((status = 200, description = "The tenant and the credential that asks.", body = TenantAnswer)))]
pub async fn read(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let caller = &call.caller;
    Answer::ok(&TenantAnswer {
        id: caller.tenant,
        brand: &caller.brand,
        mode: caller.mode,
        credential: Own {
            id: caller.credential,
            person: &caller.person,
            role: caller.role,
            audience: caller.audience.as_deref(),
            expires_at: caller.ends_at,
        },
    })
}

/// Freeze a tenant, credential or alias
///
/// Reveal and relay stop everywhere within a second.
#[utoipa::path(post, path = "/v1/freeze", tag = "Tenant", request_body = Target,
    responses((status = 200, description = "Frozen.", body = Switched)))]
pub async fn freeze(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| switched(call, body, true).await).await
}

/// Thaw a tenant, credential or alias
#[utoipa::path(post, path = "/v1/thaw", tag = "Tenant", request_body = Target,
    responses((status = 200, description = "Thawed.", body = Switched)))]
pub async fn thaw(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| switched(call, body, false).await).await
}

async fn switched(call: &Call, body: &Body, frozen: bool) -> Result<Answer, Problem> {
    let Target { target } = body.read()?;
    let permit = call.permit(Action::Freeze, FreezeSwitch { target: target.clone() }).await?;
    call.api.access.freeze(permit, frozen).await?;
    // Only an id that was found comes back, never other text.
    Answer::ok(&Switched { target, frozen })
}
