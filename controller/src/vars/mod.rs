//! Variables: where each comes from, which one takes precedence, and what a task sees.
//!
//! [`store`] holds what is known about each host. [`precedence`] orders the sources. [`magic`] computes the variables
//! that Ansible calls magic, such as `groups` and `ansible_play_hosts`. [`scope`] puts them together into the scope in
//! which a task's templates are rendered. Rendering itself is the work of [`crate::template`].

pub mod magic;
pub mod precedence;
pub mod scope;
pub mod store;

pub use scope::TaskScope;
pub use store::Store;
