//! Message text, pure: alphabets of the air interface, the parts that a text is sent in, and the code that it brings.
//!
//! Carriers bring octets ([`Encoded`]) and take [`Segment`]s; everyone else sees text. Nothing here knows a protocol.

pub mod code;
mod gsm7;
mod plain;
mod segment;
mod text;

pub use plain::{plain, thrifty};
pub use segment::{MAX_SEGMENTS, Reference, Segment, TooLong, parts, segments, segments_under};
pub use text::{Alphabet, Encoded, Unreadable};
