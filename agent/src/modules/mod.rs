//! The modules. A new one is a file here and a word in the list.

use convoy_protocol::message::Order;

use crate::module::{Module, drive};

/// Declares modules and a table of them.
macro_rules! modules {
    ($(#[$doc:meta])* $table:ident: $($name:ident),* $(,)?) => {
        $(pub mod $name;)*

        $(#[$doc])*
        pub const $table: &[Module] = &[$(
            Module {
                name: stringify!($name),
                doc: $name::DOC,
                behavior: $name::BEHAVIOR,
                spec: <$name::Args as crate::args::Arguments>::SPEC,
                run: |order, earnest, node| drive(order, earnest, node, $name::BEHAVIOR, ($name::check, $name::apply)),
            },
        )*];
    };
}

modules! {
    /// All modules, in the order of their names.
    ALL:
    apt,
    archive_info,
    assemble,
    async_status,
    blockinfile,
    command,
    copy,
    cron,
    debconf,
    fetch,
    file,
    find,
    gather_facts,
    get_url,
    getent,
    group,
    keystore,
    known_hosts,
    lineinfile,
    log4j2_convert,
    package,
    ping,
    properties,
    properties_carry,
    raw,
    replace,
    script,
    service,
    setup,
    shell,
    slurp,
    stat,
    systemd,
    systemd_service,
    tempfile,
    template,
    toml,
    toml_carry,
    unarchive,
    uri,
    user,
    wait_for,
    xml,
}

modules! {
    /// Modules that convoy itself asks for, and no playbook.
    INTERNAL:
    undo,
}

/// Finds a module that an agent is asked for.
pub(crate) fn find_any(name: &str) -> Option<&'static Module> {
    find(name).or_else(|| INTERNAL.iter().find(|module| module.name == name))
}

/// Returns whether an order, in earnest, may change its node; one of a module that is not known may.
pub fn writes(order: &Order) -> bool {
    find_any(&order.module).is_none_or(|module| module.behavior.access.writes(&order.args))
}

/// Finds a module by its name, with or without `ansible.builtin.` or `ansible.legacy.` before it.
pub fn find(name: &str) -> Option<&'static Module> {
    let short = name
        .strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.legacy."))
        .unwrap_or(name);
    ALL.iter().find(|module| module.name == short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_is_documented() {
        for module in ALL.iter().chain(INTERNAL) {
            assert!(
                !module.doc.summary.is_empty() && module.doc.example.contains(module.name),
                "{}",
                module.name
            );
            for param in module.spec.params {
                assert!(!param.doc.trim().is_empty(), "{}: {}", module.name, param.name);
            }
        }
        assert!(ALL.is_sorted_by_key(|module| module.name));
    }

    #[test]
    fn names_are_found_with_their_collection() {
        assert_eq!(find("ansible.builtin.ping").map(|m| m.name), Some("ping"));
        assert!(find("community.general.ping").is_none());
    }
}
