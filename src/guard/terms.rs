//! What messages may say and cost, as one set of policies has it.

use super::content::{CONTENT_FILE, Content};
use super::spend::{Caps, PRICES_FILE, Prices, SPEND_FILE};

/// The rules of one version of the policies. Files that a set does not have allow everything and cost nothing.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// What messages may say.
    pub content: Content,
    /// What they cost.
    pub prices: Prices,
    /// What they may cost in a day.
    pub caps: Caps,
}

impl Terms {
    /// Reads the files that `text` knows.
    ///
    /// # Errors
    /// The file that is wrong, and how to mend it.
    pub fn of<'a>(text: impl Fn(&str) -> Option<&'a str>) -> Result<Self, (&'static str, String)> {
        let read = |name| text(name).unwrap_or_default();
        Ok(Self {
            content: Content::parse(read(CONTENT_FILE)).map_err(|fault| (CONTENT_FILE, fault))?,
            prices: Prices::parse(read(PRICES_FILE)).map_err(|fault| (PRICES_FILE, fault))?,
            caps: Caps::parse(read(SPEND_FILE)).map_err(|fault| (SPEND_FILE, fault))?,
        })
    }
}
