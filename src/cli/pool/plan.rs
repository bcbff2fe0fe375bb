//! `bauta pool plan`: how many numbers pairs need.
//!
//! On one number a person can have one counterpart. With Δ connections of the busiest person a new one finds at most
//! Δ − 1 numbers taken at either end, so that 2Δ − 1 numbers are always enough, however the pairs come and go; fewer than
//! Δ never are.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use super::{owner, permit};
use crate::access::Action;
use crate::app::App;
use crate::cli::CommandError;
use crate::ids::PoolId;

/// What pairs need.
#[derive(Debug, PartialEq, Eq)]
struct Need {
    people: usize,
    pairs: u64,
    /// Connections of the busiest person.
    busiest: u64,
    /// What a first fit, in the order of the file, used.
    used: u64,
}

pub(super) fn of_file(path: &Path) -> Result<(), CommandError> {
    let unread = |error: std::io::Error| CommandError::Failed(format!("{}: {error}", path.display()));
    let need = need(File::open(path).map_err(unread)?)
        .map_err(|(line, what)| CommandError::Failed(format!("{}, line {line}: {what}", path.display())))?;
    say!("{} people in {} pairs, the busiest in {}", need.people, need.pairs, need.busiest);
    say!("{} numbers are always enough, in whatever order pairs come and go", always(need.busiest));
    say!("{} were used in the order of the file; fewer than {} never do", need.used, need.busiest);
    Ok(())
}

pub(super) async fn of_pool(app: &App, pool: PoolId) -> Result<(), CommandError> {
    let tenant = owner(app, pool).await?;
    let permit = permit(app, tenant, Action::PoolRead).await?;
    let (view, busiest) = app.alias.busiest(&permit, pool).await.map_err(CommandError::failed)?;
    let counts = view.counts;
    let (usable, need) = (counts.free + counts.bound + counts.cooling, always(busiest));
    say!("the busiest person has {busiest} live or cooling connections on numbers of {}", view.name);
    say!("{need} numbers are always enough for that; {usable} can be used");
    if need > usable {
        say!("add {} for pairs never to be refused", need - usable);
    }
    Ok(())
}

/// With which no pair is ever refused.
const fn always(busiest: u64) -> u64 {
    (busiest * 2).saturating_sub(1)
}

/// Reads pairs: the first two columns, below a header.
fn need(file: impl std::io::Read) -> Result<Need, (u64, &'static str)> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(file);
    let mut people: HashMap<String, Vec<u64>> = HashMap::new();
    let (mut pairs, mut used) = (0, 0);
    for record in reader.records() {
        let record = record.map_err(|error| (error.position().map_or(0, csv::Position::line), "no CSV in UTF-8"))?;
        let line = record.position().map_or(0, csv::Position::line);
        let (Some(a), Some(b)) = (record.get(0), record.get(1)) else { return Err((line, "two columns are needed")) };
        if a.is_empty() || b.is_empty() || a == b {
            return Err((line, "a pair is of two different people"));
        }
        let number = first_free(people.get(a), people.get(b));
        for person in [a, b] {
            take(people.entry(person.to_owned()).or_default(), number);
        }
        pairs += 1;
        used = used.max(number + 1);
    }
    let connections = |taken: &Vec<u64>| taken.iter().map(|word| u64::from(word.count_ones())).sum();
    let busiest = people.values().map(connections).max().unwrap_or(0);
    Ok(Need { people: people.len(), pairs, busiest, used })
}

/// The first number that neither of two people has, each with a bit for every number.
fn first_free(a: Option<&Vec<u64>>, b: Option<&Vec<u64>>) -> u64 {
    let word = |of: Option<&Vec<u64>>, at: usize| of.and_then(|words| words.get(at)).copied().unwrap_or(0);
    for at in 0.. {
        let taken = word(a, at) | word(b, at);
        if taken != u64::MAX {
            return (at as u64) * 64 + u64::from(taken.trailing_ones());
        }
    }
    0
}

fn take(taken: &mut Vec<u64>, number: u64) {
    let at = usize::try_from(number / 64).unwrap_or(usize::MAX);
    if taken.len() <= at {
        taken.resize(at + 1, 0);
    }
    if let Some(word) = taken.get_mut(at) {
        *word |= 1 << (number % 64);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_busiest_person_decides() {
        let star: String = (0..100).map(|n| format!("courier,c{n}\n")).collect();
        let star = format!("a,b\n{star}");
        let need = need(star.as_bytes()).unwrap();
        assert_eq!(need, Need { people: 101, pairs: 100, busiest: 100, used: 100 });
        assert_eq!(always(need.busiest), 199);
    }

    #[test]
    fn strangers_to_each_other_share_one_number() {
        let need = need("buyer,seller,since\nc,d,2026\ne,f\n".as_bytes()).unwrap();
        assert_eq!((need.people, need.pairs), (4, 2));
        assert_eq!((always(need.busiest), need.used), (1, 1));
        assert_eq!(always(0), 0);
    }

    #[test]
    fn first_fit_never_passes_the_bound() {
        // A complete graph of nine people, in an order that is bad for a first fit.
        let pairs: String = (0..9).flat_map(|a| (a + 1..9).rev().map(move |b| format!("p{a},p{b}\n"))).collect();
        let need = need(format!("a,b\n{pairs}").as_bytes()).unwrap();
        assert_eq!((need.people, need.pairs, need.busiest), (9, 36, 8));
        assert!((8..=15).contains(&need.used), "{}", need.used);
    }

    #[test]
    fn what_is_no_pair_is_told_by_its_line() {
        assert_eq!(need("a,b\nx\n".as_bytes()).unwrap_err().0, 2);
        assert_eq!(need("x,y\nz,z\n".as_bytes()).unwrap_err().0, 2);
        assert_eq!(need("x,y\nz,\n".as_bytes()).unwrap_err().0, 2);
    }
}
