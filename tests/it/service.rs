//! A real `bauta serve` in a folder of its own, and a client for it.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub const BAUTA: &str = env!("CARGO_BIN_EXE_bauta");

/// A service that is up, with all that it writes.
pub struct Service {
    child: Option<Child>,
    /// `http://127.0.0.1:port`
    pub base: String,
    folder: TempDir,
    client: reqwest::Client,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.text))
    }

    /// The field at a JSON pointer, as text.
    pub fn text_at(&self, pointer: &str) -> String {
        match self.json().pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => panic!("no {pointer} in {} {}", self.status, self.text),
        }
    }

    pub fn code(&self) -> String {
        self.text_at("/code")
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Service {
    /// With built-in settings.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// With these settings besides the listeners' addresses and the place of the keys, outside the data folder.
    pub async fn start_with(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let settings = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\nadmin = \"127.0.0.1:0\"\n[kms]\npath = \"kms\"\n{settings}"
        );
        std::fs::write(folder.path().join("bauta.toml"), &settings).expect("settings");
        let mut service = Self {
            child: None,
            base: format!("http://127.0.0.1:{port}"),
            folder,
            client: reqwest::Client::builder().timeout(Duration::from_secs(20)).build().expect("a client"),
        };
        service.restart().await;
        service
    }

    /// Starts the process again on the same files, after [`Self::stop`] or [`Self::kill`].
    pub async fn restart(&mut self) {
        let log =
            std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).expect("a log");
        let child =
            self.command(&["serve"]).stdout(log.try_clone().expect("a log")).stderr(log).spawn().expect("bauta");
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.client.get(format!("{}/readyz", self.base)).send().await.map_or(true, |r| !r.status().is_success()) {
            assert!(Instant::now() < deadline, "not ready; it said:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends the process as an operator would, and waits until it has.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }

    /// Ends the process as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The folder with all that the service writes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BAUTA);
        command
            .args(arguments)
            .args(["--config", "bauta.toml", "--data", "data"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a subcommand beside the service.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("bauta")
    }

    /// Runs a subcommand that has to succeed, and gives its last printed word.
    #[track_caller]
    pub fn cli_word(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text.split_whitespace().last().unwrap_or_default().to_owned()
    }

    pub fn tenant(&self, name: &str, mode: &str) -> String {
        self.cli_word(&["tenant", "create", name, "--mode", mode])
    }

    pub fn credential(&self, tenant: &str, role: &str, person: &str, more: &[&str]) -> String {
        let base = ["credential", "create", "--tenant", tenant, "--role", role, "--person", person];
        self.cli_word(&[&base[..], more].concat())
    }

    pub async fn call(&self, method: &str, path: &str, key: &str, body: Option<Value>) -> Answer {
        let mut request = self.client.request(method.parse().expect("a method"), format!("{}{path}", self.base));
        if !key.is_empty() {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }

    pub async fn post(&self, path: &str, key: &str, body: Value) -> Answer {
        self.call("POST", path, key, Some(body)).await
    }

    pub async fn get(&self, path: &str, key: &str) -> Answer {
        self.call("GET", path, key, None).await
    }

    /// A request built by the test itself.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().expect("a method"), format!("{}{path}", self.base))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the service said:\n{}", self.log());
        }
    }
}

pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.expect("a body"),
    }
}

/// Asks until `probe` gives something, or fails after `seconds`.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, seconds: u64, mut probe: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {seconds} s");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port()
}
