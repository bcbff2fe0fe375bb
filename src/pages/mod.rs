//! Pages for people: the sandbox's handsets, and what each problem code means.
//!
//! Rendered on the server, with one style sheet and one script of our own; nothing is loaded from elsewhere, and the
//! content security policy says so. A page never holds a credential beyond the life of its tab. Wired by `app` in front
//! of the API, whose scope matches every path.

mod handsets;
mod problems;
mod shell;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::web::{ServiceConfig, resource};

use crate::api::{dress, get};

/// Adds the pages and what they are made of.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/sandbox").wrap(from_fn(dress)).route(get().to(handsets::page)))
        .service(resource("/docs/problems").wrap(from_fn(dress)).route(get().to(problems::page)))
        .service(resource("/assets/mask.svg").wrap(from_fn(dress)).route(get().to(icon)))
        .service(resource("/assets/bauta.css").wrap(from_fn(dress)).route(get().to(style)))
        .service(resource("/assets/handsets.js").wrap(from_fn(dress)).route(get().to(script)));
}

async fn style() -> HttpResponse {
    asset("text/css; charset=utf-8", include_str!("bauta.css"))
}

async fn icon() -> HttpResponse {
    asset("image/svg+xml", include_str!("mask.svg"))
}

async fn script() -> HttpResponse {
    asset("text/javascript; charset=utf-8", include_str!("handsets.js"))
}

/// A file of the binary; asked for anew each time, since it changes with the binary alone and is small.
fn asset(kind: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, kind))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use actix_web::body::to_bytes;
    use actix_web::{App, test};

    use super::*;
    use crate::api::Code;

    async fn fetched(path: &str) -> (HttpResponse<()>, String) {
        let app = test::init_service(App::new().configure(configure)).await;
        let response = test::call_service(&app, test::TestRequest::with_uri(path).to_request()).await;
        let (head, body) = response.into_parts().1.into_parts();
        let text = String::from_utf8(to_bytes(body).await.unwrap().to_vec()).unwrap();
        (head, text)
    }

    #[actix_web::test]
    async fn a_page_loads_nothing_from_elsewhere_and_runs_nothing_inline() {
        for path in ["/sandbox", "/docs/problems"] {
            let (head, text) = fetched(path).await;
            let policy = head.headers().get(header::CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}");
            assert_eq!(head.headers().get(header::REFERRER_POLICY).unwrap(), "no-referrer");
            assert!(!text.contains("http://") && !text.contains("https://") && !text.contains(" style="), "{path}");
            assert!(!text.contains("<script>") && !text.contains("onclick"), "{path}");
        }
    }

    #[actix_web::test]
    async fn every_asset_that_a_page_names_is_served() {
        let (_, text) = fetched("/sandbox").await;
        for path in ["/assets/bauta.css", "/assets/handsets.js", "/assets/mask.svg"] {
            assert!(text.contains(path));
            let (head, asset) = fetched(path).await;
            assert!(head.status().is_success() && asset.len() > 300, "{path}");
        }
    }

    #[actix_web::test]
    async fn the_script_keeps_the_credential_in_no_storage() {
        let (_, script) = fetched("/assets/handsets.js").await;
        for keeper in ["localStorage", "sessionStorage", "cookie", "innerHTML", "indexedDB"] {
            assert!(!script.contains(keeper), "{keeper}");
        }
    }

    #[actix_web::test]
    async fn every_problem_code_has_its_anchor() {
        let (_, text) = fetched("/docs/problems").await;
        for code in Code::ALL {
            assert!(text.contains(&format!("id=\"{}\"", code.as_str())), "{}", code.as_str());
        }
    }
}
