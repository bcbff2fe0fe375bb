//! What every answer of the API wears: a request id, problem documents for whatever went wrong, guarding headers, a
//! count, and one log line for each fault of ours. What the HTTP layer would keep of the request is let go of here.
//!
//! Also what the HTTP layer itself refuses (unknown path, unknown method) leaves here as a problem, so that a client
//! meets one kind of error. Log lines hold the route's template, never the path.

use std::time::Instant;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;

use super::answer::Answer;
use super::code::Code;
use super::problem::Problem;
use super::{forget, metrics, openapi};
use crate::ids::{self, Request};
use crate::process;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The page of the document needs its own scripts and inline styles, and nothing from elsewhere.
const DOCS_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Marks an answer whose error is written as another document asks: it is left as it is.
#[derive(Clone, Copy)]
pub struct Plain;

/// Carries a request on and dresses its answer.
pub async fn dress(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let began = Instant::now();
    forget::sever(&mut request);
    let mut response = process::wiped(next.call(request)).await?;
    let id = ids::fresh::<Request>().to_string();
    let route = response.request().match_pattern();
    let route = route.as_deref().unwrap_or("unknown");
    let wrong = response.status().is_client_error() || response.status().is_server_error();
    if wrong && !response.response().extensions().contains::<Plain>() {
        response = explained(response, &id, route);
    }
    let documents = route.starts_with("/docs");
    guarded(response.headers_mut(), &id, documents);
    metrics::count(response.request().method(), route, response.status().as_str(), began.elapsed());
    Ok(forget::empty(response))
}

/// The same answer with a problem document for a body.
fn explained(mut response: ServiceResponse, id: &str, route: &str) -> ServiceResponse {
    let status = response.status();
    let told = response.response_mut().extensions_mut().remove::<Problem>();
    let problem = told.unwrap_or_else(|| Problem::new(Code::for_status(status)));
    if status.is_server_error() {
        let (method, cause) = (metrics::known(response.request().method()), problem.cause().unwrap_or("none told"));
        tracing::error!(request_id = id, method, route, code = problem.code.as_str(), cause, "a request failed");
    }
    let mut answer = problem.response(id);
    if status == StatusCode::METHOD_NOT_ALLOWED
        && let Ok(allow) = HeaderValue::from_str(openapi::methods(route))
    {
        answer.headers_mut().insert(header::ALLOW, allow);
    }
    response.into_response(answer)
}

fn guarded(headers: &mut HeaderMap, id: &str, documents: bool) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if documents && !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCS_POLICY));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
}

/// What answers where no route does.
pub async fn nowhere() -> Result<Answer, Problem> {
    Err(Problem::new(Code::NotFound))
}
