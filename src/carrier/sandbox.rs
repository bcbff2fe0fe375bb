//! The sandbox carrier: handsets in memory, where the messages of test tenants arrive.
//!
//! Reaches no real device. What a handset holds is bounded and gone with the process; numbers are kept as keyed digests
//! only. Called by `dispatch` (as a [`Carrier`]) and by the sandbox pages and API (reading handsets, writing to X).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
use zeroize::Zeroizing;

use super::digest::{Digest, DigestKey};
use super::{
    Accepted, Address, Carrier, Inbox, InboxError, Incoming, Origin, Receipt, Submission, SubmitError, Submitted,
};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::ids::TenantId;
use crate::message::{Alphabet, Encoded};
use crate::phone::{PhoneNumber, VirtualNumber};
use crate::store::DeliveryStatus;

/// A handset forgets its oldest message beyond this many.
const MESSAGES_PER_HANDSET: usize = 100;
/// The handset that waited longest for a message goes when a tenant has more than this many.
const HANDSETS_PER_TENANT: usize = 10_000;
/// Receipts that wait to be told; beyond it a message stays `submitted`.
const RECEIPTS_WAITING: usize = 4_096;
/// How long a device takes to receive.
const DELIVERY_TIME: Duration = Duration::from_millis(50);
/// How often an undurable receipt is told again before it is given up.
const RECEIPT_TRIES: u32 = 5;

/// A carrier whose devices are lists in memory.
pub struct Sandbox {
    name: String,
    key: DigestKey,
    tenants: Mutex<HashMap<TenantId, Handsets>>,
    delivered: mpsc::Sender<String>,
    receipts: AsyncMutex<mpsc::Receiver<String>>,
}

/// One message on a handset.
#[derive(Clone)]
pub struct HandsetMessage {
    /// The carrier's id of it.
    pub id: String,
    /// Who it shows as its sender.
    pub from: Address,
    /// What it says.
    pub text: Zeroizing<String>,
    /// When it arrived.
    pub at: Timestamp,
}

/// The handsets of one tenant, and in which order they last received.
#[derive(Default)]
struct Handsets {
    messages: HashMap<Digest, Handset>,
    arrivals: u64,
}

#[derive(Default)]
struct Handset {
    messages: VecDeque<HandsetMessage>,
    last: u64,
}

impl Sandbox {
    /// A sandbox without any message, under its configured name.
    pub fn new(name: impl Into<String>) -> Self {
        let (delivered, receipts) = mpsc::channel(RECEIPTS_WAITING);
        Self {
            name: name.into(),
            key: DigestKey::default(),
            tenants: Mutex::default(),
            delivered,
            receipts: AsyncMutex::new(receipts),
        }
    }

    /// What the handset of `number` received from this tenant, newest first.
    pub fn handset(&self, tenant: TenantId, number: &PhoneNumber) -> Vec<HandsetMessage> {
        let digest = self.digest(number);
        let tenants = self.tenants();
        let handset = tenants.get(&tenant).and_then(|handsets| handsets.messages.get(&digest));
        handset.map(|handset| handset.messages.iter().rev().cloned().collect()).unwrap_or_default()
    }

    /// Lets a handset, or a stranger, write `text` to the virtual number `to`; only aliases of `tenant` hear it.
    ///
    /// # Errors
    /// [`InboxError`] if it could not be made durable.
    pub async fn write(
        &self,
        inbox: &dyn Inbox,
        tenant: TenantId,
        from: Origin,
        to: VirtualNumber,
        text: Zeroizing<String>,
    ) -> Result<Accepted, InboxError> {
        let octets = Zeroizing::new(text.as_bytes().to_vec());
        let body = Encoded { alphabet: Alphabet::Utf8, octets };
        let carrier = self.name.clone();
        inbox.message(Incoming { carrier, id: None, from, to, body, part: None, only: Some(tenant) }).await
    }

    fn digest(&self, number: &PhoneNumber) -> Digest {
        self.key.digest(&[number.secret_bytes().as_slice()])
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<TenantId, Handsets>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delivered(&self, id: String) -> Receipt {
        let status = DeliveryStatus::Delivered;
        Receipt { carrier: self.name.clone(), id, also: Vec::new(), status, failure: None, to: None }
    }

    async fn tell(&self, inbox: &dyn Inbox, id: String) {
        for tries in 1..=RECEIPT_TRIES {
            if inbox.receipt(self.delivered(id.clone())).await.is_ok() {
                return;
            }
            tokio::time::sleep(DELIVERY_TIME * tries).await;
        }
        tracing::warn!(carrier = self.name, "a receipt was given up: it could not be made durable");
    }
}

impl Handsets {
    fn receive(&mut self, digest: Digest, message: HandsetMessage) {
        self.arrivals += 1;
        let handset = self.messages.entry(digest).or_default();
        handset.last = self.arrivals;
        handset.messages.push_back(message);
        if handset.messages.len() > MESSAGES_PER_HANDSET {
            handset.messages.pop_front();
        }
        if self.messages.len() > HANDSETS_PER_TENANT {
            self.forget_quiet_half();
        }
    }

    /// Half at once, so that a crowd of new handsets does not search for the quietest one each time.
    fn forget_quiet_half(&mut self) {
        let mut lasts: Vec<u64> = self.messages.values().map(|handset| handset.last).collect();
        let middle = lasts.len() / 2;
        let (_, &mut median, _) = lasts.select_nth_unstable(middle);
        self.messages.retain(|_, handset| handset.last >= median);
    }
}

#[async_trait]
impl Carrier for Sandbox {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_live(&self) -> bool {
        false
    }

    fn sender(&self) -> Address {
        Address::Name("bauta".to_owned())
    }

    fn is_up(&self) -> bool {
        true
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        let id = format!("sbx{}", uuid::Uuid::now_v7().simple());
        let Submission { tenant, from, to, text, .. } = submission;
        let message = HandsetMessage { id: id.clone(), from, text, at: SystemClock.now() };
        let digest = self.digest(&to);
        self.tenants().entry(tenant).or_default().receive(digest, message);
        if self.delivered.try_send(id.clone()).is_err() {
            tracing::warn!(carrier = self.name, "too many receipts wait; this message stays submitted");
        }
        Ok(Submitted { ids: vec![id] })
    }

    async fn run(self: Arc<Self>, inbox: Arc<dyn Inbox>, mut stop: watch::Receiver<bool>) {
        let mut receipts = self.receipts.lock().await;
        let telling = async {
            while let Some(id) = receipts.recv().await {
                tokio::time::sleep(DELIVERY_TIME).await;
                self.tell(inbox.as_ref(), id).await;
                // Whatever arrived during the wait has waited long enough.
                while let Ok(id) = receipts.try_recv() {
                    self.tell(inbox.as_ref(), id).await;
                }
            }
        };
        tokio::select! {
            () = telling => {}
            _ = stop.wait_for(|stopped| *stopped) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::ids;

    struct Notes(mpsc::Sender<Receipt>, mpsc::Sender<(Option<TenantId>, String)>);

    #[async_trait]
    impl Inbox for Notes {
        async fn message(&self, incoming: Incoming) -> Result<Accepted, InboxError> {
            let text = incoming.body.to_text().unwrap().to_string();
            self.1.send((incoming.only, text)).await.unwrap();
            Ok(Accepted::Carried)
        }
        async fn receipt(&self, receipt: Receipt) -> Result<(), InboxError> {
            self.0.send(receipt).await.map_err(|_| InboxError("closed".into()))
        }
        async fn malformed(&self, _: &str, _: &str) {}
    }

    fn submission(tenant: TenantId, to: u64, text: &str) -> Submission {
        let to = PhoneNumber::from_digits(to).unwrap();
        Submission {
            tenant,
            from: Address::Name("Shop".into()),
            to,
            text: Zeroizing::new(text.into()),
            life: None,
            lane: crate::store::Lane::Notice,
            registration: None,
        }
    }

    fn texts(sandbox: &Sandbox, tenant: TenantId, number: u64) -> Vec<String> {
        let messages = sandbox.handset(tenant, &PhoneNumber::from_digits(number).unwrap());
        messages.iter().map(|message| message.text.to_string()).collect()
    }

    const HANDSET: u64 = 12_025_550_101;

    #[tokio::test]
    async fn a_handset_shows_its_own_tenants_messages_newest_first() {
        let (sandbox, mine, other) = (Sandbox::new("sandbox"), ids::fresh(), ids::fresh());
        for text in ["one", "two"] {
            sandbox.submit(submission(mine, HANDSET, text)).await.unwrap();
        }
        sandbox.submit(submission(other, HANDSET, "foreign")).await.unwrap();
        assert_eq!(texts(&sandbox, mine, HANDSET), ["two", "one"]);
        assert_eq!(texts(&sandbox, mine, HANDSET + 1), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_full_handset_forgets_its_oldest_message() {
        let (sandbox, tenant) = (Sandbox::new("sandbox"), ids::fresh());
        for n in 0..=MESSAGES_PER_HANDSET {
            sandbox.submit(submission(tenant, HANDSET, &n.to_string())).await.unwrap();
        }
        let texts = texts(&sandbox, tenant, HANDSET);
        assert_eq!((texts.len(), texts[0].as_str(), texts[99].as_str()), (100, "100", "1"));
    }

    #[test]
    fn the_quietest_handsets_go_first() {
        let mut handsets = Handsets::default();
        let message = |text: &str| HandsetMessage {
            id: "1".into(),
            from: Address::Name("Shop".into()),
            text: Zeroizing::new(text.into()),
            at: Timestamp::from_millis(0),
        };
        for n in 0..=HANDSETS_PER_TENANT as u64 {
            handsets.receive([n, 0], message("x"));
        }
        assert!(handsets.messages.len() <= HANDSETS_PER_TENANT);
        assert!(handsets.messages.contains_key(&[HANDSETS_PER_TENANT as u64, 0]));
        assert!(!handsets.messages.contains_key(&[0, 0]));
    }

    #[tokio::test]
    async fn a_message_is_delivered_shortly_after_and_a_written_one_reaches_the_inbox() {
        let ((receipts, mut told), (messages, mut came)) = (mpsc::channel(4), mpsc::channel(4));
        let inbox = Arc::new(Notes(receipts, messages));
        let (sandbox, tenant) = (Arc::new(Sandbox::new("sandbox")), ids::fresh());
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(sandbox.clone().run(inbox.clone(), stopped));

        let submitted = sandbox.submit(submission(tenant, HANDSET, "code")).await.unwrap();
        let receipt = told.recv().await.unwrap();
        assert_eq!((&receipt.id, receipt.status), (&submitted.ids[0], DeliveryStatus::Delivered));

        let to = VirtualNumber::from_digits(12_025_550_199).unwrap();
        let text = Zeroizing::new("xin chào".to_owned());
        let from = Origin::ShortCode("8069".into());
        assert_eq!(sandbox.write(inbox.as_ref(), tenant, from, to, text).await.unwrap(), Accepted::Carried);
        assert_eq!(came.recv().await.unwrap(), (Some(tenant), "xin chào".into()));

        stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    }
}
