//! Codes in messages: what the person has to type, found in a text of any language.
//!
//! Structure comes first: [`candidate`] lists what could be typed, and drops what its own form or its neighbours make
//! something else (prices, dates, times, phone numbers, links, card tails). Words come second: [`words`] knows what the
//! languages call a code, and what they call everything else that has digits. [`score`] weighs both and takes the best
//! above a threshold. Nothing here learns, and no step is slower than linear in the length of the text.
//!
//! Callers: relay (priority, expiry, what an alias discloses) and `bauta inspect codes`.

mod candidate;
mod fold;
mod life;
mod marks;
mod number;
mod phrase;
mod score;
mod words;

use std::time::Duration;

use zeroize::Zeroizing;

use fold::Folded;

/// What a message says the person should type.
#[derive(PartialEq, Eq)]
pub struct Code {
    /// 3 to 10 ASCII digits and letters in their case; no spaces, dashes, marks, no `G-`. Wiped on drop.
    pub value: Zeroizing<String>,
    /// How long it holds, if the message says so.
    pub life: Option<Duration>,
}

/// The code in `text`: of two the one said to be current, else the first. Prices, years, phone and order numbers and
/// promotion codes are none.
pub fn find(text: &str) -> Option<Code> {
    let folded = Folded::new(text);
    let (names, ages) = words::hits(&folded);
    let value = marks::bound_to_origin(&folded).or_else(|| {
        let candidates = candidate::list(&folded, &names);
        score::best(&folded, &names, &ages, candidates)
    })?;
    Some(Code { value, life: life::said(&folded, &names) })
}

#[cfg(test)]
mod tests;
