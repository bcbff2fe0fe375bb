//! What slows, refuses or tells of abuse before it costs anything: limits, text that smuggles a number, walks through
//! numbers.
//!
//! Invariants: a limit that cannot be asked refuses (fail closed); every key in the short-lived store is an id or an
//! HMAC, never a number or a client's text; nothing here stands between a person and the check of a pending code, so
//! that nobody can lock somebody else out. Called by `vault`, `verify`, `relay`, `alias` and the API's edge.

pub mod content;
mod enumeration;
mod limit;
pub mod spend;
pub mod suppression;
mod terms;
mod text;

#[cfg(test)]
mod tests;

pub use enumeration::{Enumeration, Suspicion};
pub(crate) use limit::day;
pub use limit::{Guard, GuardError, Limits};
pub use terms::Terms;
pub(crate) use text::is_unprintable;
pub use text::{Label, LabelError, number_in_text};
