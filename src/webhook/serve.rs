//! Serving one endpoint: what waits for it, one after the other, until it is done, fails, or others want their turn.

use std::time::Duration;

use super::line::{Call, Fault, Line, Reply};
use super::place::Place;
use super::{WebhookError, Webhooks, schedule};
use crate::access::{Calling, Denied, Permit};
use crate::clock::Timestamp;
use crate::event::What;
use crate::ids::WebhookId;
use crate::store::{Called, Change, Conflict, Notice, StoreError, Then, Write};
use crate::telemetry;

/// What an endpoint needs after it was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing waits for it, or it is not called at all.
    Idle,
    /// Something waits, not before this moment.
    Until(Timestamp),
}

/// Whether the next event may be sent now.
enum Step {
    On,
    Rest(Rest),
}

/// The name of a call's outcome in metrics, and in the list of deliveries if it failed.
struct Outcome {
    code: Option<u16>,
    fault: Option<&'static str>,
    /// The endpoint wants nothing more from us.
    is_gone: bool,
}

impl Webhooks {
    /// Sends what waits for an endpoint and is due, in order, at most [`TURN`] events; says when to come again. Never
    /// called twice at once for one endpoint.
    ///
    /// # Errors
    /// If the store or a key cannot be had: try again soon. What was sent and not recorded is sent again.
    pub async fn serve(&self, endpoint: WebhookId) -> Result<Rest, WebhookError> {
        let mut line = None;
        for _ in 0..TURN {
            let Some(notice) = self.store.next_notice(endpoint).await? else { return Ok(Rest::Idle) };
            if notice.row.due > self.store.now() {
                return Ok(Rest::Until(notice.row.due));
            }
            if let Step::Rest(rest) = self.step(&notice, &mut line).await? {
                return Ok(rest);
            }
        }
        Ok(Rest::Until(self.store.now()))
    }

    async fn step(&self, notice: &Notice, line: &mut Option<Line>) -> Result<Step, WebhookError> {
        let permit = match self.access.for_calling(&notice.endpoint) {
            Ok(permit) => permit,
            Err(Denied::Store(error)) => return Err(error.into()),
            // Frozen: what waits goes on waiting. A tenant that is gone takes its endpoints along.
            Err(_) => return Ok(Step::Rest(Rest::Until(self.store.now().plus(FROZEN)))),
        };
        let Some(body) = self.body(&permit, notice).await? else {
            self.record(notice, Outcome { code: None, fault: Some("gone"), is_gone: false }, Then::Dropped).await?;
            return Ok(Step::On);
        };
        let outcome = self.send(notice, &body.id, &body.text, line).await?;
        self.settle(&permit, notice, outcome).await
    }

    async fn send(
        &self,
        notice: &Notice,
        id: &str,
        body: &str,
        line: &mut Option<Line>,
    ) -> Result<Outcome, WebhookError> {
        let headers = self.signed(&notice.endpoint, id, self.store.now(), body).await?;
        // Settings may have changed since the URL was given.
        let called = match Place::parse(&notice.endpoint.url) {
            Ok(place) => {
                let call = Call { headers: &headers, body, longest: LONGEST_ANSWER, within: WITHIN };
                self.exchange.call(line, &place, &call).await
            }
            Err(_) => Err(Fault::Refused),
        };
        Ok(match called {
            Ok(Reply { code, .. }) => Outcome {
                code: Some(code),
                fault: if (200..300).contains(&code) { None } else { Some("status") },
                is_gone: code == GONE,
            },
            Err(fault) => Outcome { code: None, fault: Some(fault.as_str()), is_gone: false },
        })
    }

    /// Records a call, and gives the endpoint up where that is due.
    async fn settle(&self, permit: &Permit<Calling>, notice: &Notice, outcome: Outcome) -> Result<Step, WebhookError> {
        if outcome.fault.is_none() {
            self.record(notice, outcome, Then::Delivered).await?;
            return Ok(Step::On);
        }
        let now = self.store.now();
        let wait = schedule::wait(notice.row.attempts + 1);
        let gave_up = match (outcome.is_gone, wait) {
            (true, _) => Some("gone"),
            (_, None) => Some("exhausted"),
            _ if notice.endpoint.failing_since.is_some_and(|since| since.plus(schedule::LONGEST) <= now) => {
                Some("failing")
            }
            _ => None,
        };
        let due = now.plus(wait.unwrap_or_default());
        self.record(notice, outcome, Then::Again(due)).await?;
        match gave_up {
            None => Ok(Step::Rest(Rest::Until(due))),
            Some(reason) => {
                self.give_up(permit, notice, reason).await?;
                Ok(Step::Rest(Rest::Idle))
            }
        }
    }

    async fn record(&self, notice: &Notice, outcome: Outcome, then: Then) -> Result<(), WebhookError> {
        let now = self.store.now();
        let called = Called {
            webhook: notice.row.webhook,
            index: notice.row.index,
            at: now,
            code: outcome.code,
            fault: outcome.fault.filter(|fault| *fault != "status").map(str::to_owned),
            then,
        };
        self.store.called(called).await?;
        let metrics = telemetry::metrics();
        let result = outcome.fault.unwrap_or("delivered");
        metrics.webhook_calls.with_label_values(&[result]).inc();
        if then == Then::Delivered {
            let waited = notice.row.at.until(now).as_secs_f64();
            metrics
                .webhook_delay
                .with_label_values(&[if notice.row.attempts == 0 { "first" } else { "again" }])
                .observe(waited);
        }
        Ok(())
    }

    /// Stops calling an endpoint. Whoever did so first has told of it.
    async fn give_up(&self, permit: &Permit<Calling>, notice: &Notice, reason: &str) -> Result<(), WebhookError> {
        let (now, webhook) = (self.store.now(), notice.endpoint.id);
        let reason = reason.to_owned();
        let change = Change::telling(permit.event(now, What::WebhookDisabled { webhook, reason: reason.clone() }))
            .and_telling(permit.event(now, What::WebhookGivenUp { webhook, reason: reason.clone() }))
            .with(Write::SwitchWebhook { tenant: permit.tenant(), id: webhook, disabled: Some(reason) });
        match self.store.commit(change).await {
            Ok(_) | Err(StoreError::Conflict(Conflict::Taken | Conflict::Missing)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Events sent in one turn.
const TURN: u32 = 64;
/// How long one call may take.
const WITHIN: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read, so that the connection can be used again.
const LONGEST_ANSWER: usize = 64 << 10;
/// How long after a look a frozen tenant's endpoints are looked at again.
const FROZEN: Duration = Duration::from_secs(5);
/// HTTP 410.
const GONE: u16 = 410;
