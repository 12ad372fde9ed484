//! Time zone files (RFC 9636) and the rules at their end.

use super::clock::{civil_from_days, days_from_civil};

/// Returns offset from UTC in seconds and short name of the zone in `file` at a moment.
pub(super) fn at(file: &[u8], moment: i64) -> Option<(i64, String)> {
    let first = Header::read(file)?;
    if file[4] == 0 {
        return first.find(&file[44..], 4, moment);
    }
    // The second block has the same data with longer times; then comes the rule for the time after.
    let second = file.get(44 + first.length(4)..)?;
    let header = Header::read(second)?;
    let body = second.get(44..)?;
    let last = header.times.checked_sub(1).and_then(|i| time(body, i, 8));
    if last.is_none_or(|last| moment >= last) {
        let footer = body.get(header.length(8)..)?;
        let rule = str::from_utf8(footer).ok()?.trim_matches('\n');
        if let Some(found) = rule_at(rule, moment) {
            return Some(found);
        }
    }
    header.find(body, 8, moment)
}

struct Header {
    utc: usize,
    standard: usize,
    leaps: usize,
    times: usize,
    types: usize,
    chars: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let count = |i: usize| {
            let four = bytes.get(20 + 4 * i..24 + 4 * i)?;
            Some(u32::from_be_bytes(four.try_into().ok()?) as usize)
        };
        (bytes.get(..4)? == b"TZif").then_some(())?;
        Some(Self {
            utc: count(0)?,
            standard: count(1)?,
            leaps: count(2)?,
            times: count(3)?,
            types: count(4)?,
            chars: count(5)?,
        })
    }

    fn length(&self, width: usize) -> usize {
        self.times * (width + 1)
            + self.types * 6
            + self.chars
            + self.leaps * (width + 4)
            + self.standard
            + self.utc
    }

    fn find(&self, body: &[u8], width: usize, moment: i64) -> Option<(i64, String)> {
        let before =
            (0..self.times).take_while(|i| time(body, *i, width).is_some_and(|t| t <= moment)).count();
        let kind = match before.checked_sub(1) {
            Some(i) => usize::from(*body.get(self.times * width + i)?),
            None => 0,
        };
        let types = self.times * (width + 1);
        let entry = body.get(types + 6 * kind..types + 6 * kind + 6)?;
        let offset = i32::from_be_bytes(entry[..4].try_into().ok()?);
        let names = body.get(types + 6 * self.types..types + 6 * self.types + self.chars)?;
        let name: Vec<u8> =
            names.get(usize::from(entry[5])..)?.iter().copied().take_while(|b| *b != 0).collect();
        Some((offset.into(), String::from_utf8(name).ok()?))
    }
}

fn time(body: &[u8], index: usize, width: usize) -> Option<i64> {
    let bytes = body.get(index * width..(index + 1) * width)?;
    match width {
        4 => Some(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        _ => Some(i64::from_be_bytes(bytes.try_into().ok()?)),
    }
}

/// Returns offset and name by a rule such as `CET-1CEST,M3.5.0,M10.5.0/3` at a moment.
pub(super) fn rule_at(rule: &str, moment: i64) -> Option<(i64, String)> {
    let (name, rest) = abbreviation(rule)?;
    let (west, rest) = clock(rest)?;
    let standard = -west;
    if rest.is_empty() {
        return Some((standard, name));
    }
    let (summer_name, rest) = abbreviation(rest)?;
    let (summer, rest) = match clock(rest) {
        Some((west, rest)) => (-west, rest),
        None => (standard + 3600, rest),
    };
    let mut dates = rest.strip_prefix(',')?.split(',');
    let (start, end) = (dates.next()?, dates.next()?);
    let (year, _, _) = civil_from_days((moment + standard).div_euclid(86_400));
    let start = change(start, year)? - standard;
    let end = change(end, year)? - summer;
    let is_summer =
        if start < end { (start..end).contains(&moment) } else { !(end..start).contains(&moment) };
    Some(if is_summer { (summer, summer_name) } else { (standard, name) })
}

fn abbreviation(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('<') {
        let (name, rest) = quoted.split_once('>')?;
        return Some((name.to_owned(), rest));
    }
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    (end >= 3).then(|| (text[..end].to_owned(), &text[end..]))
}

/// Reads `[+-]hh[:mm[:ss]]`.
fn clock(text: &str) -> Option<(i64, &str)> {
    let end = text.find(|c: char| !matches!(c, '0'..='9' | ':' | '+' | '-')).unwrap_or(text.len());
    let (clock, rest) = text.split_at(end);
    let (sign, digits) = match clock.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, clock.trim_start_matches('+')),
    };
    let mut total = 0;
    for (part, unit) in digits.split(':').zip([3600, 60, 1]) {
        total += part.parse::<i64>().ok()? * unit;
    }
    Some((sign * total, rest))
}

/// Returns the local seconds since 1970 at which the clocks change by `Mm.w.d[/time]`, `Jn` or `n` of a year.
fn change(text: &str, year: i64) -> Option<i64> {
    let (date, time) = match text.split_once('/') {
        Some((date, time)) => (date, clock(time)?.0),
        None => (text, 7200),
    };
    let days = if let Some(date) = date.strip_prefix('M') {
        let mut parts = date.split('.').map(|part| part.parse::<u32>().ok());
        let (month, week, weekday) = (parts.next()??, parts.next()??, parts.next()??);
        let first = days_from_civil(year, month, 1);
        let until_weekday = (i64::from(weekday) - (first + 4)).rem_euclid(7);
        let after =
            if month == 12 { days_from_civil(year + 1, 1, 1) } else { days_from_civil(year, month + 1, 1) };
        let day = first + until_weekday + 7 * (i64::from(week) - 1);
        if day >= after { day - 7 } else { day }
    } else if let Some(day) = date.strip_prefix('J') {
        let day: i64 = day.parse().ok()?;
        let leap = days_from_civil(year, 3, 1) - days_from_civil(year, 2, 1) == 29;
        days_from_civil(year, 1, 1) + day - 1 + i64::from(leap && day >= 60)
    } else {
        days_from_civil(year, 1, 1) + date.parse::<i64>().ok()?
    };
    Some(days * 86_400 + time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_change_the_clocks() {
        // 2026-03-29 01:00 UTC and 2026-10-25 01:00 UTC; New York: 2026-03-08 07:00 UTC; Sydney: summer at new year.
        let central = "CET-1CEST,M3.5.0,M10.5.0/3";
        let new_york = "EST5EDT,M3.2.0,M11.1.0";
        let sydney = "AEST-10AEDT,M10.1.0,M4.1.0/3";
        for (rule, moment, offset, name) in [
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
            assert_eq!(rule_at(rule, moment), Some((offset, name.to_owned())), "{rule} {moment}");
        }
        assert_eq!(rule_at("nonsense,", 0), None);
    }

    #[test]
    fn files_are_read_where_there_are_such() {
        let mut seen = 0;
        for (zone, moment, expected) in [
            ("Europe/Berlin", 1_774_746_000, 7200),
            ("Europe/Berlin", 946_684_800, 3600),
            ("Asia/Kolkata", 0, 19_800),
        ] {
            if let Ok(bytes) = std::fs::read(format!("/usr/share/zoneinfo/{zone}")) {
                assert_eq!(at(&bytes, moment).map(|found| found.0), Some(expected), "{zone}");
                assert_eq!(at(&bytes[..60], moment), None);
                seen += 1;
            }
        }
        assert_eq!(at(b"TZif2", 0), None, "{seen} zone files were read");
    }
}
