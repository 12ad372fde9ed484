//! The state directory: files that outlive an agent. Each user of a node has one.

pub(crate) mod lock;
pub(crate) mod order_log;
mod record;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// The superuser's state directory.
const ROOT: &str = "/var/lib/convoy";

/// The maximum length of a run's name, in bytes.
const LONGEST_NAME: usize = 100;

/// Returns whether the directory belongs to this user and no other user can write to it.
pub(crate) fn is_private(directory: &Path) -> bool {
    fs::symlink_metadata(directory).is_ok_and(|meta| {
        meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o022 == 0
    })
}

/// Returns this user's state directory, which only this user can enter. Creates it if it is missing.
///
/// # Errors
/// As [`first_usable`].
pub(crate) fn directory() -> io::Result<PathBuf> {
    first_usable(&places())
}

/// Returns the first usable directory of `places`, which only this user can enter. Creates it if it is missing.
///
/// # Errors
/// Fails if no directory can be created, or if an existing one is not private to this user. The error names the path.
fn first_usable(places: &[PathBuf]) -> io::Result<PathBuf> {
    let mut first = None;
    for directory in places {
        match create_private(directory) {
            Ok(()) => return Ok(directory.clone()),
            Err(error) => {
                let text = format!("{}: {}", directory.display(), crate::os_error::reason(&error));
                first.get_or_insert(io::Error::new(error.kind(), text));
            }
        }
    }
    Err(first.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

/// Returns this user's state directories that exist.
pub(crate) fn existing() -> impl Iterator<Item = PathBuf> {
    places().into_iter().filter(|directory| is_private(directory))
}

/// Returns whether `name` is a valid name of a run or a job. Such a name becomes a part of paths.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    (1..=LONGEST_NAME).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

/// Returns the directory of a run within a state directory. It need not exist.
///
/// # Errors
/// Fails if the run's name is not valid.
pub(crate) fn run_directory_in(directory: &Path, run: &str) -> io::Result<PathBuf> {
    if !is_name(run) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("'{run}' is not a valid run name")));
    }
    Ok(directory.join("runs").join(run))
}

/// Creates a private directory, and its missing parents, within the state directory.
///
/// # Errors
/// Fails if it cannot be created.
pub(crate) fn make_private(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Returns the directory of a run. Creates it if it is missing.
///
/// # Errors
/// Fails as [`directory`] does, and if the run's name is not valid.
pub(crate) fn run_directory(run: &str) -> io::Result<PathBuf> {
    let directory = run_directory_in(&directory()?, run)?;
    make_private(&directory)?;
    Ok(directory)
}

/// Returns where this user's state directory may be, the preferred place first.
pub(crate) fn places() -> Vec<PathBuf> {
    places_of(rustix::process::geteuid().as_raw(), |name| std::env::var_os(name))
}

/// Returns where a user's state directory may be, the preferred place first; see
/// <https://specifications.freedesktop.org/basedir-spec>.
///
/// The last place is for users without a writable home directory, such as `nobody`.
fn places_of(user: u32, variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").map(|directory| directory.join("convoy"));
    let own = match user {
        0 => Some(ROOT.into()),
        _ => absolute("HOME").map(|home| home.join(".local/state/convoy")),
    };
    let last = format!("/var/tmp/convoy-{user}").into();
    state.or(own).into_iter().chain([last]).collect()
}

fn create_private(directory: &Path) -> io::Result<()> {
    if fs::symlink_metadata(directory).is_err() {
        let above = directory.parent().unwrap_or(Path::new("/"));
        fs::DirBuilder::new().recursive(true).mode(0o755).create(above)?;
        match fs::DirBuilder::new().mode(0o700).create(directory) {
            // Another agent created it first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
    }
    if is_private(directory) {
        // The file system may be read-only.
        return Ok(rustix::fs::access(directory, rustix::fs::Access::WRITE_OK)?);
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "not a directory that only this user can write to"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn xdg_state_home_is_preferred_to_the_home_directory() {
        let of = |user, set: &[(&str, &str)]| {
            let find =
                |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            places_of(user, find).iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(of(0, &[("HOME", "/root")]), ["/var/lib/convoy", "/var/tmp/convoy-0"]);
        assert_eq!(of(7, &[("HOME", "/h/u")]), ["/h/u/.local/state/convoy", "/var/tmp/convoy-7"]);
        assert_eq!(of(7, &[("XDG_STATE_HOME", "/s")]), ["/s/convoy", "/var/tmp/convoy-7"]);
        assert_eq!(of(7, &[("XDG_STATE_HOME", "s"), ("HOME", "")]), ["/var/tmp/convoy-7"]);
    }

    #[test]
    fn run_names_are_validated() {
        assert!(["20261128-141529", "test", "a.b"].into_iter().all(is_name));
        assert!(!["", ".", "..", "a/b", ".gone-1", "a b", "é"].into_iter().any(is_name));
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        let here = tempfile::tempdir().unwrap();
        let directory = here.path().join("a/convoy");
        create_private(&directory).unwrap();
        create_private(&directory).unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(
            create_private(&directory).unwrap_err().to_string(),
            "not a directory that only this user can write to"
        );
    }
    #[test]
    fn a_run_name_cannot_escape_the_state_directory() {
        for name in ["20261128-140307-abcde", "a", "A.b"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", ".a", "a/b", "a b", "a\n", "ß", &"a".repeat(101)] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
