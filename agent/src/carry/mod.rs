//! The three-way difference: what a user changed of an old default, carried into what a new version brings.
//!
//! Pure: it compares [`Flat`] files key by key and says what would become of each key that the user changed. What the
//! format is, and how a file is edited, is the modules' business.

mod answers;
mod args;
mod case;
mod compare;
mod dialect;
mod finding;
mod flat;
pub mod log4j2;
mod pattern;
mod report;
mod rule;

pub use answers::Answers;
pub use args::{CarryArgs, Source, patterns};
pub use compare::{Choices, Sides, compare};
pub use finding::{Finding, Verdict};
pub use flat::{Flat, property, property_path};
pub use pattern::Pattern;
pub use report::values;
pub use rule::Rule;

pub use dialect::{Dialect, equivalent, scalar_text};

#[cfg(test)]
mod tests;
