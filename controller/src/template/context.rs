//! What the caller of a rendering provides: the variables ([`Scope`]), and the circumstances ([`Context`]).

use std::path::PathBuf;
use std::sync::Arc;

use convoy_protocol::{Map, Origin, Value};

use super::Error;
use crate::paths::expand_user;

/// The variables that a template sees. Values are raw: text in them may be a template and is rendered when it is used.
pub trait Scope {
    /// Returns the variable called `name`.
    ///
    /// # Errors
    ///
    /// With [`super::Kind::NotYet`] if an earlier task is going to set the value. The rendering then fails with that
    /// error, whatever the template does with the value.
    fn get(&self, name: &str) -> Result<Option<Value>, Error>;

    /// Returns why a name without a value may have one in a real run.
    fn unknown_rest(&self) -> Option<Arc<str>> {
        None
    }

    /// Returns the names of all variables.
    fn names(&self) -> Vec<Arc<str>>;

    /// Returns the names of the hosts in `hostvars`.
    fn hosts(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// Returns the variables of another host, for `hostvars`. They are rendered in that host's scope.
    fn host(&self, name: &str) -> Option<Arc<dyn Scope>> {
        let _ = name;
        None
    }
}

impl Scope for Map {
    fn get(&self, name: &str) -> Result<Option<Value>, Error> {
        Ok(self.get(name).cloned())
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.keys().filter_map(|key| key.as_str().map(Arc::from)).collect()
    }
}

/// The circumstances of a rendering.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The directories in which relative file names are searched, most specific first: those of the role, then the play.
    pub search: Vec<PathBuf>,
    /// Whether commands may run, and clocks and random numbers may be read. Not allowed while looking ahead.
    pub impure_allowed: bool,
    /// Whether lookups are refused, as in inventory plugins.
    pub no_lookups: bool,
    /// Where the user wrote what is rendered, for error messages.
    pub origin: Option<Arc<Origin>>,
}

impl Context {
    /// Returns the first existing file called `name`: in the subdirectory `subdirectory` of each search directory, or in
    /// the search directory itself.
    pub fn find(&self, name: &str, subdirectory: &str) -> Option<PathBuf> {
        let name = expand_user(name);
        if name.is_absolute() {
            return name.exists().then_some(name);
        }
        self.search
            .iter()
            .flat_map(|base| [base.join(subdirectory).join(&name), base.join(&name)])
            .find(|path| path.exists())
    }
}
