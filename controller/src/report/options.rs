//! How a run is shown, from the command line, the terminal and the environment.

use crate::settings::Settings;

/// The columns of a heading where there is no terminal, and at least.
const COLUMNS: usize = 79;

/// In what form a run is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people, as `ansible-playbook` prints it.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// How a run is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// In what form.
    pub format: Format,
    /// How many `-v` were given.
    pub verbosity: u8,
    /// Whether in colour.
    pub color: bool,
    /// Whether what is being worked on is shown below the text.
    pub live: bool,
    /// The columns of a heading, and where warnings are folded.
    pub columns: usize,
    /// Whether the recap shows what `set_stats` collected.
    pub custom_stats: bool,
    /// Whether results of hosts that had nothing to do are shown.
    pub ok_hosts: bool,
    /// Whether results of hosts that were skipped are shown.
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
    /// Returns the options for this process's standard output and environment.
    pub fn detect(format: Format, verbosity: u8, settings: &Settings) -> Self {
        let terminal = console::Term::stdout();
        let columns = terminal.is_term().then(|| terminal.size().1.into());
        Self::new(format, verbosity, columns, settings, |name| std::env::var(name).ok())
    }

    /// Returns the options for a terminal of so many columns, or for none, in an environment.
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
    fn what_terminal_and_environment_decide() {
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
    fn json_has_neither_colour_nor_display() {
        let options = Options::new(Format::Json, 0, Some(80), &Settings::default(), |_| Some("1".to_owned()));
        assert_eq!((options.color, options.live), (false, false));
    }
}
