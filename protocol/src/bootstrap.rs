//! The shell script that starts an agent on a node, and the parser for what it prints.
//!
//! The node needs `sh`, `dd`, `sha256sum` and a few more standard tools, from coreutils or busybox.

use std::fmt::Write as _;

use crate::Digest;
use crate::frame::MAGIC;

/// An agent program that can be sent to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentBinary {
    /// The output of `uname -m` on machines that can run it.
    pub machine: String,
    /// The digest of the program.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: usize,
    /// Its size after gzip compression; `None` if no compressed copy exists.
    pub packed: Option<usize>,
}

/// The prefix of every line that the bootstrap script prints. The script spells it in two pieces, so that a shell that
/// echoes its input is not mistaken for an answer.
const MARK: &[u8] = b"convoy-bootstrap-1 ";

/// How many bytes of other output, such as a login banner, are accepted before the agent's first frame.
const NOISE: usize = 64 * 1024;

/// How many characters of that output are quoted in error messages.
const SHOWN: usize = 1000;

/// Returns the shell script that starts whichever of the offered agents fits the machine.
///
/// If the node has the agent already, the script runs it at once. Otherwise it asks for the program and reads it from
/// standard input, after discarding the first `ahead` bytes: the sender had sent them before it could know that the agent
/// is missing, and has to send them again.
pub fn script(offers: &[AgentBinary], ahead: usize) -> String {
    let mut agents = String::new();
    for AgentBinary { machine, digest, size, packed } in offers {
        let _ = write!(agents, "{machine}) d={digest}; s={size}; z={};; ", packed.unwrap_or(0));
    }
    let lines = include_str!("bootstrap.sh").lines().filter(|line| !line.starts_with('#'));
    let text = lines.collect::<Vec<_>>().join(" ");
    text.replace("@AGENTS@ ", &agents).replace("@AHEAD@", &ahead.to_string())
}

/// What the bootstrap script reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootstrapMessage {
    /// The node needs the agent for its machine type.
    Need {
        /// The machine, as in [`AgentBinary::machine`].
        machine: String,
        /// Whether it wants the gzip-compressed copy.
        packed: bool,
    },
    /// A part of the agent has arrived.
    Progress,
    /// The agent cannot be started, for this reason.
    Failed(String),
    /// The agent is running; frames follow.
    Ready,
}

/// The node printed more other output than is accepted before the agent starts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the node prints other text instead of starting an agent")]
pub struct TooMuchNoise;

/// Parses the output of a node up to the agent's first frame.
#[derive(Debug, Default)]
pub struct Scanner {
    bytes: Vec<u8>,
    searched: usize,
    noise: Vec<u8>,
}

impl Scanner {
    /// Adds bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next report, if it has arrived completely. After [`BootstrapMessage::Ready`], only [`Scanner::into_rest`]
    /// is useful.
    ///
    /// # Errors
    /// If there is too much other output.
    pub fn take(&mut self) -> Result<Option<BootstrapMessage>, TooMuchNoise> {
        loop {
            let from = self.searched;
            let found = (from..self.bytes.len())
                .find(|&i| starts(&self.bytes[i..], MARK) || starts(&self.bytes[i..], MAGIC));
            let at = found.unwrap_or(self.bytes.len());
            self.searched = at;
            if at + self.noise.len() > NOISE {
                return Err(TooMuchNoise);
            }
            let rest = &self.bytes[at..];
            if rest.starts_with(MAGIC) {
                self.drop_noise(at);
                self.bytes.drain(..MAGIC.len());
                return Ok(Some(BootstrapMessage::Ready));
            }
            let whole = rest.starts_with(MARK).then(|| rest.iter().position(|&b| b == b'\n')).flatten();
            let Some(end) = whole else {
                // An incomplete line may still be a report, but not one of this length.
                return if rest.len() > NOISE { Err(TooMuchNoise) } else { Ok(None) };
            };
            let line = String::from_utf8_lossy(&rest[MARK.len()..end]).trim_end().to_owned();
            self.drop_noise(at);
            self.bytes.drain(..=end);
            self.searched = 0;
            if let Some(said) = parse(&line) {
                return Ok(Some(said));
            }
        }
    }

    fn drop_noise(&mut self, at: usize) {
        self.noise.extend(self.bytes.drain(..at));
    }

    /// Returns the end of the other output, in printable form.
    pub fn noise(&self) -> String {
        let all = [self.noise.as_slice(), &self.bytes].concat();
        printable_tail(&all)
    }

    /// Returns the bytes after the agent's magic.
    pub fn into_rest(self) -> Vec<u8> {
        self.bytes
    }
}

/// Returns the last characters of a node's output, without control characters that a terminal would obey.
pub fn printable_tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    let skip = text.chars().count().saturating_sub(SHOWN);
    text.chars().skip(skip).filter(|c| *c == '\n' || !c.is_control()).collect()
}

/// Returns whether `text` and `pattern` agree up to the length of the shorter one.
fn starts(text: &[u8], pattern: &[u8]) -> bool {
    let both = text.len().min(pattern.len());
    text[..both] == pattern[..both]
}

fn parse(line: &str) -> Option<BootstrapMessage> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "need" => {
            let (machine, form) = rest.split_once(' ')?;
            Some(BootstrapMessage::Need { machine: machine.to_owned(), packed: form == "gz" })
        }
        "got" => Some(BootstrapMessage::Progress),
        "fail" => Some(BootstrapMessage::Failed(printable_tail(rest.as_bytes()))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_needs_no_quoting_in_any_shell() {
        let offer =
            AgentBinary { machine: "x86_64".into(), digest: Digest::of(b""), size: 10, packed: Some(5) };
        let text = script(&[offer], 7);
        assert!(!text.contains(['\'', '\\', '!', '\n']), "{text}");
        assert!(text.contains(
            "x86_64) d=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855; s=10; z=5;; *)"
        ));
        assert!(text.contains("count=7"));
        let mut scanner = Scanner::default();
        scanner.push(text.as_bytes());
        assert_eq!(scanner.take(), Ok(None), "an echo of the script is not a report");
    }

    #[test]
    fn reports_are_found_however_the_output_is_split() {
        let mut bytes =
            b"Welcome!\nconvoy-boot convoy-bootstrap-1 need x86_64 gz\nconvoy-bootstrap-1 got 5\nx".to_vec();
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(b"rest");
        for cut in 0..bytes.len() {
            let mut scanner = Scanner::default();
            let mut said = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                scanner.push(part);
                while said.last() != Some(&BootstrapMessage::Ready) {
                    let Some(next) = scanner.take().unwrap() else { break };
                    said.push(next);
                }
            }
            let need = BootstrapMessage::Need { machine: "x86_64".into(), packed: true };
            assert_eq!(said, [need, BootstrapMessage::Progress, BootstrapMessage::Ready], "{cut}");
            assert_eq!(scanner.into_rest(), b"rest");
        }
    }

    #[test]
    fn other_output_is_bounded_and_loses_its_control_characters() {
        let mut scanner = Scanner::default();
        scanner.push(b"\x1b[31mno such user\x07\n");
        assert_eq!(scanner.take(), Ok(None));
        assert_eq!(scanner.noise(), "[31mno such user");
        scanner.push(&vec![b'x'; NOISE]);
        assert_eq!(scanner.take(), Err(TooMuchNoise));
        let mut line = Scanner::default();
        line.push(MARK);
        line.push(&vec![b'x'; NOISE]);
        assert_eq!(line.take(), Err(TooMuchNoise));
    }
}
