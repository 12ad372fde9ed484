//! The first record of a journal: what is known of its run when it begins.

use convoy_protocol::{Map, map};
use jiff::Timestamp;

use super::id::RunId;
use crate::events::fields::{Fault, Fields};
use crate::events::object::texts;
use crate::report;

/// The version of the format, major and minor. A reader reads every minor version of its major version, and ignores
/// what it does not know.
pub(super) const FORMAT: (u32, u32) = (1, 0);

/// What is known of a run when it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Its name.
    pub id: RunId,
    /// When it began, by the workstation's clock.
    pub at: Timestamp,
    /// Who started it, and on which machine.
    pub by: String,
    /// The id of its process.
    pub process: u32,
    /// The version of convoy.
    pub version: String,
    /// The directory that relative paths start from.
    pub folder: String,
    /// The command line as it was given.
    pub command: Vec<String>,
    /// The playbooks as they were given.
    pub playbooks: Vec<String>,
    /// For an undo, the run that it undoes.
    pub undoes: Option<RunId>,
    /// The sources of the inventory.
    pub inventory: Vec<String>,
    /// Whether it runs in check mode.
    pub check: bool,
    /// How it is shown as text.
    pub shown: report::Options,
}

impl Header {
    /// Returns the body of the record.
    pub(super) fn body(&self) -> Map {
        let shown = map! {
            "verbosity" => u32::from(self.shown.verbosity),
            "columns" => i64::try_from(self.shown.columns).unwrap_or(i64::MAX),
            "custom_stats" => self.shown.custom_stats,
            "ok_hosts" => self.shown.ok_hosts,
            "skipped_hosts" => self.shown.skipped_hosts,
        };
        let mut body = map! {
            "journal" => format!("{}.{}", FORMAT.0, FORMAT.1),
            "run" => self.id.as_str(),
            "by" => self.by.as_str(),
            "process" => self.process,
            "version" => self.version.as_str(),
            "folder" => self.folder.as_str(),
            "command" => texts(&self.command),
            "playbooks" => texts(&self.playbooks),
            "inventory" => texts(&self.inventory),
            "check" => self.check,
            "shown" => shown,
        };
        body.extend(self.undoes.iter().map(|id| ("undoes".into(), id.as_str().into())));
        body
    }

    /// Returns the version of the format; `None` if this is not the body of a first record.
    pub(super) fn format(body: &Map) -> Option<(u32, u32)> {
        let (major, minor) = body.get("journal")?.as_str()?.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    }

    /// Reads the body of the record.
    pub(super) fn read(at: Timestamp, body: &Map) -> Result<Self, Fault> {
        let of = Fields(body);
        let shown = Fields(of.map("shown")?);
        Ok(Self {
            id: name(of, "run")?,
            undoes: if body.contains_key("undoes") { Some(name(of, "undoes")?) } else { None },
            at,
            by: of.string("by")?,
            process: of.number("process")?,
            version: of.string("version")?,
            folder: of.string("folder")?,
            command: of.strings("command")?,
            playbooks: of.strings("playbooks")?,
            inventory: of.strings("inventory")?,
            check: of.flag("check")?,
            shown: report::Options {
                verbosity: shown.number("verbosity")?,
                columns: shown.number("columns")?,
                custom_stats: shown.flag("custom_stats")?,
                ok_hosts: shown.flag("ok_hosts")?,
                skipped_hosts: shown.flag("skipped_hosts")?,
                ..report::Options::default()
            },
        })
    }
}

/// Reads the name of a run.
fn name(of: Fields<'_>, field: &'static str) -> Result<RunId, Fault> {
    RunId::parse(&of.text(field)?).ok_or(Fault::Field(field))
}
