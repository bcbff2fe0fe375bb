//! TwiML: what a call is answered. Well-formed XML, every value escaped.
//!
//! The number of the party is in [`Twiml::plan`] of a bridge and nowhere else.

use maud::{Markup, html};
use zeroize::Zeroizing;

use crate::carrier::{CallPlan, Reply};
use crate::config::Voice;
use crate::phone::Door;

/// Where the carrier comes back to, and how calls are to be.
pub(super) struct Twiml<'a> {
    /// `https://bauta.example/carriers/tw`.
    pub(super) here: &'a str,
    pub(super) voice: &'a Voice,
}

/// Taken; nothing to do.
pub(super) fn nothing() -> Reply {
    reply(html! {})
}

impl Twiml<'_> {
    /// What a plan is as TwiML.
    pub(super) fn plan(&self, plan: &CallPlan) -> Reply {
        match plan {
            CallPlan::Bridge { to, shown, screen, max_s } => {
                let to = to.expose(Door::Carrier);
                reply(self.dial(&to, &shown.to_string(), *screen, *max_s))
            }
            CallPlan::Keypad => reply(self.keypad()),
            CallPlan::Reject { told: false, .. } => reply(html! { Reject {} }),
            CallPlan::Reject { .. } => {
                reply(html! { Say language=(self.voice.language) { (self.voice.refusal) } Hangup {} })
            }
        }
    }

    /// To the party, before the two are put through.
    pub(super) fn screen(&self) -> Reply {
        reply(html! {
            Gather numDigits="1" timeout="10" action=(self.step("accept")) method="POST" {
                Say language=(self.voice.language) { (self.voice.prompt) }
            }
            Hangup {}
        })
    }

    pub(super) fn hang_up(&self) -> Reply {
        reply(html! { Hangup {} })
    }

    fn dial(&self, to: &str, shown: &str, screen: bool, max_s: u32) -> Markup {
        let status = format!("{}/voice/status", self.here);
        let screen = screen.then(|| self.step("screen"));
        let answered = screen.is_none().then_some(&status);
        html! {
            Dial callerId=(shown) timeLimit=(max_s) timeout=(self.voice.ring_s) answerOnBridge="true"
                action=(status) method="POST" {
                Number url=[screen] statusCallback=[answered] statusCallbackEvent=[answered.map(|_| "answered")] {
                    (to)
                }
            }
        }
    }

    fn keypad(&self) -> Markup {
        html! {
            Gather timeout="10" finishOnKey="#" action=(self.step("extension")) method="POST" {
                Say language=(self.voice.language) { (self.voice.keypad) }
            }
            Hangup {}
        }
    }

    fn step(&self, step: &str) -> String {
        format!("{}/voice?step={step}", self.here)
    }
}

fn reply(inner: Markup) -> Reply {
    let inner = Zeroizing::new(inner.into_string());
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{}</Response>", inner.as_str());
    Reply { kind: "text/xml; charset=utf-8", body: Zeroizing::new(body) }
}
