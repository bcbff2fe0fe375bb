//! What the carriers over HTTP share: the way out ([`line`]), addresses as text, fields of forms and JSON, signatures.

pub(super) mod address;
mod client;
pub(super) mod fields;
mod health;
pub(super) mod line;
pub(super) mod mac;

pub(super) use client::{Answer, Outgoing};
pub(super) use line::Line;
