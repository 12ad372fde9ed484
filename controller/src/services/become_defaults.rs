//! How `become` is asked for outside of playbooks and inventory: on the command line, in the settings, in the environment.

use std::collections::HashMap;

/// How `become` is asked for outside of playbooks and inventory.
#[derive(Debug, Clone, Default)]
pub struct BecomeDefaults {
    /// `-b`, or the setting.
    pub r#become: bool,
    /// `--become-method`, or the setting.
    pub method: String,
    /// `--become-user`.
    pub user: Option<String>,
    /// `-K` and its like.
    pub password: Option<String>,
    /// `ANSIBLE_BECOME_USER`, `ANSIBLE_SUDO_USER` and their like, as far as they are set.
    pub environment: HashMap<String, String>,
}

/// Returns whether a variable of the environment is one of those in [`BecomeDefaults::environment`].
pub fn is_setting(name: &str) -> bool {
    let methods = ["BECOME", "SUDO", "SU", "DOAS"];
    let word = name.strip_prefix("ANSIBLE_").and_then(|rest| rest.split_once('_'));
    word.is_some_and(|(method, word)| {
        methods.contains(&method) && ["USER", "EXE", "FLAGS", "PASS"].contains(&word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_variables_of_become_are_recognized() {
        for name in ["ANSIBLE_BECOME_USER", "ANSIBLE_SU_PASS", "ANSIBLE_DOAS_EXE"] {
            assert!(is_setting(name), "{name}");
        }
        for name in ["ANSIBLE_BECOME", "ANSIBLE_BECOME_METHOD", "ANSIBLE_USER", "SUDO_USER"] {
            assert!(!is_setting(name), "{name}");
        }
    }
}
