//! `/v1/tenant`, `/v1/freeze`, `/v1/thaw`: what the caller's tenant is and says about itself, and the switch that stops it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Answer;
use super::body::{self, Body};
use super::extract::Call;
use super::fields::{self, Object, Typed};
use super::idempotency::once;
use super::messages::Asked;
use super::problem::Problem;
use super::templates::RegistrationFields;
use crate::access::{Action, FreezeSwitch, TenantProfile};
use crate::clock::Timestamp;
use crate::event::{Mode, Role};
use crate::ids::{CredentialId, TenantId};
use crate::outreach::ProfileChange;
use crate::store::{Class, Profile, Quiet, RegisteredSender, Registration, Settings};

/// The caller's tenant, and the caller.
#[derive(Serialize, ToSchema)]
pub struct TenantAnswer<'a> {
    #[schema(value_type = String, example = "ten_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: TenantId,
    /// The name that people see in messages.
    brand: &'a str,
    /// `live` or `test`.
    #[schema(value_type = String, example = "test")]
    mode: Mode,
    /// The credential that asks.
    credential: Own<'a>,
    /// What else the tenant says about itself, for those who see all of it.
    #[serde(flatten)]
    profile: Option<ProfileAnswer>,
}

/// What a tenant says about itself.
#[derive(Serialize, ToSchema)]
pub struct ProfileAnswer {
    /// BCP 47, the usual one first.
    locales: Vec<String>,
    /// What its messages may show as their sender.
    senders: Vec<SenderFields>,
    /// The tenant's own numbers that its messages may name, masked.
    #[schema(example = json!(["+44 •• •••• ••00"]))]
    contacts: Vec<String>,
    /// What verifications may be for; anything if empty.
    purposes: Vec<String>,
    settings: SettingsAnswer,
}

/// How a tenant's messages are made.
#[derive(Serialize, ToSchema)]
pub struct SettingsAnswer {
    /// Whether marks may be taken off letters where that takes fewer parts.
    transliterate: bool,
    /// The content policy that messages have to pass.
    content: Option<String>,
    /// When marketing waits.
    quiet_hours: Option<QuietHours>,
}

/// A sender that may be shown.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SenderFields {
    /// A name of up to 11 letters and digits, or a short code. Numbers live in pools.
    #[schema(example = "Rialto")]
    sender: String,
    /// ISO 3166-1 alpha-2; everywhere if left out.
    #[serde(default)]
    countries: Vec<String>,
    /// For which messages; all if left out.
    #[serde(default)]
    classes: Vec<Asked>,
    /// Under what it is registered there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registration: Option<RegistrationFields>,
}

/// Hours of a day in which marketing waits.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// The first hour, 0 to 23.
    #[schema(example = 21)]
    from: u8,
    /// The hour at which it ends, 0 to 23.
    #[schema(example = 8)]
    to: u8,
    /// Minutes east of UTC that the hours are told in.
    #[serde(default)]
    utc_offset_min: i32,
}

/// What is to be otherwise; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTenant {
    /// The name that people see; null for the tenant's own.
    #[serde(default, deserialize_with = "fields::given")]
    #[schema(value_type = Option<String>)]
    brand: Option<Option<String>>,
    locales: Option<Vec<String>>,
    senders: Option<Vec<SenderFields>>,
    /// The tenant's own numbers that its messages may name. Kept under a key, shown masked.
    #[schema(value_type = Option<Vec<String>>)]
    contacts: Option<Vec<Typed>>,
    purposes: Option<Vec<String>>,
    #[schema(value_type = Option<ChangeSettings>)]
    settings: Option<Object<ChangeSettings>>,
}

/// Settings that are to be otherwise; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSettings {
    transliterate: Option<bool>,
    /// A policy of `content.toml`; null for none.
    #[serde(default, deserialize_with = "fields::given")]
    #[schema(value_type = Option<String>)]
    content: Option<Option<String>>,
    /// Null for none.
    #[serde(default, deserialize_with = "fields::given")]
    #[schema(value_type = Option<QuietHours>)]
    quiet_hours: Option<Option<QuietHours>>,
}

/// The credential that asks.
#[derive(Serialize, ToSchema)]
pub struct Own<'a> {
    #[schema(value_type = String, example = "crd_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: CredentialId,
    person: &'a str,
    #[schema(value_type = String, example = "business")]
    role: Role,
    audience: Option<&'a str>,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// What is to be stopped, or let go on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `ten_…`, `crd_…` or `als_…`.
    #[schema(example = "als_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    target: String,
}

/// Whether it is stopped now.
#[derive(Serialize, ToSchema)]
pub struct Switched {
    target: String,
    frozen: bool,
}

/// Look at the own tenant
#[utoipa::path(get, path = "/v1/tenant", tag = "Tenant",
    responses((status = 200, description = "The tenant and the credential that asks.", body = TenantAnswer)))]
pub async fn read(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let permit = call.permit(Action::TenantRead, TenantProfile {}).await?;
    let profile = permit.sees_all().then(|| ProfileAnswer::from(permit.profile().clone()));
    answer(&call, permit.brand(), profile)
}

/// Change what the tenant says about itself
///
/// What is left out stays as it is. In force everywhere within a second.
#[utoipa::path(patch, path = "/v1/tenant", tag = "Tenant", request_body = ChangeTenant,
    responses((status = 200, description = "Changed.", body = TenantAnswer)))]
pub async fn change(call: Call, body: Body) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let wish: ChangeTenant = body.read()?;
    let permit = call.permit(Action::TenantChange, TenantProfile {}).await?;
    let profile = call.api.outreach.change_profile(&permit, wish.read(&call)?).await?;
    call.api.access.refresh().await?;
    let brand = profile.brand.clone().unwrap_or_else(|| call.caller.brand.clone());
    answer(&call, &brand, Some(ProfileAnswer::from(profile)))
}

fn answer(call: &Call, brand: &str, profile: Option<ProfileAnswer>) -> Result<Answer, Problem> {
    let caller = &call.caller;
    Answer::ok(&TenantAnswer {
        id: caller.tenant,
        brand,
        mode: caller.mode,
        credential: Own {
            id: caller.credential,
            person: &caller.person,
            role: caller.role,
            audience: caller.audience.as_deref(),
            expires_at: caller.ends_at,
        },
        profile,
    })
}

impl ChangeTenant {
    fn read(self, call: &Call) -> Result<ProfileChange, Problem> {
        let number = |typed: &Typed| match fields::number(typed, None, call.caller.mode, false) {
            Ok(parsed) => Ok(parsed.number),
            Err(problem) => Err(problem),
        };
        let contacts =
            self.contacts.map(|typed| typed.iter().map(number).collect::<Result<Vec<_>, _>>()).transpose()?;
        let settings = self.settings.map(|Object(settings)| settings);
        let (transliterate, content, quiet) = match settings {
            Some(ChangeSettings { transliterate, content, quiet_hours }) => {
                (transliterate, content, quiet_hours.map(|quiet| quiet.map(Quiet::from)))
            }
            None => (None, None, None),
        };
        let senders = self.senders.map(|senders| senders.into_iter().map(RegisteredSender::from).collect());
        let Self { brand, locales, purposes, .. } = self;
        Ok(ProfileChange { brand, locales, senders, contacts, purposes, transliterate, content, quiet })
    }
}

impl From<Profile> for ProfileAnswer {
    fn from(profile: Profile) -> Self {
        let Profile { locales, senders, contacts, purposes, settings, .. } = profile;
        let Settings { transliterate, content, quiet } = settings;
        Self {
            locales,
            senders: senders.into_iter().map(SenderFields::from).collect(),
            contacts: contacts.into_iter().map(|contact| contact.masked).collect(),
            purposes,
            settings: SettingsAnswer { transliterate, content, quiet_hours: quiet.map(QuietHours::from) },
        }
    }
}

impl From<SenderFields> for RegisteredSender {
    fn from(fields: SenderFields) -> Self {
        let SenderFields { sender, countries, classes, registration } = fields;
        Self {
            sender,
            countries,
            classes: classes.into_iter().map(Class::from).collect(),
            registration: registration.map(Registration::from),
        }
    }
}

impl From<RegisteredSender> for SenderFields {
    fn from(row: RegisteredSender) -> Self {
        let RegisteredSender { sender, countries, classes, registration } = row;
        Self {
            sender,
            countries,
            classes: classes.into_iter().filter_map(Asked::of).collect(),
            registration: registration.map(RegistrationFields::from),
        }
    }
}

impl From<QuietHours> for Quiet {
    fn from(QuietHours { from, to, utc_offset_min }: QuietHours) -> Self {
        Self { from, to, utc_offset_min }
    }
}

impl From<Quiet> for QuietHours {
    fn from(Quiet { from, to, utc_offset_min }: Quiet) -> Self {
        Self { from, to, utc_offset_min }
    }
}

/// Freeze a tenant, credential or alias
///
/// Reveal and relay stop everywhere within a second.
#[utoipa::path(post, path = "/v1/freeze", tag = "Tenant", request_body = Target,
    responses((status = 200, description = "Frozen.", body = Switched)))]
pub async fn freeze(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| switched(call, body, true).await).await
}

/// Thaw a tenant, credential or alias
#[utoipa::path(post, path = "/v1/thaw", tag = "Tenant", request_body = Target,
    responses((status = 200, description = "Thawed.", body = Switched)))]
pub async fn thaw(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| switched(call, body, false).await).await
}

async fn switched(call: &Call, body: &Body, frozen: bool) -> Result<Answer, Problem> {
    let Target { target } = body.read()?;
    let permit = call.permit(Action::Freeze, FreezeSwitch { target: target.clone() }).await?;
    call.api.access.freeze(permit, frozen).await?;
    // Only an id that was found comes back, never other text.
    Answer::ok(&Switched { target, frozen })
}
