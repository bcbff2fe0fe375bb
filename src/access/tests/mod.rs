//! The room as a whole, over a store in memory and a real key file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod approvals;
mod callers;
mod changing;
mod credentials;
mod double;
mod freezing;
mod policies;
mod proofs;
mod roles;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::*;
use crate::clock::Timestamp;
use crate::event::{Mode, Role, What};
use crate::ids::TenantId;
use crate::keyring::{FileKms, Keyring};
use crate::store::{CredentialRow, Store};
use double::Double;

/// Documentation addresses (RFC 5737), one of them usual here.
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

/// A deployment with one test tenant that has a credential of every role, a second test tenant and a live one.
struct World {
    store: Arc<Double>,
    access: Access,
    tenant: TenantId,
    other: TenantId,
    live: TenantId,
    keys: Vec<(CredentialRow, Zeroizing<String>)>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(Policies::load(None).unwrap()).await
    }

    async fn with(policies: Policies) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Double::new());
        let kms = Arc::new(FileKms::open(folder.path(), true).unwrap());
        let keyring = Arc::new(Keyring::open(store.clone(), kms).await.unwrap());
        let access = Access::open(store.clone(), keyring, policies).await.unwrap();
        let tenant = access.create_tenant("root", "Market", Mode::Test, None).await.unwrap().id;
        // Else it would be the live tenant that keeps the policies.
        let access = access.kept_by(Some(tenant));
        let mut world = Self {
            tenant,
            other: access.create_tenant("root", "Other", Mode::Test, None).await.unwrap().id,
            live: access.create_tenant("root", "Real", Mode::Live, Some("sg".into())).await.unwrap().id,
            keys: Vec::new(),
            store,
            access,
            _folder: folder,
        };
        // The admin last: after it the terminal issues no more.
        for role in Role::ALL.into_iter().rev() {
            let issued = world.issue(world.tenant, role).await.unwrap();
            world.keys.push((issued.row, issued.key));
        }
        world
    }

    /// Issues at the terminal.
    async fn issue(&self, tenant: TenantId, role: Role) -> Result<Issued, AccessError> {
        self.issue_as(tenant, a_credential(role)).await
    }

    async fn issue_as(&self, tenant: TenantId, new: NewCredential) -> Result<Issued, AccessError> {
        let terminal = self.access.terminal("root", tenant)?;
        let wanted = Credentials { grants: Some(new.role) };
        let permit = self.access.authorize(&terminal, Action::CredentialManage, wanted).await?;
        self.access.issue(&permit, new).await
    }

    fn key(&self, role: Role) -> &str {
        &self.keys.iter().find(|(row, _)| row.role == role).unwrap().1
    }

    async fn who(&self, role: Role) -> Principal {
        self.access.identify(self.key(role), HERE).await.unwrap()
    }

    async fn admin(&self) -> Permit<Credentials> {
        self.grant(Role::Business).await
    }

    async fn grant(&self, role: Role) -> Permit<Credentials> {
        let wanted = Credentials { grants: Some(role) };
        self.access.authorize(&self.who(Role::Admin).await, Action::CredentialManage, wanted).await.unwrap()
    }

    fn pass(&self, time: Duration) {
        self.store.clock.advance(time);
    }

    /// What was told since the last call.
    fn told(&self) -> Vec<crate::event::Event> {
        std::mem::take(&mut self.store.state().events)
    }

    fn now(&self) -> Timestamp {
        self.store.now()
    }
}

fn a_credential(role: Role) -> NewCredential {
    NewCredential {
        role,
        person: format!("{} of the house", role.as_str()),
        audience: (role == Role::Partner).then(|| "courier".to_owned()),
        networks: Vec::new(),
        ends_at: None,
        proofs: NewProofs::default(),
    }
}

fn a_token(purpose: Option<&str>) -> TokenRef {
    let token = crate::token::Token::vaulted(1, [7; 16]);
    TokenRef { token, purpose: purpose.map(str::to_owned) }
}

fn exchange(audience: Option<&str>) -> Exchange {
    Exchange { token: crate::token::Token::vaulted(1, [7; 16]), audience: audience.map(str::to_owned) }
}

fn denials(events: &[crate::event::Event]) -> Vec<(String, String)> {
    let denial = |event: &crate::event::Event| match &event.what {
        What::Denied { attempted, reason } => Some((attempted.clone(), reason.clone())),
        _ => None,
    };
    events.iter().filter_map(denial).collect()
}
