//! Answers: a status and a JSON body, and how much of it may be kept for a repeated request.
//!
//! Invariant: a body with a number, a secret or a proof is marked so where it is made, goes out `no-store`, and is never
//! what an idempotency key keeps.

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Problem, whole_seconds};
use crate::access::{ApprovalState, ApprovalView};
use crate::clock::Timestamp;
use crate::ids::ApprovalId;
use crate::vault::until_midnight;

/// An answer to a request that was carried out.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    content: Content,
    /// What a repetition of the request gets.
    pub keep: Keep,
    secret: bool,
    replayed: bool,
    /// What the day's budget has left, and the seconds until it starts anew.
    budget: Option<(u64, u64)>,
}

/// What an idempotency key keeps of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Keep {
    /// The answer itself.
    Whole,
    /// The answer without its secret part.
    Instead(Vec<u8>),
    /// Nothing: a repetition is carried out, authorized and audited afresh.
    Nothing,
}

/// What was asked for waits for a second person.
#[derive(Serialize, ToSchema)]
pub struct Pending {
    /// What to bring once it is approved: repeat the request with `"approval": "apr_…"`.
    approval: PendingApproval,
}

/// An approval that was filed.
#[derive(Serialize, ToSchema)]
pub struct PendingApproval {
    #[schema(value_type = String, example = "apr_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: ApprovalId,
    #[schema(value_type = String, example = "pending")]
    status: ApprovalState,
}

/// JSON, or nothing: at once, or a long list piece by piece.
enum Content {
    Whole(Vec<u8>),
    Pieces(Pieces),
}

type Pieces = Box<dyn Iterator<Item = serde_json::Result<Vec<u8>>>>;

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(body) => write!(f, "{} bytes", body.len()),
            Self::Pieces(_) => f.write_str("pieces"),
        }
    }
}

impl Answer {
    fn new(status: StatusCode, body: Vec<u8>) -> Self {
        let content = Content::Whole(body);
        Self { status, content, keep: Keep::Whole, secret: false, replayed: false, budget: None }
    }

    fn json(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self::new(status, serde_json::to_vec(body).map_err(Problem::internal)?))
    }

    /// 200 with a body.
    pub fn ok(body: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::OK, body)
    }

    /// 200 with `{"items":[…]}`. A long list is written as it is sent: no more of its text than a piece is in memory.
    pub fn items<T: Serialize + 'static>(items: Vec<T>) -> Result<Self, Problem> {
        Self::listed(items, b"]}".to_vec())
    }

    /// The same with the leaves of the entries that tell of it: `{"items":[…],"leaves":[…]}`.
    pub fn items_told<T: Serialize + 'static>(items: Vec<T>, leaves: &[String]) -> Result<Self, Problem> {
        let leaves = serde_json::to_string(leaves).map_err(Problem::internal)?;
        Self::listed(items, format!(r#"],"leaves":{leaves}}}"#).into_bytes())
    }

    fn listed<T: Serialize + 'static>(items: Vec<T>, end: Vec<u8>) -> Result<Self, Problem> {
        let mut pieces = pieces(items, end).peekable();
        let first = pieces.next().transpose().map_err(Problem::internal)?.unwrap_or_default();
        if pieces.peek().is_none() {
            return Ok(Self::new(StatusCode::OK, first));
        }
        let content = Content::Pieces(Box::new(std::iter::once(Ok(first)).chain(pieces)));
        Ok(Self { content, ..Self::new(StatusCode::OK, Vec::new()) })
    }

    /// The same, all of its body in memory, so that it can be kept.
    pub fn gathered(self) -> Result<Self, Problem> {
        let Content::Pieces(pieces) = self.content else { return Ok(self) };
        let whole = pieces.collect::<Result<Vec<_>, _>>().map_err(Problem::internal)?.concat();
        Ok(Self { content: Content::Whole(whole), ..self })
    }

    /// The body, once it is [gathered](Self::gathered).
    pub fn body(&self) -> &[u8] {
        match &self.content {
            Content::Whole(body) => body,
            Content::Pieces(_) => &[],
        }
    }

    /// The same, never given a second time: a repetition is carried out again.
    #[must_use]
    pub fn afresh(self) -> Self {
        Self { keep: Keep::Nothing, ..self }
    }

    /// 201 with a body.
    pub fn created(body: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::CREATED, body)
    }

    /// 202: another person has to approve first. Kept for no repetition, which may find it approved.
    pub fn pending(approval: &ApprovalView) -> Result<Self, Problem> {
        let body = Pending { approval: PendingApproval { id: approval.id, status: approval.status } };
        Ok(Self { keep: Keep::Nothing, ..Self::json(StatusCode::ACCEPTED, &body)? })
    }

    /// 204.
    pub fn nothing() -> Self {
        Self::new(StatusCode::NO_CONTENT, Vec::new())
    }

    /// An earlier answer again.
    pub fn replay(status: StatusCode, body: Vec<u8>) -> Self {
        Self { replayed: true, ..Self::new(status, body) }
    }

    /// The same, holding a number: not to be cached, nor kept.
    #[must_use]
    pub fn revealing(self) -> Self {
        Self { secret: true, keep: Keep::Nothing, ..self }
    }

    /// The same, saying what the caller's budget of the day has left.
    #[must_use]
    pub fn with_budget(self, left: u64, now: Timestamp) -> Self {
        Self { budget: Some((left, whole_seconds(until_midnight(now)))), ..self }
    }

    /// The same, holding a secret or a proof: not to be cached; a repetition gets `instead`.
    pub fn secret(self, instead: &impl Serialize) -> Result<Self, Problem> {
        let instead = serde_json::to_vec(instead).map_err(Problem::internal)?;
        Ok(Self { secret: true, keep: Keep::Instead(instead), ..self })
    }
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status);
        if self.secret {
            response.insert_header((header::CACHE_CONTROL, header::HeaderValue::from_static("no-store")));
        }
        if let Some((left, wait)) = self.budget {
            // draft-ietf-httpapi-ratelimit-headers-10 §4.
            response.insert_header(("ratelimit", format!(r#""budget";r={left};t={wait}"#)));
        }
        if self.replayed {
            response.insert_header(("idempotent-replayed", "true"));
        }
        let json = (header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        match self.content {
            Content::Whole(body) if body.is_empty() => response.finish(),
            Content::Whole(body) => response.insert_header(json).body(body),
            Content::Pieces(pieces) => {
                let pieces = pieces.map(|piece| piece.map(Bytes::from));
                response.insert_header(json).streaming(futures::stream::iter(pieces))
            }
        }
    }
}

/// `{"items":[…` and the `end`, in pieces of about [`PIECE`] bytes.
fn pieces<T: Serialize>(items: Vec<T>, end: Vec<u8>) -> impl Iterator<Item = serde_json::Result<Vec<u8>>> {
    let mut items = items.into_iter();
    let mut before: Option<&[u8]> = Some(br#"{"items":["#);
    std::iter::from_fn(move || {
        let mut piece = Vec::with_capacity(PIECE + PIECE / 8);
        while piece.len() < PIECE {
            let separator = before?;
            piece.extend_from_slice(separator);
            let Some(item) = items.next() else {
                // An empty list has just been opened; a comma that announced one more is taken back.
                if separator == b"," {
                    piece.pop();
                }
                piece.extend_from_slice(&end);
                before = None;
                break;
            };
            if let Err(error) = serde_json::to_writer(&mut piece, &item) {
                return Some(Err(error));
            }
            before = Some(b",");
        }
        Some(Ok(piece))
    })
}

/// Bytes of a long list that are written at a time.
const PIECE: usize = 64 * 1_024;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn an_answer_with_a_number_is_neither_cached_nor_kept() {
        let answer = Answer::ok(&"+441632960001").unwrap().revealing();
        assert_eq!(answer.keep, Keep::Nothing);
        let response = answer.respond_to(&TestRequest::default().to_http_request());
        assert_eq!(response.headers().get(header::CACHE_CONTROL).unwrap(), "no-store");
    }

    #[test]
    fn a_list_reads_the_same_whether_it_goes_out_at_once_or_in_pieces() {
        for count in [0, 1, 2, 1_000, 20_000] {
            let items: Vec<String> = (0..count).map(|n| format!("item {n}")).collect();
            let whole = serde_json::json!({ "items": items }).to_string();
            let parts: Vec<Vec<u8>> = pieces(items.clone(), b"]}".to_vec()).collect::<Result<_, _>>().unwrap();
            assert!(parts.iter().all(|part| part.len() < PIECE + 64));
            assert_eq!(String::from_utf8(parts.concat()).unwrap(), whole);
            assert_eq!(Answer::items(items).unwrap().gathered().unwrap().body(), whole.as_bytes());
        }
    }

    #[test]
    fn an_answer_with_a_secret_keeps_only_what_is_not_secret() {
        let answer = Answer::created(&"bk_test_x").unwrap().secret(&"crd_x").unwrap();
        assert_eq!(answer.keep, Keep::Instead(b"\"crd_x\"".to_vec()));
    }
}
