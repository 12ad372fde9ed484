//! Conversions from values to typed arguments, as Ansible's `check_type_*` do them.

use std::path::PathBuf;

use convoy_protocol::{Kind, Map, Taint, Value};

use super::kind::ParamKind;

/// A type that a parameter can have.
pub trait Arg: Sized {
    /// The parameter type that it implements.
    const KIND: ParamKind;
    /// The allowed values; if empty, any value is allowed.
    const CHOICES: &'static [&'static str] = &[];

    /// Converts a value.
    ///
    /// # Errors
    /// The reason, as Ansible words it.
    fn convert(value: &Value) -> Result<Self, String>;

    /// Returns the value of an absent argument; `None` if the argument is required.
    fn absent() -> Option<Self> {
        None
    }
}

/// Returns the name of the value's class in Python.
pub(super) fn python_class(value: &Value) -> &'static str {
    match value.kind {
        Kind::Null => "<class 'NoneType'>",
        Kind::Bool(_) => "<class 'bool'>",
        Kind::Int(_) => "<class 'int'>",
        Kind::Float(_) => "<class 'float'>",
        Kind::Text(_) | Kind::Unknown(_) | Kind::Vaulted(_) => "<class 'str'>",
        Kind::Bytes(_) => "<class 'bytes'>",
        Kind::List(_) => "<class 'list'>",
        Kind::Map(_) => "<class 'dict'>",
    }
}

fn refuse<T>(value: &Value, to: &str) -> Result<T, String> {
    Err(format!("{} cannot be converted to {to}", python_class(value)))
}

impl Arg for String {
    const KIND: ParamKind = ParamKind::Str;

    fn convert(value: &Value) -> Result<Self, String> {
        match &value.kind {
            Kind::Text(text) => Ok(text.to_string()),
            Kind::Int(i) => Ok(i.to_string()),
            Kind::Float(x) => Ok(format!("{x:?}")),
            Kind::Bool(b) => Ok(if *b { "True" } else { "False" }.to_owned()),
            Kind::Bytes(bytes) => String::from_utf8(bytes.to_vec()).map_err(|e| e.to_string()),
            _ => refuse(value, "a str"),
        }
    }
}

impl Arg for bool {
    const KIND: ParamKind = ParamKind::Bool;

    fn convert(value: &Value) -> Result<Self, String> {
        let word = match &value.kind {
            Kind::Bool(b) => return Ok(*b),
            Kind::Float(x) if *x == 0.0 || *x == 1.0 => return Ok(*x == 1.0),
            Kind::Text(_) | Kind::Int(_) => String::convert(value)?.trim().to_lowercase(),
            _ => return refuse(value, "a bool"),
        };
        match word.as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Ok(true),
            "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => Ok(false),
            _ => Err(format!(
                "The value '{word}' is not a valid boolean. Valid booleans include: 0, 'f', 1, 'no', 'false', 'true', 'y', 't', 'n', 'yes', 'off', '1', 'on', '0'"
            )),
        }
    }
}

impl Arg for i64 {
    const KIND: ParamKind = ParamKind::Int;

    fn convert(value: &Value) -> Result<Self, String> {
        match &value.kind {
            Kind::Int(i) => Ok(*i),
            Kind::Float(x) if x.fract() == 0.0 && x.abs() < 9e15 => Ok(*x as i64),
            Kind::Text(text) => text.trim().parse().or_else(|_| refuse(value, "an int")),
            _ => refuse(value, "an int"),
        }
    }
}

impl Arg for f64 {
    const KIND: ParamKind = ParamKind::Float;

    fn convert(value: &Value) -> Result<Self, String> {
        match &value.kind {
            Kind::Int(i) => Ok(*i as f64),
            Kind::Float(x) => Ok(*x),
            Kind::Text(text) => text.trim().parse().or_else(|_| refuse(value, "a float")),
            _ => refuse(value, "a float"),
        }
    }
}

/// A path on the node, in which `~`, `~user` and `$NAME` are not yet expanded
/// ([`SystemView::expand`](crate::system::SystemView::expand)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePath(pub PathBuf);

impl Arg for NodePath {
    const KIND: ParamKind = ParamKind::Path;

    fn convert(value: &Value) -> Result<Self, String> {
        String::convert(value).map(|text| Self(text.into()))
    }
}

/// A file mode as the user gave it: a number, octal digits, or symbolic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mode(pub String);

impl Arg for Mode {
    const KIND: ParamKind = ParamKind::Mode;

    fn convert(value: &Value) -> Result<Self, String> {
        match &value.kind {
            // YAML has read `0644` as an octal number already.
            Kind::Int(i) => Ok(Self(format!("{i:o}"))),
            _ => Ok(Self(String::convert(value)?)),
        }
    }
}

/// An argument together with its taint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tainted<T> {
    /// The argument.
    pub value: T,
    /// The taint of the given value.
    pub taint: Taint,
}

impl<T: Arg> Arg for Tainted<T> {
    const KIND: ParamKind = T::KIND;
    const CHOICES: &'static [&'static str] = T::CHOICES;

    fn convert(value: &Value) -> Result<Self, String> {
        Ok(Self { value: T::convert(value)?, taint: value.deep_taint() })
    }
}

impl Arg for Value {
    const KIND: ParamKind = ParamKind::Raw;

    fn convert(value: &Value) -> Result<Self, String> {
        Ok(value.clone())
    }
}

impl Arg for Map {
    const KIND: ParamKind = ParamKind::Dict;

    fn convert(value: &Value) -> Result<Self, String> {
        value.as_map().cloned().map_or_else(|| refuse(value, "a dict"), Ok)
    }
}

impl<T: Arg> Arg for Vec<T> {
    const KIND: ParamKind = ParamKind::List;

    fn convert(value: &Value) -> Result<Self, String> {
        match &value.kind {
            Kind::List(list) => list.iter().map(T::convert).collect(),
            Kind::Text(text) => text.split(',').map(|part| T::convert(&part.into())).collect(),
            Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) => Ok(vec![T::convert(value)?]),
            _ => refuse(value, "a list"),
        }
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

impl<T: Arg> Arg for Option<T> {
    const KIND: ParamKind = T::KIND;
    const CHOICES: &'static [&'static str] = T::CHOICES;

    fn convert(value: &Value) -> Result<Self, String> {
        T::convert(value).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}
