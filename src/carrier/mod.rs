//! Carriers: how a message gets to a real device, and how one comes back.

#[allow(clippy::module_inception, reason = "the port is the room's own name")]
mod carrier;

pub use carrier::*;
