//! Phone numbers: the secret type, its mask, reading what people type, finding numbers in text.
//!
//! Everything here is pure. [`PhoneNumber`] is the one type in which a real number exists inside the boundary.

mod number;

pub use number::{Door, LineType, PhoneNumber, VirtualNumber};
