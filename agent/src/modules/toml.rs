//! `toml`: keys of a TOML file.

use convoy_protocol::{Kind, Map, Value};

use crate::args::{Arg, Tainted};
use crate::content::Supplied;
use crate::files::keyed::KeyedArgs;
use crate::files::put;
use crate::module::{Checked, Doc, Done, Failure, Reach};
use crate::system::{Look, System};
use crate::toml::{KeyPath, Merge, Part, Toml, TomlError, changes};

pub use crate::files::put::Plan;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sets, removes and reads keys of a TOML file",
    description: "What is not asked for stays as it is, byte for byte: comments, order, white space, line ends. Keys are \
        named as in TOML, `database.apim_db.url`, with quotes where a key has a dot of its own, \
        `passthru_http.\"http.socket.timeout\"`. One table of a list is named by one of its keys or by its place from 0, \
        `apim.gateway.environment[name=\"Default\"].type`; one that is named by a key and not there is added. Differences \
        show keys, not lines. Without anything to set or remove, the file is only read.",
    example: "- name: Point the shared database elsewhere\n  toml:\n    path: /opt/wso2/repository/conf/deployment.toml\n    set:\n      database.shared_db:\n        type: mysql\n        url: jdbc:mysql://db:3306/shared\n      apim.gateway.environment[name=\"Default\"].type: hybrid\n    remove: [apim.analytics]\n    keep_last: secrets\n",
};

/// Where it looks and writes.
pub const REACH: Reach = Reach::Writes;

crate::arguments! {
    /// Arguments of `toml`.
    pub struct Args {
        /// The table that all keys are named from; without it, the whole file.
        table: Option<String>,
        /// Keys with the values they shall have. A map is merged into the table that is there.
        set: Option<Map>,
        /// More of the same, as TOML.
        content: Option<Tainted<String>>,
        /// More of the same, as a template on the workstation that comes to TOML.
        src: Option<Tainted<Supplied>> [controller_template],
        /// Keys that shall not be there: values, tables with all within them, or tables of a list.
        remove: Vec<String>,
        /// For lists of tables the key by which each table is known. Tables of such a list are merged, and added where they
        /// are not there; those of other lists become exactly as given.
        known_by: Option<Map>,
        /// Tables behind which no new table is put.
        keep_last: Vec<String>,
    }
    including [keyed: KeyedArgs]
    marks_secrets: true
}

/// Compares the file with what is asked for.
///
/// # Errors
/// If the file is missing or no TOML, or a key cannot be set.
pub fn check(args: &Args, look: &Look) -> Result<Checked<Plan>, Failure> {
    let (path, bytes) = args.keyed.read(look)?;
    let text = String::from_utf8(bytes)
        .map_err(|error| Failure::new(format!("{} is not in UTF-8: {error}", path.display())))?;
    let old = Toml::parse(text).map_err(|error| of_file(&path.to_string_lossy(), &error))?;
    let table = args.table.as_deref().map_or(Ok(KeyPath::default()), KeyPath::parse).map_err(of_task)?;
    if is_reading(args) {
        let data = old.get(&table).map_err(of_task)?.unwrap_or_default();
        return Ok(KeyedArgs::answer(&path, data));
    }
    let mut new = old.clone();
    let secret = edit(args, look, &table, &mut new)?;
    let mut changed = changes(&old.data(), &new.data());
    for path in secret.iter().filter_map(|path| new.place(path).ok().flatten()) {
        let hidden = changed.iter_mut().filter(|change| path.is_or_holds(&change.key));
        hidden.for_each(|change| change.secret = true);
    }
    args.keyed.finish(look, &path, new.text().as_bytes().to_vec(), &changed)
}

/// Writes the file.
///
/// # Errors
/// If it cannot be written or is not accepted; the old file is untouched then.
pub fn apply(_args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    put::apply(plan, node)
}

fn is_reading(args: &Args) -> bool {
    args.set.is_none() && args.content.is_none() && args.src.is_none() && args.remove.is_empty()
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

fn of_task(error: TomlError) -> Failure {
    Failure::new(error.to_string())
}

/// Does all that is asked for; returns what was given as secret.
fn edit(args: &Args, look: &Look, table: &KeyPath, toml: &mut Toml) -> Result<Vec<KeyPath>, Failure> {
    let known_by = known_by(args.known_by.as_ref(), table)?;
    let merge = Merge { keep_last: args.keep_last.clone(), known_by };
    for name in &args.remove {
        let path = KeyPath::parse(name).map_err(of_task)?;
        if matches!(path.0.last(), Some(Part::Index(_))) {
            return Err(Failure::new(format!(
                "remove: {name} is named by its place, where the next run would find another: name it by a key, or \
                 set the whole list"
            )));
        }
        toml.remove(&table.join(&path)).map_err(of_task)?;
    }
    let mut secret = Vec::new();
    let mut set = |path: &KeyPath, value: &Value| {
        secrets(path, value, &merge, &mut secret);
        toml.set(path, value, &merge).map_err(of_task)
    };
    for Tainted { value: text, taint } in fragments(args, look)? {
        let fragment = Toml::parse(text).map_err(|error| Failure::new(format!("what is to be merged: {error}")))?;
        set(table, &fragment.data().tainted(taint))?;
    }
    for (key, value) in args.set.iter().flatten() {
        let key = KeyPath::parse(&key.to_string()).map_err(of_task)?;
        set(&table.join(&key), value)?;
    }
    Ok(secret)
}

/// Collects the places of what is secret in a value.
fn secrets(path: &KeyPath, value: &Value, merge: &Merge, found: &mut Vec<KeyPath>) {
    match &value.kind {
        Kind::Map(map) => {
            map.iter().for_each(|(key, value)| secrets(&path.child(&key.to_string()), value, merge, found));
        }
        Kind::List(items) if merge.known_by(path).is_some() => {
            let key = merge.known_by(path).unwrap_or_default();
            for (item, id) in items.iter().filter_map(|item| Some((item, item.get(key)?))) {
                secrets(&path.with(Part::Where(key.to_owned(), id.clone())), item, merge, found);
            }
        }
        _ if value.deep_taint().is_secret() => found.push(path.clone()),
        _ => {}
    }
}

/// Reads for which lists of tables it is said by which key each is known.
pub(super) fn known_by(map: Option<&Map>, table: &KeyPath) -> Result<Vec<(KeyPath, String)>, Failure> {
    let read = |(list, key): (&convoy_protocol::Key, &Value)| {
        let list = KeyPath::parse(&list.to_string()).map_err(of_task)?;
        let key = String::convert(key).map_err(|why| Failure::new(format!("known_by: {why}")))?;
        Ok((table.join(&list), key))
    };
    map.into_iter().flatten().map(read).collect()
}

/// Returns what is to be merged, as text.
fn fragments(args: &Args, look: &Look) -> Result<Vec<Tainted<String>>, Failure> {
    let mut fragments = Vec::new();
    if let Some(src) = &args.src {
        let Supplied::File(content) = &src.value else {
            return Err(Failure::new("src is no template that the controller has rendered"));
        };
        let bytes = look.read(&look.content(&content.digest)?)?;
        let text = String::from_utf8(bytes).map_err(|error| Failure::new(format!("src is not in UTF-8: {error}")))?;
        fragments.push(Tainted { value: text, taint: src.taint });
    }
    fragments.extend(args.content.clone());
    Ok(fragments)
}
