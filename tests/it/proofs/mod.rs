//! By what callers prove who they are: TLS and client certificates (curl), access tokens, signed requests (npm
//! `http-message-signatures`). Every client here is one that we did not write.

mod certificates;
mod oauth;
mod signed;
mod tls;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;

use crate::service::{BAUTA, free_port};

/// Who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Writes a certificate and its key into `folder` as `NAME.pem` and `NAME.key`.
    pub fn issue(&self, folder: &Path, name: &str) -> PathBuf {
        self.issue_until(folder, name, 2096)
    }

    /// The same, good until the start of a year.
    pub fn issue_until(&self, folder: &Path, name: &str, year: i32) -> PathBuf {
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = folder.join(format!("{name}.pem"));
        replace(&path, &certificate.pem(), 0o644);
        replace(&path.with_extension("key"), &key.serialize_pem(), 0o600);
        path
    }
}

/// Puts a file in place by a rename, as certificate managers do.
pub fn replace(path: &Path, text: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(mode)).unwrap();
    std::fs::rename(&new, path).unwrap();
}

/// A `bauta serve` that speaks TLS, asked by curl.
pub struct Secure {
    child: Child,
    pub folder: tempfile::TempDir,
    /// Who signed what the service shows.
    pub authority: Authority,
    /// Who signs what clients may show.
    pub clients: Authority,
    port: u16,
}

/// What curl got.
#[derive(Debug)]
pub struct Got {
    /// curl's own; 0 if there was an answer.
    pub exit: i32,
    pub status: u16,
    pub head: String,
    pub body: String,
    pub said: String,
}

impl Got {
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Secure {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (authority, clients) = (Authority::new("servers"), Authority::new("clients"));
        authority.issue(folder.path(), "server");
        replace(&folder.path().join("ca.pem"), &authority.pem, 0o644);
        replace(&folder.path().join("clients.pem"), &clients.pem, 0o644);
        let port = free_port();
        let settings = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\nadmin = \"127.0.0.1:0\"\nclient_ca = \"clients.pem\"\n\
             tls = {{ cert = \"server.pem\", key = \"server.key\" }}\n[kms]\npath = \"kms\"\n"
        );
        std::fs::write(folder.path().join("bauta.toml"), settings).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = bauta(folder.path(), &["serve"]).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let secure = Self { child, folder, authority, clients, port };
        let deadline = Instant::now() + Duration::from_secs(30);
        while secure.curl("/readyz", &[]).status != 200 {
            assert!(Instant::now() < deadline, "not ready; it said:\n{}", secure.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        secure
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs a subcommand that has to succeed, and gives the words that it printed.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> Vec<String> {
        let output = bauta(self.folder.path(), arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
    }

    /// A new test tenant.
    pub fn tenant(&self, name: &str) -> String {
        self.cli(&["tenant", "create", name, "--mode", "test"]).pop().unwrap()
    }

    pub fn credential(&self, tenant: &str, person: &str, more: &[&str]) -> Vec<String> {
        let base = ["credential", "create", "--tenant", tenant, "--role", "business", "--person", person];
        self.cli(&[&base[..], more].concat())
    }

    /// One request by curl, which trusts `ca.pem` of the folder.
    pub fn curl(&self, path: &str, more: &[&str]) -> Got {
        let output = Command::new("curl")
            .args([
                "-sS",
                "-i",
                "--http1.1",
                "--max-time",
                "20",
                "-w",
                "\n%{http_code}",
                "--cacert",
                &self.path("ca.pem"),
            ])
            .args(more)
            .arg(format!("https://127.0.0.1:{}{path}", self.port))
            .stdin(Stdio::null())
            .output()
            .expect("curl is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (answer, status) = text.rsplit_once('\n').unwrap_or(("", "0"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
        Got {
            exit: output.status.code().unwrap_or(-1),
            status: status.parse().unwrap_or(0),
            head: head.to_lowercase(),
            body: body.to_owned(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The same with a key, and with a client certificate unless `certificate` is empty.
    pub fn ask(&self, key: &str, certificate: &str) -> Got {
        let bearer = format!("Authorization: Bearer {key}");
        let (cert, private) = (self.path(&format!("{certificate}.pem")), self.path(&format!("{certificate}.key")));
        let mut more = Vec::new();
        if !key.is_empty() {
            more.extend(["-H", &bearer]);
        }
        if !certificate.is_empty() {
            more.extend(["--cert", &cert, "--key", &private]);
        }
        self.curl("/v1/tenant", &more)
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the service said:\n{}", self.log());
        }
    }
}

/// A subcommand on the settings and files of a folder.
pub fn bauta(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(BAUTA);
    command.args(arguments).args(["--config", "bauta.toml", "--data", "data"]).current_dir(folder).stdin(Stdio::null());
    command
}
