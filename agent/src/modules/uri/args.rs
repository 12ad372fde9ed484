//! Arguments of `uri`.

use convoy_protocol::Value;

use crate::args::NodePath;
use crate::content::StagedSource;
use crate::files::attributes::FileArgs;
use crate::http::{Follow, HttpArgs};

crate::choices! {
    /// How `body` is sent.
    pub enum Format {
        /// As in a form of a page.
        Form = "form-urlencoded",
        /// As JSON.
        Json = "json",
        /// As it is.
        Raw = "raw",
        /// In parts, files among them.
        Multipart = "form-multipart",
    }
}

crate::arguments! {
    /// Arguments of `uri`.
    pub struct Args {
        /// The address.
        url: String [required],
        /// The method, in capitals.
        method: String [default("GET")],
        /// What is sent.
        body: Option<Value>,
        /// How it is sent. As JSON and in forms, lists and maps are written out; text goes as it is.
        body_format: Format [default("raw")],
        /// A file that is sent instead.
        src: Option<StagedSource> [controller_file],
        /// Whether `src`, and files that `body` names, are on the node.
        remote_src: bool [default("false")],
        /// Where the answer is written: a file, or a directory for which the server or the address has the name. Without `force`,
        /// a file that is there already is only replaced by a newer one.
        dest: Option<NodePath>,
        /// Whether caches are passed by, and `dest` is replaced by an older one, too.
        force: bool [default("false")],
        /// Whether the answer's content is in the result, as `content`.
        return_content: bool [default("false")],
        /// The statuses that are no failure.
        status_code: Vec<i64> [default("200")],
        /// The user.
        url_username: Option<String> [aliases("user")],
        /// The password.
        url_password: Option<String> [aliases("password"), no_log],
        /// Which redirects are followed: those of `GET` and `HEAD`, all, or none.
        follow_redirects: Follow [default("safe")],
        /// How many seconds to wait for a connection, and for each piece of the answer.
        timeout: i64 [default("30")],
        /// Nothing is sent if this is there.
        creates: Option<NodePath>,
        /// Nothing is sent if this is not there.
        removes: Option<NodePath>,
        /// A socket of the node that is asked instead of the host.
        unix_socket: Option<NodePath>,
        /// The certificates that are trusted, in PEM: a file, or a directory of them.
        ca_path: Option<NodePath>,
    }
    including [http: HttpArgs, file: FileArgs]
    mutually_exclusive ["body", "src"]
}
