//! Phone numbers: the secret type, its mask, reading what people type, finding numbers in text.
//!
//! Everything here is pure. [`PhoneNumber`] is the one type in which a real number exists inside the boundary; what is
//! refused is neither kept nor told. libphonenumber's metadata decide what is valid.

mod bearing;
mod detect;
mod digit;
mod fiction;
mod mask;
mod metadata;
mod number;
mod operators;
mod parse;
mod scan;

pub use bearing::{Bearing, Prefix, PrefixError, is_code_of};
pub use detect::{Found, contains_number, find};
pub use digit::digit_value;
pub use mask::Masked;
pub use number::{Door, Footprint, LineType, PhoneNumber, VirtualNumber};
pub use operators::{OPERATORS_FILE, Operators, is_operator_name};
pub use parse::{NumberError, Parsed, Rules, classify, destination, parse, parse_virtual, region};
