//! Connections of a port, from /proc/net.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::args::Args;
use crate::system::SystemView;

/// Returns the number that the kernel has for a state of a connection.
pub(super) fn code(state: &str) -> Option<&'static str> {
    Some(match state {
        "ESTABLISHED" => "01",
        "SYN_SENT" => "02",
        "SYN_RECV" => "03",
        "FIN_WAIT1" => "04",
        "FIN_WAIT2" => "05",
        "TIME_WAIT" => "06",
        _ => return None,
    })
}

/// Counts the connections that must go before the port is drained.
pub(super) fn connections(args: &Args, port: u16, view: &SystemView) -> usize {
    let hosts = view.addresses(&args.host);
    let excluded: Vec<IpAddr> =
        args.exclude_hosts.iter().flatten().flat_map(|host| view.addresses(host.trim())).collect();
    let states: Vec<&str> = args.active_connection_states.iter().filter_map(|state| code(state)).collect();
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines()).filter_map(read);
    lines
        .filter(|line| {
            line.port == port
                && states.contains(&line.state.as_str())
                && !excluded.contains(&line.remote)
                && hosts.iter().any(|host| *host == line.local || host.is_unspecified())
        })
        .count()
}

/// One connection.
#[derive(Debug, PartialEq)]
struct Line {
    local: IpAddr,
    port: u16,
    remote: IpAddr,
    state: String,
}

fn read(line: &str) -> Option<Line> {
    let mut words = line.split_whitespace().skip(1);
    let (local, port) = words.next()?.split_once(':')?;
    let (remote, _) = words.next()?.split_once(':')?;
    Some(Line {
        local: address(local)?,
        port: u16::from_str_radix(port, 16).ok()?,
        remote: address(remote)?,
        state: words.next()?.to_owned(),
    })
}

/// Reads an address as the kernel writes it: words of four bytes in the machine's order.
fn address(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::with_capacity(16);
    for at in (0..hex.len()).step_by(8) {
        bytes.extend(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    }
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let line = "   1: 0100007F:1F90 0200000A:C350 01 00000000:00000000 00:00000000 00000000";
        let mut expected = Line {
            local: [127, 0, 0, 1].into(),
            port: 8080,
            remote: [10, 0, 0, 2].into(),
            state: "01".into(),
        };
        assert_eq!(read(line), Some(expected));
        let mapped = "   0: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000001000000:0000 0A 0";
        expected = read(mapped).unwrap();
        assert_eq!(
            (expected.local, expected.remote),
            ([127, 0, 0, 1].into(), "::1".parse::<IpAddr>().unwrap())
        );
        assert_eq!(read("  sl  local_address rem_address   st"), None);
    }
}
