//! `toml`: keys of a TOML file.

use convoy_protocol::Map;

pub use crate::files::put::Plan;

use crate::args::Tainted;
use crate::content::StagedSource;
use crate::failure::Failure;
use crate::files::keyed::KeyedArgs;
use crate::files::put;
use crate::formats::toml::edits::{EditArgs, of_task};
use crate::formats::toml::{KeyPath, Toml, TomlError, changes};
use crate::key_changes::KeyChange;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sets, removes and reads keys of a TOML file",
    description: "What is not asked for stays as it is, byte for byte: comments, order, white space, line ends. Keys are \
        named as in TOML, `database.apim_db.url`, with quotes where a key has a dot of its own, \
        `passthru_http.\"http.socket.timeout\"`. One table of a list is named by one of its keys or by its place from 0, \
        `apim.gateway.environment[name=\"Default\"].type`; one that is named by a key and not there is added. Differences \
        show keys, not lines. Without anything to set or remove, the file is only read; passwords and the like are \
        secret then.",
    example: "- name: Point the shared database elsewhere\n  toml:\n    path: /opt/wso2/repository/conf/deployment.toml\n    set:\n      database.shared_db:\n        type: mysql\n        url: jdbc:mysql://db:3306/shared\n      apim.gateway.environment[name=\"Default\"].type: hybrid\n    remove: [apim.analytics]\n    keep_last: secrets\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Write);

crate::arguments! {
    /// Arguments of `toml`.
    pub struct Args {
        /// The table that all keys are named from; without it, the whole file.
        table: Option<String>,
        /// What the file shall hold, as a template on the workstation that comes to TOML.
        src: Option<Tainted<StagedSource>> [controller_template],
        /// For lists of tables the key by which each table is known. Tables of such a list are merged, and added where they
        /// are not there; those of other lists become exactly as given.
        known_by: Option<Map>,
    }
    including [edits: EditArgs, keyed: KeyedArgs]
    marks_secrets: true
}

/// Compares the file with what is asked for.
///
/// # Errors
/// If the file is missing or no TOML, or a key cannot be set.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    let (path, bytes) = args.keyed.read(view)?;
    let text = String::from_utf8(bytes)
        .map_err(|error| Failure::new(format!("{} is not in UTF-8: {error}", path.display())))?;
    let old = Toml::parse(text).map_err(|error| of_file(&path.to_string_lossy(), &error))?;
    let table = args.table.as_deref().map_or(Ok(KeyPath::default()), KeyPath::parse).map_err(of_task)?;
    if args.edits.is_empty() && args.src.is_none() {
        let data = old.get(&table).map_err(of_task)?.unwrap_or_default();
        return Ok(KeyedArgs::answer(&path, &table, data));
    }
    let mut new = old.clone();
    let merge = args.edits.merge(args.known_by.as_ref(), &table)?;
    let secret = args.edits.apply(&table, &merge, template(args, view)?, &mut new)?;
    let mut changed = changes(&old.data(), &new.data());
    hide(&mut changed, &secret, &new);
    args.keyed.finish(view, &path, new.text().as_bytes().to_vec(), &changed)
}

/// Marks changes of what was given as secret.
pub(super) fn hide(changed: &mut [KeyChange], secret: &[KeyPath], toml: &Toml) {
    // A table of a list may be named by a key or by its place: the latter is one name for both.
    let place = |name: &KeyPath| toml.place(name).ok().flatten();
    let secret: Vec<KeyPath> = secret.iter().filter_map(place).collect();
    for change in changed {
        let named = KeyPath::parse(&change.key).ok().and_then(|name| place(&name));
        let name = named.map_or_else(|| change.key.clone(), |name| name.to_string());
        change.secret |= secret.iter().any(|path| path.is_or_holds(&name));
    }
}

/// Writes the file.
///
/// # Errors
/// If it cannot be written or is not accepted; the old file is untouched then.
pub fn apply(_args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    put::apply(plan, node)
}

/// Tells what is wrong with a file.
pub(super) fn of_file(name: &str, error: &TomlError) -> Failure {
    match error {
        TomlError::Syntax { line, column, message } => {
            Failure::new(format!("{name}:{line}:{column}: {message}"))
        }
        other => Failure::new(format!("{name}: {other}")),
    }
}

/// Returns what the template has come to.
fn template(args: &Args, view: &SystemView) -> Result<Vec<Tainted<String>>, Failure> {
    let Some(src) = &args.src else { return Ok(Vec::new()) };
    let StagedSource::File(content) = &src.value else {
        return Err(Failure::new("src is no template that the controller has rendered"));
    };
    let bytes = view.read(&view.content(&content.digest)?)?;
    let text =
        String::from_utf8(bytes).map_err(|error| Failure::new(format!("src is not in UTF-8: {error}")))?;
    Ok(vec![Tainted { value: text, taint: src.taint }])
}
