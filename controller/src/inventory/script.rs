//! Runs inventory scripts: `--list`, and `--host NAME` if the former does not include variables.

use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use convoy_protocol::{Kind, Map, Value, map};
use indexmap::IndexSet;

use super::model::Inventory;
use crate::diagnostic::Diagnostic;
use crate::paths::absolute;
use crate::secrets;
use crate::text::json;

/// The maximum number of bytes of output of a script.
const MAX_OUTPUT: u64 = 256 << 20;

/// How many of the last lines of standard error are shown if a script fails.
const SHOWN_LINES: usize = 20;

/// Returns whether the file is a program to run rather than text to read.
///
/// Executable files without `#!` or ELF header are text, since some file systems mark all files executable; `execvp`
/// would run them as shell scripts.
///
/// # Errors
///
/// If a script is not executable, because it cannot be an inventory in text form either.
pub(super) fn is_program(path: &Path) -> Result<bool, Diagnostic> {
    let cannot = |error: io::Error| Diagnostic::user(format!("cannot read {}: {error}", path.display()));
    let mut file = std::fs::File::open(path).map_err(cannot)?;
    let executable = file.metadata().map_err(cannot)?.permissions().mode() & 0o111 != 0;
    let mut magic = Vec::new();
    file.by_ref().take(4).read_to_end(&mut magic).map_err(cannot)?;
    let script = magic.starts_with(b"#!");
    if script && !executable {
        let what = format!("the inventory script {} is not executable", path.display());
        return Err(Diagnostic::user(what).hint(format!("chmod +x {}", path.display())));
    }
    Ok(executable && (script || magic == b"\x7fELF"))
}

/// Runs the script at `path` and reads its output into `inventory`.
///
/// # Errors
///
/// If it cannot be run, fails, times out, or its output is not an inventory.
pub(super) fn read(inventory: &mut Inventory, path: &Path) -> Result<(), Diagnostic> {
    let mut script = Script {
        inventory,
        path,
        program: absolute(path),
        deadline: Instant::now(),
        hosts: IndexSet::new(),
        warned: false,
    };
    script.deadline += script.inventory.options.script_timeout;
    script.load()
}

struct Script<'i> {
    inventory: &'i mut Inventory,
    path: &'i Path,
    program: std::path::PathBuf,
    deadline: Instant,
    /// The hosts of its groups, in order.
    hosts: IndexSet<Arc<str>>,
    /// Whether the user has been warned about output on standard error.
    warned: bool,
}

impl Script<'_> {
    fn load(&mut self) -> Result<(), Diagnostic> {
        let groups = self.call(&["--list"])?;
        let Some(groups) = groups.as_map() else {
            return Err(self.error(format!("must write a map of groups, got {}", groups.kind_name())));
        };
        let mut variables = None;
        for (name, group) in groups {
            match name.as_str().unwrap_or_default() {
                "_meta" => variables = group.get("hostvars").cloned(),
                name => self.group(name, group)?,
            }
        }
        if let Some(other) = variables.as_ref().filter(|variables| variables.as_map().is_none()) {
            return Err(self.error(format!("`_meta.hostvars` must be a map, got {}", other.kind_name())));
        }
        for host in self.hosts.clone() {
            let value = match &variables {
                Some(all) => all.get(&host).cloned().unwrap_or_else(|| Map::new().into()),
                None => self.call(&["--host", &host])?,
            };
            let Some(vars) = value.as_map() else {
                let what = format!("the variables of host `{host}` must be a map, got {}", value.kind_name());
                return Err(self.error(what));
            };
            for (key, value) in vars {
                self.inventory.set_var(&host, key.clone(), value.clone())?;
            }
        }
        Ok(())
    }

    fn group(&mut self, name: &str, group: &Value) -> Result<(), Diagnostic> {
        let added = self.inventory.add_group(name)?;
        let parts = match &group.kind {
            Kind::Map(map) if ["hosts", "vars", "children"].iter().any(|part| map.contains_key(*part)) => {
                Map::clone(map)
            }
            // A map of variables: the group has one host, of the same name.
            Kind::Map(map) => map! { "hosts" => vec![Value::from(&*added)], "vars" => Map::clone(map) },
            _ => map! { "hosts" => group.clone() },
        };
        if let Some(hosts) = parts.get("hosts") {
            let what = format!("`hosts` of group `{name}` must be a list, got {}", hosts.kind_name());
            for host in hosts.as_list().ok_or_else(|| self.error(what))? {
                let what =
                    format!("group `{name}`: the name of a host must be text, got {}", host.kind_name());
                let host = host.as_str().ok_or_else(|| self.error(what))?;
                let host = self.inventory.add_host(host, Some(&added), None)?;
                self.hosts.insert(host);
            }
        }
        if let Some(vars) = parts.get("vars") {
            let what = format!("`vars` of group `{name}` must be a map, got {}", vars.kind_name());
            for (key, value) in vars.as_map().ok_or_else(|| self.error(what))? {
                self.inventory.set_var(&added, key.clone(), value.clone())?;
            }
        }
        for child in parts
            .get("children")
            .map(|children| self.child_names(name, children))
            .transpose()?
            .unwrap_or_default()
        {
            let child = self.inventory.add_group(&child)?;
            self.inventory.add_child(&added, &child)?;
        }
        Ok(())
    }

    /// Returns the names in `children`: the items of a list, or the keys of a map.
    fn child_names(&self, group: &str, children: &Value) -> Result<Vec<String>, Diagnostic> {
        let names: Vec<Value> = match &children.kind {
            Kind::Map(map) => map.keys().map(convoy_protocol::Key::to_value).collect(),
            Kind::List(list) => list.to_vec(),
            _ => vec![Value::null()],
        };
        let texts = names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>();
        texts.ok_or_else(|| self.error(format!("`children` of group `{group}` must be a list of names")))
    }

    /// Runs the script and parses its output. No output for `--host` is an empty map.
    fn call(&mut self, args: &[&str]) -> Result<Value, Diagnostic> {
        let output = self.run(args)?;
        let text = std::str::from_utf8(&output.out)
            .map_err(|error| self.error(format!("must write UTF-8: {error}")))?;
        if text.trim().is_empty() && args[0] == "--host" {
            return Ok(Map::new().into());
        }
        let value = json::from_str(text).map_err(|error| {
            self.error(format!("must write JSON: {error}")).note(format!("called with {}", args.join(" ")))
        })?;
        if !output.err.is_empty() && !self.warned {
            self.warned = true;
            let text = String::from_utf8_lossy(&output.err);
            let text = format!(
                "the inventory script {} wrote to standard error: {}",
                self.path.display(),
                text.trim()
            );
            self.inventory.warn(Diagnostic::user(text));
        }
        secrets::unmark(value).map_err(|what| self.error(what))
    }

    fn run(&self, args: &[&str]) -> Result<Output, Diagnostic> {
        let line = format!("{} {}", self.path.display(), args.join(" "));
        let mut command = Command::new(&self.program);
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command
            .spawn()
            .map_err(|error| Diagnostic::user(format!("cannot run the inventory script {line}: {error}")))?;
        let output = wait(child, self.deadline).map_err(|error| {
            Diagnostic::user(format!("cannot read the output of the inventory script {line}: {error}"))
        })?;
        let failed = match output.status {
            Some(status) if status.success() => return Ok(output),
            Some(status) => match status.signal() {
                Some(signal) => format!("was killed by signal {signal}"),
                None => format!("exited with code {}", status.code().unwrap_or(-1)),
            },
            None => format!(
                "did not finish within {} seconds and was killed",
                self.inventory.options.script_timeout.as_secs()
            ),
        };
        let mut failure = Diagnostic::user(format!("the inventory script {line} {failed}"));
        let stderr = String::from_utf8_lossy(&output.err);
        let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
        for line in &lines[lines.len().saturating_sub(SHOWN_LINES)..] {
            failure = failure.note(format!("standard error: {line}"));
        }
        if lines.is_empty() {
            failure = failure.note("it wrote nothing to standard error");
        }
        Err(failure)
    }

    fn error(&self, what: String) -> Diagnostic {
        Diagnostic::user(format!("the inventory script {}: {what}", self.path.display()))
    }
}

/// The output of a program; without a status, it timed out and was killed.
struct Output {
    status: Option<ExitStatus>,
    out: Vec<u8>,
    err: Vec<u8>,
}

/// Reads the output of a program until it exits, and kills it at `deadline`.
fn wait(mut child: Child, deadline: Instant) -> io::Result<Output> {
    let out = read_in_thread(child.stdout.take());
    let err = read_in_thread(child.stderr.take());
    let left = || deadline.saturating_duration_since(Instant::now());
    let mut output = Output { status: None, out: Vec::new(), err: Vec::new() };
    if let Ok(read) = out.recv_timeout(left()) {
        output.out = read?;
        while output.status.is_none() && !left().is_zero() {
            output.status = child.try_wait()?;
            if output.status.is_none() {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
    if output.status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    // A process that it started may keep the pipe open: do not wait for that.
    output.err = err.recv_timeout(left().min(Duration::from_secs(1))).unwrap_or_else(|_| Ok(Vec::new()))?;
    Ok(output)
}

/// Reads a pipe to its end in a thread.
fn read_in_thread(pipe: Option<impl Read + Send + 'static>) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = pipe.map_or(Ok(0), |pipe| pipe.take(MAX_OUTPUT + 1).read_to_end(&mut text));
        let full = text.len() as u64 > MAX_OUTPUT;
        let read =
            read.and_then(|_| if full { Err(io::Error::other("it writes too much")) } else { Ok(text) });
        // The receiver is gone if the program timed out.
        let _ = sender.send(read);
    });
    receiver
}
