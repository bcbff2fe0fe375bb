//! `/v1/credentials`: issue, list, rotate with overlap, revoke. A key is in one answer, once.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use super::answer::{Answer, Pending};
use super::body::{self, Body};
use super::bound::{self, BoundAnswer, Kind, SigningWish};
use super::code::Code;
use super::extract::Call;
use super::fields;
use super::idempotency::once;
use super::list::{self, List};
use super::problem::Problem;
use crate::access::{Action, CredentialView, Credentials, Issued, NewCredential, Renewal, Ruling};
use crate::clock::Timestamp;
use crate::event::Role;
use crate::ids::CredentialId;

/// A credential to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCredential {
    /// `admin`, `business`, `partner`, `operator`, `auditor`, `custodian` or `approver`.
    #[schema(value_type = String, example = "business")]
    role: Role,
    /// The person or system it is for.
    #[schema(example = "checkout service")]
    person: String,
    /// Whose tokens it speaks in; for partners.
    audience: Option<String>,
    /// Networks that it may come from, as CIDR; any if not said.
    #[schema(example = json!(["192.0.2.0/24"]))]
    ip: Option<Vec<String>>,
    /// When it ends; open if not said.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// `key` if not said, or `certificate`: no key, the client certificate alone.
    kind: Option<Kind>,
    /// The one client certificate that it works with: PEM, or its SHA-256 in base64url or hex.
    client_cert: Option<String>,
    /// How its requests are signed, if they are.
    signing: Option<SigningWish>,
    /// What every request has to bring: any of `key`, `oauth`, `tls`, `client_cert`, `signature`.
    #[schema(example = json!(["tls", "signature"]))]
    requires: Option<Vec<String>>,
    /// Once a second person approved what the same request without this asked for.
    #[schema(example = "apr_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    approval: Option<String>,
}

/// How a credential is to be rotated.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateCredential {
    /// How long the old key goes on beside the new one, in seconds: at most 30 days, 24 hours if not said.
    #[schema(maximum = 2_592_000)]
    overlap_s: Option<u64>,
    /// Another client certificate, as when the credential was made; needed where the certificate is the credential.
    client_cert: Option<String>,
    /// Another Ed25519 public key. A secret for `hmac-sha256` is always made anew.
    signing_key: Option<String>,
    /// Once a second person approved what the same request without this asked for.
    #[schema(example = "apr_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    approval: Option<String>,
}

/// A credential. Its key is not among what is shown.
#[derive(Clone, Serialize, ToSchema)]
pub struct CredentialAnswer {
    #[schema(value_type = String, example = "crd_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: CredentialId,
    #[schema(value_type = String, example = "business")]
    role: Role,
    person: String,
    audience: Option<String>,
    ip: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Expiry, end of overlap, or revocation.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    frozen: bool,
    #[serde(flatten)]
    bound: BoundAnswer,
}

/// A credential that was just made, with its key.
#[derive(Serialize, ToSchema)]
pub struct IssuedAnswer {
    /// Not shown again. None where the certificate is the credential.
    #[serde(serialize_with = "fields::maybe_shown", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "bk_test_…")]
    key: Option<Zeroizing<String>>,
    /// What its requests are signed with, base64, for `hmac-sha256`. Not shown again.
    #[serde(serialize_with = "fields::maybe_shown", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    signing_secret: Option<Zeroizing<String>>,
    #[serde(flatten)]
    credential: CredentialAnswer,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CredentialsQuery {
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

impl From<CredentialView> for CredentialAnswer {
    fn from(view: CredentialView) -> Self {
        Self {
            id: view.id,
            role: view.role,
            person: view.person,
            audience: view.audience,
            ip: view.networks.iter().map(ToString::to_string).collect(),
            created_at: view.created_at,
            expires_at: view.ends_at,
            frozen: view.frozen,
            bound: BoundAnswer::from(&view.proofs),
        }
    }
}

/// Issue a credential
///
/// The answer holds its key, once. A repetition under the same `Idempotency-Key` answers without it. Of a live tenant, and
/// for custodians and approvers, another person has to approve first once there is one.
#[utoipa::path(post, path = "/v1/credentials", tag = "Credentials", request_body = CreateCredential,
    responses((status = 201, description = "Issued.", body = IssuedAnswer),
        (status = 202, description = "A second person has to approve first.", body = Pending)))]
pub async fn create(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let wish = body.read::<CreateCredential>()?;
        let approval = fields::approval(wish.approval.as_deref())?;
        let new = wish.parsed()?;
        let wanted = Credentials { grants: Some(new.role) };
        match call.rule(Action::CredentialManage, wanted, new.bound(None, approval)).await? {
            Ruling::Permitted(permit) => issued(call.api.access.issue(&permit, new).await?),
            Ruling::Pending(view) => Answer::pending(&view),
        }
    })
    .await
}

/// List credentials
#[utoipa::path(get, path = "/v1/credentials", tag = "Credentials", params(CredentialsQuery),
    responses((status = 200, description = "Newest first, ended ones included.", body = List<CredentialAnswer>)))]
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let query: CredentialsQuery = body::query(call.request())?;
    let limit = list::limit(query.limit)?;
    let after = fields::after(query.after.as_deref())?;
    let permit = call.permit(Action::CredentialRead, Credentials { grants: None }).await?;
    let found = call.api.access.credentials(&permit, after, fields::count(limit) + 1);
    Answer::ok(&List::cut(found.into_iter().map(CredentialAnswer::from).collect(), limit, |c| c.id.to_string()))
}

/// Rotate a credential
///
/// A successor with the same role, person, audience, networks, certificate, signing key and demands; the old key goes on
/// for the overlap.
#[utoipa::path(post, path = "/v1/credentials/{id}/rotate", tag = "Credentials", request_body = Option<RotateCredential>,
    params(("id" = String, Path, description = "`crd_…`")),
    responses((status = 201, description = "The successor.", body = IssuedAnswer),
        (status = 202, description = "A second person has to approve first.", body = Pending)))]
pub async fn rotate(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let wish: RotateCredential = body.read_or_nothing()?;
        let overlap = fields::seconds("overlap_s", wish.overlap_s, 0..=30 * 24 * 60 * 60)?;
        let (id, approval) = (call.id()?, fields::approval(wish.approval.as_deref())?);
        let renewal = Renewal {
            overlap,
            certificate: wish.client_cert.as_deref().map(bound::certificate).transpose()?,
            signing_key: wish.signing_key.as_deref().map(|key| bound::public_key("signing_key", key)).transpose()?,
        };
        let wanted = Credentials { grants: call.api.access.role_of(call.caller.tenant, id) };
        let asked = call.api.access.bound_rotation(call.caller.tenant, id, &renewal, approval);
        match call.rule(Action::CredentialManage, wanted, asked).await? {
            Ruling::Permitted(permit) => issued(call.api.access.renew(&permit, id, renewal).await?),
            Ruling::Pending(view) => Answer::pending(&view),
        }
    })
    .await
}

/// Revoke a credential
///
/// In force everywhere within a second. One person is enough, always.
#[utoipa::path(delete, path = "/v1/credentials/{id}", tag = "Credentials",
    params(("id" = String, Path, description = "`crd_…`")),
    responses((status = 204, description = "Revoked.")))]
pub async fn delete(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    revoked(&call).await
}

/// Revoke a credential
///
/// As DELETE, for clients that only POST.
#[utoipa::path(post, path = "/v1/credentials/{id}/revoke", tag = "Credentials",
    params(("id" = String, Path, description = "`crd_…`")),
    responses((status = 204, description = "Revoked.")))]
pub async fn revoke(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        body.nothing()?;
        revoked(call).await
    })
    .await
}

async fn revoked(call: &Call) -> Result<Answer, Problem> {
    let permit = call.permit(Action::CredentialRevoke, Credentials { grants: None }).await?;
    call.api.access.revoke(&permit, call.id()?).await?;
    Ok(Answer::nothing())
}

/// The answer with the key, and what a repetition gets instead.
fn issued(issued: Issued) -> Result<Answer, Problem> {
    let Issued { row, key, signing_secret } = issued;
    let key = (!row.proofs.keyless).then_some(key);
    let credential = CredentialAnswer {
        id: row.id,
        role: row.role,
        person: row.person,
        audience: row.audience,
        ip: row.networks.iter().map(ToString::to_string).collect(),
        created_at: row.created_at,
        expires_at: row.ends_at,
        frozen: false,
        bound: BoundAnswer::from(&row.proofs),
    };
    let without = credential.clone();
    Answer::created(&IssuedAnswer { key, signing_secret, credential })?.secret(&without)
}

impl CreateCredential {
    fn parsed(self) -> Result<NewCredential, Problem> {
        fields::text("person", &self.person)?;
        fields::optional_text("audience", self.audience.as_deref())?;
        let network = |(place, text): (usize, &String)| {
            network(text).ok_or_else(|| Problem::at(Code::InvalidField, format!("ip[{place}]")))
        };
        let moment =
            |text: String| Timestamp::parse(&text).ok_or_else(|| Problem::at(Code::InvalidField, "expires_at"));
        let signing = self.signing.as_ref();
        Ok(NewCredential {
            proofs: bound::parsed(self.kind, self.client_cert.as_deref(), signing, self.requires.as_deref())?,
            role: self.role,
            person: self.person,
            audience: self.audience,
            networks: self.ip.iter().flatten().enumerate().map(network).collect::<Result<_, _>>()?,
            ends_at: self.expires_at.map(moment).transpose()?,
        })
    }
}

/// A CIDR, or one address.
fn network(text: &str) -> Option<ipnet::IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::body::read;
    use super::*;

    fn parsed(ip: &str) -> Result<Vec<String>, Code> {
        let body = format!(r#"{{"role":"business","person":"checkout","ip":["{ip}"]}}"#);
        let parsed = read::<CreateCredential>(body.as_bytes()).unwrap().parsed();
        parsed.map(|new| new.networks.iter().map(ToString::to_string).collect()).map_err(|problem| problem.code)
    }

    #[test]
    fn a_network_is_a_cidr_or_one_address() {
        assert_eq!(parsed("192.0.2.0/24"), Ok(vec!["192.0.2.0/24".into()]));
        assert_eq!(parsed("192.0.2.7"), Ok(vec!["192.0.2.7/32".into()]));
        assert_eq!(parsed("example.com"), Err(Code::InvalidField));
    }

    #[test]
    fn a_role_that_does_not_exist_is_an_invalid_field() {
        let refused = read::<CreateCredential>(br#"{"role":"root","person":"x"}"#).err().unwrap();
        assert_eq!((refused.code, refused.fields.first().unwrap().field.as_str()), (Code::InvalidField, "role"));
    }
}
