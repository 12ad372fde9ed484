//! Filters on dates and times.

use jiff::tz::TimeZone;

use crate::template::Error;
use crate::template::jinja::python::text;
use crate::template::jinja::python::text::text_of;
use crate::template::jinja::python::value::Val;
use crate::template::jinja::rendering::Filter;

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("to_datetime", |_, v, args| {
        let text = text_of(v)?;
        let format = args.text(0, "format")?.unwrap_or_else(|| "%Y-%m-%d %H:%M:%S".into());
        let parsed = jiff::fmt::strtime::parse(&format, &text).and_then(|parsed| {
            parsed.to_datetime().or_else(|_| parsed.to_date().map(jiff::civil::Date::into))
        });
        parsed
            .map(Val::Time)
            .map_err(|_| Error::other(format!("time data '{text}' does not match format '{format}'")))
    }),
    ("strftime", |rendering, v, args| {
        let format = text_of(v)?;
        let second = args.take(0, "second").filter(|v| !matches!(v, Val::None));
        let utc = args.flag(1, "utc", false)?;
        let stamp = match second {
            Some(second) => {
                let text = text_of(second)?;
                let seconds: f64 = text
                    .trim()
                    .parse()
                    .map_err(|_| Error::other(format!("Invalid value for epoch value ({text})")))?;
                jiff::Timestamp::from_second(seconds.floor() as i64)
                    .map_err(|e| Error::other(e.to_string()))?
            }
            None => {
                rendering.require_impure("strftime without a time")?;
                jiff::Timestamp::now()
            }
        };
        let zone = if utc { TimeZone::UTC } else { TimeZone::system() };
        Ok(text::strftime(&stamp.to_zoned(zone), &format).into())
    }),
];
