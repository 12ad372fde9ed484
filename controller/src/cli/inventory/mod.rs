//! `convoy inventory`: shows what an inventory comes to, as `ansible-inventory` does.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::{Key, Kind, Map, Value, map};

use super::extra_vars;
use super::vault_options::VaultOptions;
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::inventory::{Group, Inventory, Options};
use crate::secrets::Purpose;
use crate::settings;
use crate::text::json;
use crate::text::python;
use crate::yaml;

/// Show the hosts, groups and variables of an inventory
#[derive(Debug, Clone, Default, clap::Args)]
#[command(group(clap::ArgGroup::new("action").required(true).args(["list", "host", "graph"])))]
pub struct Args {
    /// The group to begin the graph with
    #[arg(default_value = "all")]
    pub group: String,
    /// A file, a folder, or a list of hosts (`a,b,`); may be given several times
    #[arg(short, long, value_name = "SOURCE")]
    pub inventory: Vec<String>,
    /// Show all hosts and groups
    #[arg(long)]
    pub list: bool,
    /// Show the variables of one host; ignores --limit
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Show the groups as a tree; ignores --limit
    #[arg(long)]
    pub graph: bool,
    /// With --graph, show variables too
    #[arg(long)]
    pub vars: bool,
    /// Write YAML instead of JSON
    #[arg(short, long)]
    pub yaml: bool,
    /// With --list, show variables where they are set, not merged for each host
    #[arg(long)]
    pub export: bool,
    /// Set variables, for `constructed` with `use_extra_vars`: `key=value`, YAML, JSON, or `@FILE`
    #[arg(short, long = "extra-vars", value_name = "VARS")]
    pub extra_vars: Vec<String>,
    /// Show where the settings come from
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Show only the hosts that this pattern names too
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Look for `group_vars` and `host_vars` in this folder too [default: the current one, without --export]
    #[arg(long, value_name = "FOLDER")]
    pub playbook_dir: Option<PathBuf>,
    /// Where the passwords of encrypted variables come from
    #[command(flatten)]
    pub vault: VaultOptions,
}

/// Variables that say how Ansible runs, not what the inventory holds.
const INTERNAL: [&str; 2] = ["inventory_dir", "inventory_file"];

/// Writes what was asked for to `out`, and warnings to `warnings`.
///
/// # Errors
///
/// What is wrong with the inventory or the request.
pub fn run(args: &Args, out: &mut dyn Write, warnings: &mut dyn Write) -> Result<(), Diagnostics> {
    let read = settings::read()?;
    show(args, &read, out, warnings)
}

fn show(
    args: &Args,
    read: &settings::LoadedSettings,
    out: &mut dyn Write,
    warnings: &mut dyn Write,
) -> Result<(), Diagnostics> {
    let settings = &read.settings;
    let (vault, untold) = args.vault.vault(settings, Purpose::Run)?;
    let extra_vars = extra_vars::read(&args.extra_vars, &vault)?;
    let options = Options { extra_vars, vault: Arc::new(vault), ..Options::of(settings) };
    let sources = if args.inventory.is_empty() { &settings.inventory.0 } else { &args.inventory };
    let (inventory, read_warnings) = Inventory::load(sources, &options)?;
    let mut found = read.warnings.clone();
    found.extend(untold.into_iter().map(Diagnostic::user));
    found.extend(read_warnings);
    let mut show = Show { inventory: &inventory, args, available: HashSet::new(), seen: HashSet::new() };
    let text = if let Some(pattern) = &args.host {
        show.host(pattern, &mut found)?
    } else if args.graph {
        show.graph()?
    } else {
        let selection = inventory.select("all", args.limit.as_deref())?;
        found.extend(selection.warnings);
        show.available = selection.hosts.iter().cloned().collect();
        let value = if args.yaml { show.tree("all")?.into() } else { show.list(&selection.hosts)? };
        show.dump(&value)?
    };
    let told = if args.verbose.max(settings.verbosity) > 0 { &read.verbose[..] } else { &[] };
    let written = told
        .iter()
        .try_for_each(|text| writeln!(warnings, "{text}"))
        .and_then(|()| {
            found.iter().try_for_each(|warning| writeln!(warnings, "[WARNING]: {}", warning.warning()))
        })
        .and_then(|()| writeln!(out, "{}", text.trim_end_matches('\n')));
    written.map_err(|error| Diagnostic::user(format!("cannot write: {error}")).into())
}

struct Show<'i> {
    inventory: &'i Inventory,
    args: &'i Args,
    available: HashSet<Arc<str>>,
    /// Groups, and in YAML hosts after a slash, that were shown in full already.
    seen: HashSet<String>,
}

impl Show<'_> {
    fn dump(&self, value: &Value) -> Result<String, Diagnostic> {
        if !self.args.yaml {
            return Ok(as_json(value));
        }
        yaml::write(&in_order(&marked(value, false))).map_err(|error| Diagnostic::user(error.to_string()))
    }

    fn host(&self, pattern: &str, found: &mut Vec<Diagnostic>) -> Result<String, Diagnostics> {
        let selection = self.inventory.select(pattern, None)?;
        found.extend(selection.warnings);
        let [host] = &selection.hosts[..] else {
            let known = self.inventory.hosts().map(|host| &*host.name);
            return Err(Diagnostic::user("You must pass a single valid host to --host parameter")
                .note(format!("`{pattern}` names {} hosts", selection.hosts.len()))
                .hint(did_you_mean(pattern, known))
                .into());
        };
        Ok(self.dump(&self.host_vars(host)?.into())?)
    }

    fn graph(&self) -> Result<String, Diagnostics> {
        let Some(top) = self.inventory.group(&self.args.group) else {
            let known = self.inventory.groups().map(|group| &*group.name);
            return Err(Diagnostic::user("Pattern must be valid group name when using --graph")
                .hint(did_you_mean(&self.args.group, known))
                .into());
        };
        let mut lines = Vec::new();
        self.branch(top, 0, &mut lines)?;
        Ok(lines.join("\n"))
    }

    fn branch(&self, group: &Group, depth: usize, lines: &mut Vec<String>) -> Result<(), Diagnostics> {
        lines.push(twig(&format!("@{}:", group.name), depth));
        for child in group.children.iter().filter_map(|child| self.inventory.group(child)) {
            self.branch(child, depth + 1, lines)?;
        }
        for host in group.hosts.iter().filter(|_| &*group.name != "all") {
            lines.push(twig(host, depth + 1));
            if self.args.vars {
                leaves(&self.host_vars(host)?, depth + 2, lines);
            }
        }
        if self.args.vars {
            leaves(&self.group_vars(group)?, depth + 1, lines);
        }
        Ok(())
    }

    fn list(&mut self, hosts: &[Arc<str>]) -> Result<Value, Diagnostics> {
        let mut groups = Map::new();
        self.flat("all", &mut groups)?;
        let mut all = Map::new();
        for host in hosts {
            let vars = self.host_vars(host)?;
            if !vars.is_empty() {
                all.insert(Key::Text(host.clone()), vars.into());
            }
        }
        groups.insert("_meta".into(), [(Key::from("hostvars"), Value::from(all))].into_iter().collect());
        Ok(groups.into())
    }

    fn flat(&mut self, name: &str, groups: &mut Map) -> Result<(), Diagnostics> {
        let Some(group) = self.inventory.group(name) else { return Ok(()) };
        let mut shown = Map::new();
        let hosts: Vec<Value> = self.shown_hosts(group).into_iter().map(Value::from).collect();
        let children: Vec<Value> = group.children.iter().cloned().map(Value::from).collect();
        for child in &group.children {
            if self.seen.insert(child.to_string()) {
                self.flat(child, groups)?;
            }
        }
        insert(&mut shown, "hosts", hosts.is_empty(), hosts);
        insert(&mut shown, "children", children.is_empty(), children);
        if self.args.export {
            let vars = self.group_vars(group)?;
            insert(&mut shown, "vars", vars.is_empty(), vars);
        }
        insert(groups, name, shown.is_empty(), shown);
        Ok(())
    }

    /// Returns a map of the group alone, with what it holds; empty if that is nothing.
    fn tree(&mut self, name: &str) -> Result<Map, Diagnostics> {
        let mut result = Map::new();
        let Some(group) = self.inventory.group(name) else { return Ok(result) };
        let mut shown = Map::new();
        let mut children = Map::new();
        for child in &group.children {
            if self.seen.contains(&**child) {
                children.insert(Key::Text(child.clone()), Map::new().into());
            } else {
                children.extend(self.tree(child)?);
                self.seen.insert(child.to_string());
            }
        }
        insert(&mut shown, "children", children.is_empty(), children);
        let mut hosts = Map::new();
        for host in self.shown_hosts(group) {
            let first = self.seen.insert(format!("/{host}"));
            let vars = if first { self.host_vars(&host)? } else { Map::new() };
            hosts.insert(Key::Text(host), vars.into());
        }
        insert(&mut shown, "hosts", hosts.is_empty(), hosts);
        if self.args.export {
            let vars = self.group_vars(group)?;
            insert(&mut shown, "vars", vars.is_empty(), vars);
        }
        insert(&mut result, name, shown.is_empty(), shown);
        Ok(result)
    }

    fn shown_hosts(&self, group: &Group) -> Vec<Arc<str>> {
        let all = &*group.name == "all";
        group.hosts.iter().filter(|host| !all && self.available.contains(*host)).cloned().collect()
    }

    fn host_vars(&self, host: &str) -> Result<Map, Diagnostics> {
        let dir = self.args.playbook_dir.as_deref();
        let vars = if self.args.export {
            self.inventory.host_vars(host, dir)?
        } else {
            self.inventory.merge_layers(&self.inventory.layers(host, Some(dir.unwrap_or(Path::new("."))))?)
        };
        Ok(visible(vars))
    }

    fn group_vars(&self, group: &Group) -> Result<Map, Diagnostics> {
        Ok(visible(self.inventory.group_vars(group, self.args.playbook_dir.as_deref())?))
    }
}

fn visible(vars: Map) -> Map {
    vars.into_iter().filter(|(key, _)| !key.as_str().is_some_and(|key| INTERNAL.contains(&key))).collect()
}

fn insert(map: &mut Map, key: &str, empty: bool, value: impl Into<Value>) {
    if !empty {
        map.insert(key.into(), value.into());
    }
}

fn twig(text: &str, depth: usize) -> String {
    if depth == 0 { text.to_owned() } else { format!("{}--{text}", "  |".repeat(depth)) }
}

fn leaves(vars: &Map, depth: usize, lines: &mut Vec<String>) {
    for (key, value) in sorted(vars) {
        lines.push(twig(&format!("{{{key} = {}}}", python::label(Some(value))), depth));
    }
}

/// Returns `value` with all maps sorted.
fn in_order(value: &Value) -> Value {
    match &value.kind {
        Kind::List(list) => list.iter().map(in_order).collect(),
        Kind::Map(map) => {
            sorted(map).into_iter().map(|(key, value)| (key.clone(), in_order(value))).collect()
        }
        _ => value.clone(),
    }
}

/// Returns a value as JSON, as `ansible-inventory` prints it: what is no template is marked.
fn as_json(value: &Value) -> String {
    let style =
        json::Style { indent: Some(4), sort_keys: true, hide_secrets: true, ..json::Style::default() };
    json::to_string(&marked(value, true), style)
}

/// Marks what is no template, if wanted, and what is encrypted; secrets are not shown.
fn marked(value: &Value, unsafe_too: bool) -> Value {
    match &value.kind {
        Kind::Vaulted(text) => map! { "__ansible_vault" => text.clone() }.into(),
        _ if value.taint.is_secret() => json::REDACTED.into(),
        Kind::Text(text) if unsafe_too && value.taint.is_unsafe() => {
            map! { "__ansible_unsafe" => text.clone() }.into()
        }
        Kind::List(list) => list.iter().map(|item| marked(item, unsafe_too)).collect(),
        Kind::Map(map) => map.iter().map(|(key, value)| (key.clone(), marked(value, unsafe_too))).collect(),
        _ => value.clone(),
    }
}

/// Returns the entries of `map`, sorted by key.
fn sorted(map: &Map) -> Vec<(&Key, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by(|a, b| a.0.cmp(b.0));
    entries
}

#[cfg(test)]
mod tests;
