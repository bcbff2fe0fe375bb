//! What differs between two sets of policies, line by line, in the form that `diff -u` gives.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::PolicyFiles;

/// Lines shown around a change.
const CONTEXT: usize = 3;

/// Cells of the table of common lines beyond which the whole middle counts as changed.
const MAX_CELLS: usize = 4_000_000;

/// One line of a comparison: `' '` in both, `'-'` before only, `'+'` after only.
type Line<'a> = (char, &'a str);

impl PolicyFiles {
    /// How `after` differs from this set; empty if it does not.
    pub fn diff(&self, after: &Self) -> String {
        let names: BTreeSet<&str> = self.iter().chain(after.iter()).map(|(name, _)| name).collect();
        let mut out = String::new();
        for name in names {
            let (old, new) = (self.get(name), after.get(name));
            if old != new {
                file(&mut out, name, old, new);
            }
        }
        out
    }
}

fn file(out: &mut String, name: &str, old: Option<&str>, new: Option<&str>) {
    let side = |text: Option<&str>| if text.is_some() { name } else { "/dev/null" };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "--- {}\n+++ {}", side(old), side(new));
    let old: Vec<&str> = old.unwrap_or_default().lines().collect();
    let new: Vec<&str> = new.unwrap_or_default().lines().collect();
    let lines = compare(&old, &new);
    for hunk in hunks(&lines) {
        write_hunk(out, &lines, hunk);
    }
}

fn compare<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (same, old) = old.split_at(head);
    let new = new.get(head..).unwrap_or_default();
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, end) = old.split_at(old.len() - tail);
    let new = new.get(..new.len() - tail).unwrap_or_default();
    let mut lines: Vec<Line<'a>> = same.iter().map(|line| (' ', *line)).collect();
    middle(&mut lines, old, new);
    lines.extend(end.iter().map(|line| (' ', *line)));
    lines
}

/// What lies between common beginning and end, by the longest common subsequence of lines.
fn middle<'a>(lines: &mut Vec<Line<'a>>, old: &[&'a str], new: &[&'a str]) {
    let width = new.len() + 1;
    if old.len().saturating_add(1).saturating_mul(width) > MAX_CELLS {
        lines.extend(old.iter().map(|line| ('-', *line)));
        lines.extend(new.iter().map(|line| ('+', *line)));
        return;
    }
    // longest[i * width + j] is how many lines `old[i..]` and `new[j..]` have in common, in order.
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    let cell = |longest: &[u32], i: usize, j: usize| longest.get(i * width + j).copied().unwrap_or(0);
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            let length = if a == b {
                cell(&longest, i + 1, j + 1) + 1
            } else {
                cell(&longest, i + 1, j).max(cell(&longest, i, j + 1))
            };
            if let Some(place) = longest.get_mut(i * width + j) {
                *place = length;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    loop {
        match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if a == b => {
                lines.push((' ', a));
                (i, j) = (i + 1, j + 1);
            }
            (Some(_), Some(b)) if cell(&longest, i, j + 1) > cell(&longest, i + 1, j) => {
                lines.push(('+', b));
                j += 1;
            }
            (Some(a), _) => {
                lines.push(('-', a));
                i += 1;
            }
            (None, Some(b)) => {
                lines.push(('+', b));
                j += 1;
            }
            (None, None) => return,
        }
    }
}

/// The stretches of lines to show: changes with what stands around them.
fn hunks(lines: &[Line<'_>]) -> Vec<std::ops::Range<usize>> {
    let mut hunks: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, _) in lines.iter().enumerate().filter(|(_, (sign, _))| *sign != ' ') {
        let (from, to) = (at.saturating_sub(CONTEXT), (at + CONTEXT + 1).min(lines.len()));
        match hunks.last_mut() {
            Some(last) if last.end >= from => last.end = to,
            _ => hunks.push(from..to),
        }
    }
    hunks
}

fn write_hunk(out: &mut String, lines: &[Line<'_>], hunk: std::ops::Range<usize>) {
    let count = |lines: &[Line<'_>], not: char| lines.iter().filter(|(sign, _)| *sign != not).count();
    let before = lines.get(..hunk.start).unwrap_or_default();
    let shown = lines.get(hunk).unwrap_or_default();
    let span = |not: char| {
        let (start, length) = (count(before, not), count(shown, not));
        // A side without lines is given by the line before it.
        format!("{},{length}", if length == 0 { start } else { start + 1 })
    };
    let _ = writeln!(out, "@@ -{} +{} @@", span('+'), span('-'));
    for (sign, line) in shown {
        let _ = writeln!(out, "{sign}{line}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn set(files: &[(&str, &str)]) -> PolicyFiles {
        PolicyFiles::of(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))).unwrap()
    }

    #[test]
    fn a_change_is_shown_with_three_lines_around_it() {
        let before = set(&[("a.cedar", "1\n2\n3\n4\n5\n6\n7\n8\n9\n")]);
        let after = set(&[("a.cedar", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n")]);
        let expected = "--- a.cedar\n+++ a.cedar\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n";
        assert_eq!(before.diff(&after), expected);
        assert_eq!(before.diff(&before), "");
    }

    #[test]
    fn a_file_that_comes_or_goes_is_told_from_one_that_changes() {
        let before = set(&[("a.cedar", "x\n"), ("b.cedar", "y\n")]);
        let after = set(&[("a.cedar", "x\n"), ("c.cedar", "z\n")]);
        let expected =
            "--- b.cedar\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-y\n--- /dev/null\n+++ c.cedar\n@@ -0,0 +1,1 @@\n+z\n";
        assert_eq!(before.diff(&after), expected);
    }

    #[test]
    fn far_changes_have_hunks_of_their_own_and_what_is_too_large_to_compare_is_shown_whole() {
        let lines: Vec<String> = (0..40).map(|n| format!("line {n}")).collect();
        let mut other = lines.clone();
        (*other.get_mut(3).unwrap(), *other.get_mut(35).unwrap()) = ("x".into(), "y".into());
        let diff = set(&[("a.cedar", &lines.join("\n"))]).diff(&set(&[("a.cedar", &other.join("\n"))]));
        assert_eq!(diff.matches("@@ -").count(), 2, "{diff}");
        let huge = |from: u32| (from..from + 3_000).map(|n| format!("{n}\n")).collect::<String>();
        let diff = set(&[("a.cedar", &huge(0))]).diff(&set(&[("a.cedar", &huge(10_000))]));
        assert_eq!(diff.lines().count(), 3 + 6_000);
    }
}
