//! The names of runs, which sort in the order in which the runs began.

use std::fmt;
use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rand::seq::IndexedRandom as _;

/// The format of the time, which is in UTC.
const TIME: &str = "%Y%m%d-%H%M%S";

/// How many random characters follow the time.
const RANDOM: usize = 5;
/// The random characters: none that looks like another.
const CHARACTERS: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";

/// The name of a run: the time at which it began, to the second, and a few random characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(Arc<str>);

impl RunId {
    /// Returns a name for a run that begins now. It sorts after `last`, the previous run, even if the clock was set
    /// back; then the time in the name is later than the actual time.
    pub fn new(last: Option<&Self>, now: Timestamp) -> Self {
        let next = last.and_then(|last| last.time().checked_add(SignedDuration::from_secs(1)).ok());
        let time = next.map_or(now, |next| next.max(now));
        let mut rng = rand::rng();
        let random = (0..RANDOM).filter_map(|_| CHARACTERS.choose(&mut rng)).map(|byte| char::from(*byte));
        let random: String = random.collect();
        Self(format!("{}-{random}", time.strftime(TIME)).into())
    }

    /// Reads a name; `None` if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (time, random) = text.rsplit_once('-')?;
        let random = random.len() == RANDOM && random.bytes().all(|byte| CHARACTERS.contains(&byte));
        let time =
            DateTime::strptime(TIME, time).ok().filter(|parsed| parsed.strftime(TIME).to_string() == time);
        (random && time.is_some()).then(|| Self(text.into()))
    }

    /// Returns the time in the name.
    pub fn time(&self) -> Timestamp {
        let time = self.0.rsplit_once('-').and_then(|(time, _)| DateTime::strptime(TIME, time).ok());
        time.and_then(|time| TimeZone::UTC.to_timestamp(time).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_in_the_order_of_the_runs_even_if_the_clock_goes_back() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let mut last = RunId::new(None, at(0));
        assert_eq!(last.as_str()[..16], *"20270115-080000-");
        // In the same second, later, an hour before.
        for second in [0, 0, 5, -3600, -3600, 6] {
            let next = RunId::new(Some(&last), at(second));
            assert!(next > last, "{next} {last}");
            assert_eq!(RunId::parse(next.as_str()).as_ref(), Some(&next));
            last = next;
        }
        assert_eq!(last.time(), at(8));
    }

    #[test]
    fn malformed_names_are_rejected() {
        for text in [
            "",
            "journal",
            "20270115-080000",
            "20270115-080000-abcde.gone",
            "20270115-080000-abcd1",
            "20270115-80000-abcde",
            "20271315-080000-abcde",
            "../../20270115-080000-abcde",
            "20270115-080000-ABCDE",
        ] {
            assert_eq!(RunId::parse(text), None, "{text}");
        }
    }
}
