//! The line editor of all questions: which key does what to the answer. It reads and writes nothing itself.

use super::Echo;
use super::raw::CTRL_C;

const CTRL_D: u8 = 4;
const BACKSPACE: u8 = 8;
const CTRL_U: u8 = 21;
const DELETE: u8 = 127;

/// Moves back over a character and blanks it.
const RUB_OUT: &[u8] = b"\x08 \x08";

/// What follows from a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The line goes on, after this is shown.
    Show(Vec<u8>),
    /// The line is complete.
    Submit,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D in an empty line.
    EndOfInput,
}

/// A line while it is typed.
pub(super) struct LineEditor {
    typed: Vec<u8>,
    echo: Echo,
    keep_control_characters: bool,
}

impl LineEditor {
    pub(super) fn new(echo: Echo, keep_control_characters: bool) -> Self {
        Self { typed: Vec::new(), echo, keep_control_characters }
    }

    pub(super) fn press(&mut self, key: u8) -> Step {
        match key {
            b'\r' | b'\n' => Step::Submit,
            CTRL_C => Step::Interrupt,
            CTRL_D if self.typed.is_empty() => Step::EndOfInput,
            CTRL_U => self.erase(usize::MAX),
            BACKSPACE | DELETE => self.erase(1),
            // There is no cursor that an escape sequence could move.
            _ if key < b' ' && !self.keep_control_characters => Step::Show(Vec::new()),
            _ => {
                self.typed.push(key);
                self.show(vec![key])
            }
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.typed
    }

    /// Erases the last `count` characters, or as many as there are.
    fn erase(&mut self, count: usize) -> Step {
        let mut shown = Vec::new();
        for _ in 0..count {
            // All bytes of a UTF-8 character but the first begin with the bits 10.
            let Some(start) = self.typed.iter().rposition(|byte| byte & 0xc0 != 0x80) else { break };
            self.typed.truncate(start);
            shown.extend(RUB_OUT);
        }
        self.show(shown)
    }

    fn show(&self, text: Vec<u8>) -> Step {
        Step::Show(if self.echo == Echo::On { text } else { Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Presses keys; returns the line, what was shown, and the last step.
    fn typed(mut line: LineEditor, keys: &[u8]) -> (String, String, Step) {
        let mut shown = Vec::new();
        let mut last = Step::Show(Vec::new());
        for key in keys {
            last = line.press(*key);
            if let Step::Show(text) = &last {
                shown.extend(text);
            }
        }
        (String::from_utf8(line.into_bytes()).unwrap(), String::from_utf8(shown).unwrap(), last)
    }

    #[test]
    fn characters_are_erased_whole() {
        let line = LineEditor::new(Echo::On, false);
        let expected = ("aé".to_owned(), "aéx\x08 \x08ü\x08 \x08".to_owned(), Step::Submit);
        assert_eq!(typed(line, "aéx\x7fü\x08\r".as_bytes()), expected);
    }

    #[test]
    fn ctrl_u_erases_the_line_and_no_more() {
        let line = LineEditor::new(Echo::On, false);
        assert_eq!(typed(line, b"ab\x15\x08c\n"), ("c".into(), "ab\x08 \x08\x08 \x08c".into(), Step::Submit));
    }

    #[test]
    fn a_hidden_line_shows_nothing() {
        let line = LineEditor::new(Echo::Off, false);
        assert_eq!(typed(line, b"secret\x08\r"), ("secre".into(), String::new(), Step::Submit));
    }

    #[test]
    fn control_characters_are_ignored_or_kept() {
        for (keep, expected) in [(false, "a[b"), (true, "a\x1b[\tb\x04")] {
            let line = LineEditor::new(Echo::On, keep);
            assert_eq!(typed(line, b"a\x1b[\tb\x04").0, expected);
        }
    }

    #[test]
    fn ctrl_c_and_ctrl_d_end_the_line() {
        for (keys, expected) in [(&b"a\x03"[..], Step::Interrupt), (b"a\x7f\x04", Step::EndOfInput)] {
            assert_eq!(typed(LineEditor::new(Echo::On, false), keys).2, expected);
        }
    }
}
