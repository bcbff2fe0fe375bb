//! What goes out: `POST …/Messages.json`, a form with basic authentication, and what its answers mean.

use data_encoding::BASE64;
use hyper::Method;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{TwilioCarrier, codes};
use crate::carrier::http::line::by_status;
use crate::carrier::http::{Answer, Outgoing, address};
use crate::carrier::{Submission, SubmitError, Submitted};
use crate::phone::Door;

impl TwilioCarrier {
    /// The request that hands a message over.
    pub(super) fn request(&self, submission: &Submission) -> Result<Outgoing, SubmitError> {
        let Ok(authorization) = HeaderValue::from_str(&self.authorization()) else {
            return Err(SubmitError::Unavailable);
        };
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let (base, account) = (&self.settings.base_url, &self.settings.account_sid);
        Ok(Outgoing {
            method: Method::POST,
            url: Zeroizing::new(format!("{base}/2010-04-01/Accounts/{account}/Messages.json")),
            headers: vec![
                (AUTHORIZATION, sensitive(authorization)),
                (CONTENT_TYPE, form),
                (ACCEPT, HeaderValue::from_static("application/json")),
            ],
            body: self.form(submission),
        })
    }

    fn form(&self, submission: &Submission) -> Zeroizing<Vec<u8>> {
        let to = submission.to.expose(Door::Carrier);
        let status = format!("{}/status", self.here);
        let mut form = form_urlencoded::Serializer::new(String::with_capacity(512 + 3 * submission.text.len()));
        form.append_pair("To", &to);
        match &self.settings.messaging_service_sid {
            Some(service) if submission.from == self.sender => form.append_pair("MessagingServiceSid", service),
            _ => form.append_pair("From", &address::sender(&submission.from)),
        };
        if let Some(life) = submission.life {
            form.append_pair("ValidityPeriod", &life.as_secs().clamp(1, LONGEST_LIFE_S).to_string());
        }
        form.append_pair("Body", &submission.text).append_pair("StatusCallback", &status);
        Zeroizing::new(form.finish().into_bytes())
    }

    fn authorization(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new(format!("{}:{}", self.settings.account_sid, self.settings.auth_token.0.as_str()));
        Zeroizing::new(format!("Basic {}", BASE64.encode(pair.as_bytes())))
    }
}

fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// What an answer means for the message.
pub(super) fn judge(answer: &Answer) -> Result<Submitted, SubmitError> {
    if answer.status.is_success() {
        // Taken, whatever else the answer says; without its id no receipt will find it.
        let sid = serde_json::from_slice::<Made>(&answer.body).ok().map(|made| made.sid);
        return Ok(Submitted { ids: sid.into_iter().collect() });
    }
    match serde_json::from_slice::<Fault>(&answer.body).ok().and_then(|fault| codes::refusal(fault.code)) {
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
    sid: String,
}

/// An error's body; what else it says may quote the message.
#[derive(Deserialize)]
struct Fault {
    code: u32,
}

/// What Twilio takes as the longest time to try, in seconds.
const LONGEST_LIFE_S: u64 = 14_400;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    fn judged(status: u16, body: &str) -> Result<Submitted, SubmitError> {
        judge(&Answer {
            status: status.try_into().unwrap(),
            retry_after: Some(Duration::from_secs(3)),
            body: Zeroizing::new(body.as_bytes().to_vec()),
        })
    }

    #[test]
    fn each_answer_means_one_decision() {
        assert_eq!(judged(201, r#"{"sid":"SM1","status":"queued"}"#).unwrap().ids, ["SM1"]);
        assert!(judged(201, "no json").unwrap().ids.is_empty(), "taken is taken");
        let throttled = Duration::from_secs(3);
        for (status, code) in [(429, 20429), (400, 14107), (429, 0)] {
            let body = format!(r#"{{"code":{code},"status":{status}}}"#);
            assert!(
                matches!(judged(status, &body), Err(SubmitError::Throttled { retry_after }) if retry_after == throttled)
            );
        }
        for (status, code) in [(401, 20003), (503, 20503), (404, 20404), (302, 0)] {
            assert!(
                matches!(judged(status, &format!(r#"{{"code":{code}}}"#)), Err(SubmitError::Unavailable)),
                "{code}"
            );
        }
        assert!(matches!(judged(500, ""), Err(SubmitError::Unconfirmed)));
        assert!(matches!(judged(400, "{}"), Err(SubmitError::Refused { reason }) if reason == "http_400"));
        for (code, class) in
            [(21211, "unknown_subscriber"), (21610, "blocked"), (21606, "invalid_sender"), (21617, "other")]
        {
            let refused = judged(400, &format!(r#"{{"code":{code},"message":"The 'To' number +12025550101 is"}}"#));
            assert!(
                matches!(refused, Err(SubmitError::Refused { reason }) if reason == format!("{class}:twilio_{code}"))
            );
        }
    }
}
