//! Counting answers, and the text in which the admin port shows every counter of the process.
//!
//! Labels are route templates, methods and statuses: never a path, an id or anything that a caller sent.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::{Method, header};

use crate::telemetry;

/// Counts one answered request.
pub fn count(method: &Method, route: &str, status: &str, took: Duration) {
    let metrics = telemetry::metrics();
    metrics.requests.with_label_values(&[known(method), route, status]).inc();
    metrics.latency.with_label_values(&[route]).observe(took.as_secs_f64());
}

/// The name of a method that HTTP defines. Any other is a word of the caller's own (RFC 9110 §9.1 sets no bound), which
/// may spell a number, and of which there is no end.
pub fn known(method: &Method) -> &'static str {
    [Method::GET, Method::POST, Method::PATCH, Method::DELETE, Method::HEAD, Method::OPTIONS, Method::PUT]
        .iter()
        .zip(["GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"])
        .find_map(|(known, name)| (known == method).then_some(name))
        .unwrap_or("other")
}

/// `GET /metrics`: the Prometheus text format 0.0.4.
pub async fn metrics() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, prometheus::TEXT_FORMAT))
        .body(telemetry::metrics().render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_request_shows_under_its_route() {
        count(&Method::GET, "/v1/aliases/{id}", "200", Duration::from_millis(3));
        let text = telemetry::metrics().render();
        assert!(text.contains(r#"bauta_http_requests_total{method="GET",route="/v1/aliases/{id}",status="200"}"#));
    }

    #[test]
    fn a_method_of_the_callers_own_never_becomes_a_label() {
        let method = Method::from_bytes(b"+84901234567").unwrap_or_default();
        count(&method, "/v1/tokens", "405", Duration::from_millis(3));
        let text = telemetry::metrics().render();
        assert!(!text.contains("84901234567"));
        assert!(text.contains(r#"bauta_http_requests_total{method="other",route="/v1/tokens",status="405"}"#));
    }
}
