//! Resolves host names with /etc/hosts and `getent`.
//!
//! libc is never used for that: see [`users`](super::users).

use std::fs;
use std::net::IpAddr;

use super::{Process, SystemView};

impl SystemView {
    /// Returns the addresses of a host; empty if it is unknown.
    pub fn addresses(&self, host: &str) -> Vec<IpAddr> {
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
            return vec![address];
        }
        let hosts = String::from_utf8_lossy(&fs::read("/etc/hosts").unwrap_or_default()).into_owned();
        let mut found: Vec<IpAddr> = hosts
            .lines()
            .filter_map(|line| {
                let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
                let address = words.next()?.parse().ok()?;
                words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
            })
            .collect();
        if found.is_empty() && !host.is_empty() && !host.starts_with('-') {
            let output = self.query(&Process::new(["getent", "ahosts", host]).env("LC_ALL", "C")).ok();
            let text =
                output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
            found = text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
        }
        let mut unique = Vec::new();
        for address in found {
            if !unique.contains(&address) {
                unique.push(address);
            }
        }
        unique
    }

    /// Returns the node's name including its domain, if /etc/hosts gives it.
    pub fn full_host_name(&self) -> String {
        let name = self.host_name();
        if name.contains('.') {
            return name;
        }
        let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
        let full = hosts.lines().find_map(|line| {
            let names: Vec<&str> =
                line.split('#').next().unwrap_or_default().split_whitespace().skip(1).collect();
            let own = names.iter().any(|word| *word == name || word.split('.').next() == Some(&name));
            names.into_iter().find(|word| own && word.contains('.')).map(str::to_owned)
        });
        full.unwrap_or(name)
    }
}
