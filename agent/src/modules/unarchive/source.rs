//! Where the archive is, and what is in it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use convoy_archive::{Error, Manifest};
use convoy_protocol::Digest;

use crate::content::{Content, StagedArchive};
use crate::failure::Failure;
use crate::http::{self, Download, Request, Url};
use crate::os_error::cannot;
use crate::stat::Meta;
use crate::system::{System, SystemView};

/// How long a server may take for each piece of the archive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where the archive is.
#[derive(Debug)]
pub(super) enum Source {
    /// On the workstation, with the digest of its manifest.
    Controller(Content, Digest),
    /// On the node, at this path.
    Node(PathBuf, Meta, String),
}

impl Source {
    /// Looks for the archive.
    pub(super) fn find(given: &StagedArchive, on_node: bool, view: &SystemView) -> Result<Self, Failure> {
        match given {
            StagedArchive::Controller(content, manifest) => Ok(Self::Controller(content.clone(), *manifest)),
            StagedArchive::Node(path) if on_node => Self::on_node(view.expand(path), view),
            StagedArchive::Node(path) => Err(Failure::new(format!(
                "{} is a file of the workstation, but its content was not sent with the task",
                path.0.display()
            ))),
        }
    }

    /// Returns the address that the archive shall be fetched from, if it is one.
    pub(super) fn address(given: &StagedArchive, on_node: bool) -> Option<String> {
        match given {
            StagedArchive::Node(path) if on_node => {
                Some(path.0.to_string_lossy().into_owned()).filter(|path| path.contains("://"))
            }
            _ => None,
        }
    }

    /// Fetches an archive; it is there as long as what is returned beside it.
    pub(super) fn fetch(
        address: &str,
        validate: bool,
        node: &mut System,
    ) -> Result<(Self, Download), Failure> {
        let failed = |shown: &str, why: String| Failure::new(format!("Failure downloading {shown}, {why}"));
        let url = Url::parse(address).map_err(|error| Failure::new(error.to_string()))?;
        let shown = url.to_string();
        let mut request = Request::new("GET", url, TIMEOUT);
        request.tls.validate = validate;
        let mut response = http::send(node, request).map_err(|error| failed(&shown, error.to_string()))?;
        if response.status != 200 {
            return Err(failed(&shown, http::status_text(&response)));
        }
        let directory = node.temporary_directory();
        let download = http::download(node, &directory, &mut response.body)
            .map_err(|error| failed(&shown, error.msg))?;
        let meta = node.stat(download.path())?.filter(|meta| meta.size > 0);
        let meta =
            meta.ok_or_else(|| Failure::new(format!("Invalid archive '{shown}', the file is 0 bytes")))?;
        Ok((Self::Node(download.path().to_owned(), meta, shown), download))
    }

    fn on_node(path: PathBuf, view: &SystemView) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let Some(meta) = view.stat(&path)? else {
            return Err(Failure::new(format!("Source '{shown}' does not exist")));
        };
        if !meta.is_file() {
            return Err(Failure::new(format!("Source '{shown}' is not a file")));
        }
        if !view.can_read(&path) {
            return Err(Failure::new(format!("Source '{shown}' not readable")));
        }
        if meta.size == 0 {
            return Err(Failure::new(format!("Invalid archive '{shown}', the file is 0 bytes")));
        }
        let path = std::path::absolute(&path).unwrap_or(path);
        let shown = path.display().to_string();
        Ok(Self::Node(path, meta, shown))
    }

    /// Returns the name by which people know it.
    pub(super) fn shown(&self) -> &str {
        match self {
            Self::Controller(content, _) => &content.name,
            Self::Node(_, _, shown) => shown,
        }
    }

    /// Returns what is in it.
    pub(super) fn manifest(&self, view: &SystemView) -> Result<Manifest, Failure> {
        match self {
            Self::Controller(_, digest) => {
                let bytes = view.read(&view.content(digest)?)?;
                Manifest::decode(&bytes).map_err(|error| unreadable(self.shown(), &error))
            }
            Self::Node(path, meta, shown) => {
                of_node(path, meta, view).map_err(|error| unreadable(shown, &error))
            }
        }
    }

    /// Opens the archive, which comes from the workstation first if it is there.
    pub(super) fn open(&self, view: &SystemView) -> Result<File, Failure> {
        let path = match self {
            Self::Controller(content, _) => view.content(&content.digest)?,
            Self::Node(path, ..) => path.clone(),
        };
        File::open(&path).map_err(|error| cannot("read", &path, &error))
    }
}

/// Returns the failure of an archive that cannot be unpacked for this reason.
pub(super) fn unreadable(shown: &str, error: &Error) -> Failure {
    Failure::new(error.of_archive(shown))
}

/// Reads an archive on the node, unless it was read before and has not changed since.
fn of_node(path: &Path, meta: &Meta, view: &SystemView) -> Result<Manifest, Error> {
    let stamp =
        |meta: &Meta| format!("{} {} {} {:?} {:?}", meta.dev, meta.ino, meta.size, meta.mtime, meta.ctime);
    let name = format!("manifest {}", stamp(meta));
    if let Some(known) = view.load_note(&name).and_then(|bytes| Manifest::decode(&bytes).ok()) {
        return Ok(known);
    }
    let manifest = convoy_archive::read(&mut File::open(path).map_err(Error::Io)?)?;
    if crate::digest_cache::is_reliable(view, path, meta) {
        view.store_note(&name, &manifest.encode());
    }
    Ok(manifest)
}
