//! What a rendering may see: variables, folders, and whether it may have effects.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::{Map, Origin, Value};

use super::Error;
use crate::paths::expand_user;

/// Where names are looked up. Values are raw: text in them may still be a template and is rendered on use.
pub trait Scope {
    /// Returns the variable called `name`.
    ///
    /// # Errors
    /// Fails with [`super::Kind::NotYet`] if an earlier task has yet to give the value; the rendering then fails so too.
    fn get(&self, name: &str) -> Result<Option<Value>, Error>;

    /// Returns why a name that has no value may still have one: what sets it was not run.
    fn unknown_rest(&self) -> Option<Arc<str>> {
        None
    }

    /// Returns the names of all variables.
    fn names(&self) -> Vec<Arc<str>>;

    /// Returns the names of the hosts that `hostvars` knows.
    fn hosts(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// Returns the variables of another host, for `hostvars`; its values are rendered with that host's variables.
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

/// What surrounds a rendering.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Folders for relative names of files, most specific first: the role's, then the play's.
    pub search: Vec<PathBuf>,
    /// Whether commands, clocks and chance may be asked; not while looking ahead.
    pub impure_allowed: bool,
    /// Whether lookups are refused, as inventory plugins do.
    pub no_lookups: bool,
    /// Where the user wrote what is rendered, for errors.
    pub origin: Option<Arc<Origin>>,
}

impl Context {
    /// Returns the file that a relative name means: in `folder` of each search folder, then in the search folder itself.
    pub fn find(&self, name: &str, folder: &str) -> Option<PathBuf> {
        let name = expand_user(name);
        if name.is_absolute() {
            return name.exists().then_some(name);
        }
        self.search
            .iter()
            .flat_map(|base| [base.join(folder).join(&name), base.join(&name)])
            .find(|path| path.exists())
    }

    /// Returns the same context with `folder` searched first.
    #[must_use]
    pub fn with_folder(&self, folder: &Path) -> Self {
        let mut context = self.clone();
        context.search.insert(0, folder.to_owned());
        context
    }
}
