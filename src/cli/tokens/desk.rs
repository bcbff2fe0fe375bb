//! Who does the work on a chunk: the store's own rooms, opened here, or a service that is asked over HTTP.
//!
//! Both act for the holder of `BAUTA_CREDENTIAL`, under the same permits, budgets and entries: a chunk is what a batch
//! is to the API, with one decision and one commit.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::super::{holder, permitted};
use super::http::Http;
use super::{CommandError, Work};
use crate::access::{Access, Action, Bound, NewTokens, Principal, TokenSet};
use crate::api::Code;
use crate::app::App;
use crate::clock::Timestamp;
use crate::event::Mode;
use crate::ids::ApprovalId;
use crate::phone::{self, NumberError, Rules};
use crate::token::Token;
use crate::vault::{ItemError, NewToken, VaultError};

/// Does the work.
pub(super) enum Desk {
    Store(Box<Counter>),
    Service { http: Box<Http>, approval: Option<ApprovalId> },
}

/// The rooms of this machine's store, and who stands before them.
pub(super) struct Counter {
    app: App,
    caller: Principal,
    approval: Option<ApprovalId>,
    /// Ends the watch over what others change in the meantime.
    halt: watch::Sender<bool>,
}

/// Some fields, in order, and what is the same for all of a run.
pub(super) struct Chunk {
    pub(super) texts: Vec<Zeroizing<String>>,
    /// The same for the same chunk, also in a run that goes on.
    pub(super) key: String,
    /// When tokens with a life end.
    pub(super) ends_at: Option<Timestamp>,
}

/// What stands in a field's place, or why nothing does.
pub(super) type Answer = Result<Zeroizing<String>, Refusal>;

/// Why a field has no answer: a code of the API, and what it means.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) code: Cow<'static, str>,
    pub(super) detail: Cow<'static, str>,
}

impl Refusal {
    fn of(code: &'static str) -> Self {
        let known = Code::ALL.iter().find(|known| known.as_str() == code);
        Self { code: code.into(), detail: known.map_or("", |known| known.detail()).into() }
    }
}

impl Desk {
    /// The service at `url`.
    pub(super) fn at(url: &str, key: &str, approval: Option<ApprovalId>) -> Result<Self, CommandError> {
        Ok(Self::Service { http: Box::new(Http::new(url, key)?), approval })
    }

    /// The store behind `app`.
    pub(super) async fn of(app: App, approval: Option<ApprovalId>) -> Result<Self, CommandError> {
        let caller = holder(&app).await?;
        let (halt, halted) = watch::channel(false);
        let access = std::sync::Arc::clone(&app.access);
        tokio::spawn(async move { Access::watch(&access, halted).await });
        Ok(Self::Store(Box::new(Counter { app, caller, approval, halt })))
    }

    /// The most fields of a chunk.
    pub(super) fn most(&self) -> usize {
        match self {
            Self::Store(_) => crate::vault::MAX_BATCH,
            // As many again would not fit in a body.
            Self::Service { .. } => 5_000,
        }
    }

    /// An answer for each field, in order.
    pub(super) async fn work(&mut self, work: &Work, chunk: &Chunk) -> Result<Vec<Answer>, CommandError> {
        let answers = match (self, work) {
            (Self::Store(counter), Work::Tokenize { kind, region, audience, .. }) => {
                let new = |number: phone::Parsed| NewToken {
                    number: number.number,
                    country: number.country,
                    line_type: number.line_type,
                    kind: (*kind).into(),
                    ttl: None,
                    ends_at: chunk.ends_at,
                    fresh: false,
                    metadata: None,
                    keep_country: false,
                };
                counter.tokenize(&chunk.texts, region.clone(), audience.clone(), new).await?
            }
            (Self::Store(counter), Work::Reveal { purpose, reference }) => {
                counter.reveal(&chunk.texts, purpose, reference.clone()).await?
            }
            (Self::Store(counter), Work::Rewrap { audience }) => counter.rewrap(&chunk.texts, audience.clone()).await?,
            (Self::Service { http, .. }, Work::Tokenize { .. }) => tokenized(http, work, chunk).await?,
            (Self::Service { http, approval }, Work::Reveal { purpose, reference }) => {
                let body = json!({"tokens": shown(&chunk.texts), "purpose": purpose, "reference": reference,
                    "approval": approval});
                asked(http, "/v1/tokens/reveal/batch", chunk, body).await?
            }
            (Self::Service { .. }, Work::Rewrap { .. }) => {
                return Err(CommandError::Usage("rewrap works on the store: leave --url out".into()));
            }
        };
        if answers.len() == chunk.texts.len() {
            Ok(answers)
        } else {
            Err(CommandError::Failed("answers are missing".into()))
        }
    }

    /// Settles what was sealed, and lets the store go.
    pub(super) async fn close(self) {
        if let Self::Store(counter) = self {
            let _ = counter.halt.send(true);
            counter.app.close().await;
        }
    }
}

impl Counter {
    async fn tokenize(
        &self,
        texts: &[Zeroizing<String>],
        region: Option<String>,
        audience: Option<String>,
        new: impl Fn(phone::Parsed) -> NewToken,
    ) -> Result<Vec<Answer>, CommandError> {
        let permit = self.app.access.authorize(&self.caller, Action::TokenCreate, NewTokens { audience }).await;
        let permit = permit.map_err(CommandError::failed)?;
        let rules = Rules { region, test: self.caller.mode == Mode::Test, ..Rules::default() };
        let items = texts.iter().map(|text| phone::parse(text, &rules).map(&new)).collect();
        let made = self.app.vault().tokenize_batch(&permit, items).await.map_err(CommandError::failed)?;
        let answer = |item: Result<crate::vault::TokenView, ItemError<NumberError>>| match item {
            Ok(view) => Ok(Zeroizing::new(view.token.as_str().to_owned())),
            Err(ItemError::Given(error)) => Err(Refusal::of(error.code())),
            Err(ItemError::Refused(code)) => Err(Refusal::of(code)),
        };
        Ok(made.into_iter().map(answer).collect())
    }

    /// An approval that is asked for here is bound to what one asked for over HTTP would be.
    async fn reveal(
        &self,
        texts: &[Zeroizing<String>],
        purpose: &str,
        reference: Option<String>,
    ) -> Result<Vec<Answer>, CommandError> {
        let read: Vec<Option<Token>> = texts.iter().map(|text| Token::parse(text).ok()).collect();
        let tokens: Vec<Token> = read.iter().flatten().cloned().collect();
        let resource = TokenSet { tokens, purpose: Some(purpose.to_owned()) };
        let bound = self.bound(&resource, reference.clone()).await?;
        let ruled = self.app.access.rule(&self.caller, Action::TokenReveal, resource, bound).await;
        let permit = permitted(ruled.map_err(CommandError::failed)?)?;
        let numbers = match self.app.vault().reveal_batch(&permit, reference).await {
            Ok(revealed) => revealed.numbers,
            Err(VaultError::NotFound) => Vec::new(),
            Err(error) => return Err(CommandError::failed(error)),
        };
        let mut numbers = numbers.into_iter();
        let answer = |token: &Option<Token>| match token {
            None => Err(Refusal::of("token_malformed")),
            Some(_) => numbers.next().flatten().ok_or_else(|| Refusal::of("not_found")),
        };
        Ok(read.iter().map(answer).collect())
    }

    async fn bound(&self, resource: &TokenSet, reference: Option<String>) -> Result<Bound, CommandError> {
        let texts = resource.tokens.iter().map(|token| token.as_str().as_bytes());
        let digest = Bound::digest([b"reveal".as_slice()].into_iter().chain(texts));
        let access = &self.app.access;
        let asks = self.approval.is_none() && access.needs_second_person(&self.caller, Action::TokenReveal, resource);
        let mut summary = serde_json::Value::Null;
        if asks {
            let shown = TokenSet { tokens: resource.tokens.clone(), purpose: None };
            let permit =
                access.authorize(&self.caller, Action::TokenRead, shown).await.map_err(CommandError::failed)?;
            let masks = self.app.vault().masks(&permit).await.map_err(CommandError::failed)?;
            let found: Vec<_> = masks.into_iter().flatten().collect();
            summary = json!({"tokens": found.len(), "masks": found.iter().take(100).collect::<Vec<_>>()});
        }
        Ok(Bound { digest, summary, reference, approval: self.approval })
    }

    async fn rewrap(&self, texts: &[Zeroizing<String>], audience: Option<String>) -> Result<Vec<Answer>, CommandError> {
        let permit = self.app.access.authorize(&self.caller, Action::TokenCreate, NewTokens { audience }).await;
        let permit = permit.map_err(CommandError::failed)?;
        let tokens: Vec<Option<Token>> = texts.iter().map(|text| Token::parse(text).ok()).collect();
        let given = tokens.iter().flatten().cloned().collect();
        let made = self.app.vault().rewrap_batch(&permit, given).await.map_err(CommandError::failed)?;
        let mut made = made.into_iter();
        let answer = |token: &Option<Token>| match token {
            None => Err(Refusal::of("token_malformed")),
            Some(_) => match made.next().flatten() {
                Some(token) => Ok(Zeroizing::new(token.as_str().to_owned())),
                None => Err(Refusal::of("not_found")),
            },
        };
        Ok(tokens.iter().map(answer).collect())
    }
}

async fn tokenized(http: &Http, work: &Work, chunk: &Chunk) -> Result<Vec<Answer>, CommandError> {
    let Work::Tokenize { kind, region, audience, .. } = work else { return Ok(Vec::new()) };
    let ttl_s = chunk.ends_at.map(|end| crate::clock::Clock::now(&crate::clock::SystemClock).until(end).as_secs());
    let item =
        |text: &str| json!({"number": text, "kind": kind, "region": region, "audience": audience, "ttl_s": ttl_s});
    let items: Vec<_> = chunk.texts.iter().map(|text| item(text)).collect();
    asked(http, "/v1/tokens/batch", chunk, json!({ "items": items })).await
}

async fn asked(http: &Http, path: &str, chunk: &Chunk, body: serde_json::Value) -> Result<Vec<Answer>, CommandError> {
    #[derive(Deserialize)]
    struct Answers {
        items: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        token: Option<String>,
        number: Option<String>,
        error: Option<Refusal>,
    }
    let body = Zeroizing::new(serde_json::to_vec(&without_nulls(body)).map_err(CommandError::failed)?);
    let Some(text) = http.post(path, &chunk.key, &body).await? else {
        return Ok(chunk.texts.iter().map(|_| Err(Refusal::of("not_found"))).collect());
    };
    let answers: Answers =
        serde_json::from_slice(&text).map_err(|_| CommandError::Failed("an answer is no JSON".into()))?;
    let missing =
        || Refusal { code: "internal".into(), detail: "The service gave neither an answer nor a reason.".into() };
    let answer = |item: Item| match item.token.or(item.number) {
        Some(text) => Ok(Zeroizing::new(text)),
        None => Err(item.error.unwrap_or_else(missing)),
    };
    Ok(answers.items.into_iter().map(answer).collect())
}

/// Fields that were not asked for are left out.
fn without_nulls(mut body: serde_json::Value) -> serde_json::Value {
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
        for items in fields.values_mut().filter_map(serde_json::Value::as_array_mut) {
            items.iter_mut().for_each(|item| *item = without_nulls(item.take()));
        }
    }
    body
}

fn shown(texts: &[Zeroizing<String>]) -> Vec<&str> {
    texts.iter().map(|text| text.as_str()).collect()
}
