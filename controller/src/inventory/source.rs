//! Loads an inventory from its sources: files, directories of files, lists of hosts.

use std::path::Path;

use super::model::{Addition, Inventory};
use super::options::Options;
use super::{address, constructed, ini, script, tree};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::paths::absolute;
use crate::source_file::SourceFile;
use crate::yaml::{self, Node};

/// The endings of files that Ansible ignores in a directory of sources.
const IGNORED: [&str; 13] =
    [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".ini", ".cfg", ".retry"];

impl Inventory {
    /// Reads `sources` in order: files, scripts, directories of them, or lists of hosts (`a,b,`). Returns the inventory and
    /// warnings.
    ///
    /// # Errors
    ///
    /// The first error of each source.
    pub fn load(sources: &[String], options: &Options) -> Result<(Self, Vec<Diagnostic>), Diagnostics> {
        let mut inventory = Self::empty(options.clone());
        inventory.sources = sources.to_vec();
        let mut errors = Diagnostics::new();
        let mut any = false;
        for text in sources.iter().filter(|text| !text.is_empty()) {
            match load(&mut inventory, text) {
                Ok(parsed) => any |= parsed,
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        if any {
            inventory.reconcile()?;
        } else if options.unparsed_is_failed {
            let what = "No inventory was parsed, please check your configuration and options.";
            return Err(Diagnostic::user(what).into());
        } else if options.unparsed_warning {
            inventory.warn(Diagnostic::user("No inventory was parsed, only implicit localhost is available"));
        }
        let warnings = inventory.take_warnings();
        Ok((inventory, warnings))
    }

    /// Reads the sources again, and adds the additions of the run. Returns the inventory and warnings.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn refresh(&self) -> Result<(Self, Vec<Diagnostic>), Diagnostics> {
        let (mut fresh, mut warnings) = Self::load(&self.sources, &self.options)?;
        let hosts = |addition: &&Addition| matches!(addition, Addition::Host { .. });
        let (hosts, groups): (Vec<_>, Vec<_>) = self.additions.iter().partition(hosts);
        for addition in hosts.into_iter().chain(groups) {
            match addition {
                // A host that is no longer in the sources leaves its groups.
                Addition::Group { host, .. } if fresh.host(host).is_none() && !fresh.is_implicit(host) => {}
                addition => drop(fresh.add(addition.clone())?),
            }
        }
        warnings.extend(fresh.take_warnings());
        Ok((fresh, warnings))
    }
}

/// Reads `source` into `inventory`. Returns whether it exists and is not empty.
fn load(inventory: &mut Inventory, source: &str) -> Result<bool, Diagnostic> {
    let path = Path::new(source);
    if source.contains(',') && !path.exists() {
        host_list(inventory, source)?;
        return Ok(true);
    }
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    if !path.exists() {
        inventory.folders.push(absolute(folder));
        if inventory.options.any_unparsed_is_failed {
            return Err(Diagnostic::user(format!(
                "Completely failed to parse inventory source {}",
                absolute(path).display()
            )));
        }
        inventory.warn(Diagnostic::user(format!(
            "Unable to parse {} as an inventory source",
            absolute(path).display()
        )));
        return Ok(false);
    }
    // As in Ansible, a source does not see the variable files next to it while it is read (`use_vars_plugins`), but the
    // sources in a directory do.
    if path.is_dir() {
        inventory.folders.push(absolute(folder));
        return file_or_directory(inventory, path);
    }
    file(inventory, path)?;
    inventory.folders.push(absolute(folder));
    Ok(true)
}

fn file_or_directory(inventory: &mut Inventory, path: &Path) -> Result<bool, Diagnostic> {
    if !path.is_dir() {
        return file(inventory, path).map(|()| true);
    }
    let unreadable =
        |error: std::io::Error| Diagnostic::user(format!("cannot read {}: {error}", path.display()));
    let mut names = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>, _>>())
        .map_err(unreadable)?;
    names.sort();
    let mut any = false;
    for name in names {
        let text = name.to_string_lossy();
        let ignored = text.starts_with('.')
            || matches!(&*text, "host_vars" | "group_vars" | "vars_plugins")
            || IGNORED.iter().any(|ending| text.ends_with(ending));
        if !ignored {
            any |= file_or_directory(inventory, &path.join(&name))?;
        }
    }
    Ok(any)
}

fn file(inventory: &mut Inventory, path: &Path) -> Result<(), Diagnostic> {
    let whole = absolute(path);
    let folder = whole.parent().unwrap_or(Path::new("/")).display().to_string();
    inventory.current = Some((whole.display().to_string(), folder));
    if script::is_program(path)? {
        return script::read(inventory, path);
    }
    let source = SourceFile::read(path, &inventory.options.vault)?;
    let secret = source.secret;
    // Errors in an encrypted inventory must not quote it.
    text(inventory, path, &source).map_err(|problem| if secret { yaml::redacted(problem) } else { problem })
}

fn text(inventory: &mut Inventory, path: &Path, source: &SourceFile) -> Result<(), Diagnostic> {
    let (name, text, taint) = (&source.name, &source.text, source.taint());
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yml" | "yaml" | "json") => match source.yaml()? {
            Some(root) => read_yaml_root(inventory, &root),
            None => Ok(()),
        },
        Some("toml") => Err(Diagnostic::user(format!("{name}: inventories in TOML are not supported"))
            .hint(Some("write it as YAML or INI".to_owned()))),
        None => match source.yaml() {
            Ok(Some(root)) if root.as_map().is_some() => read_yaml_root(inventory, &root),
            Err(error) if looks_like_yaml(text) => Err(error),
            _ => ini::read(inventory, name, text, taint),
        },
        Some(_) => ini::read(inventory, name, text, taint),
    }
}

/// Reads an inventory in YAML, or the configuration of a plugin.
fn read_yaml_root(inventory: &mut Inventory, root: &Node) -> Result<(), Diagnostic> {
    match root.get("plugin") {
        Some(plugin) => constructed::read(inventory, plugin, root),
        None => tree::read(inventory, root),
    }
}

/// Returns whether the first line that is neither empty nor a comment can only be YAML.
fn looks_like_yaml(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.next().is_some_and(|line| line.starts_with("---") || line.ends_with(':'))
}

fn host_list(inventory: &mut Inventory, source: &str) -> Result<(), Diagnostic> {
    let folder = absolute(Path::new("")).display().to_string();
    inventory.current = Some((source.to_owned(), folder));
    for text in source.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let ranges = inventory.options.ranges_in_lists && address::parse(text).is_some();
        let (names, port) = if ranges {
            address::expand(text).map_err(|why| {
                Diagnostic::user(format!("Failed to parse {source} with advanced_host_list")).note(why)
            })?
        } else {
            let (name, port) = address::split_port(text);
            (vec![name.to_owned()], port)
        };
        for name in names {
            if inventory.host(&name).is_none() {
                inventory.add_host(&name, Some("ungrouped"), port)?;
            }
        }
    }
    Ok(())
}
