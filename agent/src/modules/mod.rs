//! The modules. A new one is a file here and a word in the list.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use convoy_protocol::Outcome;
use convoy_protocol::message::Order;

use crate::failure::Failure;
use crate::module::{Module, run_order};
use crate::system::System;

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
                run: |order, execute, node| run_order(order, execute, node, $name::BEHAVIOR, ($name::check, $name::apply)),
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
fn find_any(name: &str) -> Option<&'static Module> {
    find(name).or_else(|| INTERNAL.iter().find(|module| module.name == name))
}

/// Does an order by its module.
///
/// # Errors
/// If there is no such module, or it crashed: then `system` is not to be used again.
pub(crate) fn run(order: &Order, execute: bool, system: &mut System) -> Result<Outcome, Failure> {
    let module = find_any(&order.module)
        .ok_or_else(|| Failure::new(format!("this agent has no module '{}'", order.module)))?;
    catch_unwind(AssertUnwindSafe(|| (module.run)(order, execute, system)))
        .map_err(|panic| Failure::new(format!("the module crashed: {}", words(&*panic))))
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it did not say why")
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
    fn a_panic_is_put_in_words() {
        assert_eq!(words(&"a"), "a");
        assert_eq!(words(&"b".to_owned()), "b");
        assert_eq!(words(&1), "it did not say why");
    }

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
