//! The clock and the node's time zone, which is read from files and not requested from libc.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::SystemView;
use crate::dates::{CalendarTime, days_from_civil};

impl SystemView {
    /// Returns the time since 1970.
    pub fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// Converts a time to UTC.
    pub fn utc(&self, since_1970: Duration) -> CalendarTime {
        CalendarTime::new(since_1970, 0, "UTC".into())
    }

    /// Formats a time, in seconds since 1970, for an HTTP header.
    pub fn http_date(&self, seconds: i64) -> String {
        let civil = self.utc(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()));
        let day = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][civil.weekday() as usize % 7];
        let months = ["Dec", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov"];
        let month = months[civil.month as usize % 12];
        let CalendarTime { year, day: number, hour, minute, second, .. } = civil;
        format!("{day}, {number:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
    }

    /// Converts a time to the node's time zone: that of `TZ`, else of /etc/localtime, else UTC.
    pub fn local_time(&self, since_1970: Duration) -> CalendarTime {
        let at = i64::try_from(since_1970.as_secs()).unwrap_or_default();
        let (offset, zone) = offset_at(&self.time_zone(), at);
        CalendarTime::new(since_1970, offset, zone)
    }

    /// Converts a local time in the node's time zone to seconds since 1970.
    pub fn from_local(&self, year: i64, month: u32, day: u32, second_of_day: i64) -> i64 {
        let local = days_from_civil(year, month, day) * 86_400 + second_of_day;
        let zone = self.time_zone();
        let guess = local - offset_at(&zone, local).0;
        local - offset_at(&zone, guess).0
    }

    fn time_zone(&self) -> TimeZone {
        let tz = self.variable("TZ").filter(|tz| !tz.is_empty());
        time_zone(tz.as_deref()).unwrap_or(TimeZone::UTC)
    }
}

/// Returns the UTC offset in seconds and the abbreviation of a time zone at the given time.
fn offset_at(zone: &TimeZone, at: i64) -> (i64, String) {
    let info = zone.to_offset_info(Timestamp::from_second(at).unwrap_or_default());
    (info.offset().seconds().into(), info.abbreviation().to_owned())
}

/// Reads the time zone for this value of `TZ`: a file, a name in the time zone database, or a rule.
fn time_zone(tz: Option<&str>) -> Option<TimeZone> {
    let read = |path: &str| TimeZone::tzif("", &fs::read(path).ok()?).ok();
    match tz.map(|tz| tz.trim_start_matches(':')) {
        None => read("/etc/localtime"),
        Some(path) if path.starts_with('/') => read(path),
        Some(name) => {
            let in_database = !name.contains("..");
            let file = in_database.then(|| read(&format!("/usr/share/zoneinfo/{name}")));
            file.flatten().or_else(|| TimeZone::posix(name).ok())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(tz: &str, at: i64) -> Option<(i64, String)> {
        time_zone(Some(tz)).map(|zone| offset_at(&zone, at))
    }

    #[test]
    fn a_rule_in_tz_is_applied() {
        // 2026-03-29 01:00 UTC and 2026-10-25 01:00 UTC; New York: 2026-03-08 07:00 UTC; Sydney: summer at new year.
        let central = "CET-1CEST,M3.5.0,M10.5.0/3";
        let new_york = "EST5EDT,M3.2.0,M11.1.0";
        let sydney = ":AEST-10AEDT,M10.1.0,M4.1.0/3";
        for (rule, moment, seconds, name) in [
            (central, 1_774_745_999, 3600, "CET"),
            (central, 1_774_746_000, 7200, "CEST"),
            (central, 1_792_889_999, 7200, "CEST"),
            (central, 1_792_890_000, 3600, "CET"),
            (new_york, 1_772_953_199, -18_000, "EST"),
            (new_york, 1_772_953_200, -14_400, "EDT"),
            (sydney, 1_767_225_600, 39_600, "AEDT"),
            ("<+0530>-5:30", 0, 19_800, "+0530"),
            ("UTC0", 0, 0, "UTC"),
        ] {
            assert_eq!(offset(rule, moment), Some((seconds, name.to_owned())), "{rule} {moment}");
        }
        assert_eq!(offset("nonsense,", 0), None);
        assert_eq!(offset("../etc/localtime", 0), None);
    }

    #[test]
    fn a_zone_of_the_database_is_read_from_its_file() {
        for (zone, moment, seconds) in [
            ("Europe/Berlin", 1_774_746_000, 7200),
            ("Europe/Berlin", 946_684_800, 3600),
            ("Asia/Kolkata", 0, 19_800),
        ] {
            let path = format!("/usr/share/zoneinfo/{zone}");
            if fs::exists(&path).unwrap_or_default() {
                assert_eq!(offset(zone, moment).map(|found| found.0), Some(seconds), "{zone}");
                assert_eq!(offset(&path, moment).map(|found| found.0), Some(seconds), "{zone}");
            }
        }
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("zone");
        fs::write(&file, "TZif2").unwrap();
        assert_eq!(offset(&file.to_string_lossy(), 0), None);
    }
}
