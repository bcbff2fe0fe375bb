//! Which events tenants are told of by webhook, and how an endpoint says which of them it wants.
//!
//! The names are those of the log's actions. What is not on the list stays in the log, whatever an endpoint asks for.
//! Called by the store, which puts each event before the endpoints that want it, and by `webhook`.

use super::What;
use crate::ids::{AliasId, MessageId, VerificationId, WebhookId};

/// What tenants are told of, besides alerts.
pub const TOLD: &[&str] = &[
    "verification.started",
    "verification.sent",
    "verification.delivered",
    "verification.approved",
    "verification.canceled",
    "verification.expired",
    "verification.exhausted",
    "verification.failed",
    "alias.bound",
    "alias.rebound",
    "alias.released",
    "alias.expired",
    "alias.unknown_sender",
    "message.received",
    "message.sent",
    "message.delivered",
    "message.undelivered",
    "token.erased",
    "approval.requested",
];

/// The event that goes to the one endpoint that it names, whatever that wants.
pub const PINGED: &str = "webhook.pinged";

/// What alerts of every kind begin with.
const ALERT: &str = "alert.";

/// Whether tenants are told of this action.
pub fn is_told(action: &str) -> bool {
    action.starts_with(ALERT) || TOLD.contains(&action)
}

/// Whether an endpoint that asked for `pattern` wants `action`: its name, `alias.*` for a family, `*` for all.
pub fn wants(pattern: &str, action: &str) -> bool {
    let fits = match pattern.strip_suffix('*') {
        Some(family) => action.starts_with(family),
        None => pattern == action,
    };
    fits && is_told(action)
}

/// Whether `pattern` can ever fit something.
pub fn is_pattern(pattern: &str) -> bool {
    let is_alert = |name: &str| !name.is_empty() && name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
    match pattern.strip_suffix('*') {
        Some("" | ALERT) => true,
        Some(family) => family.ends_with('.') && TOLD.iter().any(|name| name.starts_with(family)),
        None => TOLD.contains(&pattern) || pattern.strip_prefix(ALERT).is_some_and(is_alert),
    }
}

/// What an event is about, where that says whose audience may be told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The tenant alone.
    Tenant,
    /// An alias: the audience of whoever bound it.
    Alias(AliasId),
    /// A message: the audience of its alias.
    Message(MessageId),
    /// A verification: the audience of whoever started it.
    Verification(VerificationId),
    /// One endpoint, and nobody else's.
    Webhook(WebhookId),
}

impl What {
    /// What this is about, for events that tenants are told of.
    pub fn about(&self) -> About {
        match self {
            Self::AliasBound { alias, .. }
            | Self::AliasRebound { alias, .. }
            | Self::AliasReleased { alias }
            | Self::AliasExpired { alias }
            | Self::UnknownSender { alias, .. } => About::Alias(*alias),
            Self::MessageReceived { message, .. }
            | Self::MessageSent { message, .. }
            | Self::MessageDelivered { message, .. }
            | Self::MessageUndelivered { message, .. } => About::Message(*message),
            Self::VerificationStarted { verification, .. }
            | Self::VerificationSent { verification, .. }
            | Self::VerificationDelivered { verification, .. }
            | Self::VerificationApproved { verification, .. }
            | Self::VerificationCanceled { verification, .. }
            | Self::VerificationExpired { verification, .. }
            | Self::VerificationExhausted { verification, .. }
            | Self::VerificationFailed { verification, .. } => About::Verification(*verification),
            Self::WebhookPinged { webhook } => About::Webhook(*webhook),
            _ => About::Tenant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_gets_what_it_named_and_nothing_that_tenants_are_not_told_of() {
        for (pattern, action, wanted) in [
            ("*", "alias.bound", true),
            ("*", "alert.enumeration", true),
            ("*", "token.revealed", false),
            ("*", "audit.read", false),
            ("token.*", "token.erased", true),
            ("token.*", "token.created", false),
            ("alias.*", "alias.expired", true),
            ("alias.*", "alias.extended", false),
            ("alias.*", "message.received", false),
            ("alias.bound", "alias.bound", true),
            ("alias.bound", "alias.released", false),
            ("alert.*", "alert.webhook_disabled", true),
        ] {
            assert_eq!(wants(pattern, action), wanted, "{pattern} {action}");
        }
    }

    #[test]
    fn a_pattern_that_could_never_fit_is_none() {
        for pattern in ["*", "alias.*", "alert.*", "alert.enumeration", "message.received", "approval.requested"] {
            assert!(is_pattern(pattern), "{pattern}");
        }
        for pattern in
            ["", "alias", "alias*", "al*", "alias.b*", "token.created", "alert.", "alert.X", "**", "x.*", ".*"]
        {
            assert!(!is_pattern(pattern), "{pattern}");
        }
    }
}
