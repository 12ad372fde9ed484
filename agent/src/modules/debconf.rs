//! `debconf`: answers to what Debian's packages ask.

use std::collections::BTreeMap;

use convoy_protocol::{Diff, Kind, Map, Taint, Value, map};

use crate::args::Arg;
use crate::failure::Failure;
use crate::files::difference;
use crate::metadata::{Access, Behavior, Doc, Reversibility};
use crate::module::{Checked, Done};
use crate::system::{Process, System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Answers what a package asks when it is installed",
    description: "Sets an answer in debconf's database; the package reads it when it is installed or reconfigured. \
        Without `question` it tells the answers that there are. Passwords go by standard input and are never shown.",
    example: "- name: Choose the default locale\n  debconf:\n    name: locales\n    \
        question: locales/default_environment_locale\n    value: en_GB.UTF-8\n    vtype: select\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior {
    reversibility: Reversibility::Irreversible("it changes the answers of debconf"),
    ..Behavior::new(Access::Write)
};

crate::choices! {
    /// What kind of answer a question wants.
    pub enum Type {
        /// Yes or no.
        Boolean = "boolean",
        /// A complaint.
        Error = "error",
        /// Some of several words.
        Multiselect = "multiselect",
        /// A note.
        Note = "note",
        /// A password.
        Password = "password",
        /// Whether the question has been asked.
        Seen = "seen",
        /// One of several words.
        Select = "select",
        /// A line.
        String = "string",
        /// Text.
        Text = "text",
        /// A title.
        Title = "title",
    }
}

crate::arguments! {
    /// Arguments of `debconf`.
    pub struct Args {
        /// The package.
        name: String [required, aliases("pkg")],
        /// The question.
        question: Option<String> [aliases("selection", "setting")],
        /// The type of the answer.
        vtype: Option<Type>,
        /// The answer; of a `multiselect` it may be a list.
        value: Option<Value> [aliases("answer"), no_log],
        /// Whether the question still counts as not asked.
        unseen: bool [default("false")],
    }
}

/// What is to be set.
#[derive(Debug)]
pub struct Plan {
    line: String,
}

/// A question of a package as it is now.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    value: String,
    seen: bool,
}

/// Compares the answer with what is asked for.
///
/// # Errors
/// If the arguments are not enough, or debconf does not answer.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    let known = answers(args, view)?;
    let all =
        || known.iter().map(|(question, answer)| (question.as_str().into(), answer.value.as_str().into()));
    let (question, vtype, value) = match (&args.question, args.vtype, &args.value) {
        (None, None, None) => {
            let current: Map = all().collect();
            return Ok(Checked::Same(map! { "msg" => "", "current" => current }));
        }
        (Some(question), Some(vtype), Some(value)) => (question, vtype, value),
        _ => return Err(Failure::new("parameters are required together: question, vtype, value")),
    };
    let wanted = text(vtype, value)?;
    let answer = known.get(question);
    let old = match answer {
        Some(answer) => existing(args, question, vtype, answer, view)?,
        None => String::new(),
    };
    let shown = |text: &str| {
        let taint = if vtype == Type::Password { Taint::SECRET } else { Taint::NONE };
        Value::from(map! { question.as_str() => Value::from(text).tainted(taint | value.deep_taint()) })
    };
    let values = map! { "msg" => "", "current" => shown(&wanted), "previous" => shown(&old) };
    let unordered = vtype == Type::Multiselect && value.as_list().is_some();
    if answer.is_some() && same(unordered, &old, &wanted) {
        return Ok(Checked::Same(values));
    }
    // The name of the type is the word that it is given by.
    let word = Type::CHOICES[vtype as usize];
    let line = format!("{} {question} {word} {wanted}\n", args.name);
    let diff = if view.wants_diff() { difference_of(vtype, question, &old, &wanted) } else { Vec::new() };
    Ok(Checked::Differs { plan: Plan { line }, diff, values })
}

fn answers(args: &Args, view: &SystemView) -> Result<BTreeMap<String, Answer>, Failure> {
    let program = view.require_program("debconf-show")?;
    let output = view.query(&Process::new([program.as_os_str(), args.name.as_ref()]))?;
    if output.rc != 0 {
        return Err(output.failure(output.error_output()));
    }
    let line = |line: &str| {
        let (question, value) = line.split_once(':')?;
        let (seen, question) = match question.trim().strip_prefix('*') {
            Some(question) => (true, question),
            None => (false, question),
        };
        Some((question.trim().to_owned(), Answer { value: value.trim().to_owned(), seen }))
    };
    Ok(output.stdout_text().lines().filter_map(line).collect())
}

/// Returns the answer as debconf keeps it.
fn text(vtype: Type, value: &Value) -> Result<String, Failure> {
    let one = |value: &Value| {
        let text =
            String::convert(value).map_err(|why| Failure::new(format!("Invalid value provided: {why}")))?;
        if text.contains(['\n', '\r']) {
            return Err(Failure::new(
                "an answer is one line: debconf would read the rest as answers of their own",
            ));
        }
        Ok(text)
    };
    match (&value.kind, vtype) {
        (Kind::List(words), Type::Multiselect) => {
            if let Some(word) = words.iter().find(|word| word.as_str().is_none()) {
                let kind = word.kind_name();
                return Err(Failure::new(format!(
                    "Invalid value provided for 'multiselect': {kind}, where text is wanted"
                )));
            }
            Ok(words.iter().map(one).collect::<Result<Vec<_>, _>>()?.join(", "))
        }
        (_, Type::Boolean | Type::Seen) => Ok(one(value)?.to_lowercase()),
        _ => one(value),
    }
}

fn existing(
    args: &Args,
    question: &str,
    vtype: Type,
    answer: &Answer,
    view: &SystemView,
) -> Result<String, Failure> {
    match vtype {
        Type::Seen => Ok(answer.seen.to_string()),
        Type::Boolean => Ok(answer.value.to_lowercase()),
        Type::Password => password(args, question, view),
        _ => Ok(answer.value.clone()),
    }
}

/// Returns a password, which `debconf-show` hides.
fn password(args: &Args, question: &str, view: &SystemView) -> Result<String, Failure> {
    let program = view.require_program("debconf-get-selections")?;
    let output = view.query(&Process::new([program.as_os_str()]))?;
    if output.rc != 0 {
        let msg =
            format!("Failed to get the value '{question}' from '{}': {}", args.name, output.error_output());
        // What it printed are everybody's answers.
        return Err(Failure::new(msg));
    }
    let stdout = output.stdout_text();
    let value = stdout.lines().find_map(|line| {
        let mut fields = line.split('\t');
        let of = [fields.next()?, fields.next()?, fields.next()?];
        (of == [args.name.as_str(), question, "password"])
            .then(|| fields.next().unwrap_or_default().to_owned())
    });
    Ok(value.unwrap_or_default())
}

/// Returns whether two answers are the same one; in a list of words the order does not matter.
fn same(unordered: bool, old: &str, new: &str) -> bool {
    let words = |text: &str| {
        let mut words: Vec<String> = text.split(',').map(|word| word.trim().to_owned()).collect();
        words.sort();
        words
    };
    if unordered { words(old) == words(new) } else { old == new }
}

fn difference_of(vtype: Type, question: &str, old: &str, new: &str) -> Vec<Diff> {
    if vtype == Type::Password {
        return Vec::new();
    }
    vec![difference::of_maps(&map! { question => old }, &map! { question => new })]
}

/// Sets the answer.
///
/// # Errors
/// If debconf refuses it.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    let program = node.require_program("debconf-set-selections")?;
    let words = std::iter::once(program.into_os_string()).chain(args.unseen.then(|| "-u".into()));
    let output = node.run_checked(&Process::new(words).stdin(plan.line.into_bytes()))?;
    Ok(Done { changed: true, values: map! { "msg" => output.stdout_text() } })
}
