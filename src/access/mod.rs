//! Who may do what: credentials, roles as Cedar policies, freezes, and the [`Permit`] that every service asks for.

mod permit;

pub use permit::*;
