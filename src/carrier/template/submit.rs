//! What goes out: the request as described, and what its answers mean.

use std::time::Duration;

use data_encoding::BASE64;
use hyper::Method;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::Value;
use zeroize::Zeroizing;

use super::mould::{Filling, Mould, Place};
use crate::carrier::http::fields::{is_id, text_at};
use crate::carrier::http::line::by_status;
use crate::carrier::http::{Answer, Outgoing, address};
use crate::carrier::{Submission, SubmitError};
use crate::config::{Hidden, TemplateFailure, TemplateSubmit};
use crate::phone::Door;
use crate::store::Failure;

/// A request, read from its description.
pub(super) struct Shape {
    method: Method,
    url: Mould,
    headers: Vec<(HeaderName, Mould)>,
    fixed: Vec<(HeaderName, HeaderValue)>,
    body: Body,
    success: Vec<u16>,
    contains: Option<String>,
    id: Option<String>,
    failures: Vec<TemplateFailure>,
}

enum Body {
    Nothing,
    Json(Node),
    Form(Vec<(String, Mould)>),
}

/// JSON whose strings have placeholders.
enum Node {
    Text(Mould),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
    Plain(Value),
}

type Secrets = [(String, Hidden)];

impl Shape {
    /// # Errors
    /// One line that names the setting and how to mend it.
    pub(super) fn read(
        settings: TemplateSubmit,
        login: Option<(String, Hidden)>,
        secrets: Vec<(String, Hidden)>,
    ) -> Result<Self, String> {
        let method = settings.method.as_deref().unwrap_or("POST");
        let method = match method {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            _ => return Err("submit.method: write GET, POST or PUT".to_owned()),
        };
        let url = Mould::read(&settings.url, Place::Url, &secrets).map_err(|fault| format!("submit.url: {fault}"))?;
        check_url(&url)?;
        let (body, kind) = body(&settings, &secrets)?;
        let mut fixed: Vec<_> = kind.map(|kind| (CONTENT_TYPE, HeaderValue::from_static(kind))).into_iter().collect();
        if let Some((user, password)) = login {
            fixed.push((AUTHORIZATION, basic(&user, &password)?));
        }
        check_rules(&settings)?;
        Ok(Self {
            method,
            url,
            headers: headers(&settings, &secrets)?,
            fixed,
            body,
            success: settings.success,
            contains: settings.contains,
            id: settings.id,
            failures: settings.failures,
        })
    }

    /// The request for one message, which is `id` to us.
    pub(super) fn filled(&self, submission: &Submission, id: &str) -> Result<Outgoing, SubmitError> {
        let (to, from) = (submission.to.expose(Door::Carrier), address::sender(&submission.from));
        let filling =
            Filling { to: &to, from: &from, text: &submission.text, id, life: submission.life.unwrap_or(USUAL_LIFE) };
        let mut headers = self.fixed.clone();
        for (name, mould) in &self.headers {
            let value = HeaderValue::from_str(&mould.filled(&filling, Place::Header));
            let mut value = value.map_err(|_| SubmitError::Unavailable)?;
            value.set_sensitive(true);
            headers.push((name.clone(), value));
        }
        let url = self.url.filled(&filling, Place::Url);
        Ok(Outgoing { method: self.method.clone(), url, headers, body: self.body.filled(&filling) })
    }

    /// What an answer means for the message: the gateway's own id, where it is to give one.
    pub(super) fn judge(&self, answer: &Answer) -> Result<Option<String>, SubmitError> {
        let text = Zeroizing::new(String::from_utf8_lossy(&answer.body).into_owned());
        let is_success = if self.success.is_empty() {
            answer.status.is_success()
        } else {
            self.success.contains(&answer.status.as_u16())
        };
        let fits = |rule: &&TemplateFailure| {
            rule.status.is_none_or(|status| status == answer.status.as_u16())
                && rule.contains.as_ref().is_none_or(|part| text.contains(part.as_str()))
        };
        if is_success && self.contains.as_ref().is_none_or(|part| text.contains(part.as_str())) {
            let pointer = self.id.as_deref();
            let read = |pointer| text_at(&serde_json::from_slice(&answer.body).ok()?, pointer);
            return Ok(pointer.and_then(read).filter(|id| is_id(id)).map(|id| id.to_string()));
        }
        match self.failures.iter().find(fits) {
            Some(rule) => Err(verdict(rule, answer)),
            None if is_success => Err(SubmitError::Refused { reason: "other:answer".to_owned() }),
            None => by_status(answer).and(Err(SubmitError::Unconfirmed)),
        }
    }
}

fn verdict(rule: &TemplateFailure, answer: &Answer) -> SubmitError {
    match rule.verdict.as_str() {
        "throttled" => SubmitError::Throttled { retry_after: answer.retry_after.unwrap_or_default() },
        "unavailable" => SubmitError::Unavailable,
        "unconfirmed" => SubmitError::Unconfirmed,
        _ => SubmitError::Refused {
            reason: format!("{}:http_{}", rule.class.as_deref().unwrap_or("other"), answer.status.as_u16()),
        },
    }
}

impl Body {
    fn filled(&self, filling: &Filling<'_>) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Nothing => Vec::new(),
            Self::Json(node) => serde_json::to_vec(&node.filled(filling)).unwrap_or_default(),
            Self::Form(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (name, mould) in fields {
                    form.append_pair(name, &mould.filled(filling, Place::Whole));
                }
                form.finish().into_bytes()
            }
        })
    }
}

impl Node {
    fn read(value: Value, secrets: &Secrets) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => Self::Text(Mould::read(&text, Place::Whole, secrets)?),
            Value::Array(items) => {
                Self::List(items.into_iter().map(|item| Self::read(item, secrets)).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let node = |(name, value)| Ok((name, Self::read(value, secrets)?));
                Self::Object(members.into_iter().map(node).collect::<Result<_, String>>()?)
            }
            plain => Self::Plain(plain),
        })
    }

    fn filled(&self, filling: &Filling<'_>) -> Value {
        match self {
            Self::Text(mould) => Value::String(std::mem::take(&mut *mould.filled(filling, Place::Whole))),
            Self::List(items) => items.iter().map(|item| item.filled(filling)).collect(),
            Self::Object(members) => members.iter().map(|(name, node)| (name.clone(), node.filled(filling))).collect(),
            Self::Plain(value) => value.clone(),
        }
    }
}

fn body(settings: &TemplateSubmit, secrets: &Secrets) -> Result<(Body, Option<&'static str>), String> {
    match (&settings.json, &settings.form) {
        (Some(_), Some(_)) => Err("submit: write json or form, not both".to_owned()),
        (Some(json), None) => {
            let node = Node::read(json.clone(), secrets).map_err(|fault| format!("submit.json: {fault}"))?;
            Ok((Body::Json(node), Some("application/json")))
        }
        (None, Some(form)) => {
            let field = |(name, text): (&String, &String)| {
                let mould = Mould::read(text, Place::Whole, secrets);
                Ok((name.clone(), mould.map_err(|fault| format!("submit.form.{name}: {fault}"))?))
            };
            let fields = form.iter().map(field).collect::<Result<_, String>>()?;
            Ok((Body::Form(fields), Some("application/x-www-form-urlencoded")))
        }
        (None, None) => Ok((Body::Nothing, None)),
    }
}

fn headers(settings: &TemplateSubmit, secrets: &Secrets) -> Result<Vec<(HeaderName, Mould)>, String> {
    let header = |(name, text): (&String, &String)| {
        let wrong = |fault: &str| format!("submit.headers.{name}: {fault}");
        let key = name.parse().map_err(|_| wrong("is no name of a header"))?;
        Ok((key, Mould::read(text, Place::Header, secrets).map_err(|fault| wrong(&fault))?))
    };
    settings.headers.iter().map(header).collect()
}

fn basic(user: &str, password: &Hidden) -> Result<HeaderValue, String> {
    let pair = Zeroizing::new(format!("{user}:{}", password.0.as_str()));
    let text = Zeroizing::new(format!("Basic {}", BASE64.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&text).map_err(|_| "submit.user: cannot be sent in a header".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether the address can be asked at all, whatever it is filled with.
fn check_url(url: &Mould) -> Result<(), String> {
    let filling = Filling { to: "+0", from: "x", text: "x", id: "x", life: USUAL_LIFE };
    let example = url.filled(&filling, Place::Url);
    let uri = example.parse::<hyper::Uri>().ok().filter(|uri| uri.host().is_some());
    match uri.as_ref().and_then(hyper::Uri::scheme_str) {
        Some("http" | "https") => Ok(()),
        _ => Err("submit.url: is no address; write \"http://192.168.1.20:8080/message\" say".to_owned()),
    }
}

/// How long a message of which nothing else is known is of use: as long as its body is kept.
const USUAL_LIFE: Duration = Duration::from_secs(24 * 3_600);

fn check_rules(settings: &TemplateSubmit) -> Result<(), String> {
    let known = |class: &String| Failure::ALL.iter().any(|failure| failure.as_str() == class);
    for rule in &settings.failures {
        if !["throttled", "unavailable", "unconfirmed", "refused"].contains(&rule.verdict.as_str()) {
            return Err("submit.failures.as: write throttled, unavailable, unconfirmed or refused".to_owned());
        }
        if rule.class.as_ref().is_some_and(|class| !known(class)) {
            let classes: Vec<_> = Failure::ALL.iter().map(|failure| failure.as_str()).collect();
            return Err(format!("submit.failures.class: write one of: {}", classes.join(", ")));
        }
    }
    if settings.id.as_ref().is_some_and(|pointer| !pointer.starts_with('/')) {
        return Err("submit.id: is no JSON pointer; write \"/id\" say".to_owned());
    }
    Ok(())
}
