//! Replaces known secrets in text that others have written, such as the output of a command.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use convoy_protocol::{Kind, Value, base64};

use crate::text::json;

/// Secrets that a text may contain.
#[derive(Clone, Default)]
pub struct Secrets {
    texts: HashSet<Arc<str>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.texts.len())
    }
}

impl Secrets {
    /// Collects the secrets in `values`.
    pub fn of<'v>(values: impl IntoIterator<Item = &'v Value>) -> Self {
        let mut secrets = Self::default();
        values.into_iter().for_each(|value| secrets.add(value));
        secrets
    }

    /// Adds the secrets in `value`.
    pub fn add(&mut self, value: &Value) {
        match &value.kind {
            Kind::List(list) => list.iter().for_each(|item| self.add(item)),
            Kind::Map(map) => map.values().for_each(|item| self.add(item)),
            Kind::Null | Kind::Bool(_) => {}
            _ if value.taint.is_secret() => self.hide(&crate::text::python::str(value)),
            _ => {}
        }
    }

    /// Adds a text.
    pub fn hide(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.texts.insert(text.trim().into());
        }
    }

    /// Adds the secrets of `other`.
    pub fn join(&mut self, other: &Self) {
        self.texts.extend(other.texts.iter().cloned());
    }

    /// Returns the secrets.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }

    /// Returns whether there are no secrets.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Returns the forms in which programs write the secrets: verbatim, line by line, in JSON, in Base64, quoted for a shell.
    /// Longer ones come first, because one may contain another.
    fn forms(&self) -> Vec<String> {
        let mut forms = Vec::new();
        for text in &self.texts {
            let quoted = json::to_string(&text.clone().into(), json::Style::default());
            let in_json = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            forms.push(in_json.unwrap_or_default().to_owned());
            forms.push(base64::encode(text.as_bytes()).trim_end_matches('=').to_owned());
            forms.push(text.replace('\'', "'\"'\"'"));
            forms.extend(text.lines().map(|line| line.trim().to_owned()));
            forms.push(text.to_string());
        }
        forms.retain(|form| !form.is_empty());
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        forms
    }

    /// Returns whether the text contains a secret.
    pub fn are_in(&self, text: &str) -> bool {
        self.forms().iter().any(|form| text.contains(form.as_str()))
    }

    /// Returns the text with each secret replaced by a placeholder.
    pub fn scrub(&self, text: &str) -> String {
        let forms = self.forms();
        let mut clear = String::with_capacity(text.len());
        let mut rest = text;
        // Placeholders are not searched, because they may contain a short secret.
        while let Some(next) = rest.chars().next() {
            match forms.iter().find(|form| rest.starts_with(form.as_str())) {
                Some(form) => {
                    clear.push_str(json::REDACTED);
                    rest = &rest[form.len()..];
                }
                None => {
                    clear.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
        }
        clear
    }

    /// Returns the value with each secret in its texts replaced by a placeholder, and without its taint.
    pub fn scrubbed(&self, value: &Value) -> Value {
        let kind = match &value.kind {
            Kind::Text(text) => Kind::Text(self.scrub(text).into()),
            Kind::List(list) => return list.iter().map(|item| self.scrubbed(item)).collect(),
            Kind::Map(map) => {
                return map.iter().map(|(key, item)| (key.clone(), self.scrubbed(item))).collect();
            }
            other => other.clone(),
        };
        kind.into()
    }
}

#[cfg(test)]
mod tests {
    use convoy_protocol::{Taint, map};

    use super::*;

    #[test]
    fn secrets_are_replaced_in_every_form() {
        let secret = |text: &str| Value::from(text).tainted(Taint::SECRET);
        let key = "line one\nline \"two\"\n";
        let args = map! {
            "password" => secret("hunter2"), "longer" => secret("hunter2hunter2"), "user" => "admin",
            "keys" => vec![secret(key)], "pin" => Value::from(4711).tainted(Taint::SECRET), "odd" => secret("it's"),
        };
        let secrets = Secrets::of(args.values());
        for (text, clear) in [
            ("admin: hunter2, hunter2hunter2.", "admin: {}, {}."),
            ("line one\nor line \"two\"", "{}\nor {}"),
            (r#"{"key": "line one\nline \"two\""}"#, r#"{"key": "{}"}"#),
            ("Basic aHVudGVyMg==", "Basic {}=="),
            ("pin 4711", "pin {}"),
            ("'it'\"'\"'s'", "'{}'"),
            ("HUNTER2 \u{e9}", "HUNTER2 \u{e9}"),
        ] {
            assert_eq!(secrets.scrub(text), clear.replace("{}", json::REDACTED), "{text}");
        }
        assert!(Secrets::of(&[Value::from("x")]).is_empty());
        let mut short = Secrets::default();
        short.hide("E");
        assert_eq!(short.scrub("aEb"), format!("a{}b", json::REDACTED));
    }
}
