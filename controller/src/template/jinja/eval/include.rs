//! `include`, `import` and `extends`: finds other templates and runs them.

use std::path::Path;
use std::sync::Arc;

use super::{Interpreter, Output};
use crate::template::error::{Error, Kind as ErrorKind};
use crate::template::jinja::header::header;
use crate::template::jinja::python::text;
use crate::template::jinja::python::value::{Frame, Val};
use crate::template::jinja::syntax::{Expr, Template, parse};
use crate::template::options::FileOptions;

impl Interpreter<'_, '_> {
    /// Finds and parses another template. Of several names, the first that exists is taken.
    pub(super) fn load(&self, name: &Val) -> Result<Arc<Template>, Error> {
        let names = match name {
            Val::Str(..) => vec![name.clone()],
            other => self.rendering.items(other)?,
        };
        let names: Vec<String> = names.iter().map(text::str).collect();
        for name in &names {
            if let Some(path) = self.rendering.context.find(name, "templates") {
                return self.parsed_file(&path);
            }
        }
        Err(Error::other(names.join(", ")))
    }

    fn parsed_file(&self, path: &Path) -> Result<Arc<Template>, Error> {
        let mut options = FileOptions::default();
        let text = header(&self.rendering.template_text(path)?, &mut options)?;
        Ok(Arc::new(parse::template_file(&text, Some(path.to_string_lossy().into()), &options)?))
    }

    fn evaluated(&mut self, name: &Expr) -> Result<Val, Error> {
        let name = self.eval(name)?.defined()?;
        self.rendering.force_deep(&name)
    }

    pub(super) fn include(
        &mut self,
        name: &Expr,
        ignore_missing: bool,
        out: &mut Output,
    ) -> Result<(), Error> {
        let name = self.evaluated(name)?;
        let template = match self.load(&name) {
            Ok(template) => template,
            Err(error) if ignore_missing && error.kind == ErrorKind::Other => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut frames = self.frames.clone();
        frames.push(Frame::default());
        let mut inner = Interpreter::nested(self.rendering, self.scope.clone(), frames, None, self.depth + 1);
        let text = inner.run(&template)?;
        out.parts.push(self.rendering.joined_text(text)?);
        Ok(())
    }

    /// Runs a template and returns the names that it sets, as a dictionary.
    pub(super) fn import(&mut self, name: &Expr) -> Result<Val, Error> {
        let name = self.evaluated(name)?;
        let template = self.load(&name)?;
        let frame = Frame::default();
        let mut inner = Interpreter::nested(
            self.rendering,
            self.scope.clone(),
            vec![frame.clone()],
            None,
            self.depth + 1,
        );
        inner.run(&template)?;
        let names = frame.borrow().iter().map(|(name, value)| (name.clone().into(), value.clone())).collect();
        Ok(Val::dict(names))
    }

    pub(super) fn import_names(
        &mut self,
        template: &Expr,
        names: &[(Expr, Option<Expr>)],
    ) -> Result<(), Error> {
        let module = self.import(template)?;
        for (name, alias) in names {
            let Expr::Var(exported) = name else {
                return Err(Error::syntax("only names can be imported"));
            };
            let value = match &module {
                Val::Dict(dict) => dict.items.borrow().get(&**exported).cloned(),
                _ => None,
            };
            let value = value.unwrap_or_else(|| {
                Val::undefined(format!("the template does not export the requested name '{exported}'"))
            });
            self.assign(alias.as_ref().unwrap_or(name), value)?;
        }
        Ok(())
    }
}
