//! Rules for the short texts that clients give: purposes, references, names, amounts.

use crate::phone;

/// Whether a client's text holds a phone number, in any spelling.
pub fn number_in_text(text: &str) -> bool {
    phone::contains_number(text)
}

/// What a short, one-line text of a client may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// At most so many characters.
    pub longest: usize,
}

/// Why a text was refused. The text itself is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// Nothing but white space.
    #[error("the text is empty")]
    Empty,
    /// Longer than its field allows.
    #[error("the text is too long")]
    TooLong,
    /// A control, line-breaking or invisible character, which could hide or forge a line of a message or a log.
    #[error("the text holds a character that cannot be seen")]
    Unprintable,
    /// A phone number in some spelling.
    #[error("the text holds a phone number")]
    Number,
}

impl LabelError {
    /// The stable code of the answer.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "text_empty",
            Self::TooLong => "text_too_long",
            Self::Unprintable => "text_unprintable",
            Self::Number => "number_in_text",
        }
    }
}

impl Label {
    /// A text of at most `longest` characters.
    pub const fn up_to(longest: usize) -> Self {
        Self { longest }
    }

    /// Whether `text` may stand.
    pub fn check(self, text: &str) -> Result<(), LabelError> {
        if text.trim().is_empty() {
            return Err(LabelError::Empty);
        }
        // Bytes first: a huge text is refused without being read to its end.
        if text.len() > self.longest.saturating_mul(4) || text.chars().count() > self.longest {
            return Err(LabelError::TooLong);
        }
        if text.chars().any(is_unprintable) {
            return Err(LabelError::Unprintable);
        }
        if number_in_text(text) {
            return Err(LabelError::Number);
        }
        Ok(())
    }
}

/// Controls, line and paragraph separators, and the format characters that reorder or hide what is read (Unicode
/// TR 36 §2.5, bidirectional text spoofing). The joiners U+200C and U+200D stay: Persian and Hindi spell with them.
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
        || matches!(c, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(c, '\u{2060}'..='\u{206F}' | '\u{FFF9}'..='\u{FFFB}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_short_visible_and_free_of_numbers() {
        let label = Label::up_to(16);
        assert_eq!(label.check("login"), Ok(()));
        assert_eq!(label.check("đăng nhập"), Ok(()));
        assert_eq!(label.check(" "), Err(LabelError::Empty));
        assert_eq!(label.check("seventeen letters"), Err(LabelError::TooLong));
        assert_eq!(label.check("a\n@evil.example"), Err(LabelError::Unprintable));
        assert_eq!(label.check("abc\u{202E}def"), Err(LabelError::Unprintable));
        assert_eq!(label.check("+84 90 123 45 67"), Err(LabelError::Number));
    }
}
