//! `setup`: facts about the node.

mod boot;
mod devices;
mod distribution;
mod files;
mod hardware;
mod host;
mod local;
mod network;
mod python;
mod user;
mod virtualization;

use std::convert::Infallible;

use convoy_protocol::{Map, Value, map};

use crate::args::NodePath;
use crate::failure::Failure;
use crate::files::glob;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

use files::Files;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Gathers facts about the node",
    description: "Facts are read from /proc, /sys and /etc, under Ansible's names; no program is started but those \
        in `fact_path` and the node's `python3`, if it has one, for facts about itself; no network file system is asked \
        for its size. Facts of Facter and Ohai, LVM and capabilities are not gathered, which only programs know.",
    example: "- name: Look again after the disk was added\n  setup:\n    gather_subset: [hardware]\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior { gathers_facts: true, ..Behavior::new(Access::ReadTree) };

crate::arguments! {
    /// Arguments of `setup`.
    pub struct Args {
        /// Which facts: `all`, `min`, `hardware`, `network`, single ones, and with `!` before, which not.
        gather_subset: Vec<String> [default("all")],
        /// Patterns of the names of facts to return; all without it.
        filter: Vec<String>,
        /// The directory of the node's own facts.
        fact_path: NodePath [default("/etc/ansible/facts.d")],
        /// How many seconds a slow source may take; none here is slow.
        gather_timeout: i64 [default("10")],
    }
}

type Collector = fn(&Args, &SystemView, &mut Map);

/// Name, group and function of each source; the group `min` is gathered unless it is excluded.
const SOURCES: &[(&str, &str, Collector)] = &[
    ("platform", "min", |_, view, facts| host::platform(view, facts)),
    ("distribution", "min", |_, view, facts| {
        distribution::collect(&Files::here(), view.program("lsb_release").is_some(), facts);
    }),
    ("user", "min", |_, view, facts| user::collect(view, facts)),
    ("env", "min", |_, view, facts| host::environment(view, facts)),
    ("date_time", "min", |_, view, facts| host::date_time(view, facts)),
    ("cmdline", "min", |_, _, facts| boot::command_line(&Files::here(), facts)),
    ("loadavg", "loadavg", |_, _, facts| boot::load(&Files::here(), facts)),
    ("ssh_pub_keys", "min", |_, _, facts| boot::host_keys(&Files::here(), facts)),
    ("iscsi", "iscsi", |_, _, facts| boot::iscsi(&Files::here(), facts)),
    ("nvme", "nvme", |_, _, facts| boot::nvme(&Files::here(), facts)),
    ("fibre_channel_wwn", "fibre_channel_wwn", |_, _, facts| boot::fibre_channel(&Files::here(), facts)),
    ("pkg_mgr", "min", |_, _, facts| distribution::package_manager(facts)),
    ("service_mgr", "min", |_, view, facts| host::service_manager(view, facts)),
    ("selinux", "min", |_, view, facts| host::security(view, facts)),
    ("chroot", "chroot", |_, view, facts| host::chroot(view, facts)),
    ("dns", "min", |_, _, facts| network::dns(facts)),
    ("local", "min", |args, view, facts| local::collect(view, &view.expand(&args.fact_path), facts)),
    ("python", "min", |_, view, facts| python::collect(view, facts)),
    ("hardware", "hardware", |_, _, facts| hardware::collect(facts)),
    ("hardware", "hardware", |_, _, facts| devices::collect(&Files::here(), facts)),
    ("hardware", "hardware", |_, _, facts| hardware::mounts(facts)),
    ("network", "network", |_, view, facts| network::collect(view, facts)),
    ("virtual", "virtual", |_, _, facts| virtualization::collect(&Files::here(), facts)),
];

/// Words that Ansible knows too, and what they mean here.
const ALIASES: &[(&str, &str)] = &[
    ("system", "platform"),
    ("kernel", "platform"),
    ("kernel_version", "platform"),
    ("machine", "platform"),
    ("machine_id", "platform"),
    ("architecture", "platform"),
    ("distribution_major_version", "distribution"),
    ("distribution_release", "distribution"),
    ("distribution_version", "distribution"),
    ("os_family", "distribution"),
    ("lsb", "distribution"),
    ("effective_group_ids", "user"),
    ("effective_user_id", "user"),
    ("real_user_id", "user"),
    ("user_dir", "user"),
    ("user_gecos", "user"),
    ("user_gid", "user"),
    ("user_id", "user"),
    ("user_shell", "user"),
    ("user_uid", "user"),
    ("apparmor", "selinux"),
    ("fips", "selinux"),
    ("systemd", "service_mgr"),
    ("is_chroot", "chroot"),
    ("ssh_host_key_dsa_public", "ssh_pub_keys"),
    ("ssh_host_key_ecdsa_public", "ssh_pub_keys"),
    ("ssh_host_key_ed25519_public", "ssh_pub_keys"),
    ("ssh_host_key_rsa_public", "ssh_pub_keys"),
    ("ssh_host_pub_keys", "ssh_pub_keys"),
    ("interfaces", "network"),
    ("default_ipv4", "network"),
    ("default_ipv6", "network"),
    ("all_ipv4_addresses", "network"),
    ("all_ipv6_addresses", "network"),
    ("devices", "hardware"),
    ("mounts", "hardware"),
    ("processor", "hardware"),
    ("processor_cores", "hardware"),
    ("processor_count", "hardware"),
    ("python_version", "python"),
    ("virtualization_role", "virtual"),
    ("virtualization_tech_guest", "virtual"),
    ("virtualization_tech_host", "virtual"),
    ("virtualization_type", "virtual"),
];

/// Sources that are gathered along with others, even if they are excluded.
const ALONG: &[(&str, &[&str])] = &[
    ("hardware", &["platform"]),
    ("network", &["platform", "distribution"]),
    ("pkg_mgr", &["distribution"]),
    ("service_mgr", &["platform", "distribution"]),
];

/// Words that Ansible knows and that bring no facts here.
const EMPTY: &[&str] = &["ohai", "facter", "caps", "system_capabilities", "system_capabilities_enforced"];

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
        known.extend(ALIASES.iter().map(|alias| alias.0).chain(EMPTY.iter().copied()).chain(["all"]));
        known.sort_unstable();
        known.dedup();
        Failure::new(format!(
            "Bad subset '{word}' given to Ansible. gather_subset options allowed: {}",
            known.join(", ")
        ))
    };
    let (mut wanted, mut unwanted, mut named) = (Vec::new(), Vec::new(), Vec::new());
    for word in subset.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        if let Some(word) = word.strip_prefix('!') {
            let mut sources = sources_of(word).unwrap_or_default();
            // `!all` leaves the small ones; `!min` takes those away.
            if word == "all" {
                sources.retain(|i| SOURCES[*i].1 != "min");
            }
            unwanted.extend(sources);
        } else {
            let sources = sources_of(word).ok_or_else(|| unknown(word))?;
            // What is named by itself is gathered, whatever is excluded.
            if !matches!(word, "all" | "min") {
                named.extend(&sources);
            }
            wanted.extend(sources);
        }
    }
    let small = |i: &usize| SOURCES[*i].1 == "min" && !unwanted.contains(i);
    let asked = |i: &usize| named.contains(i) || small(i) || (wanted.contains(i) && !unwanted.contains(i));
    let mut chosen: Vec<usize> = (0..SOURCES.len()).filter(asked).collect();
    let along =
        |i: &usize| ALONG.iter().find(|(name, _)| *name == SOURCES[*i].0).map_or(&[][..], |(_, names)| names);
    let needed: Vec<&str> = chosen.iter().flat_map(along).copied().collect();
    chosen.extend((0..SOURCES.len()).filter(|i| needed.contains(&SOURCES[*i].0)));
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

/// Gathers.
///
/// # Errors
/// If `gather_subset` names something unknown.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Infallible>, Failure> {
    let mut facts = Map::new();
    for source in chosen(&args.gather_subset)? {
        SOURCES[source].2(args, view, &mut facts);
    }
    let filters: Vec<&str> = args.filter.iter().map(|f| f.trim()).filter(|f| !f.is_empty()).collect();
    let named = facts.into_iter().filter_map(|(key, value)| {
        let plain = key.as_str()?;
        let name = format!("ansible_{plain}");
        let asked =
            filters.is_empty() || filters.iter().any(|f| glob::matches(f, &name) || glob::matches(f, plain));
        asked.then_some((name.into(), value))
    });
    let mut facts: Map = named.collect();
    if filters.is_empty() {
        let subset: Value = args.gather_subset.iter().map(|word| Value::from(word.trim())).collect();
        facts.extend(map! { "gather_subset" => subset, "module_setup" => true });
    }
    Ok(Checked::Same(map! { "ansible_facts" => facts }))
}

/// Is never reached: there is nothing to do.
///
/// # Errors
/// None.
pub fn apply(_args: &Args, plan: Infallible, _node: &mut System) -> Result<Done, Failure> {
    match plan {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the sources that a subset comes to, each name once.
    fn names(subset: &str) -> String {
        let words: Vec<String> = subset.split(',').map(str::to_owned).collect();
        let mut names: Vec<&str> = chosen(&words).unwrap().into_iter().map(|i| SOURCES[i].0).collect();
        names.dedup();
        names.join(" ")
    }

    // Compared with what ansible-core 2.18 gathers.
    #[test]
    fn subsets_are_put_together_as_in_ansible() {
        let small = "platform distribution user env date_time cmdline ssh_pub_keys pkg_mgr service_mgr selinux dns local python";
        for (subset, expected) in [
            ("!all", small.to_owned()),
            ("min", small.to_owned()),
            ("!hardware", small.to_owned()),
            ("!all,!min", String::new()),
            ("!all,!min,hardware", "platform hardware".to_owned()),
            ("!all,!min,mounts", "platform hardware".to_owned()),
            ("!all,!min,interfaces", "platform distribution network".to_owned()),
            ("!all,!min,virtualization_type", "virtual".to_owned()),
            ("!all,!min,pkg_mgr", "distribution pkg_mgr".to_owned()),
            ("network,!hardware", format!("{small} network")),
            ("!all,!min,facter", String::new()),
        ] {
            assert_eq!(names(subset), expected, "{subset}");
        }
        let all = names("all");
        assert!(
            ["loadavg", "iscsi", "chroot", "hardware", "virtual"].iter().all(|name| all.contains(name)),
            "{all}"
        );
        assert_eq!(
            names("all,!hardware,!network"),
            names("all").replace(" hardware", "").replace(" network", "")
        );
    }

    #[test]
    fn the_words_are_those_of_ansible() {
        let error = chosen(&["nonsense".to_owned()]).unwrap_err();
        let allowed = "all, all_ipv4_addresses, all_ipv6_addresses, apparmor, architecture, caps, chroot, cmdline, \
            date_time, default_ipv4, default_ipv6, devices, distribution, distribution_major_version, \
            distribution_release, distribution_version, dns, effective_group_ids, effective_user_id, env, facter, \
            fibre_channel_wwn, fips, hardware, interfaces, is_chroot, iscsi, kernel, kernel_version, loadavg, local, lsb, \
            machine, machine_id, mounts, network, nvme, ohai, os_family, pkg_mgr, platform, processor, processor_cores, \
            processor_count, python, python_version, real_user_id, selinux, service_mgr, ssh_host_key_dsa_public, \
            ssh_host_key_ecdsa_public, ssh_host_key_ed25519_public, ssh_host_key_rsa_public, ssh_host_pub_keys, \
            ssh_pub_keys, system, system_capabilities, system_capabilities_enforced, systemd, user, user_dir, user_gecos, \
            user_gid, user_id, user_shell, user_uid, virtual, virtualization_role, virtualization_tech_guest, \
            virtualization_tech_host, virtualization_type";
        assert_eq!(
            error.msg,
            format!("Bad subset 'nonsense' given to Ansible. gather_subset options allowed: {allowed}")
        );
    }
}
