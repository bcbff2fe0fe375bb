//! What slows or refuses abuse before it costs anything: limits, and text that smuggles a number.
//!
//! Invariants: a limit that cannot be asked refuses (fail closed); every key in the short-lived store is an id or an
//! HMAC, never a number or a client's text; nothing here stands between a person and the check of a pending code, so
//! that nobody can lock somebody else out. Called by `verify`, `relay`, `alias` and the API's edge.

mod limit;
mod text;

#[cfg(test)]
mod tests;

pub(crate) use limit::day;
pub use limit::{Guard, GuardError, Limits};
pub(crate) use text::is_unprintable;
pub use text::{Label, LabelError, number_in_text};
