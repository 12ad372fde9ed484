//! Jinja's tests, as in `x is defined`. Ansible calls them test plugins.
//!
//! To add a test, write it in `ansible` or `jinja` and add it to the table `TESTS` there.

mod ansible;
mod jinja;
mod version;

pub(super) use ansible::member_of;

use super::rendering::Test;

/// Returns the test called `name`.
pub(super) fn find(name: &str) -> Option<Test> {
    jinja::find(name).or_else(|| ansible::find(name))
}
