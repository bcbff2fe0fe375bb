//! The doors that HTTP comes in by: bound first, opened once the rooms behind them are.
//!
//! Called by `bauta serve` and the demo ([`Doors::bind`]) and by [`App::serve`] ([`open`]).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App as Http, HttpServer, web};

use super::{App, AppError};
use crate::api;
use crate::config::Config;
use crate::pages;

/// Listeners that are bound and not yet answered.
pub struct Doors {
    public: TcpListener,
    admin: TcpListener,
    /// Where the public listener is.
    pub address: SocketAddr,
    /// Where metrics are.
    pub admin_address: SocketAddr,
}

impl Doors {
    /// Binds the listeners, and notes in `config` where the public one really is.
    ///
    /// # Errors
    /// [`AppError::Bind`].
    pub fn bind(config: &mut Config) -> Result<Self, AppError> {
        let public = listen("server.listen", config.listen)?;
        let admin = match config.admin {
            Some(address) => listen("server.admin", address)?,
            None => listen("server.admin", ADMIN).or_else(|_| listen("server.admin", (ADMIN.ip(), 0).into()))?,
        };
        let address = public.local_addr()?;
        let admin_address = admin.local_addr()?;
        config.listen = address;
        Ok(Self { public, admin, address, admin_address })
    }
}

/// Starts answering on both listeners.
pub(super) fn open(app: &App, Doors { public, admin, .. }: Doors) -> Result<[ServerHandle; 2], AppError> {
    let api = web::Data::new(app.api());
    let public =
        HttpServer::new(move || Http::new().configure(pages::configure).configure(api::configure(api.clone())))
            .workers(std::thread::available_parallelism().map_or(2, usize::from))
            .disable_signals()
            .shutdown_timeout(10)
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(Duration::from_secs(10))
            .listen(public)?
            .run();
    let admin = HttpServer::new(|| Http::new().configure(api::admin))
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(admin)?
        .run();
    let handles = [public.handle(), admin.handle()];
    actix_web::rt::spawn(public);
    actix_web::rt::spawn(admin);
    Ok(handles)
}

fn listen(setting: &'static str, address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address).map_err(|source| AppError::Bind { setting, address, source })
}

/// Where metrics are if no address was written.
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// How long a connection may idle. What it last brought lies in its read buffer, which goes with it: so idle connections
/// hold nothing for longer than a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
