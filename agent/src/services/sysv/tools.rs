//! The programs that start services and set their links.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::request::Request;
use crate::failure::Failure;
use crate::services::missing;
use crate::system::{Process, SystemView};
use crate::words;

/// The programs that a node has for this.
#[derive(Debug)]
pub(super) struct Tools {
    /// What goes before a verb.
    control: Vec<OsString>,
    pub(super) is_openrc: bool,
    pub(super) enabler: Option<Enabler>,
}

#[derive(Debug)]
pub(super) enum Enabler {
    RcUpdate(PathBuf),
    UpdateRcD(PathBuf),
    Chkconfig(PathBuf),
}

impl Tools {
    pub(super) fn find(name: &str, view: &SystemView) -> Result<Self, Failure> {
        if let Some(control) = view.program("rc-service") {
            let enabler = view.program("rc-update").map(Enabler::RcUpdate);
            return Ok(Self { control: vec![control.into(), name.into()], is_openrc: true, enabler });
        }
        let script = Path::new("/etc/init.d").join(name);
        if !view.stat(&script)?.is_some_and(|meta| meta.is_file()) {
            return Err(missing(name));
        }
        let enabler = view.program("update-rc.d").map(Enabler::UpdateRcD);
        let enabler = enabler.or_else(|| view.program("chkconfig").map(Enabler::Chkconfig));
        let control = match view.program("service") {
            Some(program) => vec![program.into(), name.into()],
            None => vec![script.into()],
        };
        Ok(Self { control, is_openrc: false, enabler })
    }

    pub(super) fn process(&self, verb: &str, request: &Request<'_>) -> Result<Process, Failure> {
        let arguments = words::split(request.arguments)
            .map_err(|why| Failure::new(format!("cannot split the arguments: {why}")))?;
        let verb = std::iter::once(verb.to_owned()).chain(arguments);
        let argv = self.control.iter().cloned().chain(verb.map(OsString::from));
        Ok(plain(argv))
    }
}

/// A process whose messages are read: in English.
pub(super) fn plain<T: Into<OsString>>(argv: impl IntoIterator<Item = T>) -> Process {
    Process::new(argv).env("LC_ALL", "C").env("LANG", "C")
}
