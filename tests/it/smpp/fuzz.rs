//! A hostile SMSC: PDUs that were sound once, damaged at random, by the thousand. Whatever it sends, the carrier neither
//! panics nor hangs, its link answers a sign of life after every volley, and a sound message still arrives whole.
//!
//! `tests/run --long` sends twenty times as many. `BAUTA_FUZZ_SEED=N` repeats a run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bauta::carrier::{Accepted, Address, Carrier, Inbox, InboxError, Incoming, Receipt, SmppCarrier, SmppTiming};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::{DEVICE, PATIENCE, X, config};

const DELIVER_SM: u32 = 5;
const DATA_SM: u32 = 0x103;
const ENQUIRE_LINK: u32 = 0x15;
const RESP: u32 = 0x8000_0000;
/// PDUs between two signs of life.
const VOLLEY: usize = 40;

/// Reads everything it is brought, as the relay would, and remembers the last text.
#[derive(Default)]
struct Reader {
    last: Mutex<String>,
    brought: AtomicU64,
}

#[async_trait]
impl Inbox for Reader {
    async fn message(&self, incoming: Incoming) -> Result<Accepted, InboxError> {
        self.brought.fetch_add(1, Ordering::Relaxed);
        if let Some(part) = incoming.part {
            assert!(part.total > 1 && (1..=part.total).contains(&part.number));
        }
        if let Ok(text) = incoming.body.to_text() {
            *self.last.lock().unwrap() = text.to_string();
        }
        Ok(Accepted::Carried)
    }

    async fn receipt(&self, receipt: Receipt) -> Result<(), InboxError> {
        self.brought.fetch_add(1, Ordering::Relaxed);
        assert!(!receipt.id.is_empty() && receipt.also.len() < 6);
        Ok(())
    }

    async fn malformed(&self, _: &str, fault: &str) {
        assert!(fault.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_'), "{fault}");
    }
}

/// Chance that can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end.max(1) as u64).unwrap()
    }

    fn octet(&mut self) -> u8 {
        let odd = [0, 1, 2, 0x1b, 0x40, 0x7f, 0x80, 0xff];
        if self.below(2) == 0 { odd[self.below(odd.len())] } else { u8::try_from(self.roll() & 0xff).unwrap() }
    }
}

fn pdu(command: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    [[length, command, 0, sequence].map(u32::to_be_bytes).concat().as_slice(), body].concat()
}

/// Bodies that are sound: text, parts by each header, payloads, receipts of both forms.
fn seeds() -> Vec<(u32, Vec<u8>)> {
    let addresses = format!("\0\x01\x01{DEVICE}\0\x01\x01{X}\0");
    let deliver = |esm: u8, coding: u8, text: &[u8], tlvs: &[u8]| {
        let fields = [esm, 0, 0, 0, 0, 0, 0, coding, 0, u8::try_from(text.len()).unwrap()];
        (DELIVER_SM, [addresses.as_bytes(), &fields, text, tlvs].concat())
    };
    let data = |esm: u8, coding: u8, tlvs: &[u8]| (DATA_SM, [addresses.as_bytes(), &[esm, 0, coding], tlvs].concat());
    let receipt =
        b"id:0000A1B2 sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:UNDELIV err:027 text:x";
    vec![
        deliver(0, 0, b"Your code is 178781", b""),
        deliver(0, 8, &[0x9a, 0x8c, 0xd8, 0x3d, 0xde, 0x00, 0, 0x31], b""),
        deliver(0x40, 0, b"\x05\x00\x03\x07\x02\x01first half", b""),
        deliver(0x40, 8, b"\x06\x08\x04\x12\x34\x02\x02\0h\0i", b""),
        deliver(0x40, 0, b"\x03\x24\x01\x01code \x1be", b""),
        deliver(0x40, 4, b"\x06\x05\x04\x0b\x84\x23\xf0wap", b""),
        deliver(0, 6, b"\xba\xde\xd4 1", b"\x02\x0c\x00\x02\x01\x02\x02\x0e\x00\x01\x02\x02\x0f\x00\x01\x01"),
        deliver(0, 0, b"", b"\x04\x24\x00\x05hello\x14\x03\x00\x02xx"),
        deliver(4, 0, receipt, b""),
        deliver(4, 0, b"", b"\x00\x1e\x00\x05A1B2\0\x04\x27\x00\x01\x05\x04\x23\x00\x03\x03\x00\x1b"),
        deliver(0x20, 0, receipt, b"\x04\x25\x00\x01\x01"),
        data(0, 8, b"\x04\x24\x00\x04\0h\0i"),
        data(0x40, 0, b"\x04\x24\x00\x08\x05\x00\x03\x07\x02\x01hi"),
        data(4, 0, b"\x00\x1e\x00\x05a1b2\0\x04\x27\x00\x01\x02"),
        (ENQUIRE_LINK, Vec::new()),
        (RESP | 4, b"stray\0\x04\x28\x00\x01\x63".to_vec()),
        (RESP, Vec::new()),
        (0x0b, b"smsc\0hush\0".to_vec()),
        (0x102, addresses.clone().into_bytes()),
    ]
}

fn damaged(dice: &mut Dice, body: &mut Vec<u8>) {
    for _ in 0..=dice.below(5) {
        let at = dice.below(body.len());
        match dice.below(7) {
            0 if !body.is_empty() => body[at] = dice.octet(),
            1 if !body.is_empty() => body[at] ^= 1 << dice.below(8),
            2 => body.insert(at, dice.octet()),
            3 if !body.is_empty() => drop(body.remove(at)),
            4 => body.truncate(at),
            5 => {
                let end = at + dice.below(body.len() - at.min(body.len()));
                let again = body.get(at..end).unwrap_or_default().to_vec();
                body.splice(at..at, again);
            }
            _ => body.extend((0..dice.below(300)).map(|n| u8::try_from(n % 256).unwrap()).collect::<Vec<_>>()),
        }
    }
}

/// One damaged PDU; seldom with a command or a length of its own.
fn hostile(dice: &mut Dice, seeds: &[(u32, Vec<u8>)], sequence: u32) -> Vec<u8> {
    let (mut command, mut body) = seeds[dice.below(seeds.len())].clone();
    damaged(dice, &mut body);
    if dice.below(12) == 0 {
        command = u32::try_from(dice.roll() & 0x8000_01ff).unwrap();
    }
    // An unbind would be obeyed, which is another test.
    if command & !RESP == 6 {
        command = DELIVER_SM;
    }
    let mut octets = pdu(command, sequence, &body);
    if dice.below(200) == 0 {
        let length = [0u32, 15, 16, 65_537, u32::MAX, 17][dice.below(6)];
        octets[..4].copy_from_slice(&length.to_be_bytes());
    }
    octets
}

/// The SMSC's end of one link: what it writes, and the sequence numbers of the signs of life it got.
struct Wire {
    writing: OwnedWriteHalf,
    alive: mpsc::UnboundedReceiver<u32>,
}

impl Wire {
    /// Takes the next link and its bind.
    async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = timeout(PATIENCE, listener.accept()).await.expect("it binds again").unwrap();
        Self::greet(stream).await
    }

    async fn greet(stream: TcpStream) -> Self {
        let (mut reading, mut writing) = stream.into_split();
        let (command, _, sequence) = read(&mut reading).await.expect("a bind");
        writing.write_all(&pdu(command | RESP, sequence, b"smsc\0")).await.unwrap();
        let (told, alive) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some((command, _, sequence)) = read(&mut reading).await {
                if command == ENQUIRE_LINK | RESP {
                    let _ = told.send(sequence);
                }
            }
        });
        Self { writing, alive }
    }

    /// Whether the link answers a sign of life; false if it ended, which a length that no PDU has brings about.
    async fn is_alive(&mut self, sequence: u32) -> bool {
        if self.writing.write_all(&pdu(ENQUIRE_LINK, sequence, b"")).await.is_err() {
            return false;
        }
        let answered = async {
            while let Some(answered) = self.alive.recv().await {
                if answered == sequence {
                    return true;
                }
            }
            false
        };
        timeout(PATIENCE, answered).await.expect("the link hangs")
    }
}

/// What we are sent has to be sound: its command, status and sequence number; none at the end.
async fn read(link: &mut OwnedReadHalf) -> Option<(u32, u32, u32)> {
    let length = link.read_u32().await.ok()?;
    assert!((16..=1_024).contains(&length), "a PDU of {length} octets");
    let mut rest = vec![0; usize::try_from(length - 4).unwrap()];
    link.read_exact(&mut rest).await.ok()?;
    let word = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap());
    Some((word(0), word(4), word(8)))
}

/// Counts panics of the program, wherever they happen.
fn count_panics() -> Arc<AtomicU64> {
    let (panics, before) = (Arc::new(AtomicU64::new(0)), std::panic::take_hook());
    let counted = panics.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map_or("", |place| place.file());
        if place.starts_with("src/") || place.contains("rusmpp") || place.ends_with("smpp/fuzz.rs") {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        before(panic);
    }));
    panics
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_smsc_brings_the_carrier_down() {
    let seed = std::env::var("BAUTA_FUZZ_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 32 | 0x9e37_79b9);
    println!("BAUTA_FUZZ_SEED={seed}");
    let is_long = std::env::var("PROPTEST_CASES").is_ok();
    let (mut dice, volleys) = (Dice(seed | 1), if is_long { 5_000 } else { 250 });
    let panics = count_panics();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let timing = SmppTiming { backoff_min: Duration::from_millis(2), ..SmppTiming::default() };
    let timing = SmppTiming { backoff_max: Duration::from_millis(20), ..timing };
    let link = config(listener.local_addr().unwrap().port());
    let carrier = SmppCarrier::with_timing(link, Address::Name("Bauta".into()), timing).unwrap();
    let (carrier, inbox) = (Arc::new(carrier), Arc::new(Reader::default()));
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(carrier.clone().run(inbox.clone(), stopped));

    let seeds = seeds();
    let mut wire = Wire::accept(&listener).await;
    let mut links = 1;
    for volley in 0..volleys {
        let mut octets = Vec::new();
        for n in 0..VOLLEY {
            octets.extend(hostile(&mut dice, &seeds, u32::try_from(n).unwrap() + 1));
        }
        let written = timeout(PATIENCE, wire.writing.write_all(&octets)).await.expect("the link hangs");
        if written.is_err() || !wire.is_alive(0x7000_0000 + volley).await {
            wire = Wire::accept(&listener).await;
            links += 1;
        }
        assert_eq!(panics.load(Ordering::Relaxed), 0, "BAUTA_FUZZ_SEED={seed}");
    }
    wire = if wire.is_alive(1).await { wire } else { Wire::accept(&listener).await };
    let sound = format!("sound {seed}");
    let addresses = format!("\0\x01\x01{DEVICE}\0\x01\x01{X}\0");
    let length = u8::try_from(sound.len()).unwrap();
    let body = [addresses.as_bytes(), &[0; 9], &[length], sound.as_bytes()].concat();
    wire.writing.write_all(&pdu(DELIVER_SM, 9, &body)).await.unwrap();
    let arrives = async {
        while *inbox.last.lock().unwrap() != sound {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, arrives).await.expect("a sound message arrives");
    assert!(inbox.brought.load(Ordering::Relaxed) > u64::from(volleys), "the damage leaves nothing to read");
    assert!(links > 1, "no length was absurd");
    stop.send(true).unwrap();
    drop(wire);
    timeout(PATIENCE, running).await.expect("the carrier stops").unwrap();
}
