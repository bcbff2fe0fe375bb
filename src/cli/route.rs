//! `bauta route list|check|set|explain`: which carriers a tenant's messages take, and why.
//!
//! On the store beside a service that may be running, which follows within a second. What carriers were measured to do
//! is in the memory of the service alone: here they all count as untried.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Caller, CommandError, Place, caller, permitted};
use crate::access::{Action, Denied, Permit, RouteSet, TokenRef};
use crate::app::App;
use crate::dispatch::{Explanation, Receiver, RouteRule, RoutesView, Trial};
use crate::ids::{ApprovalId, TenantId};
use crate::phone::{self, Bearing, Prefix};
use crate::store::Class;
use crate::token::Token;

/// Which carriers messages take
#[derive(Subcommand)]
pub enum Route {
    /// Show the routes in force, and ways that are closed for complaints
    List {
        /// Whose
        #[arg(long)]
        tenant: TenantId,
    },
    /// Check a file of rules without setting them
    Check(Rules),
    /// Set the rules of a file in the place of those in force, within a second everywhere
    Set {
        #[command(flatten)]
        rules: Rules,
        /// The version that this is meant to replace, 0 for none [default: the one in force]
        #[arg(long, value_name = "VERSION")]
        base: Option<u32>,
        /// The approval, once another person approved: apr_…
        #[arg(long)]
        approval: Option<ApprovalId>,
    },
    /// Say which way a message would go and why
    Explain(Explain),
}

/// A file of rules.
#[derive(Args)]
pub struct Rules {
    /// JSON as `PUT /v1/routes` takes it: {"rules": […]}
    file: PathBuf,
    /// Whose
    #[arg(long)]
    tenant: TenantId,
}

/// A message that might be sent.
#[derive(Args)]
pub struct Explain {
    /// Whose
    #[arg(long)]
    tenant: TenantId,
    /// To whom: a token
    #[arg(long, value_name = "TOKEN", required_unless_present = "prefix", conflicts_with = "prefix")]
    to: Option<String>,
    /// Or to numbers that begin so, from the country code on
    #[arg(long)]
    prefix: Option<Prefix>,
    /// With --prefix: where the receiver is [default: the main region of the country code]
    #[arg(long, value_name = "REGION", requires = "prefix")]
    region: Option<String>,
    /// code, notice, marketing or relay
    #[arg(long, default_value = "code", value_parser = class)]
    class: Class,
    /// The pool number that it would come from
    #[arg(long, value_name = "X")]
    from: Option<String>,
}

/// A file of rules, as the API's body. What only the API has is refused.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: Vec<RouteRule>,
}

fn class(name: &str) -> Result<Class, &'static str> {
    Class::parse(name).ok_or("write code, notice, marketing or relay")
}

impl Route {
    /// Runs it.
    pub fn run(self, place: &Place) -> Result<(), CommandError> {
        match self {
            Self::List { tenant } => place.with_app(async |app| list(&app, tenant).await),
            Self::Check(rules) => {
                let read = read(&rules.file)?;
                place.with_app(async |app| check(&app, rules.tenant, read).await)
            }
            Self::Set { rules, base, approval } => {
                let read = read(&rules.file)?;
                place.with_app(async |app| set(&app, rules.tenant, read, base, approval).await)
            }
            Self::Explain(explain) => place.with_app(async |app| explain.run(&app).await),
        }
    }
}

fn read(path: &Path) -> Result<Vec<RouteRule>, CommandError> {
    let named = |fault: String| CommandError::Usage(format!("{}: {fault}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let file: File = serde_json::from_str(&text)
        .map_err(|error| named(format!("line {}: {}", error.line(), unquoted(&error.to_string()))))?;
    Ok(file.rules)
}

/// What a parser says, unless it quotes a number.
fn unquoted(fault: &str) -> &str {
    if phone::contains_number(fault) { "cannot be read" } else { fault }
}

async fn list(app: &App, tenant: TenantId) -> Result<(), CommandError> {
    let (_, permit) = reads(app, tenant).await?;
    tell(&app.dispatch.routes(&permit));
    Ok(())
}

async fn check(app: &App, tenant: TenantId, rules: Vec<RouteRule>) -> Result<(), CommandError> {
    let (_, permit) = reads(app, tenant).await?;
    let routes = app.dispatch.checked(&permit, rules, 0).map_err(CommandError::failed)?;
    for crossed in routes.crossings() {
        let [one, two] = crossed.rules;
        say!("rules[{one}] and rules[{two}] fit some messages both: rules[{}] counts there", crossed.first);
    }
    say!("{} rules can come into force", routes.written.len());
    Ok(())
}

async fn set(
    app: &App,
    tenant: TenantId,
    rules: Vec<RouteRule>,
    base: Option<u32>,
    approval: Option<ApprovalId>,
) -> Result<(), CommandError> {
    let (who, permit) = reads(app, tenant).await?;
    let bound = app.dispatch.bound_routes(&permit, rules, base, approval).await;
    let (routes, bound) = bound.map_err(CommandError::failed)?;
    let ruling = app.access.rule(&who, Action::RouteManage, RouteSet {}, bound).await;
    let permit = permitted(ruling.map_err(refused)?)?;
    let view = app.dispatch.set_routes(&permit, routes).await.map_err(CommandError::failed)?;
    say!("in force: version {}, {} rules", view.version.unwrap_or_default(), view.rules.len());
    Ok(())
}

impl Explain {
    async fn run(self, app: &App) -> Result<(), CommandError> {
        let (who, permit) = reads(app, self.tenant).await?;
        let wrong = |what: &str| CommandError::Usage(what.to_owned());
        let from =
            self.from.as_deref().map(|text| phone::parse_virtual(text).ok_or_else(|| wrong("--from: no number")));
        let from = from.transpose()?;
        let to = match (&self.to, self.prefix) {
            (Some(text), _) => {
                let token = Token::parse(text).map_err(|_| wrong("--to: no token"))?;
                let asked = TokenRef { token, purpose: None };
                let reads = app.access.authorize(&who, Action::TokenRead, asked).await.map_err(refused)?;
                let (bearing, index, subject) = app.vault().bearing_of(&reads).await.map_err(CommandError::failed)?;
                Receiver { bearing, person: Some((index, subject)) }
            }
            (None, Some(prefix)) => {
                let region = self.region.map(|region| region.to_ascii_uppercase());
                Receiver { bearing: Bearing::of_prefix(prefix, region), person: None }
            }
            (None, None) => return Err(wrong("name --to or --prefix")),
        };
        let trial = Trial { to, class: self.class, from };
        let explained = app.dispatch.explain(&permit, &trial).await.map_err(CommandError::failed)?;
        tell_explained(&explained);
        Ok(())
    }
}

fn tell(view: &RoutesView) {
    match (view.version, &view.at, &view.author) {
        (Some(version), Some(at), Some(author)) => {
            let approver = view.approver.as_deref().map(|person| format!(", approved by {person}")).unwrap_or_default();
            say!("version {version}  set {at} by {author}{approver}");
        }
        _ => say!("no routes are set"),
    }
    for (place, rule) in view.rules.iter().enumerate() {
        say!("  rules[{place}]  {}", one_line(rule));
    }
    if view.rules.is_empty() {
        say!("  every carrier, in the order of the settings");
    }
    for crossed in &view.overlaps {
        let [one, two] = crossed.rules;
        say!("  rules[{one}] and rules[{two}] fit some messages both: rules[{}] counts there", crossed.first);
    }
    for way in &view.closed {
        let class = way.class.as_str();
        say!(
            "closed since {}: {class} to {} by {}: {} complaints of {}",
            way.since,
            way.country,
            way.carrier,
            way.complaints,
            way.sent
        );
    }
}

fn one_line(rule: &RouteRule) -> String {
    let named = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("{name} {value}"));
    let mut words: Vec<String> = [
        rule.name.as_ref().map(|name| format!("{name:?}")),
        named("prefix", &rule.prefix),
        named("operator", &rule.operator),
        named("class", &rule.class),
        named("region", &rule.region),
        rule.residency.then(|| "residency".to_owned()),
        named("sender", &rule.sender),
    ]
    .into_iter()
    .flatten()
    .collect();
    words.push("→".to_owned());
    words.extend(rule.carriers.iter().map(|share| format!("{}×{}", share.carrier, share.weight)));
    words.join(" ")
}

fn tell_explained(explained: &Explanation) {
    let version =
        explained.version.map_or_else(|| "no routes are set".to_owned(), |version| format!("version {version}"));
    match &explained.rule {
        Some((place, Some(name))) => say!("{version}: rules[{place}] {name:?} counts"),
        Some((place, None)) => say!("{version}: rules[{place}] counts"),
        None => say!("{version}: no rule fits; every carrier, in the order of the settings"),
    }
    let code = explained.country_code.map_or_else(|| "unknown".to_owned(), |code| format!("+{code}"));
    let operator = explained.operator.as_ref().map_or("unknown", |(name, _)| name);
    say!("country {code}, region {}, operator {operator}", explained.region.as_deref().unwrap_or("unknown"));
    for one in &explained.carriers {
        let turn = one.turn.map_or_else(|| "-".to_owned(), |turn| turn.to_string());
        say!("  {turn:>2}  {:<16} {:<22} weight {:<4} {}", one.carrier, one.verdict.as_str(), one.weight, one.because);
    }
}

async fn reads(app: &App, tenant: TenantId) -> Result<(Caller, Permit<RouteSet>), CommandError> {
    let who = caller(app, tenant).await?;
    let permit = app.access.authorize(&who, Action::RouteRead, RouteSet {}).await.map_err(refused)?;
    Ok((who, permit))
}

fn refused(error: impl Into<crate::access::AccessError>) -> CommandError {
    match error.into() {
        crate::access::AccessError::Denied(Denied::Forbidden) => CommandError::Failed(
            "refused: put the key of one of the tenant's people who may into BAUTA_CREDENTIAL".into(),
        ),
        error => CommandError::failed(error),
    }
}
