//! `access_time` and `modification_time`.

use convoy_protocol::Map;

use super::args::{Args, State};
use crate::failure::Failure;
use crate::stat::{Meta, Time};
use crate::system::{SetTime, SystemView};

/// The two times as they shall be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    atime: SetTime,
    mtime: SetTime,
}

impl Times {
    /// Reads both arguments.
    pub(super) fn read(args: &Args, state: State, view: &SystemView) -> Result<Self, Failure> {
        let default = if state == State::Touch { "now" } else { "preserve" };
        let one =
            |text: &Option<String>, format: &str| read(text.as_deref().unwrap_or(default), format, view);
        Ok(Self {
            atime: one(&args.access_time, &args.access_time_format)?,
            mtime: one(&args.modification_time, &args.modification_time_format)?,
        })
    }

    pub(super) fn is_preserve(self) -> bool {
        self.atime == SetTime::Keep && self.mtime == SetTime::Keep
    }

    /// Returns what is to be set, if anything is.
    pub(super) fn missing(self, meta: &Meta) -> Option<(SetTime, SetTime)> {
        let differs = |wanted: SetTime, there: Time| match wanted {
            SetTime::Keep => false,
            SetTime::Now => true,
            SetTime::To(time) => time != there,
        };
        (differs(self.atime, meta.atime) || differs(self.mtime, meta.mtime))
            .then_some((self.atime, self.mtime))
    }

    /// Returns what is to be set on something that is made just now.
    pub(super) fn for_new(self) -> (SetTime, SetTime) {
        (self.atime, self.mtime)
    }

    pub(super) fn show(self, view: &SystemView, meta: &Meta, before: &mut Map, after: &mut Map) {
        for (name, wanted, there) in [("atime", self.atime, meta.atime), ("mtime", self.mtime, meta.mtime)] {
            let new = match wanted {
                SetTime::Keep => continue,
                SetTime::Now => view.now().as_secs_f64(),
                SetTime::To(time) => time.as_f64(),
            };
            before.insert(name.into(), there.as_f64().into());
            after.insert(name.into(), new.into());
        }
    }
}

fn read(text: &str, format: &str, view: &SystemView) -> Result<SetTime, Failure> {
    match text {
        "preserve" => Ok(SetTime::Keep),
        "now" => Ok(SetTime::Now),
        _ => {
            parse(text, format, view).map(|seconds| SetTime::To(Time { seconds, nanos: 0 })).map_err(|why| {
                Failure::new(format!(
                    "Error while obtaining timestamp for time {text} using format {format}: {why}"
                ))
            })
        }
    }
}

/// Reads a local time as Python's `strptime` does, by the directives that are numbers.
fn parse(text: &str, format: &str, view: &SystemView) -> Result<i64, String> {
    let mismatch = || format!("time data '{text}' does not match format '{format}'");
    let (mut year, mut month, mut day, mut second) = (1900, 1, 1, 0);
    let mut rest = text;
    let mut directives = format.chars();
    while let Some(c) = directives.next() {
        if c != '%' {
            rest = rest.strip_prefix(c).ok_or_else(mismatch)?;
            continue;
        }
        let directive = directives.next().ok_or_else(mismatch)?;
        let (width, range) = match directive {
            'Y' => (4, 1..=9999),
            'm' => (2, 1..=12),
            'd' => (2, 1..=31),
            'H' => (2, 0..=23),
            'M' => (2, 0..=59),
            'S' => (2, 0..=61),
            'y' => (2, 0..=99),
            '%' => {
                rest = rest.strip_prefix('%').ok_or_else(mismatch)?;
                continue;
            }
            _ => return Err(format!("%{directive} is not supported by convoy; use %Y %m %d %H %M %S %y")),
        };
        let digits = rest.bytes().take(width).take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let number: i64 = number.parse().map_err(|_| mismatch())?;
        if !range.contains(&number) || (directive == 'Y' && digits != 4) {
            return Err(mismatch());
        }
        rest = after;
        match directive {
            'Y' => year = number,
            'y' => year = if number < 69 { 2000 + number } else { 1900 + number },
            'm' => month = number as u32,
            'd' => day = number as u32,
            'H' => second += 3600 * number,
            'M' => second += 60 * number,
            _ => second += number,
        }
    }
    if rest.is_empty() { Ok(view.from_local(year, month, day, second)) } else { Err(mismatch()) }
}
