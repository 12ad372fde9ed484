//! `setup`: facts about the node.

mod distribution;
mod hardware;
mod host;
mod local;
mod network;
mod user;

use std::convert::Infallible;

use convoy_protocol::{Map, Value, map};

use crate::args::NodePath;
use crate::files::glob;
use crate::module::{Checked, Doc, Done, Failure};
use crate::system::{Look, System};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Gathers facts about the node",
    description: "Facts are read from /proc, /sys and /etc, under Ansible's names; no program is started but those \
        in `fact_path`. Facts about Python, virtualization and disks are not gathered.",
    example: "- name: Look again after the disk was added\n  setup:\n    gather_subset: [hardware]\n",
};

crate::arguments! {
    /// Arguments of `setup`.
    pub struct Args {
        /// Which facts: `all`, `min`, `hardware`, `network`, single ones, and with `!` before, which not.
        gather_subset: Vec<String> [default("all")],
        /// Patterns of the names of facts to return; all without it.
        filter: Vec<String>,
        /// The folder of the node's own facts.
        fact_path: NodePath [default("/etc/ansible/facts.d")],
        /// How many seconds a slow source may take; none here is slow.
        gather_timeout: i64 [default("10")],
    }
}

type Collector = fn(&Args, &Look, &mut Map);

/// Name, group and function of each source; the group `min` is gathered unless it is excluded.
const SOURCES: &[(&str, &str, Collector)] = &[
    ("platform", "min", |_, look, facts| host::platform(look, facts)),
    ("distribution", "min", |_, look, facts| distribution::collect(look, facts)),
    ("user", "min", |_, look, facts| user::collect(look, facts)),
    ("env", "min", |_, look, facts| host::environment(look, facts)),
    ("date_time", "min", |_, look, facts| host::date_time(look, facts)),
    ("pkg_mgr", "min", |_, look, facts| distribution::package_manager(look, facts)),
    ("service_mgr", "min", |_, look, facts| host::service_manager(look, facts)),
    ("selinux", "min", |_, look, facts| host::security(look, facts)),
    ("chroot", "min", |_, look, facts| host::chroot(look, facts)),
    ("dns", "min", |_, look, facts| network::dns(look, facts)),
    ("local", "min", |args, look, facts| local::collect(look, &look.expand(&args.fact_path), facts)),
    ("hardware", "hardware", |_, look, facts| hardware::collect(look, facts)),
    ("mounts", "hardware", |_, look, facts| hardware::mounts(look, facts)),
    ("network", "network", |_, look, facts| network::collect(look, facts)),
];

/// Words that Ansible knows too, and what they mean here.
const ALIASES: &[(&str, &str)] = &[
    ("system", "platform"),
    ("kernel", "platform"),
    ("machine", "platform"),
    ("machine_id", "platform"),
    ("architecture", "platform"),
    ("lsb", "distribution"),
    ("apparmor", "selinux"),
    ("fips", "selinux"),
    ("is_chroot", "chroot"),
    ("interfaces", "network"),
    ("default_ipv4", "network"),
    ("default_ipv6", "network"),
    ("all_ipv4_addresses", "network"),
    ("all_ipv6_addresses", "network"),
    ("processor", "hardware"),
    ("processor_cores", "hardware"),
    ("processor_count", "hardware"),
    ("devices", "hardware"),
    ("uptime_seconds", "hardware"),
];

/// Words that Ansible knows and that bring no facts here.
const EMPTY: &[&str] = &["virtual", "ohai", "facter", "python", "caps", "cmdline", "ssh_pub_keys", "dmi", "loadavg"];

fn sources_of(word: &str) -> Option<Vec<usize>> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == word).map_or(word, |(_, name)| name);
    let found: Vec<usize> = SOURCES
        .iter()
        .enumerate()
        .filter(|(_, (source, group, _))| name == "all" || name == *source || name == *group)
        .map(|(i, _)| i)
        .collect();
    (!found.is_empty() || EMPTY.contains(&word)).then_some(found)
}

/// Returns the sources that `subset` asks for.
fn chosen(subset: &[String]) -> Result<Vec<usize>, Failure> {
    let unknown = |word: &str| {
        let mut known: Vec<&str> = SOURCES.iter().map(|source| source.0).collect();
        known.extend(ALIASES.iter().map(|alias| alias.0).chain(EMPTY.iter().copied()).chain(["all", "min"]));
        known.sort_unstable();
        Failure::new(format!(
            "Bad subset '{word}' given to Ansible. gather_subset options allowed: {}",
            known.join(", ")
        ))
    };
    let (mut wanted, mut unwanted, mut named) = (Vec::new(), Vec::new(), Vec::new());
    let mut only_exclusions = true;
    for word in subset.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        if let Some(word) = word.strip_prefix('!') {
            let mut sources = sources_of(word).unwrap_or_default();
            // `!all` leaves the small ones; `!min` takes those away.
            if word == "all" {
                sources.retain(|i| SOURCES[*i].1 != "min");
            }
            unwanted.extend(sources);
        } else {
            only_exclusions = false;
            let sources = sources_of(word).ok_or_else(|| unknown(word))?;
            // What is named by itself is gathered, whatever is excluded.
            if !matches!(word, "all" | "min") {
                named.extend(&sources);
            }
            wanted.extend(sources);
        }
    }
    let small = |i: &usize| SOURCES[*i].1 == "min" && !unwanted.contains(i);
    let all = |i: &usize| only_exclusions && !unwanted.contains(i);
    Ok((0..SOURCES.len())
        .filter(|i| named.contains(i) || small(i) || all(i) || (wanted.contains(i) && !unwanted.contains(i)))
        .collect())
}

/// Gathers.
///
/// # Errors
/// If `gather_subset` names something unknown.
pub fn check(args: &Args, look: &Look) -> Result<Checked<Infallible>, Failure> {
    let mut facts = Map::new();
    for source in chosen(&args.gather_subset)? {
        SOURCES[source].2(args, look, &mut facts);
    }
    let filters: Vec<&str> = args.filter.iter().map(|f| f.trim()).filter(|f| !f.is_empty()).collect();
    let named = facts.into_iter().filter_map(|(key, value)| {
        let plain = key.as_str()?;
        let name = format!("ansible_{plain}");
        let asked = filters.is_empty() || filters.iter().any(|f| glob::matches(f, &name) || glob::matches(f, plain));
        asked.then_some((name.into(), value))
    });
    let mut facts: Map = named.collect();
    if filters.is_empty() {
        let subset: Value = args.gather_subset.iter().map(|word| Value::from(word.trim())).collect();
        facts.extend(map! { "gather_subset" => subset, "module_setup" => true });
    }
    Ok(Checked::Same(map! { "ansible_facts" => facts }))
}

/// Returns the text of a small file of the kernel or of the system; empty if it cannot be read.
fn slurp(path: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Is never reached: there is nothing to do.
///
/// # Errors
/// None.
pub fn apply(_args: &Args, plan: Infallible, _node: &mut System) -> Result<Done, Failure> {
    match plan {}
}
