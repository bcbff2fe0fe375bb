//! What the command line asks for.

use std::time::Duration;

/// How much to measure.
pub struct Plan {
    filter: String,
    /// Of one slice.
    pub slice: Duration,
    /// Slices of each row, each right after one of echo.
    pub rounds: usize,
    /// Requests under way at once, for echo and for the rows of single requests.
    pub connections: usize,
    /// Tokens of the large store; none is built otherwise.
    pub store: Option<u64>,
    /// Legs of the fullest pool.
    pub legs: Option<u64>,
}

impl Plan {
    /// Reads `[FILTER] [--seconds N] [--connections N] [--quick] [--store N] [--legs N]`; cargo adds `--bench`.
    pub fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut plan = Self {
            filter: String::new(),
            slice: Duration::from_secs(3),
            rounds: 3,
            connections: 64,
            store: None,
            legs: None,
        };
        let mut arguments = arguments.filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => (plan.slice, plan.rounds) = (Duration::from_secs(1), 1),
                "--seconds" => plan.slice = Duration::from_secs(count("--seconds", arguments.next(), 600)?),
                "--connections" => plan.connections = count("--connections", arguments.next(), 1_000)? as usize,
                "--store" => plan.store = Some(count("--store", arguments.next(), 50_000_000)?),
                "--legs" => plan.legs = Some(count("--legs", arguments.next(), 50_000_000)?),
                flag if flag.starts_with('-') => return Err(format!("{flag} is not known")),
                _ => plan.filter = argument,
            }
        }
        Ok(plan)
    }

    pub fn wants(&self, row: &str) -> bool {
        row.contains(&self.filter)
    }

    /// All slices of a row in one.
    pub fn long(&self) -> Duration {
        self.slice * u32::try_from(self.rounds).unwrap_or(1)
    }
}

fn count(flag: &str, given: Option<String>, most: u64) -> Result<u64, String> {
    let given = given.and_then(|text| text.parse().ok()).filter(|count| (1..=most).contains(count));
    given.ok_or_else(|| format!("{flag} takes a number from 1 to {most}"))
}
