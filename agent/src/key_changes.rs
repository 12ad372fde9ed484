//! What differs between two states of a file, key by key.

/// A key whose value is different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// The key's name.
    pub key: String,
    /// Its value before, as written in the file; `None`: it was not there.
    pub before: Option<String>,
    /// Its value after.
    pub after: Option<String>,
    /// Whether neither value may be shown.
    pub secret: bool,
}

/// Returns the keys of `old` and `new` that differ, in the order of `new`, those that are gone at the end.
pub(crate) fn between(old: &[(String, String)], new: &[(String, String)]) -> Vec<KeyChange> {
    let find = |all: &[(String, String)], key: &str| {
        all.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    };
    let gone = old.iter().filter(|(key, _)| find(new, key).is_none());
    new.iter()
        .chain(gone)
        .map(|(key, _)| KeyChange {
            key: key.clone(),
            before: find(old, key),
            after: find(new, key),
            secret: false,
        })
        .filter(|change| change.before != change.after)
        .collect()
}
