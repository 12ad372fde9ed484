//! The settings that say where vault passwords come from.

use super::table::Settings;
use crate::secrets::VaultSources;

impl Settings {
    /// Returns the sources of vault passwords: `given` on the command line, and those of the settings.
    #[must_use]
    pub fn vault_sources(&self, mut given: VaultSources) -> VaultSources {
        given.ids.splice(0..0, self.vault_identity_list.iter().cloned());
        given.files.extend(self.vault_password_file.iter().map(|file| file.display().to_string()));
        given.ask |= self.ask_vault_pass;
        given.default_id = Some(self.vault_identity.clone());
        given.match_id = self.vault_id_match;
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_add_to_the_sources_of_the_command_line() {
        let given = VaultSources {
            ids: vec!["c@three".into()],
            files: vec!["four".into()],
            ..VaultSources::default()
        };
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let settings = Settings {
            vault_identity_list: texts(&["a@one", "b@two"]),
            vault_password_file: Some("five".into()),
            vault_identity: "own".to_owned(),
            vault_id_match: true,
            ask_vault_pass: true,
            ..Settings::default()
        };
        let expected = VaultSources {
            ids: texts(&["a@one", "b@two", "c@three"]),
            files: texts(&["four", "five"]),
            ask: true,
            default_id: Some("own".to_owned()),
            match_id: true,
        };
        assert_eq!(settings.vault_sources(given), expected);
    }
}
