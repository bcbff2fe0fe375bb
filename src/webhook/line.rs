//! One connection to an endpoint: resolved, judged, and only then made, to the very address that was judged.
//!
//! So a name that answers differently the second time gains nothing: there is no second time. A connection serves one
//! endpoint, one call after the other, and is dropped after the first trouble. What comes back is bounded in size and
//! time; nothing is followed anywhere.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::place::Place;
use super::reach::Reach;

/// Why a call failed before there was an answer. The names are shown in lists of deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The URL is none that may be called, by what settings now say.
    Refused,
    /// The name has no address.
    Unresolved,
    /// No address of the name may be called.
    Barred,
    /// Nobody answers at the address.
    Unreachable,
    /// No TLS, or none that can be believed.
    Tls,
    /// No answer in time.
    Timeout,
    /// What came back is no HTTP, or broke off.
    Broken,
}

impl Fault {
    /// Its name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "url_refused",
            Self::Unresolved => "unresolved",
            Self::Barred => "address_refused",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
        }
    }
}

/// From a name to addresses.
#[async_trait]
pub(super) trait Resolve: Send + Sync {
    /// Every address of `host`, none if it has none.
    async fn addresses(&self, host: &str, port: u16) -> Vec<SocketAddr>;
}

/// The system's resolver, on threads made for waiting. Somebody else's name server may take as long as it likes, and
/// the thread with it; so only some of those threads wait at a time, and the store keeps the others.
pub(super) struct System(Arc<Semaphore>);

impl Default for System {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS)))
    }
}

#[async_trait]
impl Resolve for System {
    async fn addresses(&self, host: &str, port: u16) -> Vec<SocketAddr> {
        let Ok(turn) = Arc::clone(&self.0).acquire_owned().await else { return Vec::new() };
        let host = host.to_owned();
        let found = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            (host.as_str(), port).to_socket_addrs().map(Iterator::collect).unwrap_or_default()
        });
        found.await.unwrap_or_default()
    }
}

/// What makes connections.
pub(super) struct Exchange {
    reach: Reach,
    names: Arc<dyn Resolve>,
    tls: OnceLock<Arc<ClientConfig>>,
}

/// A connection to one place.
pub(super) struct Line {
    to: Place,
    sender: SendRequest<Full<Bytes>>,
    running: AbortHandle,
}

/// What an endpoint answered.
pub(super) struct Reply {
    pub(super) code: u16,
    /// As much as was asked for; none if it was more, or did not come.
    pub(super) body: Option<Bytes>,
}

/// A call: its body and what is said about it.
pub(super) struct Call<'a> {
    pub(super) headers: &'a [(&'static str, String)],
    pub(super) body: &'a str,
    /// Bytes of the answer that are read at the most.
    pub(super) longest: usize,
    /// How long all of it may take.
    pub(super) within: Duration,
}

impl Exchange {
    pub(super) fn new(reach: Reach, names: Arc<dyn Resolve>) -> Self {
        Self { reach, names, tls: OnceLock::new() }
    }

    /// Whether plain HTTP can be allowed at all.
    pub(super) fn has_open_networks(&self) -> bool {
        self.reach.has_open_networks()
    }

    /// The addresses of a place that may be called.
    ///
    /// # Errors
    /// [`Fault::Unresolved`], [`Fault::Barred`].
    pub(super) async fn addresses(&self, place: &Place) -> Result<Vec<SocketAddr>, Fault> {
        let found = match place.address {
            Some(address) => vec![SocketAddr::new(address, place.port)],
            None => self.names.addresses(&place.host, place.port).await,
        };
        if found.is_empty() {
            return Err(Fault::Unresolved);
        }
        let may: Vec<_> = found.into_iter().filter_map(|to| self.reach.admits(to, place.secure)).collect();
        if may.is_empty() { Err(Fault::Barred) } else { Ok(may) }
    }

    /// Calls a place over `line` if that is open and leads there, else over a new connection, which is left in `line`
    /// if it can be used again.
    pub(super) async fn call(&self, line: &mut Option<Line>, place: &Place, call: &Call<'_>) -> Result<Reply, Fault> {
        let attempt = async {
            if let Some(mut open) = line.take().filter(|line| line.leads_to(place)) {
                match open.exchange(call).await {
                    // An endpoint may end a connection that idles, at any moment; that is no failure of the call.
                    Err(Fault::Broken) => {}
                    other => return other.map(|reply| (reply, open)),
                }
            }
            let mut open = self.connect(place).await?;
            open.exchange(call).await.map(|reply| (reply, open))
        };
        let ((reply, is_reusable), open) = timeout(call.within, attempt).await.map_err(|_| Fault::Timeout)??;
        if is_reusable {
            *line = Some(open);
        }
        Ok(reply)
    }

    async fn connect(&self, place: &Place) -> Result<Line, Fault> {
        let mut fault = Fault::Unreachable;
        for address in self.addresses(place).await?.into_iter().take(ADDRESSES) {
            let stream = match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(_)) => continue,
                Err(_) => {
                    fault = Fault::Timeout;
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
            if !place.secure {
                return Line::over(stream, place).await;
            }
            let name = server_name(place)?;
            let connector = TlsConnector::from(self.tls()?);
            let secured = connector.connect(name, stream).await.map_err(|_| Fault::Tls)?;
            return Line::over(secured, place).await;
        }
        Err(fault)
    }

    /// Made at the first use: reading the system's certificates takes longer than starting does.
    fn tls(&self) -> Result<Arc<ClientConfig>, Fault> {
        if let Some(known) = self.tls.get() {
            return Ok(Arc::clone(known));
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| Fault::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::clone(self.tls.get_or_init(|| Arc::new(config))))
    }
}

fn server_name(place: &Place) -> Result<ServerName<'static>, Fault> {
    match place.address {
        Some(IpAddr::V4(four)) => Ok(ServerName::IpAddress(IpAddr::V4(four).into())),
        Some(IpAddr::V6(six)) => Ok(ServerName::IpAddress(IpAddr::V6(six).into())),
        None => ServerName::try_from(place.host.clone()).map_err(|_| Fault::Tls),
    }
}

impl Line {
    async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, place: &Place) -> Result<Self, Fault> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD).max_headers(HEADERS);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|_| Fault::Broken)?;
        let running = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { to: place.clone(), sender, running: running.abort_handle() })
    }

    fn leads_to(&self, place: &Place) -> bool {
        self.to == *place && self.sender.is_ready()
    }

    /// One request and its answer, and whether the connection can be used again.
    async fn exchange(&mut self, call: &Call<'_>) -> Result<(Reply, bool), Fault> {
        let request = self.request(call)?;
        let response = self.sender.send_request(request).await.map_err(|_| Fault::Broken)?;
        let code = response.status().as_u16();
        // What an endpoint answers counts from its first line on; what follows is waited for only shortly.
        let body = timeout(DRAIN, drained(response, call.longest)).await.ok().flatten();
        let is_reusable = body.is_some();
        Ok((Reply { code, body }, is_reusable))
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<Full<Bytes>>, Fault> {
        let mut request = Request::post(self.to.path.as_str())
            .header(HOST, &self.to.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("bauta/", env!("CARGO_PKG_VERSION")));
        for (name, value) in call.headers {
            request = request.header(*name, value);
        }
        request.body(Full::new(Bytes::copy_from_slice(call.body.as_bytes()))).map_err(|_| Fault::Refused)
    }
}

async fn drained(response: Response<Incoming>, longest: usize) -> Option<Bytes> {
    Limited::new(response.into_body(), longest).collect().await.ok().map(|body| body.to_bytes())
}

impl Drop for Line {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Names looked up at once.
const LOOKUPS: usize = 64;
/// Addresses of one name that are tried.
const ADDRESSES: usize = 3;
/// How long each has to take the connection.
const CONNECT: Duration = Duration::from_secs(4);
/// How long the rest of an answer is waited for.
const DRAIN: Duration = Duration::from_secs(2);
/// Bytes of an answer's head.
const HEAD: usize = 64 << 10;
/// Lines of an answer's head.
const HEADERS: usize = 64;
