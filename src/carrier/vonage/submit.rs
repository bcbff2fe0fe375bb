//! What goes out: `POST /v1/messages` with basic authentication, and what its answers mean.

use data_encoding::BASE64;
use hyper::Method;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{VonageCarrier, codes};
use crate::carrier::http::line::by_status;
use crate::carrier::http::{Answer, Outgoing, address};
use crate::carrier::{Submission, SubmitError};
use crate::phone::Door;

impl VonageCarrier {
    /// The request that hands one piece of a message over.
    pub(super) fn request(&self, submission: &Submission, text: &str) -> Result<Outgoing, SubmitError> {
        let pair = Zeroizing::new(format!("{}:{}", self.settings.api_key, self.settings.api_secret.0.as_str()));
        let basic = Zeroizing::new(format!("Basic {}", BASE64.encode(pair.as_bytes())));
        let mut authorization = HeaderValue::from_str(&basic).map_err(|_| SubmitError::Unavailable)?;
        authorization.set_sensitive(true);
        let (to, from) = (submission.to.expose(Door::Carrier), address::sender(&submission.from));
        let (to, from) = (to.trim_start_matches('+'), from.trim_start_matches('+'));
        let ttl = submission.life.map(|life| life.as_secs().clamp(20, LONGEST_LIFE_S));
        let wish = Wish { message_type: "text", channel: "sms", to, from, text, ttl };
        let body = serde_json::to_vec(&wish).map_err(|_| SubmitError::Unavailable)?;
        let json = HeaderValue::from_static("application/json");
        Ok(Outgoing {
            method: Method::POST,
            url: Zeroizing::new(format!("{}/v1/messages", self.settings.base_url)),
            headers: vec![(AUTHORIZATION, authorization), (CONTENT_TYPE, json.clone()), (ACCEPT, json)],
            body: Zeroizing::new(body),
        })
    }
}

#[derive(Serialize)]
struct Wish<'a> {
    message_type: &'static str,
    channel: &'static str,
    to: &'a str,
    from: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
}

/// A text in pieces of at most [`LONGEST`] characters.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((at, _)) = rest.char_indices().nth(LONGEST) {
        let (piece, later) = rest.split_at(at);
        pieces.push(piece);
        rest = later;
    }
    pieces.push(rest);
    pieces
}

/// What an answer means for the message: its id, if the answer names one.
pub(super) fn judge(answer: &Answer) -> Result<Option<String>, SubmitError> {
    if answer.status.is_success() {
        return Ok(serde_json::from_slice::<Made>(&answer.body).ok().map(|made| made.message_uuid));
    }
    let fault = serde_json::from_slice(&answer.body).ok();
    match fault.as_ref().and_then(codes::of).and_then(codes::refusal) {
        Some(codes::Verdict::Throttled) => {
            Err(SubmitError::Throttled { retry_after: answer.retry_after.unwrap_or_default() })
        }
        Some(codes::Verdict::Unavailable) => Err(SubmitError::Unavailable),
        Some(codes::Verdict::Refused(reason)) => Err(SubmitError::Refused { reason }),
        None => by_status(answer).and(Err(SubmitError::Unconfirmed)),
    }
}

#[derive(Deserialize)]
struct Made {
    message_uuid: String,
}

/// What it takes as the longest time to try, in seconds.
const LONGEST_LIFE_S: u64 = 604_800;
/// Characters that it takes at a time.
const LONGEST: usize = 1_000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn judged(status: u16, body: &str) -> Result<Option<String>, SubmitError> {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        judge(&Answer { status: status.try_into().unwrap(), retry_after: None, body })
    }

    #[test]
    fn each_answer_means_one_decision() {
        let id = "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab";
        assert_eq!(judged(202, &format!(r#"{{"message_uuid":"{id}"}}"#)).unwrap().as_deref(), Some(id));
        assert_eq!(judged(202, "").unwrap(), None, "taken is taken");
        let fault =
            |code: u32| format!(r#"{{"type":"https://developer.example/api-errors/messages#{code}","detail":"x"}}"#);
        assert!(matches!(judged(429, &fault(1000)), Err(SubmitError::Throttled { .. })));
        assert!(matches!(judged(402, &fault(1070)), Err(SubmitError::Unavailable)));
        assert!(matches!(judged(401, r#"{"type":"https://x#unauthorized"}"#), Err(SubmitError::Unavailable)));
        assert!(matches!(judged(500, ""), Err(SubmitError::Unconfirmed)));
        for (code, class) in [(1120, "invalid_sender"), (1170, "unknown_subscriber"), (1220, "spam"), (1150, "other")] {
            let refused = judged(422, &fault(code));
            assert!(
                matches!(refused, Err(SubmitError::Refused { reason }) if reason == format!("{class}:vonage_{code}"))
            );
        }
        assert!(matches!(judged(422, "{}"), Err(SubmitError::Refused { reason }) if reason == "http_422"));
    }

    #[test]
    fn a_long_text_goes_in_pieces_that_make_it_up_again() {
        for count in [0, 1, 999, 1_000, 1_001, 2_500] {
            let text = "é😀".repeat(count);
            let pieces = pieces(&text);
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|piece| piece.chars().count() <= LONGEST));
            assert_eq!(pieces.len(), (2 * count).div_ceil(LONGEST).max(1));
        }
    }
}
