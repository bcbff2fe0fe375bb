//! What all pages share: head, mask, guarding headers.

use actix_web::HttpResponse;
use actix_web::http::header;
use maud::{DOCTYPE, Markup, html};

/// Own files only; no form is ever submitted by the browser itself, so that a page without its script sends nothing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// A page with this title and body; `script` is the path of its script, if it has one.
pub fn page(title: &str, script: Option<&str>, body: &Markup) -> HttpResponse {
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · bauta" }
                link rel="icon" type="image/svg+xml" href="/assets/mask.svg";
                link rel="stylesheet" href="/assets/bauta.css";
                @if let Some(script) = script {
                    script src=(script) defer {}
                }
            }
            body {
                header class="top" {
                    (mask())
                    p class="name" { "bauta" }
                    nav aria-label="Pages" {
                        a href="/sandbox" { "Handsets" }
                        a href="/docs/" { "API" }
                        a href="/docs/problems" { "Problems" }
                    }
                }
                main { (body) }
            }
        }
    };
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(text.into_string())
}

/// The bauta: tricorn above, the white mask with its jutting chin below.
fn mask() -> Markup {
    html! {
        svg class="mask" viewBox="0 0 48 48" role="img" aria-label="A bauta mask" {
            path class="hat" d="M2 19c6-2 8-12 22-12s16 10 22 12c-4 3-7 3-10 2-4-2-8-3-12-3s-8 1-12 3c-3 1-6 1-10-2z" {}
            path class="face" d="M13 21c3-1 7-2 11-2s8 1 11 2c1 7-1 12-5 14l3 8c-3 2-6 2-9 2s-6 0-9-2l3-8c-4-2-6-7-5-14z" {}
            path class="eyes" d="M16 25c2-1 4-1 6 1-2 2-5 2-6-1zm16 0c-2-1-4-1-6 1 2 2 5 2 6-1z" {}
            path class="ridge" d="M24 26l-3 8 3 1.500 3-1.500z" {}
        }
    }
}
