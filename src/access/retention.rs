//! How long each class of data is kept, as `policies/retention.toml` says: part of the policies, with a version.
//!
//! Pure reading. The worker removes what is older.

use std::time::Duration;

use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;

/// The file's name.
pub const RETENTION_FILE: &str = "retention.toml";

/// What holds where a set of policies has no such file, and where the file leaves something out.
const SHIPPED: &str = include_str!("../../policies/retention.toml");

/// How long each class of data is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Bodies of messages that were not delivered.
    pub bodies: Duration,
    /// What went through aliases, without content.
    pub message_history: Duration,
    /// Verifications that are over.
    pub verifications: Duration,
    /// Token records after the end of their life.
    pub expired_tokens: Duration,
    /// Aliases after their end.
    pub ended_aliases: Duration,
    /// Text and salt of the log's entries.
    pub audit_entries: Duration,
    /// Approvals that were decided or lapsed.
    pub approvals: Duration,
    /// What was sent to webhooks, without content, and what still waits.
    pub webhook_deliveries: Duration,
    /// Answers under an `Idempotency-Key`.
    pub idempotency: Duration,
    /// All data of test tenants.
    pub test_data: Duration,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    bodies: Option<String>,
    message_history: Option<String>,
    verifications: Option<String>,
    expired_tokens: Option<String>,
    ended_aliases: Option<String>,
    audit_entries: Option<String>,
    approvals: Option<String>,
    webhook_deliveries: Option<String>,
    idempotency: Option<String>,
    test_data: Option<String>,
}

impl Retention {
    /// What comes with the program.
    pub fn shipped() -> Self {
        // A test reads the file; should it ever not be readable, everything is kept for as long as can be written.
        Self::parse(SHIPPED).unwrap_or(Self {
            bodies: DAY,
            message_history: LONGEST,
            verifications: LONGEST,
            expired_tokens: LONGEST,
            ended_aliases: LONGEST,
            audit_entries: LONGEST,
            approvals: LONGEST,
            webhook_deliveries: LONGEST,
            idempotency: DAY,
            test_data: LONGEST,
        })
    }

    /// Reads the text of a `retention.toml`.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (file, shipped) = (read(text)?, read(SHIPPED)?);
        let of = |name: &str, own: Option<String>, usual: Option<String>, most: Duration| {
            let text = own.or(usual).ok_or_else(|| format!("{name}: is missing"))?;
            let span = span(&text).ok_or_else(|| {
                format!("{name}: write a number and s, m, h or d, \"90d\" say; at least a minute, at most ten years")
            })?;
            if span > most {
                return Err(format!("{name}: at most {} hours", most.as_secs() / 3_600));
            }
            Ok(span)
        };
        Ok(Self {
            bodies: of("bodies", file.bodies, shipped.bodies, DAY)?,
            message_history: of("message_history", file.message_history, shipped.message_history, LONGEST)?,
            verifications: of("verifications", file.verifications, shipped.verifications, LONGEST)?,
            expired_tokens: of("expired_tokens", file.expired_tokens, shipped.expired_tokens, LONGEST)?,
            ended_aliases: of("ended_aliases", file.ended_aliases, shipped.ended_aliases, LONGEST)?,
            audit_entries: of("audit_entries", file.audit_entries, shipped.audit_entries, LONGEST)?,
            approvals: of("approvals", file.approvals, shipped.approvals, LONGEST)?,
            webhook_deliveries: of("webhook_deliveries", file.webhook_deliveries, shipped.webhook_deliveries, LONGEST)?,
            idempotency: of("idempotency", file.idempotency, shipped.idempotency, DAY)?,
            test_data: of("test_data", file.test_data, shipped.test_data, LONGEST)?,
        })
    }
}

fn read(text: &str) -> Result<File, String> {
    Figment::from(Toml::string(text)).extract().map_err(|error| error.to_string())
}

/// A number and its unit.
fn span(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let span = Duration::from_secs(digits.parse::<u64>().ok()?.checked_mul(seconds)?);
    (SHORTEST..=LONGEST).contains(&span).then_some(span)
}

const SHORTEST: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const LONGEST: Duration = Duration::from_secs(3_660 * 86_400);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_ships_is_read_and_fills_what_a_file_leaves_out() {
        let shipped = Retention::parse(SHIPPED).unwrap();
        assert_eq!((shipped.bodies, shipped.test_data), (DAY, DAY * 7));
        let own = Retention::parse("verifications = \"36h\"").unwrap();
        assert_eq!(own, Retention { verifications: Duration::from_secs(36 * 3_600), ..shipped });
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (text, named) in [
            ("bodies = \"48h\"", "bodies: at most 24 hours"),
            ("verifications = \"1y\"", "verifications: write"),
            ("verifications = \"0d\"", "verifications: write"),
            ("verifications = \"-1d\"", "verifications: write"),
            ("verifications = \"99999999999999999999d\"", "verifications: write"),
            ("verifications = \"é\"", "verifications: write"),
            ("verifications = \"\"", "verifications: write"),
            ("verification = \"1d\"", "verification"),
            ("verifications = 30", "verifications"),
            ("bodies", ""),
        ] {
            let fault = Retention::parse(text).unwrap_err();
            assert!(fault.contains(named), "{text}: {fault}");
        }
    }
}
