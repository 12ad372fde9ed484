//! Arguments of `unarchive`.

use crate::args::NodePath;
use crate::content::StagedArchive;
use crate::files::attributes::FileArgs;

crate::arguments! {
    /// Arguments of `unarchive`.
    pub struct Args {
        /// The archive on the workstation; with `remote_src`, on the node.
        src: StagedArchive [required, controller_archive],
        /// The directory that it is unpacked into, which must be there.
        dest: NodePath [required],
        /// Whether `src` is on the node.
        remote_src: Option<bool>,
        /// An older word for the opposite of `remote_src`.
        copy: Option<bool>,
        /// Nothing is done if this is there.
        creates: Option<NodePath>,
        /// Whether the answer has the names of the members, as `files`.
        list_files: bool [default("false")],
        /// Members to leave out: names, with what is in them, or patterns with `*`, `?` and `[…]`.
        exclude: Vec<String>,
        /// The only members to unpack, written as for `exclude`.
        include: Vec<String>,
        /// Whether files that were changed later than the archive's are left alone.
        keep_newer: bool [default("false")],
        /// Options of `tar` or `unzip`, as far as convoy, which runs neither, knows what they mean: `--strip-components=N`,
        /// `--no-same-owner`, `--numeric-owner`, `--same-permissions`, `--no-same-permissions`, `--no-overwrite-dir`,
        /// `--keep-newer-files`, `--exclude=PATTERN` and those without a meaning here.
        extra_opts: Vec<String>,
        /// Means nothing: files are read in pieces of a fixed size.
        io_buffer_size: i64 [default("65536")],
        /// Whether the certificate of an `https` address is checked.
        validate_certs: bool [default("true")],
        /// Whether a vault-encrypted archive is decrypted.
        decrypt: bool [default("true")],
    }
    including [file: FileArgs]
    mutually_exclusive ["include", "exclude"] ["copy", "remote_src"]
    missing: "src (or content) and dest are required"
}
