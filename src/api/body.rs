//! What clients send: bounded bodies, strict JSON, strict queries.
//!
//! A body has at most 1 MB and arrives within a deadline. JSON is read once from the bytes; only when that fails is it
//! read again with its path, to name the field at fault. Names and values that the caller sent never reach a problem:
//! a path is made of our own field names and positions.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures::future::LocalBoxFuture;
use futures::{FutureExt, StreamExt};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use tokio::sync::oneshot;

use super::code::Code;
use super::fields::Object;
use super::problem::Problem;

/// The most bytes of a body.
pub const BODY_MAX: usize = 1_000_000;
/// How much of a body that is too large is read and thrown away, so that its sender gets to read the answer.
const DRAIN_MAX: usize = 64_000_000;
/// How long a body may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// A body, read but not looked into. That it could not be read is told only when it is asked for, so that a caller
/// without a credential hears of that first.
pub struct Body(Result<Bytes, Problem>);

impl Body {
    /// The bytes as they came.
    pub fn bytes(&self) -> Result<&Bytes, Problem> {
        self.0.as_ref().map_err(Clone::clone)
    }

    /// The JSON object in it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        read(self.bytes()?)
    }

    /// The JSON object in it, or the usual one if the body is empty: for calls whose every field is optional.
    pub fn read_or_nothing<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.bytes()?.is_empty() { Ok(T::default()) } else { self.read() }
    }

    /// For calls without fields: nothing, or an object without members.
    pub fn nothing(&self) -> Result<(), Problem> {
        if self.bytes()?.is_empty() { Ok(()) } else { self.read::<Nothing>().map(|_| ()) }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// The JSON object in `bytes`.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    match serde_json::from_slice::<Object<T>>(bytes) {
        Ok(object) => Ok(object.0),
        Err(error) => Err(fault::<T>(bytes, &error)),
    }
}

/// Which problem a body has that could not be read.
#[cold]
fn fault<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Problem {
    // A fault of type stops the reading where it is; the rest may still be no JSON, or nested too deeply.
    if !error.is_data() || serde_json::from_slice::<serde_json::Value>(bytes).is_err() {
        return Problem::new(Code::MalformedJson);
    }
    let mut input = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, Object<T>>(&mut input) {
        Ok(_) => Problem::new(Code::MalformedJson),
        Err(traced) => located(&traced.inner().to_string(), traced.path()),
    }
}

/// Places a fault. `message` opens with serde's own words, whatever was sent; a path ends at the unknown field itself,
/// whose name is the caller's and is left off, or at the object in which one is missing.
fn located(message: &str, path: &Path) -> Problem {
    let code = classify(message);
    let mut segments: Vec<&Segment> = path.iter().collect();
    if code == Code::UnknownField {
        segments.pop();
    }
    let mut field = spelled(&segments);
    if code == Code::MissingField {
        let missing = message.split('`').nth(1).unwrap_or_default();
        field = if field.is_empty() { missing.to_owned() } else { format!("{field}.{missing}") };
    }
    if field.is_empty() { Problem::new(code) } else { Problem::at(code, field) }
}

/// The kind of fault, from how serde's message opens.
fn classify(message: &str) -> Code {
    if message.starts_with("unknown field") {
        Code::UnknownField
    } else if message.starts_with("missing field") {
        Code::MissingField
    } else {
        Code::InvalidField
    }
}

fn spelled(segments: &[&Segment]) -> String {
    let mut out = String::new();
    for segment in segments {
        match segment {
            Segment::Seq { index } => out.push_str(&format!("[{index}]")),
            Segment::Map { key } => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    out
}

/// The query of `request`, every parameter known and well typed.
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    match web::Query::<T>::from_query(request.query_string()) {
        Ok(query) => Ok(query.into_inner()),
        Err(actix_web::error::QueryPayloadError::Deserialize(error)) => Err(Problem::new(classify(&error.to_string()))),
        Err(_) => Err(Problem::new(Code::InvalidField)),
    }
}

/// For calls without parameters.
pub fn no_query(request: &HttpRequest) -> Result<(), Problem> {
    if request.query_string().is_empty() { Ok(()) } else { query::<Nothing>(request).map(|_| ()) }
}

impl FromRequest for Body {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let unfit = unfit(request);
        let payload = payload.take();
        let handed = request.extensions_mut().remove::<Handed>();
        Box::pin(async move {
            let read = match handed {
                // Gone only if the request was refused, which is told in its place.
                Some(Handed(read)) => read.await.unwrap_or_else(|_| Err(Problem::new(Code::Unauthenticated))),
                None => collect(payload).await,
            };
            Ok(Self(unfit.map_or(read, Err)))
        })
    }
}

/// A body that `extract` reads first, because the request's signature is over it.
struct Handed(oneshot::Receiver<Result<Bytes, Problem>>);

/// Takes the body of a signed request. Whatever is sent is what [`Body`] gets.
pub fn taken(
    request: &HttpRequest,
    payload: &mut Payload,
) -> (impl Future<Output = Result<Bytes, Problem>> + use<>, oneshot::Sender<Result<Bytes, Problem>>) {
    let (sender, receiver) = oneshot::channel();
    request.extensions_mut().insert(Handed(receiver));
    (collect(payload.take()), sender)
}

/// A short body of another kind than JSON, for [`super::oauth`].
pub async fn form(payload: Payload) -> Result<Bytes, Problem> {
    collect(payload).await
}

/// What the headers alone say against a body.
fn unfit(request: &HttpRequest) -> Option<Problem> {
    if !request.headers().contains_key(header::CONTENT_TYPE) {
        return None;
    }
    let kind = request.content_type();
    let json = kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json");
    (!json).then(|| Problem::new(Code::UnsupportedMediaType))
}

/// The whole body; without a timer when it is there already, as it nearly always is.
async fn collect(payload: Payload) -> Result<Bytes, Problem> {
    let mut reading = std::pin::pin!(whole(payload));
    if let Some(done) = reading.as_mut().now_or_never() {
        return done;
    }
    tokio::time::timeout(DEADLINE, reading).await.unwrap_or_else(|_| Err(Problem::new(Code::RequestTimeout)))
}

async fn whole(mut payload: Payload) -> Result<Bytes, Problem> {
    let Some(first) = payload.next().await else { return Ok(Bytes::new()) };
    let first = first.map_err(unreadable)?;
    let Some(second) = payload.next().await else { return within(first) };
    let mut body = BytesMut::with_capacity(first.len() * 2);
    body.extend_from_slice(&first);
    body.extend_from_slice(&second.map_err(unreadable)?);
    while let Some(chunk) = payload.next().await {
        body.extend_from_slice(&chunk.map_err(unreadable)?);
        if body.len() > BODY_MAX {
            return Err(drained(payload, body.len()).await);
        }
    }
    within(body.freeze())
}

fn within(body: Bytes) -> Result<Bytes, Problem> {
    if body.len() > BODY_MAX { Err(Problem::new(Code::BodyTooLarge)) } else { Ok(body) }
}

async fn drained(mut payload: Payload, mut seen: usize) -> Problem {
    while let Some(Ok(chunk)) = payload.next().await {
        seen = seen.saturating_add(chunk.len());
        if seen > DRAIN_MAX {
            break;
        }
    }
    Problem::new(Code::BodyTooLarge)
}

fn unreadable(_: actix_web::error::PayloadError) -> Problem {
    Problem::new(Code::MalformedRequest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::unwrap_in_result, clippy::panic)]
    use serde::Deserialize;

    use super::super::fields::Object;
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Batch {
        #[expect(dead_code, reason = "only its reading is of interest")]
        items: Vec<Object<Item>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its reading is of interest")]
    struct Item {
        number: String,
        ttl_s: Option<u32>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its reading is of interest")]
    struct Page {
        limit: Option<u32>,
    }

    fn refusal(body: &[u8]) -> (&'static str, Vec<String>) {
        let problem = match read::<Batch>(body) {
            Ok(_) => panic!("accepted"),
            Err(problem) => problem,
        };
        (problem.code.as_str(), problem.fields.into_iter().map(|at| at.field).collect())
    }

    #[test]
    fn a_body_that_is_no_json_is_malformed_whatever_its_kind_of_wrongness() {
        let deep = [b"{\"items\":".as_slice(), &[b'['; 100_000]].concat();
        for body in [b"".as_slice(), b"{", b"\xff\xfe", b"{\"items\":[]} x", b"{\"items\":\"\xff\"}", &deep] {
            assert_eq!(refusal(body).0, "malformed_json");
        }
    }

    #[test]
    fn a_number_given_as_integer_is_named_by_its_place() {
        let body = br#"{"items":[{"number":"a"},{"number":84901234567}]}"#;
        assert_eq!(refusal(body), ("invalid_field", vec!["items[1].number".into()]));
    }

    #[test]
    fn a_field_that_is_missing_is_named() {
        assert_eq!(refusal(b"{}"), ("missing_field", vec!["items".into()]));
        assert_eq!(refusal(br#"{"items":[{}]}"#), ("missing_field", vec!["items[0].number".into()]));
    }

    #[test]
    fn the_name_of_an_unknown_field_is_not_sent_back() {
        assert_eq!(refusal(br#"{"+84901234567":1}"#), ("unknown_field", vec![]));
        let nested = br#"{"items":[{"number":"a","+84901234567":1}]}"#;
        assert_eq!(refusal(nested), ("unknown_field", vec!["items[0]".into()]));
    }

    #[test]
    fn an_object_may_not_be_given_as_a_list() {
        assert_eq!(refusal(b"[[]]").0, "invalid_field");
        assert_eq!(refusal(br#"{"items":[["+84901234567",1]]}"#), ("invalid_field", vec!["items[0]".into()]));
    }

    #[test]
    fn a_field_given_twice_is_refused() {
        assert_eq!(refusal(br#"{"items":[],"items":[]}"#).0, "invalid_field");
    }

    #[test]
    fn a_query_is_as_strict_as_a_body() {
        let code = |text: &str| {
            let request = actix_web::test::TestRequest::with_uri(text).to_http_request();
            query::<Page>(&request).map(|_| ()).map_err(|problem| problem.code)
        };
        assert_eq!(code("/x?limit=3"), Ok(()));
        assert_eq!(code("/x?limit=-3"), Err(Code::InvalidField));
        assert_eq!(code("/x?offset=3"), Err(Code::UnknownField));
        assert_eq!(code("/x?limit=1&limit=2"), Err(Code::InvalidField));
    }
}
