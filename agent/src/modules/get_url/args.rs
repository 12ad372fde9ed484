//! Arguments of `get_url`.

use crate::args::NodePath;
use crate::files::attributes::FileArgs;
use crate::http::HttpArgs;

crate::arguments! {
    /// Arguments of `get_url`.
    pub struct Args {
        /// The address.
        url: String [required],
        /// The file, or a directory for which the server or the address has the name.
        dest: NodePath [required],
        /// What the file's digest must be: `sha256:` and its hexadecimal digits, or the address of a list of digests and names.
        checksum: Option<String>,
        /// Whether the file is fetched even if the one that is there is not older or has the checksum.
        force: bool [default("false")],
        /// Whether the old file is copied to a name with the time in it.
        backup: bool [default("false")],
        /// The directory in which the file waits until it is whole.
        tmp_dest: Option<NodePath>,
        /// The user.
        url_username: Option<String> [aliases("username")],
        /// The password.
        url_password: Option<String> [aliases("password"), no_log],
        /// How many seconds to wait for a connection, and for each piece of the answer.
        timeout: i64 [default("10")],
    }
    including [http: HttpArgs, file: FileArgs]
}
