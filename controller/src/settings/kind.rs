//! What settings take, and how their text is read.

use std::path::{Path, PathBuf};

use convoy_agent::args::Arg;

use crate::paths::{absolute, expand_user};

/// What a setting takes.
pub(super) trait Kind: Sized {
    /// What it is called in the documentation.
    const NAME: &'static str;

    /// Reads `text`; a relative path starts from `base`.
    fn read(text: &str, base: &Path) -> Result<Self, String>;
}

impl Kind for bool {
    const NAME: &'static str = "boolean";

    fn read(text: &str, _: &Path) -> Result<Self, String> {
        Self::convert(&text.trim().into()).map_err(|_| format!("`{text}` is not a boolean"))
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl Kind for $number {
            const NAME: &'static str = "number";

            fn read(text: &str, _: &Path) -> Result<Self, String> {
                text.trim().parse().map_err(|_| format!("`{text}` is not a whole number, or too large"))
            }
        })*
    };
}

numbers!(u8, u16, u32, u64, usize);

impl Kind for String {
    const NAME: &'static str = "text";

    fn read(text: &str, _: &Path) -> Result<Self, String> {
        Ok(unquoted(text.trim()).to_owned())
    }
}

impl Kind for PathBuf {
    const NAME: &'static str = "path";

    fn read(text: &str, base: &Path) -> Result<Self, String> {
        Ok(resolved(unquoted(text.trim()), base))
    }
}

impl<T: Kind> Kind for Option<T> {
    const NAME: &'static str = T::NAME;

    fn read(text: &str, base: &Path) -> Result<Self, String> {
        if text.trim().is_empty() { Ok(None) } else { T::read(text, base).map(Some) }
    }
}

/// Words with commas between them.
impl Kind for Vec<String> {
    const NAME: &'static str = "list";

    fn read(text: &str, _: &Path) -> Result<Self, String> {
        Ok(text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect())
    }
}

/// Paths with colons between them.
impl Kind for Vec<PathBuf> {
    const NAME: &'static str = "paths, split at `:`";

    fn read(text: &str, base: &Path) -> Result<Self, String> {
        let folders = text.split(':').map(str::trim).filter(|folder| !folder.is_empty());
        Ok(folders.map(|folder| resolved(folder, base)).collect())
    }
}

/// Paths with commas between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathList(pub Vec<String>);

impl Kind for PathList {
    const NAME: &'static str = "paths, split at `,`";

    fn read(text: &str, base: &Path) -> Result<Self, String> {
        let words = Vec::<String>::read(text, base)?;
        Ok(Self(words.iter().map(|word| resolved(word, base).display().to_string()).collect()))
    }
}

/// Where the journals of runs are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Journal {
    /// Nowhere.
    Off,
    /// Below the folder in which the user stands.
    Here,
    /// In this folder.
    Folder(PathBuf),
}

impl Kind for Journal {
    const NAME: &'static str = "path, or boolean";

    fn read(text: &str, base: &Path) -> Result<Self, String> {
        match bool::read(text, base) {
            Ok(true) => Ok(Self::Here),
            Ok(false) => Ok(Self::Off),
            Err(_) => PathBuf::read(text, base).map(Self::Folder),
        }
    }
}

fn unquoted(text: &str) -> &str {
    let quoted = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    quoted('"').or_else(|| quoted('\'')).unwrap_or(text)
}

fn resolved(path: &str, base: &Path) -> PathBuf {
    let path = match path.strip_prefix("{{CWD}}") {
        Some(rest) => PathBuf::from(format!(".{rest}")),
        None => base.join(expand_user(path)),
    };
    absolute(path)
}

/// Declares settings with a few words to choose from.
macro_rules! words {
    ($($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal,)* })*) => {
        $($(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$inner])* $variant,)* }

        impl Kind for $name {
            const NAME: &'static str = concat!($("`", $word, "` "),*);

            fn read(text: &str, _: &Path) -> Result<Self, String> {
                match text.trim().to_lowercase().as_str() {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(format!("`{}` is not one of {}", text.trim(), [$($word),*].join(", "))),
                }
            }
        })*
    };
}

words! {
    /// When a play gathers facts.
    Gathering {
        /// Unless it says no.
        Implicit = "implicit",
        /// Only if it says so.
        Explicit = "explicit",
        /// Unless it says no, or the facts of a host are known already.
        Smart = "smart",
    }

    /// What happens to a map that another source of variables has, too.
    HashBehaviour {
        /// The map of the stronger source counts.
        Replace = "replace",
        /// They are put together, key by key.
        Merge = "merge",
    }

    /// What becomes of a pattern that names no host.
    Mismatch {
        /// A warning.
        Warning = "warning",
        /// An error.
        Error = "error",
        /// Nothing.
        Ignore = "ignore",
    }

    /// What becomes of a group's name that is not one of a variable.
    GroupNames {
        /// What does not fit is replaced by `_`, with a warning.
        Always = "always",
        /// It stays, with a warning.
        Never = "never",
        /// It stays.
        Ignore = "ignore",
        /// What does not fit is replaced by `_`.
        Silently = "silently",
    }
}
