//! Kannel beside us: Debian's `bearerbox`, which turns what comes over an SMPP link round to the same link.
//!
//! Nothing slower than it has to be stands in its way: no smsbox, no store, no receipts, no log, and a window as wide as
//! our SMSC's. What it does is less than what bauta does: it keeps nothing, looks nobody up and shows the writer as the
//! sender.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::relay::{Manner, Relayed, Route, Traffic, WINDOW};
use crate::service;
use crate::smsc::Smsc;

/// A running bearerbox with its link to our SMSC. It ends with its owner.
pub struct Kannel {
    child: Child,
    _folder: TempDir,
    smsc: Smsc,
    aliases: Vec<(String, String)>,
}

impl Kannel {
    /// None, said aloud, where it is not installed (`apt-get install kannel`).
    pub async fn start(aliases: &[(String, String)]) -> Option<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("kannel.conf"), settings(port)).expect("settings");
        let mut command = Command::new("bearerbox");
        command.args(["-v", "4", "kannel.conf"]).current_dir(folder.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(child) = child else {
            eprintln!("Kannel is not installed: its row is left out (apt-get install kannel)");
            return None;
        };
        let smsc = Smsc::bound(&listener, 0).await.expect("bearerbox binds");
        Some(Self { child, _folder: folder, smsc, aliases: aliases.to_vec() })
    }

    /// Turns messages round as fast as it takes them.
    pub async fn relay(&mut self, length: Duration) -> Relayed {
        let cpu = service::cpu_seconds(self.child.id());
        let mut traffic = Traffic::new(Route::Through(&self.aliases));
        traffic.run(&mut self.smsc, Manner { rate: None, receipts: false }, length).await;
        let cpu = service::cpu_seconds(self.child.id()) - cpu;
        traffic.done(cpu)
    }
}

impl Drop for Kannel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn settings(port: u16) -> String {
    let admin = service::free_port();
    let smsbox = service::free_port();
    format!(
        "group = core\nadmin-port = {admin}\nadmin-password = bench\nadmin-interface = 127.0.0.1\nsmsbox-port = {smsbox}\n\
         smsbox-interface = 127.0.0.1\nlog-level = 4\nsms-incoming-queue-limit = 1000000\n\
         sms-outgoing-queue-limit = 1000000\n\n\
         group = smsbox\nbearerbox-host = 127.0.0.1\n\ngroup = smsc\nsmsc = smpp\nsmsc-id = bench\nhost = 127.0.0.1\nport = {port}\ntransceiver-mode = true\n\
         smsc-username = bauta\nsmsc-password = bench\nsystem-type = \"\"\ninterface-version = 34\n\
         max-pending-submits = {WINDOW}\nthroughput = 0\nenquire-link-interval = 0\nreroute-smsc-id = bench\n"
    )
}
