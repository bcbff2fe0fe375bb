//! Lookalike tokens as text: `+999`, eleven digits, a check digit. Fifteen digits, so that patterns and columns made for
//! E.164 take them; country code 999 is assigned to nobody (ITU-T E.164, annex to the list of country codes), so that
//! they can never ring.
//!
//! The check digit is Damm's (H. M. Damm, *Total anti-symmetrische Quasigruppen*, 2004): it tells every single wrong
//! digit and every swap of neighbours. It costs one digit of the twelve and leaves [`BODIES`] texts.

/// What every lookalike begins with.
pub(super) const PREFIX: &str = "+999";

/// How many lookalikes there are for each tenant: one for each body of eleven digits.
pub const BODIES: u64 = 100_000_000_000;

/// Digits of a body.
const BODY: usize = 11;

/// The text of a body below [`BODIES`]; greater ones are brought below it.
pub(super) fn text(body: u64) -> String {
    let digits = format!("{:0BODY$}", body % BODIES);
    let check = damm(digits.bytes()).unwrap_or_default();
    format!("{PREFIX}{digits}{check}")
}

/// The body of a text. None if it has not the form; `Err` if its check digit is another.
pub(super) fn body(text: &str) -> Option<Result<u64, WrongCheckDigit>> {
    let digits = text.strip_prefix(PREFIX).filter(|digits| digits.len() == BODY + 1)?;
    let whole: u64 = digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok()).flatten()?;
    match damm(digits.bytes())? {
        0 => Some(Ok(whole / 10)),
        _ => Some(Err(WrongCheckDigit)),
    }
}

/// A lookalike with a typo.
pub(super) struct WrongCheckDigit;

/// Damm's digit over ASCII digits: 0 once the check digit is among them.
fn damm(digits: impl Iterator<Item = u8>) -> Option<u8> {
    digits.into_iter().try_fold(0_u8, |interim, digit| {
        let row = QUASIGROUP.get(usize::from(interim))?;
        row.get(usize::from(digit.checked_sub(b'0')?)).copied()
    })
}

/// A totally anti-symmetric quasigroup of order 10, with zeros on its diagonal.
const QUASIGROUP: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digit_is_damms() {
        assert_eq!(damm(b"572".iter().copied()), Some(4));
        assert_eq!(damm(b"5724".iter().copied()), Some(0));
    }

    #[test]
    fn the_table_is_what_the_check_digit_needs_it_to_be() {
        for a in 0..10 {
            let row: std::collections::HashSet<_> = QUASIGROUP.iter().map(|row| row.get(a)).collect();
            assert_eq!(row.len(), 10, "a quasigroup: column {a} has every digit once");
        }
        let star = |a: u8, b: u8| damm([a, b].into_iter().map(|d| d + b'0'));
        let from = |c: usize, d: u8| QUASIGROUP.get(c).and_then(|row| row.get(usize::from(d))).copied();
        for a in 0..10_u8 {
            assert_eq!(from(usize::from(a), a), Some(0));
            for b in (0..10).filter(|b| *b != a) {
                assert_ne!(star(a, b), star(b, a), "swapped at the start");
                for c in 0..10 {
                    let ab = from(c, a).and_then(|i| from(usize::from(i), b));
                    let ba = from(c, b).and_then(|i| from(usize::from(i), a));
                    assert_ne!(ab, ba, "swapped after {c}");
                }
            }
        }
    }
}
