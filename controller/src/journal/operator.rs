//! Who runs convoy: recorded in journals, and shown to other users of the same nodes.

use crate::passwd;

/// Returns the user who runs this process, and on which machine: `ann@desk`, or `ann as root@desk` under sudo.
pub fn operator() -> String {
    let id = rustix::process::getuid();
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = passwd::own_name().or_else(|| set("USER")).unwrap_or_else(|| id.as_raw().to_string());
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy();
    match set("SUDO_USER").filter(|_| id.is_root()) {
        Some(invoker) => format!("{invoker} as {user}@{machine}"),
        None => format!("{user}@{machine}"),
    }
}
