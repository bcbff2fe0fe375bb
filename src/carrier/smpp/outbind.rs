//! Links that the SMSC asks for: it connects to us and says who it is with `outbind`, and we bind over that connection
//! (SMPP 3.4 §2.2.1, §4.1.7).
//!
//! Whoever connects is a stranger until it has shown both words of the settings: it gets no octet from us before, and a
//! few seconds for them. Listening begins with the first link that waits, not when the carrier is made, so that commands
//! beside a running service do not fight over the port.

use std::net::SocketAddr;
use std::time::Duration;

use rusmpp_core::CommandId;
use subtle::ConstantTimeEq as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::frame::Frame;
use super::pdu;
use crate::config::{Hidden, SmppOutbind};

/// How long a stranger has to say who it is; others wait meanwhile.
const GREETING_TIME: Duration = Duration::from_secs(3);

/// Where one SMSC connects to us, and what it has to show.
pub(super) struct Outbind {
    listen: SocketAddr,
    system_id: String,
    password: Hidden,
    listener: OnceCell<TcpListener>,
}

impl Outbind {
    pub(super) fn new(settings: &SmppOutbind) -> Self {
        let SmppOutbind { listen, system_id, password } = settings.clone();
        Self { listen, system_id, password, listener: OnceCell::new() }
    }

    /// Waits for the SMSC's next connection.
    ///
    /// # Errors
    /// If the address cannot be listened on, or taking connections fails.
    pub(super) async fn accept(&self) -> std::io::Result<TcpStream> {
        let listener = self.listener.get_or_try_init(|| TcpListener::bind(self.listen)).await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            match timeout(GREETING_TIME, Frame::read(&mut stream)).await {
                Ok(Ok(frame)) if self.is_welcome(&frame) => return Ok(stream),
                _ => tracing::warn!(listen = %self.listen, "a connection without a right outbind was closed"),
            }
        }
    }

    fn is_welcome(&self, frame: &Frame) -> bool {
        let Some((system_id, password)) = pdu::outbind(&frame.body).filter(|_| frame.id == CommandId::Outbind) else {
            return false;
        };
        let id = system_id.as_bytes().ct_eq(self.system_id.as_bytes());
        bool::from(id & password.as_bytes().ct_eq(self.password.0.as_bytes()))
    }
}
