//! Variables: where each comes from, which one wins, and what a task sees of them.

pub mod magic;
pub mod precedence;
pub mod scope;
pub mod store;

pub use scope::{TaskScope, merged};
pub use store::Store;
