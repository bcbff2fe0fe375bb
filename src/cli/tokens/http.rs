//! A service's API as a client of it sees it: JSON over HTTP(S), tried again where that helps.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::CommandError;

/// A client that keeps its connection.
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    authorization: Zeroizing<String>,
}

/// Why a request was not answered.
enum Fault {
    /// It may be answered if it is sent again, not before so long.
    Passing(String, Option<Duration>),
    Lasting(CommandError),
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

impl Http {
    /// The service at `base`, asked with `key`.
    pub(super) fn new(base: &str, key: &str) -> Result<Self, CommandError> {
        if !base.starts_with("https://") && !base.starts_with("http://") {
            return Err(CommandError::Usage("--url: write https:// and the service's host".into()));
        }
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(CommandError::failed)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(20));
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { client: builder.build(connector), base, authorization: Zeroizing::new(format!("Bearer {key}")) })
    }

    /// The answer to `body`. The same `key` makes sure that it is done once, however often it has to be sent.
    /// None if nothing of what it names is there.
    pub(super) async fn post(
        &self,
        path: &str,
        key: &str,
        body: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, CommandError> {
        let mut wait = Duration::from_millis(250);
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match self.sent(path, key, body).await {
                Ok(answer) => return Ok(answer),
                Err(Fault::Lasting(error)) => return Err(error),
                Err(Fault::Passing(what, asked)) => {
                    last = what;
                    tokio::time::sleep(asked.unwrap_or(wait).min(LONGEST_WAIT)).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
        Err(CommandError::Failed(format!("{}: {last}", self.base)))
    }

    async fn sent(&self, path: &str, key: &str, body: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        let request = Request::post(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .header("authorization", self.authorization.as_str())
            .header("idempotency-key", key)
            .body(Full::new(Bytes::copy_from_slice(body)));
        let request = request.map_err(|error| Fault::Lasting(CommandError::Usage(format!("--url: {error}"))))?;
        let passing = |error: String| Fault::Passing(error, None);
        let answered = tokio::time::timeout(PATIENCE, self.client.request(request)).await;
        let response = answered
            .map_err(|_| passing("it does not answer".into()))?
            .map_err(|error| passing(format!("it cannot be reached ({error})")))?;
        let (status, after) = (response.status(), retry_after(&response));
        let body = tokio::time::timeout(PATIENCE, Limited::new(response.into_body(), LONGEST).collect()).await;
        let body = body.ok().and_then(Result::ok).ok_or_else(|| passing("its answer breaks off".into()))?;
        let body = Zeroizing::new(body.to_bytes().to_vec());
        match status {
            StatusCode::OK => Ok(Some(body)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refused(status, after, &body)),
        }
    }
}

fn retry_after<T>(response: &Response<T>) -> Option<Duration> {
    let text = response.headers().get("retry-after")?.to_str().ok()?;
    text.parse().ok().map(Duration::from_secs)
}

/// What a refusal comes to: 409 is the same request under way, 429 and 5xx pass, but a day's budget does not soon.
fn refused(status: StatusCode, after: Option<Duration>, body: &[u8]) -> Fault {
    #[derive(Deserialize)]
    struct Pending {
        approval: PendingId,
    }
    #[derive(Deserialize)]
    struct PendingId {
        id: crate::ids::ApprovalId,
    }
    if status == StatusCode::ACCEPTED
        && let Ok(pending) = serde_json::from_slice::<Pending>(body)
    {
        return Fault::Lasting(CommandError::Pending(pending.approval.id));
    }
    let problem = serde_json::from_slice::<Problem>(body);
    let problem = problem.unwrap_or_else(|_| Problem { code: status.to_string(), detail: String::new() });
    let told = format!("{}: {}", problem.code, problem.detail);
    let soon = after.is_none_or(|after| after <= LONGEST_WAIT);
    let passes = status == StatusCode::TOO_MANY_REQUESTS && soon
        || status.is_server_error()
        || status == StatusCode::CONFLICT && problem.code == "idempotency_in_flight";
    if passes { Fault::Passing(told, after) } else { Fault::Lasting(CommandError::Failed(told)) }
}

const ATTEMPTS: u32 = 9;

const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How long an answer may take to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer to the largest request is a few megabytes.
const LONGEST: usize = 64 << 20;
