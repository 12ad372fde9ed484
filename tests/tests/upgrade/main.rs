//! The upgrade of WSO2 API Manager, on homes that are made of the product's own default files.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy spares only the tests' own functions"
)]

#[path = "../../../archive/tests/reader/builder.rs"]
#[expect(dead_code, reason = "written for the tests of the reader; these need less of it")]
mod builder;
mod cluster;
mod databases;
mod files;
mod five;
mod guards;
mod packs;
