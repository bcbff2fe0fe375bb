//! Numbers to work with: valid ones, each given out once, that never leave the machine.
//!
//! `+84 9p ddd ddd d` is the shape of Vietnamese mobile numbers, 90 million of them. Nothing that runs here has a way
//! to a network: the tenant of the HTTP rows is a test one, and the relay's only carrier is this program.

use std::cell::Cell;
use std::rc::Rc;

const PREFIXES: u64 = 9;
const EACH: u64 = 10_000_000;

/// Gives numbers out, none twice.
#[derive(Clone, Default)]
pub struct Numbers(Rc<Cell<u64>>);

impl Numbers {
    pub fn next(&self) -> u64 {
        let count = self.0.get();
        assert!(count < PREFIXES * EACH, "more numbers than there are");
        self.0.set(count + 1);
        count
    }
}

/// The text of one of them, in E.164.
pub fn text(count: u64) -> String {
    format!("+849{}{:07}", count / EACH, count % EACH)
}

/// Overwrites the digits of one of them where it stands in a longer text.
pub fn rewrite(text: &mut [u8], count: u64) {
    let mut left = count;
    // The last eight characters are the whole of `count`, since each prefix has seven digits after it.
    for digit in text.iter_mut().rev().take(8) {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
}

/// A request written once, whose numbers are put in for each sending.
pub struct Template {
    request: Vec<u8>,
    places: Vec<usize>,
}

impl Template {
    /// Finds where `request` has numbers.
    pub fn new(request: Vec<u8>) -> Self {
        let places = (0..request.len()).filter(|place| request[*place..].starts_with(b"+849")).collect();
        Self { request, places }
    }

    /// Appends the request with the next numbers; gives the first of them.
    pub fn write(&mut self, into: &mut Vec<u8>, numbers: &Numbers) -> u64 {
        let first = numbers.0.get();
        for place in &self.places {
            rewrite(&mut self.request[*place..*place + LENGTH], numbers.next());
        }
        into.extend_from_slice(&self.request);
        first
    }
}

/// Of a number's text.
const LENGTH: usize = 12;
