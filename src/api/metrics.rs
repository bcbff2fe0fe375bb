//! Counting answers, and the text in which the admin port shows every counter of the process.
//!
//! Labels are route templates, methods and statuses: never a path, an id or anything that a caller sent.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header;

use crate::telemetry;

/// Counts one answered request.
pub fn count(method: &str, route: &str, status: &str, took: Duration) {
    let metrics = telemetry::metrics();
    metrics.requests.with_label_values(&[method, route, status]).inc();
    metrics.latency.with_label_values(&[route]).observe(took.as_secs_f64());
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
        count("GET", "/v1/aliases/{id}", "200", Duration::from_millis(3));
        let text = telemetry::metrics().render();
        assert!(text.contains(r#"bauta_http_requests_total{method="GET",route="/v1/aliases/{id}",status="200"}"#));
    }
}
