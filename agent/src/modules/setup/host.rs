//! Kernel, names, time, environment and what runs the services.

use std::path::Path;

use convoy_protocol::{Map, map};

use super::files::Files;
use crate::system::SystemView;

pub(super) fn platform(view: &SystemView, facts: &mut Map) {
    let kernel = rustix::system::uname();
    let text = |s: &std::ffi::CStr| s.to_string_lossy().into_owned();
    let machine = text(kernel.machine());
    let full = view.full_host_name();
    let node = view.host_name();
    let bits = usize::BITS.to_string();
    facts.extend(map! {
        "system" => text(kernel.sysname()),
        "kernel" => text(kernel.release()),
        "kernel_version" => text(kernel.version()),
        "machine" => machine.as_str(),
        "architecture" => if matches!(machine.as_str(), "i486" | "i586" | "i686") { "i386" } else { machine.as_str() },
        "userspace_bits" => bits,
        "userspace_architecture" => std::env::consts::ARCH,
        "nodename" => node.as_str(),
        "hostname" => node.split('.').next().unwrap_or_default(),
        "domain" => full.split_once('.').map(|(_, domain)| domain).unwrap_or_default(),
        "fqdn" => full.as_str(),
    });
    let id = Files::here().line("/etc/machine-id");
    if !id.is_empty() {
        facts.insert("machine_id".into(), id.into());
    }
}

pub(super) fn environment(view: &SystemView, facts: &mut Map) {
    let all: Map = view.environment().into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    facts.insert("env".into(), all.into());
}

pub(super) fn date_time(view: &SystemView, facts: &mut Map) {
    const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    let now = view.now();
    let local = view.local_time(now);
    let utc = view.utc(now);
    let day = local.weekday();
    // As `strftime` counts: weeks from the first Monday.
    let week = (local.day_of_year() + 7 - (day + 6) % 7) / 7;
    let (sign, offset) = if local.offset < 0 { ('-', -local.offset) } else { ('+', local.offset) };
    let two = |number: u32| format!("{number:02}");
    let basic = local.stamp("", "T", "");
    facts.insert(
        "date_time".into(),
        map! {
            "year" => local.year.to_string(),
            "month" => two(local.month),
            "weekday" => DAYS[day as usize % 7],
            "weekday_number" => day.to_string(),
            "weeknumber" => two(week),
            "day" => two(local.day),
            "hour" => two(local.hour),
            "minute" => two(local.minute),
            "second" => two(local.second),
            "epoch" => now.as_secs().to_string(),
            "epoch_int" => now.as_secs().to_string(),
            "date" => format!("{:04}-{:02}-{:02}", local.year, local.month, local.day),
            "time" => format!("{:02}:{:02}:{:02}", local.hour, local.minute, local.second),
            "iso8601_micro" => format!("{}.{:06}Z", utc.stamp("-", "T", ":"), utc.micros),
            "iso8601" => format!("{}Z", utc.stamp("-", "T", ":")),
            "iso8601_basic" => format!("{basic}{:06}", local.micros),
            "iso8601_basic_short" => basic,
            "tz" => local.zone.as_str(),
            "tz_dst" => local.zone.as_str(),
            "tz_offset" => format!("{sign}{:02}{:02}", offset / 3600, offset / 60 % 60),
        }
        .into(),
    );
}

pub(super) fn service_manager(view: &SystemView, facts: &mut Map) {
    facts.insert("service_mgr".into(), view.service_manager().into());
}

pub(super) fn security(view: &SystemView, facts: &mut Map) {
    let selinux = if view.has_selinux() {
        let mode =
            if Files::here().line("/sys/fs/selinux/enforce") == "1" { "enforcing" } else { "permissive" };
        map! { "status" => "enabled", "mode" => mode }
    } else {
        map! { "status" => "disabled" }
    };
    let apparmor = if Path::new("/sys/kernel/security/apparmor").exists() { "enabled" } else { "disabled" };
    facts.extend(map! {
        "selinux" => selinux,
        "apparmor" => map! { "status" => apparmor },
        "fips" => Files::here().line("/proc/sys/crypto/fips_enabled") == "1",
    });
}

pub(super) fn chroot(view: &SystemView, facts: &mut Map) {
    facts.insert("is_chroot".into(), view.is_chroot().into());
}
