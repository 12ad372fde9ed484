//! Changes of the product's own default files, carried from the old version into the new one.

#[cfg(test)]
#[path = "../../../agent/tests/modules/harness.rs"]
#[expect(dead_code, reason = "these tests need less of it than the modules' own")]
mod harness;
#[cfg(test)]
mod log4j2;
#[cfg(test)]
mod random;
#[cfg(test)]
mod toml;
