//! The differences between two versions of a file, key by key.

/// A key whose value differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// The key's name.
    pub key: String,
    /// The old value, as written in the file; `None` if the key is new.
    pub before: Option<String>,
    /// The new value; `None` if the key is gone.
    pub after: Option<String>,
    /// Whether neither value may be shown.
    pub secret: bool,
}

/// Returns the keys that differ: first those of `new` in its order, then those that only `old` has.
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
