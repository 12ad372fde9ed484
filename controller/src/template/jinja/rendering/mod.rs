//! The state of one rendering, and how it reads variables and files.
//!
//! A [`Rendering`] answers one request: render this text, or evaluate this expression, for this host. Filters, tests,
//! methods and lookups get it as an argument. Three rules hold everywhere:
//!
//! - **Variables are lazy.** A variable becomes a [`Val`] whose parts are rendered when they are used ([`lazy`]). So a
//!   list may contain an item that cannot be rendered, as long as nobody reads that item.
//! - **Taint is global to the rendering.** Whatever is read adds its taint, and the whole result gets the sum. This may
//!   mark too much as secret, never too little.
//! - **Nothing with an effect happens while looking ahead.** Whoever runs a command, reads a clock or draws a random
//!   number asks [`Rendering::require_impure`] first.
//!
//! Variables are templates themselves, so reading one may start the interpreter. The interpreter is in [`super::eval`],
//! which adds `render_text` to [`Rendering`]. The names of filters and tests are resolved there too.

pub(crate) mod access;
mod convert;
mod files;
mod lazy;
pub(crate) mod methods;

pub(crate) use convert::needs_rendering;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use convoy_protocol::{Taint, Value};

use super::python::args::Args;
use super::python::value::Val;
use super::scope::ScopeRef;
use super::syntax::{Expr, Template, parse};
use crate::secrets::Vault;
use crate::sync::lock;
use crate::template::error::Error;
use crate::template::{Context, Options, Scope};

/// A filter: takes the value before the bar, then the arguments that it knows.
pub(crate) type Filter = fn(&Rendering<'_>, Val, &mut Args) -> Result<Val, Error>;

/// A test: takes the value before `is`, then the arguments that it knows.
pub(crate) type Test = fn(&Rendering<'_>, Val, &mut Args) -> Result<bool, Error>;

/// `lookup()`, or `query()` if the flag is set: takes the name of the lookup and its arguments.
pub(crate) type LookupFunction = fn(&Rendering<'_>, &mut Args, bool) -> Result<Val, Error>;

/// Parsed templates or expressions, by their text. Tasks of several hosts may render at the same time.
type Cache<T> = Mutex<HashMap<Arc<str>, Arc<T>>>;

/// The variables that a rendering has read, by host and name.
type VariableCache = HashMap<(Arc<str>, Arc<str>), Val>;

/// What all renderings of a run share.
pub(crate) struct Environment {
    pub(crate) options: Options,
    pub(crate) vault: Arc<Vault>,
    /// Lookups are built on renderings, so this module gets them from its caller.
    pub(crate) lookup: LookupFunction,
    texts: Cache<Template>,
    expressions: Cache<Expr>,
}

impl Environment {
    pub(crate) fn new(options: Options, vault: Arc<Vault>, lookup: LookupFunction) -> Self {
        Self { options, vault, lookup, texts: Mutex::default(), expressions: Mutex::default() }
    }

    /// Returns the parsed text of a playbook value.
    pub(crate) fn parsed_text(&self, text: &str) -> Result<Arc<Template>, Error> {
        cached(&self.texts, text, parse::playbook_text)
    }

    /// Returns a parsed bare expression.
    pub(crate) fn parsed_expression(&self, text: &str) -> Result<Arc<Expr>, Error> {
        cached(&self.expressions, text, parse::bare_expression)
    }
}

fn cached<T>(cache: &Cache<T>, text: &str, parse: fn(&str) -> Result<T, Error>) -> Result<Arc<T>, Error> {
    if let Some(parsed) = lock(cache).get(text) {
        return Ok(parsed.clone());
    }
    let parsed = Arc::new(parse(text)?);
    lock(cache).insert(text.into(), parsed.clone());
    Ok(parsed)
}

/// The state of one rendering. It is never shared between threads: the cells only let the functions that receive it
/// call one another.
pub(crate) struct Rendering<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) scope: &'a dyn Scope,
    pub(crate) context: &'a Context,
    taint: Cell<Taint>,
    /// Whether the text of a template is itself secret.
    source_secret: Cell<bool>,
    /// The variables being rendered, outermost first.
    in_progress: RefCell<Vec<Arc<str>>>,
    variables: RefCell<VariableCache>,
}

impl<'a> Rendering<'a> {
    pub(crate) fn new(environment: &'a Environment, scope: &'a dyn Scope, context: &'a Context) -> Self {
        Self {
            environment,
            scope,
            context,
            taint: Cell::new(Taint::NONE),
            source_secret: Cell::new(false),
            in_progress: RefCell::default(),
            variables: RefCell::default(),
        }
    }

    /// Returns the taint of everything read so far.
    pub(crate) fn taint(&self) -> Taint {
        self.taint.get()
    }

    /// Returns [`Taint::SECRET`] if a secret was read so far. Errors carry this part of the taint.
    pub(crate) fn secret_taint(&self) -> Taint {
        if self.taint().is_secret() { Taint::SECRET } else { Taint::NONE }
    }

    pub(crate) fn add_taint(&self, taint: Taint) {
        self.taint.set(self.taint.get() | taint);
    }

    /// Returns whether the text of a template that was rendered is itself secret. Error messages must not quote it.
    pub(crate) fn has_secret_source(&self) -> bool {
        self.source_secret.get()
    }

    /// Records that a template is rendered whose text has this taint.
    pub(crate) fn add_source_taint(&self, taint: Taint) {
        self.add_taint(taint);
        self.source_secret.set(self.source_secret.get() || taint.is_secret());
    }

    /// Returns why a name without a value may have one in a real run.
    pub(crate) fn unknown_rest(&self, scope: &ScopeRef) -> Option<Arc<str>> {
        self.scope_of(scope).unknown_rest()
    }

    /// Fails while looking ahead. `what` has an effect, or a different answer each time.
    pub(crate) fn require_impure(&self, what: &str) -> Result<(), Error> {
        if self.context.impure_allowed { Ok(()) } else { Err(Error::impure(what)) }
    }

    /// Returns a variable as it is stored.
    pub(crate) fn raw(&self, scope: &ScopeRef, name: &str) -> Result<Option<Value>, Error> {
        self.scope_of(scope).get(name)
    }

    fn scope_of<'s>(&'s self, scope: &'s ScopeRef) -> &'s dyn Scope {
        match scope {
            ScopeRef::Own => self.scope,
            ScopeRef::Host(_, other) => &**other,
        }
    }
}
