//! Complaints: kept with the way by which the message came, so that routes learn of them; and the person is spared
//! marketing from then on.

use super::{Outreach, OutreachError};
use crate::access::{Complaints, Permit};
use crate::clock::Timestamp;
use crate::event::What;
use crate::ids::{self, ComplaintId, MessageId, RecordId, SubjectId, TenantId};
use crate::store::{BlindIndex, Change, ComplaintRow, MessageRow, Recipient, Scope, Suppression, Write};
use crate::token::Token;

/// What is complained of.
pub enum Of {
    /// One message.
    Message(MessageId),
    /// A person's messages in general.
    Person(Token),
}

/// A complaint that was filed.
#[derive(Clone, Debug)]
pub struct Complaint {
    /// Its id.
    pub id: ComplaintId,
    /// The message, if one was named or can be told.
    pub message: Option<MessageId>,
    /// The person in the log.
    pub subject: SubjectId,
    /// When.
    pub at: Timestamp,
}

impl Outreach {
    /// Files a complaint. Of a person without a message, it counts against the way of the last message that the tenant
    /// sent to them, if there is one that nobody complained of.
    ///
    /// # Errors
    /// [`OutreachError::NotFound`]; [`OutreachError::Exists`] if there is a complaint of this message.
    pub async fn complain(&self, permit: &Permit<Complaints>, of: Of) -> Result<Complaint, OutreachError> {
        match of {
            Of::Message(id) => {
                let row = self.store.message(permit.tenant(), id).await?.ok_or(OutreachError::NotFound)?;
                let index = self.recipient(permit.tenant(), &row).await?;
                self.filed(permit, index, Some(row)).await
            }
            Of::Person(token) => {
                let index = self.vault.person_of(permit, &token).await?.index;
                let last = self.store.last_message(permit.tenant(), index).await?;
                match self.filed(permit, index, last).await {
                    // The last one was complained of before: this is another complaint all the same.
                    Err(OutreachError::Exists) => self.filed(permit, index, None).await,
                    done => done,
                }
            }
        }
    }

    async fn filed(
        &self,
        permit: &Permit<Complaints>,
        index: BlindIndex,
        message: Option<MessageRow>,
    ) -> Result<Complaint, OutreachError> {
        let (id, tenant, at) = (ids::fresh(), permit.tenant(), self.store.now());
        let subject = self.keyring.tenant(tenant).await?.subject(index);
        let country = match message.as_ref().map(|row| &row.to) {
            Some(Recipient::Person(record)) => self.country(tenant, *record).await?,
            _ => None,
        };
        let row = ComplaintRow {
            id,
            tenant,
            index,
            message: message.as_ref().map(|row| row.id),
            carrier: message.as_ref().and_then(|row| row.progress.carrier.clone()),
            country,
            class: message.as_ref().map(|row| row.class),
            at,
        };
        let (of, carrier) = (row.message, row.carrier.clone());
        let spared = Suppression { tenant, index, scope: Scope::Marketing, source: "complaint".to_owned(), at };
        let told = What::ComplaintFiled { complaint: id, subject, message: of, carrier };
        let also = What::SuppressionAdded { subject, scope: "marketing".to_owned(), source: "complaint".to_owned() };
        let change = Change::telling(permit.event(at, told))
            .and_telling(permit.event(at, also))
            .with(Write::Complaint(Box::new(row)))
            .with(Write::Suppress(spared));
        self.store.commit(change).await?;
        Ok(Complaint { id, message: of, subject, at })
    }

    /// The person whom a message went to.
    async fn recipient(&self, tenant: TenantId, row: &MessageRow) -> Result<BlindIndex, OutreachError> {
        match &row.to {
            Recipient::Person(record) => {
                let token = self.store.token(tenant, *record).await?.ok_or(OutreachError::NotFound)?;
                Ok(token.index)
            }
            Recipient::Stranger(_) => Err(OutreachError::NotFound),
        }
    }

    async fn country(&self, tenant: TenantId, record: RecordId) -> Result<Option<String>, OutreachError> {
        match self.vault.bearing_behind(tenant, record).await.map_err(OutreachError::from) {
            Ok(bearing) => Ok(bearing.region().map(str::to_owned)),
            Err(OutreachError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
