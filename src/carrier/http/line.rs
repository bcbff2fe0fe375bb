//! The way out to one HTTP service: so many requests at once, so many a second, and a rest after failures.

use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::client::{Answer, Client, Outgoing};
use super::health::Health;
use crate::carrier::SubmitError;
use crate::carrier::pace::Pace;
use crate::config::HttpLink;
use crate::store::Lane;

/// A way out.
pub(in crate::carrier) struct Line {
    client: Client,
    health: Health,
    window: Semaphore,
    /// Places that others than codes may have: some are always left for codes.
    others: Semaphore,
    pace: Pace,
    name: String,
}

impl Line {
    /// # Errors
    /// If the certificates that are to be trusted cannot be read.
    pub(in crate::carrier) fn new(link: &HttpLink) -> Result<Self, String> {
        Ok(Self {
            client: Client::new(link.ca_file.as_deref(), link.timeout)?,
            health: Health::default(),
            window: Semaphore::new(usize::from(link.window)),
            others: Semaphore::new(usize::from((link.window - link.window / 4).max(1))),
            pace: Pace::new(link.rate),
            name: link.name.clone(),
        })
    }

    /// Whether a request may be made now.
    pub(in crate::carrier) fn is_up(&self) -> bool {
        self.health.is_up(Instant::now())
    }

    /// Makes a request in its turn. `judge` says what the answer means for the message.
    pub(in crate::carrier) async fn submit<T>(
        &self,
        outgoing: Outgoing,
        lane: Lane,
        judge: impl FnOnce(&Answer) -> Result<T, SubmitError>,
    ) -> Result<T, SubmitError> {
        if !self.is_up() {
            return Err(SubmitError::Unavailable);
        }
        let place = async {
            let other = if lane == Lane::Code { None } else { Some(self.others.acquire().await.ok()?) };
            Some((other, self.window.acquire().await.ok()?))
        };
        let Ok(Some(_place)) = timeout(LONGEST_WAIT, place).await else {
            return Err(SubmitError::Throttled { retry_after: LONGEST_WAIT });
        };
        self.pace.turn(lane).await.map_err(|retry_after| SubmitError::Throttled { retry_after })?;
        let answer = self.client.send(outgoing).await;
        let status = answer.as_ref().map_or(0, |answer| answer.status.as_u16());
        let judged = answer.and_then(|answer| judge(&answer));
        match &judged {
            Err(SubmitError::Unavailable) => {
                tracing::warn!(carrier = self.name, status, "the carrier does not serve us; it rests for a while");
                self.health.failed(Instant::now());
            }
            Err(SubmitError::Throttled { .. }) => {
                let pause = self.pace.slow_down(Instant::now());
                return Err(longer(judged, pause));
            }
            Err(SubmitError::Unconfirmed) => {}
            Ok(_) => {
                self.pace.taken(Instant::now());
                self.health.answered();
            }
            Err(SubmitError::Refused { .. }) => self.health.answered(),
        }
        judged
    }
}

/// A message whose turn is further away than this is put off. With the pace and one request, shorter than the patience of
/// `dispatch`, so that what was not sent is not taken for unconfirmed.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// The same wish to slow down, with the longer of both waits.
fn longer<T>(judged: Result<T, SubmitError>, pause: Duration) -> SubmitError {
    match judged {
        Err(SubmitError::Throttled { retry_after }) => SubmitError::Throttled { retry_after: retry_after.max(pause) },
        Err(error) => error,
        Ok(_) => SubmitError::Throttled { retry_after: pause },
    }
}

/// What a status alone says: nothing against it, slow down, our settings are at fault or it is away (both end by
/// themselves or by an operator, and keep the message), it may have been taken, or never.
pub(in crate::carrier) fn by_status(answer: &Answer) -> Result<(), SubmitError> {
    let status = answer.status;
    match status.as_u16() {
        200..=299 => Ok(()),
        429 => Err(SubmitError::Throttled { retry_after: answer.retry_after.unwrap_or_default() }),
        300..=399 | 401..=405 | 407 | 503 => Err(SubmitError::Unavailable),
        408 | 500..=599 => Err(SubmitError::Unconfirmed),
        _ => Err(refused(status)),
    }
}

fn refused(status: StatusCode) -> SubmitError {
    SubmitError::Refused { reason: format!("http_{}", status.as_u16()) }
}
