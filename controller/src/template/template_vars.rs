//! The variables with which a template file describes itself: `ansible_managed`, `template_path` and others.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::jinja::{Val, strftime};
use crate::passwd;

/// Returns the variables that a template file has besides those of the host. `managed` is the setting `ansible_managed`,
/// `source` the file as the task names it.
pub(super) fn template_vars(
    managed: &str,
    source: &str,
    path: &Path,
    dest: Option<&str>,
) -> Vec<(Arc<str>, Val)> {
    let meta = fs::metadata(path).ok();
    let mtime =
        meta.as_ref().and_then(|meta| meta.modified().ok()).and_then(|time| local(time.try_into().ok()?));
    let owner = meta.map_or_else(String::new, |meta| owner(meta.uid()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let placeholders = Placeholders { file: source, owner: &owner, host: &host };
    vec![
        ("ansible_managed".into(), Val::text(placeholders.fill(managed, mtime))),
        ("template_host".into(), Val::text(host.as_str())),
        ("template_uid".into(), Val::text(owner.as_str())),
        ("template_path".into(), Val::text(source)),
        ("template_fullpath".into(), Val::text(&*path.to_string_lossy())),
        ("template_destpath".into(), dest.map_or(Val::None, Val::text)),
        ("template_mtime".into(), mtime.map_or(Val::None, Val::Time)),
        ("template_run_date".into(), Val::Time(Zoned::now().datetime())),
    ]
}

fn local(time: Timestamp) -> Option<DateTime> {
    Some(time.to_zoned(TimeZone::system()).datetime())
}

fn owner(uid: u32) -> String {
    passwd::user_name(uid).unwrap_or_else(|| uid.to_string())
}

/// The values of the placeholders in `ansible_managed`.
struct Placeholders<'a> {
    file: &'a str,
    owner: &'a str,
    host: &'a str,
}

impl Placeholders<'_> {
    fn fill(&self, pattern: &str, mtime: Option<DateTime>) -> String {
        // The time comes first, since the name of the file may contain a `%`.
        let dated = mtime.map_or_else(|| pattern.to_owned(), |mtime| strftime(mtime, pattern));
        dated.replace("{host}", self.host).replace("{uid}", self.owner).replace("{file}", self.file)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn ansible_managed_has_placeholders_and_dates() {
        let placeholders = Placeholders { file: "100%d.j2", owner: "ann", host: "desk" };
        let mtime = Some(date(2024, 3, 5).at(6, 7, 8, 0));
        let text = |pattern: &str| placeholders.fill(pattern, mtime);
        assert_eq!(text("Ansible managed"), "Ansible managed");
        assert_eq!(
            text("{file} of {uid} on {host}, %Y-%m-%d %H:%M:%S, 100%%"),
            "100%d.j2 of ann on desk, 2024-03-05 06:07:08, 100%"
        );
        assert_eq!(text("%Q"), "%Q");
    }
}
