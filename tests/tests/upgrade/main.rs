//! The upgrade playbook for WSO2 API Manager, on homes made from WSO2's default files.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may panic, too; clippy exempts only the tests themselves"
)]

#[path = "../../../archive/tests/reader/builder.rs"]
#[expect(dead_code, reason = "written for the archive tests; these use only a part of it")]
mod builder;
mod cluster;
mod databases;
mod files;
mod five_nodes;
mod packs;
mod preconditions;
