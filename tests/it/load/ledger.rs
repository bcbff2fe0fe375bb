//! What was handed in, what was answered, what came out, and how often.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use crate::smsc::Smsc;

/// Virtual numbers, each with a handset of its own.
pub const ALIASES: usize = 100;
/// Short codes that write; each message has another than the one before.
const SENDERS: usize = 50_000;
/// `ESME_RX_T_APPN`: not now, once more.
const LATER: u32 = 0x64;

/// All messages of a run.
pub struct Ledger {
    aliases: Vec<(String, String)>,
    /// How often each came out.
    out: Vec<u32>,
    /// The next that was never handed in.
    next: usize,
    /// What has to be handed in once more.
    again: VecDeque<usize>,
    /// What was refused for now.
    later: Vec<usize>,
    /// What is handed in over this link and not answered.
    open: HashMap<u32, usize>,
    answered: usize,
    missing: usize,
    /// Submits that came over this link.
    submits: usize,
    sent_again: usize,
    cuts: usize,
    open_at_cuts: usize,
    seed: u64,
}

impl Ledger {
    pub fn new(messages: usize, aliases: &[(String, String)]) -> Self {
        let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |time| time.subsec_nanos()).into();
        println!("seed {seed}");
        Self {
            aliases: aliases.to_vec(),
            out: vec![0; messages],
            next: 0,
            again: VecDeque::new(),
            later: Vec::new(),
            open: HashMap::new(),
            answered: 0,
            missing: messages,
            submits: 0,
            sent_again: 0,
            cuts: 0,
            open_at_cuts: 0,
            seed,
        }
    }

    /// A number below `below`, drawn anew each time (xorshift).
    pub fn draw(&mut self, below: usize) -> usize {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        usize::try_from(self.seed % below.max(1) as u64).unwrap()
    }

    /// Puts as much into the next write as may await an answer.
    pub fn send(&mut self, smsc: &mut Smsc, window: usize) {
        while self.open.len() < window {
            let place = match self.again.pop_front() {
                Some(place) => place,
                None if self.next < self.out.len() => {
                    self.next += 1;
                    self.next - 1
                }
                None => break,
            };
            let (x, _) = &self.aliases[place % ALIASES];
            let sequence = smsc.deliver(&(10_000 + place % SENDERS).to_string(), x, &text(place));
            self.open.insert(sequence, place);
        }
    }

    /// The service answered one of ours.
    pub fn answered(&mut self, sequence: u32, status: u32) {
        let place = self.open.remove(&sequence).expect("an answer to a request of this link");
        match status {
            0 => self.answered += 1,
            LATER => self.later.push(place),
            other => panic!("message {place} was refused with status {other:#x}"),
        }
    }

    pub fn try_again(&mut self) {
        self.again.extend(self.later.drain(..));
    }

    /// A handset got a message: which, and whether it is the right handset, source and text.
    pub fn arrived(&mut self, from: &str, to: &str, body: &str) {
        self.submits += 1;
        let place: usize = body.split(' ').next().and_then(|place| place.parse().ok()).expect("a text of ours");
        assert_eq!(body, text(place), "a text was changed");
        let (x, handset) = &self.aliases[place % ALIASES];
        assert_eq!((from, to), (x.as_str(), handset.as_str()), "message {place} went astray");
        self.missing -= usize::from(self.out[place] == 0);
        self.out[place] += 1;
    }

    /// A new link: an SMSC hands in again what it got no answer for, in its order.
    pub fn linked(&mut self) {
        self.submits = 0;
        let mut unanswered: Vec<usize> = self.open.drain().map(|(_, place)| place).collect();
        unanswered.sort_unstable();
        self.sent_again += unanswered.len();
        self.again.extend(unanswered);
        self.try_again();
    }

    /// The link was reset. A client may have at most `window` submits without an answer, so it has read all answers but
    /// those of the last `window` submits that came.
    pub fn cut(&mut self, window: usize) {
        self.cuts += 1;
        self.open_at_cuts += self.submits.min(window);
    }

    pub fn is_complete(&self) -> bool {
        self.missing == 0 && self.answered == self.out.len()
    }

    pub fn cuts(&self) -> usize {
        self.cuts
    }

    pub fn open_at_cuts(&self) -> usize {
        self.open_at_cuts
    }

    /// Arrivals beyond the first.
    pub fn duplicates(&self) -> usize {
        self.out.iter().map(|count| count.saturating_sub(1) as usize).sum()
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} messages in, {} missing at the handsets, {} duplicates ({:.2} %), {} cuts with at most {} open submits, \
             {} handed in again",
            self.answered,
            self.missing,
            self.duplicates(),
            self.duplicates() as f64 * 100.0 / self.out.len() as f64,
            self.cuts,
            self.open_at_cuts,
            self.sent_again,
        )
    }
}

fn text(place: usize) -> String {
    format!("{place} is on its way to you and 482913 is your code")
}
