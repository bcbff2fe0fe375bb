//! `/sandbox`: a test handset in the browser. The page is empty of data: its script asks the API with the credential
//! that is typed in, which lives in the tab's memory alone.

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::shell;

/// The page.
pub async fn page() -> HttpResponse {
    let body = html! {
        h1 { "Handsets" }
        p class="lead" {
            "Read what a test handset received, and write to an alias as that handset or as a stranger. "
            "Only test tenants have handsets; nothing here reaches a real device."
        }
        div class="desk" {
            div class="controls" { (opening()) (composing()) }
            (phone())
        }
        noscript { p class="notice" { "This page needs its script, which comes from this service alone." } }
    };
    shell::page("Handsets", Some("/assets/handsets.js"), &body)
}

fn opening() -> Markup {
    html! {
        form id="open" class="card" autocomplete="off" {
            h2 { "Handset" }
            label for="credential" { "Test credential" }
            input id="credential" type="password" required autocomplete="off" spellcheck="false"
                placeholder="bk_test_…" aria-describedby="credential-note";
            p id="credential-note" class="note" { "Kept in this tab's memory, gone when you close or reload it." }
            label for="handset" { "Number or token" }
            input id="handset" required autocomplete="off" spellcheck="false" placeholder="+44 7700 900123 or tok_…";
            div class="row" {
                button type="submit" { "Open" }
                button type="button" id="close" class="quiet" hidden { "Close" }
            }
            p id="open-state" class="state" role="status" {}
        }
    }
}

fn composing() -> Markup {
    html! {
        form id="write" class="card" autocomplete="off" {
            h2 { "Write" }
            fieldset {
                legend { "As" }
                label class="choice" { input type="radio" name="as" value="handset" checked; "this handset" }
                label class="choice" { input type="radio" name="as" value="stranger"; "a stranger" }
            }
            div id="stranger-row" hidden {
                label for="from" { "Stranger" }
                input id="from" autocomplete="off" spellcheck="false" placeholder="Facebook, 8069 or a number";
            }
            label for="to" { "To X" }
            input id="to" required autocomplete="off" spellcheck="false" inputmode="tel" placeholder="+1 202 555 0143";
            label for="text" { "Message" }
            textarea id="text" required rows="4" {}
            button type="submit" { "Send" }
            p id="write-state" class="state" role="status" {}
        }
    }
}

fn phone() -> Markup {
    html! {
        section class="phone" aria-labelledby="phone-title" {
            div class="bar" {
                h2 id="phone-title" { "Messages" }
                span id="pulse" class="pulse" aria-hidden="true" {}
            }
            p id="empty" class="empty" { "No handset is open." }
            ol id="messages" aria-live="polite" aria-relevant="additions" {}
        }
    }
}
