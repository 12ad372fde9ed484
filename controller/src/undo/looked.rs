//! What the agents of a host found, and the order in which it can be reverted: several users may have changed the same directories.

use std::collections::HashMap;

use convoy_protocol::message::Method;
use convoy_protocol::{Map, Value};

use crate::services::host_error::HostError;

/// Why a host takes no part.
pub(super) enum InspectError {
    Host(HostError),
    Failed(String),
}

/// Another user that the run became.
#[derive(Debug, Clone)]
pub(super) struct OtherUser {
    pub(super) user: String,
    pub(super) method: Method,
    pub(super) exe: Option<String>,
    pub(super) flags: Option<String>,
}

/// One path that is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) path: String,
    /// In a word.
    pub(super) what: String,
    /// How many paths go with it.
    pub(super) within: i64,
}

/// What a module did besides.
#[derive(Debug)]
pub(super) struct IrreversibleWork {
    pub(super) module: String,
    pub(super) why: String,
    pub(super) count: i64,
}

/// What stands in the way.
#[derive(Debug)]
struct Problem {
    path: String,
    text: String,
    /// Any of these states would be well.
    fits: Vec<String>,
    holds: Vec<String>,
}

/// What one agent found.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) recorded: bool,
    pub(super) users: Vec<OtherUser>,
    pub(super) items: Vec<Item>,
    pub(super) lost: Vec<String>,
    pub(super) irreversible: Vec<IrreversibleWork>,
    pub(super) undone_by: Option<String>,
    problems: Vec<Problem>,
    /// What will be at each path.
    becomes: HashMap<String, String>,
}

fn text(map: &Value, name: &str) -> Option<String> {
    map.get(name)?.as_str().map(str::to_owned)
}

/// Reads a list of which each part is read by `read`.
fn list<T>(map: &Map, name: &str, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    map.get(name).map_or_else(|| Some(Vec::new()), |list| list.as_list()?.iter().map(read).collect())
}

impl Looked {
    /// Reads an agent's answer.
    pub(super) fn read(values: &Map) -> Option<Self> {
        let words = |value: &Value| value.as_str().map(str::to_owned);
        let becomes = values.get("becomes").and_then(Value::as_map);
        let becomes =
            becomes.into_iter().flatten().map(|(path, state)| Some((path.to_string(), words(state)?)));
        Some(Self {
            recorded: values.get("recorded")?.as_bool()?,
            users: list(values, "users", |user| {
                Some(OtherUser {
                    user: text(user, "user")?,
                    method: Method::named(user.get("method")?.as_str()?)?,
                    exe: text(user, "exe"),
                    flags: text(user, "flags"),
                })
            })?,
            items: list(values, "items", |item| {
                let within = item.get("within")?.as_int()?;
                Some(Item { path: text(item, "path")?, what: text(item, "what")?, within })
            })?,
            lost: list(values, "lost", words)?,
            irreversible: list(values, "beyond", |beyond| {
                let count = beyond.get("count")?.as_int()?;
                Some(IrreversibleWork { module: text(beyond, "module")?, why: text(beyond, "why")?, count })
            })?,
            undone_by: values.get("undone_by").and_then(Value::as_str).map(str::to_owned),
            problems: list(values, "problems", |problem| {
                let holds = problem.get("holds")?.as_list()?.iter().map(words).collect::<Option<_>>()?;
                let fits = problem.get("fits")?.as_list()?.iter().map(words).collect::<Option<_>>()?;
                Some(Problem { path: text(problem, "path")?, text: text(problem, "msg")?, fits, holds })
            })?,
            becomes: becomes.collect::<Option<_>>()?,
        })
    }
}

impl Problem {
    /// Returns whose work must be taken back before this is no problem any more, of all that found something.
    fn waits_for(&self, all: &[&Looked]) -> Option<Vec<usize>> {
        let by = |path: &str, fits: &dyn Fn(&str) -> bool| {
            all.iter().position(|other| other.becomes.get(path).is_some_and(|comes| fits(comes)))
        };
        if !self.fits.is_empty() {
            return by(&self.path, &|comes| self.fits.iter().any(|state| state == comes))
                .map(|other| vec![other]);
        }
        if self.holds.is_empty() {
            return None;
        }
        self.holds.iter().map(|path| by(path, &|comes| comes == "nothing")).collect()
    }
}

/// Puts agents into the order in which what they found can be taken back.
///
/// # Errors
/// What stands in the way, if it cannot.
pub(super) fn order_agents<A>(agents: Vec<(A, Looked)>) -> Result<Vec<(A, Looked)>, Vec<String>> {
    let all: Vec<&Looked> = agents.iter().map(|(_, looked)| looked).collect();
    let order = order(&all)?;
    let mut agents: Vec<Option<(A, Looked)>> = agents.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|index| agents[index].take()).collect())
}

fn order(all: &[&Looked]) -> Result<Vec<usize>, Vec<String>> {
    let mut problems = Vec::new();
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); all.len()];
    for (index, looked) in all.iter().enumerate() {
        for problem in &looked.problems {
            match problem.waits_for(all) {
                Some(others) if !others.contains(&index) => before[index].extend(others),
                _ => problems.push(problem.text.clone()),
            }
        }
    }
    let mut order: Vec<usize> = Vec::new();
    while problems.is_empty() && order.len() < all.len() {
        let ready = |index: &usize| {
            !order.contains(index) && before[*index].iter().all(|other| order.contains(other))
        };
        match (0..all.len()).find(ready) {
            Some(next) => order.push(next),
            // Users have changed the same paths in turns.
            None => {
                let left = (0..all.len()).filter(|index| !order.contains(index));
                problems
                    .extend(left.flat_map(|index| &all[index].problems).map(|problem| problem.text.clone()));
            }
        }
    }
    if problems.is_empty() { Ok(order) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(problems: &[(&str, Option<&str>, &[&str])], becomes: &[(&str, &str)]) -> Looked {
        let problem = |(path, left, holds): &(&str, Option<&str>, &[&str])| Problem {
            path: (*path).to_owned(),
            text: format!("{path} is in the way"),
            fits: left.map(str::to_owned).into_iter().collect(),
            holds: holds.iter().map(|path| (*path).to_owned()).collect(),
        };
        Looked {
            problems: problems.iter().map(problem).collect(),
            becomes: becomes.iter().map(|(path, state)| ((*path).to_owned(), (*state).to_owned())).collect(),
            ..Looked::default()
        }
    }

    #[test]
    fn what_another_user_takes_back_first_is_not_in_the_way() {
        // The one made a folder, in which the other made two files.
        let one = looked(&[("/a", None, &["/a/x", "/a/y"])], &[("/a", "nothing")]);
        let other = looked(&[], &[("/a/x", "nothing"), ("/a/y", "nothing")]);
        assert_eq!(order(&[&one, &other]), Ok(vec![1, 0]));
        let less = looked(&[], &[("/a/x", "nothing")]);
        assert_eq!(order(&[&one, &less]), Err(vec!["/a is in the way".to_owned()]));
        // Both have changed one file: the first one waits for the second.
        let first = looked(&[("/f", Some("file 1"), &[])], &[]);
        let second = looked(&[], &[("/f", "file 1")]);
        assert_eq!(order(&[&first, &second]), Ok(vec![1, 0]));
        let second = looked(&[], &[("/f", "file 2")]);
        assert_eq!(order(&[&first, &second]), Err(vec!["/f is in the way".to_owned()]));
    }

    #[test]
    fn turns_are_refused() {
        let one = looked(&[("/f", Some("1"), &[])], &[("/g", "2")]);
        let other = looked(&[("/g", Some("2"), &[])], &[("/f", "1")]);
        let both = vec!["/f is in the way".to_owned(), "/g is in the way".to_owned()];
        assert_eq!(order(&[&one, &other]), Err(both));
        let kept = looked(&[("/k", None, &[])], &[]);
        assert_eq!(order(&[&kept]), Err(vec!["/k is in the way".to_owned()]));
    }
}
