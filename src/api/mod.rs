//! The HTTP API: one file for each resource, thin: extract → read → authorize → service → answer.
//!
//! What every request passes is beside them: [`extract`](mod@extract) (credential → caller), `body` (bounded, strict
//! JSON), `idempotency`, `answer`, `problem` (every error, once) and `dress` (what all answers wear). Invariants: nothing
//! of a body is looked at before the caller is known; tenant and audience come from the credential alone; nothing that a
//! caller sent comes back in an error. A real number passes here only on its way into the vault, to a custodian, or to
//! a test handset. Wired by `app`, which hands in [`Api`].

mod alias_batch;
mod aliases;
mod answer;
mod approvals;
mod audit;
mod batch;
mod bind;
mod body;
mod bound;
mod carriers;
mod code;
mod credentials;
mod dress;
mod errors;
mod exchange;
mod extract;
mod fields;
mod forget;
mod health;
mod idempotency;
mod list;
mod lookup;
mod messages;
mod metrics;
mod oauth;
pub mod openapi;
mod party;
mod policies;
mod pools;
mod problem;
mod reveal;
mod rights;
mod routes;
mod sandbox;
mod signed;
mod suppressions;
mod templates;
mod tenant;
#[cfg(test)]
mod tests;
mod tokens;
mod usage;
mod verifications;
mod webhooks;

use std::sync::Arc;

use actix_web::Route;
use actix_web::guard::{Any, Get, Head};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig, delete, patch, post, put, resource};

pub use code::Code;
pub use dress::dress;

use crate::access::Access;
use crate::alias::Alias;
use crate::audit::Log;
use crate::carrier::{HttpCarrier, Inbox, Sandbox};
use crate::dispatch::Dispatch;
use crate::guard::Guard;
use crate::keyring::Keyring;
use crate::outreach::Outreach;
use crate::rights::Rights;
use crate::store::{Scratch, Store};
use crate::vault::Vault;
use crate::verify::Verify;
use crate::webhook::Webhooks;

/// The services that requests are answered with.
pub struct Api {
    /// Who may do what.
    pub access: Arc<Access>,
    /// Numbers against tokens.
    pub vault: Arc<Vault>,
    /// Verification.
    pub verify: Arc<Verify>,
    /// Aliases and pools.
    pub alias: Arc<Alias>,
    /// Routes.
    pub dispatch: Arc<Dispatch>,
    /// Messages in a tenant's own name, and what goes with them.
    pub outreach: Arc<Outreach>,
    /// Erasure, export, change of number.
    pub rights: Arc<Rights>,
    /// Endpoints that are told of events.
    pub webhooks: Arc<Webhooks>,
    /// The log, for readers.
    pub log: Arc<Log>,
    /// Limits.
    pub guard: Arc<Guard>,
    /// The sandbox's handsets, where there is one.
    pub sandbox: Option<Arc<Sandbox>>,
    /// Where handsets of the sandbox write to.
    pub inbox: Arc<dyn Inbox>,
    /// The carriers that call us.
    pub http_carriers: Vec<Arc<dyn HttpCarrier>>,
    /// How the outside reaches us, if the settings say.
    pub public_url: Option<String>,
    /// For the log, readiness, and looking pool numbers up.
    pub store: Arc<dyn Store>,
    /// For idempotency keys.
    pub scratch: Arc<dyn Scratch>,
    /// For idempotency keys, and keyed names in the log.
    pub keyring: Arc<Keyring>,
    /// Proxies in front of us whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// What the deployment is called from outside, `https://…`: the issuer of access tokens.
    pub issuer: String,
    /// Whether clients are asked for a certificate.
    pub client_certificates: bool,
}

/// GET, and HEAD wherever GET works (RFC 9110 §9.3.2).
pub fn get() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}

/// Adds every route of the public port. Matches every path: what is to be answered by others has to be added before.
pub fn configure(api: web::Data<Api>) -> impl Fn(&mut ServiceConfig) + Clone {
    move |config| {
        let scope = web::scope("")
            .app_data(api.clone())
            .wrap(from_fn(dress))
            .configure(all)
            .service(openapi::page())
            .default_service(web::to(dress::nowhere));
        config.service(scope);
    }
}

/// Adds the routes of the admin port.
pub fn admin(config: &mut ServiceConfig) {
    config.service(
        web::scope("")
            .wrap(from_fn(dress))
            .service(resource("/metrics").route(get().to(metrics::metrics)))
            .service(resource("/healthz").route(get().to(health::live)))
            .default_service(web::to(dress::nowhere)),
    );
}

/// The busiest first: the router goes down the list.
fn all(config: &mut ServiceConfig) {
    config
        .service(resource("/v1/tokens").route(post().to(tokens::create)))
        .service(resource("/v1/tokens/batch").route(post().to(tokens::create_batch)))
        .service(resource("/v1/tokens/lookup").route(post().to(lookup::lookup)))
        .service(resource("/v1/tokens/{token}/exchange").route(post().to(exchange::exchange)))
        .service(resource("/v1/tokens/{token}/reveal").route(post().to(reveal::one)))
        .service(resource("/v1/tokens/reveal/batch").route(post().to(reveal::batch)))
        .service(resource("/v1/tokens/{token}").route(get().to(tokens::read)).route(delete().to(rights::erase_token)))
        .service(resource("/v1/verifications").route(post().to(verifications::create)))
        .service(resource("/v1/verifications/{id}/check").route(post().to(verifications::check)))
        .service(resource("/v1/verifications/{id}/resend").route(post().to(verifications::resend)))
        .service(resource("/v1/verifications/{id}/cancel").route(post().to(verifications::cancel)))
        .service(resource("/v1/verifications/{id}").route(get().to(verifications::read)))
        .service(resource("/v1/messages").route(post().to(messages::create)))
        .service(resource("/v1/messages/batch").route(post().to(messages::create_batch)))
        .service(resource("/v1/messages/{id}").route(get().to(messages::read)))
        .service(resource("/v1/aliases").route(post().to(aliases::create)).route(get().to(aliases::list)))
        .service(resource("/v1/aliases/batch").route(post().to(alias_batch::create)))
        .service(
            resource("/v1/aliases/{id}/messages").route(get().to(aliases::messages)).route(post().to(aliases::post)),
        )
        .service(
            resource("/v1/aliases/{id}")
                .route(get().to(aliases::read))
                .route(patch().to(aliases::change))
                .route(delete().to(aliases::release)),
        )
        .configure(arrangements)
        .configure(open);
}

/// What a tenant arranges and reads about itself.
fn arrangements(config: &mut ServiceConfig) {
    config
        .service(resource("/v1/subjects/erase").route(post().to(rights::erase)))
        .service(resource("/v1/subjects/export").route(post().to(rights::export)))
        .service(resource("/v1/subjects/change-number").route(post().to(rights::change_number)))
        .service(resource("/v1/templates").route(post().to(templates::create)).route(get().to(templates::list)))
        .service(resource("/v1/templates/{id}").route(get().to(templates::read)).route(delete().to(templates::delete)))
        .service(
            resource("/v1/suppressions").route(post().to(suppressions::create)).route(get().to(suppressions::list)),
        )
        .service(resource("/v1/suppressions/batch").route(post().to(suppressions::create_batch)))
        .service(
            resource("/v1/suppressions/{token}")
                .route(get().to(suppressions::read))
                .route(delete().to(suppressions::delete)),
        )
        .service(resource("/v1/complaints").route(post().to(suppressions::complain)))
        .service(resource("/v1/usage").route(get().to(usage::usage)))
        .service(resource("/v1/stats").route(get().to(usage::stats)))
        .service(resource("/v1/pools").route(post().to(pools::create)).route(get().to(pools::list)))
        .service(resource("/v1/pools/{id}/numbers").route(post().to(pools::add)).route(get().to(pools::numbers)))
        .service(
            resource("/v1/pools/{id}/numbers/{n}/quarantine")
                .route(post().to(pools::quarantine))
                .route(delete().to(pools::restore)),
        )
        .service(resource("/v1/pools/{id}/numbers/{n}").route(delete().to(pools::drain)))
        .service(resource("/v1/pools/{id}").route(get().to(pools::read)).route(patch().to(pools::change)))
        .service(resource("/v1/webhooks").route(post().to(webhooks::create)).route(get().to(webhooks::list)))
        .service(resource("/v1/webhooks/{id}/rotate").route(post().to(webhooks::rotate)))
        .service(resource("/v1/webhooks/{id}/ping").route(post().to(webhooks::ping)))
        .service(resource("/v1/webhooks/{id}/redeliver").route(post().to(webhooks::redeliver)))
        .service(resource("/v1/webhooks/{id}/deliveries").route(get().to(webhooks::deliveries)))
        .service(
            resource("/v1/webhooks/{id}")
                .route(get().to(webhooks::read))
                .route(patch().to(webhooks::change))
                .route(delete().to(webhooks::delete)),
        )
        .service(resource("/v1/routes").route(get().to(routes::read)).route(put().to(routes::put)))
        .service(resource("/v1/routes/explain").route(post().to(routes::explain)))
        .service(resource("/v1/credentials").route(post().to(credentials::create)).route(get().to(credentials::list)))
        .service(resource("/v1/credentials/{id}/rotate").route(post().to(credentials::rotate)))
        .service(resource("/v1/credentials/{id}/revoke").route(post().to(credentials::revoke)))
        .service(resource("/v1/credentials/{id}").route(delete().to(credentials::delete)))
        .service(resource("/v1/approvals").route(get().to(approvals::list)))
        .service(resource("/v1/approvals/{id}").route(get().to(approvals::read)))
        .service(resource("/v1/approvals/{id}/approve").route(post().to(approvals::approve)))
        .service(resource("/v1/approvals/{id}/deny").route(post().to(approvals::deny)))
        .service(resource("/v1/policies").route(post().to(policies::propose)).route(get().to(policies::list)))
        .service(resource("/v1/policies/{version}/activate").route(post().to(policies::activate)))
        .service(resource("/v1/policies/{version}/withdraw").route(post().to(policies::withdraw)))
        .service(resource("/v1/policies/{version}").route(get().to(policies::read)))
        .service(resource("/v1/freeze").route(post().to(tenant::freeze)))
        .service(resource("/v1/thaw").route(post().to(tenant::thaw)))
        .service(resource("/v1/tenant").route(get().to(tenant::read)).route(patch().to(tenant::change)))
        .service(resource("/v1/audit/entries").route(get().to(audit::entries)))
        .service(resource("/sandbox/messages").route(get().to(sandbox::read)).route(post().to(sandbox::write)));
}

/// What needs no credential.
fn open(config: &mut ServiceConfig) {
    config
        .service(
            resource("/carriers/{name}/inbound").route(get().to(carriers::inbound)).route(post().to(carriers::inbound)),
        )
        .service(
            resource("/carriers/{name}/status").route(get().to(carriers::status)).route(post().to(carriers::status)),
        )
        .service(resource("/carriers/{name}/voice").route(get().to(carriers::voice)).route(post().to(carriers::voice)))
        .service(
            resource("/carriers/{name}/voice/status")
                .route(get().to(carriers::voice_status))
                .route(post().to(carriers::voice_status)),
        )
        .service(resource("/oauth/token").route(post().to(oauth::token)))
        .service(resource("/.well-known/oauth-authorization-server").route(get().to(oauth::metadata)))
        .service(resource("/.well-known/jwks.json").route(get().to(verifications::jwks)))
        .service(resource("/healthz").route(get().to(health::live)))
        .service(resource("/readyz").route(get().to(health::ready)))
        .service(resource("/openapi.json").route(get().to(openapi::json)))
        .service(web::redirect("/docs", "/docs/"));
}
