//! How a run is shown: by the command line, the settings, the terminal and the environment.

use crate::settings::Settings;

/// The width of headings without a terminal, and the least width with one.
const COLUMNS: usize = 79;

/// The output format of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Text for people, as `ansible-playbook` prints it.
    #[default]
    Text,
    /// JSON for programs, one object per line.
    Json,
}

/// How a run is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The output format.
    pub format: Format,
    /// How many `-v` were given.
    pub verbosity: u8,
    /// Whether to use color.
    pub color: bool,
    /// Whether to show the hosts in progress below the text.
    pub live: bool,
    /// The width of headings, and the width at which warnings are wrapped.
    pub columns: usize,
    /// Whether to show what `set_stats` collected after the recap.
    pub custom_stats: bool,
    /// Whether to show results that are `ok`.
    pub ok_hosts: bool,
    /// Whether to show results that are skipped.
    pub skipped_hosts: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: Format::Text,
            verbosity: 0,
            color: false,
            live: false,
            columns: COLUMNS,
            custom_stats: false,
            ok_hosts: true,
            skipped_hosts: true,
        }
    }
}

impl Options {
    /// Returns the options for the standard output and the environment of this process.
    pub fn detect(format: Format, verbosity: u8, settings: &Settings) -> Self {
        let terminal = console::Term::stdout();
        let columns = terminal.is_term().then(|| terminal.size().1.into());
        Self::new(format, verbosity, columns, settings, |name| std::env::var(name).ok())
    }

    /// Returns the options for a terminal of this width, or for `None`, and an environment.
    pub fn new(
        format: Format,
        verbosity: u8,
        terminal: Option<usize>,
        settings: &Settings,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let set = |name: &str| environment(name).is_some_and(|value| !value.is_empty());
        let capable = terminal.is_some() && set("TERM") && environment("TERM").as_deref() != Some("dumb");
        let plain = set("NO_COLOR") || settings.nocolor;
        let text = format == Format::Text;
        Self {
            format,
            verbosity,
            color: text && (settings.force_color || (capable && !plain)),
            live: text && capable && !set("CI"),
            columns: terminal.map_or(0, |columns| columns.saturating_sub(1)).max(COLUMNS),
            custom_stats: settings.show_custom_stats,
            ok_hosts: settings.display_ok_hosts,
            skipped_hosts: settings.display_skipped_hosts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(terminal: Option<usize>, environment: &[(&str, &str)]) -> (bool, bool, usize) {
        let find = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        let names: Vec<String> = environment.iter().map(|(name, _)| (*name).to_owned()).collect();
        let settings =
            crate::settings::read_with(std::path::Path::new("/nowhere"), &names, &find).unwrap().settings;
        let options = Options::new(Format::Text, 0, terminal, &settings, find);
        (options.color, options.live, options.columns)
    }

    #[test]
    fn color_live_display_and_width_follow_terminal_and_environment() {
        let xterm = ("TERM", "xterm");
        for (terminal, environment, expected) in [
            (None, &[xterm][..], (false, false, 79)),
            (Some(120), &[xterm], (true, true, 119)),
            (Some(60), &[xterm], (true, true, 79)),
            (Some(80), &[], (false, false, 79)),
            (Some(80), &[("TERM", "dumb")], (false, false, 79)),
            (Some(80), &[xterm, ("NO_COLOR", "1")], (false, true, 79)),
            (Some(80), &[xterm, ("NO_COLOR", "")], (true, true, 79)),
            (Some(80), &[xterm, ("ANSIBLE_NOCOLOR", "true")], (false, true, 79)),
            (Some(80), &[xterm, ("ANSIBLE_NOCOLOR", "no")], (true, true, 79)),
            (Some(80), &[xterm, ("CI", "true")], (true, false, 79)),
            (None, &[("ANSIBLE_FORCE_COLOR", "1")], (true, false, 79)),
            (None, &[("ANSIBLE_FORCE_COLOR", "yes"), ("NO_COLOR", "1")], (true, false, 79)),
        ] {
            assert_eq!(options(terminal, environment), expected, "{terminal:?} {environment:?}");
        }
    }

    #[test]
    fn json_has_neither_color_nor_live_display() {
        let options = Options::new(Format::Json, 0, Some(80), &Settings::default(), |_| Some("1".to_owned()));
        assert_eq!((options.color, options.live), (false, false));
    }
}
