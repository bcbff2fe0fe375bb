//! Carriers: how a message gets to a real device, and how one comes back.

#[allow(clippy::module_inception, reason = "the port is the room's own name")]
mod carrier;
mod digest;
mod sandbox;
mod smpp;

pub use carrier::*;
pub use sandbox::{HandsetMessage, Sandbox};
pub use smpp::{SmppCarrier, SmppConfig, SmppSettingError, SmppStats, SmppTiming};
