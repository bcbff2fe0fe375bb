//! Log entries in few bytes: canonical JSON packed so that unpacking gives the very same text, for ever.
//!
//! The log keeps an entry's leaf, which is a hash of its text; the text itself is kept packed. Nothing here knows any
//! event: whatever the text holds is packed by its shape (known words, ids, moments, integers, hex; else as it
//! stands), and every shape is taken only if it gives back the same bytes. The row's own tenant and moment, which the
//! table has in columns, take one byte each.
//!
//! The format is part of the file: tags and the places in [`WORDS`] and [`PREFIXES`] never change, lists only grow.

mod words;

use data_encoding::HEXLOWER;

use crate::clock::Timestamp;
use crate::event::json;
use crate::ids::TenantId;
use words::{PREFIXES, WORDS};

/// What the row holds beside the entry.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) tenant: Option<TenantId>,
    pub(super) at: Timestamp,
}

/// Packs a canonical text.
pub(super) fn pack(text: &str, columns: Columns) -> Vec<u8> {
    let at = columns.at.to_string();
    let tenant = columns.tenant.map(|tenant| tenant.to_string()).unwrap_or_default();
    let mut packer = Packer { out: Vec::with_capacity(160), at: at.as_bytes(), tenant: tenant.as_bytes() };
    packer.out.push(PACKED);
    packer.value(text.as_bytes());
    packer.out
}

/// The text that was packed; none if these bytes are not what [`pack`] makes.
pub(super) fn unpack(packed: &[u8], columns: Columns) -> Option<String> {
    let rest = packed.strip_prefix(&[PACKED])?;
    let mut unpacker = Unpacker { rest, out: Vec::with_capacity(512), columns };
    unpacker.value(DEEPEST)?;
    if unpacker.rest.is_empty() { String::from_utf8(unpacker.out).ok() } else { None }
}

/// The one format so far.
const PACKED: u8 = 1;
/// No entry nests deeper.
const DEEPEST: u8 = 16;

const END: u8 = 0;
const OBJECT: u8 = 1;
const ARRAY: u8 = 2;
const FALSE: u8 = 3;
const TRUE: u8 = 4;
/// An unsigned integer in variable length.
const INTEGER: u8 = 5;
/// What stands between two quotes, with its length.
const STRING: u8 = 6;
/// An RFC 3339 moment with milliseconds, as an unsigned integer.
const MOMENT: u8 = 7;
/// Lower-case hexadecimal, with the number of bytes.
const HEX: u8 = 8;
/// The row's own moment.
const AT: u8 = 9;
/// The row's own tenant.
const TENANT: u8 = 10;
/// Any other number, with its length.
const PLAIN: u8 = 11;
/// One of [`WORDS`] from the 256 - [`FIRST_WORD`]th on, by its place.
const FAR_WORD: u8 = 12;
/// A TypeID: from here on, the place of its prefix; then 16 bytes.
const FIRST_ID: u8 = 16;
/// From here on, the place of a word.
const FIRST_WORD: u8 = 48;

struct Packer<'a> {
    out: Vec<u8>,
    at: &'a [u8],
    tenant: &'a [u8],
}

impl Packer<'_> {
    fn value(&mut self, raw: &[u8]) {
        match raw {
            [b'{', ..] => {
                self.out.push(OBJECT);
                for (key, value) in json::members(raw) {
                    self.string(key);
                    self.value(value);
                }
                self.out.push(END);
            }
            [b'[', ..] => {
                self.out.push(ARRAY);
                json::items(raw).for_each(|item| self.value(item));
                self.out.push(END);
            }
            [b'"', inner @ .., b'"'] => self.string(inner),
            b"false" => self.out.push(FALSE),
            b"true" => self.out.push(TRUE),
            number => match integer(number) {
                Some(integer) => self.tagged(INTEGER, integer),
                None => self.counted(PLAIN, number),
            },
        }
    }

    /// What stands between two quotes.
    fn string(&mut self, inner: &[u8]) {
        if let Some(place) = words::place(inner) {
            match u8::try_from(place).ok().and_then(|place| place.checked_add(FIRST_WORD)) {
                Some(tag) => self.out.push(tag),
                None => self.tagged(FAR_WORD, place as u64),
            }
        } else if inner == self.at {
            self.out.push(AT);
        } else if inner == self.tenant {
            self.out.push(TENANT);
        } else if let Some((tag, id)) = id(inner) {
            self.out.push(tag);
            self.out.extend_from_slice(&id);
        } else if let Some(moment) = moment(inner) {
            self.tagged(MOMENT, moment);
        } else if let Some(bytes) = hex(inner) {
            self.counted(HEX, &bytes);
        } else {
            self.counted(STRING, inner);
        }
    }

    fn tagged(&mut self, tag: u8, mut number: u64) {
        self.out.push(tag);
        while number >= 0x80 {
            self.out.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    fn counted(&mut self, tag: u8, bytes: &[u8]) {
        self.tagged(tag, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }
}

fn integer(text: &[u8]) -> Option<u64> {
    let integer: u64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    // Neither `+1` nor `007` would come back as they were.
    (text.len() == 1 || matches!(text.first(), Some(b'1'..=b'9'))).then_some(integer)
}

/// Tag and bytes of a TypeID.
fn id(text: &[u8]) -> Option<(u8, [u8; 16])> {
    let (prefix, rest) = text.split_at_checked(PREFIX)?;
    let rest = <&[u8; 26]>::try_from(rest.strip_prefix(b"_")?).ok()?;
    let place = PREFIXES.iter().position(|known| known.as_bytes() == prefix)?;
    let mut sum = 0_u128;
    // 26 characters hold 130 bits; the first has three.
    for (n, character) in rest.iter().enumerate() {
        let value = CROCKFORD.iter().position(|known| known == character)? as u128;
        if n == 0 && value > 7 {
            return None;
        }
        sum = sum << 5 | value;
    }
    Some((FIRST_ID + u8::try_from(place).ok()?, sum.to_be_bytes()))
}

fn write_id(prefix: &str, id: [u8; 16], out: &mut Vec<u8>) {
    let sum = u128::from_be_bytes(id);
    out.extend_from_slice(prefix.as_bytes());
    out.push(b'_');
    out.extend((0..26_u32).rev().map(|n| {
        let value = (sum >> (5 * n)) as usize & 31;
        CROCKFORD.get(value).copied().unwrap_or_default()
    }));
}

/// The digits of a TypeID's base32.
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Letters of every prefix.
const PREFIX: usize = 3;

fn moment(text: &[u8]) -> Option<u64> {
    if text.len() != "1970-01-01T00:00:00.000Z".len() || text.last() != Some(&b'Z') || text.get(10) != Some(&b'T') {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let moment = Timestamp::parse(text).filter(|moment| moment.to_string() == text)?;
    u64::try_from(moment.as_millis()).ok()
}

fn hex(text: &[u8]) -> Option<Vec<u8>> {
    // Shorter ones gain nothing.
    (text.len() >= 8).then(|| HEXLOWER.decode(text).ok())?
}

struct Unpacker<'a> {
    rest: &'a [u8],
    out: Vec<u8>,
    columns: Columns,
}

impl Unpacker<'_> {
    fn value(&mut self, depth: u8) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match self.byte()? {
            OBJECT => self.members(depth)?,
            ARRAY => self.items(depth)?,
            FALSE => self.out.extend_from_slice(b"false"),
            TRUE => self.out.extend_from_slice(b"true"),
            INTEGER => {
                let integer = self.number()?.to_string();
                self.out.extend_from_slice(integer.as_bytes());
            }
            PLAIN => {
                let plain = self.counted()?;
                self.out.extend_from_slice(plain);
            }
            tag => self.string(tag)?,
        }
        Some(())
    }

    fn members(&mut self, depth: u8) -> Option<()> {
        self.out.push(b'{');
        let mut first = true;
        loop {
            let tag = self.byte()?;
            if tag == END {
                break;
            }
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            self.string(tag)?;
            self.out.push(b':');
            self.value(depth)?;
        }
        self.out.push(b'}');
        Some(())
    }

    fn items(&mut self, depth: u8) -> Option<()> {
        self.out.push(b'[');
        let mut first = true;
        while *self.rest.first()? != END {
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            self.value(depth)?;
        }
        self.byte()?;
        self.out.push(b']');
        Some(())
    }

    fn string(&mut self, tag: u8) -> Option<()> {
        self.out.push(b'"');
        match tag {
            STRING => {
                let inner = self.counted()?;
                self.out.extend_from_slice(inner);
            }
            MOMENT => {
                let moment = Timestamp::from_millis(i64::try_from(self.number()?).ok()?).to_string();
                self.out.extend_from_slice(moment.as_bytes());
            }
            HEX => {
                let hex = HEXLOWER.encode(self.counted()?);
                self.out.extend_from_slice(hex.as_bytes());
            }
            AT => self.out.extend_from_slice(self.columns.at.to_string().as_bytes()),
            TENANT => self.out.extend_from_slice(self.columns.tenant?.to_string().as_bytes()),
            FAR_WORD => {
                let word = WORDS.get(usize::try_from(self.number()?).ok()?)?;
                self.out.extend_from_slice(word.as_bytes());
            }
            FIRST_WORD.. => self.out.extend_from_slice(WORDS.get(usize::from(tag - FIRST_WORD))?.as_bytes()),
            FIRST_ID.. => {
                let prefix = PREFIXES.get(usize::from(tag - FIRST_ID))?;
                let (id, rest) = self.rest.split_first_chunk::<16>()?;
                self.rest = rest;
                write_id(prefix, *id, &mut self.out);
            }
            _ => return None,
        }
        self.out.push(b'"');
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

impl<'a> Unpacker<'a> {
    fn counted(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests;
