//! Who serves a number now, asked of somebody who knows: number portability over HTTP.
//!
//! Off unless the settings name a service. The number leaves by [`Door::Portability`], to that address alone, after the
//! entry that says so is durable; it is asked of the store under a permit for a delivery. What came back is remembered
//! under the number's blind index, never under the number. A service that fails, or does not know, leaves the table of
//! prefixes to tell; one that fails again and again is left alone for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::access::{Delivery, Permit};
use crate::clock::Timestamp;
use crate::config::PortabilitySettings;
use crate::event::What;
use crate::ids::TenantId;
use crate::keyring::TenantKeys;
use crate::phone::{self, Door, PhoneNumber};
use crate::store::{BlindIndex, Change, Store};
use crate::telemetry;

/// Asks one service.
pub struct Portability {
    settings: PortabilitySettings,
    host: String,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    /// By tenant and the number's index under its key.
    known: Mutex<HashMap<(TenantId, BlindIndex), Known>>,
    failing: Mutex<Failing>,
    places: Semaphore,
}

/// What a service said, and until when that holds.
#[derive(Clone)]
pub(super) struct Known {
    operator: Option<Arc<str>>,
    until: Timestamp,
}

#[derive(Default)]
struct Failing {
    in_a_row: u32,
    alone_until: Option<Timestamp>,
}

/// A service that cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("portability: {0}")]
pub struct PortabilityError(String);

impl Portability {
    /// A client of the service that the settings name.
    ///
    /// # Errors
    /// If its address or TLS cannot be set up.
    pub fn new(settings: PortabilitySettings) -> Result<Self, PortabilityError> {
        let wrong = |error: &dyn std::fmt::Display| PortabilityError(error.to_string());
        let uri: Uri = settings.url.replace(NUMBER, "1").parse().map_err(|error| wrong(&error))?;
        let host = uri.host().ok_or_else(|| PortabilityError("the url names no host".into()))?.to_owned();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(30));
        Ok(Self {
            settings,
            host,
            client: builder.build(connector),
            known: Mutex::default(),
            failing: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
        })
    }

    /// The operator that serves the number; none where the service does not know or cannot be asked.
    pub(super) async fn operator(
        &self,
        store: &dyn Store,
        permit: &Permit<Delivery>,
        keys: &TenantKeys,
        number: &PhoneNumber,
    ) -> Option<Arc<str>> {
        let (now, index) = (store.now(), keys.index(number));
        let key = (permit.tenant(), index);
        if let Some(known) = self.remembered(&key, now) {
            return known.operator;
        }
        if self.is_left_alone(now) {
            return None;
        }
        let Ok(_place) = self.places.try_acquire() else { return None };
        let what = What::PortabilityAsked { subject: keys.subject(index), host: self.host.clone() };
        if let Err(error) = store.commit(Change::telling(permit.event(now, what))).await {
            tracing::warn!(%error, "a number was not looked up, since that could not be told");
            return None;
        }
        let asked = timeout(self.settings.timeout, self.ask(number)).await;
        let asked = asked.unwrap_or_else(|_| Err("does not answer in time".to_owned()));
        self.note(asked.is_ok(), store.now());
        match asked {
            Ok(operator) => {
                self.remember(key, operator.clone(), now.plus(self.settings.cache));
                operator
            }
            Err(fault) => {
                tracing::warn!(host = self.host, fault, "portability was not told; the table of prefixes tells");
                None
            }
        }
    }

    /// What is remembered of a number, for explanations: they ask nobody.
    pub(super) fn remembered(&self, key: &(TenantId, BlindIndex), now: Timestamp) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|known| known.until > now).cloned()
    }

    fn remember(&self, key: (TenantId, BlindIndex), operator: Option<Arc<str>>, until: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(key, Known { operator, until });
    }

    async fn ask(&self, number: &PhoneNumber) -> Result<Option<Arc<str>>, String> {
        let request = self.request(number)?;
        let response = self.client.request(request).await.map_err(|_| "cannot be reached".to_owned())?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::NO_CONTENT => return Ok(None),
            status => return Err(format!("answers {}", status.as_u16())),
        }
        let body = Limited::new(response.into_body(), LONGEST).collect().await;
        let body = body.map_err(|_| "answers too much, or breaks off".to_owned())?.to_bytes();
        let answer: serde_json::Value = serde_json::from_slice(&body).map_err(|_| "answers no JSON".to_owned())?;
        Ok(answer.get(&self.settings.field).and_then(|name| name.as_str()).and_then(named))
    }

    /// The one place where a number goes out to be looked up.
    fn request(&self, number: &PhoneNumber) -> Result<Request<Empty<Bytes>>, String> {
        let shown = number.expose(Door::Portability);
        let digits = shown.trim_start_matches('+');
        let url = Zeroizing::new(self.settings.url.replace(NUMBER, digits));
        let mut request = Request::builder().method(Method::GET).uri(url.as_str()).header("accept", "application/json");
        if let Some(authorization) = &self.settings.authorization {
            request = request.header("authorization", authorization.0.as_str());
        }
        // The fault of a request that cannot be made may quote the address, and with it the number.
        request.body(Empty::new()).map_err(|_| "cannot be asked with this url or authorization".to_owned())
    }

    fn is_left_alone(&self, now: Timestamp) -> bool {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.alone_until.is_some_and(|until| now < until)
    }

    fn note(&self, answered: bool, now: Timestamp) {
        let outcome = if answered { "answered" } else { "failed" };
        telemetry::metrics().portability.with_label_values(&[outcome]).inc();
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.in_a_row = if answered { 0 } else { failing.in_a_row.saturating_add(1) };
        failing.alone_until = (failing.in_a_row >= MOST_FAILURES).then(|| now.plus(ALONE));
    }
}

impl Known {
    pub(super) fn operator(self) -> Option<Arc<str>> {
        self.operator
    }
}

/// An operator's name as routes write it; what can be none is not known.
fn named(name: &str) -> Option<Arc<str>> {
    let name = name.trim().to_ascii_lowercase().replace([' ', '_'], "-");
    (phone::is_operator_name(&name) && !phone::contains_number(&name)).then(|| name.into())
}

/// What stands for the number's digits in the address.
const NUMBER: &str = "{number}";
/// Questions under way at once; more than these are answered by the table.
const AT_ONCE: usize = 32;
/// Numbers remembered, about 8 MB; emptied when full.
const MAX_KNOWN: usize = 65_536;
/// The longest answer.
const LONGEST: usize = 64 * 1_024;
/// So many failures in a row …
const MOST_FAILURES: u32 = 5;
/// … and the service is left alone for so long.
const ALONE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operators_name_is_written_as_routes_write_it() {
        assert_eq!(named("Example Mobile").as_deref(), Some("example-mobile"));
        assert_eq!(named("vn_viettel").as_deref(), Some("vn-viettel"));
        for wrong in ["", "45204", "+447700900123", "a/b", &"x".repeat(41)] {
            assert_eq!(named(wrong), None, "{wrong}");
        }
    }
}
