//! The signature base: what a signature is over (RFC 9421 §2.5).

use sfv::{FieldType, InnerList, ListEntry};

/// More components than any request of ours has.
const COMPONENTS_MAX: usize = 32;

/// A request, as far as signatures speak of it.
pub struct Parts<'a> {
    /// In capitals.
    pub method: &'a str,
    /// Host and port as the request names them.
    pub authority: &'a str,
    /// Whether it came over TLS, which tells the default port.
    pub tls: bool,
    /// The path as it was sent.
    pub path: &'a str,
    /// What follows `?`, as it was sent; empty if nothing does.
    pub query: &'a str,
    /// Every line of the field of this name, in order.
    pub fields: &'a dyn Fn(&str) -> Vec<String>,
}

impl Parts<'_> {
    /// The field's lines as one (RFC 9421 §2.1): each trimmed, joined by a comma and a space.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let lines = (self.fields)(name);
        let trimmed: Vec<&str> = lines.iter().map(|line| line.trim_matches([' ', '\t'])).collect();
        (!trimmed.is_empty()).then(|| trimmed.join(", "))
    }

    /// RFC 9421 §2.2.3: lower case, the scheme's default port left off.
    fn authority(&self) -> String {
        let text = self.authority.to_ascii_lowercase();
        let default = if self.tls { ":443" } else { ":80" };
        text.strip_suffix(default).map(str::to_owned).unwrap_or(text)
    }

    fn value(&self, component: &str) -> Option<String> {
        match component {
            "@method" => Some(self.method.to_owned()),
            "@authority" => Some(self.authority()),
            "@path" if self.path.is_empty() => Some("/".to_owned()),
            "@path" => Some(self.path.to_owned()),
            "@query" => Some(format!("?{}", self.query)),
            derived if derived.starts_with('@') => None,
            field => self.field(field),
        }
    }
}

/// The components that a signature is over. None if one of them has a parameter, occurs twice or is no name: rules that
/// change what a name stands for are not followed here, and skipping them would check another text than was signed.
pub(super) fn components(list: &InnerList) -> Option<Vec<&str>> {
    let mut names: Vec<&str> = Vec::with_capacity(list.items.len());
    for item in &list.items {
        let name = item.bare_item.as_string()?.as_str();
        let plain = name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_@".contains(&c));
        if !plain
            || name.is_empty()
            || !item.params.is_empty()
            || names.contains(&name)
            || names.len() >= COMPONENTS_MAX
        {
            return None;
        }
        names.push(name);
    }
    Some(names)
}

/// The text that the signature of `list` is over; none if the request lacks one of its components.
pub(super) fn base(parts: &Parts<'_>, list: &InnerList) -> Option<String> {
    let mut base = String::with_capacity(512);
    for name in components(list)? {
        let value = parts.value(name)?;
        // A line break in a value would let one component pass for two.
        if value.contains(['\n', '\r']) || !value.is_ascii() {
            return None;
        }
        base.push_str(&format!("\"{name}\": {value}\n"));
    }
    let params = vec![ListEntry::InnerList(list.clone())].serialize()?;
    base.push_str("\"@signature-params\": ");
    base.push_str(&params);
    Some(base)
}
