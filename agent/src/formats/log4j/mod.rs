//! Settings of log4j 1, and what they are in a file of log4j 2.

mod appender;
mod merge;
mod old;
mod outcome;
mod pattern;

pub use merge::{Conversion, merge};
pub use old::Configuration;
pub use outcome::{Conflict, Converted, Log4jError, Unmapped};
