//! `fetch`: a file of the node comes to the workstation.

use std::convert::Infallible;
use std::fs::File;
use std::io::ErrorKind;

use convoy_protocol::{Value, map};

use crate::args::NodePath;
use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::os_error::reason;
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Brings a file of the node to the workstation",
    description: "The file comes to be at `dest`/HOST/`src`. Its digest is compared first: what the workstation has \
        already does not travel. A file may be of any size, and may grow meanwhile: it comes as long as it was.",
    example: "- name: Bring the logs home\n  fetch:\n    src: /opt/wso2/repository/logs/wso2carbon.log\n    dest: logs\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Write);

crate::arguments! {
    /// Arguments of `fetch`.
    pub struct Args {
        /// The file on the node.
        src: NodePath [required],
        /// The directory on the workstation, relative to that of the playbook.
        dest: Value [required, controller_download],
        /// Whether `dest` is the file itself; if it ends with a slash, the directory that the file comes to.
        flat: bool [default("false")],
        /// Whether it is a failure if the file is not there or cannot be read.
        fail_on_missing: bool [default("true")],
        /// Whether it is a failure if the file was changed while it was fetched.
        validate_checksum: bool [default("true")],
    }
    missing: "src and dest are required"
}

/// Reads the file, and offers it to the controller, which takes it if it has another.
///
/// # Errors
/// If there is no such file, unless that is no failure.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Infallible>, Failure> {
    let path = view.expand(&args.src);
    let shown = path.to_string_lossy().into_owned();
    let missing = |msg: String, ignored: &str| {
        if args.fail_on_missing {
            return Err(Failure::new(msg).with("file", shown.as_str()));
        }
        let msg = if msg.ends_with(ignored) { msg } else { format!("{msg}{ignored}") };
        Ok(Checked::Same(map! { "msg" => msg, "file" => shown.as_str() }))
    };
    let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
    let (meta, file) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let why = match error.kind() {
                ErrorKind::NotFound => "the remote file does not exist, not transferring, ignored".to_owned(),
                ErrorKind::PermissionDenied => format!("file is not readable: {shown}"),
                _ => format!("unable to fetch file: {shown}: {}", reason(&error)),
            };
            return missing(why, ", ignored");
        }
    };
    if meta.is_dir() {
        let msg = "remote file is a directory, fetch cannot work on directories";
        return missing(msg.to_owned(), ", not transferring, ignored");
    }
    if !meta.is_file() {
        return missing(format!("{shown} is neither a file nor a directory"), ", not transferring, ignored");
    }
    match view.offer(&path, &file) {
        Ok(sums) => {
            Ok(Checked::Same(map! { "file" => shown, "checksum" => sums.sha1, "md5sum" => sums.md5 }))
        }
        Err(error) => missing(format!("unable to fetch file: {shown}: {}", reason(&error)), ", ignored"),
    }
}

/// Is never reached: on the node there is nothing to do.
///
/// # Errors
/// None.
pub fn apply(_args: &Args, plan: Infallible, _node: &mut System) -> Result<Done, Failure> {
    match plan {}
}
