//! Filters that read YAML, and that write it exactly as PyYAML's dumper does.
//!
//! The line breaks, indentation and quoting follow PyYAML's emitter, so that a file written by Ansible does not change.
//! YAML that convoy writes for itself comes from [`crate::yaml::write`].

use convoy_protocol::{Kind, Value};

use crate::diagnostic::Diagnostic;
use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::strings::capitalize;
use crate::template::jinja::python::text::text_of;
use crate::template::jinja::python::value::Val;
use crate::template::jinja::rendering::Filter;
use crate::text::python::{float, is_printable};
use crate::yaml::{self, Node};

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("to_yaml", |_, v, args| dump(&v, 2, None, args)),
    ("to_nice_yaml", |_, v, args| {
        let indent = usize::try_from(args.int(0, "indent", 4)?).unwrap_or(4);
        dump(&v, indent, Some(false), args)
    }),
    ("from_yaml", |_, v, _| match &v {
        Val::Str(text, _) => Ok(read(yaml::read(TEXT, text).map(Vec::from_iter))?.pop().unwrap_or(Val::None)),
        _ => v.defined(),
    }),
    ("from_yaml_all", |_, v, _| match &v {
        Val::Str(text, _) => Ok(Val::generator(read(yaml::read_all(TEXT, text))?)),
        _ => v.defined(),
    }),
];

/// The name of the text in messages, as in PyYAML.
const TEXT: &str = "<unicode string>";

/// Returns the values of the nodes. Templates in them are not rendered.
fn read(nodes: Result<Vec<Node>, Diagnostic>) -> Result<Vec<Val>, Error> {
    let values = nodes.and_then(|nodes| nodes.iter().map(Node::to_value).collect::<Result<Vec<_>, _>>());
    let values = values.map_err(|problem| {
        let at =
            problem.origin.map(|at| format!(" in \"{}\", line {}, column {}", at.file, at.line, at.column));
        Error::other(format!("{}{}", problem.message, at.unwrap_or_default()))
    })?;
    values.iter().map(read_value).collect()
}

/// Returns a value that was read. Templates in it are not rendered.
pub(super) fn read_value(value: &Value) -> Result<Val, Error> {
    Ok(match &value.kind {
        Kind::Null => Val::None,
        Kind::Bool(b) => Val::Bool(*b),
        Kind::Int(i) => Val::Int(*i),
        Kind::Float(x) => Val::Float(*x),
        Kind::Text(text) => Val::text(text.clone()),
        Kind::Bytes(bytes) => Val::Bytes(bytes.clone()),
        Kind::List(items) => Val::list(items.iter().map(read_value).collect::<Result<_, _>>()?),
        Kind::Map(map) => {
            let entries = map.iter().map(|(key, value)| Ok((key.clone(), read_value(value)?)));
            Val::dict(entries.collect::<Result<_, Error>>()?)
        }
        Kind::Vaulted(_) | Kind::Unknown(_) => {
            return Err(Error::other("could not determine a constructor for the tag '!vault'"));
        }
    })
}

struct Writer {
    out: String,
    indent: usize,
    width: usize,
    sort: bool,
    /// Whether collections are written in one line. With `None`, those that contain only scalars are.
    flow: Option<bool>,
    column: usize,
}

fn dump(v: &Val, indent: usize, flow: Option<bool>, args: &mut Args) -> Result<Val, Error> {
    let flow = match args.key("default_flow_style") {
        Some(Val::Bool(b)) => Some(b),
        Some(_) => None,
        None => flow,
    };
    let size = |v: Option<Val>, default| {
        v.and_then(|v| v.as_int()).and_then(|i| usize::try_from(i).ok()).unwrap_or(default)
    };
    let indent = size(args.key("indent"), indent);
    let mut writer = Writer {
        out: String::new(),
        indent: if (2..10).contains(&indent) { indent } else { 2 },
        width: size(args.key("width"), 80),
        sort: args.named_flag("sort_keys", true)?,
        flow,
        column: 0,
    };
    args.key("allow_unicode");
    if args.named_flag("explicit_start", false)? {
        writer.put(if matches!(v, Val::List(_) | Val::Dict(_)) && writer.flow != Some(true) {
            "---\n"
        } else {
            "--- "
        });
    }
    let continued = if matches!(v, Val::List(_) | Val::Dict(_)) { 0 } else { writer.indent };
    writer.node(v, continued, false)?;
    if !writer.out.ends_with('\n') {
        writer.put("\n");
    }
    Ok(writer.out.into())
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.column = match text.rfind('\n') {
            Some(at) => text[at + 1..].chars().count(),
            None => self.column + text.chars().count(),
        };
        self.out.push_str(text);
    }

    fn line(&mut self, indent: usize) {
        self.put("\n");
        self.put(&" ".repeat(indent));
    }

    fn is_flow(&self, value: &Val) -> bool {
        let leaf = |v: &Val| !matches!(v, Val::List(_) | Val::Dict(_));
        match value {
            Val::List(list) => {
                let items = list.items.borrow();
                items.is_empty() || self.flow.unwrap_or_else(|| items.iter().all(leaf))
            }
            Val::Dict(dict) => {
                let items = dict.items.borrow();
                items.is_empty() || self.flow.unwrap_or_else(|| items.values().all(leaf))
            }
            _ => true,
        }
    }

    fn pairs(&self, value: &Val) -> Vec<(Val, Val)> {
        let Val::Dict(dict) = value else {
            return Vec::new();
        };
        let items = dict.items.borrow();
        let mut pairs: Vec<_> = items.iter().collect();
        if self.sort {
            pairs.sort_by(|a, b| a.0.cmp(b.0));
        }
        pairs.into_iter().map(|(key, value)| (key.into(), value.clone())).collect()
    }

    /// Writes a node. Its first line starts at the current position, further lines at `indent`.
    fn node(&mut self, value: &Val, indent: usize, in_flow: bool) -> Result<(), Error> {
        match value {
            Val::List(_) | Val::Dict(_) if in_flow || self.is_flow(value) => self.flow_node(value, indent),
            Val::List(list) => {
                for (i, item) in list.items.borrow().iter().enumerate() {
                    if i > 0 {
                        self.line(indent);
                    }
                    self.put("-");
                    self.put(&" ".repeat(self.indent - 1));
                    if self.is_flow(item) && self.indent > 2 {
                        // Only block collections are indented in full.
                        self.out.truncate(self.out.len() - (self.indent - 2));
                        self.column -= self.indent - 2;
                    }
                    self.node(item, indent + self.indent, false)?;
                }
                Ok(())
            }
            Val::Dict(_) => {
                for (i, (key, item)) in self.pairs(value).iter().enumerate() {
                    if i > 0 {
                        self.line(indent);
                    }
                    self.scalar(key, indent, true)?;
                    self.put(":");
                    match item {
                        Val::List(_) if !self.is_flow(item) => {
                            self.line(indent);
                            self.node(item, indent, false)?;
                        }
                        Val::Dict(_) if !self.is_flow(item) => {
                            self.line(indent + self.indent);
                            self.node(item, indent + self.indent, false)?;
                        }
                        _ => {
                            self.put(" ");
                            self.node(item, indent + self.indent, false)?;
                        }
                    }
                }
                Ok(())
            }
            scalar => self.scalar(scalar, indent, in_flow),
        }
    }

    fn flow_node(&mut self, value: &Val, indent: usize) -> Result<(), Error> {
        let is_list = matches!(value, Val::List(_));
        let items: Vec<(Option<Val>, Val)> = match value {
            Val::List(list) => list.items.borrow().iter().map(|item| (None, item.clone())).collect(),
            _ => self.pairs(value).into_iter().map(|(k, v)| (Some(k), v)).collect(),
        };
        let inner = indent.max(self.indent);
        self.put(if is_list { "[" } else { "{" });
        for (i, (key, item)) in items.iter().enumerate() {
            if i > 0 {
                self.put(",");
                if self.column > self.width {
                    self.line(inner);
                } else {
                    self.put(" ");
                }
            }
            if let Some(key) = key {
                self.scalar(key, inner, true)?;
                self.put(": ");
            }
            self.node(item, inner + self.indent, true)?;
        }
        self.put(if is_list { "]" } else { "}" });
        Ok(())
    }

    fn scalar(&mut self, value: &Val, indent: usize, simple: bool) -> Result<(), Error> {
        let text = match value {
            Val::None => "null".into(),
            Val::Bool(b) => b.to_string(),
            Val::Float(x) if x.is_nan() => ".nan".into(),
            Val::Float(x) if x.is_infinite() => if *x > 0.0 { ".inf" } else { "-.inf" }.into(),
            Val::Float(x) => {
                let text = float(*x);
                if text.contains('e') && !text.contains('.') { text.replacen('e', ".0e", 1) } else { text }
            }
            Val::Str(text, _) => {
                self.text(text, indent, simple);
                return Ok(());
            }
            other => text_of(other.clone())?,
        };
        self.put(&text);
        Ok(())
    }

    fn text(&mut self, text: &str, indent: usize, simple: bool) {
        match style(text, simple) {
            Style::Plain => self.folded(text, indent, simple),
            Style::Single => {
                self.put("'");
                self.folded(&text.replace('\'', "''"), indent, simple);
                self.put("'");
            }
            Style::Double => self.double(text, indent, simple),
        }
    }

    /// Writes text and breaks the line after the first word that exceeds the width. A newline becomes an empty line.
    fn folded(&mut self, text: &str, indent: usize, simple: bool) {
        let chars: Vec<char> = text.chars().collect();
        let mut i = 0;
        while i < chars.len() {
            match chars[i] {
                ' ' => {
                    let len = chars[i..].iter().take_while(|c| **c == ' ').count();
                    let inner = i > 0 && i + len < chars.len();
                    if !simple && len == 1 && inner && self.column > self.width {
                        self.line(indent);
                    } else {
                        self.put(&" ".repeat(len));
                    }
                    i += len;
                }
                '\n' => {
                    let len = chars[i..].iter().take_while(|c| **c == '\n').count();
                    self.put(&"\n".repeat(len + 1));
                    self.put(&" ".repeat(indent));
                    i += len;
                }
                _ => {
                    let len = chars[i..].iter().take_while(|c| !matches!(c, ' ' | '\n')).count();
                    self.put(&chars[i..i + len].iter().collect::<String>());
                    i += len;
                }
            }
        }
    }

    fn double(&mut self, text: &str, indent: usize, simple: bool) {
        self.put("\"");
        let chars: Vec<char> = text.chars().collect();
        let mut start = 0;
        for (i, &c) in chars.iter().enumerate() {
            let escaped = match c {
                '"' => "\\\"".into(),
                '\\' => "\\\\".into(),
                '\n' => "\\n".into(),
                '\r' => "\\r".into(),
                '\t' => "\\t".into(),
                '\0' => "\\0".into(),
                '\u{7}' => "\\a".into(),
                '\u{8}' => "\\b".into(),
                '\u{1b}' => "\\e".into(),
                '\u{a0}' => "\\_".into(),
                '\u{85}' => "\\N".into(),
                c if !is_printable(c) && (c as u32) < 0x100 => format!("\\x{:02X}", c as u32),
                c if !is_printable(c) && (c as u32) < 0x10000 => format!("\\u{:04X}", c as u32),
                c if !is_printable(c) => format!("\\U{:08X}", c as u32),
                c => c.to_string(),
            };
            let foldable = c == ' ' && i > 0 && i + 1 < chars.len();
            if !simple && foldable && self.column > self.width && i > start {
                self.put("\\");
                self.line(indent);
                self.put("\\");
                start = i;
            }
            self.put(&escaped);
        }
        self.put("\"");
    }
}

#[derive(PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
}

/// Returns the style that PyYAML chooses for a text. `simple` is set for keys.
fn style(text: &str, simple: bool) -> Style {
    if text.chars().any(|c| c != '\n' && !is_printable(c) || c == '\u{feff}') {
        return Style::Double;
    }
    let lines = text.contains('\n');
    let space_break = text.contains(" \n");
    if space_break || (lines && simple) {
        return Style::Double;
    }
    let first = text.chars().next();
    let next_blank = text.chars().nth(1).is_none_or(|c| c == ' ' || c == '\n');
    let indicator = match first {
        None => true,
        Some(c) if "#,[]{}&*!|>'\"%@`".contains(c) => true,
        Some('?' | ':') => next_blank || simple,
        Some('-') => next_blank,
        Some('=') if text == "=" => true,
        _ => false,
    };
    let inner = text.contains(": ") || text.ends_with(':') || text.contains(" #") || text.contains('\t');
    let flow_inner = simple && !is_flow_plain(text);
    let marker = text.starts_with("---") || text.starts_with("...");
    let blank_edge = text.starts_with([' ', '\n']) || text.ends_with([' ', '\n']);
    if indicator || inner || marker || blank_edge || flow_inner || lines || resolves(text) {
        return Style::Single;
    }
    Style::Plain
}

/// Returns whether text has none of the characters that are special within brackets. Keys follow the rules of flow
/// scalars.
fn is_flow_plain(text: &str) -> bool {
    !text.contains([',', '[', ']', '{', '}', '?', ':'])
}

/// Returns whether YAML 1.1 reads the plain scalar as something other than text.
fn resolves(text: &str) -> bool {
    let lower = text.to_lowercase();
    let cased = text == lower || text == text.to_uppercase() || capitalize(text) == text;
    if matches!(&*lower, "yes" | "no" | "true" | "false" | "on" | "off" | "null") && cased
        || matches!(text, "" | "~" | "<<" | "=")
    {
        return true;
    }
    const NUMBERS: &str = r"^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+|[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)$";
    static REGEX: std::sync::OnceLock<Option<fancy_regex::Regex>> = std::sync::OnceLock::new();
    REGEX
        .get_or_init(|| fancy_regex::Regex::new(NUMBERS).ok())
        .as_ref()
        .is_some_and(|regex| regex.is_match(text).unwrap_or(false))
}
