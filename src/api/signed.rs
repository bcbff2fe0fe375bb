//! The signature of a request (RFC 9421), read from its head. What it is worth, `access` finds out.

use actix_web::HttpRequest;
use actix_web::http::header;

use super::code::Code;
use super::problem::Problem;
use crate::signing::{Parts, Signed};
use crate::tls;

/// Whether a request has, or means to have, a signature.
pub fn is(request: &HttpRequest) -> bool {
    ["signature", "signature-input"].iter().any(|name| request.headers().contains_key(*name))
}

/// The signature of a request; none if it has none.
pub fn read(request: &HttpRequest) -> Result<Option<Signed>, Problem> {
    if !is(request) {
        return Ok(None);
    }
    let fields = |name: &str| request.headers().get_all(name).map(text).collect();
    let parts = Parts {
        method: request.method().as_str(),
        authority: &authority(request),
        tls: request.conn_data::<tls::Connection>().is_some(),
        path: request.uri().path(),
        query: request.query_string(),
        fields: &fields,
    };
    Signed::read(&parts).map_err(|_| Problem::new(Code::SignatureIncomplete))
}

/// What the request itself names as its place. What a proxy says in other headers was not signed.
fn authority(request: &HttpRequest) -> String {
    match request.uri().authority() {
        Some(authority) => authority.as_str().to_owned(),
        None => request.headers().get(header::HOST).map(text).unwrap_or_default(),
    }
}

/// A line of a field. One that is no ASCII becomes what no signature is over.
fn text(value: &header::HeaderValue) -> String {
    value.to_str().map_or_else(|_| "\n".to_owned(), str::to_owned)
}
