//! Makes a task ready for one host: keywords, conditions, loops, arguments, how the host is reached.

pub mod become_user;
pub mod files;
pub mod keywords;
pub mod loops;
pub mod task;
