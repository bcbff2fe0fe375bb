//! What a suppression stops.
//!
//! A person who asked to be spared still gets the codes that they asked for: without them they could not sign in, and a
//! stranger could lock them out by a single STOP. Whoever sends, the tenant by `messages` or `relay` across an alias,
//! asks here before the message is accepted; `access` asks again before it is handed over.

use crate::phone::VirtualNumber;
use crate::store::{Class, Scope, Spared};

/// Whether somebody who asked to be spared `scopes` is not to get a message of this class, shown as coming from `from`.
pub fn stops(scopes: &[Scope], class: Class, from: Option<VirtualNumber>) -> bool {
    scopes.iter().any(|scope| match (class, scope) {
        (Class::Code, _) => false,
        (_, Scope::All) => true,
        (_, Scope::Number(number)) => from == Some(*number),
        (class, Scope::Marketing) => class == Class::Marketing,
        (class, Scope::Notice) => class == Class::Notice,
    })
}

/// The same of a message that is stored.
pub fn stops_stored(spared: &Spared) -> bool {
    stops(&spared.scopes, spared.class, spared.from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn number(last: u64) -> VirtualNumber {
        VirtualNumber::from_digits(18_675_550_100 + last).unwrap()
    }

    #[test]
    fn no_suppression_keeps_a_code_from_the_person_who_asked_for_it() {
        let every = [Scope::All, Scope::Marketing, Scope::Notice, Scope::Number(number(1))];
        assert!(!stops(&every, Class::Code, Some(number(1))));
        for class in [Class::Notice, Class::Marketing, Class::Relay] {
            assert!(stops(&every, class, Some(number(1))), "{class:?}");
            assert!(!stops(&[], class, Some(number(1))), "{class:?}");
        }
    }

    #[test]
    fn a_scope_stops_its_own_kind_and_no_other() {
        assert!(stops(&[Scope::Marketing], Class::Marketing, None));
        assert!(!stops(&[Scope::Marketing], Class::Notice, None));
        assert!(!stops(&[Scope::Marketing], Class::Relay, Some(number(1))));
        assert!(stops(&[Scope::Notice], Class::Notice, None));
        assert!(!stops(&[Scope::Notice], Class::Marketing, None));
        assert!(stops(&[Scope::Number(number(1))], Class::Relay, Some(number(1))));
        assert!(!stops(&[Scope::Number(number(1))], Class::Relay, Some(number(2))));
        assert!(!stops(&[Scope::Number(number(1))], Class::Marketing, None));
    }
}
