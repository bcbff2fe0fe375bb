//! `/healthz`, `/readyz`: whether the process lives, and whether it can serve.

use actix_web::web;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::answer::Answer;
use super::problem::Problem;

/// All is well.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

const OK: Health = Health { status: "ok" };

/// Whether the process lives
#[utoipa::path(get, path = "/healthz", tag = "Health", security(()),
    responses((status = 200, description = "It does.", body = Health)))]
pub async fn live() -> Result<Answer, Problem> {
    Answer::ok(&OK)
}

/// Whether it can serve
///
/// 503 while the durable store cannot begin a transaction.
#[utoipa::path(get, path = "/readyz", tag = "Health", security(()),
    responses((status = 200, description = "It can.", body = Health)))]
pub async fn ready(api: web::Data<Api>) -> Result<Answer, Problem> {
    api.store.ready().await?;
    Answer::ok(&OK)
}
