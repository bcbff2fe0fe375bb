//! Answers: a status and a JSON body, and how much of it may be kept for a repeated request.
//!
//! Invariant: a body with a number, a secret or a proof is marked so where it is made, goes out `no-store`, and is never
//! what an idempotency key keeps.

use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::access::{ApprovalState, ApprovalView};
use crate::ids::ApprovalId;

/// An answer to a request that was carried out.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// JSON, or nothing.
    pub body: Vec<u8>,
    /// What a repetition of the request gets.
    pub keep: Keep,
    secret: bool,
    replayed: bool,
}

/// What an idempotency key keeps of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Keep {
    /// The answer itself.
    Whole,
    /// The answer without its secret part.
    Instead(Vec<u8>),
    /// Nothing: a repetition is carried out, authorized and audited afresh.
    Nothing,
}

/// What was asked for waits for a second person.
#[derive(Serialize, ToSchema)]
pub struct Pending {
    /// What to bring once it is approved: repeat the request with `"approval": "apr_…"`.
    approval: PendingApproval,
}

/// An approval that was filed.
#[derive(Serialize, ToSchema)]
pub struct PendingApproval {
    #[schema(value_type = String, example = "apr_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: ApprovalId,
    #[schema(value_type = String, example = "pending")]
    status: ApprovalState,
}

impl Answer {
    fn new(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, body, keep: Keep::Whole, secret: false, replayed: false }
    }

    fn json(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self::new(status, serde_json::to_vec(body).map_err(Problem::internal)?))
    }

    /// 200 with a body.
    pub fn ok(body: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::OK, body)
    }

    /// 201 with a body.
    pub fn created(body: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::CREATED, body)
    }

    /// 202: another person has to approve first. Kept for no repetition, which may find it approved.
    pub fn pending(approval: &ApprovalView) -> Result<Self, Problem> {
        let body = Pending { approval: PendingApproval { id: approval.id, status: approval.status } };
        Ok(Self { keep: Keep::Nothing, ..Self::json(StatusCode::ACCEPTED, &body)? })
    }

    /// 204.
    pub fn nothing() -> Self {
        Self::new(StatusCode::NO_CONTENT, Vec::new())
    }

    /// An earlier answer again.
    pub fn replay(status: StatusCode, body: Vec<u8>) -> Self {
        Self { replayed: true, ..Self::new(status, body) }
    }

    /// The same, holding a number: not to be cached, nor kept.
    #[must_use]
    pub fn revealing(self) -> Self {
        Self { secret: true, keep: Keep::Nothing, ..self }
    }

    /// The same, holding a secret or a proof: not to be cached; a repetition gets `instead`.
    pub fn secret(self, instead: &impl Serialize) -> Result<Self, Problem> {
        let instead = serde_json::to_vec(instead).map_err(Problem::internal)?;
        Ok(Self { secret: true, keep: Keep::Instead(instead), ..self })
    }
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status);
        if self.secret {
            response.insert_header((header::CACHE_CONTROL, header::HeaderValue::from_static("no-store")));
        }
        if self.replayed {
            response.insert_header(("idempotent-replayed", "true"));
        }
        if self.body.is_empty() {
            return response.finish();
        }
        response.insert_header((header::CONTENT_TYPE, header::HeaderValue::from_static("application/json")));
        response.body(self.body)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn an_answer_with_a_number_is_neither_cached_nor_kept() {
        let answer = Answer::ok(&"+441632960001").unwrap().revealing();
        assert_eq!(answer.keep, Keep::Nothing);
        let response = answer.respond_to(&TestRequest::default().to_http_request());
        assert_eq!(response.headers().get(header::CACHE_CONTROL).unwrap(), "no-store");
    }

    #[test]
    fn an_answer_with_a_secret_keeps_only_what_is_not_secret() {
        let answer = Answer::created(&"bk_test_x").unwrap().secret(&"crd_x").unwrap();
        assert_eq!(answer.keep, Keep::Instead(b"\"crd_x\"".to_vec()));
    }
}
