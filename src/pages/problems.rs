//! `/docs/problems`: what each code means; where the `type` of a problem document points.

use actix_web::HttpResponse;
use maud::html;

use super::shell;
use crate::api::Code;

/// The page.
pub async fn page() -> HttpResponse {
    let body = html! {
        h1 { "Problems" }
        p class="lead" {
            "Errors are problem documents (RFC 9457). Branch on " code { "code" } ", which is stable; quote "
            code { "request_id" } " when you ask for help. Nothing that was sent is repeated in one."
        }
        dl class="codes" {
            @for code in Code::ALL {
                div id=(code.as_str()) {
                    dt { code { (code.as_str()) } span class="status" { (code.status().as_u16()) } }
                    dd { (code.detail()) }
                }
            }
        }
    };
    shell::page("Problems", None, &body)
}
