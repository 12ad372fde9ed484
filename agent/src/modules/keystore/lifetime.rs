//! How long the certificates of a keystore last.

use super::args::{Args, Expired};
use crate::formats::keystore::{Certificate, Entry, Keystore, Kind, Moment};
use crate::system::SystemView;

/// Returns the time of the node's clock.
pub(super) fn now(view: &SystemView) -> Moment {
    Moment(i64::try_from(view.now().as_secs()).unwrap_or(i64::MAX))
}

/// Returns the entries whose certificates must last: the named one, else all keys.
pub(super) fn looked_at<'k>(
    keystore: &'k Keystore,
    named: Option<&'k Entry>,
) -> impl Iterator<Item = &'k Entry> {
    let keys = keystore.entries.iter().filter(move |entry| named.is_none() && entry.kind == Kind::Key);
    keys.chain(named)
}

/// Returns the least number of days that a certificate of `entry`, or one above it, lasts.
pub(super) fn days_left(entry: &Entry, now: Moment) -> Option<i64> {
    entry.chain.iter().map(|certificate| certificate.not_after.days_after(now)).min()
}

/// Returns whether a certificate of `entry`, or one above it, has expired.
pub(super) fn is_expired(entry: &Entry, now: Moment) -> bool {
    entry.chain.iter().any(|certificate| certificate.not_after < now)
}

/// Returns what is wrong with the certificates that must last, all of it.
pub(super) fn problem(
    args: &Args,
    keystore: &Keystore,
    named: Option<&Entry>,
    now: Moment,
) -> Option<String> {
    let mut problems: Vec<String> = Vec::new();
    for entry in looked_at(keystore, named) {
        let alias = &entry.alias;
        for (at, certificate) in entry.chain.iter().enumerate() {
            let whose = match at {
                0 => format!("the certificate of {alias}"),
                _ => format!("the certificate of {} above {alias}", certificate.subject),
            };
            problems.extend(problem_of(args, certificate, now).map(|what| format!("{whose} {what}")));
        }
    }
    (!problems.is_empty()).then(|| format!("cannot be used: {}", problems.join(", ")))
}

fn problem_of(args: &Args, certificate: &Certificate, now: Moment) -> Option<String> {
    let Certificate { not_before, not_after, .. } = certificate;
    let days = not_after.days_after(now);
    match args.min_days_left {
        _ if *not_after < now && args.expired == Expired::Fail => {
            Some(format!("has expired, on {not_after}"))
        }
        _ if *not_before > now && args.expired == Expired::Fail => {
            Some(format!("is not valid before {not_before}; it is {now} by the clock of the node"))
        }
        Some(least) if days < least => {
            Some(format!("ends on {not_after}, in {days} days, where {least} are wanted"))
        }
        _ => None,
    }
}
