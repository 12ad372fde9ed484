//! Jobs, through the agent's own program: what outlives it, and what is told of that.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy spares only the tests' own functions"
)]

mod ends;
mod harness;
mod outlives;
mod secrets;
