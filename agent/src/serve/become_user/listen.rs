//! What a child process says: the program's messages and prompts, and then the answers of the other user's agent.

use std::fs::File;
use std::io::Read;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use convoy_protocol::Digest;
use convoy_protocol::bootstrap::{BootstrapMessage, Scanner};
use convoy_protocol::frame::Decoder;
use convoy_protocol::lock::{LockTaken, Refusal};
use convoy_protocol::message::{Answer, CHUNK, Chunk, FromAgent, ToAgent};

use super::method::{self, Prompt};
use crate::content::ContentStore;
use crate::failure::Failure;
use crate::os_error::reason;
use crate::serve::cache::Cache;
use crate::serve::frame_writer::FrameWriter;
use crate::sync::lock;

/// How much of the program's output is kept, in bytes.
const MAX_OUTPUT: usize = 16 * 1024;

/// An event from a child.
pub(super) enum AgentEvent {
    /// The program prompts for the password.
    Prompt,
    /// The program ended or refuses. Its output says why.
    Refused,
    Bootstrap(BootstrapMessage),
    Answer(Answer),
    Alive,
    /// The child has taken the lock.
    LockTaken(LockTaken),
    /// Another run holds the lock.
    LockRefused(Box<Refusal>),
    Ended(String),
}

/// Reads the program's output, stores it, and reports each prompt.
pub(super) fn read_messages(
    mut stderr: impl Read,
    prompt: &Prompt,
    printed: &Arc<Mutex<Vec<u8>>>,
    sender: &Sender<AgentEvent>,
) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stderr.read(&mut buffer) {
        let mut text = lock(printed);
        if text.len() < MAX_OUTPUT {
            text.extend_from_slice(&buffer[..n]);
        }
        while prompt.take(&mut text) {
            sender.send(AgentEvent::Prompt).ok();
        }
        if method::asks_for_new_password(&text) {
            sender.send(AgentEvent::Refused).ok();
        }
    }
}

/// Reads the messages of the bootstrap and then of the agent. Returns why they ended.
pub(super) fn read_answers(
    mut stdout: impl Read,
    prompt: &Prompt,
    writer: &FrameWriter,
    cache: &Arc<Cache>,
    sender: &Sender<AgentEvent>,
) -> Result<String, String> {
    let mut buffer = vec![0; 64 * 1024];
    let mut scanner = Scanner::default();
    let (mut ready, mut prompted) = (false, false);
    while !ready {
        let n = stdout.read(&mut buffer).map_err(|error| error.to_string())?;
        if n == 0 {
            return Ok(scanner.noise());
        }
        scanner.push(&buffer[..n]);
        while let Some(next) = if ready { None } else { scanner.take().map_err(|error| error.to_string())? } {
            ready = next == BootstrapMessage::Ready;
            sender.send(AgentEvent::Bootstrap(next)).map_err(|_| String::new())?;
        }
        // Busybox prompts on standard output.
        if !ready && !prompted && prompt.take(&mut scanner.noise().into_bytes()) {
            prompted = true;
            sender.send(AgentEvent::Prompt).map_err(|_| String::new())?;
        }
    }
    let mut decoder = Decoder::default();
    decoder.push(&scanner.into_rest());
    loop {
        while let Some(message) = decoder.take().map_err(|error| error.to_string())? {
            match message {
                FromAgent::Answer(answer) => {
                    sender.send(AgentEvent::Answer(answer)).map_err(|_| String::new())?;
                }
                FromAgent::Need(digest) => {
                    supply(&digest, cache, writer).map_err(|error| error.to_string())?;
                }
                FromAgent::Chunk(_) | FromAgent::NoContent { .. } => {
                    cache.forward(&message).map_err(|error| error.to_string())?;
                }
                FromAgent::Welcome(_) | FromAgent::Pong(_) | FromAgent::Detached => {
                    sender.send(AgentEvent::Alive).map_err(|_| String::new())?;
                }
                FromAgent::LockTaken(taken) => {
                    // The controller learns of it before the order is executed. A lost connection does not stop the order.
                    cache.forward(&FromAgent::LockTaken(taken.clone())).ok();
                    sender.send(AgentEvent::LockTaken(taken)).map_err(|_| String::new())?;
                }
                FromAgent::Refused(refusal) => {
                    sender.send(AgentEvent::LockRefused(refusal.into())).map_err(|_| String::new())?;
                }
                FromAgent::Fault(why) => return Ok(why),
            }
        }
        match stdout.read(&mut buffer).map_err(|error| error.to_string())? {
            0 => return Ok("it ended".into()),
            n => decoder.push(&buffer[..n]),
        }
    }
}

/// Sends content to a child. Fetches it from the controller first if needed.
fn supply(
    digest: &Digest,
    cache: &Arc<Cache>,
    writer: &FrameWriter,
) -> Result<(), convoy_protocol::frame::FrameError> {
    let refuse = |why: String| writer.send(&ToAgent::NoContent { digest: *digest, why });
    let opened = cache.fetch(digest).and_then(|path| File::open(path).map_err(|e| Failure::new(reason(&e))));
    let mut file = match opened {
        Ok(file) => file,
        Err(failure) => return refuse(failure.msg),
    };
    let secret = cache.is_secret(digest);
    loop {
        let mut bytes = Vec::with_capacity(CHUNK);
        if let Err(error) = (&mut file).take(CHUNK as u64).read_to_end(&mut bytes) {
            return refuse(reason(&error));
        }
        let last = bytes.len() < CHUNK;
        writer.send(&ToAgent::Chunk(Chunk { digest: *digest, last, deflated: false, secret, bytes }))?;
        if last {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::bootstrap::printable_tail;
    use std::sync::mpsc;

    #[test]
    fn prompts_are_reported_and_removed_from_the_output() {
        let (sender, events) = mpsc::channel();
        let (prompt, printed) = (Prompt::Marked("[x] password:".into()), Arc::default());
        read_messages(
            &b"lecture\n[x] password:Sorry, try again.\n[x] password:"[..],
            &prompt,
            &printed,
            &sender,
        );
        drop(sender);
        assert!(events.iter().all(|event| matches!(event, AgentEvent::Prompt)));
        assert_eq!(printable_tail(&lock(&printed)), "lecture\nSorry, try again.");
    }
}
