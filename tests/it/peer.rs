//! Peers that we did not write, driven by JSON lines: SMSCs (`tests/peers/smsc.mjs` on npm `smpp`, `smpplib_peer.py` on
//! PyPI `smpplib`) and receivers of webhooks (`webhooks.mjs`, `webhooks.py`, on `standardwebhooks` of both). What each
//! understands stands at the top of its own file.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a peer has for anything.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running peer; ended when dropped.
pub struct Peer {
    child: Child,
    commands: ChildStdin,
    events: mpsc::UnboundedReceiver<Value>,
    /// Events that came while another was waited for.
    seen: Vec<Value>,
    /// Where it listens.
    pub port: u16,
}

impl Peer {
    /// The SMSC on npm `smpp`; none, said aloud, where that is not installed.
    pub async fn smsc(arguments: &[&str]) -> Option<Self> {
        let installed = peers().join("node_modules/smpp").is_dir();
        let mut command = Command::new("node");
        command.arg(peers().join("smsc.mjs")).args(arguments);
        Self::start(command, installed, "npm smpp: `npm ci` in tests/peers").await
    }

    /// The SMSC on PyPI `smpplib`; none, said aloud, where that is not installed.
    pub async fn smpplib(arguments: &[&str]) -> Option<Self> {
        let python = root().join("target/peers-venv/bin/python");
        let mut command = Command::new(&python);
        command.arg(peers().join("smpplib_peer.py")).args(arguments);
        Self::start(command, python.is_file(), "smpplib: a venv in target/peers-venv").await
    }

    /// Twilio's own library and PyJWT, which sign and check as the carriers do; none where they are not installed.
    pub async fn signer() -> Option<Self> {
        let python = root().join("target/peers-venv/bin/python");
        let mut command = Command::new(&python);
        command.arg(peers().join("signer.py"));
        Self::start(command, python.is_file(), "twilio and pyjwt: a venv in target/peers-venv").await
    }

    /// The receiver of webhooks on npm `standardwebhooks`; none, said aloud, where that is not installed.
    pub async fn webhooks_in_node() -> Option<Self> {
        let installed = peers().join("node_modules/standardwebhooks").is_dir();
        let mut command = Command::new("node");
        command.arg(peers().join("webhooks.mjs"));
        Self::start(command, installed, "npm standardwebhooks: `npm ci` in tests/peers").await
    }

    /// The receiver of webhooks on PyPI `standardwebhooks`; none, said aloud, where that is not installed.
    pub async fn webhooks_in_python() -> Option<Self> {
        let python = root().join("target/peers-venv/bin/python");
        let check = ["-c", "import standardwebhooks"];
        let installed = Command::new(&python).args(check).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
        let mut command = Command::new(&python);
        command.arg(peers().join("webhooks.py"));
        Self::start(command, installed, "standardwebhooks: a venv in target/peers-venv").await
    }

    async fn start(mut command: Command, installed: bool, what: &str) -> Option<Self> {
        if !installed {
            let required = std::env::var("BAUTA_TEST_REQUIRE").is_ok_and(|value| value == "all");
            assert!(!required, "not installed: {what}");
            eprintln!("skipped, not installed: {what}");
            return None;
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        let commands = child.stdin.take().unwrap();
        let mut peer = Self { child, commands, events, seen: Vec::new(), port: 0 };
        peer.port = peer.next(|event| event.get("port").is_some()).await["port"].as_u64().unwrap().try_into().unwrap();
        Some(peer)
    }

    /// Gives a command, and returns once it is in force.
    pub async fn tell(&mut self, command: Value) {
        writeln!(self.commands, "{command}").unwrap();
        self.event("done").await;
    }

    /// Gives a command, and returns what comes of it.
    pub async fn ask(&mut self, command: Value) -> Value {
        writeln!(self.commands, "{command}").unwrap();
        self.event("done").await
    }

    /// The next event of this kind, also one that came earlier and was not asked for yet.
    pub async fn event(&mut self, kind: &str) -> Value {
        self.next(|event| event["event"] == kind).await
    }

    /// The next event that `wanted` wants; the others are kept.
    pub async fn next(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.seen.iter().position(&wanted) {
            return self.seen.remove(at);
        }
        let waiting = async {
            loop {
                let event = self.events.recv().await.expect("the peer ended");
                if wanted(&event) {
                    return event;
                }
                self.seen.push(event);
            }
        };
        match timeout(PATIENCE, waiting).await {
            Ok(event) => event,
            Err(_) => panic!("no such event; there were {:?}", self.seen),
        }
    }

    /// How many events of this kind came within `wait` and were not asked for.
    pub async fn count(&mut self, kind: &str, wait: Duration) -> usize {
        let _ = timeout(wait, self.next(|_| false)).await;
        self.seen.iter().filter(|event| event["event"] == kind).count()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn peers() -> PathBuf {
    root().join("tests/peers")
}
