//! Kannel, as Debian has it: bearerbox and smsbox on the configuration of `docs/examples`, with its fake SMSC in the
//! modem's place, which is a line of text for each message.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{ANNA, BEN, Cast};
use crate::service::{eventually, free_port};

const CONF: &str = include_str!("../../../docs/examples/kannel.conf");
const TOML: &str = include_str!("../../../docs/examples/kannel.toml");

/// A running Kannel, ended when dropped.
struct Kannel {
    boxes: Vec<Child>,
    air: TcpStream,
    lines: mpsc::UnboundedReceiver<String>,
    _folder: tempfile::TempDir,
}

impl Drop for Kannel {
    fn drop(&mut self) {
        for child in self.boxes.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn is_installed() -> bool {
    let found = ["/usr/sbin/bearerbox", "/usr/sbin/smsbox"].iter().all(|path| Path::new(path).is_file());
    let required = std::env::var("BAUTA_TEST_REQUIRE").is_ok_and(|value| value == "all");
    assert!(found || !required, "not installed: kannel");
    if !found {
        eprintln!("skipped, not installed: kannel");
    }
    found
}

async fn connected(port: u16) -> TcpStream {
    eventually("Kannel listens", 20, async || TcpStream::connect(("127.0.0.1", port)).ok()).await
}

impl Kannel {
    /// On the example's configuration, but for ports and modem, calling `bauta`.
    async fn start(bauta: &str, sendsms: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (admin, boxes, air) = (free_port(), free_port(), free_port());
        let (conf, _) = CONF.split_once("# The modem.").unwrap();
        let conf = conf
            .replace("13000", &admin.to_string())
            .replace("13001", &boxes.to_string())
            .replace("13013", &sendsms.to_string())
            .replace("127.0.0.1:8080", bauta);
        let modem = format!(
            "group = smsc\nsmsc = fake\nsmsc-id = modem\nport = {air}\nconnect-allow-ip = 127.0.0.1\n\
             my-number = \"+16045550100\"\n"
        );
        std::fs::write(folder.path().join("kannel.conf"), conf + &modem).unwrap();
        let run = |program: &str| {
            let mut command = Command::new(program);
            command.arg("kannel.conf").current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().unwrap()
        };
        let mut children = vec![run("/usr/sbin/bearerbox")];
        connected(boxes).await;
        children.push(run("/usr/sbin/smsbox"));
        connected(sendsms).await;
        let air = connected(air).await;
        let (sender, lines) = mpsc::unbounded_channel();
        let reader = BufReader::new(air.try_clone().unwrap());
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { boxes: children, air, lines, _folder: folder }
    }

    /// What the next device would get.
    async fn rings(&mut self) -> String {
        timeout(Duration::from_secs(20), self.lines.recv()).await.expect("a message in the air").unwrap()
    }

    /// A device writes.
    fn writes(&mut self, from: &str, to: &str, text: &str) {
        writeln!(self.air, "{from} {to} text {text}").unwrap();
    }
}

#[actix_web::test]
async fn texts_and_reports_cross_a_real_kannel_both_ways() {
    if !is_installed() {
        return;
    }
    let sendsms = free_port();
    let (_, section) = TOML.split_once("name = \"kannel\"\n").unwrap();
    let listen = free_port();
    let section = section
        .replace("127.0.0.1:13013", &format!("127.0.0.1:{sendsms}"))
        .replace("127.0.0.1%3A8080", &format!("127.0.0.1%3A{listen}"))
        .replace("+447700900099", "+16045550100")
        .replace("env:KANNEL_SENDSMS_PASSWORD", "change-me-2")
        .replace("env:KANNEL_CALLBACK_PASSWORD", "change-me-3")
        .replace("rate = 1 ", "rate = 0 ");
    let address = format!("127.0.0.1:{listen}");
    let mut cast = Cast::hire_at("kannel", &section, listen).await;
    let mut kannel = Kannel::start(&address, sendsms).await;
    let (a, b) = (cast.token(ANNA.0).await, cast.token(BEN.0).await);
    let (alias, x) = cast.bind(json!({"mode": "axb", "a": a, "b": b, "number": "+16045550100"})).await;

    kannel.writes(ANNA.0, &x, "is it still there? café & cake");
    assert_eq!(kannel.rings().await, format!("{x} {} text is it still there? café & cake", BEN.0));
    cast.settles(&alias, "delivered").await;
    kannel.writes(BEN.0, &x, "50% off, 验证");
    let text = kannel.rings().await;
    let (head, octets) = text.split_once(" ucs-2 ").expect("in UCS-2");
    assert_eq!((head, ucs2(octets).as_str()), (format!("{x} {}", ANNA.0).as_str(), "50% off, 验证"));
    cast.settles(&alias, "delivered").await;
    drop(kannel);
    cast.leaves_no_trace_of(&[ANNA, BEN]);
}

/// Octets with `%` before two hexadecimal digits, as UTF-16.
fn ucs2(text: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'%' => {
                let pair: Vec<u8> = rest.by_ref().take(2).collect();
                data_encoding::HEXUPPER_PERMISSIVE.decode(&pair).unwrap()[0]
            }
            b'+' => b' ',
            other => other,
        });
    }
    let units: Vec<u16> = octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).unwrap()
}
