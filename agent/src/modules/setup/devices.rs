//! Disks and their partitions, from /sys/block; no disk is touched.

use std::collections::BTreeMap;

use convoy_protocol::{Map, Value, map};

use super::files::Files;

/// The links of one kind in /dev/disk: for each device the names that lead to it.
fn links(files: &Files, kind: &str) -> BTreeMap<String, Vec<String>> {
    let directory = format!("/dev/disk/by-{kind}");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in files.names(&directory) {
        let device = files.link(&format!("{directory}/{name}"));
        found.entry(device).or_default().push(name);
    }
    found
}

/// Returns the UUID of the file system on a device such as `/dev/vda1`.
pub(super) fn uuid(files: &Files, device: &str) -> Option<String> {
    let name = device.strip_prefix("/dev/")?;
    links(files, "uuid").remove(name)?.into_iter().next()
}

fn texts(names: &[String]) -> Value {
    names.iter().map(|name| Value::from(name.as_str())).collect()
}

struct Links {
    /// Ids, labels, masters and UUIDs, by device.
    kinds: [(&'static str, BTreeMap<String, Vec<String>>); 4],
}

impl Links {
    fn read(files: &Files, disks: &[String]) -> Self {
        let mut masters: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for disk in disks {
            for slave in files.names(&format!("/sys/block/{disk}/slaves")) {
                masters.entry(slave).or_default().push(disk.clone());
            }
        }
        let [ids, labels, uuids] = ["id", "label", "uuid"].map(|kind| links(files, kind));
        Self { kinds: [("ids", ids), ("labels", labels), ("masters", masters), ("uuids", uuids)] }
    }

    fn of(&self, device: &str) -> Map {
        let one =
            |names: &BTreeMap<String, Vec<String>>| texts(names.get(device).map_or(&[][..], Vec::as_slice));
        self.kinds.iter().map(|(kind, names)| ((*kind).into(), one(names))).collect()
    }

    fn all(&self) -> Map {
        let map = |names: &BTreeMap<String, Vec<String>>| {
            names.iter().map(|(device, names)| (device.as_str().into(), texts(names))).collect::<Map>()
        };
        self.kinds.iter().map(|(kind, names)| ((*kind).into(), map(names).into())).collect()
    }
}

pub(super) fn collect(files: &Files, facts: &mut Map) {
    let disks = files.names("/sys/block");
    let links = Links::read(files, &disks);
    let devices: Map =
        disks.iter().map(|disk| (disk.as_str().into(), one(files, disk, &links).into())).collect();
    facts.extend(map! { "devices" => devices, "device_links" => links.all() });
}

fn one(files: &Files, disk: &str, links: &Links) -> Map {
    let directory = format!("/sys/block/{disk}");
    let file = |name: &str| files.line(&format!("{directory}/{name}"));
    let known = |name: &str| Some(file(name)).filter(|text| !text.is_empty());
    let sectors: u64 = file("size").parse().unwrap_or_default();
    let scheduler = file("queue/scheduler");
    let mode =
        scheduler.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(mode, _)| mode);
    let partitions: Map = files
        .names(&directory)
        .into_iter()
        .filter(|name| name.starts_with(disk) && files.exists(&format!("{directory}/{name}/partition")))
        .map(|name| {
            (name.as_str().into(), partition(files, &format!("{directory}/{name}"), &name, links).into())
        })
        .collect();
    let mut device = map! {
        // Ansible says so of all disks.
        "virtual" => 1,
        "links" => links.of(disk),
        "vendor" => known("device/vendor"),
        "model" => known("device/model"),
        "sas_address" => known("device/sas_address"),
        "sas_device_handle" => known("device/sas_device_handle"),
        "removable" => file("removable"),
        "rotational" => file("queue/rotational"),
        "support_discard" => file("queue/discard_granularity"),
        "scheduler_mode" => mode,
        "sectors" => i64::try_from(sectors).unwrap_or(i64::MAX),
        "sectorsize" => sector_size(files, &directory),
        "size" => human(sectors.saturating_mul(512)),
        "host" => "",
        "holders" => texts(&files.names(&format!("{directory}/holders"))),
        "partitions" => partitions,
    };
    for (name, file) in [("serial", "device/serial"), ("wwn", "device/wwid"), ("wwn", "wwid")] {
        device.extend(known(file).map(|text| (name.into(), text.into())));
    }
    device
}

fn sector_size(files: &Files, directory: &str) -> String {
    let size = files.line(&format!("{directory}/queue/logical_block_size"));
    if size.is_empty() { "512".to_owned() } else { size }
}

fn partition(files: &Files, directory: &str, name: &str, links: &Links) -> Map {
    let number = |name: &str| files.line(&format!("{directory}/{name}")).parse::<u64>().unwrap_or_default();
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    map! {
        "links" => links.of(name),
        "start" => number("start").to_string(),
        "sectors" => whole(number("size")),
        "sectorsize" => 512,
        "size" => human(number("size").saturating_mul(512)),
        "uuid" => uuid(files, &format!("/dev/{name}")),
        "holders" => texts(&files.names(&format!("{directory}/holders"))),
    }
}

/// Returns a size as Ansible shows it: `20.00 GB`.
fn human(bytes: u64) -> String {
    let units =
        [("YB", 80), ("ZB", 70), ("EB", 60), ("PB", 50), ("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10)];
    let size = bytes as f64;
    let unit = units.iter().find(|(_, power)| size >= 2f64.powi(*power));
    let (name, power) = unit.copied().unwrap_or(("Bytes", 0));
    format!("{:.2} {name}", size / 2f64.powi(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_with_a_partition() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for (name, text) in [
            ("size", "41943040\n"),
            ("removable", "0\n"),
            ("device/model", "QEMU HARDDISK\n"),
            ("queue/rotational", "1\n"),
            ("queue/scheduler", "none [mq-deadline]\n"),
            ("queue/logical_block_size", "4096\n"),
            ("sda1/partition", "1\n"),
            ("sda1/start", "2048\n"),
            ("sda1/size", "2048\n"),
        ] {
            write(&format!("sys/block/sda/{name}"), text);
        }
        write("sys/block/md0/slaves/sda1", "");
        std::fs::create_dir_all(dir.path().join("dev/disk/by-uuid")).unwrap();
        std::os::unix::fs::symlink("../../sda1", dir.path().join("dev/disk/by-uuid/0a-1b")).unwrap();
        let mut facts = Map::new();
        collect(&Files::below(dir.path()), &mut facts);
        let disk = facts["devices"].get("sda").unwrap();
        for (name, expected) in [
            ("model", Value::from("QEMU HARDDISK")),
            ("size", "20.00 GB".into()),
            ("sectors", 41_943_040.into()),
            ("sectorsize", "4096".into()),
            ("rotational", "1".into()),
            ("scheduler_mode", "mq-deadline".into()),
            ("vendor", Value::null()),
        ] {
            assert_eq!(disk.get(name), Some(&expected), "{name}");
        }
        let partition = disk.get("partitions").unwrap().get("sda1").unwrap();
        assert_eq!(partition.get("uuid").unwrap().as_str(), Some("0a-1b"));
        assert_eq!(partition.get("size").unwrap().as_str(), Some("1.00 MB"));
        assert_eq!(partition.get("links").unwrap().get("masters").unwrap(), &vec![Value::from("md0")].into());
        assert_eq!(uuid(&Files::below(dir.path()), "/dev/sda1").as_deref(), Some("0a-1b"));
        assert_eq!(human(512), "512.00 Bytes");
    }
}
