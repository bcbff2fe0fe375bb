//! Groups of digits with separators between them: which make one code, which make a date, an amount or a phone number.

/// A run of ASCII letters and digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Atom {
    pub start: usize,
    pub end: usize,
    pub digits: bool,
    pub letters: bool,
    /// With a unit or currency in the same run.
    pub measured: bool,
}

impl Atom {
    pub fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    fn is_number(&self) -> bool {
        self.digits && !self.letters
    }
}

/// What the first few atoms of a list are together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// So many groups that may be one code.
    Code(usize),
    /// So many groups of unequal length with dashes between: rarely a code.
    Uneven(usize),
    /// So many groups that are a date, a time, an amount or a phone number.
    Other(usize),
}

/// Groups of one number at most: an IBAN has nine of four.
const GROUPS: usize = 12;

/// Reads the start of `atoms`; `gap` tells the one character between an atom and the next, if there is only one, `ends`
/// whether an atom is an amount, `timed` whether one of time.
pub(super) fn read(
    atoms: &[Atom],
    gap: impl Fn(&Atom, &Atom) -> Option<char>,
    ends: impl Fn(&Atom) -> bool,
    timed: impl Fn(&Atom) -> bool,
) -> Reading {
    let mut lengths = Vec::with_capacity(GROUPS);
    let mut gaps = Vec::with_capacity(GROUPS);
    for (n, atom) in atoms.iter().take(GROUPS).enumerate() {
        if !atom.is_number() {
            break;
        }
        if let Some(last) = n.checked_sub(1).and_then(|before| atoms.get(before)) {
            let Some(c) = gap(last, atom) else { break };
            // `123 456 5 minutes`, `482913,5 minutes`: the last one is an amount of its own.
            if (c == ' ' && ends(atom)) || (c == ',' && last.len() > 3 && timed(atom)) {
                break;
            }
            gaps.push(c);
        }
        lengths.push(atom.len());
    }
    classify(&lengths, &gaps)
}

fn classify(lengths: &[usize], gaps: &[char]) -> Reading {
    let clock = chain(gaps, |c| c == ':');
    if clock > 0 && lengths.iter().take(clock + 1).all(|length| *length <= 2) {
        return Reading::Other(clock + 1);
    }
    if let Some(groups) = amount(lengths, gaps) {
        return Reading::Other(groups);
    }
    let slashes = chain(gaps, |c| c == '/');
    if slashes > 0 && lengths.iter().take(slashes + 1).all(|length| *length <= 4) {
        return Reading::Other(slashes + 1);
    }
    if let [a, b, c, ..] = lengths
        && gaps.starts_with(&['-', '-'])
        && matches!((a, b, c), (4, 1 | 2, 1 | 2) | (1 | 2, 1 | 2, 4))
    {
        return Reading::Other(3);
    }
    spaced(lengths, gaps)
}

/// Groups with spaces, dashes or middle dots between: a code in equal parts, or a phone or card number.
fn spaced(lengths: &[usize], gaps: &[char]) -> Reading {
    let short = lengths.iter().take_while(|length| **length <= 4).count();
    let joined = (chain(gaps, |c| matches!(c, ' ' | '-' | '·' | '•')) + 1).min(short);
    let total: usize = lengths.iter().take(joined).sum();
    let first = lengths.first().copied().unwrap_or_default();
    let equal = lengths.iter().take(joined).take_while(|length| **length == first).count();
    let singles = first == 1 && (4..=10).contains(&equal);
    let parts = (2..=4).contains(&first) && (2..=3).contains(&equal) && first * equal <= 9;
    if joined > 1 && total >= 9 && !(equal == joined && (singles || parts)) {
        return Reading::Other(joined);
    }
    if singles || parts {
        return Reading::Code(equal);
    }
    if joined == 2
        && chain(gaps, |c| c == '-') == 1
        && (4..=8).contains(&total)
        && lengths.iter().take(2).all(|l| *l >= 2)
    {
        return Reading::Uneven(2);
    }
    Reading::Code(1)
}

/// `1,250.00`, `12 500,50`, `1'000`, `12.05.2024`, `10.0.0.1`.
fn amount(lengths: &[usize], gaps: &[char]) -> Option<usize> {
    let mut groups = 1;
    for (gap, next) in gaps.iter().zip(lengths.iter().skip(1)) {
        let thousands = *next == 3 && lengths.get(groups - 1).is_some_and(|before| *before <= 3);
        let goes_on = match gap {
            '.' => *next <= 3 || (*next == 4 && groups == 2),
            ',' => *next <= 2 || thousands,
            '\'' => thousands,
            // Spaces between thousands are believed only where a fraction follows them.
            ' ' => thousands && gaps.get(groups).is_some_and(|c| matches!(c, ',' | '.')),
            _ => false,
        };
        if !goes_on {
            break;
        }
        groups += 1;
    }
    (groups > 1).then_some(groups)
}

fn chain(gaps: &[char], of: impl Fn(char) -> bool) -> usize {
    gaps.iter().take_while(|c| of(**c)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(lengths: &[usize], gaps: &str) -> Reading {
        classify(lengths, &gaps.chars().collect::<Vec<_>>())
    }

    #[test]
    fn equal_parts_are_one_code() {
        assert_eq!(reading(&[3, 3], " "), Reading::Code(2));
        assert_eq!(reading(&[2, 2, 2], "--"), Reading::Code(3));
        assert_eq!(reading(&[1, 1, 1, 1, 1, 1], "     "), Reading::Code(6));
        assert_eq!(reading(&[3, 3, 1], "  "), Reading::Code(2));
        assert_eq!(reading(&[6, 2], " "), Reading::Code(1));
        assert_eq!(reading(&[4, 2], " "), Reading::Code(1));
    }

    #[test]
    fn dates_times_amounts_and_phone_numbers_are_none() {
        for (lengths, gaps) in [
            (&[2, 2][..], ":"),
            (&[2, 2, 2], "::"),
            (&[1, 3, 2], ",."),
            (&[2, 3, 2], " ,"),
            (&[2, 2, 4], ".."),
            (&[2, 2, 4], "//"),
            (&[4, 2, 2], "--"),
            (&[4, 3, 3], "  "),
            (&[3, 4, 4], "--"),
            (&[4, 4, 4, 4], "   "),
            (&[2, 2, 2, 2, 2], "    "),
        ] {
            assert_eq!(reading(lengths, gaps), Reading::Other(lengths.len()), "{lengths:?} {gaps:?}");
        }
        assert_eq!(reading(&[3, 4], "-"), Reading::Uneven(2));
    }
}
