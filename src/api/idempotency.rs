//! `Idempotency-Key`: a POST that is repeated is carried out once, and its first answer is given again for 24 hours.
//!
//! Key and body are kept only as HMACs, per credential and path; the answer is kept sealed, because tokens may not lie
//! in the clear beside the store they lead into. Never kept: numbers, secrets, proofs (see [`Keep`]), faults of ours,
//! and refusals that the next moment may undo (401, 403, 408, 429). Work under a key goes on when its client hangs up,
//! so that the answer is there when it asks again.
//! Before an answer is given again, freezes and the tokens in it are looked at anew.

use std::time::Duration;

use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{Answer, Keep};
use super::body::{self, Body};
use super::code::Code;
use super::extract::Call;
use super::problem::{FieldError, Problem};
use crate::access::{Action, TokenRef};
use crate::ids;
use crate::keyring::SystemKeys;
use crate::store::{Claim, Sealed};
use crate::token::Token;

/// How long a first request is believed to be in flight: longer than any takes.
const IN_FLIGHT: Duration = Duration::from_secs(120);
/// How long to wait for a first request that is in flight.
const IN_FLIGHT_RETRY: Duration = Duration::from_secs(1);
/// Longest key.
const KEY_MAX: usize = 255;

/// What is kept of a first answer.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kept {
    Answer { status: u16, body: String },
    Problem { code: String, fields: Vec<FieldError> },
    Nothing,
}

/// Carries `work` out, once for each `Idempotency-Key` if the request has one.
pub async fn once<W>(call: Call, body: Body, work: W) -> Result<Answer, Problem>
where
    W: AsyncFn(&Call, &Body) -> Result<Answer, Problem> + 'static,
{
    body::no_query(call.request())?;
    let Some(key) = key(&call)? else { return work(&call, &body).await };
    let keys = call.api.keyring.system();
    let name = keys.fingerprint(&[b"key", &ids::bytes(&call.caller.credential), call.request().path().as_bytes(), key]);
    let print = keys.fingerprint(&[b"body", body.bytes()?]);
    match call.api.scratch.claim(&name, print, IN_FLIGHT).await? {
        Claim::New => first(call, body, work, name).await,
        Claim::InFlight => Err(Problem::new(Code::IdempotencyInFlight).retry_after(IN_FLIGHT_RETRY)),
        Claim::Mismatch => Err(Problem::new(Code::IdempotencyMismatch)),
        Claim::Answered(sealed) => match Kept::open(&keys, &name, sealed)? {
            Kept::Answer { status, body } => {
                still_true(&call, &body).await?;
                Ok(Answer::replay(known(status), body.into_bytes()))
            }
            Kept::Problem { code, fields } => {
                call.api.access.still_stands(&call.caller).await?;
                Err(Problem::refused(&code).replayed(fields))
            }
            Kept::Nothing => work(&call, &body).await,
        },
    }
}

/// A first answer is not given again to whoever is frozen, nor once a token in it was erased or is over.
async fn still_true(call: &Call, answer: &str) -> Result<(), Problem> {
    call.api.access.still_stands(&call.caller).await?;
    let mut tokens = Vec::new();
    tokens_in(&serde_json::from_str(answer).map_err(Problem::internal)?, &mut tokens);
    let Some(token) = tokens.first().cloned() else { return Ok(()) };
    let permit = call.permit(Action::TokenRead, TokenRef { token, purpose: None }).await?;
    if call.api.vault.are_live(&permit, &tokens).await? { Ok(()) } else { Err(Problem::new(Code::NotFound)) }
}

/// Every text of an answer that is a token.
fn tokens_in(answer: &Value, found: &mut Vec<Token>) {
    match answer {
        Value::String(text) => found.extend(Token::parse(text)),
        Value::Array(items) => items.iter().for_each(|item| tokens_in(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| tokens_in(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

async fn first<W>(call: Call, body: Body, work: W, name: [u8; 32]) -> Result<Answer, Problem>
where
    W: AsyncFn(&Call, &Body) -> Result<Answer, Problem> + 'static,
{
    let done = actix_web::rt::spawn(async move {
        let outcome = work(&call, &body).await.and_then(Answer::gathered);
        let kept = Kept::of(&outcome).and_then(|kept| kept.seal(&call.api.keyring.system(), &name));
        let kept_for = call.api.access.policies().retention().idempotency;
        if let Err(error) = call.api.scratch.settle(&name, kept, kept_for).await {
            // The work is done and durable: its answer goes out all the same, only a repetition would not find it.
            tracing::warn!(%error, "an idempotent answer could not be kept");
        }
        outcome
    });
    done.await.unwrap_or_else(|error| Err(Problem::internal(error)))
}

/// The key that the request gives, if it gives one.
fn key(call: &Call) -> Result<Option<&[u8]>, Problem> {
    let mut given = call.request().headers().get_all("idempotency-key");
    let Some(key) = given.next() else { return Ok(None) };
    let fit = (1..=KEY_MAX).contains(&key.len()) && key.as_bytes().iter().all(|b| (0x20..0x7f).contains(b));
    if fit && given.next().is_none() {
        Ok(Some(key.as_bytes()))
    } else {
        Err(Problem::new(Code::IdempotencyKeyInvalid))
    }
}

impl Kept {
    /// What may be kept of `outcome`; none frees the key, so that a repetition is a first request again.
    fn of(outcome: &Result<Answer, Problem>) -> Option<Self> {
        match outcome {
            Ok(answer) => Some(match &answer.keep {
                Keep::Whole => Self::answer(answer.status, answer.body()),
                Keep::Instead(body) => Self::answer(answer.status, body),
                Keep::Nothing => Self::Nothing,
            }),
            Err(problem) if matches!(problem.code.status().as_u16(), 401 | 403 | 408 | 429 | 500..) => None,
            Err(problem) => {
                Some(Self::Problem { code: problem.code.as_str().to_owned(), fields: problem.fields.clone() })
            }
        }
    }

    fn answer(status: StatusCode, body: &[u8]) -> Self {
        Self::Answer { status: status.as_u16(), body: String::from_utf8_lossy(body).into_owned() }
    }

    fn seal(&self, keys: &SystemKeys, name: &[u8; 32]) -> Option<Vec<u8>> {
        let text = serde_json::to_vec(self).ok()?;
        Some(keys.seal_part(name, &text).0)
    }

    fn open(keys: &SystemKeys, name: &[u8; 32], sealed: Vec<u8>) -> Result<Self, Problem> {
        let text = keys.open_part(name, &Sealed(sealed)).map_err(Problem::internal)?;
        serde_json::from_slice(&text).map_err(Problem::internal)
    }
}

fn known(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::OK)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_number_is_not_kept_but_the_key_stays_bound_to_its_body() {
        let revealed = Answer::ok(&"+441632960001").unwrap().revealing();
        assert_eq!(Kept::of(&Ok(revealed)), Some(Kept::Nothing));
    }

    #[test]
    fn a_secret_is_left_out_of_what_is_kept() {
        let issued = Answer::created(&"bk_test_x").unwrap().secret(&"crd_x").unwrap();
        assert_eq!(Kept::of(&Ok(issued)), Some(Kept::Answer { status: 201, body: "\"crd_x\"".into() }));
    }

    #[test]
    fn what_may_pass_is_not_kept_and_what_is_wrong_stays_wrong() {
        for code in [Code::Unavailable, Code::Internal, Code::RateLimited, Code::Frozen, Code::Unauthenticated] {
            assert_eq!(Kept::of(&Err(Problem::new(code))), None);
        }
        let wrong = Kept::of(&Err(Problem::at(Code::MissingField, "number"))).unwrap();
        assert_eq!(wrong, Kept::Problem { code: "missing_field".into(), fields: vec![FieldError::new("number")] });
    }
}
