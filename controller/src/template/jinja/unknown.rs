//! Check mode: what of filters, tests and methods is unknown, since what they look at is.

use std::sync::Arc;

use super::args::Args;
use super::value::Val;
use super::{filters, ops, tests_ansible};

/// Returns why the answer of a filter is unknown.
pub(super) fn of_filter(filter: &str, subject: &Val, args: &Args) -> Option<Arc<str>> {
    if !filters::is_lazy(filter) {
        return subject.unknown().or_else(|| args.unknown());
    }
    // These look at what is there and hand the rest on.
    let takes_members = matches!(filter, "default" | "d" | "mandatory" | "type_debug" | "attr" | "extract");
    match subject {
        Val::Unknown(why) => Some(why.clone()),
        other => other.unknown_rest().filter(|_| !takes_members),
    }
}

/// Returns why the answer of a test is unknown.
pub(super) fn of_subject(test: &str, subject: &Val) -> Option<Arc<str>> {
    match test {
        // Whether it is there, or of a kind, is said by the whole of it.
        "defined" | "undefined" | "mapping" | "sequence" | "iterable" | "string" | "none" => match subject {
            Val::Unknown(why) => Some(why.clone()),
            _ => None,
        },
        _ => match tests_ansible::member_of(test) {
            Some(key) if ops::member(subject, &Val::from(key)) => None,
            _ => subject.unknown(),
        },
    }
}

/// Returns why the answer of a method is unknown.
pub(super) fn of_method(object: &Val, name: &str, args: &Args) -> Option<Arc<str>> {
    let is_there = || args.pos.first().cloned().flatten().is_some_and(|key| ops::member(object, &key));
    args.unknown().or_else(|| object.unknown_rest().filter(|_| name != "get" || !is_there()))
}
