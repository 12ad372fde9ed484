//! Memory, processors, uptime and file systems.

use std::collections::BTreeSet;

use convoy_protocol::{Map, Value, map};

use super::files::Files;

pub(super) fn collect(facts: &mut Map) {
    memory(&Files::here().text("/proc/meminfo"), facts);
    let cpus = rustix::thread::sched_getaffinity(None).map(|set| set.count()).unwrap_or_default();
    processors(&Files::here().text("/proc/cpuinfo"), cpus, facts);
    let uptime = Files::here().text("/proc/uptime");
    if let Some(seconds) = uptime.split('.').next().and_then(|text| text.parse::<i64>().ok()) {
        facts.insert("uptime_seconds".into(), seconds.into());
    }
    for (file, name) in FIRMWARE {
        let text = Files::here().line(&format!("/sys/class/dmi/id/{file}"));
        facts.insert((*name).into(), if text.is_empty() { "NA" } else { &text }.into());
    }
    let chassis = Files::here().line("/sys/class/dmi/id/chassis_type");
    facts.insert("form_factor".into(), form_factor(&chassis).into());
}

/// Files of the firmware's tables, and the facts they become.
const FIRMWARE: &[(&str, &str)] = &[
    ("bios_date", "bios_date"),
    ("bios_vendor", "bios_vendor"),
    ("bios_version", "bios_version"),
    ("board_asset_tag", "board_asset_tag"),
    ("board_name", "board_name"),
    ("board_serial", "board_serial"),
    ("board_vendor", "board_vendor"),
    ("board_version", "board_version"),
    ("chassis_asset_tag", "chassis_asset_tag"),
    ("chassis_serial", "chassis_serial"),
    ("chassis_vendor", "chassis_vendor"),
    ("chassis_version", "chassis_version"),
    ("product_name", "product_name"),
    ("product_serial", "product_serial"),
    ("product_uuid", "product_uuid"),
    ("product_version", "product_version"),
    ("sys_vendor", "system_vendor"),
];

/// Returns the kind of the chassis that a number of the firmware's tables (SMBIOS, type 3) stands for.
fn form_factor(number: &str) -> &'static str {
    const KINDS: [&str; 36] = [
        "Unknown",
        "Other",
        "Unknown",
        "Desktop",
        "Low Profile Desktop",
        "Pizza Box",
        "Mini Tower",
        "Tower",
        "Portable",
        "Laptop",
        "Notebook",
        "Hand Held",
        "Docking Station",
        "All In One",
        "Sub Notebook",
        "Space-saving",
        "Lunch Box",
        "Main Server Chassis",
        "Expansion Chassis",
        "Sub Chassis",
        "Bus Expansion Chassis",
        "Peripheral Chassis",
        "RAID Chassis",
        "Rack Mount Chassis",
        "Sealed-case PC",
        "Multi-system",
        "CompactPCI",
        "AdvancedTCA",
        "Blade",
        "Blade Enclosure",
        "Tablet",
        "Convertible",
        "Detachable",
        "IoT Gateway",
        "Embedded PC",
        "Mini PC",
    ];
    number.parse().ok().and_then(|number: usize| KINDS.get(number).copied()).unwrap_or("NA")
}

fn memory(text: &str, facts: &mut Map) {
    let megabytes = |name: &str| -> i64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse::<i64>().ok()).unwrap_or_default() / 1024
    };
    let [total, free, cached, buffers] = ["MemTotal", "MemFree", "Cached", "Buffers"].map(megabytes);
    let [swap, swap_free, swap_cached] = ["SwapTotal", "SwapFree", "SwapCached"].map(megabytes);
    let unused = free + cached + buffers;
    facts.extend(map! {
        "memtotal_mb" => total,
        "memfree_mb" => free,
        "swaptotal_mb" => swap,
        "swapfree_mb" => swap_free,
        "memory_mb" => map! {
            "real" => map! { "total" => total, "used" => total - free, "free" => free },
            "nocache" => map! { "free" => unused, "used" => total - unused },
            "swap" => map! { "total" => swap, "free" => swap_free, "used" => swap - swap_free, "cached" => swap_cached },
        },
    });
}

fn processors(text: &str, usable: u32, facts: &mut Map) {
    let mut list: Vec<Value> = Vec::new();
    let mut sockets = BTreeSet::new();
    let mut flags: Vec<Value> = Vec::new();
    let (mut processors, mut cores, mut siblings) = (0, 1, 1);
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match name.trim() {
            "processor" => {
                processors += 1;
                list.push(value.into());
            }
            "vendor_id" | "model name" | "Processor" | "cpu" => list.push(value.into()),
            "flags" | "Features" if flags.is_empty() => {
                flags = value.split_whitespace().map(Value::from).collect();
            }
            "physical id" => {
                sockets.insert(value.to_owned());
            }
            "cpu cores" => cores = value.parse().unwrap_or(1).max(1),
            "siblings" => siblings = value.parse().unwrap_or(1).max(1),
            _ => {}
        }
    }
    // Where the kernel tells nothing of sockets, each processor counts as one.
    let (count, cores, threads) = match sockets.len() as i64 {
        0 => (processors, 1, 1),
        sockets => (sockets, cores, (siblings / cores).max(1)),
    };
    if !flags.is_empty() {
        facts.insert("flags".into(), flags.into());
    }
    facts.extend(map! {
        "processor" => list,
        "processor_count" => count,
        "processor_cores" => cores,
        "processor_threads_per_core" => threads,
        "processor_vcpus" => count * cores * threads,
        "processor_nproc" => if usable == 0 { processors } else { usable.into() },
    });
}

/// Returns whether asking for the size of a file system could hang: its data is elsewhere.
fn is_remote(device: &str, kind: &str) -> bool {
    let kinds = [
        "nfs", "cifs", "smb", "ceph", "gluster", "9p", "afs", "lustre", "gpfs", "ocfs2", "gfs2", "autofs",
        "ncp",
    ];
    device.contains(":/")
        || device.starts_with("//")
        || kind.starts_with("fuse")
        || kinds.iter().any(|k| kind.starts_with(k))
}

pub(super) fn mounts(facts: &mut Map) {
    let text = Files::here().text("/proc/self/mounts");
    let all = text.lines().filter_map(|line| {
        let words: Vec<String> = line.split_whitespace().map(unescape).collect();
        let [device, place, kind, options, dump, pass] = &words[..] else { return None };
        if kind == "none" || !(device.starts_with('/') || device.contains(":/")) {
            return None;
        }
        let mut mount = map! {
            "mount" => place.as_str(),
            "device" => device.as_str(),
            "fstype" => kind.as_str(),
            "options" => options.as_str(),
            "dump" => dump.parse::<i64>().ok(),
            "passno" => pass.parse::<i64>().ok(),
            "uuid" => super::devices::uuid(&Files::here(), device).unwrap_or_else(|| "N/A".to_owned()),
        };
        if !is_remote(device, kind) {
            mount.extend(sizes(place));
        }
        Some(Value::from(mount))
    });
    facts.insert("mounts".into(), all.collect());
}

fn sizes(place: &str) -> Map {
    let Ok(found) = rustix::fs::statvfs(place) else { return Map::new() };
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    map! {
        "size_total" => whole(found.f_frsize.saturating_mul(found.f_blocks)),
        "size_available" => whole(found.f_frsize.saturating_mul(found.f_bavail)),
        "block_size" => whole(found.f_bsize),
        "block_total" => whole(found.f_blocks),
        "block_available" => whole(found.f_bavail),
        "block_used" => whole(found.f_blocks.saturating_sub(found.f_bavail)),
        "inode_total" => whole(found.f_files),
        "inode_available" => whole(found.f_favail),
        "inode_used" => whole(found.f_files.saturating_sub(found.f_favail)),
    }
}

/// Reads the kernel's `\040` and its like.
fn unescape(word: &str) -> String {
    let mut out = Vec::with_capacity(word.len());
    let bytes = word.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let code = word.get(i + 1..i + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) if bytes[i] == b'\\' => {
                out.push(code);
                i += 4;
            }
            _ => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted() {
        let one = |n: u32, socket: u32| {
            format!(
                "processor\t: {n}\nvendor_id\t: X\nmodel name\t: M\nphysical id\t: {socket}\nsiblings\t: 2\ncpu cores\t: 1\n\n"
            )
        };
        let text: String = [one(0, 0), one(1, 0), one(2, 1), one(3, 1)].concat();
        let mut facts = Map::new();
        processors(&text, 3, &mut facts);
        for (name, expected) in
            [("count", 2), ("cores", 1), ("threads_per_core", 2), ("vcpus", 4), ("nproc", 3)]
        {
            assert_eq!(facts[format!("processor_{name}").as_str()], expected.into(), "{name}");
        }
        assert_eq!(facts["processor"].as_list().map(<[Value]>::len), Some(12));
    }

    #[test]
    fn remote_file_systems_are_left_alone() {
        assert!(
            is_remote("nas:/export", "nfs4")
                && is_remote("//nas/share", "cifs")
                && is_remote("/dev/fuse", "fuse.sshfs")
        );
        assert!(!is_remote("/dev/vda1", "ext4") && !is_remote("tmpfs", "tmpfs"));
        assert_eq!(unescape("/mnt/a\\040b\\134c"), "/mnt/a b\\c");
    }
}
