//! Turns nodes into values: applies the YAML 1.1 types and the tags, and marks what is secret or unsafe.

use convoy_protocol::{Key, Kind, Map, Taint, Value};

use super::error::redacted;
use super::node::{Data, Node, Style};
use super::scalar::{self, NumberError};
use crate::diagnostic::Diagnostic;
use crate::vaulted::is_vaulted;

impl Node {
    /// Returns the value of this node, with its origin. `!unsafe` makes the value and everything below it unsafe; all
    /// values of an encrypted file are secret. `!vault` text stays encrypted.
    ///
    /// # Errors
    ///
    /// If a tag is not supported or does not fit, or a number is out of range.
    pub fn to_value(&self) -> Result<Value, Diagnostic> {
        let value =
            self.value_by_tag().map_err(|problem| if self.secret { redacted(problem) } else { problem })?;
        Ok(Value { taint: value.taint | self.taint(), ..value })
    }

    fn value_by_tag(&self) -> Result<Value, Diagnostic> {
        let value = match self.tag.as_deref() {
            None => self.untagged()?,
            Some("!unsafe") => match &self.data {
                Data::Scalar(text, _) => Value::from(text.as_str()),
                _ => self.untagged()?,
            }
            .tainted(Taint::UNSAFE),
            Some(tag @ ("!vault" | "!vault-encrypted")) => match &self.data {
                Data::Scalar(text, _) if is_vaulted(text.as_bytes()) => {
                    Kind::Vaulted(text.as_str().into()).into()
                }
                _ => {
                    let message = format!("the value tagged `{tag}` is not encrypted");
                    return Err(Diagnostic::user(message)
                        .at(self.at.clone())
                        .hint(Some("encrypt it with `convoy vault encrypt-string`".to_owned())));
                }
            },
            Some(tag) => self.converted(tag)?,
        };
        Ok(value.at(self.at.clone()))
    }

    /// Returns this scalar as the key of a map.
    ///
    /// # Errors
    ///
    /// If it is not a scalar, or cannot be a key: a float, or a number out of range.
    pub fn to_key(&self) -> Result<Key, Diagnostic> {
        let value = match &self.data {
            Data::Scalar(..) => self.to_value()?,
            _ => {
                return Err(
                    Diagnostic::user(format!("{} cannot be a key", self.kind_name())).at(self.at.clone())
                );
            }
        };
        match value.kind {
            Kind::Null => Ok(Key::Null),
            Kind::Bool(b) => Ok(Key::Bool(b)),
            Kind::Int(i) => Ok(Key::Int(i)),
            Kind::Text(text) => Ok(Key::Text(text)),
            _ => Err(Diagnostic::user(format!("{} cannot be a key", value.kind_name()))
                .at(self.at.clone())
                .hint(Some(format!("quote it: \"{}\"", self.scalar().unwrap_or_default())))),
        }
    }

    fn untagged(&self) -> Result<Value, Diagnostic> {
        match &self.data {
            Data::Scalar(text, Style::Plain) => self.plain(text),
            Data::Scalar(text, _) => Ok(Value::from(text.as_str())),
            Data::List(items) => items.iter().map(Self::to_value).collect(),
            Data::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (key, value) in entries {
                    map.insert(key.to_key()?, value.to_value()?);
                }
                Ok(map.into())
            }
        }
    }

    fn plain(&self, text: &str) -> Result<Value, Diagnostic> {
        match scalar::resolve(text) {
            Ok(kind) => Ok(kind.map_or_else(|| Value::from(text), Value::from)),
            Err(error) => {
                let message = match error {
                    NumberError::TooLarge => format!("the number {text} does not fit in 64 bits"),
                    NumberError::NoDigits => format!("the number {text} has no digits"),
                };
                Err(Diagnostic::user(message)
                    .at(self.at.clone())
                    .hint(Some(format!("if it is text, quote it: \"{text}\""))))
            }
        }
    }

    /// Converts the node to the type that one of YAML's own tags names.
    fn converted(&self, tag: &str) -> Result<Value, Diagnostic> {
        let mismatch =
            || Diagnostic::user(format!("{} cannot be `{tag}`", self.kind_name())).at(self.at.clone());
        match (tag, &self.data) {
            ("!" | "!!str" | "!!timestamp", Data::Scalar(text, _)) => Ok(Value::from(text.as_str())),
            ("!" | "!!seq", Data::List(_)) | ("!" | "!!map", Data::Map(_)) => self.untagged(),
            ("!!int" | "!!float" | "!!bool" | "!!null", Data::Scalar(text, _)) => {
                let value = self.plain(text)?;
                match (tag, &value.kind) {
                    ("!!int", Kind::Int(_)) | ("!!bool", Kind::Bool(_)) | ("!!null", Kind::Null) => Ok(value),
                    ("!!float", Kind::Float(_)) => Ok(value),
                    #[expect(clippy::cast_precision_loss, reason = "the user asked for a float")]
                    ("!!float", Kind::Int(i)) => Ok(Value::from(*i as f64)),
                    _ => Err(mismatch()),
                }
            }
            ("!!str" | "!!int" | "!!float" | "!!bool" | "!!null" | "!!timestamp" | "!!seq" | "!!map", _) => {
                Err(mismatch())
            }
            _ => Err(Diagnostic::user(format!("the tag `{tag}` is not supported"))
                .at(self.at.clone())
                .hint(Some("use `!unsafe`, `!vault` or no tag".to_owned()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;
    use convoy_protocol::map;

    fn value(text: &str) -> Result<Value, String> {
        read("t.yml", text).unwrap().unwrap().to_value().map_err(|error| error.to_string())
    }

    #[test]
    fn only_plain_scalars_become_booleans_and_numbers() {
        let read =
            value("a: yes\nb: 'yes'\nc: 0644\nd: \"0644\"\ne: |\n  1\nf:\ng: 2024-01-02\n80: x\n").unwrap();
        let mut expected = map! {
            "a" => true, "b" => "yes", "c" => 420, "d" => "0644", "e" => "1\n", "f" => (), "g" => "2024-01-02",
        };
        expected.insert(Key::Int(80), "x".into());
        assert_eq!(read, Value::from(expected));
    }

    #[test]
    fn values_keep_their_origin() {
        let read = value("a:\n  - x\n  - é: y\n").unwrap();
        let inner = &read.get("a").unwrap().as_list().unwrap()[1];
        assert_eq!(inner.get("é").unwrap().origin.as_ref().unwrap().to_string(), "t.yml:3:8");
    }

    #[test]
    fn the_unsafe_tag_applies_to_everything_below_it() {
        let read = value("a: !unsafe {b: ['{{ x }}', 1]}\nc: !unsafe 1\n").unwrap();
        let list = read.get("a").unwrap().get("b").unwrap().as_list().unwrap();
        assert!(list[0].taint.is_unsafe());
        assert_eq!(list[1].as_int(), Some(1));
        assert_eq!(read.get("c").unwrap().as_str(), Some("1"));
        assert!(!read.taint.is_unsafe());
    }

    #[test]
    fn tags_choose_the_type_and_unsupported_ones_are_refused() {
        assert_eq!(
            value("[!!str 1, !!int '7', !!float 1, ! 2]").unwrap(),
            value("['1', 7, 1.0, '2']").unwrap()
        );
        for (text, error) in [
            ("!!int x", "error: a scalar cannot be `!!int`\n  --> t.yml:1:7"),
            (
                "a: !!set {x, y}",
                "error: the tag `!!set` is not supported\n  --> t.yml:1:10\nhint: use `!unsafe`, `!vault` or no tag",
            ),
            (
                "a: !foo x",
                "error: the tag `!foo` is not supported\n  --> t.yml:1:9\nhint: use `!unsafe`, `!vault` or no tag",
            ),
            (
                "a: !vault |\n  hunter2",
                "error: the value tagged `!vault` is not encrypted\n  --> t.yml:2:3\n\
                 hint: encrypt it with `convoy vault encrypt-string`",
            ),
            (
                "a: 99999999999999999999",
                "error: the number 99999999999999999999 does not fit in 64 bits\n  --> t.yml:1:4\n\
                 hint: if it is text, quote it: \"99999999999999999999\"",
            ),
        ] {
            assert_eq!(value(text).unwrap_err(), error, "{text}");
        }
    }
}
