//! A small SMSC for load: takes transceiver binds, hands messages over as `deliver_sm`, answers every `submit_sm` at
//! once, and can be cut anywhere.
//!
//! SMPP 3.4, written by hand from the specification, only what load needs: little work for each message, and knowledge
//! of which answer was written before a cut. Shared by the load test and the relay rows of the bench. Whatever else a
//! client sends ends the run.

#![allow(dead_code, reason = "each of its users needs a part")]

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Command ids (§5.1.2.1); an answer has the request's with the highest bit set.
const SUBMIT_SM: u32 = 0x04;
const DELIVER_SM: u32 = 0x05;
const UNBIND: u32 = 0x06;
const BIND_TRANSCEIVER: u32 = 0x09;
const ENQUIRE_LINK: u32 = 0x15;
const ANSWER: u32 = 0x8000_0000;
/// Header: length, command, status, sequence, each four octets.
const HEADER: usize = 16;
/// `esm_class` of a receipt (§5.2.12).
const RECEIPT: u8 = 0x04;

const PATIENCE: Duration = Duration::from_secs(20);

/// What came over the link.
pub enum Came {
    /// A message for a handset, already answered under this id.
    Submitted { id: String, from: String, to: String, text: String },
    /// One of our requests was answered, with this status: 0 for taken.
    Taken { sequence: u32, status: u32 },
}

/// An SMSC with one client bound.
pub struct Smsc {
    stream: TcpStream,
    read: Vec<u8>,
    write: Vec<u8>,
    sequence: u32,
    ids: u64,
}

impl Smsc {
    /// Waits for a client and takes its bind. Ids go on from `ids`.
    ///
    /// # Errors
    /// The client hung up before it was bound.
    pub async fn bound(listener: &TcpListener, ids: u64) -> io::Result<Self> {
        let (stream, _) = timeout(PATIENCE, listener.accept()).await.expect("a client in time")?;
        stream.set_nodelay(true)?;
        let mut smsc = Self { stream, read: Vec::new(), write: Vec::new(), sequence: 0, ids };
        let bind = timeout(PATIENCE, smsc.pdu()).await.expect("a bind in time")?;
        assert_eq!(bind.command, BIND_TRANSCEIVER);
        smsc.answer(&bind, b"load\0");
        smsc.flush().await?;
        Ok(smsc)
    }

    /// Ids given so far.
    pub fn ids(&self) -> u64 {
        self.ids
    }

    /// Puts a message into the next write: from a short code, to a virtual number. Gives its sequence number.
    pub fn deliver(&mut self, from: &str, to: &str, text: &str) -> u32 {
        let mut body = addresses(0, from, 1, to);
        // esm_class, protocol_id, priority_flag, two empty times, registered_delivery, replace_if_present,
        // data_coding 0 (the SMSC's default alphabet), sm_default_msg_id.
        body.extend([0, 0, 0, 0, 0, 0, 0, 0, 0]);
        body.push(u8::try_from(text.len()).expect("one message"));
        body.extend_from_slice(text.as_bytes());
        self.request(DELIVER_SM, &body)
    }

    /// Puts a receipt of final delivery into the next write.
    pub fn receipt(&mut self, id: &str, from: &str, to: &str) {
        let text =
            format!("id:{id} sub:001 dlvrd:001 submit date:2501010000 done date:2501010000 stat:DELIVRD err:000");
        let mut body = addresses(1, from, 1, to);
        body.extend([RECEIPT, 0, 0, 0, 0, 0, 0, 0, 0]);
        body.push(u8::try_from(text.len()).expect("one message"));
        body.extend_from_slice(text.as_bytes());
        self.request(DELIVER_SM, &body);
    }

    /// Sends what was put together, in one write.
    ///
    /// # Errors
    /// The link is gone.
    pub async fn flush(&mut self) -> io::Result<()> {
        if !self.write.is_empty() {
            self.stream.write_all(&self.write).await?;
            self.write.clear();
        }
        Ok(())
    }

    /// Waits until something can be read. May be dropped while it waits.
    ///
    /// # Errors
    /// The link is gone.
    pub async fn readable(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Resets the connection after the first `octets` of what waits to be written, in the middle of a PDU as it may be.
    /// What the client has sent and what was not read goes with it.
    pub async fn cut(mut self, octets: usize) {
        self.write.truncate(octets);
        let _ = self.flush().await;
        let _ = self.stream.set_zero_linger();
    }

    /// Octets that wait to be written.
    pub fn unwritten(&self) -> usize {
        self.write.len()
    }

    /// What can be read without waiting; answers go into the next write.
    pub fn came(&mut self) -> Vec<Came> {
        let mut came = Vec::new();
        let read = std::mem::take(&mut self.read);
        let mut rest = read.as_slice();
        while let Some((pdu, after)) = Pdu::first(rest) {
            rest = after;
            came.extend(self.take(&pdu));
        }
        self.read = rest.to_vec();
        came
    }

    fn take(&mut self, pdu: &Pdu) -> Option<Came> {
        const TAKEN: u32 = DELIVER_SM | ANSWER;
        match pdu.command {
            SUBMIT_SM => {
                self.ids += 1;
                let id = format!("{:08x}", self.ids);
                self.answer(pdu, format!("{id}\0").as_bytes());
                let (from, to, text) = submitted(&pdu.body);
                return Some(Came::Submitted { id, from, to, text });
            }
            TAKEN => return Some(Came::Taken { sequence: pdu.sequence, status: pdu.status }),
            ENQUIRE_LINK | UNBIND => self.answer(pdu, b""),
            other => panic!("command {other:#x} was not expected"),
        }
        None
    }

    async fn pdu(&mut self) -> io::Result<Pdu> {
        loop {
            if let Some((pdu, after)) = Pdu::first(&self.read) {
                self.read = after.to_vec();
                return Ok(pdu);
            }
            self.readable().await?;
        }
    }

    fn request(&mut self, command: u32, body: &[u8]) -> u32 {
        self.sequence = self.sequence % 0x7fff_fffe + 1;
        put(&mut self.write, command, self.sequence, body);
        self.sequence
    }

    fn answer(&mut self, pdu: &Pdu, body: &[u8]) {
        put(&mut self.write, pdu.command | ANSWER, pdu.sequence, body);
    }
}

struct Pdu {
    command: u32,
    status: u32,
    sequence: u32,
    body: Vec<u8>,
}

impl Pdu {
    /// The first whole PDU, and what follows it.
    fn first(octets: &[u8]) -> Option<(Self, &[u8])> {
        let word = |place: usize| octets.get(place..place + 4)?.try_into().ok().map(u32::from_be_bytes);
        let length = word(0)? as usize;
        assert!((HEADER..65_536).contains(&length), "a PDU of {length} octets");
        let (pdu, after) = octets.split_at_checked(length)?;
        let body = pdu[HEADER..].to_vec();
        Some((Self { command: word(4)?, status: word(8)?, sequence: word(12)?, body }, after))
    }
}

fn put(into: &mut Vec<u8>, command: u32, sequence: u32, body: &[u8]) {
    let length = u32::try_from(HEADER + body.len()).expect("a short PDU");
    for word in [length, command, 0, sequence] {
        into.extend_from_slice(&word.to_be_bytes());
    }
    into.extend_from_slice(body);
}

/// `service_type` (empty), then type, plan and text of source and destination.
fn addresses(from_type: u8, from: &str, to_type: u8, to: &str) -> Vec<u8> {
    let mut body = vec![0, from_type, from_type];
    body.extend_from_slice(from.as_bytes());
    body.extend([0, to_type, to_type]);
    body.extend_from_slice(to.as_bytes());
    body.push(0);
    body
}

/// Source, destination and text of a `submit_sm` (§4.4.1); its text is ASCII here, which GSM 7 leaves as it is.
fn submitted(body: &[u8]) -> (String, String, String) {
    let (_service_type, rest) = c_string(body);
    let (from, rest) = c_string(&rest[2..]);
    let (to, rest) = c_string(&rest[2..]);
    let (_schedule, rest) = c_string(&rest[3..]);
    let (_validity, rest) = c_string(rest);
    let length = usize::from(rest[4]);
    (from, to, String::from_utf8(rest[5..5 + length].to_vec()).expect("ASCII"))
}

fn c_string(octets: &[u8]) -> (String, &[u8]) {
    let end = octets.iter().position(|octet| *octet == 0).expect("an end");
    (String::from_utf8(octets[..end].to_vec()).expect("ASCII"), &octets[end + 1..])
}
