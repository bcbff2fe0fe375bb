//! Carriers: how a message gets to a real device, and how one comes back.

mod call;
mod callback;
#[allow(clippy::module_inception, reason = "the port is the room's own name")]
mod carrier;
mod digest;
mod http;
mod pace;
mod sandbox;
mod smpp;
mod template;
mod twilio;
mod vonage;

pub use call::{CallPlan, CallProgress, CallStatus, CallStep, IncomingCall};
pub use callback::{Callback, HttpCarrier, Place, Refusal, Reply};
pub use carrier::*;
pub use sandbox::{HandsetMessage, Sandbox};
pub use smpp::{SmppCarrier, SmppSettingError, SmppStats, SmppTiming};
pub use template::TemplateCarrier;
pub use twilio::TwilioCarrier;
pub use vonage::VonageCarrier;
