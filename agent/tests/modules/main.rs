//! The modules through their one entry point, on real files.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy spares only the tests' own functions"
)]

mod accounts;
mod apt;
mod archive_info;
#[path = "../../../archive/tests/reader/builder.rs"]
mod archives;
mod assemble;
mod blockinfile;
mod blockinfile_cases;
mod carry_errors;
mod copy;
mod cron;
mod debconf;
mod edits;
mod execute;
mod failures;
mod fetch;
mod file;
mod find;
mod get_url;
mod harness;
mod isolated;
mod keystore;
mod known_hosts;
mod lineinfile;
mod lineinfile_cases;
mod log4j2_convert;
mod properties;
mod properties_carry;
mod replace;
mod replace_cases;
mod scripts;
mod server;
mod services;
mod system_view;
mod tempfile;
mod toml;
mod toml_carry;
mod unarchive;
mod undo;
mod uri;
mod xml;
