//! The tests that come with Jinja2.

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::ops::{self, compare};
use crate::template::jinja::python::text::text_of;
use crate::template::jinja::python::value::{Function, ListKind, Val};
use crate::template::jinja::rendering::Test;
use crate::template::jinja::syntax::Cmp;
use crate::template::jinja::{filters, test_plugins};

/// Returns the test called `name`.
pub(super) fn find(name: &str) -> Option<Test> {
    TESTS.iter().find(|(test, _)| *test == name).map(|(_, test)| *test)
}

fn binary(op: Cmp, v: &Val, args: &mut Args) -> Result<bool, Error> {
    compare(op, v, &args.need(0, "other")?)
}

fn integer(v: &Val) -> Result<i64, Error> {
    v.clone().defined()?.as_int().ok_or_else(|| Error::type_error("the test requires an integer"))
}

const TESTS: &[(&str, Test)] = &[
    ("defined", |_, v, _| Ok(!v.is_undefined())),
    ("undefined", |_, v, _| Ok(v.is_undefined())),
    ("none", |_, v, _| Ok(matches!(v, Val::None))),
    ("boolean", |_, v, _| Ok(matches!(v, Val::Bool(_)))),
    ("true", |_, v, _| Ok(matches!(v, Val::Bool(true)))),
    ("false", |_, v, _| Ok(matches!(v, Val::Bool(false)))),
    ("integer", |_, v, _| Ok(matches!(v, Val::Int(_)))),
    ("float", |_, v, _| Ok(matches!(v, Val::Float(_)))),
    ("number", |_, v, _| Ok(matches!(v, Val::Int(_) | Val::Float(_) | Val::Bool(_)))),
    ("string", |_, v, _| Ok(matches!(v, Val::Str(..)))),
    ("mapping", |_, v, _| Ok(matches!(v, Val::Dict(_) | Val::Vars(_) | Val::HostVars))),
    ("sequence", |_, v, _| {
        Ok(match &v {
            Val::List(list) => list.kind != ListKind::Generator,
            Val::Undefined(undefined) => return Err(undefined.error()),
            other => matches!(other, Val::Str(..) | Val::Dict(_) | Val::Bytes(_)),
        })
    }),
    ("iterable", |_, v, _| {
        let v = v.defined()?;
        Ok(matches!(
            v,
            Val::Str(..) | Val::List(_) | Val::Dict(_) | Val::Bytes(_) | Val::Vars(_) | Val::HostVars
        ))
    }),
    ("callable", |_, v, _| Ok(matches!(v, Val::Function(_) | Val::Cycler(_) | Val::Joiner(_)))),
    ("sameas", |_, v, args| Ok(same(&v, &args.need(0, "other")?))),
    ("escaped", |_, v, _| {
        Ok(matches!(v, Val::Str(_, crate::template::jinja::python::value::TextKind::Markup)))
    }),
    ("odd", |_, v, _| Ok(integer(&v)? % 2 != 0)),
    ("even", |_, v, _| Ok(integer(&v)? % 2 == 0)),
    ("divisibleby", |_, v, args| match args.int(0, "num", 0)? {
        0 => Err(Error::other("integer modulo by zero")),
        by => Ok(integer(&v)? % by == 0),
    }),
    ("lower", |_, v, _| {
        Ok(text_of(v)?).map(|s| s.chars().any(char::is_lowercase) && !s.chars().any(char::is_uppercase))
    }),
    ("upper", |_, v, _| {
        Ok(text_of(v)?).map(|s| s.chars().any(char::is_uppercase) && !s.chars().any(char::is_lowercase))
    }),
    ("in", |_, v, args| ops::contains(&args.need(0, "seq")?, &v.defined()?)),
    ("filter", |_, v, _| Ok(v.as_str().is_some_and(|name| filters::find(name).is_some()))),
    ("test", |_, v, _| Ok(v.as_str().is_some_and(|name| test_plugins::find(name).is_some()))),
    ("eq", |_, v, args| binary(Cmp::Eq, &v, args)),
    ("==", |_, v, args| binary(Cmp::Eq, &v, args)),
    ("equalto", |_, v, args| binary(Cmp::Eq, &v, args)),
    ("ne", |_, v, args| binary(Cmp::Ne, &v, args)),
    ("!=", |_, v, args| binary(Cmp::Ne, &v, args)),
    ("lt", |_, v, args| binary(Cmp::Lt, &v, args)),
    ("<", |_, v, args| binary(Cmp::Lt, &v, args)),
    ("lessthan", |_, v, args| binary(Cmp::Lt, &v, args)),
    ("le", |_, v, args| binary(Cmp::Le, &v, args)),
    ("<=", |_, v, args| binary(Cmp::Le, &v, args)),
    ("gt", |_, v, args| binary(Cmp::Gt, &v, args)),
    (">", |_, v, args| binary(Cmp::Gt, &v, args)),
    ("greaterthan", |_, v, args| binary(Cmp::Gt, &v, args)),
    ("ge", |_, v, args| binary(Cmp::Ge, &v, args)),
    (">=", |_, v, args| binary(Cmp::Ge, &v, args)),
];

fn same(a: &Val, b: &Val) -> bool {
    use std::rc::Rc;
    match (a, b) {
        (Val::List(a), Val::List(b)) => Rc::ptr_eq(a, b),
        (Val::Dict(a), Val::Dict(b)) => Rc::ptr_eq(a, b),
        (Val::Function(a), Val::Function(b)) => {
            Rc::ptr_eq(a, b) || matches!((&**a, &**b), (Function::Global(a), Function::Global(b)) if a == b)
        }
        _ => a.type_name() == b.type_name() && ops::equal(a, b),
    }
}
