//! The sending half of a conversation.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, Weak};
use std::thread;
use std::time::Duration;

use convoy_protocol::frame::{self, FrameError};
use convoy_protocol::message::ToAgent;
use serde::Serialize;

use crate::sync::lock;

/// The sending half of a conversation, shared by threads.
pub(crate) struct FrameWriter(Mutex<Option<Box<dyn Write + Send>>>);

impl FrameWriter {
    pub(crate) fn new(sink: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(Some(Box::new(sink))))
    }

    /// Sends one message in a single write.
    pub(crate) fn send(&self, message: &impl Serialize) -> Result<(), FrameError> {
        let bytes = frame::encode(message)?;
        Ok(self.send_raw(&bytes)?)
    }

    /// Sends bytes that are not a message.
    pub(crate) fn send_raw(&self, bytes: &[u8]) -> io::Result<()> {
        let mut sink = lock(&self.0);
        let sink = sink.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        sink.write_all(bytes)?;
        sink.flush()
    }

    /// Closes it, so that the other side reads the end of the stream.
    pub(crate) fn close(&self) {
        lock(&self.0).take();
    }
}

impl fmt::Debug for FrameWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrameWriter")
    }
}

/// Sends pings at an interval until the writer is dropped. An agent that receives none ends.
pub(crate) fn keep_alive(writer: Weak<FrameWriter>, every: Duration) {
    let ping = move || {
        let mut number = 0;
        loop {
            thread::sleep(every);
            number += 1;
            let Some(writer) = writer.upgrade() else { return };
            if writer.send(&ToAgent::Ping(number)).is_err() {
                return;
            }
        }
    };
    // Without the thread, an idle child ends after a while and is started again.
    thread::Builder::new().name("ping".into()).spawn(ping).ok();
}
