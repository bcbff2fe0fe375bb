//! A real `bauta serve` in a folder of its own, set up as an operator would: settings file, terminal, HTTP.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::load::{self, Connection};

/// The program that is measured, unless [`OTHER`] names one.
const BAUTA: &str = env!("CARGO_BIN_EXE_bauta");
/// A variable that names another build, to compare two.
const OTHER: &str = "BAUTA_BENCH_PROGRAM";
/// Counted as ever, and never used up.
const BUDGETS: &str = "[default]\nreveal = 1_000_000_000\nlookup = 1_000_000_000\ntokenize = 1_000_000_000\n";
/// No start takes this long.
const PATIENCE: Duration = Duration::from_secs(20);
/// Ticks of `/proc` in a second (`getconf CLK_TCK`): 100 on every Linux that runs here.
const TICKS: f64 = 100.0;

/// A service that is up. It ends with its owner.
pub struct Service {
    folder: TempDir,
    child: Option<Child>,
    pub port: u16,
    /// From the process's start to the first `/readyz` that said yes.
    pub ready_after: Duration,
}

impl Service {
    /// With default settings, the listeners on ports of their own, the keys apart from the data, so that live tenants may
    /// be made. `more` goes into the settings as it is.
    pub fn start(more: &str) -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"), more)
    }

    fn start_in(folder: TempDir, more: &str) -> Self {
        let port = free_port();
        let settings =
            format!("[server]\nlisten = \"127.0.0.1:{port}\"\nadmin = \"127.0.0.1:0\"\n[kms]\npath = \"kms\"\n{more}");
        std::fs::write(folder.path().join("bauta.toml"), settings).expect("settings");
        let mut service = Self { folder, child: None, port, ready_after: Duration::ZERO };
        service.restart();
        service
    }

    /// The same with daily budgets that no slice uses up.
    pub fn start_to_measure(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let policies = folder.path().join("policies");
        std::fs::create_dir(&policies).expect("a folder");
        std::fs::write(policies.join("roles.cedar"), include_str!("../../policies/roles.cedar")).expect("policies");
        std::fs::write(policies.join("budgets.toml"), BUDGETS).expect("budgets");
        Self::start_in(folder, &format!("[policies]\ndir = \"policies\"\n{more}"))
    }

    /// Starts the process on the files that are there.
    pub fn restart(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log"));
        let log = log.expect("a log");
        let mut command = self.command(&["serve"]);
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        let began = Instant::now();
        self.child = Some(command.spawn().expect("bauta starts"));
        while !is_ready(self.port) {
            assert!(began.elapsed() < PATIENCE, "not ready; it said:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(1));
        }
        self.ready_after = began.elapsed();
    }

    /// Ends the process as an operator would, and waits until it has.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os(OTHER).unwrap_or_else(|| BAUTA.into()));
        command.args(arguments).args(["--config", "bauta.toml", "--data", "data"]);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Runs a subcommand beside the service, and gives its last printed word.
    fn terminal(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("bauta runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text.split_whitespace().last().unwrap_or_default().to_owned()
    }

    pub fn tenant(&self, mode: &str) -> String {
        self.terminal(&["tenant", "create", &format!("Bench {mode}"), "--mode", mode])
    }

    /// A key that the running service knows already.
    pub async fn credential(&self, tenant: &str, role: &str) -> String {
        let arguments = ["credential", "create", "--tenant", tenant, "--role", role, "--person", "bench"];
        let key = self.terminal(&arguments);
        let began = Instant::now();
        while self.ask("GET", "/v1/tenant", &key, None).await.0 == 401 {
            assert!(began.elapsed() < PATIENCE, "a new credential is not known");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        key
    }

    /// One request on a connection of its own.
    pub async fn ask(&self, method: &str, path: &str, key: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = Vec::new();
        match body {
            Some(body) => load::post(&mut request, path, key, body.to_string().as_bytes()),
            None => load::get(&mut request, path, key),
        }
        assert!(request.starts_with(method.as_bytes()));
        let mut connection = Connection::open(self.port).await;
        let answer = connection.exchange(&request).await;
        (answer.status, serde_json::from_slice(answer.body).expect("an answer in JSON"))
    }

    /// A POST that has to succeed.
    pub async fn make(&self, path: &str, key: &str, body: &Value) -> Value {
        let (status, answer) = self.ask("POST", path, key, Some(body)).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// Waits until the service does nothing any more, so that the next slice is not charged with what the last one left.
    pub async fn settle(&self) {
        let (began, mut quiet) = (Instant::now(), 0);
        while quiet < 4 {
            let before = (self.cpu_seconds(), self.written());
            tokio::time::sleep(Duration::from_millis(100)).await;
            let is_quiet = self.written() == before.1 && self.cpu_seconds() - before.0 <= 1.0 / TICKS;
            quiet = if is_quiet { quiet + 1 } else { 0 };
            assert!(began.elapsed() < 6 * PATIENCE, "the service does not come to rest");
        }
    }

    /// Bytes that the process has written to files.
    fn written(&self) -> String {
        let io = self.proc("io");
        io.lines().find(|line| line.starts_with("write_bytes:")).expect("write_bytes").to_owned()
    }

    /// Processor time that the process has used, all threads, user and system.
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds(self.child.as_ref().expect("a running service").id())
    }

    /// Bytes of the database. Ends the process and starts it again, so that all of the WAL is in the file.
    pub fn disk(&mut self) -> u64 {
        self.stop();
        let file = self.folder.path().join("data").join("bauta.db");
        let bytes = std::fs::metadata(file).expect("the database").len();
        self.restart();
        bytes
    }

    /// Resident memory, in MB.
    pub fn resident_mb(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        let kb: f64 = line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("kilobytes");
        kb / 1_024.0
    }

    fn proc(&self, file: &str) -> String {
        let id = self.child.as_ref().expect("a running service").id();
        std::fs::read_to_string(Path::new("/proc").join(id.to_string()).join(file)).expect("a process of Linux")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let last = log.lines().rev().take(20).collect::<Vec<_>>();
            eprintln!("the service last said, newest first:\n{}", last.join("\n"));
        }
    }
}

/// Processor time that a process has used, all threads, user and system.
pub fn cpu_seconds(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("a process of Linux");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    let fields: Vec<&str> = fields.split(' ').collect();
    // proc(5): utime is field 14 and stime 15; the name is 2 and `fields` begins at 3.
    let ticks = |place: usize| fields[place - 3].parse::<f64>().expect("ticks");
    (ticks(14) + ticks(15)) / TICKS
}

fn is_ready(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    asked.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && answer.starts_with("HTTP/1.1 200")
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}
