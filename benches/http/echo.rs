//! What everything is compared with: a bare actix-web handler, one worker, `serde_json` in and out, nothing between.
//!
//! It reads the same request as `POST /v1/tokens` and answers a body of the same shape and size. It runs in a process
//! of its own, which is this program once more, so that it has a memory and a scheduler's share of its own as well.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::{Deserialize, Serialize};

/// The argument that makes this program the echo server.
pub const ARGUMENT: &str = "--be-the-echo-server";

#[derive(Deserialize)]
struct Wish {
    number: String,
    kind: String,
}

#[derive(Serialize)]
struct Made {
    token: String,
    kind: String,
    masked: String,
    country: &'static str,
    line_type: &'static str,
    created_at: &'static str,
    expires_at: Option<&'static str>,
}

async fn answer(wish: web::Json<Wish>) -> HttpResponse {
    let web::Json(Wish { number, kind }) = wish;
    HttpResponse::Created().json(Made {
        token: "tks_000000000000000000000000000000000000000000000000000000000".to_owned(),
        kind,
        masked: number,
        country: "VN",
        line_type: "mobile",
        created_at: "2025-01-01T00:00:00Z",
        expires_at: None,
    })
}

/// Serves until killed; prints its port first.
pub fn serve() {
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(|| App::new().route("/v1/tokens", web::post().to(answer)));
        let server = server.workers(1).bind(("127.0.0.1", 0)).expect("a port");
        println!("{}", server.addrs()[0].port());
        server.run().await.expect("the echo server runs");
    });
}

/// The echo server as a child; it ends with its owner.
pub struct Echo {
    child: Child,
    pub port: u16,
}

impl Echo {
    pub fn start() -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program).arg(ARGUMENT).stdout(Stdio::piped()).spawn().expect("the echo server");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("its port");
        Self { child, port: line.trim().parse().expect("its port") }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
