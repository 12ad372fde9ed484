//! The agent's own program, as it is sent to other users.

use convoy_protocol::Digest;
use convoy_protocol::bootstrap::AgentBinary;

use crate::failure::Failure;
use crate::os_error::reason;

/// The agent's own program. It is sent to other users because they cannot read its file.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) bytes: Vec<u8>,
    pub(super) offer: AgentBinary,
}

impl Program {
    pub(super) fn read() -> Result<Self, Failure> {
        let bytes = std::fs::read("/proc/self/exe").map_err(|error| {
            Failure::new(format!("cannot read the agent's own program: {}", reason(&error)))
        })?;
        let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
        let offer = AgentBinary { machine, digest: Digest::of(&bytes), size: bytes.len(), packed: None };
        Ok(Self { bytes, offer })
    }
}
