//! `POST /oauth/token`: client credentials (RFC 6749 §4.4) for an access token of five minutes.
//!
//! The client is a credential: `client_id` its id, `client_secret` its key, by HTTP Basic or in the body; or its client
//! certificate alone (`tls_client_auth`, RFC 8705 §2.1). Errors are those of RFC 6749 §5.2, limits and faults of ours
//! problem documents. An answer is made afresh each time: no `Idempotency-Key` keeps it. Form bodies, because the RFC
//! says so; a parameter that it does not name is ignored for the same reason.

use std::str::FromStr;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use data_encoding::BASE64;
use serde::Serialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::Api;
use super::body;
use super::dress::Plain;
use super::extract;
use super::fields;
use super::problem::Problem;
use crate::access::{Denied, Presented, Principal};
use crate::ids::CredentialId;

/// Longest body.
const FORM_MAX: usize = 8_192;

/// What a client sends, as `application/x-www-form-urlencoded`.
#[derive(ToSchema)]
#[allow(dead_code, reason = "the form as the document describes it; reading it is `Form`")]
pub struct TokenRequest {
    /// `client_credentials`.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// The credential's id, `crd_…`; unless it is in the Basic header.
    client_id: Option<String>,
    /// The credential's key, `bk_…`; unless it is in the Basic header, or the client certificate is the credential.
    client_secret: Option<String>,
}

/// An access token.
#[derive(Serialize, ToSchema)]
pub struct TokenAnswer {
    /// To be sent as `Authorization: Bearer …`.
    #[serde(serialize_with = "fields::shown")]
    #[schema(value_type = String, example = "eyJ…")]
    access_token: Zeroizing<String>,
    /// `Bearer`.
    token_type: &'static str,
    /// How many seconds it works.
    #[schema(example = 300)]
    expires_in: u64,
}

/// Why there is no access token (RFC 6749 §5.2).
#[derive(Serialize, ToSchema)]
pub struct TokenError {
    /// `invalid_request`, `invalid_client`, `unsupported_grant_type` or `invalid_scope`.
    #[schema(example = "invalid_client")]
    error: &'static str,
    /// What to do.
    error_description: &'static str,
}

/// What the server can do (RFC 8414).
#[derive(Serialize, ToSchema)]
pub struct ServerMetadata {
    issuer: String,
    token_endpoint: String,
    grant_types_supported: [&'static str; 1],
    response_types_supported: [&'static str; 0],
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    tls_client_certificate_bound_access_tokens: bool,
}

/// Get an access token
///
/// Client credentials (RFC 6749 §4.4). The token works for five minutes, as long as its credential does, and from where
/// its credential may be used.
#[utoipa::path(post, path = "/oauth/token", tag = "OAuth", security(()),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "A token.", body = TokenAnswer),
        (status = 400, description = "The request is not understood.", body = TokenError),
        (status = 401, description = "No such client, or not its secret.", body = TokenError)))]
pub async fn token(api: web::Data<Api>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let body = Zeroizing::new(body::form(payload.into_inner()).await?.to_vec());
    let presented = extract::presented(&api, &request);
    let refusal = match ask(&api, &request, &presented, &body).await {
        Ok(client) => {
            api.guard.request(client.credential).await?;
            let token = api.access.access_token(&client, &api.issuer).await?;
            return Ok(answered(StatusCode::OK).json(TokenAnswer {
                access_token: token.text,
                token_type: "Bearer",
                expires_in: token.life.as_secs(),
            }));
        }
        Err(refusal) => refusal,
    };
    api.guard.stranger(&presented.from).await?;
    Ok(refused(refusal))
}

/// What the server can do
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", tag = "OAuth", security(()),
    responses((status = 200, description = "RFC 8414.", body = ServerMetadata)))]
pub async fn metadata(api: web::Data<Api>) -> HttpResponse {
    let certificate = api.client_certificates.then_some("tls_client_auth");
    HttpResponse::Ok().json(ServerMetadata {
        issuer: api.issuer.clone(),
        token_endpoint: format!("{}/oauth/token", api.issuer),
        grant_types_supported: ["client_credentials"],
        response_types_supported: [],
        token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"]
            .into_iter()
            .chain(certificate)
            .collect(),
        tls_client_certificate_bound_access_tokens: api.client_certificates,
    })
}

/// Why not. What the client sent is in none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Request(&'static str),
    Client,
    Grant,
    Scope,
}

async fn ask(api: &Api, request: &HttpRequest, presented: &Presented<'_>, body: &[u8]) -> Result<Principal, Refusal> {
    if !request.query_string().is_empty() {
        return Err(Refusal::Request("Send the parameters in the body, not in the address."));
    }
    if !request.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Refusal::Request("Send the parameters as application/x-www-form-urlencoded."));
    }
    let form = Form::read(body)?;
    match form.grant_type.as_deref() {
        Some("client_credentials") => {}
        Some(_) => return Err(Refusal::Grant),
        None => return Err(Refusal::Request("grant_type is missing: send client_credentials.")),
    }
    if form.scope.as_deref().is_some_and(|scope| !scope.is_empty()) {
        return Err(Refusal::Scope);
    }
    let (id, secret) = form.client(request)?;
    let id = CredentialId::from_str(&id).map_err(|_| Refusal::Client)?;
    let asks = Presented {
        bearer: secret.as_ref().map(|secret| secret.as_str()),
        from: presented.from,
        tls: presented.tls,
        certificate: presented.certificate,
        signature: None,
    };
    api.access.client(id, &asks).await.map_err(|_: Denied| Refusal::Client)
}

/// The parameters that are looked at, each at most once.
#[derive(Default)]
struct Form {
    grant_type: Option<String>,
    scope: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Zeroizing<String>>,
}

impl Form {
    fn read(body: &[u8]) -> Result<Self, Refusal> {
        let unreadable = Refusal::Request("The body cannot be read as a form.");
        let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= FORM_MAX).ok_or(unreadable)?;
        let mut form = Self::default();
        for (name, value) in pairs(text).ok_or(unreadable)? {
            let twice = match name.as_str() {
                "grant_type" => form.grant_type.replace(value).is_some(),
                "scope" => form.scope.replace(value).is_some(),
                "client_id" => form.client_id.replace(value).is_some(),
                "client_secret" => form.client_secret.replace(Zeroizing::new(value)).is_some(),
                _ => false,
            };
            if twice {
                return Err(Refusal::Request("A parameter is there twice."));
            }
        }
        Ok(form)
    }

    /// Who it is said to be, and its secret: by Basic or in the body, never both (RFC 6749 §2.3). No secret at all leaves
    /// it to the certificate.
    fn client(self, request: &HttpRequest) -> Result<(String, Option<Zeroizing<String>>), Refusal> {
        let mut headers = request.headers().get_all(header::AUTHORIZATION);
        let Some(given) = headers.next() else {
            return Ok((self.client_id.ok_or(Refusal::Client)?, self.client_secret));
        };
        if headers.next().is_some() || self.client_secret.is_some() {
            return Err(Refusal::Request("Say who the client is once: in the header or in the body."));
        }
        let (id, secret) = basic(given.as_bytes()).ok_or(Refusal::Client)?;
        if self.client_id.is_some_and(|named| named != id) {
            return Err(Refusal::Client);
        }
        Ok((id, Some(secret)))
    }
}

/// `Basic` of a client: id and secret, each encoded as in a form, then joined by a colon (RFC 6749 §2.3.1).
fn basic(value: &[u8]) -> Option<(String, Zeroizing<String>)> {
    let (scheme, encoded) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > FORM_MAX {
        return None;
    }
    let decoded = Zeroizing::new(BASE64.decode(encoded.trim().as_bytes()).ok()?);
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let plain = |text: &str| pairs(&format!("v={text}"))?.into_iter().next().map(|(_, value)| value);
    Some((plain(id)?, Zeroizing::new(plain(secret)?)))
}

fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    web::Query::<Vec<(String, String)>>::from_query(text).ok().map(web::Query::into_inner)
}

fn answered(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response
}

fn refused(refusal: Refusal) -> HttpResponse {
    let (status, error, error_description) = match refusal {
        Refusal::Request(why) => (StatusCode::BAD_REQUEST, "invalid_request", why),
        Refusal::Client => (StatusCode::UNAUTHORIZED, "invalid_client", "No such client, or not its secret."),
        Refusal::Grant => {
            (StatusCode::BAD_REQUEST, "unsupported_grant_type", "grant_type has to be client_credentials.")
        }
        Refusal::Scope => (StatusCode::BAD_REQUEST, "invalid_scope", "There are no scopes: roles and policies say it."),
    };
    let mut response = answered(status);
    if refusal == Refusal::Client {
        response.insert_header((header::WWW_AUTHENTICATE, r#"Basic realm="bauta""#));
    }
    let mut response = response.json(TokenError { error, error_description });
    response.extensions_mut().insert(Plain);
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use actix_web::test::TestRequest;

    use super::*;

    fn client(authorization: Option<&str>, body: &str) -> Result<(String, Option<String>), Refusal> {
        let request = authorization.map_or_else(TestRequest::default, |value| {
            TestRequest::default().insert_header((header::AUTHORIZATION, value))
        });
        let found = Form::read(body.as_bytes())?.client(&request.to_http_request())?;
        Ok((found.0, found.1.map(|secret| secret.to_string())))
    }

    #[test]
    fn a_client_says_who_it_is_in_the_header_or_in_the_body_but_once() {
        let basic = format!("Basic {}", BASE64.encode(b"crd%5Fx:s%3Acret"));
        let named = |id: &str, secret: Option<&str>| Ok((id.to_owned(), secret.map(str::to_owned)));
        assert_eq!(client(Some(&basic), ""), named("crd_x", Some("s:cret")));
        assert_eq!(client(Some(&basic), "client_id=crd_x"), named("crd_x", Some("s:cret")));
        assert_eq!(client(None, "client_id=crd_x&client_secret=a%2Bb"), named("crd_x", Some("a+b")));
        assert_eq!(client(None, "client_id=crd_x"), named("crd_x", None));
        assert_eq!(client(Some(&basic), "client_id=crd_y"), Err(Refusal::Client));
        assert!(matches!(client(Some(&basic), "client_secret=x"), Err(Refusal::Request(_))));
        assert_eq!(client(None, "client_secret=x"), Err(Refusal::Client));
        for odd in ["Basic", "Basic !", "Basic AAAA", "Bearer x", "Basic /w==", ""] {
            assert_eq!(client(Some(odd), ""), Err(Refusal::Client), "{odd}");
        }
    }

    #[test]
    fn a_form_has_each_parameter_once_and_may_have_others() {
        assert!(Form::read(b"grant_type=client_credentials&resource=x&resource=y").is_ok());
        for odd in [b"grant_type=a&grant_type=a".as_slice(), b"client_id=a&client_id=b", b"\xff=1", &[b'a'; 9_000]] {
            assert!(matches!(Form::read(odd), Err(Refusal::Request(_))));
        }
    }
}
