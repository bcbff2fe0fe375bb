//! Errors at the edge: RFC 9457 problem documents.
//!
//! Every service error becomes a [`Problem`] here and nowhere else. A problem holds a [`Code`], the names of fields of
//! ours that are at fault, and a cause that only the log sees; nothing that a caller sent is kept in it. It becomes
//! text in [`Problem::document`], where `dress` adds the id of the request.

use std::fmt;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::code::Code;
use crate::store::{Conflict, ScratchError, StoreError};

/// How long a caller should wait when a store is down.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Why a request was not carried out.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What clients branch on.
    pub code: Code,
    /// The fields at fault, by our names for them.
    pub fields: Vec<FieldError>,
    retry_after: Option<Duration>,
    replayed: bool,
    cause: Option<String>,
}

/// One field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Its name in this contract, with the position in lists: `items[3].number`.
    #[schema(example = "items[3].number")]
    pub field: String,
    /// The line in the file that the field holds, from 1, where one is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong there and how to mend it, where the code alone does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl FieldError {
    /// A field at fault; the code says how.
    pub fn new(field: impl Into<String>) -> Self {
        Self { field: field.into(), line: None, detail: None }
    }
}

/// An RFC 9457 problem document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument<'a> {
    /// Where the code is explained, relative to this service.
    #[serde(rename = "type")]
    #[schema(example = "/docs/problems#number_invalid")]
    kind: String,
    /// Summary of the kind of problem.
    title: &'a str,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// What it means and what to do.
    detail: &'a str,
    /// Stable; branch on this.
    #[schema(schema_with = super::openapi::code_schema)]
    code: &'a str,
    /// Names the request in the service's log.
    #[schema(example = "req_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    request_id: &'a str,
    /// The fields at fault.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldError],
}

impl Problem {
    /// A problem of this kind and nothing more.
    pub const fn new(code: Code) -> Self {
        Self { code, fields: Vec::new(), retry_after: None, replayed: false, cause: None }
    }

    /// A problem with one field of ours.
    pub fn at(code: Code, field: impl Into<String>) -> Self {
        Self { fields: vec![FieldError::new(field)], ..Self::new(code) }
    }

    /// The same, with the line and the fault in what its fields hold.
    #[must_use]
    pub fn explained(mut self, line: Option<usize>, detail: Option<String>) -> Self {
        for field in &mut self.fields {
            (field.line, field.detail) = (line, detail.clone());
        }
        self
    }

    /// A limit that is reached until `retry_after` has passed.
    pub fn limited(retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(Code::RateLimited) }
    }

    /// A daily budget that is exhausted until `retry_after` has passed.
    pub fn exhausted(retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(Code::BudgetExhausted) }
    }

    /// A cap of the day that is reached until `retry_after` has passed.
    pub fn capped(retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(Code::SpendCapReached) }
    }

    /// A store that cannot be used; `cause` is for the log.
    pub fn unavailable(cause: impl fmt::Display) -> Self {
        Self::later(Code::Unavailable, cause)
    }

    /// 503 because the KMS does not serve, with `Retry-After`.
    pub fn kms_unavailable(cause: impl fmt::Display) -> Self {
        Self::later(Code::KmsUnavailable, cause)
    }

    fn later(code: Code, cause: impl fmt::Display) -> Self {
        Self { retry_after: Some(STORE_RETRY), cause: Some(cause.to_string()), ..Self::new(code) }
    }

    /// A fault of ours; `cause` is for the log.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self { cause: Some(cause.to_string()), ..Self::new(Code::Internal) }
    }

    /// A refusal that a service named; a name that is not in the table is a fault of ours.
    pub fn refused(code: &str) -> Self {
        Code::named(code).map_or_else(|| Self::internal("a refusal without a code"), Self::new)
    }

    /// The same, with the time to wait before trying again.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same, as the replay of an earlier answer.
    #[must_use]
    pub fn replayed(self, fields: Vec<FieldError>) -> Self {
        Self { fields, replayed: true, ..self }
    }

    /// What the log should say about a fault of ours.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The document for the request `request_id`.
    pub fn document(&self, request_id: &str) -> Vec<u8> {
        let document = ProblemDocument {
            kind: format!("/docs/problems#{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.code.detail(),
            code: self.code.as_str(),
            request_id,
            errors: &self.fields,
        };
        serde_json::to_vec(&document).unwrap_or_default()
    }

    /// The whole answer to the request `request_id`.
    pub fn response(&self, request_id: &str) -> HttpResponse {
        let mut response = HttpResponse::build(self.code.status());
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(wait) = self.retry_after {
            let wait = whole_seconds(wait);
            response.insert_header((header::RETRY_AFTER, wait));
            if matches!(self.code, Code::RateLimited | Code::BudgetExhausted) {
                // draft-ietf-httpapi-ratelimit-headers-10 §4: nothing is left, and in how many seconds there is again.
                response.insert_header(("ratelimit", format!(r#""requests";r=0;t={wait}"#)));
            }
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, r#"Bearer realm="bauta""#));
        }
        if self.replayed {
            response.insert_header(("idempotent-replayed", "true"));
        }
        response.body(self.document(request_id))
    }
}

/// Seconds, rounded up, at least one: a client that waits so long is let in.
pub fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    /// The problem travels as an extension; `dress` writes the document, because it knows the request's id.
    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::new(self.code.status());
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(conflict) => conflict.into(),
            StoreError::Unavailable(_) => Self::unavailable(error),
            StoreError::TokenExists(_) | StoreError::Corrupt(_) => Self::internal(error),
        }
    }
}

impl From<Conflict> for Problem {
    fn from(conflict: Conflict) -> Self {
        Self::new(match conflict {
            Conflict::PolicyMoved => Code::PolicyConflict,
            Conflict::RoutesMoved => Code::RoutesConflict,
            Conflict::TooMany => Code::TooManyProposals,
            Conflict::Exists => Code::AlreadyExists,
            Conflict::Missing => Code::NotFound,
            Conflict::NumberInPool => Code::NumberInPool,
            Conflict::BudgetExhausted => Code::BudgetExhausted,
            Conflict::CapReached => Code::SpendCapReached,
            Conflict::ApprovalOver => Code::ApprovalDecided,
            Conflict::ApprovalUsed => Code::ApprovalUsed,
            Conflict::AliasOver => Code::AliasExpired,
            Conflict::VerificationOver => Code::VerificationExpired,
            Conflict::LegTaken | Conflict::VerificationPending | Conflict::Taken | Conflict::Heard => {
                Code::AliasConflict
            }
        })
    }
}

impl From<ScratchError> for Problem {
    fn from(error: ScratchError) -> Self {
        Self::unavailable(error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_document_has_the_members_of_rfc_9457_and_no_empty_list() {
        let text = Problem::new(Code::NumberInvalid).document("req_x");
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["type"], "/docs/problems#number_invalid");
        assert_eq!(value["status"], 422);
        assert_eq!(value["code"], "number_invalid");
        assert_eq!(value["request_id"], "req_x");
        assert!(value.get("errors").is_none());
    }

    #[test]
    fn a_store_that_is_down_says_when_to_come_back_and_keeps_its_cause_to_itself() {
        let problem = Problem::from(StoreError::Unavailable("disk full".into()));
        let response = problem.response("req_x");
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), "1");
        assert!(!String::from_utf8(problem.document("req_x")).unwrap().contains("disk"));
        assert_eq!(problem.cause(), Some("the durable store is unavailable: disk full"));
    }

    #[test]
    fn a_wait_is_never_rounded_down() {
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_millis(1_001)), 2);
        assert_eq!(whole_seconds(Duration::ZERO), 1);
    }
}
