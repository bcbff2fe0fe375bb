//! A real `bauta serve` in a folder of its own, and a client for it.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub const BAUTA: &str = env!("CARGO_BIN_EXE_bauta");

/// Every code that the checked-in document lists.
static DOCUMENTED: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).expect("the document");
    let codes = document.pointer("/components/schemas/Problem/properties/code/enum").and_then(Value::as_array);
    codes.expect("codes").iter().filter_map(Value::as_str).map(str::to_owned).collect()
});

/// A service that is up, with all that it writes.
pub struct Service {
    child: Option<Child>,
    /// `http://127.0.0.1:port`
    pub base: String,
    folder: TempDir,
    environment: Vec<(&'static str, PathBuf)>,
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

    /// The code of a problem, which has to be one that the checked-in document lists, in the form that it promises.
    #[track_caller]
    pub fn code(&self) -> String {
        let code = self.text_at("/code");
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        assert_eq!(self.text_at("/status"), self.status.to_string());
        assert_eq!(self.text_at("/type"), format!("/docs/problems#{code}"));
        assert_eq!(self.headers["x-request-id"], self.text_at("/request_id").as_str());
        assert!(DOCUMENTED.contains(&code), "docs/openapi.json does not list {code}");
        code
    }

    /// The body without the one field that differs from answer to answer.
    pub fn sans_request_id(&self) -> String {
        self.text.replace(&self.text_at("/request_id"), "")
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
        Self::start_in("[kms]\npath = \"kms\"\n", settings, &[]).await
    }

    /// With these settings of the KMS, in this environment.
    pub async fn start_with_kms(kms: &str, environment: &[(&'static str, PathBuf)]) -> Self {
        Self::start_in(&format!("[kms]\n{kms}"), "", environment).await
    }

    /// The same at an address that others have to know before: a free port of 127.0.0.1.
    pub async fn start_at(port: u16, settings: &str) -> Self {
        Self::start_on(port, "[kms]\npath = \"kms\"\n", settings, &[]).await
    }

    async fn start_in(kms: &str, settings: &str, environment: &[(&'static str, PathBuf)]) -> Self {
        Self::start_on(free_port(), kms, settings, environment).await
    }

    async fn start_on(port: u16, kms: &str, settings: &str, environment: &[(&'static str, PathBuf)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = format!("[server]\nlisten = \"127.0.0.1:{port}\"\nadmin = \"127.0.0.1:0\"\n{kms}{settings}");
        std::fs::write(folder.path().join("bauta.toml"), &settings).expect("settings");
        let mut service = Self {
            child: None,
            base: format!("http://127.0.0.1:{port}"),
            folder,
            environment: environment.to_vec(),
            client: reqwest::Client::builder().timeout(Duration::from_secs(20)).build().expect("a client"),
        };
        service.restart().await;
        service
    }

    /// Starts the process again on the same files, after [`Self::stop`] or [`Self::kill`].
    pub async fn restart(&mut self) {
        self.restart_with(&[]).await;
    }

    /// The same, with these variables in its environment.
    pub async fn restart_with(&mut self, variables: &[(&str, &str)]) {
        let log =
            std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).expect("a log");
        let child = self
            .command(&["serve"])
            .envs(variables.iter().copied())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("bauta");
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.client.get(format!("{}/readyz", self.base)).send().await.map_or(true, |r| !r.status().is_success()) {
            assert!(Instant::now() < deadline, "not ready; it said:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A start in this environment, which has to be refused. Gives the exit code and what it said.
    pub fn refused(&self, environment: &[(&str, &str)]) -> (Option<i32>, String) {
        let mut command = self.command(&["serve"]);
        let mut child = command.envs(environment.iter().copied()).stderr(Stdio::piped()).spawn().expect("bauta");
        let deadline = Instant::now() + Duration::from_secs(60);
        while child.try_wait().expect("a child").is_none() {
            if Instant::now() > deadline {
                let _ = child.kill();
                panic!("it started");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let ended = child.wait_with_output().expect("an end");
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    }

    /// Ends the process as an operator would, with SIGTERM, and waits until it has. None if it was not running.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        let _ = Command::new("kill").arg(child.id().to_string()).status();
        child.wait().ok()
    }

    /// The process's id, while it is ours to end.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
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

    /// A subcommand on this service's settings and files, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BAUTA);
        command
            .args(arguments)
            .args(["--config", "bauta.toml", "--data", "data"])
            .current_dir(self.folder.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
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
