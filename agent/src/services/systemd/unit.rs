//! One unit as `systemctl` tells it, and the calls of `systemctl`.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use convoy_protocol::{Map, Value};

use super::request::{Request, Scope};
use crate::failure::Failure;
use crate::files::glob;
use crate::system::{Output, Process, System, SystemView};

/// How many lines of its journal are shown of a unit that fails.
const JOURNAL_LINES: &str = "20";

/// How `systemctl` is called.
pub(super) struct Systemctl {
    argv: Vec<OsString>,
    /// What goes before words that change something.
    acting: Vec<&'static str>,
    runtime: Option<String>,
    scope: Scope,
    waits: bool,
}

/// What is said of a unit's file.
#[derive(Debug, Default)]
pub(super) struct FileState {
    /// In one word, such as `enabled` or `static`.
    pub(super) word: String,
    rc: i32,
}

impl FileState {
    /// Returns whether the unit starts with the node, for good.
    pub(super) fn is_enabled(&self, unit: &Unit, scope: Scope) -> bool {
        match self.rc {
            0 => !matches!(self.word.as_str(), "enabled-runtime" | "indirect" | "alias"),
            1 => {
                scope == Scope::System
                    && unit.has_script
                    && self.word != "disabled"
                    && script_is_enabled(&unit.name)
            }
            _ => false,
        }
    }
}

/// Returns whether an init script is linked to be started.
fn script_is_enabled(name: &str) -> bool {
    glob::any(&format!("/etc/rc?.d/S??{name}"), Path::new("/"))
}

impl Systemctl {
    pub(super) fn new(request: &Request<'_>, view: &SystemView) -> Result<Self, Failure> {
        let mut argv = vec![view.require_program("systemctl")?.into()];
        match request.scope {
            Scope::System => {}
            Scope::User => argv.push("--user".into()),
            Scope::Global => argv.push("--global".into()),
        }
        let acting = [(request.no_block, "--no-block"), (request.force, "--force")];
        let acting = acting.into_iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, flag)| flag).collect();
        // Without it the user's own systemd is not found.
        let runtime = view.variable("XDG_RUNTIME_DIR").is_none().then(|| format!("/run/user/{}", view.uid()));
        Ok(Self { argv, acting, runtime, scope: request.scope, waits: !request.no_block })
    }

    fn process<T: Into<OsString>>(&self, words: impl IntoIterator<Item = T>) -> Process {
        let process = Process::new(self.argv.iter().cloned().chain(words.into_iter().map(Into::into)));
        match &self.runtime {
            Some(directory) => process.env("XDG_RUNTIME_DIR", directory),
            None => process,
        }
    }

    fn query(&self, words: &[&str], view: &SystemView) -> Result<Output, Failure> {
        view.query(&self.process(words))
    }

    /// Returns whether the unit is enabled, masked or what else its file makes it.
    pub(super) fn file_state(&self, unit: &str, view: &SystemView) -> Result<FileState, Failure> {
        let output = self.query(&["is-enabled", "--", unit], view)?;
        let word = output.stdout_text().lines().next().unwrap_or_default().trim().to_owned();
        Ok(FileState { word, rc: output.rc })
    }

    /// Has systemd read its units again, or start anew. Returns a warning where it does not run.
    pub(super) fn read_again(&self, word: &str, node: &mut System) -> Result<Option<String>, Failure> {
        let output = node.run(&self.process([word]))?;
        if output.rc == 0 {
            return Ok(None);
        }
        let said = output.stderr_text();
        if node.is_chroot() || node.variable("SYSTEMD_OFFLINE").as_deref() == Some("1") {
            return Ok(Some(format!(
                "{word} failed, but target is a chroot or systemd is offline. Continuing. Error was: {} / {said}",
                output.rc
            )));
        }
        Err(Failure::new(format!("failure {} during {word}: {said}", output.rc)))
    }

    /// Does something to the unit.
    pub(super) fn act(&self, word: &str, unit: &str, node: &mut System) -> Result<Output, Failure> {
        let begin = node.now();
        let words = self.acting.iter().copied().chain([word, "--", unit]);
        let output = node.run(&self.process(words))?;
        let starts = matches!(word, "start" | "restart" | "reload");
        if output.rc == 0 {
            if starts && self.waits {
                self.expect_no_failure(word, unit, begin, node)?;
            }
            return Ok(output);
        }
        let said = output.error_output();
        let msg = match word {
            "mask" | "unmask" => format!("Failed to {word} the service ({unit}): {said}"),
            _ => format!("Unable to {word} service {unit}: {said}"),
        };
        let journal = if starts || word == "stop" { self.journal(unit, begin, node) } else { String::new() };
        Err(output.failure(msg + &journal))
    }

    /// A program that ends right after it was started is not seen by the call that starts it.
    fn expect_no_failure(
        &self,
        word: &str,
        unit: &str,
        begin: Duration,
        view: &SystemView,
    ) -> Result<(), Failure> {
        let output = self.query(&["show", "--property=ActiveState,Result", "--", unit], view)?;
        let status = parse(&output.stdout_text());
        let field = |name: &str| status.get(name).and_then(Value::as_str).unwrap_or_default();
        if output.rc != 0 || field("ActiveState") != "failed" {
            return Ok(());
        }
        let result = field("Result");
        let journal = self.journal(unit, begin, view);
        Err(Failure::new(format!(
            "Unable to {word} service {unit}: it has failed at once ({result}){journal}"
        )))
    }

    /// Returns what the unit has said since `begin`, as the end of a message.
    fn journal(&self, unit: &str, begin: Duration, view: &SystemView) -> String {
        let Some(program) = view.program("journalctl") else { return String::new() };
        let which = if self.scope == Scope::System { "--unit" } else { "--user-unit" };
        // What it has just said may still be on its way into the journal.
        view.query(&Process::new([program.as_os_str(), "--sync".as_ref()])).ok();
        let words = [
            "--quiet".to_owned(),
            "--no-pager".to_owned(),
            "--output=short".to_owned(),
            format!("--lines={JOURNAL_LINES}"),
            format!("--since=@{}", begin.as_secs()),
            format!("{which}={unit}"),
        ];
        let argv = std::iter::once(program.into_os_string()).chain(words.map(OsString::from));
        let text = match view.query(&Process::new(argv)) {
            Ok(output) if output.rc == 0 => output.stdout_text(),
            _ => String::new(),
        };
        if text.trim().is_empty() { text } else { format!("\nThe last lines of its journal:\n{text}") }
    }
}

/// A unit.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) name: String,
    /// All that systemd tells of it.
    pub(super) status: Map,
    is_unit: bool,
    /// Whether there is an init script of that name.
    has_script: bool,
    pub(super) warnings: Vec<String>,
}

/// What `is-enabled` says of a unit that is there.
const FILE_STATES: [&str; 12] = [
    "enabled",
    "enabled-runtime",
    "linked",
    "linked-runtime",
    "masked",
    "masked-runtime",
    "static",
    "indirect",
    "disabled",
    "generated",
    "transient",
    "alias",
];

impl Unit {
    pub(super) fn query(name: &str, systemctl: &Systemctl, view: &SystemView) -> Result<Self, Failure> {
        let script = if name.starts_with('/') { name.to_owned() } else { format!("/etc/init.d/{name}") };
        let has_script = view.stat(Path::new(&script))?.is_some();
        let output = systemctl.query(&["show", "--", name], view)?;
        let (text, error) = (output.stdout_text(), output.stderr_text());
        let is_ignored = |text: &str| {
            !text.contains('=') && (text.contains("ignoring request") || text.contains("ignoring command"))
        };
        let mut unit = Self {
            name: name.to_owned(),
            status: Map::new(),
            is_unit: false,
            has_script,
            warnings: Vec::new(),
        };
        if output.rc == 0 && !is_ignored(&text) && !is_ignored(&error) {
            unit.status = parse(&text);
            let load = unit.field("LoadState").unwrap_or("not-found").to_owned();
            unit.is_unit = load != "not-found";
            if let (true, Some(fault)) = (unit.is_unit && load != "masked", unit.field("LoadError")) {
                return Err(Failure::new(format!("Error loading unit file '{name}': {fault}")));
            }
        } else {
            unit.is_unit = is_known(name, systemctl, view, &error)?;
        }
        if has_script && !unit.is_unit {
            unit.warnings.push(format!(
                "The service ({name}) is actually an init script but the system is managed by systemd"
            ));
        }
        Ok(unit)
    }

    /// Returns whether there is such a service at all.
    pub(super) fn is_found(&self) -> bool {
        self.is_unit || self.has_script
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.status.get(name).and_then(Value::as_str)
    }
}

/// Looks for the unit's file where systemd does not run.
fn is_known(name: &str, systemctl: &Systemctl, view: &SystemView, error: &str) -> Result<bool, Failure> {
    if FILE_STATES.contains(&systemctl.file_state(name, view)?.word.as_str())
        || systemctl.query(&["list-unit-files", "--", name], view)?.rc == 0
    {
        return Ok(true);
    }
    // Not even this works without systemd; it says why.
    let output = systemctl.query(&["list-units"], view)?;
    if output.rc != 0 {
        let said = output.error_output();
        return Err(output.failure(if said.is_empty() { error.to_owned() } else { said }));
    }
    Ok(false)
}

/// Reads `systemctl show`. Only commands have values of several lines, in braces.
fn parse(text: &str) -> Map {
    let mut all = Map::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some((name, value)) = line.split_once('=') else { continue };
        let mut value = value.to_owned();
        if name.starts_with("Exec") && value.trim_start().starts_with('{') {
            while !value.trim_end().ends_with('}') {
                let Some(line) = lines.next() else { break };
                value.push('\n');
                value.push_str(line);
            }
        }
        all.insert(name.into(), value.trim().into());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::map;

    #[test]
    fn values_of_several_lines_are_of_commands_alone() {
        let text = "Description={ brace\nExecStart={ path=/bin/sh ; argv[]=/bin/sh -c a\nb ; }\nExecReload={ one }\nId=a.service\nnoise";
        let expected = map! {
            "Description" => "{ brace",
            "ExecStart" => "{ path=/bin/sh ; argv[]=/bin/sh -c a\nb ; }",
            "ExecReload" => "{ one }",
            "Id" => "a.service",
        };
        assert_eq!(parse(text), expected);
    }
}
