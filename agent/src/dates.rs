//! Dates and times of day. Days are counted from 1970-01-01, with Howard Hinnant's algorithms.

use std::time::Duration;

/// A point in time, split into calendar fields in some time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarTime {
    /// Year.
    pub year: i64,
    /// Month, from 1.
    pub month: u32,
    /// Day of the month, from 1.
    pub day: u32,
    /// Hour.
    pub hour: u32,
    /// Minute.
    pub minute: u32,
    /// Second.
    pub second: u32,
    /// Microsecond within the second.
    pub micros: u32,
    /// The zone's offset from UTC in seconds, positive to the east.
    pub offset: i64,
    /// The zone's abbreviation, such as `CEST`.
    pub zone: String,
}

impl CalendarTime {
    /// Makes the point in time `since_1970` after the start of 1970 in UTC, in a zone with this offset and abbreviation.
    pub(crate) fn new(since_1970: Duration, offset: i64, zone: String) -> Self {
        let seconds = i64::try_from(since_1970.as_secs()).unwrap_or_default() + offset;
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let rest = seconds.rem_euclid(86_400) as u32;
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        Self { year, month, day, hour, minute, second, micros: since_1970.subsec_micros(), offset, zone }
    }

    /// Formats it with `date` between the parts of the date, `between` before the time, and `time` between its parts.
    pub fn stamp(&self, date: &str, between: &str, time: &str) -> String {
        format!(
            "{:04}{date}{:02}{date}{:02}{between}{:02}{time}{:02}{time}{:02}",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        )
    }

    /// Formats it like Python's `str(datetime)`.
    pub fn python(&self) -> String {
        let stamp = self.stamp("-", " ", ":");
        if self.micros == 0 { stamp } else { format!("{stamp}.{:06}", self.micros) }
    }

    /// Returns the day of the week; 0 is Sunday.
    pub fn weekday(&self) -> u32 {
        (days_from_civil(self.year, self.month, self.day) + 4).rem_euclid(7) as u32
    }

    /// Returns the day of the year, starting at 0.
    pub fn day_of_year(&self) -> u32 {
        (days_from_civil(self.year, self.month, self.day) - days_from_civil(self.year, 1, 1)) as u32
    }
}

/// Formats a number of seconds since 1970 as RFC 3339, in UTC.
pub(crate) fn rfc3339(seconds: i64) -> String {
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let rest = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Returns the number of days from 1970-01-01 to a date.
pub(crate) fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = i64::from((month + 9) % 12);
    let day_of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Returns year, month and day of a number of days after 1970-01-01.
pub(crate) fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = (if shifted < 10 { shifted + 3 } else { shifted - 9 }) as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_convert_to_days_and_back() {
        for (days, date) in
            [(0, (1970, 1, 1)), (11_016, (2000, 2, 29)), (20_513, (2026, 3, 1)), (-1, (1969, 12, 31))]
        {
            assert_eq!(civil_from_days(days), date);
            assert_eq!(days_from_civil(date.0, date.1, date.2), days);
        }
        let civil = CalendarTime::new(Duration::new(951_827_696, 5000), 3600, "CET".into());
        assert_eq!(civil.python(), "2000-02-29 13:34:56.000005");
        assert_eq!((civil.weekday(), civil.day_of_year()), (2, 59));
    }
}
