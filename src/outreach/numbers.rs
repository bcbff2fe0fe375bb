//! Phone numbers in the text of a message: the tenant's own may stand there, nobody else's.
//!
//! A text with somebody's number would carry it around every token and alias. But a business may name the line that
//! answers for it: the contacts that it registered, and numbers of pools that it may use. What is written as a phone
//! number (a plus, spaces, dashes, brackets) is taken for one; a lone run of digits only if it is a valid number as it
//! stands or where the receiver is, so that order numbers pass.

use super::{Outreach, OutreachError};
use crate::event::Mode;
use crate::ids::TenantId;
use crate::keyring::TenantKeys;
use crate::phone::{self, PhoneNumber, Rules};
use crate::store::Profile;

/// Whose text it is, and for whom.
pub(super) struct Context<'a> {
    pub(super) tenant: TenantId,
    pub(super) mode: Mode,
    pub(super) profile: &'a Profile,
    /// Where the receiver is.
    pub(super) region: Option<&'a str>,
}

/// What a stretch of text is.
enum Stretch {
    /// One number.
    Number(PhoneNumber),
    /// Digits that are nobody's number.
    Digits,
    /// Written as a number, and not to be read as one.
    Unreadable,
}

impl Outreach {
    /// Whether every number in `text` may stand there.
    pub(super) async fn names_no_stranger(
        &self,
        keys: &TenantKeys,
        of: &Context<'_>,
        text: &str,
    ) -> Result<bool, OutreachError> {
        for found in phone::find(text) {
            let Some(written) = text.get(found.start..found.end) else { return Ok(false) };
            match read(written, of) {
                Stretch::Number(number) if !self.is_own(keys, of, &number).await? => return Ok(false),
                Stretch::Unreadable => return Ok(false),
                Stretch::Number(_) | Stretch::Digits => {}
            }
        }
        Ok(true)
    }

    /// Whether a number is one of the tenant's contacts, or of a pool that it may use.
    async fn is_own(&self, keys: &TenantKeys, of: &Context<'_>, number: &PhoneNumber) -> Result<bool, OutreachError> {
        let index = data_encoding::HEXLOWER.encode(&keys.index(number).0);
        if of.profile.contacts.iter().any(|contact| contact.index == index) {
            return Ok(true);
        }
        let Some(row) = self.store.number(number.as_virtual()).await? else { return Ok(false) };
        let pool = self.store.pool(row.pool).await?;
        Ok(pool.is_some_and(|pool| pool.mode == of.mode && (pool.tenant == of.tenant || pool.shared)))
    }
}

fn read(written: &str, of: &Context<'_>) -> Stretch {
    let rules = |region: Option<&str>| Rules {
        region: region.map(str::to_owned),
        test: of.mode == Mode::Test,
        destination: false,
        mobile: false,
    };
    if let Ok(parsed) = phone::parse(written, &rules(of.region)) {
        return Stretch::Number(parsed.number);
    }
    if !written.bytes().all(|c| c.is_ascii_digit()) {
        return Stretch::Unreadable;
    }
    match phone::parse(&format!("+{written}"), &rules(None)) {
        Ok(parsed) => Stretch::Number(parsed.number),
        Err(_) => Stretch::Digits,
    }
}
