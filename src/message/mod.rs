//! Message text, pure: alphabets of the air interface, parts, templates' cost.

mod text;

pub use text::{Alphabet, Encoded, Unreadable};
