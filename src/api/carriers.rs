//! `/carriers/{name}/…`: carriers call us over HTTP, each in its own shape and with its own proof.
//!
//! This file bounds what comes, says at which address it came, and tells strangers from carriers; the rest is the
//! carrier's. Neither query nor body reaches a log line, a metric or a problem.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use zeroize::Zeroizing;

use super::code::Code;
use super::problem::Problem;
use super::{Api, body, extract};
use crate::carrier::{Callback, HttpCarrier, Place, Refusal, Reply};

/// A message came
///
/// In the carrier's own shape, signed as the carrier signs. Answered once the message is durable; 503 if it could not be
/// made so, and the carrier has to call again.
#[utoipa::path(method(get, post), path = "/carriers/{name}/inbound", tag = "Carriers", security(()),
    params(("name" = String, Path, description = "The carrier's name in the settings.")),
    responses((status = 200, description = "Taken; the body is what the carrier expects.")))]
pub async fn inbound(
    api: web::Data<Api>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    called(&api, &request, payload, Place::Inbound).await
}

/// What became of a message
///
/// The carrier's word on a message of ours.
#[utoipa::path(method(get, post), path = "/carriers/{name}/status", tag = "Carriers", security(()),
    params(("name" = String, Path, description = "The carrier's name in the settings.")),
    responses((status = 200, description = "Taken.")))]
pub async fn status(api: web::Data<Api>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    called(&api, &request, payload, Place::Status).await
}

/// Somebody calls a virtual number
///
/// Answered with what the carrier is to do: TwiML or an NCCO. It names the number to be called, which is what the carrier
/// needs to reach that very phone; the log tells of it before.
#[utoipa::path(method(get, post), path = "/carriers/{name}/voice", tag = "Carriers", security(()),
    params(("name" = String, Path, description = "The carrier's name in the settings.")),
    responses((status = 200, description = "What to do with the call.")))]
pub async fn voice(api: web::Data<Api>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    called(&api, &request, payload, Place::Voice).await
}

/// How a call goes on
///
/// Answered, busy, not answered, ended.
#[utoipa::path(method(get, post), path = "/carriers/{name}/voice/status", tag = "Carriers", security(()),
    params(("name" = String, Path, description = "The carrier's name in the settings.")),
    responses((status = 200, description = "Taken.")))]
pub async fn voice_status(
    api: web::Data<Api>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    called(&api, &request, payload, Place::VoiceStatus).await
}

async fn called(
    api: &Api,
    request: &HttpRequest,
    payload: web::Payload,
    place: Place,
) -> Result<HttpResponse, Problem> {
    let name = request.match_info().get("name").unwrap_or_default();
    let from = extract::presented(api, request).from;
    let Some(carrier) = api.http_carriers.iter().find(|carrier| carrier.name() == name) else {
        api.guard.stranger(&from).await?;
        return Err(Problem::new(Code::NotFound));
    };
    let body = Zeroizing::new(body::form(payload.into_inner()).await?.to_vec());
    if body.len() > LONGEST {
        return Err(Problem::new(Code::BodyTooLarge));
    }
    match taken(api, carrier, request, place, &body).await {
        Ok(reply) => Ok(answered(reply)),
        Err(refusal) => Err(refused(api, carrier.name(), &from, refusal).await),
    }
}

async fn taken(
    api: &Api,
    carrier: &Arc<dyn HttpCarrier>,
    request: &HttpRequest,
    place: Place,
    body: &[u8],
) -> Result<Reply, Refusal> {
    let headers: Vec<_> = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), Zeroizing::new(value.to_str().ok()?.to_owned()))))
        .collect();
    let callback = Callback {
        at: api.store.now(),
        is_post: request.method() == actix_web::http::Method::POST,
        url: &format!("{}{}", outside(api, request), request.uri().path()),
        query: request.query_string(),
        headers: &headers,
        body,
    };
    carrier.called_back(place, &callback, api.inbox.as_ref()).await
}

fn answered(reply: Reply) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, reply.kind))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(reply.body.as_bytes().to_vec())
}

/// What whoever called is told. A forged call counts as a stranger's, in the log and against the limit of its address.
async fn refused(api: &Api, carrier: &str, from: &IpAddr, refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Forged => {
            api.access.stranger(*from);
            match api.guard.stranger(from).await {
                Ok(()) => Problem::new(Code::CarrierUnproven),
                Err(limited) => limited.into(),
            }
        }
        Refusal::Malformed(fault) => {
            api.inbox.malformed(carrier, fault).await;
            Problem::new(Code::MalformedRequest)
        }
        Refusal::NowhereHere => Problem::new(Code::NotFound),
        Refusal::NotDurable(error) => Problem::unavailable(error),
    }
}

/// How the outside reached us, up to the path: as the settings say; else as a proxy of ours says; else where we listen.
/// The caller's own word for it counts in no case.
fn outside(api: &Api, request: &HttpRequest) -> String {
    if let Some(url) = &api.public_url {
        return url.clone();
    }
    forwarded(api, request).unwrap_or_else(|| api.issuer.clone())
}

fn forwarded(api: &Api, request: &HttpRequest) -> Option<String> {
    let peer = request.peer_addr()?.ip().to_canonical();
    if !api.trusted_proxies.iter().any(|network| network.contains(&peer)) {
        return None;
    }
    let once = |name: &str| {
        let mut values = request.headers().get_all(name);
        let value = values.next()?.to_str().ok()?;
        (values.next().is_none() && !value.contains(',')).then(|| value.trim().to_owned())
    };
    let proto = once("x-forwarded-proto").filter(|proto| proto == "https" || proto == "http")?;
    let host = once("x-forwarded-host").or_else(|| once("host"))?;
    Some(format!("{proto}://{host}"))
}

/// No carrier sends more.
const LONGEST: usize = 65_536;
