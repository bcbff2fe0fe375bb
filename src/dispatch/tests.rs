//! The choice of carriers: pure over made-up carriers, and over the real rooms.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod asked;
mod chosen;
mod rules;
mod sent;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;
use crate::carrier::{Inbox, SubmitError, Submitted};
use crate::event::Mode;

/// A carrier that remembers what it was given and answers as told.
pub(super) struct Line {
    name: &'static str,
    is_live: bool,
    region: Option<&'static str>,
    up: AtomicBool,
    seen: Mutex<Vec<Address>>,
    answers: Mutex<VecDeque<SubmitError>>,
}

impl Line {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            is_live: false,
            region: None,
            up: AtomicBool::new(true),
            seen: Mutex::default(),
            answers: Mutex::default(),
        }
    }

    fn live(self) -> Self {
        Self { is_live: true, ..self }
    }

    fn within(self, region: &'static str) -> Self {
        Self { region: Some(region), ..self }
    }

    fn down(self) -> Self {
        Self { up: AtomicBool::new(false), ..self }
    }

    fn took(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

#[async_trait]
impl Carrier for Line {
    fn name(&self) -> &str {
        self.name
    }
    fn is_live(&self) -> bool {
        self.is_live
    }
    fn sender(&self) -> Address {
        Address::Name("house".into())
    }
    fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }
    fn region(&self) -> Option<&str> {
        self.region
    }
    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        if let Some(error) = self.answers.lock().unwrap().pop_front() {
            return Err(error);
        }
        let mut seen = self.seen.lock().unwrap();
        seen.push(submission.from);
        Ok(Submitted { ids: vec![format!("{}{}", self.name, seen.len())] })
    }
    async fn run(self: Arc<Self>, _: Arc<dyn Inbox>, _: tokio::sync::watch::Receiver<bool>) {}
}

fn carriers(lines: impl IntoIterator<Item = Line>) -> Vec<Arc<dyn Carrier>> {
    lines.into_iter().map(|line| Arc::new(line) as _).collect()
}

fn rule(shares: &[(&str, u32)]) -> RouteRule {
    let share = |(carrier, weight): &(&str, u32)| Share { carrier: (*carrier).to_owned(), weight: *weight };
    RouteRule { carriers: shares.iter().map(share).collect(), ..RouteRule::default() }
}
