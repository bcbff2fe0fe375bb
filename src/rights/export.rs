//! All that is held of one person, in machine-readable form.

use serde::Serialize;
use zeroize::Zeroizing;

use super::{Rights, RightsError};
use crate::access::{Permit, TokenRef};
use crate::alias::leg;
use crate::clock::Timestamp;
use crate::event::Leaf;
use crate::ids::{AliasId, MessageId, SubjectId, VerificationId};
use crate::phone::{Masked, VirtualNumber};
use crate::store::{
    AliasRow, AliasStatus, Class, DeliveryStatus, EntryFilter, EntryRow, MessageRow, SendRecord, StoreError, TokenRow,
    VerificationRow, VerificationStatus,
};
use crate::token::Token;

/// Everything, without the number unless the permit's purpose says so.
pub struct Export {
    /// The person in the log.
    pub subject: SubjectId,
    /// The number's mask.
    pub masked: Masked,
    /// The number itself, for an export with a purpose; its entry is durable.
    pub number: Option<Zeroizing<String>>,
    /// The leaf of the entry that tells of this export.
    pub leaf: Leaf,
    /// Every token with a record.
    pub tokens: Vec<TokenExport>,
    /// Every alias.
    pub aliases: Vec<AliasExport>,
    /// What went through them, without content, newest first.
    pub messages: Vec<MessageExport>,
    /// Every verification.
    pub verifications: Vec<VerificationExport>,
    /// Wrong codes against the number, of the last weeks.
    pub failures: u64,
    /// Entries of the log that name the person; none where the log is too long to be searched now.
    pub entries: Option<Vec<EntryRow>>,
    /// Whether there is more than the lists hold.
    pub truncated: bool,
}

/// A token record.
#[derive(Serialize)]
pub struct TokenExport {
    /// In the caller's audience.
    pub token: Token,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// What the tenant keeps with it.
    pub metadata: Option<serde_json::Value>,
}

/// An alias with the person's part in it.
#[derive(Serialize)]
pub struct AliasExport {
    /// Its id.
    pub id: AliasId,
    /// Its mode.
    pub mode: &'static str,
    /// X.
    pub number: VirtualNumber,
    /// `a`, `b` or `member`.
    pub party: &'static str,
    /// Whether it carries.
    pub status: AliasStatus,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// What the tenant keeps with it.
    pub metadata: Option<serde_json::Value>,
}

/// A message, without content.
#[derive(Serialize)]
pub struct MessageExport {
    /// Its id.
    pub id: MessageId,
    /// Through which alias; none where the tenant sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<AliasId>,
    /// What kind of message it was.
    pub class: Class,
    /// Who wrote: `a`, `b`, `number`, `short_code`, `name`, `service`, `tenant`.
    pub from: String,
    /// How far it got.
    pub status: DeliveryStatus,
    /// Parts it came in.
    pub parts: u32,
    /// When it came.
    pub created_at: Timestamp,
}

/// A verification.
#[derive(Serialize)]
pub struct VerificationExport {
    /// Its id.
    pub id: VerificationId,
    /// Where it stands.
    pub status: VerificationStatus,
    /// For what.
    pub purpose: String,
    /// Who asked, in the tenant's words.
    pub user_ref: Option<String>,
    /// How the code was sent.
    pub channel: String,
    /// How often.
    pub sends: Vec<SendExport>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When its code lapsed.
    pub expires_at: Timestamp,
}

/// One sending of a code.
#[derive(Serialize)]
pub struct SendExport {
    channel: String,
    status: DeliveryStatus,
    at: Timestamp,
}

impl Rights {
    /// What is held of the person whom the permit's token names. With a purpose in the permit the number is in it, as in
    /// a custodian's reveal: the entry that says so is durable first.
    ///
    /// # Errors
    /// [`RightsError::NotFound`]; [`RightsError::Vault`] with `number_in_text`.
    pub async fn export(&self, permit: &Permit<TokenRef>, reference: Option<String>) -> Result<Export, RightsError> {
        let person = self.vault.person(permit).await?;
        let gathered = self.gather(permit.tenant(), &person, None, MAX_LISTED).await?;
        let entries = self.entries(permit, person.subject).await?;
        let mut tokens = Vec::new();
        for row in &gathered.held.tokens {
            let token = self.vault.token_of(permit.tenant(), row.id, permit.audience()).await?;
            tokens.push(token_export(row, token));
        }
        let (number, leaf) = match permit.resource().purpose {
            Some(_) => {
                let revealed = self.vault.reveal_to_themselves(permit, &person, reference).await?;
                (Some(revealed.number), revealed.leaf)
            }
            None => (None, self.vault.told_of_export(permit, &person, None, reference).await?),
        };
        let held = gathered.held;
        let full = |count: usize| count >= MAX_LISTED as usize;
        Ok(Export {
            subject: person.subject,
            masked: person.masked(),
            number,
            leaf,
            tokens,
            aliases: held.aliases.iter().map(|row| alias_export(row, &gathered.places)).collect(),
            truncated: full(held.messages.len()) || entries.as_ref().is_none_or(|it| full(it.len())),
            messages: held.messages.into_iter().map(MessageExport::from).collect(),
            verifications: held.verifications.into_iter().map(VerificationExport::from).collect(),
            failures: held.failures,
            entries,
        })
    }

    async fn entries(
        &self,
        permit: &Permit<TokenRef>,
        subject: SubjectId,
    ) -> Result<Option<Vec<EntryRow>>, RightsError> {
        let filter = EntryFilter {
            tenant: Some(permit.tenant()),
            names: Some(subject.to_string()),
            limit: MAX_LISTED,
            ..EntryFilter::default()
        };
        match self.store.entries(&filter).await {
            Ok(rows) => Ok(Some(rows)),
            // A log that takes too long to search does not keep the rest from the person.
            Err(StoreError::Unavailable(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn token_export(row: &TokenRow, token: Token) -> TokenExport {
    let metadata = json(row.metadata.as_deref());
    TokenExport { token, created_at: row.created_at, expires_at: row.expires_at, metadata }
}

fn alias_export(row: &AliasRow, places: &[crate::store::BlindIndex]) -> AliasExport {
    AliasExport {
        id: row.id,
        mode: leg::name(row.mode),
        number: row.number,
        party: match row.b {
            _ if places.contains(&row.a.index) => "a",
            Some(b) if places.contains(&b.index) => "b",
            _ => "member",
        },
        status: row.status,
        created_at: row.created_at,
        expires_at: row.expires_at,
        metadata: json(row.metadata.as_deref()),
    }
}

impl From<MessageRow> for MessageExport {
    fn from(row: MessageRow) -> Self {
        let MessageRow { id, alias, class, sender, status, parts, created_at, .. } = row;
        Self { id, alias, class, from: sender, status, parts, created_at }
    }
}

impl From<VerificationRow> for VerificationExport {
    fn from(row: VerificationRow) -> Self {
        Self {
            id: row.id,
            status: row.status,
            purpose: row.key.purpose,
            user_ref: Some(row.key.requester).filter(|text| !text.is_empty()),
            channel: row.channel,
            sends: row.sends.into_iter().map(SendExport::from).collect(),
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

impl From<SendRecord> for SendExport {
    fn from(SendRecord { channel, status, at }: SendRecord) -> Self {
        Self { channel, status, at }
    }
}

fn json(text: Option<&str>) -> Option<serde_json::Value> {
    text.and_then(|text| serde_json::from_str(text).ok())
}

/// The most messages and the most entries of the log.
pub const MAX_LISTED: u32 = 1_000;
