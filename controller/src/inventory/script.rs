//! Inventories that a program writes: `--list`, and `--host NAME` where that does not tell all.

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
use crate::json;
use crate::paths::absolute;

/// More than this from one script is a script that has lost its way.
const MOST: u64 = 256 << 20;

/// So many lines of what a script said last are shown when it failed.
const LINES: usize = 20;

/// Returns whether the file is a program to be run rather than text to be read.
///
/// What is marked executable without being a program (all is, on some file systems) is text: given to `execvp` the
/// shell would run it.
///
/// # Errors
///
/// For a script that is not executable: read as text it would be nonsense.
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

/// Runs the script at `path` and reads what it says into `inventory`.
///
/// # Errors
///
/// If it cannot be run, fails, takes too long, or says what is no inventory.
pub(super) fn read(inventory: &mut Inventory, path: &Path) -> Result<(), Diagnostic> {
    let mut script = Script {
        inventory,
        path,
        program: absolute(path),
        deadline: Instant::now(),
        hosts: IndexSet::new(),
        said: false,
    };
    script.deadline += script.inventory.options.script_limit;
    script.load()
}

struct Script<'i> {
    inventory: &'i mut Inventory,
    path: &'i Path,
    program: std::path::PathBuf,
    deadline: Instant,
    /// The hosts that it names, in its order.
    hosts: IndexSet<Arc<str>>,
    /// Whether what it wrote to standard error has been shown.
    said: bool,
}

impl Script<'_> {
    fn load(&mut self) -> Result<(), Diagnostic> {
        let groups = self.answer(&["--list"])?;
        let Some(groups) = groups.as_map() else {
            return Err(self.wrong(format!("must write a map of groups, not {}", groups.kind_name())));
        };
        let mut variables = None;
        for (name, group) in groups {
            match name.as_str().unwrap_or_default() {
                "_meta" => variables = group.get("hostvars").cloned(),
                name => self.group(name, group)?,
            }
        }
        if let Some(wrong) = variables.as_ref().filter(|variables| variables.as_map().is_none()) {
            return Err(self.wrong(format!("`_meta.hostvars` is a map, not {}", wrong.kind_name())));
        }
        for host in self.hosts.clone() {
            let found = match &variables {
                Some(all) => all.get(&host).cloned().unwrap_or_else(|| Map::new().into()),
                None => self.answer(&["--host", &host])?,
            };
            let Some(vars) = found.as_map() else {
                let what = format!("the variables of host `{host}` are a map, not {}", found.kind_name());
                return Err(self.wrong(what));
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
            // Variables alone: the name is that of a host, too.
            Kind::Map(map) => map! { "hosts" => vec![Value::from(&*added)], "vars" => Map::clone(map) },
            _ => map! { "hosts" => group.clone() },
        };
        if let Some(hosts) = parts.get("hosts") {
            let what = format!("`hosts` of group `{name}` is a list, not {}", hosts.kind_name());
            for host in hosts.as_list().ok_or_else(|| self.wrong(what))? {
                let what = format!("group `{name}`: the name of a host is text, not {}", host.kind_name());
                let host = host.as_str().ok_or_else(|| self.wrong(what))?;
                let host = self.inventory.add_host(host, Some(&added), None)?;
                self.hosts.insert(host);
            }
        }
        if let Some(vars) = parts.get("vars") {
            let what = format!("`vars` of group `{name}` is a map, not {}", vars.kind_name());
            for (key, value) in vars.as_map().ok_or_else(|| self.wrong(what))? {
                self.inventory.set_var(&added, key.clone(), value.clone())?;
            }
        }
        for child in
            parts.get("children").map(|children| self.names(name, children)).transpose()?.unwrap_or_default()
        {
            let child = self.inventory.add_group(&child)?;
            self.inventory.add_child(&added, &child)?;
        }
        Ok(())
    }

    /// Returns the groups that `children` names: a list, or the keys of a map.
    fn names(&self, group: &str, children: &Value) -> Result<Vec<String>, Diagnostic> {
        let names: Vec<Value> = match &children.kind {
            Kind::Map(map) => map.keys().map(convoy_protocol::Key::to_value).collect(),
            Kind::List(list) => list.to_vec(),
            _ => vec![Value::null()],
        };
        let texts = names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>();
        texts.ok_or_else(|| self.wrong(format!("`children` of group `{group}` is a list of names")))
    }

    /// Runs the script and reads the JSON that it writes; nothing at all is an empty map for one host.
    fn answer(&mut self, words: &[&str]) -> Result<Value, Diagnostic> {
        let output = self.run(words)?;
        let text = std::str::from_utf8(&output.out)
            .map_err(|error| self.wrong(format!("must write UTF-8: {error}")))?;
        if text.trim().is_empty() && words[0] == "--host" {
            return Ok(Map::new().into());
        }
        let value = json::read(text).map_err(|error| {
            self.wrong(format!("must write JSON: {error}")).note(format!("called with {}", words.join(" ")))
        })?;
        if !output.err.is_empty() && !self.said {
            self.said = true;
            let text = String::from_utf8_lossy(&output.err);
            let text = format!("the inventory script {} said: {}", self.path.display(), text.trim());
            self.inventory.warn(Diagnostic::user(text));
        }
        json::unwrapped(value).map_err(|what| self.wrong(what))
    }

    fn run(&self, words: &[&str]) -> Result<Output, Diagnostic> {
        let line = format!("{} {}", self.path.display(), words.join(" "));
        let mut command = Command::new(&self.program);
        command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command
            .spawn()
            .map_err(|error| Diagnostic::user(format!("cannot run the inventory script {line}: {error}")))?;
        let output = finish(child, self.deadline)
            .map_err(|error| Diagnostic::user(format!("the inventory script {line} was lost: {error}")))?;
        let failed = match output.status {
            Some(status) if status.success() => return Ok(output),
            Some(status) => match status.signal() {
                Some(signal) => format!("was ended by signal {signal}"),
                None => format!("ended with exit code {}", status.code().unwrap_or(-1)),
            },
            None => format!(
                "was not done after {} seconds and was ended",
                self.inventory.options.script_limit.as_secs()
            ),
        };
        let mut failure = Diagnostic::user(format!("the inventory script {line} {failed}"));
        let said = String::from_utf8_lossy(&output.err);
        let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        for line in &lines[lines.len().saturating_sub(LINES)..] {
            failure = failure.note(format!("it said: {line}"));
        }
        if lines.is_empty() {
            failure = failure.note("it wrote nothing to standard error");
        }
        Err(failure)
    }

    fn wrong(&self, what: String) -> Diagnostic {
        Diagnostic::user(format!("the inventory script {}: {what}", self.path.display()))
    }
}

/// What a program wrote, and how it ended; without a status it was ended here.
struct Output {
    status: Option<ExitStatus>,
    out: Vec<u8>,
    err: Vec<u8>,
}

/// Waits for a program until `deadline`, and reads what it writes meanwhile.
fn finish(mut child: Child, deadline: Instant) -> io::Result<Output> {
    let out = reader(child.stdout.take());
    let err = reader(child.stderr.take());
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
    // Something that it started may hold on to the pipe: that is no reason to wait.
    output.err = err.recv_timeout(left().min(Duration::from_secs(1))).unwrap_or_else(|_| Ok(Vec::new()))?;
    Ok(output)
}

/// Reads a pipe to its end in a thread of its own.
fn reader(pipe: Option<impl Read + Send + 'static>) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = pipe.map_or(Ok(0), |pipe| pipe.take(MOST + 1).read_to_end(&mut text));
        let full = text.len() as u64 > MOST;
        let read =
            read.and_then(|_| if full { Err(io::Error::other("it writes without end")) } else { Ok(text) });
        // Nobody listens any more if the time is up.
        let _ = sender.send(read);
    });
    receiver
}
