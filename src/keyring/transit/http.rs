//! One HTTP(S) request with a deadline: JSON in, bytes out, through rustls on `ring`.

use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use crate::keyring::kms::KmsError;

/// A client that keeps its connections.
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) text: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// Whether the same request may be granted soon: sealed, standby, busy.
    pub(super) fn is_passing(&self) -> bool {
        self.status.is_server_error() || self.status.is_redirection() || self.status == StatusCode::TOO_MANY_REQUESTS
    }
}

impl Http {
    /// `ca_file` names the certificates that may sign the server's; none means the system's.
    pub(super) fn new(ca_file: Option<&Path>, timeout: Duration) -> Result<Self, KmsError> {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let wrong = |error: rustls::Error| setting(format!("TLS cannot be set up ({error}); name a PEM file"));
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .with_root_certificates(roots(ca_file)?)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(30));
        Ok(Self { client: builder.build(connector), timeout })
    }

    /// Sends `body` as JSON. What went wrong is told without header or body.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&'static str, &str)],
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(&body))).map_err(|error| error.to_string())?;
        match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Err(_) => Err("it does not answer in time".to_owned()),
            Ok(settled) => settled,
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let response = self.client.request(request).await;
        let response = response.map_err(|error| format!("it cannot be reached ({})", root_cause(&error)))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST).collect().await;
        let body = body.map_err(|error| format!("its answer breaks off ({error})"))?;
        Ok(Answer { status, text: Zeroizing::new(body.to_bytes().to_vec()) })
    }
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, KmsError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_file else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    let wrong = |fault: String| setting(format!("{}: {fault}; name a PEM file", path.display()));
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| wrong(error.to_string()))?;
    if roots.add_parsable_certificates(found).0 == 0 {
        return Err(wrong("holds no certificate".to_owned()));
    }
    Ok(roots)
}

/// The innermost reason: the outer ones only say that there is one.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn setting(mend: String) -> KmsError {
    KmsError::Setting { key: "kms.ca_file", mend }
}

/// Answers are a few hundred bytes, lists a few hundred thousand.
const LONGEST: usize = 16 << 20;
