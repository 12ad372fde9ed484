//! The values that expressions compute with: Python's types, and three kinds of value that stand for something else.
//!
//! - [`Val::Lazy`] is a part of a variable that is not rendered yet. `rendering::lazy` renders it; operators and text
//!   forms must not see one.
//! - [`Val::Undefined`] stands for a name, attribute or item that does not exist. It is not an error until it is used:
//!   `default` and `is defined` accept it, [`Val::defined`] and [`Val::truth`] fail. The result of an inline `if` without
//!   `else` is a *lenient* undefined value, which counts as empty text, as in Jinja2.
//! - [`Val::Unknown`] stands for a value that a dry run cannot know. Whatever needs it becomes unknown too;
//!   [`Val::known`] fails if any part of a value is unknown. A dictionary may contain the key [`REST`]: then all members
//!   that it does not list are unknown.
//!
//! Taint is not kept per value but per rendering; see `rendering`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use convoy_protocol::{Key, Kind, Value};
use indexmap::IndexMap;

use crate::template::Error;
use crate::template::jinja::scope::ScopeRef;
use crate::template::jinja::syntax::{For, MacroDef};
use crate::template::unknown::REST;

/// A value during evaluation; [`Value`] is its stored form. Lists and dictionaries are shared and can be changed in place,
/// as in Python.
#[derive(Clone)]
pub(crate) enum Val {
    Undefined(Rc<Undefined>),
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Arc<str>, TextKind),
    Bytes(Arc<[u8]>),
    List(Rc<List>),
    Dict(Rc<Dict>),
    Lazy(Rc<Lazy>),
    /// A value that a dry run cannot know, with the reason.
    Unknown(Arc<str>),
    Function(Rc<Function>),
    Namespace(Rc<RefCell<IndexMap<Arc<str>, Val>>>),
    /// `vars`, or one host of `hostvars`: all variables of a scope.
    Vars(ScopeRef),
    HostVars,
    Cycler(Rc<Cycler>),
    /// A separator, and whether the joiner was called before.
    Joiner(Rc<(Arc<str>, Cell<bool>)>),
    Time(jiff::civil::DateTime),
    Delta(jiff::SignedDuration),
}

/// The Python class of a text. Except for `Verbatim`, only `type_debug` and error messages show the difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TextKind {
    Plain,
    /// Read from YAML.
    Yaml,
    /// Read from YAML, where it was encrypted.
    Vault,
    Unsafe,
    /// The result of the filters `safe` and `escape`.
    Markup,
    /// The result of a filter such as `to_json`: stays text even if it looks like a list.
    Verbatim,
}

/// A value that does not exist.
pub(crate) struct Undefined {
    /// The error message for using it.
    pub(crate) message: String,
    /// The name of the variable that is undefined, if it is a variable.
    pub(crate) name: Option<Arc<str>>,
    /// The missing variable: the one called `name`, or one that its value needs.
    pub(crate) missing: Option<Arc<str>>,
    /// Whether it counts as empty text when it is used.
    pub(crate) lenient: bool,
}

impl Undefined {
    /// Returns the error for using this value.
    pub(crate) fn error(&self) -> Error {
        Error { name: self.missing.clone(), ..Error::undefined(self.message.clone()) }
    }
}

/// The Python class of a sequence. Unlike in Python, the items are always computed at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ListKind {
    List,
    Tuple,
    /// Any lazy sequence. It becomes a list when it leaves the expression.
    Generator,
    Range,
    Keys,
    Values,
    Items,
}

pub(crate) struct List {
    pub(crate) items: RefCell<Vec<Val>>,
    pub(crate) kind: ListKind,
}

pub(crate) struct Dict {
    pub(crate) items: RefCell<IndexMap<Key, Val>>,
}

/// A part of a variable that is rendered when it is first used.
pub(crate) struct Lazy {
    pub(crate) state: RefCell<LazyState>,
    /// The scope in which it is rendered.
    pub(crate) scope: ScopeRef,
    /// The variable that it belongs to. It is shown if the variable needs itself.
    pub(crate) name: Arc<str>,
}

/// How far a lazy part is.
pub(crate) enum LazyState {
    /// Not rendered.
    Raw(Value),
    /// Being rendered. Whoever sees this has found a cycle.
    Running,
    /// Rendered.
    Done(Val),
}

pub(crate) enum Function {
    /// A global function, by name.
    Global(&'static str),
    Macro(Macro),
    /// `loop.cycle` in the pass with this index.
    Cycle(usize),
    /// `loop.changed`, with the arguments of the last call.
    Changed(Rc<RefCell<Option<Val>>>),
    Super,
    /// `loop(items)` of a recursive loop.
    Recurse(Recursion),
    /// A method that was looked up but not called yet.
    Method(Val, Arc<str>),
}

/// Names set by statements.
pub(crate) type Frame = Rc<RefCell<HashMap<Arc<str>, Val>>>;

/// Frames, innermost last.
pub(crate) type Frames = Vec<Frame>;

/// A macro with the names that it sees.
#[derive(Clone)]
pub(crate) struct Macro {
    pub(crate) def: Arc<MacroDef>,
    pub(crate) frames: Frames,
    pub(crate) scope: ScopeRef,
    pub(crate) file: Option<Arc<str>>,
}

/// A recursive loop with the names around it.
#[derive(Clone)]
pub(crate) struct Recursion {
    pub(crate) body: Arc<For>,
    pub(crate) frames: Frames,
    pub(crate) depth: u32,
    pub(crate) scope: ScopeRef,
}

/// A `cycler()`. It has at least one item.
pub(crate) struct Cycler {
    pub(crate) items: Vec<Val>,
    pub(crate) position: Cell<usize>,
}

impl Cycler {
    /// Returns the current item and moves on to the next.
    pub(crate) fn next(&self) -> Val {
        let at = self.position.get();
        self.position.set((at + 1) % self.items.len());
        self.items[at].clone()
    }
}

impl Lazy {
    /// Returns why the part is unknown, if it is.
    pub(crate) fn unknown(&self) -> Option<Arc<str>> {
        match &*self.state.borrow() {
            LazyState::Raw(Value { kind: Kind::Unknown(why), .. }) | LazyState::Done(Val::Unknown(why)) => {
                Some(why.clone())
            }
            _ => None,
        }
    }
}

impl Val {
    pub(crate) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Str(text.into(), TextKind::Plain)
    }

    pub(crate) fn list(items: Vec<Val>) -> Self {
        Self::sequence(items, ListKind::List)
    }

    pub(crate) fn tuple(items: Vec<Val>) -> Self {
        Self::sequence(items, ListKind::Tuple)
    }

    pub(crate) fn generator(items: Vec<Val>) -> Self {
        Self::sequence(items, ListKind::Generator)
    }

    pub(crate) fn sequence(items: Vec<Val>, kind: ListKind) -> Self {
        Self::List(Rc::new(List { items: RefCell::new(items), kind }))
    }

    pub(crate) fn dict(items: IndexMap<Key, Val>) -> Self {
        Self::Dict(Rc::new(Dict { items: RefCell::new(items) }))
    }

    /// Returns a dictionary of these entries.
    pub(crate) fn pairs<const N: usize>(pairs: [(&str, Val); N]) -> Self {
        Self::dict(pairs.into_iter().map(|(key, value)| (Key::from(key), value)).collect())
    }

    pub(crate) fn undefined(message: impl Into<String>) -> Self {
        Self::Undefined(Rc::new(Undefined {
            message: message.into(),
            name: None,
            missing: None,
            lenient: false,
        }))
    }

    pub(crate) fn undefined_name(name: &str) -> Self {
        Self::Undefined(Rc::new(Undefined {
            message: format!("'{name}' is undefined"),
            name: Some(name.into()),
            missing: Some(name.into()),
            lenient: false,
        }))
    }

    /// Returns the result of an inline `if` whose missing `else` would be needed.
    pub(crate) fn missing_else() -> Self {
        let message =
            "the inline if-expression evaluated to false and no else section was defined.".to_owned();
        Self::Undefined(Rc::new(Undefined { message, name: None, missing: None, lenient: true }))
    }

    pub(crate) fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }

    /// Fails if the value is undefined or unknown. A lenient undefined value becomes empty text.
    pub(crate) fn defined(self) -> Result<Self, Error> {
        match &self {
            Self::Unknown(why) => Err(Error::unknown(why.clone())),
            Self::Undefined(undefined) if undefined.lenient => Ok(Self::text("")),
            Self::Undefined(undefined) => Err(undefined.error()),
            _ => Ok(self),
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text, _) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(i) => Some(*i),
            Self::Bool(b) => Some(i64::from(*b)),
            _ => None,
        }
    }

    pub(crate) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(x) => Some(*x),
            other => other.as_int().map(|i| i as f64),
        }
    }

    /// Returns Python's truth value. The parts of the value need not be rendered.
    ///
    /// # Errors
    ///
    /// If the value is undefined or unknown.
    pub(crate) fn truth(&self) -> Result<bool, Error> {
        Ok(match self {
            Self::Undefined(undefined) if undefined.lenient => false,
            Self::Undefined(undefined) => return Err(undefined.error()),
            Self::Unknown(why) => return Err(Error::unknown(why.clone())),
            Self::None => false,
            Self::Bool(b) => *b,
            Self::Int(i) => *i != 0,
            Self::Float(x) => *x != 0.0,
            Self::Str(text, _) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::List(list) => list.kind == ListKind::Generator || !list.items.borrow().is_empty(),
            Self::Dict(dict) => !dict.items.borrow().is_empty(),
            Self::Delta(delta) => !delta.is_zero(),
            _ => true,
        })
    }

    /// Returns the class name that Python shows.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "AnsibleUndefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_, TextKind::Plain) => "str",
            Self::Str(_, TextKind::Yaml) => "AnsibleUnicode",
            Self::Str(_, TextKind::Vault) => "AnsibleVaultEncryptedUnicode",
            Self::Str(_, TextKind::Unsafe) => "AnsibleUnsafeText",
            Self::Str(_, TextKind::Markup) => "Markup",
            Self::Str(_, TextKind::Verbatim) => "NativeJinjaText",
            Self::Bytes(_) => "bytes",
            Self::List(list) => match list.kind {
                ListKind::List => "list",
                ListKind::Tuple => "tuple",
                ListKind::Generator => "generator",
                ListKind::Range => "range",
                ListKind::Keys => "dict_keys",
                ListKind::Values => "dict_values",
                ListKind::Items => "dict_items",
            },
            Self::Dict(_) => "dict",
            Self::Lazy(_) => "variable",
            Self::Unknown(_) => "unknown",
            Self::Function(function) => match &**function {
                Function::Macro(_) => "Macro",
                _ => "function",
            },
            Self::Namespace(_) => "Namespace",
            Self::Vars(_) => "HostVarsVars",
            Self::HostVars => "HostVars",
            Self::Cycler(_) => "Cycler",
            Self::Joiner(_) => "Joiner",
            Self::Time(_) => "datetime",
            Self::Delta(_) => "timedelta",
        }
    }

    /// Returns the name that Jinja uses in "… has no attribute …": built-in classes bare, others with their module.
    pub(crate) fn object_name(&self) -> String {
        match self {
            Self::None => "None".into(),
            Self::Str(_, TextKind::Yaml) => "ansible.parsing.yaml.objects.AnsibleUnicode object".into(),
            Self::Str(_, TextKind::Vault) => {
                "ansible.parsing.yaml.objects.AnsibleVaultEncryptedUnicode object".into()
            }
            Self::Str(_, TextKind::Unsafe) => "ansible.utils.unsafe_proxy.AnsibleUnsafeText object".into(),
            Self::Vars(_) => "ansible.vars.hostvars.HostVarsVars object".into(),
            Self::HostVars => "ansible.vars.hostvars.HostVars object".into(),
            other => format!("{} object", other.type_name()),
        }
    }

    /// Returns why the value, or any rendered part of it, is unknown.
    pub(crate) fn unknown(&self) -> Option<Arc<str>> {
        match self {
            Self::Unknown(why) => Some(why.clone()),
            Self::List(list) => list.items.borrow().iter().find_map(Self::unknown),
            Self::Dict(dict) => dict.items.borrow().values().find_map(Self::unknown),
            _ => None,
        }
    }

    /// Returns why the members that a dictionary does not list are unknown, if they are.
    pub(crate) fn unknown_rest(&self) -> Option<Arc<str>> {
        let Self::Dict(dict) = self else { return None };
        // The value of this key is always unknown, rendered or not.
        match dict.items.borrow().get(REST)? {
            Self::Unknown(why) => Some(why.clone()),
            Self::Lazy(lazy) => lazy.unknown(),
            _ => None,
        }
    }

    /// Fails if the value is undefined, or if any rendered part of it is unknown.
    pub(crate) fn known(self) -> Result<Self, Error> {
        match self.unknown() {
            Some(why) => Err(Error::unknown(why)),
            None => self.defined(),
        }
    }
}

impl From<bool> for Val {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl From<i64> for Val {
    fn from(i: i64) -> Self {
        Self::Int(i)
    }
}

impl From<usize> for Val {
    fn from(i: usize) -> Self {
        Self::Int(i64::try_from(i).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Val {
    fn from(x: f64) -> Self {
        Self::Float(x)
    }
}

impl From<&str> for Val {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Val {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&Key> for Val {
    fn from(key: &Key) -> Self {
        match key {
            Key::Null => Self::None,
            Key::Bool(b) => Self::Bool(*b),
            Key::Int(i) => Self::Int(*i),
            Key::Text(text) => Self::text(text.clone()),
        }
    }
}
