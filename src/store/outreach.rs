//! Records of what a tenant sends of its own: what it says about itself, templates, complaints, and what it all came to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rows::BlindIndex;
use super::traffic::Class;
use crate::clock::Timestamp;
use crate::ids::{AliasId, ComplaintId, MessageId, TemplateId, TenantId};

/// What a tenant says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// The name that people see; the tenant's own if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// BCP 47, the usual one first.
    pub locales: Vec<String>,
    /// What its messages may show as their sender.
    pub senders: Vec<RegisteredSender>,
    /// Its own numbers that its messages may name: under its `index` key, with what may be shown of each.
    pub contacts: Vec<Contact>,
    /// What verifications may be for; anything if empty.
    pub purposes: Vec<String>,
    /// How its messages are made.
    pub settings: Settings,
}

/// A sender that a tenant may show: a name or a short code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredSender {
    /// As the phone shows it.
    pub sender: String,
    /// Where it may be shown, ISO 3166-1 alpha-2; everywhere if empty.
    #[serde(default)]
    pub countries: Vec<String>,
    /// For which messages; all if empty.
    #[serde(default)]
    pub classes: Vec<Class>,
    /// Under what it is registered there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Registration>,
}

/// What carriers of some countries ask for beside the sender.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The campaign of The Campaign Registry (10DLC, United States).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<String>,
    /// The principal entity (DLT, India).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<String>,
    /// The content template (DLT, India).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<String>,
}

/// A number of the tenant's own, never as digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Under the tenant's `index` key, in hex.
    pub index: String,
    /// What may be shown of it.
    pub masked: String,
}

/// How a tenant's messages are made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Whether marks may be taken off letters where that halves a message.
    pub transliterate: bool,
    /// The content policy that its messages have to pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// When marketing waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Quiet>,
}

/// Hours of a day in which marketing waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// The first hour, 0 to 23.
    pub from: u8,
    /// The hour at which it ends, 0 to 23.
    pub to: u8,
    /// Minutes east of UTC that the hours are told in.
    pub utc_offset_min: i32,
}

/// A text that a tenant sends again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateRow {
    /// Its id.
    pub id: TemplateId,
    /// Whose.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// What its messages are.
    pub class: Class,
    /// One text for each locale, with `{placeholders}`.
    pub texts: BTreeMap<String, String>,
    /// Under what it is registered.
    pub registration: Option<Registration>,
    /// Since when.
    pub created_at: Timestamp,
}

/// Somebody complained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComplaintRow {
    /// Its id.
    pub id: ComplaintId,
    /// Of whose messages.
    pub tenant: TenantId,
    /// The person under the tenant's `index` key.
    pub index: BlindIndex,
    /// The message, if one was named or can be told.
    pub message: Option<MessageId>,
    /// The carrier that took it.
    pub carrier: Option<String>,
    /// Where the person is.
    pub country: Option<String>,
    /// What kind of message it was.
    pub class: Option<Class>,
    /// When.
    pub at: Timestamp,
}

/// What a message that a carrier took counts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// What kind of message it is.
    pub class: Class,
    /// Where it goes, ISO 3166-1 alpha-2, where that is known.
    pub country: Option<String>,
    /// Parts that its text takes. Carriers that split it themselves give one id for all.
    pub parts: u64,
    /// What a part costs, in millionths of the currency.
    pub price: u64,
}

impl Counted {
    /// One of which nothing more is known.
    pub const fn plain(class: Class) -> Self {
        Self { class, country: None, parts: 1, price: 0 }
    }
}

/// Which counts, and how far apart they are told.
#[derive(Clone, Debug)]
pub struct UsageFilter {
    /// Whose.
    pub tenant: TenantId,
    /// The first day (since the epoch).
    pub from: i64,
    /// The last day.
    pub to: i64,
    /// What to tell apart.
    pub by: By,
    /// At most so many rows.
    pub limit: u32,
}

/// What counts are told apart by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named by what it tells apart")]
pub struct By {
    pub day: bool,
    pub country: bool,
    pub channel: bool,
    pub class: bool,
    pub carrier: bool,
}

/// What a tenant's messages came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageRow {
    /// Days since the epoch, if told apart.
    pub day: Option<i64>,
    /// Where they went, if told apart; empty where it is not known.
    pub country: Option<String>,
    /// `sms`, if told apart.
    pub channel: Option<String>,
    /// What they were, if told apart.
    pub class: Option<Class>,
    /// By which carrier, if told apart.
    pub carrier: Option<String>,
    /// The counts.
    pub counts: Counts,
}

/// Counts of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named by what it counts")]
pub struct Counts {
    pub messages: u64,
    pub parts: u64,
    /// In millionths of the currency.
    pub cost: u64,
    pub delivered: u64,
    pub undelivered: u64,
    pub expired: u64,
    pub rejected: u64,
    pub unknown: u64,
    /// Of the delivered ones, in all.
    pub latency_ms: u64,
    pub within_5s: u64,
    pub within_30s: u64,
}

/// What verifications came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named by what it counts")]
pub struct Conversion {
    pub started: u64,
    pub approved: u64,
    pub canceled: u64,
    pub expired: u64,
    pub exhausted: u64,
    pub failed: u64,
}

/// Against whose cap something is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Payer {
    /// The tenant's.
    Tenant,
    /// One alias's.
    Alias(AliasId),
    /// One stranger's, under the pool's key.
    Stranger(BlindIndex),
}

impl Payer {
    /// Its name in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Alias(_) => "alias",
            Self::Stranger(_) => "stranger",
        }
    }
}

/// Something spent against a cap of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spending {
    /// Whose.
    pub tenant: TenantId,
    /// Against which cap.
    pub payer: Payer,
    /// Parts of messages.
    pub parts: u64,
    /// In millionths of the currency.
    pub cost: u64,
    /// No more parts than this in a day.
    pub cap_parts: Option<u64>,
    /// No more than this in a day, in millionths of the currency.
    pub cap_cost: Option<u64>,
    /// Whether passing a cap fails the change. If not, it was looked at before.
    pub exact: bool,
}

impl Spending {
    /// Whether so much more than what is spent stays within the caps.
    pub fn fits(&self, parts: u64, cost: u64) -> bool {
        let within = |spent: u64, more: u64, cap: Option<u64>| cap.is_none_or(|cap| spent.saturating_add(more) <= cap);
        within(parts, self.parts, self.cap_parts) && within(cost, self.cost, self.cap_cost)
    }
}

/// A cap of which the day has spent so much that somebody ought to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearCap {
    /// Which cap.
    pub payer: Payer,
    /// 80 or 100, in percent.
    pub share: u8,
}
