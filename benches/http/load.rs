//! The load generator: a lean HTTP/1.1 client over connections that stay open, and slices of load driven through it.
//!
//! One thread for all connections, requests written from templates, answers read for their status and length only, so
//! that the generator's share of the machine is small and the same for everyone it drives.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest answer that is read: a batch's is a few hundred kilobytes.
const LONGEST_ANSWER: usize = 16 << 20;

/// What a slice asks, request by request.
pub trait Load {
    /// Writes the next request into the empty buffer and names it; none if nothing is left to ask.
    fn ask(&mut self, request: &mut Vec<u8>) -> Option<u64>;

    /// Looks at the answer to the request of this name; fails the run if it is not the right one.
    fn answered(&mut self, name: u64, answer: &Answer<'_>);
}

/// An answer, still in the connection's buffer.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// Ends the run, loudly, unless the status is this one.
    #[track_caller]
    pub fn expect(&self, status: u16) {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(self.body));
    }
}

/// One connection that stays open.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub async fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens");
        stream.set_nodelay(true).expect("no delay");
        Self { stream, read: Vec::with_capacity(64 * 1024) }
    }

    /// Sends one request and waits for the whole answer.
    pub async fn exchange(&mut self, request: &[u8]) -> Answer<'_> {
        self.stream.write_all(request).await.expect("the server takes the request");
        self.read.clear();
        loop {
            let count = self.stream.read_buf(&mut self.read).await.expect("the server answers");
            assert!(count > 0, "the server hung up in the middle of an answer");
            assert!(self.read.len() < LONGEST_ANSWER, "an answer without end");
            if let Some((status, start)) = complete(&mut self.read) {
                return Answer { status, body: &self.read[start..] };
            }
        }
    }
}

/// Status and beginning of the body, once the whole answer is there (RFC 9112). A body that came in chunks is one piece
/// afterwards.
fn complete(read: &mut Vec<u8>) -> Option<(u16, usize)> {
    let head = read.windows(4).position(|end| end == b"\r\n\r\n")?;
    let (start, text) = (head + 4, std::str::from_utf8(&read[..head]).expect("a head in ASCII"));
    let status = text.get(9..12).and_then(|status| status.parse().ok()).expect("a status line");
    let header = |name: &str| {
        let line = text.lines().find(|line| line.get(..name.len()).is_some_and(|own| own.eq_ignore_ascii_case(name)));
        line.map(|line| line[name.len()..].trim())
    };
    if header("transfer-encoding:") == Some("chunked") {
        if !read.ends_with(b"\r\n0\r\n\r\n") {
            return None;
        }
        join_chunks(read, start);
        return Some((status, start));
    }
    let length: usize = header("content-length:").map_or(0, |length| length.parse().expect("a length"));
    (read.len() >= start + length).then_some((status, start))
}

/// Moves the chunks from `start` on together.
fn join_chunks(read: &mut Vec<u8>, start: usize) {
    let (mut from, mut to) = (start, start);
    loop {
        let line = read[from..].windows(2).position(|end| end == b"\r\n").expect("a line with a chunk's size");
        let size =
            std::str::from_utf8(&read[from..from + line]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let size = size.expect("a chunk's size");
        if size == 0 {
            read.truncate(to);
            return;
        }
        from += line + 2;
        read.copy_within(from..from + size, to);
        (from, to) = (from + size + 2, to + size);
    }
}

/// Appends a POST of JSON.
pub fn post(request: &mut Vec<u8>, path: &str, key: &str, body: &[u8]) {
    use std::io::Write as _;
    write!(
        request,
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .expect("memory takes it");
    request.extend_from_slice(body);
}

/// Appends a GET.
pub fn get(request: &mut Vec<u8>, path: &str, key: &str) {
    use std::io::Write as _;
    write!(request, "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n\r\n")
        .expect("memory takes it");
}

/// What a slice came to.
#[derive(Default)]
pub struct Slice {
    pub requests: u64,
    pub elapsed: Duration,
    /// Of each request, in microseconds, in no order.
    pub latencies: Vec<u32>,
}

impl Slice {
    pub fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.elapsed += other.elapsed;
        self.latencies.extend(other.latencies);
    }

    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Drives `load` over so many connections, until the time is over or nothing is left to ask. Every request that was
/// sent is waited for and counted, with the time it took.
pub async fn drive(port: u16, connections: usize, length: Duration, load: &mut dyn Load) -> Slice {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(port).await);
    }
    let shared = RefCell::new((load, Vec::with_capacity(1 << 16)));
    let began = Instant::now();
    join_all(open.iter_mut().map(|connection| keep_asking(connection, began + length, &shared))).await;
    let elapsed = began.elapsed();
    let (_, latencies) = shared.into_inner();
    Slice { requests: latencies.len() as u64, elapsed, latencies }
}

async fn keep_asking(connection: &mut Connection, end: Instant, shared: &RefCell<(&mut dyn Load, Vec<u32>)>) {
    let mut request = Vec::with_capacity(1024);
    loop {
        let began = Instant::now();
        request.clear();
        if began >= end {
            return;
        }
        let Some(name) = shared.borrow_mut().0.ask(&mut request) else { return };
        let answer = connection.exchange(&request).await;
        let (load, latencies) = &mut *shared.borrow_mut();
        latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
        load.answered(name, &answer);
    }
}

/// The latency that this share of the requests did not exceed, in milliseconds.
pub fn quantile_ms(latencies: &mut [u32], share: f64) -> f64 {
    if latencies.is_empty() {
        return f64::NAN;
    }
    let place = ((latencies.len() - 1) as f64 * share).round() as usize;
    let (_, value, _) = latencies.select_nth_unstable(place);
    f64::from(*value) / 1_000.0
}
