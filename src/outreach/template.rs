//! Templates: made, looked at, removed. A message keeps what it said when its template goes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Outreach, OutreachError, render};
use crate::access::{Permit, Templates};
use crate::event::What;
use crate::guard::{self, Label};
use crate::ids::{self, TemplateId};
use crate::message::{self, Alphabet};
use crate::store::{Change, Class, Registration, TemplateRow, Write};

/// A template to be kept.
pub struct NewTemplate {
    /// Its name.
    pub name: String,
    /// What its messages are.
    pub class: Class,
    /// One text for each locale (BCP 47), with `{placeholders}`.
    pub texts: BTreeMap<String, String>,
    /// Under what it is registered.
    pub registration: Option<Registration>,
}

impl Outreach {
    /// Keeps a template.
    ///
    /// # Errors
    /// [`OutreachError::Exists`], [`OutreachError::TooMany`], [`OutreachError::Invalid`] by field.
    pub async fn create_template(
        &self,
        permit: &Permit<Templates>,
        new: NewTemplate,
    ) -> Result<TemplateRow, OutreachError> {
        check(&new)?;
        let NewTemplate { name, class, texts, registration } = new;
        let (id, tenant, created_at) = (ids::fresh(), permit.tenant(), self.store.now());
        let row = TemplateRow { id, tenant, name, class, texts, registration, created_at };
        let told = What::TemplateCreated { template: id, name: row.name.clone(), class: class.as_str().to_owned() };
        let change = Change::telling(permit.event(created_at, told)).with(Write::Template(Box::new(row.clone())));
        self.store.commit(change).await?;
        Ok(row)
    }

    /// One template.
    ///
    /// # Errors
    /// [`OutreachError::NotFound`].
    pub async fn template(&self, permit: &Permit<Templates>, id: TemplateId) -> Result<TemplateRow, OutreachError> {
        self.store.template(permit.tenant(), id).await?.ok_or(OutreachError::NotFound)
    }

    /// The tenant's templates, newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn templates(
        &self,
        permit: &Permit<Templates>,
        after: Option<TemplateId>,
        limit: u32,
    ) -> Result<Vec<TemplateRow>, OutreachError> {
        Ok(self.store.templates(permit.tenant(), after, limit).await?)
    }

    /// Forgets a template.
    ///
    /// # Errors
    /// [`OutreachError::NotFound`].
    pub async fn delete_template(&self, permit: &Permit<Templates>, id: TemplateId) -> Result<(), OutreachError> {
        let told = permit.event(self.store.now(), What::TemplateDeleted { template: id });
        let write = Write::RemoveTemplate { tenant: permit.tenant(), id };
        self.store.commit(Change::telling(told).with(write)).await?;
        Ok(())
    }
}

/// Whether a template could be kept: every text can be filled and sent, and all want the same variables.
fn check(new: &NewTemplate) -> Result<(), OutreachError> {
    Label::up_to(64).check(&new.name).map_err(|fault| super::profile::label(fault, "name"))?;
    if new.name.starts_with("tpl_") {
        return Err(OutreachError::Invalid("name"));
    }
    if new.texts.is_empty() || new.texts.len() > MAX_LOCALES {
        return Err(OutreachError::Invalid("texts"));
    }
    let mut wanted: Option<BTreeSet<String>> = None;
    for (locale, text) in &new.texts {
        let hidden = text.chars().any(|c| c != '\n' && guard::is_unprintable(c));
        if !super::profile::is_locale(locale) || text.trim().is_empty() || hidden {
            return Err(OutreachError::Invalid("texts"));
        }
        message::parts(text, Alphabet::Gsm7).map_err(|_| OutreachError::TooLong)?;
        let names = render::placeholders(text).ok_or(OutreachError::Invalid("texts"))?;
        if wanted.as_ref().is_some_and(|wanted| *wanted != names) {
            return Err(OutreachError::Mismatch);
        }
        wanted = Some(names);
    }
    super::profile::check_registration(new.registration.as_ref(), "registration")
}

/// Locales of one template.
const MAX_LOCALES: usize = 32;
