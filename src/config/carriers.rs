//! `[[carriers]]`: each section is read by its `kind`, which has a file of its own here.
//!
//! `name`, `kind` and `region` mean the same in every section. A setting that a kind does not know, or cannot be, stops
//! the start with one line that names it.

mod http;
mod smpp;
mod template;
mod twilio;
mod vonage;

use std::path::{Path, PathBuf};

use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use super::{ConfigError, mend};
pub use http::{HttpLink, Voice};
pub use smpp::{
    Addressing, Concat, IdFormat, ReceiptsWanted, SmppAlphabet, SmppBind, SmppLink, SmppOutbind, SmppTlsFiles,
    SmppVersion, SubmitCommand, TonNpi,
};
pub use template::{Template, TemplateAuth, TemplateFailure, TemplateInbound, TemplateStatus, TemplateSubmit};
pub use twilio::Twilio;
pub use vonage::Vonage;

/// How to reach a carrier, by its kind.
#[derive(Clone, Debug)]
pub enum CarrierSettings {
    /// An SMSC.
    Smpp(Box<SmppLink>),
    /// An account at Twilio.
    Twilio(Box<Twilio>),
    /// An account at Vonage.
    Vonage(Box<Vonage>),
    /// A gateway of any shape.
    Template(Box<Template>),
}

impl CarrierSettings {
    /// Its name, as pools and routes use it.
    pub fn name(&self) -> &str {
        match self {
            Self::Smpp(link) => &link.name,
            Self::Twilio(account) => &account.link.name,
            Self::Vonage(account) => &account.link.name,
            Self::Template(gateway) => &gateway.link.name,
        }
    }
}

/// One section under check: what every kind shares, and how to say what is wrong.
struct Section<'a> {
    name: String,
    region: Option<String>,
    rest: Dict,
    index: usize,
    place: &'a str,
    /// Makes a path absolute to where it was written.
    at: &'a dyn Fn(&Path) -> PathBuf,
    /// Whether the settings say how the outside reaches us.
    has_public_url: bool,
}

/// All sections, in their order; the sandbox, which is always there, is left out.
pub(super) fn check(
    sections: Vec<Dict>,
    at: &dyn Fn(&Path) -> PathBuf,
    has_public_url: bool,
    place: &str,
) -> Result<Vec<CarrierSettings>, ConfigError> {
    let mut carriers: Vec<CarrierSettings> = Vec::new();
    for (index, rest) in sections.into_iter().enumerate() {
        let mut section = Section { name: String::new(), region: None, rest, index, place, at, has_public_url };
        let kind = section.shared(&carriers)?;
        match kind.as_str() {
            "sandbox" => {
                let NoSettings {} = section.read()?;
            }
            "smpp" => carriers.push(CarrierSettings::Smpp(Box::new(smpp::link(section)?))),
            "twilio" => carriers.push(CarrierSettings::Twilio(Box::new(twilio::account(section)?))),
            "vonage" => carriers.push(CarrierSettings::Vonage(Box::new(vonage::account(section)?))),
            "template" => carriers.push(CarrierSettings::Template(Box::new(template::gateway(section)?))),
            _ => return Err(section.wrong("kind", "not one of: smpp, twilio, vonage, template, sandbox")),
        }
    }
    Ok(carriers)
}

/// The sandbox has none.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

impl Section<'_> {
    /// Takes out what every kind has, and gives the kind.
    fn shared(&mut self, earlier: &[CarrierSettings]) -> Result<String, ConfigError> {
        let kind = self.word("kind")?.ok_or_else(|| self.wrong("kind", "is missing; write \"smpp\" say"))?;
        self.name = self.word("name")?.unwrap_or_default();
        self.region = self.word("region")?.filter(|region| !region.is_empty());
        if kind == "sandbox" && self.name != "sandbox" {
            return Err(self.wrong(
                "name",
                "the sandbox carrier is always there under the name \"sandbox\"; use that name or leave it out",
            ));
        }
        let taken = self.name == "sandbox" || earlier.iter().any(|carrier| carrier.name() == self.name);
        if kind != "sandbox" && (self.name.is_empty() || taken) {
            return Err(self.wrong("name", "needs a name of its own, other than \"sandbox\""));
        }
        Ok(kind)
    }

    fn word(&mut self, key: &str) -> Result<Option<String>, ConfigError> {
        match self.rest.remove(key) {
            None => Ok(None),
            Some(Value::String(_, word)) => Ok(Some(word)),
            Some(_) => Err(self.wrong(key, "has the wrong type or value; write a string")),
        }
    }

    /// What is left of the section, as its kind has it.
    fn read<T: DeserializeOwned>(&mut self) -> Result<T, ConfigError> {
        let value = Value::from(std::mem::take(&mut self.rest));
        value.deserialize().map_err(|error| {
            let key = match &error.kind {
                figment::error::Kind::UnknownField(field, _) if error.path.is_empty() => field.clone(),
                figment::error::Kind::MissingField(field) => field.to_string(),
                _ => error.path.join("."),
            };
            self.wrong(&key, &mend(&error))
        })
    }

    fn wrong(&self, key: &str, mend: &str) -> ConfigError {
        ConfigError::new(self.place, format!("carriers[{}].{key}", self.index), mend)
    }
}
