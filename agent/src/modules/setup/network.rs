//! Interfaces and addresses, from /proc and /sys.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use convoy_protocol::{Map, Value, map};

use super::files::Files;
use crate::system::SystemView;

/// A route of /proc/net/route.
struct Route {
    interface: String,
    network: Ipv4Addr,
    gateway: Ipv4Addr,
    mask: Ipv4Addr,
    metric: u32,
}

fn routes(text: &str) -> Vec<Route> {
    let address = |hex: &str| u32::from_str_radix(hex, 16).ok().map(|n| Ipv4Addr::from(n.to_ne_bytes()));
    let route = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Some(Route {
            interface: (*words.first()?).to_owned(),
            network: address(words.get(1)?)?,
            gateway: address(words.get(2)?)?,
            metric: words.get(6)?.parse().ok()?,
            mask: address(words.get(7)?)?,
        })
    };
    text.lines().skip(1).filter_map(route).collect()
}

/// Returns the node's own addresses as /proc/net/fib_trie lists them.
fn own_addresses(text: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut last = None;
    for line in text.lines() {
        if let Some(word) = line.trim().strip_prefix("|-- ") {
            last = word.parse().ok();
        } else if line.contains("/32 host LOCAL") {
            found.extend(last.filter(|address| !found.contains(address)));
        }
    }
    found
}

fn ipv4(address: Ipv4Addr, network: Ipv4Addr, mask: Ipv4Addr, has_broadcast: bool) -> Map {
    let broadcast = Ipv4Addr::from(u32::from(network) | !u32::from(mask));
    map! {
        "address" => address.to_string(),
        "broadcast" => if has_broadcast { broadcast.to_string() } else { String::new() },
        "netmask" => mask.to_string(),
        "network" => network.to_string(),
        "prefix" => u32::from(mask).count_ones().to_string(),
    }
}

/// Returns address, prefix, scope and interface of each line of /proc/net/if_inet6.
fn ipv6(text: &str) -> Vec<(String, Ipv6Addr, Map)> {
    let read = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [address, _, prefix, scope, _, interface] = words[..] else { return None };
        let address = Ipv6Addr::from(u128::from_str_radix(address, 16).ok()?);
        let scope = match scope {
            "10" => "host",
            "20" => "link",
            _ => "global",
        };
        let prefix = u32::from_str_radix(prefix, 16).ok()?.to_string();
        let values = map! { "address" => address.to_string(), "prefix" => prefix, "scope" => scope };
        Some((interface.to_owned(), address, values))
    };
    text.lines().filter_map(read).collect()
}

fn interface(name: &str) -> Map {
    let file = |entry: &str| Files::here().line(&format!("/sys/class/net/{name}/{entry}"));
    let flags = u32::from_str_radix(file("flags").trim_start_matches("0x"), 16).unwrap_or_default();
    let mut values = map! {
        "device" => name,
        "active" => file("operstate") == "up" || (name == "lo" && flags & 1 != 0),
        "mtu" => file("mtu").parse::<i64>().ok(),
        "promisc" => flags & 0x100 != 0,
    };
    let kind = match file("type").as_str() {
        "1" if std::path::Path::new(&format!("/sys/class/net/{name}/bridge")).exists() => "bridge",
        "1" if std::path::Path::new(&format!("/sys/class/net/{name}/bonding")).exists() => "bonding",
        "1" => "ether",
        "32" => "infiniband",
        "512" => "ppp",
        "772" => "loopback",
        _ => "unknown",
    };
    values.insert("type".into(), kind.into());
    values.extend(file("speed").parse::<i64>().ok().map(|speed| ("speed".into(), speed.into())));
    let link = |name: &str| Files::here().link(&format!("/sys/class/net/{name}"));
    for (fact, link) in [
        ("pciid", link(&format!("{name}/device"))),
        ("module", link(&format!("{name}/device/driver/module"))),
    ] {
        if !link.is_empty() {
            values.insert(fact.into(), link.into());
        }
    }
    let mac = file("address");
    if !mac.is_empty() && kind != "loopback" {
        values.insert("macaddress".into(), mac.into());
    }
    values
}

pub(super) fn collect(view: &SystemView, facts: &mut Map) {
    let directory = view.list(std::path::Path::new("/sys/class/net")).unwrap_or_default();
    let names = directory.iter().filter(|path| path.is_dir()).filter_map(|path| path.file_name());
    let mut interfaces: BTreeMap<String, Map> = names
        .map(|name| name.to_string_lossy().into_owned())
        .map(|name| (name.clone(), interface(&name)))
        .collect();
    let routes = routes(&Files::here().text("/proc/net/route"));
    let addresses = own_addresses(&Files::here().text("/proc/net/fib_trie"));
    for address in &addresses {
        attach(*address, &routes, &mut interfaces);
    }
    let six = ipv6(&Files::here().text("/proc/net/if_inet6"));
    for (name, _, values) in &six {
        if let Some(interface) = interfaces.get_mut(name) {
            let mut all = interface.get("ipv6").and_then(Value::as_list).unwrap_or_default().to_vec();
            all.push(values.clone().into());
            interface.insert("ipv6".into(), all.into());
        }
    }
    let default = default_ipv4(&routes, &interfaces);
    let default_six = default_ipv6(&Files::here().text("/proc/net/ipv6_route"), &interfaces);
    let reachable = locally_reachable(&addresses, &six);
    facts.extend(map! {
        "interfaces" => interfaces.keys().map(|name| Value::from(name.as_str())).collect::<Value>(),
        "all_ipv4_addresses" =>
            addresses.iter().filter(|a| !a.is_loopback()).map(|a| Value::from(a.to_string())).collect::<Value>(),
        "all_ipv6_addresses" =>
            six.iter().filter(|a| !a.1.is_loopback()).map(|a| Value::from(a.1.to_string())).collect::<Value>(),
        "default_ipv4" => default,
        "default_ipv6" => default_six,
        "locally_reachable_ips" => reachable,
    });
    for (name, values) in interfaces {
        facts.insert(name.replace(['-', ':'], "_").into(), values.into());
    }
}

/// Adds an address to the interface whose network it is in; further ones as secondaries.
fn attach(address: Ipv4Addr, routes: &[Route], interfaces: &mut BTreeMap<String, Map>) {
    let within = |route: &&Route| {
        route.gateway.is_unspecified()
            && route.mask != Ipv4Addr::UNSPECIFIED
            && u32::from(address) & u32::from(route.mask) == u32::from(route.network)
    };
    let (name, values) = if address.is_loopback() {
        ("lo", ipv4(address, Ipv4Addr::new(127, 0, 0, 0), Ipv4Addr::new(255, 0, 0, 0), false))
    } else {
        let Some(route) = routes.iter().filter(within).max_by_key(|route| u32::from(route.mask)) else {
            return;
        };
        (route.interface.as_str(), ipv4(address, route.network, route.mask, true))
    };
    let Some(interface) = interfaces.get_mut(name) else { return };
    if !interface.contains_key("ipv4") {
        interface.insert("ipv4".into(), values.into());
        return;
    }
    let mut more = interface.get("ipv4_secondaries").and_then(Value::as_list).unwrap_or_default().to_vec();
    more.push(values.into());
    interface.insert("ipv4_secondaries".into(), more.into());
}

fn default_ipv4(routes: &[Route], interfaces: &BTreeMap<String, Map>) -> Map {
    let is_default = |route: &&Route| route.mask.is_unspecified() && route.network.is_unspecified();
    let Some(route) = routes.iter().filter(is_default).min_by_key(|route| route.metric) else {
        return Map::new();
    };
    let mut values = map! {
        "gateway" => route.gateway.to_string(),
        "interface" => route.interface.as_str(),
        "alias" => route.interface.as_str(),
    };
    if let Some(interface) = interfaces.get(&route.interface) {
        for name in ["macaddress", "mtu", "type"] {
            values.extend(interface.get(name).map(|value| (name.into(), value.clone())));
        }
        let address = interface.get("ipv4").and_then(Value::as_map).cloned().unwrap_or_default();
        values.extend(address);
    }
    values
}

/// Returns the addresses that are the node's own, and all of the loopback's network.
fn locally_reachable(four: &[Ipv4Addr], six: &[(String, Ipv6Addr, Map)]) -> Map {
    let mut own: Vec<String> = four.iter().map(ToString::to_string).collect();
    if four.iter().any(Ipv4Addr::is_loopback) {
        own.push("127.0.0.0/8".to_owned());
    }
    own.sort();
    let mut six: Vec<String> = six.iter().map(|(_, address, _)| address.to_string()).collect();
    six.sort();
    let list = |all: Vec<String>| all.into_iter().map(Value::from).collect::<Value>();
    map! { "ipv4" => list(own), "ipv6" => list(six) }
}

/// Reads the best default route of /proc/net/ipv6_route, and what its interface has.
fn default_ipv6(text: &str, interfaces: &BTreeMap<String, Map>) -> Map {
    /// The route leads through a gateway.
    const GATEWAY: u32 = 0x2;
    let route = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [to, length, _, _, gateway, metric, _, _, flags, interface] = words[..] else { return None };
        let number = |hex: &str| u32::from_str_radix(hex, 16).ok();
        let is_default = length == "00" && to.chars().all(|c| c == '0') && number(flags)? & GATEWAY != 0;
        let gateway = Ipv6Addr::from(u128::from_str_radix(gateway, 16).ok()?);
        is_default.then_some((number(metric)?, gateway, interface.to_owned()))
    };
    let Some((_, gateway, name)) = text.lines().filter_map(route).min_by_key(|route| route.0) else {
        return Map::new();
    };
    let mut values = map! { "gateway" => gateway.to_string(), "interface" => name.as_str() };
    let Some(interface) = interfaces.get(&name) else { return values };
    for name in ["macaddress", "mtu", "type"] {
        values.extend(interface.get(name).map(|value| (name.into(), value.clone())));
    }
    let addresses = interface.get("ipv6").and_then(Value::as_list).unwrap_or_default();
    let global =
        addresses.iter().find(|address| address.get("scope").and_then(Value::as_str) == Some("global"));
    values.extend(global.and_then(Value::as_map).cloned().unwrap_or_default());
    values
}

pub(super) fn dns(facts: &mut Map) {
    let text = Files::here().text("/etc/resolv.conf");
    let mut dns = Map::new();
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => servers.extend(words.map(Value::from)),
            Some("search") => {
                dns.insert("search".into(), words.map(Value::from).collect());
            }
            Some("domain") => {
                dns.extend(words.next().map(|word| ("domain".into(), word.into())));
            }
            _ => {}
        }
    }
    if !servers.is_empty() {
        dns.insert("nameservers".into(), servers.into());
    }
    facts.insert("dns".into(), dns.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_address_of_ipv6_is_found() {
        let zero = "0".repeat(32);
        let gateway = "fd000000000000000000000000000001";
        let table = format!(
            "{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo\n\
             {zero} 00 {zero} 00 {gateway} 00000400 00000001 00000000 00000003 ete0\n"
        );
        let address = |text: &str, scope: &str| {
            Value::from(map! { "address" => text, "prefix" => "64", "scope" => scope })
        };
        let six = vec![address("fe80::1", "link"), address("fd00::2", "global")];
        let interfaces = BTreeMap::from([("ete0".to_owned(), map! { "mtu" => 1400, "ipv6" => six })]);
        let expected = map! {
            "gateway" => "fd00::1", "interface" => "ete0", "mtu" => 1400,
            "address" => "fd00::2", "prefix" => "64", "scope" => "global",
        };
        assert_eq!(default_ipv6(&table, &interfaces), expected);
        assert_eq!(default_ipv6("", &interfaces), Map::new());
    }

    #[test]
    fn the_default_address_is_found() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\nete0 00000000 010200C0 0003 0 0 100 00000000 0 0 0\nete0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";
        let trie =
            "     |-- 192.0.2.0\n        /24 link UNICAST\n     |-- 192.0.2.7\n        /32 host LOCAL\n";
        let routes = routes(table);
        let mut interfaces = BTreeMap::from([("ete0".to_owned(), map! { "mtu" => 1400 })]);
        for address in own_addresses(trie) {
            attach(address, &routes, &mut interfaces);
        }
        let expected = map! {
            "gateway" => "192.0.2.1", "interface" => "ete0", "alias" => "ete0", "mtu" => 1400,
            "address" => "192.0.2.7", "broadcast" => "192.0.2.255", "netmask" => "255.255.255.0",
            "network" => "192.0.2.0", "prefix" => "24",
        };
        assert_eq!(default_ipv4(&routes, &interfaces), expected);
    }
}
