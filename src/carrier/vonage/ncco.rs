//! NCCO: what a call is answered, a JSON list of actions.
//!
//! The number of the party is in the answer of a bridge and nowhere else.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::carrier::{CallPlan, Reply};
use crate::config::Voice;
use crate::phone::Door;

/// What a plan is as NCCO. `here` is where the carrier comes back to.
pub(super) fn plan(plan: &CallPlan, voice: &Voice, here: &str) -> Reply {
    let actions = match plan {
        CallPlan::Bridge { to, shown, screen, max_s } => {
            let to = to.expose(Door::Carrier);
            json!([connect(&to, &shown.to_string(), (*screen, *max_s), voice, here)])
        }
        CallPlan::Keypad => json!([
            {"action": "talk", "text": voice.keypad, "language": voice.language, "bargeIn": true},
            {"action": "input", "type": ["dtmf"], "dtmf": {"maxDigits": 8, "submitOnHash": true, "timeOut": 10},
             "eventUrl": [format!("{here}/voice?step=extension")], "eventMethod": "POST"},
        ]),
        CallPlan::Reject { told: false, .. } => json!([]),
        CallPlan::Reject { .. } => json!([{"action": "talk", "text": voice.refusal, "language": voice.language}]),
    };
    Reply { kind: "application/json", body: Zeroizing::new(actions.to_string()) }
}

fn connect(to: &str, shown: &str, (screen, max_s): (bool, u32), voice: &Voice, here: &str) -> Value {
    let mut action = json!({
        "action": "connect",
        "from": shown.trim_start_matches('+'),
        "timeout": voice.ring_s,
        "limit": max_s,
        "eventUrl": [format!("{here}/voice/status")],
        "eventMethod": "POST",
        "endpoint": [{"type": "phone", "number": to.trim_start_matches('+')}],
    });
    if screen && let Some(action) = action.as_object_mut() {
        action.insert("machineDetection".into(), "hangup".into());
    }
    action
}
