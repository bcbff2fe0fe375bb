//! Keys against real holders of them: a folder, an OpenBao server, a SoftHSM token.

mod conformance;
mod peers;
mod rotation;
mod serving;
mod transit;
