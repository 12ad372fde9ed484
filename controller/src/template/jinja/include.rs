//! `include`, `import` and `extends`: finding other templates and running them.

use std::sync::Arc;

use super::run::Text;
use super::syntax::{Expr, Template};
use super::template::{Exec, Out};
use super::value::{Frame, Val};
use crate::template::error::Error;

impl Exec<'_, '_> {
    /// Finds and compiles another template; of several names the first that is there.
    pub(super) fn load(&self, name: &Val) -> Result<Arc<Template>, Error> {
        let names = match name {
            Val::Str(..) => vec![name.clone()],
            other => self.run.items(other)?,
        };
        let names: Vec<String> = names.iter().map(super::text::str).collect();
        for name in &names {
            if let Some(path) = self.run.context.find(name, "templates") {
                return self.run.template_file(&path);
            }
        }
        Err(Error::other(names.join(", ")))
    }

    fn evaluated(&mut self, name: &Expr) -> Result<Val, Error> {
        let name = self.eval(name)?.defined()?;
        self.run.resolve(&name)
    }

    pub(super) fn include(&mut self, name: &Expr, ignore_missing: bool, out: &mut Out) -> Result<(), Error> {
        let name = self.evaluated(name)?;
        let template = match self.load(&name) {
            Ok(template) => template,
            Err(error) if ignore_missing && error.kind == crate::template::error::Kind::Other => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut frames = self.frames.clone();
        frames.push(Frame::default());
        let mut inner = Exec::within(self.run, self.scope.clone(), frames, None, self.depth + 1);
        let text = inner.whole(&template)?;
        out.parts.push(self.run.join(text, Text::Plain)?);
        Ok(())
    }

    /// Runs a template for the names that it sets.
    pub(super) fn import(&mut self, name: &Expr) -> Result<Val, Error> {
        let name = self.evaluated(name)?;
        let template = self.load(&name)?;
        let frame = Frame::default();
        let mut inner = Exec::within(self.run, self.scope.clone(), vec![frame.clone()], None, self.depth + 1);
        inner.whole(&template)?;
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
            let Expr::Var(wanted) = name else {
                return Err(Error::syntax("only names can be imported"));
            };
            let found = match &module {
                Val::Dict(dict) => dict.items.borrow().get(&**wanted).cloned(),
                _ => None,
            };
            let value = found.unwrap_or_else(|| {
                Val::undefined(format!("the template does not export the requested name '{wanted}'"))
            });
            self.assign(alias.as_ref().unwrap_or(name), value)?;
        }
        Ok(())
    }
}
