//! What a message is to say, read against templates, senders and rules: everything that can be refused before anything
//! is written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::numbers::Context;
use super::{Outreach, OutreachError, render};
use crate::access::Permit;
use crate::clock::Timestamp;
use crate::guard;
use crate::ids::{TemplateId, TenantId};
use crate::message::{self, Alphabet};
use crate::phone::{Bearing, VirtualNumber};
use crate::store::{BlindIndex, Class, Profile, Quiet, RegisteredSender, Registration, Shown, TemplateRow};
use crate::vault::Holder;

/// A message that is asked for.
pub struct NewMessage {
    /// The person.
    pub to: Holder,
    /// Where the person is.
    pub bearing: Bearing,
    /// What it says.
    pub says: Says,
    /// What kind of message it is; the template's if there is one.
    pub class: Option<Class>,
    /// What it shows as its sender.
    pub sender: Option<String>,
    /// How long it may wait to be delivered.
    pub life: Option<Duration>,
}

/// What a message says.
pub enum Says {
    /// This text.
    Text(Zeroizing<String>),
    /// A template, filled.
    Template {
        /// Which.
        template: TemplateName,
        /// What stands for its placeholders.
        variables: BTreeMap<String, Zeroizing<String>>,
        /// In which language (BCP 47).
        locale: Option<String>,
    },
}

/// Which template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TemplateName {
    /// By id.
    Id(TemplateId),
    /// By name.
    Name(String),
}

/// Templates that one request used already.
#[derive(Default)]
pub(super) struct Shelf(Vec<(TemplateName, Arc<TemplateRow>)>);

/// A message as it will be sent.
pub(super) struct Letter {
    pub(super) text: Zeroizing<String>,
    pub(super) class: Class,
    pub(super) template: Option<TemplateId>,
    pub(super) parts: u64,
    pub(super) shown: Shown,
    pub(super) registration: Option<Registration>,
    /// Not before.
    pub(super) due: Timestamp,
}

impl Outreach {
    /// Reads a wish. Nothing is counted yet.
    pub(super) async fn letter<R>(
        &self,
        permit: &Permit<R>,
        shelf: &mut Shelf,
        new: &NewMessage,
    ) -> Result<Letter, OutreachError> {
        let Said { text, class, template, registration } = self.said(permit, shelf, new).await?;
        let profile = permit.profile();
        let text = if profile.settings.transliterate { message::thrifty(text) } else { text };
        let parts = message::parts(&text, Alphabet::Gsm7).map_err(|_| OutreachError::TooLong)? as u64;
        let region = new.bearing.region();
        let keys = self.keyring.tenant(permit.tenant()).await?;
        let of = Context { tenant: permit.tenant(), mode: permit.mode(), profile, region };
        if !self.names_no_stranger(&keys, &of, &text).await? {
            return Err(OutreachError::NumberInText(if template.is_some() { "variables" } else { "text" }));
        }
        let (shown, registered) = self.sender(permit, new.sender.as_deref(), region, class).await?;
        let due = due(self.store.now(), class, profile.settings.quiet);
        let registration = joined(registered, registration);
        Ok(Letter { text, class, template, parts, shown, registration, due })
    }

    async fn said<R>(&self, permit: &Permit<R>, shelf: &mut Shelf, new: &NewMessage) -> Result<Said, OutreachError> {
        match &new.says {
            Says::Text(text) => {
                let class = new.class.ok_or(OutreachError::Missing("class"))?;
                check_text(text, "text")?;
                Ok(Said { text: text.clone(), class, template: None, registration: None })
            }
            Says::Template { template, variables, locale } => {
                let row = self.shelved(permit.tenant(), shelf, template).await?;
                if new.class.is_some_and(|class| class != row.class) {
                    return Err(OutreachError::Mismatch);
                }
                let locales = &permit.profile().locales;
                let pattern = render::chosen(&row.texts, locale.as_deref(), locales).ok_or(OutreachError::Mismatch)?;
                let text = render::fill(pattern, permit.brand(), variables).ok_or(OutreachError::Mismatch)?;
                check_text(&text, "variables")?;
                let registration = row.registration.clone();
                Ok(Said { text, class: row.class, template: Some(row.id), registration })
            }
        }
    }

    async fn shelved(
        &self,
        tenant: TenantId,
        shelf: &mut Shelf,
        name: &TemplateName,
    ) -> Result<Arc<TemplateRow>, OutreachError> {
        if let Some((_, row)) = shelf.0.iter().find(|(known, _)| known == name) {
            return Ok(Arc::clone(row));
        }
        let row = match name {
            TemplateName::Id(id) => self.store.template(tenant, *id).await?,
            TemplateName::Name(name) => self.store.template_named(tenant, name).await?,
        };
        let row = Arc::new(row.ok_or(OutreachError::Invalid("template"))?);
        if shelf.0.len() < SHELF {
            shelf.0.push((name.clone(), Arc::clone(&row)));
        }
        Ok(row)
    }

    /// What is shown as the sender: what was asked for, if the tenant may show it there; else the first that it registered
    /// for there; else whatever the route has.
    async fn sender<R>(
        &self,
        permit: &Permit<R>,
        asked: Option<&str>,
        region: Option<&str>,
        class: Class,
    ) -> Result<(Shown, Option<Registration>), OutreachError> {
        let profile = permit.profile();
        let shown = |sender: &RegisteredSender| (Shown::Sender(sender.sender.clone()), sender.registration.clone());
        let Some(asked) = asked else {
            return Ok(fitting(profile, None, region, class).map_or((Shown::House, None), shown));
        };
        if let Some(number) = crate::phone::parse_virtual(asked) {
            return match self.may_show(permit, number).await? {
                true => Ok((Shown::Number(number), None)),
                false => Err(OutreachError::Sender),
            };
        }
        fitting(profile, Some(asked), region, class).map(shown).ok_or(OutreachError::Sender)
    }

    /// Whether the tenant may write from a pool's number: one of its own pools. On a shared pool the number is
    /// somebody's alias, or will be.
    async fn may_show<R>(&self, permit: &Permit<R>, number: VirtualNumber) -> Result<bool, OutreachError> {
        let Some(row) = self.store.number(number).await? else { return Ok(false) };
        let pool = self.store.pool(row.pool).await?;
        Ok(pool.is_some_and(|pool| pool.tenant == permit.tenant() && !pool.shared))
    }

    /// Whether the text may be said to this person, repetitions included.
    pub(super) fn check_content<R>(
        &self,
        permit: &Permit<R>,
        party: BlindIndex,
        text: &str,
    ) -> Result<(), OutreachError> {
        let content = &permit.terms().content;
        let policies = [content.for_messages(), permit.profile().settings.content.as_deref()];
        for policy in policies.into_iter().flatten() {
            content.check(policy, text).map_err(OutreachError::Content)?;
            if let Some(limit) = content.repeats(policy) {
                let tenant = crate::ids::bytes(&permit.tenant());
                let parts = [b"repeat".as_slice(), policy.as_bytes(), &tenant, &party.0, text.as_bytes()];
                let print = self.keyring.system().fingerprint(&parts);
                self.repeats.once_more(print, limit, self.store.now()).map_err(OutreachError::Content)?;
            }
        }
        Ok(())
    }
}

/// What a wish says, before it is looked at as a message.
struct Said {
    text: Zeroizing<String>,
    class: Class,
    template: Option<TemplateId>,
    registration: Option<Registration>,
}

/// A text is something that can be seen.
fn check_text(text: &str, field: &'static str) -> Result<(), OutreachError> {
    let hidden = |c: char| c != '\n' && guard::is_unprintable(c);
    match text.trim().is_empty() || text.chars().any(hidden) {
        true => Err(OutreachError::Invalid(field)),
        false => Ok(()),
    }
}

/// The sender of this name, or the first of any, that may be shown there for this class.
fn fitting<'a>(
    profile: &'a Profile,
    name: Option<&str>,
    region: Option<&str>,
    class: Class,
) -> Option<&'a RegisteredSender> {
    profile.senders.iter().find(|sender| {
        name.is_none_or(|name| sender.sender == name)
            && (sender.classes.is_empty() || sender.classes.contains(&class))
            && (sender.countries.is_empty()
                || region.is_some_and(|region| sender.countries.iter().any(|country| country == region)))
    })
}

/// What the sender and the template are registered under, together.
fn joined(sender: Option<Registration>, template: Option<Registration>) -> Option<Registration> {
    match (sender, template) {
        (Some(sender), Some(template)) => Some(Registration {
            campaign_id: template.campaign_id.or(sender.campaign_id),
            entity_id: template.entity_id.or(sender.entity_id),
            template_id: template.template_id.or(sender.template_id),
        }),
        (sender, template) => sender.or(template),
    }
}

/// When a message may go: marketing not in hours in which it is to be quiet.
fn due(now: Timestamp, class: Class, quiet: Option<Quiet>) -> Timestamp {
    let Some(quiet) = quiet.filter(|_| class == Class::Marketing) else { return now };
    let local = now.as_secs() + i64::from(quiet.utc_offset_min) * 60;
    let second = local.rem_euclid(DAY);
    let (from, to) = (i64::from(quiet.from) * 3_600, i64::from(quiet.to) * 3_600);
    let is_quiet = if from <= to { (from..to).contains(&second) } else { second >= from || second < to };
    if !is_quiet {
        return now;
    }
    let wait = (to - second).rem_euclid(DAY);
    now.plus(Duration::from_secs(wait.unsigned_abs()))
}

const DAY: i64 = 86_400;
/// Templates that one request remembers.
const SHELF: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64, minute: i64) -> Timestamp {
        Timestamp::from_millis((20_000 * DAY + hour * 3_600 + minute * 60) * 1_000)
    }

    #[test]
    fn marketing_waits_for_the_morning_and_nothing_else_does() {
        let quiet = Some(Quiet { from: 21, to: 8, utc_offset_min: 60 });
        assert_eq!(due(at(21, 30), Class::Marketing, quiet), at(31, 0), "22:30 there, until 08:00 there");
        assert_eq!(due(at(3, 0), Class::Marketing, quiet), at(7, 0));
        assert_eq!(due(at(7, 0), Class::Marketing, quiet), at(7, 0));
        assert_eq!(due(at(19, 59), Class::Marketing, quiet), at(19, 59));
        assert_eq!(due(at(3, 0), Class::Notice, quiet), at(3, 0));
        assert_eq!(due(at(3, 0), Class::Marketing, None), at(3, 0));
        let noon = Some(Quiet { from: 12, to: 14, utc_offset_min: 0 });
        assert_eq!(due(at(13, 15), Class::Marketing, noon), at(14, 0));
    }

    #[test]
    fn a_sender_is_shown_only_where_and_for_what_it_is_registered() {
        let sender = |name: &str, countries: &[&str], classes: &[Class]| RegisteredSender {
            sender: name.to_owned(),
            countries: countries.iter().map(|it| (*it).to_owned()).collect(),
            classes: classes.to_vec(),
            registration: None,
        };
        let senders = vec![sender("SHOP", &["GB"], &[]), sender("OFFER", &[], &[Class::Marketing])];
        let profile = Profile { senders, ..Profile::default() };
        let name = |asked, region, class| fitting(&profile, asked, region, class).map(|it| it.sender.as_str());
        assert_eq!(name(None, Some("GB"), Class::Notice), Some("SHOP"));
        assert_eq!(name(None, Some("VN"), Class::Notice), None);
        assert_eq!(name(None, None, Class::Marketing), Some("OFFER"));
        assert_eq!(name(Some("OFFER"), Some("GB"), Class::Notice), None);
        assert_eq!(name(Some("shop"), Some("GB"), Class::Notice), None, "as it is registered and not otherwise");
    }
}
