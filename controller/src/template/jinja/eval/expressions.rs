//! Evaluates expressions and calls.

use std::rc::Rc;
use std::sync::Arc;

use super::{Interpreter, MAX_DEPTH, Output, RECURSIVE_LOOP, functions};
use crate::template::error::{Error, Kind as ErrorKind};
use crate::template::jinja::filters;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::value::{Frame, Function, ListKind, Macro, Recursion, Val};
use crate::template::jinja::python::{index, ops};
use crate::template::jinja::rendering::methods;
use crate::template::jinja::syntax::{Arg, Cmp, Expr};
use crate::template::omit_token;

impl Interpreter<'_, '_> {
    /// Evaluates an expression. A missing name, attribute or item is an undefined value, not an error.
    pub(super) fn eval(&mut self, expr: &Expr) -> Result<Val, Error> {
        Ok(match expr {
            Expr::Var(name) => self.name(name)?,
            Expr::None => Val::None,
            Expr::Bool(b) => Val::Bool(*b),
            Expr::Int(i) => Val::Int(*i),
            Expr::Float(x) => Val::Float(*x),
            Expr::Text(text) => Val::text(text.clone()),
            Expr::List(items) => Val::list(self.all(items)?),
            Expr::Tuple(items) => Val::sequence(self.all(items)?, ListKind::Tuple),
            Expr::Dict(pairs) => {
                let mut map = indexmap::IndexMap::new();
                for (key, value) in pairs {
                    let key = self.eval_deep(key)?;
                    map.insert(ops::key(&key)?, self.eval(value)?);
                }
                Val::dict(map)
            }
            Expr::Not(inner) => Val::Bool(!self.truth(inner)?),
            Expr::Neg(inner) => ops::negate(&self.eval_deep(inner)?)?,
            Expr::And(left, right) => self.either(left, right, false)?,
            Expr::Or(left, right) => self.either(left, right, true)?,
            Expr::Binary(op, left, right) => {
                let (left, right) = (self.eval_deep(left)?, self.eval_deep(right)?);
                ops::binary(*op, &left, &right)?
            }
            Expr::Compare(first, rest) => Val::Bool(self.compare(first, rest)?),
            Expr::If(test, yes, no) => match (self.truth(test)?, no) {
                (true, _) => self.eval(yes)?,
                (false, Some(no)) => self.eval(no)?,
                (false, None) => Val::missing_else(),
            },
            Expr::Filter(name, subject, args) => self.filtered(name, subject.as_deref(), args)?,
            Expr::Test(name, subject, args) => {
                let subject = self.eval(subject)?;
                let args = self.arguments(args)?;
                Val::Bool(self.rendering.test(name, subject, args)?)
            }
            Expr::Attr(object, name) => {
                let object = self.eval(object)?;
                self.rendering.attribute(&object, name)?
            }
            Expr::Item(object, key) => {
                let object = self.eval(object)?;
                let computed = !matches!(**key, Expr::Text(_) | Expr::Int(_));
                let key = self.eval(key)?;
                self.rendering.item(&object, &key, computed)?
            }
            Expr::Slice(object, bounds) => self.slice(object, bounds)?,
            Expr::Call(..) => self.call_with(expr, None)?,
        })
    }

    fn all(&mut self, items: &[Expr]) -> Result<Vec<Val>, Error> {
        items.iter().map(|item| self.eval(item)).collect()
    }

    /// Evaluates an expression and renders all parts of its value.
    fn eval_deep(&mut self, expr: &Expr) -> Result<Val, Error> {
        let value = self.eval(expr)?;
        self.rendering.force_deep(&value)
    }

    fn truth(&mut self, expr: &Expr) -> Result<bool, Error> {
        self.eval(expr)?.truth()
    }

    /// Evaluates `left or right` if `decides` is true, else `left and right`: the result is the left value if it decides,
    /// else the right one. If the left value is unknown, the right one may still decide.
    fn either(&mut self, left: &Expr, right: &Expr, decides: bool) -> Result<Val, Error> {
        let unknown = match self.eval(left).and_then(|left| Ok((left.truth()?, left))) {
            Ok((truth, left)) if truth == decides => return Ok(left),
            Ok(_) => return self.eval(right),
            Err(error) if error.kind == ErrorKind::Unknown => error,
            Err(error) => return Err(error),
        };
        match self.eval(right).and_then(|right| Ok((right.truth()?, right))) {
            Ok((truth, right)) if truth == decides => Ok(right),
            _ => Err(unknown),
        }
    }

    fn compare(&mut self, first: &Expr, rest: &[(Cmp, Expr)]) -> Result<bool, Error> {
        let mut left = self.eval_deep(first)?;
        for (op, right) in rest {
            let mut right = self.eval(right)?;
            if matches!(op, Cmp::In | Cmp::NotIn) && matches!(right, Val::HostVars | Val::Vars(_)) {
                right = Val::list(self.rendering.items(&right)?);
            }
            let right = self.rendering.force_deep(&right)?;
            if !ops::compare(*op, &left, &right)? {
                return Ok(false);
            }
            left = right;
        }
        Ok(true)
    }

    fn slice(&mut self, object: &Expr, bounds: &[Option<Box<Expr>>; 3]) -> Result<Val, Error> {
        let object = self.eval(object)?.defined()?;
        let mut indexes = [None; 3];
        for (index, bound) in indexes.iter_mut().zip(bounds) {
            if let Some(bound) = bound {
                *index = match self.eval(bound)?.defined()? {
                    Val::None => None,
                    value => Some(value.as_int().ok_or_else(|| {
                        Error::type_error(
                            "slice indices must be integers or None or have an __index__ method",
                        )
                    })?),
                };
            }
        }
        index::slice(&object, indexes)
    }

    fn filtered(&mut self, name: &str, subject: Option<&Expr>, args: &[Arg]) -> Result<Val, Error> {
        let subject = match subject {
            None => Val::text(""),
            // The filter has a password of its own, so the passwords of the run need not fit.
            Some(Expr::Var(variable)) if filters::takes_encrypted(name) => {
                let encrypted = self.rendering.encrypted_text(&self.scope, variable)?;
                encrypted.map_or_else(|| self.name(variable), |text| Ok(Val::text(text)))?
            }
            Some(subject) => self.eval(subject)?,
        };
        let args = self.arguments(args)?;
        self.rendering.filter(name, subject, args)
    }

    /// Looks up a name: in the frames, among the variables, among the global names.
    fn name(&self, name: &Arc<str>) -> Result<Val, Error> {
        for frame in self.frames.iter().rev() {
            if let Some(value) = frame.borrow().get(name) {
                return self.rendering.force(value);
            }
        }
        if let Some(value) = self.rendering.variable(&self.scope, name)? {
            return Ok(value);
        }
        Ok(match &**name {
            // `localhost` has variables even if the inventory does not name it.
            "hostvars"
                if !self.rendering.scope.hosts().is_empty()
                    || self.rendering.scope.host("localhost").is_some() =>
            {
                Val::HostVars
            }
            "vars" => Val::Vars(self.scope.clone()),
            "omit" => Val::text(omit_token()),
            other => match functions::find(other) {
                Some(name) => Val::Function(Rc::new(Function::Global(name))),
                None => match self.rendering.unknown_rest(&self.scope) {
                    Some(why) => Val::Unknown(why),
                    None => Val::undefined_name(name),
                },
            },
        })
    }

    /// Evaluates a call. `caller` is the macro that a `call` block passes to it.
    pub(super) fn call_with(&mut self, expr: &Expr, caller: Option<Val>) -> Result<Val, Error> {
        let Expr::Call(callee, args) = expr else {
            return self.eval(expr);
        };
        if let Expr::Attr(object, name) = &**callee {
            if matches!(&**object, Expr::Var(of) if &**of == "self") {
                return self.self_block(name);
            }
            let object = self.eval(object)?.defined()?;
            let mut args = self.call_arguments(args, caller)?;
            if let Some(value) = methods::call(self.rendering, &object, name, &mut args)? {
                args.finish(name)?;
                return Ok(value);
            }
            let callee = self.rendering.attribute(&object, name)?;
            return self.invoke(callee, args);
        }
        let callee = match &**callee {
            Expr::Var(name) if &**name == "loop" => self.name(&RECURSIVE_LOOP.into())?,
            Expr::Var(name) if &**name == "super" && self.block.is_some() => {
                Val::Function(Rc::new(Function::Super))
            }
            other => self.eval(other)?,
        };
        let args = self.call_arguments(args, caller)?;
        self.invoke(callee, args)
    }

    fn call_arguments(&mut self, args: &[Arg], caller: Option<Val>) -> Result<Args, Error> {
        let mut args = self.arguments(args)?;
        if let Some(caller) = caller {
            args.named.push(("caller".into(), caller));
        }
        Ok(args)
    }

    /// Evaluates `self.name()`, the text of a block.
    fn self_block(&mut self, name: &Arc<str>) -> Result<Val, Error> {
        let mut out = Output::default();
        let parent = self.parent.take();
        let result = self.emit_block(name, 0, &mut out);
        self.parent = parent;
        result?;
        self.rendering.joined_text(out)
    }

    fn invoke(&mut self, callee: Val, mut args: Args) -> Result<Val, Error> {
        let Val::Function(function) = &callee else {
            return match callee.defined()? {
                Val::Cycler(cycler) => Ok(cycler.next()),
                Val::Joiner(joiner) => {
                    Ok(Val::text(if joiner.1.replace(true) { joiner.0.clone() } else { "".into() }))
                }
                other => Err(Error::type_error(format!("'{}' object is not callable", other.type_name()))),
            };
        };
        match &**function {
            Function::Global(name) => {
                if let Some(why) = args.unknown() {
                    return Ok(Val::Unknown(why));
                }
                let value = functions::call(self.rendering, name, &mut args)?;
                args.finish(name)?;
                Ok(value)
            }
            Function::Macro(callee) => self.call_macro(callee, args),
            Function::Recurse(recursion) => self.recurse(recursion, &mut args),
            Function::Method(object, name) => match methods::call(self.rendering, object, name, &mut args)? {
                Some(value) => Ok(value),
                None => Err(Error::type_error("not callable")),
            },
            Function::Cycle(index) => {
                let values = args.rest(0);
                values
                    .get(index % values.len().max(1))
                    .cloned()
                    .ok_or_else(|| Error::type_error("no items for cycling given"))
            }
            Function::Changed(last) => {
                let value = self.rendering.force_deep(&Val::tuple(args.rest(0)))?;
                let same = last.borrow().as_ref().is_some_and(|last| ops::equal(last, &value));
                *last.borrow_mut() = Some(value);
                Ok(Val::Bool(!same))
            }
            Function::Super => {
                let Some((name, level)) = self.block.clone() else {
                    return Err(Error::other("super() can only be used in a block"));
                };
                let mut out = Output::default();
                self.emit_block(&name, level + 1, &mut out)?;
                self.rendering.joined_text(out)
            }
        }
    }

    /// Calls `loop(items)` of a recursive loop.
    fn recurse(&self, recursion: &Recursion, args: &mut Args) -> Result<Val, Error> {
        let items = self.rendering.items(&args.need(0, "iterable")?)?;
        let frames = recursion.frames.clone();
        let mut inner = Interpreter::nested(
            self.rendering,
            recursion.scope.clone(),
            frames,
            self.file.clone(),
            self.depth + 1,
        );
        let mut out = Output::default();
        inner.loop_over(&recursion.body, items, recursion.depth, &mut out)?;
        self.rendering.joined_text(out)
    }

    fn call_macro(&self, callee: &Macro, mut args: Args) -> Result<Val, Error> {
        let mut frames = callee.frames.clone();
        frames.push(Frame::default());
        let mut inner = Interpreter::nested(
            self.rendering,
            callee.scope.clone(),
            frames,
            callee.file.clone(),
            self.depth + 1,
        );
        if inner.depth > MAX_DEPTH {
            return Err(Error::other("templates, macros or loops are nested too deeply"));
        }
        let def = &callee.def;
        let first_default = def.params.len() - def.defaults.len();
        for (i, param) in def.params.iter().enumerate() {
            let value = match args.take(i, param) {
                Some(value) => value,
                None if i >= first_default => inner.eval(&def.defaults[i - first_default])?,
                None => Val::undefined(format!("parameter '{param}' was not provided")),
            };
            inner.set(param, value);
        }
        if let Some(caller) = args.key("caller") {
            inner.set(&"caller".into(), caller);
        }
        inner.set(&"varargs".into(), Val::tuple(args.rest(def.params.len())));
        let named = args.named.drain(..).map(|(name, value)| (name.into(), value)).collect();
        inner.set(&"kwargs".into(), Val::dict(named));
        let mut out = Output::default();
        inner.body(&def.body, &mut out)?;
        if self.file.is_some() { self.rendering.joined_text(out) } else { self.rendering.joined_value(out) }
    }
}
