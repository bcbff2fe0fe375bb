//! The doors that HTTP comes in by: bound first, opened once the rooms behind them are.
//!
//! With certificate files in the settings the public one speaks TLS, and follows them while it serves.
//!
//! Called by `bauta serve` and the demo ([`Doors::bind`]) and by [`App::serve`] ([`open`]).

use std::any::Any;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::{Extensions, ServerHandle};
use actix_web::middleware::{Condition, DefaultHeaders};
use actix_web::rt::net::TcpStream;
use actix_web::{App as Http, HttpServer, web};
use tokio::sync::watch;

use super::{App, AppError};
use crate::api;
use crate::config::Config;
use crate::event::{Actor, Event, What};
use crate::pages;
use crate::process;
use crate::store::{Change, Store};
use crate::telemetry;
use crate::tls::{self, Connection, Look, Tls};

/// Listeners that are bound and not yet answered.
pub struct Doors {
    public: TcpListener,
    admin: TcpListener,
    /// What the public one shows, if it speaks TLS.
    tls: Option<Tls>,
    /// Where the public listener is.
    pub address: SocketAddr,
    /// Where metrics are.
    pub admin_address: SocketAddr,
}

impl Doors {
    /// Reads the certificate, binds the listeners, and notes in `config` where they really are.
    ///
    /// # Errors
    /// [`AppError::Tls`], [`AppError::Bind`].
    pub fn bind(config: &mut Config) -> Result<Self, AppError> {
        let tls = config.tls.clone().map(Tls::open).transpose()?;
        let public = listen("server.listen", config.listen)?;
        let admin = match config.admin {
            Some(address) => listen("server.admin", address)?,
            None => listen("server.admin", ADMIN).or_else(|_| listen("server.admin", (ADMIN.ip(), 0).into()))?,
        };
        let address = public.local_addr()?;
        let admin_address = admin.local_addr()?;
        config.listen = address;
        config.admin = Some(admin_address);
        Ok(Self { public, admin, tls, address, admin_address })
    }
}

/// Starts answering on both listeners. What the public one shows comes back, to be followed.
pub(super) fn open(
    app: &App,
    Doors { public, admin, tls, .. }: Doors,
) -> Result<([ServerHandle; 2], Option<Tls>), AppError> {
    let api = web::Data::new(app.api());
    let secure = tls.is_some();
    let current = tls.as_ref().map(Tls::current);
    let server = HttpServer::new(move || {
        // This runs once on each thread that answers.
        process::keep_stack_wiped();
        Http::new()
            .wrap(Condition::new(secure, DefaultHeaders::new().add(STRICT_TRANSPORT)))
            .configure(pages::configure)
            .configure(api::configure(api.clone()))
    })
    .workers(std::thread::available_parallelism().map_or(2, usize::from))
    .disable_signals()
    .shutdown_timeout(10)
    .keep_alive(KEEP_ALIVE)
    // Long answers go out in pieces; none of them is to wait for the word that the one before has arrived.
    .tcp_nodelay(true)
    .client_request_timeout(Duration::from_secs(10))
    .tls_handshake_timeout(Duration::from_secs(10))
    .on_connect(move |io, connection| noted(io, connection, current.as_ref()));
    let server = match &tls {
        Some(tls) => server.listen_rustls_0_23(public, tls.server()?)?,
        None => server.listen(public)?,
    };
    let public = server.run();
    let admin = HttpServer::new(|| Http::new().configure(api::admin))
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(admin)?
        .run();
    let handles = [public.handle(), admin.handle()];
    actix_web::rt::spawn(public);
    actix_web::rt::spawn(admin);
    Ok((handles, tls))
}

/// Keeps with each TLS connection what its client showed in the handshake. A plain one has nothing.
fn noted(io: &dyn Any, connection: &mut Extensions, current: Option<&Arc<tls::Current>>) {
    if let (Some(stream), Some(current)) = (io.downcast_ref::<TlsStream<TcpStream>>(), current) {
        let (_, session) = stream.get_ref();
        connection.insert(Connection::of(session.peer_certificates(), current));
    }
}

/// Follows the certificate files until `stop` is true or its sender is gone, and tells the log what became of changes.
pub(super) async fn follow(mut tls: Tls, store: Arc<dyn Store>, mut stop: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let (outcome, what) = match tls.look() {
            Look::Same => continue,
            Look::Taken(certificate) => {
                tracing::info!(certificate, "the certificate files changed and are in force");
                ("taken", What::TlsReloaded { certificate })
            }
            Look::Refused(error) => {
                tracing::error!(%error, "the certificate files changed and cannot be used; the earlier ones stay");
                ("refused", What::TlsRefused { setting: error.key.to_owned() })
            }
        };
        telemetry::metrics().certificates.with_label_values(&[outcome]).inc();
        let event = Event { at: store.now(), tenant: None, actor: Actor::Worker, policy: None, what };
        if let Err(error) = store.commit(Change::telling(event)).await {
            tracing::warn!(%error, "a change of certificate is not in the log");
        }
    }
}

fn listen(setting: &'static str, address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address).map_err(|source| AppError::Bind { setting, address, source })
}

/// Where metrics are if no address was written.
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// How long a connection may idle. What it last brought lies in its read buffer, which goes with it: so idle connections
/// hold nothing for longer than a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// RFC 6797: a year. Browsers keep to TLS from the first answer on.
const STRICT_TRANSPORT: (&str, &str) = ("strict-transport-security", "max-age=31536000");
