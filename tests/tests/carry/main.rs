//! Carrying changes from WSO2's old default files into the new ones: `toml_carry` and `properties_carry`.

#[cfg(test)]
#[path = "../../../agent/tests/modules/harness.rs"]
#[expect(dead_code, reason = "written for the module tests; these use only a part of it")]
mod harness;
#[cfg(test)]
mod log4j2;
#[cfg(test)]
mod random;
#[cfg(test)]
mod toml;
