//! `template`: a rendered template comes to be on the node.
//!
//! The controller renders; what arrives here is content, and the rest is as in `copy`.

use convoy_protocol::Map;

pub use crate::files::put::Plan;

use crate::args::NodePath;
use crate::content::StagedSource;
use crate::failure::Failure;
use crate::files::attributes::{FileArgs, RequestedAttributes};
use crate::files::put::{self, Put, Source};
use crate::files::{ends_with_slash, with_directory};
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Renders a template into a file on the node",
    description: "Templates whose name ends with `.hbs` are Handlebars, all others Jinja. They are rendered on the \
        workstation; the file is replaced whole or not at all.",
    example: "- name: Configure the server\n  template:\n    src: deployment.toml.hbs\n    dest: /opt/wso2/conf/deployment.toml\n    owner: wso2\n    mode: u=rw,g=r\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Write);

crate::arguments! {
    /// Arguments of `template`.
    pub struct Args {
        /// The template on the workstation.
        src: StagedSource [required, controller_template],
        /// The file; if it is a directory or ends with a slash, the template's name is added.
        dest: NodePath [required],
        /// Whether a file with other content is replaced.
        force: bool [default("true")],
        /// Whether a symbolic link at `dest` is followed, not replaced.
        follow: bool [default("false")],
        /// Whether the old file is copied to a name with the time in it.
        backup: bool [default("false")],
        /// A command that must accept the new file, named by `%s`, before it takes its place.
        validate: Option<String>,
        /// What ends a line of the result.
        newline_sequence: Option<String>,
        /// What starts a statement.
        block_start_string: Option<String>,
        /// What ends a statement.
        block_end_string: Option<String>,
        /// What starts an expression.
        variable_start_string: Option<String>,
        /// What ends an expression.
        variable_end_string: Option<String>,
        /// What starts a comment.
        comment_start_string: Option<String>,
        /// What ends a comment.
        comment_end_string: Option<String>,
        /// Whether the line end after a statement goes.
        trim_blocks: Option<bool>,
        /// Whether white space before a statement goes.
        lstrip_blocks: Option<bool>,
        /// The encoding of the result.
        output_encoding: Option<String>,
    }
    including [file: FileArgs]
    missing: "src and dest are required"
}

/// Compares what is there with what was rendered.
///
/// # Errors
/// If something is in the way.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    args.file.refuse_unsupported(view)?;
    let StagedSource::File(content) = &args.src else {
        return Err(Failure::new("src is no template that the controller has rendered"));
    };
    let mut dest = with_directory(view.expand(&args.dest));
    if ends_with_slash(&dest) || view.stat(&dest)?.is_some_and(|meta| meta.is_dir()) {
        dest = dest.join(&content.name);
    }
    let preserve = args.file.keeps_mode();
    let wanted =
        RequestedAttributes { mode: args.file.mode.as_ref().filter(|_| !preserve), ..args.file.wanted() };
    let mut put = Put::new(dest, Source::Controller(content.clone()), wanted);
    put.header.clone_from(&content.name);
    put.preserve = preserve.then_some(content.mode);
    put.force = args.force;
    put.follow = args.follow;
    put.backup = args.backup;
    put.validate = args.validate.as_deref();
    put::check(put, view, Map::new())
}

/// Writes it.
///
/// # Errors
/// If it cannot be written; a file that was there is untouched then.
pub fn apply(_args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    put::apply(plan, node)
}
