//! Who may do what: credentials, roles as Cedar policies, freezes, and the [`Permit`] that every service asks for.
//!
//! [`Access::admit`] turns what a request brings (key, access token, certificate, signature) into a [`Principal`],
//! [`Access::authorize`] turns a principal, an action and a resource into a permit; both work from memory.
//! [`Access::rule`] does so where policies may ask for a second person. What the deployment does by itself is permitted in
//! `orders` after looking again at freezes and revocations. Called by the API, the command line, the worker and the relay.

mod action;
mod admit;
mod approval;
mod authorize;
mod budgets;
mod credential;
mod denial;
mod directory;
mod freeze;
mod gate;
mod key;
mod keys;
mod memo;
mod oauth;
mod orders;
mod permit;
mod policy;
mod principal;
mod proofs;
mod retention;
mod tenant;

pub use action::Action;
pub use admit::Presented;
pub use approval::{ApprovalError, ApprovalState, ApprovalView, Bound, Ruling};
pub use budgets::{AlertRule, Allowance, BUDGETS_FILE, Budgets};
pub use credential::{CredentialView, Issued, NewCredential, Renewal};
pub use denial::{AccessError, Denied};
pub use gate::Access;
pub use key::{KeyTextError, key_mode};
pub use keys::KeyHolder;
pub use oauth::AccessToken;
pub use permit::*;
pub use policy::{
    Failure, OpenError, Opened, Outcome, Policies, PolicyError, PolicyFiles, PolicySummary, PolicyView, Proposal,
};
pub use principal::{Caller, Principal, Standing, Terminal};
pub use proofs::{NewProofs, NewSigning};
pub use retention::{RETENTION_FILE, Retention};

#[cfg(test)]
mod tests;
