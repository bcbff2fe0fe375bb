//! `bauta inspect`: try the rules on text of your own. NDJSON in, NDJSON out, nothing stored.

use std::io::{BufRead as _, Write as _};

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::CommandError;
use crate::message::code;
use crate::phone::{self, Door, Rules};

/// Try the rules on text of your own
#[derive(Subcommand)]
pub enum Inspect {
    /// Read each {"text","region"?} as one number: {"e164"} or {"error"}
    Parse,
    /// Find the code that each {"text","region"?} asks to type: {"code"}, null if there is none
    Codes,
    /// Find numbers in each {"text","region"?}: {"numbers":[{"start","end","e164"}]}, byte offsets
    Numbers,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    text: String,
    region: Option<String>,
}

impl Inspect {
    /// Answers each line of standard input with a line on standard output.
    pub fn run(self) -> Result<(), CommandError> {
        let mut out = std::io::stdout().lock();
        for line in std::io::stdin().lock().lines() {
            let line = line.map_err(CommandError::failed)?;
            let answer = match serde_json::from_str::<Line>(&line) {
                Ok(line) => self.answer(&line),
                Err(_) => json!({"error": "malformed_json"}),
            };
            writeln!(out, "{answer}").map_err(CommandError::failed)?;
        }
        Ok(())
    }

    fn answer(&self, line: &Line) -> Value {
        match self {
            Self::Codes => json!({"code": code::find(&line.text).map(|code| code.value.to_string())}),
            Self::Parse => match e164(&line.text, line.region.as_deref()) {
                Ok(e164) => json!({"e164": e164}),
                Err(code) => json!({"error": code}),
            },
            Self::Numbers => {
                let numbers: Vec<Value> = phone::find(&line.text)
                    .iter()
                    .filter_map(|span| {
                        let text = line.text.get(span.start..span.end)?;
                        let e164 = e164(text, line.region.as_deref()).ok()?;
                        Some(json!({"start": span.start, "end": span.end, "e164": e164}))
                    })
                    .collect();
                json!({"numbers": numbers})
            }
        }
    }
}

/// The number goes back to the terminal that it was typed on.
fn e164(text: &str, region: Option<&str>) -> Result<String, &'static str> {
    let rules = Rules { region: region.map(str::to_owned), test: true, ..Rules::default() };
    phone::parse(text, &rules).map(|parsed| parsed.number.expose(Door::Typist).to_string()).map_err(|e| e.code())
}
