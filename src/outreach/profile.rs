//! What a tenant says about itself: brand, locales, senders, contacts, purposes, settings.

use super::{Outreach, OutreachError};
use crate::access::{Permit, TenantProfile};
use crate::event::What;
use crate::guard::{Label, LabelError};
use crate::keyring::TenantKeys;
use crate::phone::{Masked, PhoneNumber};
use crate::store::{Change, Contact, Profile, Quiet, RegisteredSender, Registration, Write};

/// What is to be otherwise. A field that is absent stays as it is.
#[derive(Default)]
pub struct ProfileChange {
    /// The name that people see; none for the tenant's own.
    pub brand: Option<Option<String>>,
    /// BCP 47, the usual one first.
    pub locales: Option<Vec<String>>,
    /// What messages may show as their sender.
    pub senders: Option<Vec<RegisteredSender>>,
    /// The tenant's own numbers that messages may name.
    pub contacts: Option<Vec<PhoneNumber>>,
    /// What verifications may be for.
    pub purposes: Option<Vec<String>>,
    /// Whether marks may be taken off letters.
    pub transliterate: Option<bool>,
    /// The content policy that messages have to pass.
    pub content: Option<Option<String>>,
    /// When marketing waits.
    pub quiet: Option<Option<Quiet>>,
}

impl Outreach {
    /// Changes what the tenant says about itself. Every process knows within a second.
    ///
    /// # Errors
    /// [`OutreachError::Invalid`] or [`OutreachError::NumberInText`] by field.
    pub async fn change_profile(
        &self,
        permit: &Permit<TenantProfile>,
        change: ProfileChange,
    ) -> Result<Profile, OutreachError> {
        check(permit, &change)?;
        let keys = self.keyring.tenant(permit.tenant()).await?;
        let mut profile = permit.profile().clone();
        let fields = apply(&mut profile, change, &keys);
        let told = permit.event(self.store.now(), What::TenantChanged { fields: fields.join(" ") });
        let write = Write::SetProfile { tenant: permit.tenant(), profile: Box::new(profile.clone()) };
        self.store.commit(Change::telling(told).with(write)).await?;
        Ok(profile)
    }
}

/// A tenant's own number as it is kept.
pub fn contact(keys: &TenantKeys, number: &PhoneNumber) -> Contact {
    let index = data_encoding::HEXLOWER.encode(&keys.index(number).0);
    Contact { index, masked: Masked::of(number).to_string() }
}

/// Sets what is there to be set, and names it.
fn apply(profile: &mut Profile, change: ProfileChange, keys: &TenantKeys) -> Vec<&'static str> {
    let mut fields = Vec::new();
    let mut set = |name, is_set| {
        if is_set {
            fields.push(name);
        }
    };
    set("brand", change.brand.is_some());
    set("locales", change.locales.is_some());
    set("senders", change.senders.is_some());
    set("contacts", change.contacts.is_some());
    set("purposes", change.purposes.is_some());
    set("transliterate", change.transliterate.is_some());
    set("content", change.content.is_some());
    set("quiet_hours", change.quiet.is_some());
    replace(&mut profile.brand, change.brand);
    replace(&mut profile.locales, change.locales);
    replace(&mut profile.senders, change.senders);
    replace(
        &mut profile.contacts,
        change.contacts.map(|numbers| numbers.iter().map(|number| contact(keys, number)).collect()),
    );
    replace(&mut profile.purposes, change.purposes);
    replace(&mut profile.settings.transliterate, change.transliterate);
    replace(&mut profile.settings.content, change.content);
    replace(&mut profile.settings.quiet, change.quiet);
    fields
}

fn replace<T>(place: &mut T, with: Option<T>) {
    if let Some(with) = with {
        *place = with;
    }
}

fn check(permit: &Permit<TenantProfile>, change: &ProfileChange) -> Result<(), OutreachError> {
    if let Some(Some(brand)) = &change.brand {
        Label::up_to(32).check(brand).map_err(|fault| label(fault, "brand"))?;
    }
    let locales = change.locales.as_deref().unwrap_or_default();
    if locales.len() > 32 || !locales.iter().all(|locale| is_locale(locale)) {
        return Err(OutreachError::Invalid("locales"));
    }
    let senders = change.senders.as_deref().unwrap_or_default();
    if senders.len() > 100 || !senders.iter().all(is_sender) {
        return Err(OutreachError::Invalid("senders"));
    }
    senders.iter().try_for_each(|sender| check_registration(sender.registration.as_ref(), "senders"))?;
    if change.contacts.as_ref().is_some_and(|contacts| contacts.len() > 20) {
        return Err(OutreachError::Invalid("contacts"));
    }
    let purposes = change.purposes.as_deref().unwrap_or_default();
    if purposes.len() > 50 {
        return Err(OutreachError::Invalid("purposes"));
    }
    for purpose in purposes {
        Label::up_to(64).check(purpose).map_err(|fault| label(fault, "purposes"))?;
    }
    if let Some(Some(policy)) = &change.content
        && !permit.terms().content.knows(policy)
    {
        return Err(OutreachError::Invalid("settings.content"));
    }
    match change.quiet.flatten() {
        Some(quiet) if !is_quiet(quiet) => Err(OutreachError::Invalid("settings.quiet_hours")),
        _ => Ok(()),
    }
}

pub(super) fn label(fault: LabelError, field: &'static str) -> OutreachError {
    if fault == LabelError::Number { OutreachError::NumberInText(field) } else { OutreachError::Invalid(field) }
}

/// A language tag, as far as it can be told by its looks (RFC 5646 §2.1).
pub(super) fn is_locale(tag: &str) -> bool {
    let mut subtags = tag.split('-');
    let language = subtags.next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.bytes().all(|c| c.is_ascii_alphabetic())
        && tag.len() <= 35
        && subtags.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_alphanumeric()))
}

/// An alphanumeric sender (3GPP TS 23.040 §9.1.2.5: eleven characters) or a short code; numbers live in pools.
fn is_sender(sender: &RegisteredSender) -> bool {
    let name = &sender.sender;
    let is_code = (3..=8).contains(&name.len()) && name.bytes().all(|c| c.is_ascii_digit());
    let is_name = (1..=11).contains(&name.len())
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || b" ._&-".contains(&c))
        && name.bytes().any(|c| c.is_ascii_alphabetic())
        && name.trim() == name;
    let country = |code: &String| code.len() == 2 && code.bytes().all(|c| c.is_ascii_uppercase());
    (is_code || is_name) && sender.countries.iter().all(country)
}

/// What registries give out: short, and free of numbers that are people's.
pub(super) fn check_registration(
    registration: Option<&Registration>,
    field: &'static str,
) -> Result<(), OutreachError> {
    let Some(Registration { campaign_id, entity_id, template_id }) = registration else { return Ok(()) };
    let is_id =
        |id: &String| (1..=32).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    match [campaign_id, entity_id, template_id].into_iter().flatten().all(is_id) {
        true => Ok(()),
        false => Err(OutreachError::Invalid(field)),
    }
}

fn is_quiet(quiet: Quiet) -> bool {
    quiet.from < 24 && quiet.to < 24 && quiet.from != quiet.to && (-720..=840).contains(&quiet.utc_offset_min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_a_short_name_or_a_short_code_and_never_a_number() {
        let fits = |name: &str| {
            is_sender(&RegisteredSender {
                sender: name.to_owned(),
                countries: Vec::new(),
                classes: Vec::new(),
                registration: None,
            })
        };
        for name in ["Rialto", "A&B Shop", "12345", "R2-D2"] {
            assert!(fits(name), "{name}");
        }
        for name in ["", "+442079460000", "442079460000", "12", "TwelveLetter", " Rialto", "Riálto", "...", "a\nb"] {
            assert!(!fits(name), "{name}");
        }
    }

    #[test]
    fn a_locale_looks_like_a_language_tag() {
        for tag in ["en", "vi-VN", "zh-Hant-TW", "es-419"] {
            assert!(is_locale(tag), "{tag}");
        }
        for tag in ["", "e", "english", "en_GB", "en-", "12", "en-toolongsubtag"] {
            assert!(!is_locale(tag), "{tag}");
        }
    }
}
