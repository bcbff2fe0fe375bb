//! The demo's HTTP client: makes the calls, prints them as `curl`, remembers what each onlooker was shown.

use serde_json::Value;

use crate::cli::CommandError;

/// One caller of the service.
pub struct Caller<'a> {
    http: &'a reqwest::Client,
    base: &'a str,
    name: &'static str,
    key: String,
    seen: std::cell::RefCell<String>,
}

impl<'a> Caller<'a> {
    /// A caller who holds `key`; `name` is the shell variable that stands for it in the printed lines.
    pub fn new(http: &'a reqwest::Client, base: &'a str, name: &'static str, key: String) -> Self {
        say!("  export {name}={key}");
        Self { http, base, name, key, seen: std::cell::RefCell::new(String::new()) }
    }

    /// Everything that the service ever answered to this caller.
    pub fn seen(&self) -> String {
        self.seen.borrow().clone()
    }

    /// A POST that has to succeed; printed.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, CommandError> {
        say!("\n  curl -s {}{path} -H \"Authorization: Bearer ${}\" --json '{body}'", self.base, self.name);
        let answer = self.send("POST", path, Some(body)).await?;
        show(&answer);
        Ok(answer)
    }

    /// A POST that has to succeed and of which only the line is printed.
    pub async fn post_silently(&self, path: &str, body: &Value) -> Result<Value, CommandError> {
        self.send("POST", path, Some(body)).await
    }

    /// A GET that has to succeed; printed.
    pub async fn get(&self, path: &str) -> Result<Value, CommandError> {
        say!("\n  curl -s '{}{path}' -H \"Authorization: Bearer ${}\"", self.base, self.name);
        self.send("GET", path, None).await
    }

    /// A GET that has to succeed; not printed, for waiting.
    pub async fn get_silently(&self, path: &str) -> Result<Value, CommandError> {
        self.send("GET", path, None).await
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, CommandError> {
        let (status, answer) = self.exchange(method, path, body).await?;
        if status >= 400 {
            let code = answer.get("code").and_then(Value::as_str).unwrap_or("no code").to_owned();
            let route = path.split('?').next().unwrap_or_default();
            return Err(CommandError::Failed(format!("{method} {route} answered {status} {code}")));
        }
        Ok(answer)
    }

    async fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value), CommandError> {
        let method = method.parse().map_err(CommandError::failed)?;
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|e| CommandError::failed(e.without_url()))?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(|e| CommandError::failed(e.without_url()))?;
        self.seen.borrow_mut().push_str(&text);
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }
}

/// Prints an answer, indented.
fn show(answer: &Value) {
    let text = serde_json::to_string_pretty(answer).unwrap_or_default();
    for line in text.lines() {
        say!("  {line}");
    }
}
