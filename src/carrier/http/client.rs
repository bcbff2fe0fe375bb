//! One HTTP(S) request with a deadline. Connections are kept; redirects are not followed; nothing of it is logged.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use crate::carrier::SubmitError;

/// A client that keeps its connections.
pub(super) struct Client {
    hyper: Hyper<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

/// A request to be made. Whatever is secret in it is wiped when it is dropped, or by the allocator.
pub(in crate::carrier) struct Outgoing {
    pub(in crate::carrier) method: Method,
    pub(in crate::carrier) url: Zeroizing<String>,
    pub(in crate::carrier) headers: Vec<(HeaderName, HeaderValue)>,
    pub(in crate::carrier) body: Zeroizing<Vec<u8>>,
}

/// What came back.
pub(in crate::carrier) struct Answer {
    pub(in crate::carrier) status: StatusCode,
    /// What `Retry-After` asks for, in seconds (RFC 9110 §10.2.3).
    pub(in crate::carrier) retry_after: Option<Duration>,
    pub(in crate::carrier) body: Zeroizing<Vec<u8>>,
}

impl Client {
    /// `ca_file` names the certificates that may sign the server's; none means the system's.
    ///
    /// # Errors
    /// One line that says what is wrong with it.
    pub(super) fn new(ca_file: Option<&Path>, timeout: Duration) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up ({error})"))?
            .with_root_certificates(roots(ca_file)?)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout.min(LONGEST_CONNECT)));
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let mut builder = Hyper::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
        Ok(Self { hyper: builder.build(connector.wrap_connector(tcp)), timeout })
    }

    /// Makes a request and reads its answer.
    ///
    /// # Errors
    /// [`SubmitError::Unavailable`] if nothing was sent, [`SubmitError::Unconfirmed`] if something may have been.
    pub(super) async fn send(&self, outgoing: Outgoing) -> Result<Answer, SubmitError> {
        let Outgoing { method, url, headers, mut body } = outgoing;
        let mut request = Request::builder().method(method).uri(url.as_str());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        // An address that cannot be spelled was checked at the start; what is left of it can only be a fault of ours.
        let body = Full::new(Bytes::from(std::mem::take(&mut *body)));
        let request = request.body(body).map_err(|_| SubmitError::Unavailable)?;
        match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(settled) => settled,
            Err(_) => Err(SubmitError::Unconfirmed),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, SubmitError> {
        let response =
            self.hyper.request(request).await.map_err(|error| {
                if error.is_connect() { SubmitError::Unavailable } else { SubmitError::Unconfirmed }
            })?;
        let status = response.status();
        let retry_after = response.headers().get(hyper::header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
        let body = body.map_err(|_| SubmitError::Unconfirmed)?.to_bytes();
        let retry_after = retry_after.map(Duration::from_secs);
        Ok(Answer { status, retry_after, body: Zeroizing::new(body.to_vec()) })
    }
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_file else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| format!("{}: {error}; name a PEM file", path.display()))?;
    if roots.add_parsable_certificates(found).0 == 0 {
        return Err(format!("{}: holds no certificate; name a PEM file", path.display()));
    }
    Ok(roots)
}

/// How long a connection may take to come about.
const LONGEST_CONNECT: Duration = Duration::from_secs(5);
/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(30);
/// Answers are a few hundred bytes.
const LONGEST_ANSWER: usize = 64 << 10;
