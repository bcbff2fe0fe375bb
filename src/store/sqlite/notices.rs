//! The port of webhooks on this store, and the bell that tells its worker of new events.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{SqliteStore, notice, webhook};
use crate::ids::{TenantId, WebhookId};
use crate::store::{Called, Notice, NoticeRow, Notices, StoreError, Waiting, WebhookFilter, WebhookRow};

#[async_trait]
impl Notices for SqliteStore {
    async fn webhook(&self, tenant: TenantId, id: WebhookId) -> Result<Option<WebhookRow>, StoreError> {
        self.readers.point(|conn| webhook::find(conn, tenant, id))
    }

    async fn webhooks(&self, tenant: TenantId, filter: &WebhookFilter) -> Result<Vec<WebhookRow>, StoreError> {
        self.readers.point(|conn| webhook::list(conn, tenant, filter))
    }

    async fn notices(
        &self,
        tenant: TenantId,
        of: WebhookId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<NoticeRow>, StoreError> {
        self.readers.long(move |conn| notice::list(conn, tenant, of, before, limit)).await
    }

    async fn next_notice(&self, of: WebhookId) -> Result<Option<Notice>, StoreError> {
        self.readers.point(|conn| notice::next(conn, of))
    }

    async fn waiting_notices(&self) -> Result<Vec<Waiting>, StoreError> {
        self.readers.long(notice::waiting).await
    }

    async fn called(&self, called: Called) -> Result<(), StoreError> {
        self.writer.run(1, move |tx| notice::called(tx, &called)).await
    }

    async fn notified(&self) -> Vec<(TenantId, WebhookId)> {
        self.notified.take().await
    }
}

/// Endpoints that something was put before since they were last asked for.
#[derive(Default)]
pub(super) struct Notified {
    of: Mutex<HashSet<(TenantId, WebhookId)>>,
    some: Notify,
}

impl Notified {
    pub(super) fn add(&self, called: &[(TenantId, WebhookId)]) {
        if called.is_empty() {
            return;
        }
        self.of.lock().unwrap_or_else(PoisonError::into_inner).extend(called);
        self.some.notify_one();
    }

    async fn take(&self) -> Vec<(TenantId, WebhookId)> {
        loop {
            let taken: Vec<_> = self.of.lock().unwrap_or_else(PoisonError::into_inner).drain().collect();
            if !taken.is_empty() {
                return taken;
            }
            self.some.notified().await;
        }
    }
}
