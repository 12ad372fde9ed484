//! Jinja's tests, as in `x is defined`. Ansible calls them test plugins.

mod ansible;
mod jinja;
mod version;

pub(super) use ansible::member_of;

use super::rendering::Test;

/// Returns the test called `name`.
pub(super) fn find(name: &str) -> Option<Test> {
    jinja::find(name).or_else(|| ansible::find(name))
}
