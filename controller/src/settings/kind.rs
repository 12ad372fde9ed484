//! The types of settings, and how their text is parsed.

use std::path::{Path, PathBuf};

use convoy_agent::args::Arg;

use crate::paths::{absolute, expand_user};

/// The type of a setting.
pub(super) trait Kind: Sized {
    /// Its name in the documentation.
    const NAME: &'static str;

    /// Parses `text`; relative paths refer to `base`.
    fn parse(text: &str, base: &Path) -> Result<Self, String>;
}

impl Kind for bool {
    const NAME: &'static str = "boolean";

    fn parse(text: &str, _: &Path) -> Result<Self, String> {
        Self::convert(&text.trim().into()).map_err(|_| format!("`{text}` is not a boolean"))
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl Kind for $number {
            const NAME: &'static str = "number";

            fn parse(text: &str, _: &Path) -> Result<Self, String> {
                text.trim().parse().map_err(|_| format!("`{text}` is not a whole number, or too large"))
            }
        })*
    };
}

numbers!(u8, u16, u32, u64, usize);

impl Kind for String {
    const NAME: &'static str = "text";

    fn parse(text: &str, _: &Path) -> Result<Self, String> {
        Ok(unquoted(text.trim()).to_owned())
    }
}

impl Kind for PathBuf {
    const NAME: &'static str = "path";

    fn parse(text: &str, base: &Path) -> Result<Self, String> {
        Ok(resolved(unquoted(text.trim()), base))
    }
}

impl<T: Kind> Kind for Option<T> {
    const NAME: &'static str = T::NAME;

    fn parse(text: &str, base: &Path) -> Result<Self, String> {
        if text.trim().is_empty() { Ok(None) } else { T::parse(text, base).map(Some) }
    }
}

/// Words separated by commas.
impl Kind for Vec<String> {
    const NAME: &'static str = "list";

    fn parse(text: &str, _: &Path) -> Result<Self, String> {
        Ok(text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect())
    }
}

/// Paths separated by colons.
impl Kind for Vec<PathBuf> {
    const NAME: &'static str = "paths, split at `:`";

    fn parse(text: &str, base: &Path) -> Result<Self, String> {
        let folders = text.split(':').map(str::trim).filter(|folder| !folder.is_empty());
        Ok(folders.map(|folder| resolved(folder, base)).collect())
    }
}

/// Paths separated by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathList(pub Vec<String>);

impl Kind for PathList {
    const NAME: &'static str = "paths, split at `,`";

    fn parse(text: &str, base: &Path) -> Result<Self, String> {
        let words = Vec::<String>::parse(text, base)?;
        Ok(Self(words.iter().map(|word| resolved(word, base).display().to_string()).collect()))
    }
}

/// Where journals of runs are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Journal {
    /// Nowhere.
    Off,
    /// Below the working directory.
    Here,
    /// In this directory.
    Directory(PathBuf),
}

impl Kind for Journal {
    const NAME: &'static str = "path, or boolean";

    fn parse(text: &str, base: &Path) -> Result<Self, String> {
        match bool::parse(text, base) {
            Ok(true) => Ok(Self::Here),
            Ok(false) => Ok(Self::Off),
            Err(_) => PathBuf::parse(text, base).map(Self::Directory),
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

/// Declares settings with a fixed set of values.
macro_rules! words {
    ($($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal,)* })*) => {
        $($(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$inner])* $variant,)* }

        impl Kind for $name {
            const NAME: &'static str = concat!($("`", $word, "` "),*);

            fn parse(text: &str, _: &Path) -> Result<Self, String> {
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
        /// Unless it disables that.
        Implicit = "implicit",
        /// Only if it enables that.
        Explicit = "explicit",
        /// Unless it disables that, or the facts of a host are already known.
        Smart = "smart",
    }

    /// What happens to a map that several sources of variables set.
    HashBehaviour {
        /// The map of higher precedence replaces the other one.
        Replace = "replace",
        /// The maps are merged, key by key.
        Merge = "merge",
    }

    /// What happens if a pattern matches no host.
    Mismatch {
        /// A warning.
        Warning = "warning",
        /// An error.
        Error = "error",
        /// Nothing.
        Ignore = "ignore",
    }

    /// What happens to a group name that is not a valid variable name.
    GroupNames {
        /// Invalid characters are replaced by `_`, with a warning.
        Always = "always",
        /// It is kept, with a warning.
        Never = "never",
        /// It is kept.
        Ignore = "ignore",
        /// Invalid characters are replaced by `_`.
        Silently = "silently",
    }
}
