//! The upgrade of WSO2 API Manager, on homes that are made of the product's own default files.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy spares only the tests' own functions"
)]

mod cluster;
mod databases;
mod files;
mod five;
mod guards;
mod packs;
