//! JSON as Python's `json` writes it.

use super::Filter;
use super::text::soft;
use crate::template::Error;
use crate::template::jinja::args::Args;
use crate::template::jinja::text::{float, str};
use crate::template::jinja::value::Val;

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("to_json", |_, v, args| {
        let layout = Layout::read(args, None, false)?;
        Ok(layout.text(&v)?.into())
    }),
    ("to_nice_json", |_, v, args| {
        let indent = args.take(0, "indent").and_then(|v| v.as_int()).unwrap_or(4);
        let sort = args.take(1, "sort_keys").map_or(Ok(true), |v| v.truth())?;
        args.key("separators");
        let mut layout = Layout::read(args, Some(indent), sort)?;
        layout.comma = ",".into();
        Ok(layout.text(&v)?.into())
    }),
    ("tojson", |_, v, args| {
        let indent = args.take(0, "indent").and_then(|v| v.as_int());
        let layout = Layout::read(args, indent, true)?;
        let text = layout.text(&v)?;
        let text = text
            .replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026")
            .replace('\'', "\\u0027");
        Ok(Val::text(text))
    }),
    ("from_json", |_, v, _| {
        let text = soft(v)?;
        let parsed: serde_json::Value =
            serde_json::from_str(&text).map_err(|e| Error::other(format!("the text is not JSON: {e}")))?;
        Ok(from_serde(&parsed))
    }),
];

/// A value as compact JSON in Python's default layout.
pub(crate) fn repr_json(value: &Val) -> Result<String, Error> {
    Layout { indent: None, sort: false, ascii: true, comma: ", ".into(), colon: ": ".into() }.text(value)
}

fn from_serde(value: &serde_json::Value) -> Val {
    match value {
        serde_json::Value::Null => Val::None,
        serde_json::Value::Bool(b) => Val::Bool(*b),
        serde_json::Value::Number(n) => {
            n.as_i64().map_or_else(|| Val::Float(n.as_f64().unwrap_or(f64::NAN)), Val::Int)
        }
        serde_json::Value::String(text) => text.as_str().into(),
        serde_json::Value::Array(items) => Val::list(items.iter().map(from_serde).collect()),
        serde_json::Value::Object(map) => {
            Val::dict(map.iter().map(|(k, v)| (k.as_str().into(), from_serde(v))).collect())
        }
    }
}

struct Layout {
    indent: Option<usize>,
    sort: bool,
    ascii: bool,
    comma: String,
    colon: String,
}

impl Layout {
    fn read(args: &mut Args, indent: Option<i64>, sort: bool) -> Result<Self, Error> {
        let indent =
            args.key("indent").and_then(|v| v.as_int()).or(indent).and_then(|i| usize::try_from(i).ok());
        let sort = args.key("sort_keys").map_or(Ok(sort), |v| v.truth())?;
        let ascii = args.key("ensure_ascii").map_or(Ok(true), |v| v.truth())?;
        let mut layout = Self {
            indent,
            sort,
            ascii,
            comma: if indent.is_some() { "," } else { ", " }.into(),
            colon: ": ".into(),
        };
        if let Some(Val::List(pair)) = args.key("separators")
            && let [comma, colon] = &pair.items.borrow()[..]
        {
            (layout.comma, layout.colon) = (str(comma), str(colon));
        }
        for known in ["vault_to_text", "preprocess_unsafe"] {
            args.key(known);
        }
        Ok(layout)
    }

    fn text(&self, value: &Val) -> Result<String, Error> {
        let mut out = String::new();
        self.write(&mut out, value, 0)?;
        Ok(out)
    }

    fn write(&self, out: &mut String, value: &Val, depth: usize) -> Result<(), Error> {
        match value {
            Val::None => out.push_str("null"),
            Val::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Val::Float(x) if x.is_nan() => out.push_str("NaN"),
            Val::Float(x) if x.is_infinite() => out.push_str(if *x > 0.0 { "Infinity" } else { "-Infinity" }),
            Val::Float(x) => out.push_str(&float(*x)),
            Val::Int(i) => out.push_str(&i.to_string()),
            Val::List(list) => {
                let items = list.items.borrow();
                self.container(out, '[', ']', items.len(), depth, |out, i| {
                    self.write(out, &items[i], depth + 1)
                })?;
            }
            Val::Dict(dict) => {
                let items = dict.items.borrow();
                let mut pairs: Vec<_> =
                    items.iter().map(|(key, value)| (key.to_string(), key, value)).collect();
                if self.sort {
                    pairs.sort_by(|a, b| a.1.cmp(b.1));
                }
                self.container(out, '{', '}', pairs.len(), depth, |out, i| {
                    let (name, _, value) = &pairs[i];
                    self.quoted(out, name);
                    out.push_str(&self.colon);
                    self.write(out, value, depth + 1)
                })?;
            }
            Val::Undefined(undefined) => return Err(undefined.error()),
            other => self.quoted(out, &str(other)),
        }
        Ok(())
    }

    fn container(
        &self,
        out: &mut String,
        open: char,
        close: char,
        len: usize,
        depth: usize,
        mut item: impl FnMut(&mut String, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        out.push(open);
        let line = |out: &mut String, depth: usize| {
            if let Some(indent) = self.indent {
                out.push('\n');
                out.push_str(&" ".repeat(indent * depth));
            }
        };
        for i in 0..len {
            if i > 0 {
                out.push_str(&self.comma);
            }
            line(out, depth + 1);
            item(out, i)?;
        }
        if len > 0 {
            line(out, depth);
        }
        out.push(close);
        Ok(())
    }

    fn quoted(&self, out: &mut String, text: &str) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if c < ' ' || (self.ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}
