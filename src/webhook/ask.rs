//! Asking an endpoint what is to become of a message from a stranger, while the message waits.
//!
//! One signed call, made once and bounded in time and size; whatever goes wrong means that there is no answer, and the
//! message is treated as if nobody had been asked.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::line::{Call, Reply};
use super::place::Place;
use super::{Webhooks, body};
use crate::event::told;
use crate::guard::{self, Label};
use crate::ids::{AliasId, TenantId};
use crate::store::{WebhookFilter, WebhookRow};
use crate::telemetry;

/// The event that an endpoint subscribes to in order to be asked.
const UNKNOWN: &str = "alias.unknown_sender";

/// What an endpoint wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reaction {
    /// Nothing.
    Drop,
    /// The stranger gets `text`.
    Reply,
    /// The message is carried to the alias's person.
    Relay,
}

/// An endpoint's answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// What is to be done.
    pub action: Reaction,
    /// What a stranger is to be told, for [`Reaction::Reply`].
    pub text: Option<String>,
}

impl Webhooks {
    /// Asks the endpoint of `audience` (none is the tenant's own) that subscribed to unknown senders; of several the one
    /// that was made first. `id` names the question, the same over its repetitions. Of `data` nothing goes out that is or
    /// holds a number; the alias is added to it, and that it is a question. None if nobody is to be asked, or nobody answers in time and form.
    pub async fn ask(
        &self,
        tenant: TenantId,
        audience: Option<&str>,
        alias: AliasId,
        id: &str,
        mut data: Map<String, Value>,
    ) -> Option<Answer> {
        let endpoint = self.asked(tenant, audience).await?;
        data.retain(|name, value| name != "number" && !value.as_str().is_some_and(guard::number_in_text));
        data.insert("alias".to_owned(), alias.to_string().into());
        data.insert("question".to_owned(), true.into());
        let now = self.store.now();
        let text = body::envelope(UNKNOWN, now.to_string(), id, data);
        let headers = self.signed(&endpoint, id, now, &text).await.ok()?;
        let place = Place::parse(&endpoint.url).ok()?;
        let call = Call { headers: &headers, body: &text, longest: LONGEST, within: WITHIN };
        let reply = self.exchange.call(&mut None, &place, &call).await;
        let answer = reply.ok().and_then(|reply| answer(&reply));
        let result = if answer.is_some() { "answered" } else { "unanswered" };
        telemetry::metrics().webhook_calls.with_label_values(&[result]).inc();
        answer
    }

    async fn asked(&self, tenant: TenantId, audience: Option<&str>) -> Option<WebhookRow> {
        let filter =
            WebhookFilter { audience: audience.map(str::to_owned), limit: crate::store::MAX_WEBHOOKS, after: None };
        let mut of = self.store.webhooks(tenant, &filter).await.ok()?;
        of.retain(|row| row.audience.as_deref() == audience && row.disabled.is_none());
        of.into_iter().rfind(|row| row.events.iter().any(|pattern| told::wants(pattern, UNKNOWN)))
    }
}

/// Reads an answer; one that cannot be carried out is none.
fn answer(reply: &Reply) -> Option<Answer> {
    let body = reply.body.as_ref().filter(|_| (200..300).contains(&reply.code))?;
    let answer: Answer = serde_json::from_slice(body).ok()?;
    match (answer.action, &answer.text) {
        (Reaction::Reply, Some(text)) => Label::up_to(TEXT).check(text).ok().map(|()| answer),
        (Reaction::Reply, None) => None,
        (Reaction::Drop | Reaction::Relay, _) => Some(Answer { text: None, ..answer }),
    }
}

/// How long an endpoint may think.
const WITHIN: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const LONGEST: usize = 16 << 10;
/// Characters of a reply: ten parts in GSM 7, nearly five in UCS-2.
const TEXT: usize = 640;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: u16, body: &'static str) -> Option<Answer> {
        answer(&Reply { code, body: Some(body.into()) })
    }

    #[test]
    fn an_answer_is_one_of_three_and_nothing_else_counts() {
        let reply = Answer { action: Reaction::Reply, text: Some("Call the shop.".into()) };
        assert_eq!(read(200, r#"{"action":"reply","text":"Call the shop."}"#), Some(reply));
        assert_eq!(read(200, r#"{"action":"relay","text":"x"}"#), Some(Answer { action: Reaction::Relay, text: None }));
        assert_eq!(read(204, r#"{"action":"drop"}"#), Some(Answer { action: Reaction::Drop, text: None }));
        for (code, body) in [
            (200, ""),
            (200, "relay"),
            (200, r#"{"action":"forward"}"#),
            (200, r#"{"action":"reply"}"#),
            (200, r#"{"action":"reply","text":""}"#),
            (200, r#"{"action":"reply","text":"call +1 202 555 0143"}"#),
            (404, r#"{"action":"relay"}"#),
            (302, r#"{"action":"relay"}"#),
            (500, r#"{"action":"relay"}"#),
        ] {
            assert_eq!(read(code, body), None, "{code} {body}");
        }
        assert_eq!(answer(&Reply { code: 200, body: None }), None);
    }
}
