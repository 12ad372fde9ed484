//! Downloads content that a node offers: the controller's half of `fetch`.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use convoy_agent::args::{Arg, Staged};
use convoy_agent::modules;
use convoy_protocol::message::Order;
use convoy_protocol::{Digest, Map, Offer, Outcome, Status, Value, map};
use sha2::Digest as _;
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

use super::Executor;
use crate::link::{PullError, Puller};
use crate::paths::{absolute, expand_user, normalize};
use crate::services::endpoint::Endpoint;

/// Takes what an order's outcome offers, if its module has a parameter that says where to.
///
/// # Errors
/// Why the host was lost meanwhile.
pub(super) async fn download(
    executor: &Executor<'_>,
    host: &str,
    order: &Order,
    endpoint: &Endpoint,
    outcome: Outcome,
) -> Result<Outcome, String> {
    let params = modules::find(&order.module).map_or(&[][..], |module| module.spec.params);
    let Some(param) = params.iter().find(|param| param.staged == Staged::Download) else {
        return Ok(outcome);
    };
    if order.check {
        let msg = "check mode not (yet) supported for this module";
        return Ok(Outcome {
            status: Status::Unknown,
            values: map! { "msg" => msg },
            offer: None,
            ..outcome
        });
    }
    let (Some(offer), Status::Same) = (outcome.offer, outcome.status) else { return Ok(outcome) };
    let source = outcome.values.get("file").and_then(Value::as_str).unwrap_or_default();
    let base = executor.snapshot.play.play.as_ref().map_or_else(|| ".".into(), |play| play.dir.clone());
    let flag =
        |name, default| order.args.get(name).map_or(default, |value| bool::convert(value).unwrap_or(default));
    let place = match order.args.get(param.name).and_then(Value::as_str) {
        None => Err("Invalid type supplied for dest option, it must be a string".to_owned()),
        Some(dest) if flag("flat", false) => flat(dest, source, &base),
        Some(dest) => by_host(dest, source, &base, host),
    };
    let downloaded = match place {
        Err(why) => Err(DownloadError::new(why)),
        Ok(place) => {
            let download = Download { offer, place, must_match: flag("validate_checksum", true) };
            let puller = async || executor.services.connections.puller(endpoint).await;
            download.take(puller, outcome.values.get("checksum")).await
        }
    };
    let (status, mut values) = match downloaded {
        Ok(Downloaded { is_new, values }) => (if is_new { Status::Changed } else { Status::Same }, values),
        Err(DownloadError::Lost(why)) => return Err(why),
        Err(DownloadError::Failed(values)) => (Status::Failed, values),
    };
    if status != Status::Changed {
        values.insert("file".into(), source.into());
    }
    Ok(Outcome { status, values, offer: None, ..outcome })
}

/// Content on its way to its place.
struct Download {
    offer: Offer,
    place: PathBuf,
    /// Whether it has to be what was offered, to the byte.
    must_match: bool,
}

/// What became of it.
struct Downloaded {
    /// Whether there was something else, or nothing, before.
    is_new: bool,
    values: Map,
}

enum DownloadError {
    /// The task has failed.
    Failed(Map),
    /// The host is lost.
    Lost(String),
}

impl DownloadError {
    fn new(msg: impl Into<Value>) -> Self {
        Self::Failed(map! { "msg" => msg.into() })
    }
}

impl Download {
    /// Takes the content, unless it is there already. `reported` is the digest that the node says it has.
    async fn take(
        self,
        puller: impl AsyncFnOnce() -> Option<Puller>,
        reported: Option<&Value>,
    ) -> Result<Downloaded, DownloadError> {
        let shown = self.place.display().to_string();
        let not_kept =
            |error: io::Error| DownloadError::new(format!("Failed to fetch the file: {shown}: {error}"));
        let told = |sums: &Sums| map! { "dest" => shown.as_str(), "checksum" => sums.sha1(), "md5sum" => sums.md5() };
        if let Some(sums) = there(&self.place, self.offer).await.map_err(not_kept)? {
            return Ok(Downloaded { is_new: false, values: told(&sums) });
        }
        let puller = puller().await.ok_or_else(|| DownloadError::Lost("the connection has ended".into()))?;
        let mut writing = Some(Writing::begin(&self.place).map_err(not_kept)?);
        let pulled = puller.pull(self.offer, async |bytes| Writing::take(&mut writing, bytes).await).await;
        pulled.map_err(|error| match error {
            PullError::Lost => DownloadError::Lost(error.to_string()),
            PullError::Sink(error) => not_kept(error),
            error => DownloadError::new(format!("Failed to fetch the file: {error}")),
        })?;
        let writing = writing.ok_or_else(|| not_kept(io::ErrorKind::Interrupted.into()))?;
        let mut values = told(&writing.sums);
        values.extend(map! { "remote_md5sum" => (), "remote_checksum" => reported.cloned() });
        if self.must_match && writing.sums.sha256() != self.offer.digest {
            values.insert("msg".into(), "checksum mismatch".into());
            return Err(DownloadError::Failed(values));
        }
        let finish = spawn_blocking(move || writing.finish(&self.place));
        finish.await.map_err(io::Error::other).flatten().map_err(not_kept)?;
        Ok(Downloaded { is_new: true, values })
    }
}

/// Returns where `dest` is: relative to the playbook, unless it is a whole path.
fn rooted(dest: &str, base: &Path) -> PathBuf {
    absolute(base.join(expand_user(dest)))
}

/// Returns the path for `flat`: `dest` itself, or the file's name in it if it ends with a slash.
fn flat(dest: &str, source: &str, base: &Path) -> Result<PathBuf, String> {
    let path = rooted(dest, base);
    if !dest.ends_with('/') {
        if path.is_dir() {
            return Err(
                "dest is an existing directory, use a trailing slash if you want to fetch src into that \
                        directory"
                    .to_owned(),
            );
        }
        return Ok(path);
    }
    let name = Path::new(source).file_name().ok_or_else(|| leads_out(source))?;
    let path = path.join(name);
    if path.is_dir() {
        return Err(format!(
            "calculated dest '{}' is an existing directory, use another path that does not point to an existing directory",
            path.display()
        ));
    }
    Ok(path)
}

/// Returns the path below a folder of the host's own. Neither its name nor what the node says leads out of it.
fn by_host(dest: &str, source: &str, base: &Path, host: &str) -> Result<PathBuf, String> {
    let mut parts = Path::new(host).components();
    let is_plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
    if !is_plain || host.contains('/') {
        return Err(format!("no folder can have the name of the host '{host}': use `flat`"));
    }
    let inside = normalize(&Path::new("/").join(source));
    let inside = inside.strip_prefix("/").map_err(|_| leads_out(source))?;
    let is_safe = inside.components().all(|part| matches!(part, Component::Normal(_)));
    if !is_safe || inside.as_os_str().is_empty() || (!source.starts_with('/') && source.contains("..")) {
        return Err(leads_out(source));
    }
    Ok(rooted(dest, base).join(host).join(inside))
}

fn leads_out(source: &str) -> String {
    format!("Detected directory traversal: '{source}' leads out of dest")
}

/// The digests of what goes through.
#[derive(Default)]
struct Sums(sha2::Sha256, sha1::Sha1, md5::Md5);

impl Sums {
    fn sha256(&self) -> Digest {
        Digest::from(<[u8; 32]>::from(self.0.clone().finalize()))
    }

    fn sha1(&self) -> String {
        hex(&self.1.clone().finalize())
    }

    fn md5(&self) -> String {
        hex(&self.2.clone().finalize())
    }

    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
        self.1.update(bytes);
        self.2.update(bytes);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the digests of the file at `place` if it is what is offered.
async fn there(place: &Path, offer: Offer) -> io::Result<Option<Sums>> {
    let place = place.to_owned();
    let read = move || {
        let mut file = match File::open(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        if file.metadata()?.len() != offer.size {
            return Ok(None);
        }
        let mut sums = Sums::default();
        let mut buffer = vec![0; 128 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Some(sums).filter(|sums| sums.sha256() == offer.digest)),
                read => sums.update(&buffer[..read]),
            }
        }
    };
    spawn_blocking(read).await.map_err(io::Error::other)?
}

/// A file while it comes. Removed when dropped, unless it took its place.
struct Writing {
    file: NamedTempFile,
    sums: Sums,
}

impl Writing {
    /// Begins a file beside `place`, in folders that are made; with the mode of the file that is there.
    fn begin(place: &Path) -> io::Result<Self> {
        let folder = place.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let mut builder = tempfile::Builder::new();
        let file =
            builder.prefix(".convoy-").permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
        if let Ok(meta) = fs::metadata(place) {
            file.as_file().set_permissions(meta.permissions())?;
        }
        Ok(Self { file, sums: Sums::default() })
    }

    /// Has the file in `slot` take a part, without holding up others.
    async fn take(slot: &mut Option<Self>, bytes: Vec<u8>) -> io::Result<()> {
        let Some(mut writing) = slot.take() else { return Err(io::Error::other("an earlier part was lost")) };
        let write = move || {
            writing.sums.update(&bytes);
            let written = writing.file.write_all(&bytes);
            (writing, written)
        };
        let (writing, written) = spawn_blocking(write).await.map_err(io::Error::other)?;
        *slot = Some(writing);
        written
    }

    /// Puts the file in its place, whole and durable.
    fn finish(self, place: &Path) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(place).map_err(|error| error.error)?;
        place.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_the_hosts_folder() {
        let base = Path::new("/site");
        let place = |source, host| by_host("logs", source, base, host).map(|path| path.display().to_string());
        assert_eq!(place("/var/log/x", "web1").as_deref(), Ok("/site/logs/web1/var/log/x"));
        assert_eq!(place("x/./y", "web1").as_deref(), Ok("/site/logs/web1/x/y"));
        assert_eq!(place("/a/../../../etc/x", "web1").as_deref(), Ok("/site/logs/web1/etc/x"));
        for source in ["../x", "a/../../x", "/", "", ".", ".."] {
            assert_eq!(place(source, "web1"), Err(leads_out(source)), "{source}");
        }
        for host in ["..", ".", "", "a/b", "/etc", "web1/"] {
            let error = format!("no folder can have the name of the host '{host}': use `flat`");
            assert_eq!(place("/x", host), Err(error));
        }
        assert_eq!(by_host("/abs/", "/x", base, "h"), Ok("/abs/h/x".into()));
    }

    #[test]
    fn flat_is_the_file_itself_or_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("folder/taken")).unwrap();
        let place = |dest, source| flat(dest, source, dir.path());
        assert_eq!(place("file", "/var/x"), Ok(dir.path().join("file")));
        assert_eq!(place("folder/", "/var/../x"), Ok(dir.path().join("folder/x")));
        assert_eq!(place("/abs/x", "/var/y"), Ok("/abs/x".into()));
        assert!(
            place("folder", "/x")
                .unwrap_err()
                .starts_with("dest is an existing directory, use a trailing slash")
        );
        let taken = dir.path().join("folder/taken");
        let error = format!("calculated dest '{}' is an existing directory, use another", taken.display());
        assert!(place("folder/", "/taken").unwrap_err().starts_with(&error));
        for source in ["/", "..", "/a/.."] {
            assert_eq!(place("folder/", source), Err(leads_out(source)));
        }
    }
}
