//! The agents that this program carries.

use std::io::Read;

use flate2::read::GzDecoder;

/// An agent for one target, packed.
#[derive(Debug)]
pub struct EmbeddedAgent {
    /// The target it was built for, with underscores for dashes.
    pub target: &'static str,
    /// The SHA-256 digest of the program, in hexadecimal.
    pub digest: &'static str,
    /// The length of the program in bytes.
    pub size: usize,
    /// The program, packed by gzip.
    pub packed: &'static [u8],
}

/// All of them; the first that fits a machine is used.
pub static AGENTS: &[EmbeddedAgent] = include!(concat!(env!("OUT_DIR"), "/agents.rs"));

impl EmbeddedAgent {
    /// Returns what `uname -m` says on machines that it runs on.
    pub fn machines(&self) -> &'static [&'static str] {
        const KNOWN: [(&str, &[&str]); 8] = [
            ("x86_64_", &["x86_64", "amd64"]),
            ("aarch64_", &["aarch64", "arm64"]),
            ("i686_", &["i686", "i586"]),
            ("armv7_", &["armv7l"]),
            ("powerpc64le_", &["ppc64le"]),
            ("riscv64gc_", &["riscv64"]),
            ("s390x_", &["s390x"]),
            ("loongarch64_", &["loongarch64"]),
        ];
        KNOWN.iter().find(|(target, _)| self.target.starts_with(target)).map_or(&[], |(_, machines)| machines)
    }

    /// Returns the program.
    ///
    /// # Errors
    /// If it was packed wrongly when this program was built.
    pub fn unpack(&self) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.size);
        GzDecoder::new(self.packed).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Returns the agent for a machine as `uname -m` names it.
pub fn for_machine(machine: &str) -> Option<&'static EmbeddedAgent> {
    AGENTS.iter().find(|agent| agent.machines().contains(&machine))
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::Digest;

    #[test]
    fn the_agent_for_this_machine_is_whole() {
        let agent = for_machine(std::env::consts::ARCH).unwrap();
        let bytes = agent.unpack().unwrap();
        assert_eq!((Digest::of(&bytes).to_string().as_str(), bytes.len()), (agent.digest, agent.size));
        assert!(for_machine("vax").is_none());
    }
}
