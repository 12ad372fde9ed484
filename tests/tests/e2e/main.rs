//! The command `convoy` as it is built, against real OpenSSH servers.

#[cfg(test)]
mod ansible;
#[cfg(test)]
mod archives;
#[cfg(test)]
mod becoming;
#[cfg(test)]
#[path = "../../../archive/tests/reader/builder.rs"]
#[expect(dead_code, reason = "written for the tests of the reader; these need less of it")]
mod builder;
#[cfg(test)]
mod check;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod due;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fetch;
#[cfg(test)]
mod first;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod interactive;
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
mod names;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod refused;
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
mod undo_edges;
#[cfg(test)]
mod undo_variables;
#[cfg(test)]
mod unreachable;
#[cfg(test)]
mod vault;
#[cfg(test)]
mod vault_errors;
#[cfg(test)]
mod wso2;
