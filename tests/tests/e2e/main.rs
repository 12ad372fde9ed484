//! End-to-end tests: the built command `convoy` against real OpenSSH servers.

#[cfg(test)]
mod ansible;
#[cfg(test)]
mod archives;
#[cfg(test)]
mod basics;
#[cfg(test)]
#[path = "../../../archive/tests/reader/builder.rs"]
#[expect(dead_code, reason = "written for the archive tests; these use only a part of it")]
mod builder;
#[cfg(test)]
mod check;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod deferred_errors;
#[cfg(test)]
mod error_messages;
#[cfg(test)]
mod fetch;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod interactive;
#[cfg(test)]
mod interruptions;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod language;
#[cfg(test)]
mod locks;
#[cfg(test)]
mod machines;
#[cfg(test)]
mod modules;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod privilege_escalation;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod undo;
#[cfg(test)]
mod undo_blocks;
#[cfg(test)]
mod undo_edge_cases;
#[cfg(test)]
mod undo_variables;
#[cfg(test)]
mod unreachable;
#[cfg(test)]
mod variables;
#[cfg(test)]
mod vault;
#[cfg(test)]
mod vault_errors;
#[cfg(test)]
mod wso2;
