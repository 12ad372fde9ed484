//! What is to be done to an account.

use std::ffi::OsString;

/// What is to be done, in this order.
#[derive(Debug, Default)]
pub struct Plan {
    /// Programs that make, change or remove the account.
    pub(super) programs: Vec<Vec<OsString>>,
    /// The hash to be set.
    pub(super) password: Option<String>,
    /// Whether the home directory is made.
    pub(super) home: bool,
    /// Whether a key is made.
    pub(super) key: bool,
    /// The ages of the password.
    pub(super) chage: Option<Vec<OsString>>,
    /// Whether the account is new.
    pub(super) creates: bool,
}

impl Plan {
    pub(super) fn is_empty(&self) -> bool {
        self.programs.is_empty() && self.password.is_none() && !self.home && !self.key && self.chage.is_none()
    }
}
