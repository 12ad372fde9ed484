//! The agents that this program carries, one for each target.

use std::io::Read;

use flate2::read::GzDecoder;

/// An agent for one target, compressed.
#[derive(Debug)]
pub struct EmbeddedAgent {
    /// The target it was built for, with underscores in place of dashes.
    pub target: &'static str,
    /// The SHA-256 digest of the program, in hexadecimal.
    pub digest: &'static str,
    /// The size of the program in bytes.
    pub size: usize,
    /// The program, compressed with gzip.
    pub packed: &'static [u8],
}

/// All embedded agents. For a machine, the first that fits is used.
pub static AGENTS: &[EmbeddedAgent] = include!(concat!(env!("OUT_DIR"), "/agents.rs"));

impl EmbeddedAgent {
    /// Returns what `uname -m` prints on the machines that it runs on.
    pub fn machines(&self) -> &'static [&'static str] {
        const MACHINES: [(&str, &[&str]); 8] = [
            ("x86_64_", &["x86_64", "amd64"]),
            ("aarch64_", &["aarch64", "arm64"]),
            ("i686_", &["i686", "i586"]),
            ("armv7_", &["armv7l"]),
            ("powerpc64le_", &["ppc64le"]),
            ("riscv64gc_", &["riscv64"]),
            ("s390x_", &["s390x"]),
            ("loongarch64_", &["loongarch64"]),
        ];
        MACHINES
            .iter()
            .find(|(target, _)| self.target.starts_with(target))
            .map_or(&[], |(_, machines)| machines)
    }

    /// Returns the uncompressed program.
    ///
    /// # Errors
    /// If the compressed bytes are damaged, which would be a fault of the build.
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
    use std::collections::HashSet;

    use super::*;
    use convoy_protocol::Digest;

    #[test]
    fn the_agent_for_this_machine_matches_its_digest_and_size() {
        let agent = for_machine(std::env::consts::ARCH).unwrap();
        let bytes = agent.unpack().unwrap();
        assert_eq!((Digest::of(&bytes).to_string().as_str(), bytes.len()), (agent.digest, agent.size));
        assert!(for_machine("vax").is_none());
    }

    /// The functions of libc that look up users, groups, hosts and the like. In a static program they load the node's
    /// libraries and crash.
    const NAMES: &str = "getaddrinfo getaddrinfo_a getnameinfo initgroups getgrouplist getpw getlogin getlogin_r \
        cuserid gethostid getspnam getspnam_r getspent getaliasbyname getnetgrent innetgr setnetgrent \
        getpwnam getpwnam_r getpwuid getpwuid_r getpwent getpwent_r getgrnam getgrnam_r getgrgid getgrgid_r getgrent \
        getgrent_r gethostbyname gethostbyname_r gethostbyname2 gethostbyname2_r gethostbyaddr gethostbyaddr_r \
        gethostent gethostent_r getnetbyname getnetbyname_r getnetbyaddr getnetbyaddr_r getservbyname getservbyname_r \
        getservbyport getservbyport_r getservent getprotobyname getprotobyname_r getprotobynumber \
        getprotobynumber_r getrpcbyname getrpcbynumber ether_hostton wordexp";

    #[test]
    #[cfg_attr(agent_given, ignore = "the agent was not built here but passed in CONVOY_AGENT_<target>")]
    fn the_agent_links_no_name_lookups_of_libc() {
        let map = std::fs::read_to_string(concat!(env!("OUT_DIR"), "/agent.map")).unwrap();
        // Whichever linker wrote the map, its lines end with the symbol. A function that nobody calls is not linked.
        let linked: HashSet<&str> = map
            .lines()
            .filter_map(|line| line.split_whitespace().next_back())
            .map(|symbol| symbol.trim_start_matches('_'))
            .collect();
        for symbol in ["libc_start_main", "sigaction", "getgroups"] {
            assert!(linked.contains(symbol), "{symbol} is in every agent: this is not a linker map");
        }
        let names: Vec<&str> = NAMES.split_whitespace().filter(|name| linked.contains(name)).collect();
        assert!(names.is_empty(), "the agent calls {names:?}; see the top of agent/src/system/users.rs");
    }
}
