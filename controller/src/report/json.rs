//! Prints a run as JSON lines, one object per event. `docs/json-output.md` describes them.

use std::fmt;
use std::io::{self, Write as _};

use super::options::Options;
use super::screen::Sink;
use crate::events::{Reporter, RunEvent, object};
use crate::text::json;

/// Prints a run as JSON lines.
pub struct Json {
    out: Sink,
    verbosity: u8,
    fault: Option<io::Error>,
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Json")
            .field("verbosity", &self.verbosity)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

impl Json {
    /// Returns a reporter that prints to `out`.
    pub fn new(options: &Options, out: Sink) -> Self {
        Self { out, verbosity: options.verbosity, fault: None }
    }
}

impl Reporter for Json {
    fn event(&mut self, event: &RunEvent) {
        if self.fault.is_some() {
            return;
        }
        match event {
            RunEvent::Verbose { level, .. } if *level > self.verbosity => return,
            RunEvent::Noted(_) => return,
            _ => {}
        }
        let line = line(event);
        let written = self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush());
        self.fault = written.err();
    }

    fn fault(&self) -> Option<&io::Error> {
        self.fault.as_ref()
    }
}

/// Returns an event as a line.
fn line(event: &RunEvent) -> String {
    let mut line =
        json::map_to_string(&object::of(event), json::Style { hide_secrets: true, ..json::Style::default() });
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, Capture};
    use super::*;

    fn printed(events: &[RunEvent], verbosity: u8) -> String {
        let out = Capture::default();
        let mut json = Json::new(&Options { verbosity, ..Options::default() }, out.sink());
        events.iter().for_each(|event| json.event(event));
        assert!(json.fault().is_none());
        out.text()
    }

    #[test]
    fn the_documentation_shows_what_is_printed() {
        let page = include_str!("../../../docs/json-output.md");
        let shown: Vec<_> = page.lines().filter(|line| line.starts_with("{\"event\"")).collect();
        let printed = printed(&sample::each_event(), 4);
        assert_eq!(shown, printed.lines().collect::<Vec<_>>());
    }

    #[test]
    fn every_line_is_json_without_secrets() {
        let printed = printed(&sample::each_event(), 4);
        assert!(!printed.contains("hunter2"), "{printed}");
        for line in printed.lines() {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(object["event"].is_string(), "{line}");
        }
    }

    #[test]
    fn verbose_events_are_printed_only_at_their_verbosity() {
        let event = RunEvent::Verbose { level: 3, host: None, text: "connecting".into() };
        assert_eq!(printed(std::slice::from_ref(&event), 2), "");
        assert_eq!(
            printed(&[event], 3),
            "{\"event\": \"verbose\", \"level\": 3, \"host\": null, \"text\": \"connecting\"}\n"
        );
    }
}
