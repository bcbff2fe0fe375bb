//! The OpenAPI 3.1 document, made from the handlers, and the page that shows it.
//!
//! [`document`] is also what `bauta openapi` prints; its text depends on nothing but the code.

use std::collections::HashMap;
use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, ClientCredentials, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Scopes, SecurityScheme,
};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::code::Code;
use super::{
    alias_batch, aliases, approvals, audit, carriers, credentials, exchange, health, lookup, messages, oauth, policies,
    pools, problem, reveal, rights, routes, sandbox, suppressions, templates, tenant, tokens, usage, verifications,
    webhooks,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "bauta",
        description = "A privacy boundary for phone numbers: tokens, verification, aliases, and a verifiable log. \
            No answer but a custodian's reveal holds a number.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        tokens::create, tokens::create_batch, lookup::lookup, tokens::read, exchange::exchange,
        reveal::one, reveal::batch,
        rights::erase_token, rights::erase, rights::export, rights::change_number,
        verifications::create, verifications::check, verifications::resend, verifications::cancel,
        verifications::read, verifications::jwks,
        aliases::create, aliases::list, aliases::read, aliases::change, aliases::release, aliases::messages, aliases::post,
        alias_batch::create,
        messages::create, messages::create_batch, messages::read,
        templates::create, templates::list, templates::read, templates::delete,
        suppressions::create, suppressions::create_batch, suppressions::list, suppressions::read,
        suppressions::delete, suppressions::complain,
        usage::usage, usage::stats,
        pools::create, pools::list, pools::read, pools::change, pools::numbers, pools::add, pools::drain,
        pools::quarantine, pools::restore,
        webhooks::create, webhooks::list, webhooks::read, webhooks::change, webhooks::delete, webhooks::rotate,
        webhooks::ping, webhooks::redeliver, webhooks::deliveries,
        routes::read, routes::put, routes::explain,
        credentials::create, credentials::list, credentials::rotate, credentials::delete, credentials::revoke,
        approvals::list, approvals::read, approvals::approve, approvals::deny,
        policies::propose, policies::list, policies::read, policies::activate, policies::withdraw,
        tenant::read, tenant::change, tenant::freeze, tenant::thaw,
        audit::entries,
        oauth::token, oauth::metadata,
        sandbox::read, sandbox::write,
        carriers::inbound, carriers::status, carriers::voice, carriers::voice_status,
        health::live, health::ready,
    ),
    components(schemas(problem::ProblemDocument)),
    tags(
        (name = "Tokens", description = "Numbers in, tokens out."),
        (name = "Subjects", description = "What people have a right to: erasure, export, a change of number."),
        (name = "Verifications", description = "Prove that a person holds a number."),
        (name = "Aliases", description = "Bind people to a virtual number."),
        (name = "Messages", description = "What a tenant sends in its own name: messages, templates, who is spared them."),
        (name = "Pools", description = "The stock of virtual numbers."),
        (name = "Webhooks", description = "Where the tenant is told of events."),
        (name = "Routes", description = "Which carriers messages take, and why."),
        (name = "Credentials", description = "Keys of persons and systems."),
        (name = "Approvals", description = "What needs a second person."),
        (name = "Policies", description = "Who may do what in this deployment, version by version."),
        (name = "Tenant", description = "The caller's tenant, and the switch that stops it."),
        (name = "Audit", description = "The log."),
        (name = "OAuth", description = "Access tokens of five minutes for a credential."),
        (name = "Sandbox", description = "Handsets of test tenants."),
        (name = "Carriers", description = "Where carriers call us."),
        (name = "Health", description = "Whether the service lives and can serve."),
    ),
    security(("bearer" = []), ("oauth" = []), ("certificate" = []), ("signature" = [])),
    modifiers(&Doors, &Problems, &IdempotencyKeys),
)]
struct Document;

/// How callers say who they are.
struct Doors;

impl Modify for Doors {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("`bk_live_…` or `bk_test_…`"));
        let client = Flow::ClientCredentials(ClientCredentials::new("/oauth/token", Scopes::new()));
        let signature = ApiKeyValue::with_description(
            "Signature",
            "RFC 9421, with `Signature-Input`: `hmac-sha256` or `ed25519` over `@method`, `@authority`, `@path`, `@query` \
             and, with a body, `content-digest`; `created`, a `nonce` that works once, `keyid` the credential's id.",
        );
        let components = document.components.get_or_insert_default();
        for (name, scheme) in [
            ("bearer", SecurityScheme::Http(key.build())),
            ("oauth", SecurityScheme::OAuth2(OAuth2::new([client]))),
            (
                "certificate",
                SecurityScheme::MutualTls {
                    description: Some("The client certificate of a credential that is one (RFC 8705).".to_owned()),
                    deprecated: None,
                    extensions: None,
                },
            ),
            ("signature", SecurityScheme::ApiKey(ApiKey::Header(signature))),
        ] {
            components.add_security_scheme(name, scheme);
        }
    }
}

/// Everything that goes wrong is a problem document.
struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.responses.insert("Problem".to_owned(), RefOr::T(problem_response()));
        for operation in operations(document) {
            let refer = RefOr::Ref(Ref::from_response_name("Problem"));
            operation.responses.responses.insert("default".to_owned(), refer);
        }
    }
}

fn problem_response() -> Response {
    ResponseBuilder::new()
        .description("A problem (RFC 9457). `code` is stable.")
        .content("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem"))))
        .build()
}

/// Every POST and PUT takes an `Idempotency-Key`, but the one whose answers are never kept.
struct IdempotencyKeys;

impl Modify for IdempotencyKeys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
        let key = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .description(Some("1 to 255 visible ASCII characters. The first answer is given again for 24 hours."))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255))))
            .build();
        let paths = document
            .paths
            .paths
            .iter_mut()
            .filter(|(path, _)| *path != "/oauth/token" && !path.starts_with("/carriers/"));
        for post in paths.flat_map(|(_, item)| item.post.as_mut().into_iter().chain(item.put.as_mut())) {
            post.parameters.get_or_insert_default().push(key.clone().into());
        }
    }
}

fn operations(document: &mut utoipa::openapi::OpenApi) -> impl Iterator<Item = &mut utoipa::openapi::path::Operation> {
    document.paths.paths.values_mut().flat_map(|item| {
        [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete]
            .into_iter()
            .filter_map(Option::as_mut)
    })
}

/// The schema of a problem's code: every one there is.
pub fn code_schema() -> RefOr<Schema> {
    let codes = Code::ALL.iter().map(|code| code.as_str());
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(codes))
        .description(Some("Stable; branch on this."))
        .build()
        .into()
}

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut text = Document::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
});

/// The document as indented JSON, always the same for the same code.
pub fn document() -> String {
    DOCUMENT.clone()
}

/// `GET /openapi.json`.
pub async fn json() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/json")).body(DOCUMENT.as_str())
}

/// `/docs`: the document as a page, from files in the binary.
pub fn page() -> SwaggerUi {
    SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json"))
}

static METHODS: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let document = Document::openapi();
    let methods = |item: &utoipa::openapi::PathItem| {
        let named = [
            ("GET", item.get.is_some()),
            ("POST", item.post.is_some()),
            ("PUT", item.put.is_some()),
            ("PATCH", item.patch.is_some()),
            ("DELETE", item.delete.is_some()),
        ];
        named.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect::<Vec<_>>().join(", ")
    };
    document.paths.paths.iter().map(|(path, item)| (path.clone(), methods(item))).collect()
});

/// The methods that a route template has, as `Allow` lists them.
pub fn methods(route: &str) -> &'static str {
    METHODS.get(route).map_or("GET", String::as_str)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_document_is_3_1_and_the_same_each_time() {
        let value: serde_json::Value = serde_json::from_str(&document()).unwrap();
        assert!(value["openapi"].as_str().unwrap().starts_with("3.1"));
        assert_eq!(Document::openapi().to_pretty_json().unwrap() + "\n", document());
    }

    #[test]
    fn every_operation_can_end_in_a_problem_and_every_code_is_listed() {
        let value: serde_json::Value = serde_json::from_str(&document()).unwrap();
        for (path, item) in value["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(operation["responses"]["default"].is_object(), "{method} {path}");
            }
        }
        let codes = value["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].as_array().unwrap();
        assert_eq!(codes.len(), Code::ALL.len());
    }

    #[test]
    fn every_schema_that_is_referred_to_is_there() {
        let text = document();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(value["components"]["schemas"][name].is_object(), "{name}");
        }
    }

    #[test]
    fn allow_lists_the_methods_of_a_route() {
        assert_eq!(methods("/v1/aliases/{id}"), "GET, PATCH, DELETE");
        assert_eq!(methods("/v1/tokens"), "POST");
        assert_eq!(methods("/v1/routes"), "GET, PUT");
    }
}
