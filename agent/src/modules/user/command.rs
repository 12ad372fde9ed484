//! The command lines that change accounts, and the differences they make.

use std::ffi::OsString;

use convoy_protocol::{Map, Value};

use super::args::Args;
use crate::failure::Failure;
use crate::system::SystemView;

/// What is different, by name.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) before: Map,
    pub(super) after: Map,
}

impl Changes {
    pub(super) fn note(&mut self, name: &str, before: impl Into<Value>, after: impl Into<Value>) {
        self.before.insert(name.into(), before.into());
        self.after.insert(name.into(), after.into());
    }
}

/// The arguments of a program while they are collected.
pub(super) struct Command(pub(super) Vec<OsString>);

impl Command {
    pub(super) fn new(name: &str, args: &Args, view: &SystemView) -> Result<Self, Failure> {
        let name = format!("{}{name}", if args.local { "l" } else { "" });
        Ok(Self(vec![view.require_program(&name)?.into()]))
    }

    pub(super) fn flag(&mut self, flag: &str) {
        self.0.push(flag.into());
    }

    pub(super) fn option(&mut self, flag: &str, value: impl Into<OsString>) {
        self.0.extend([flag.into(), value.into()]);
    }

    /// Ends it with the name of the account; `None` if it has nothing to do.
    pub(super) fn of(mut self, name: &str) -> Option<Vec<OsString>> {
        if self.0.len() == 1 {
            return None;
        }
        self.0.extend(["--".into(), name.into()]);
        Some(self.0)
    }
}
