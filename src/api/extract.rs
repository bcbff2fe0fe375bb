//! From a request to a caller: what it brings → principal → limit.
//!
//! A signed request is let in only once its body is what was signed and its nonce was not used before.
//! The tenant, and for partners the audience, come from here and from nowhere else. Nothing of a body is looked at
//! before this has succeeded.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use futures::future::LocalBoxFuture;
use ipnet::IpNet;

use super::Api;
use super::body;
use super::code::Code;
use super::fields;
use super::problem::Problem;
use super::signed;
use crate::access::{Action, Bound, Permit, Presented, Principal, Resource, Ruling};
use crate::signing::Signed;
use crate::tls;

/// One request of a caller who is who they say and within their limits.
pub struct Call {
    /// The services.
    pub api: web::Data<Api>,
    /// Who calls.
    pub caller: Principal,
    request: HttpRequest,
}

impl Call {
    /// Asks whether the caller may do `action` to `resource`.
    pub async fn permit<R: Resource>(&self, action: Action, resource: R) -> Result<Permit<R>, Problem> {
        Ok(self.api.access.authorize(&self.caller, action, resource).await?)
    }

    /// Asks the same where policies may want a second person; [`Answer::pending`](super::answer::Answer::pending) is the answer while nobody approved.
    pub async fn rule<R: Resource>(&self, action: Action, resource: R, bound: Bound) -> Result<Ruling<R>, Problem> {
        Ok(self.api.access.rule(&self.caller, action, resource, bound).await?)
    }

    /// A variable part of the path; empty if the route has none of this name.
    pub fn part(&self, name: &str) -> &str {
        self.request.match_info().get(name).unwrap_or_default()
    }

    /// The id that the path names; what is no id of this kind is not found either.
    pub fn id<T: std::str::FromStr>(&self) -> Result<T, Problem> {
        fields::id(self.part("id"))
    }

    /// The request itself.
    pub fn request(&self) -> &HttpRequest {
        &self.request
    }
}

impl FromRequest for Call {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let signed = signed::is(request).then(|| body::taken(request, payload));
        let request = request.clone();
        Box::pin(async move {
            let api =
                request.app_data::<web::Data<Api>>().ok_or_else(|| Problem::internal("no services wired"))?.clone();
            let signature = signed::read(&request);
            let caller = identify(&api, &request, signature.as_ref().map(Option::as_ref)).await?;
            api.guard.request(caller.credential).await?;
            if let (Some((body, hand)), Ok(Some(signature))) = (signed, &signature) {
                let body = body.await;
                first_use(&api, &caller, signature, body.as_ref()).await?;
                // Nobody waits where the call has no body.
                let _ = hand.send(body);
            }
            Ok(Self { api, caller, request })
        })
    }
}

async fn identify(
    api: &Api,
    request: &HttpRequest,
    signature: Result<Option<&Signed>, &Problem>,
) -> Result<Principal, Problem> {
    let mut presented = presented(api, request);
    let refused = match signature {
        Err(problem) => problem.clone(),
        // `Authorization` is there, and is no bearer's: it does not fall back on what else the request brings.
        Ok(_) if presented.bearer.is_none() && request.headers().contains_key(header::AUTHORIZATION) => {
            Problem::new(Code::Unauthenticated)
        }
        Ok(signature) => {
            presented.signature = signature;
            match api.access.admit(&presented).await {
                Ok(caller) => return Ok(caller),
                Err(denied) => denied.into(),
            }
        }
    };
    api.guard.stranger(&presented.from).await?;
    Err(refused)
}

/// What a request brings, but for its signature. A certificate is one that was shown to us in a handshake, never one
/// that a header tells of.
pub fn presented<'a>(api: &Api, request: &'a HttpRequest) -> Presented<'a> {
    let connection = request.conn_data::<tls::Connection>();
    Presented {
        bearer: bearer(request),
        from: origin(request, &api.trusted_proxies),
        tls: connection.is_some(),
        certificate: connection.and_then(tls::Connection::certificate),
        signature: None,
    }
}

/// Whether a signed request's body is what was signed, and its nonce new. In this order: a nonce that somebody else sends
/// with another body is not spent.
async fn first_use(
    api: &Api,
    caller: &Principal,
    signature: &Signed,
    body: Result<&web::Bytes, &Problem>,
) -> Result<(), Problem> {
    if !signature.covers(body.map_err(Clone::clone)?) {
        return Err(Problem::new(Code::SignatureInvalid));
    }
    if api.guard.nonce(caller.credential, &signature.nonce).await? {
        return Ok(());
    }
    api.access.replayed(caller);
    Err(Problem::new(Code::NonceReplayed))
}

/// Where a request comes from: its peer or, where that is a proxy of ours, the last address in `X-Forwarded-For` that
/// is not one. Everything left of it is the caller's own word and is not believed.
fn origin(request: &HttpRequest, trusted: &[IpNet]) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
    let is_ours = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_ours(&peer) {
        return peer;
    }
    let lines = request.headers().get_all("x-forwarded-for").filter_map(|line| line.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let mut nearest = peer;
    for hop in hops.into_iter().rev() {
        let Ok(address) = hop.parse::<IpAddr>() else { break };
        nearest = address.to_canonical();
        if !is_ours(&nearest) {
            break;
        }
    }
    nearest
}

/// The key in `Authorization: Bearer …` (RFC 6750 §2.1), if there is exactly one.
fn bearer(request: &HttpRequest) -> Option<&str> {
    let mut given = request.headers().get_all(header::AUTHORIZATION);
    let (scheme, key) = given.next()?.to_str().ok()?.split_once(' ')?;
    (given.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then(|| key.trim())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn key_of(values: &[&str]) -> Option<String> {
        let request = values.iter().fold(TestRequest::default(), |r, v| r.append_header((header::AUTHORIZATION, *v)));
        bearer(&request.to_http_request()).map(str::to_owned)
    }

    #[test]
    fn only_a_trusted_proxy_may_say_where_a_request_comes_from() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8"].iter().filter_map(|net| net.parse().ok()).collect();
        let from = |peer: &str, forwarded: &str| {
            let request = TestRequest::default().append_header(("x-forwarded-for", forwarded));
            let peer = (peer.parse::<IpAddr>().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), 4711);
            origin(&request.peer_addr(peer.into()).to_http_request(), &trusted).to_string()
        };
        assert_eq!(from("192.0.2.1", "198.51.100.7"), "192.0.2.1");
        assert_eq!(from("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2"), "198.51.100.7");
        assert_eq!(from("10.0.0.1", "198.51.100.7, nonsense, 10.0.0.2"), "10.0.0.2");
        assert_eq!(from("10.0.0.1", ""), "10.0.0.1");
    }

    #[test]
    fn a_key_is_taken_from_one_bearer_header_and_nothing_else() {
        assert_eq!(key_of(&["Bearer bk_test_x"]).as_deref(), Some("bk_test_x"));
        assert_eq!(key_of(&["bearer  bk_test_x "]).as_deref(), Some("bk_test_x"));
        assert_eq!(key_of(&["Basic bk_test_x"]), None);
        assert_eq!(key_of(&["Bearer bk_test_x", "Bearer bk_test_y"]), None);
        assert_eq!(key_of(&[]), None);
    }
}
