//! Arguments of modules: declared once together with their documentation, and read with Ansible's conversions.
//!
//! Error messages are those of ansible-core 2.18 (`module_utils/common/arg_spec.py` and others), since playbooks compare
//! them.

mod convert;
mod kind;
mod state;

use convoy_protocol::{Key, Map, Value};

pub use convert::{Arg, Mode, NodePath, Tainted};
pub use kind::ParamKind;
pub use state::State;

/// How the controller transforms an argument before it sends a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staged {
    /// Not at all.
    No,
    /// The argument names a file or directory on the workstation. It is replaced by a description with digests, unless the
    /// boolean parameter `remote_src` is true.
    File,
    /// The argument names a template on the workstation. The template is rendered, then treated like [`Staged::File`].
    Template,
    /// The argument is a command line that starts with a script on the workstation. It is replaced by a description of the
    /// script and the rest of the line.
    Script,
    /// The argument names a path on the workstation, to which the content offered by the outcome is downloaded.
    Download,
    /// The argument names an archive on the workstation. It is treated like [`Staged::File`], with the digest of the archive's
    /// manifest added.
    Archive,
}

/// One parameter of a module.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// Its type.
    pub kind: ParamKind,
    /// Whether it is required.
    pub required: bool,
    /// The allowed values; if empty, any value is allowed.
    pub choices: &'static [&'static str],
    /// The default value, as text.
    pub default: Option<&'static str>,
    /// Its documentation.
    pub doc: &'static str,
    /// How the controller transforms it.
    pub staged: Staged,
    /// Whether its value is never shown.
    pub no_log: bool,
}

impl Param {
    /// Declares an optional parameter.
    pub const fn new<T: Arg>(name: &'static str, doc: &'static str) -> Self {
        Self {
            name,
            aliases: &[],
            kind: T::KIND,
            required: false,
            choices: T::CHOICES,
            default: None,
            doc,
            staged: Staged::No,
            no_log: false,
        }
    }

    /// Makes it required.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Marks its value as one that is never shown.
    #[must_use]
    pub const fn no_log(mut self) -> Self {
        self.no_log = true;
        self
    }

    /// Adds aliases.
    #[must_use]
    pub const fn aliases(mut self, names: &'static [&'static str]) -> Self {
        self.aliases = names;
        self
    }

    /// Sets the default value.
    #[must_use]
    pub const fn default(mut self, text: &'static [&'static str; 1]) -> Self {
        self.default = Some(text[0]);
        self
    }

    /// Declares that it names a file on the workstation.
    #[must_use]
    pub const fn controller_file(mut self) -> Self {
        self.staged = Staged::File;
        self
    }

    /// Declares that it is a command line that starts with a script on the workstation.
    #[must_use]
    pub const fn controller_script(mut self) -> Self {
        self.staged = Staged::Script;
        self
    }

    /// Declares that it names a path on the workstation to download to.
    #[must_use]
    pub const fn controller_download(mut self) -> Self {
        self.staged = Staged::Download;
        self
    }

    /// Declares that it names an archive on the workstation.
    #[must_use]
    pub const fn controller_archive(mut self) -> Self {
        self.staged = Staged::Archive;
        self
    }

    /// Declares that it names a template on the workstation.
    #[must_use]
    pub const fn controller_template(mut self) -> Self {
        self.staged = Staged::Template;
        self
    }
}

/// All parameters of a module, and the rules between them.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The parameters, in the order of their documentation.
    pub params: &'static [Param],
    /// Groups of parameters of which at most one may be given.
    pub mutually_exclusive: &'static [&'static [&'static str]],
    /// Groups of parameters of which at least one must be given.
    pub required_one_of: &'static [&'static [&'static str]],
    /// Whether the task may be given as plain text (`command: ls`), which becomes the argument `_raw_params`.
    pub free_form: bool,
    /// Whether the module marks the secrets in its result. If it does not, the whole result is secret as soon as one argument
    /// is.
    pub marks_secrets: bool,
    /// The message if a required parameter is missing; `None` for Ansible's usual message.
    pub missing: Option<&'static str>,
}

impl Spec {
    /// Finds a parameter by its name or an alias.
    pub fn param(&self, name: &str) -> Option<&'static Param> {
        self.params.iter().find(|p| p.name == name || p.aliases.contains(&name))
    }

    /// Returns the error message if `module` has no parameters for some of the keys.
    pub fn unsupported<'k>(&self, module: &str, keys: impl Iterator<Item = &'k str>) -> Option<String> {
        let mut unknown: Vec<&str> = keys.filter(|key| self.param(key).is_none()).collect();
        unknown.retain(|key| !(self.free_form && *key == "_raw_params"));
        if unknown.is_empty() {
            return None;
        }
        unknown.sort_unstable();
        let mut supported: Vec<String> = self
            .params
            .iter()
            .filter(|p| !p.name.starts_with('_'))
            .map(|p| {
                let mut aliases = p.aliases.to_vec();
                aliases.sort_unstable();
                if aliases.is_empty() {
                    p.name.to_owned()
                } else {
                    format!("{} ({})", p.name, aliases.join(", "))
                }
            })
            .collect();
        supported.sort_unstable();
        Some(format!(
            "Unsupported parameters for ({module}) module: {}. Supported parameters include: {}.",
            unknown.join(", "),
            supported.join(", ")
        ))
    }

    /// Resolves aliases and fills in defaults.
    ///
    /// # Errors
    /// If keys are unknown, missing or mutually exclusive.
    pub fn resolve(&self, module: &str, args: &Map) -> Result<Map, String> {
        if let Some(error) = self.unsupported(module, args.keys().filter_map(Key::as_str)) {
            return Err(error);
        }
        let mut resolved = Map::new();
        for (key, value) in args.iter().filter(|(_, value)| !value.is_null()) {
            let key = key.as_str().unwrap_or_default();
            let name = self.param(key).map_or(key, |p| p.name);
            resolved.insert(name.into(), value.clone());
        }
        self.rules(&resolved)?;
        for param in self.params {
            if let (Some(default), false) = (param.default, resolved.contains_key(param.name)) {
                resolved.insert(param.name.into(), default.into());
            }
        }
        Ok(resolved)
    }

    fn rules(&self, given: &Map) -> Result<(), String> {
        for group in self.mutually_exclusive {
            if group.iter().filter(|name| given.contains_key(**name)).count() > 1 {
                return Err(format!("parameters are mutually exclusive: {}", group.join("|")));
            }
        }
        let missing: Vec<&str> = self
            .params
            .iter()
            .filter(|p| p.required && !given.contains_key(p.name))
            .map(|p| p.name)
            .collect();
        if !missing.is_empty() {
            let said = self.missing.map(str::to_owned);
            return Err(said.unwrap_or_else(|| format!("missing required arguments: {}", missing.join(", "))));
        }
        for group in self.required_one_of {
            if !group.iter().any(|name| given.contains_key(*name)) {
                return Err(format!("one of the following is required: {}", group.join(", ")));
            }
        }
        Ok(())
    }
}

/// Typed arguments; implemented by [`arguments!`](crate::arguments).
pub trait Arguments: Sized {
    /// The specification of the arguments.
    const SPEC: Spec;

    /// Extracts the arguments from resolved ones, which may include others.
    ///
    /// # Errors
    /// A message in Ansible's wording.
    fn take(resolved: &Map) -> Result<Self, String>;

    /// Resolves and extracts the arguments of one call.
    ///
    /// # Errors
    /// A message in Ansible's wording.
    fn read(module: &str, args: &Map) -> Result<Self, String> {
        Self::take(&Self::SPEC.resolve(module, args)?)
    }
}

/// Concatenates lists; `any` fills the array before its elements are copied.
pub const fn join<T: Copy, const N: usize>(lists: &[&[T]], any: T) -> [T; N] {
    let mut joined = [any; N];
    let (mut list, mut from, mut to) = (0, 0, 0);
    while to < N {
        if from == lists[list].len() {
            (list, from) = (list + 1, 0);
        } else {
            joined[to] = lists[list][from];
            (from, to) = (from + 1, to + 1);
        }
    }
    joined
}

/// Returns the total length of the lists.
pub const fn count<T>(lists: &[&[T]]) -> usize {
    let (mut list, mut count) = (0, 0);
    while list < lists.len() {
        (list, count) = (list + 1, count + lists[list].len());
    }
    count
}

/// Extracts one argument from resolved ones.
///
/// # Errors
/// If it is missing or cannot be converted.
pub fn take<T: Arg>(resolved: &Map, param: &Param) -> Result<T, String> {
    match resolved.get(param.name) {
        None => T::absent().ok_or_else(|| format!("missing required arguments: {}", param.name)),
        Some(value) => T::convert(value).map_err(|why| describe(param, value, &why)),
    }
}

fn describe(param: &Param, value: &Value, why: &str) -> String {
    if !param.choices.is_empty() {
        let got = String::convert(value).unwrap_or_else(|_| value.kind_name().to_owned());
        return format!("value of {} must be one of: {}, got: {got}", param.name, param.choices.join(", "));
    }
    format!(
        "argument '{}' is of type {} and we were unable to convert to {}: {why}",
        param.name,
        convert::python_class(value),
        param.kind.name()
    )
}

/// Declares the arguments of a module: a struct, its [`Spec`](crate::args::Spec) and the implementation of
/// [`Arguments`](crate::args::Arguments).
///
/// Parameters that several modules share are declared and documented once. A module is `including` them: they are in a
/// field of their own, but the user sees them among the others.
///
/// ```
/// convoy_agent::arguments! {
///     /// How a greeting is given.
///     pub struct Manner {
///         /// How often.
///         times: i64 [default("1")],
///     }
/// }
///
/// convoy_agent::arguments! {
///     /// Arguments of a module that greets.
///     pub struct Args {
///         /// Whom to greet.
///         name: String [required, aliases("who")],
///         /// With what.
///         words: Option<String>,
///     }
///     including [manner: Manner]
///     mutually_exclusive ["name", "words"]
/// }
///
/// # use convoy_agent::args::Arguments;
/// let args = Args::read("greet", &convoy_protocol::map! { "who" => "Ann", "times" => 2 }).unwrap();
/// assert_eq!(args.manner.times, 2);
/// ```
#[macro_export]
macro_rules! arguments {
    (
        $(#[$outer:meta])*
        pub struct $name:ident {
            $( $(#[doc = $doc:literal])+ $field:ident: $type:ty $([ $($option:ident $(($($word:literal),*))?),* ])?, )*
        }
        $(including [ $($part:ident: $group:ty),* ])?
        $(mutually_exclusive $([ $($exclusive:literal),* ])+)?
        $(required_one_of $([ $($one:literal),* ])+)?
        $(free_form: $free:literal)?
        $(marks_secrets: $marks:literal)?
        $(missing: $missing:literal)?
    ) => {
        $(#[$outer])*
        #[derive(Debug)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $type, )*
            $($( #[doc = "Parameters shared with other modules."] pub $part: $group, )*)?
        }

        impl $crate::args::Arguments for $name {
            const SPEC: $crate::args::Spec = $crate::args::Spec {
                params: $crate::joined!($crate::args::Param, $crate::args::Param::new::<bool>("", ""), [
                    &[$(
                        $crate::args::Param::new::<$type>(
                            $crate::args::parameter_name(stringify!($field)),
                            concat!($($doc, "\n"),+),
                        )
                        $($(.$option($(&[$($word),*])?))*)?,
                    )*]
                    $($(, <$group as $crate::args::Arguments>::SPEC.params)*)?
                ]),
                mutually_exclusive: $crate::joined!(&[&str], &[], [
                    &[$($(&[$($exclusive),*]),+)?]
                    $($(, <$group as $crate::args::Arguments>::SPEC.mutually_exclusive)*)?
                ]),
                required_one_of: $crate::joined!(&[&str], &[], [
                    &[$($(&[$($one),*]),+)?]
                    $($(, <$group as $crate::args::Arguments>::SPEC.required_one_of)*)?
                ]),
                free_form: false $(|| $free)?,
                marks_secrets: false $(|| $marks)?,
                missing: [$(Some($missing),)? None][0],
            };

            fn take(resolved: &$crate::__private::Map) -> Result<Self, String> {
                let mut params = Self::SPEC.params.iter();
                Ok(Self {
                    $( $field: match params.next() {
                        Some(param) => $crate::args::take::<$type>(resolved, param)?,
                        None => return Err(String::new()),
                    }, )*
                    $($( $part: <$group as $crate::args::Arguments>::take(resolved)?, )*)?
                })
            }
        }
    };
}

/// Concatenates constant lists; for [`arguments!`].
#[doc(hidden)]
#[macro_export]
macro_rules! joined {
    ($type:ty, $any:expr, [$($list:expr),+]) => {{
        const LISTS: &[&[$type]] = &[$($list),+];
        const ALL: [$type; $crate::args::count(LISTS)] = $crate::args::join(LISTS, $any);
        &ALL
    }};
}

/// Declares an enum whose variants are the allowed values of a parameter:
/// `choices! { /// … pub enum State { Absent = "absent" } }`.
#[macro_export]
macro_rules! choices {
    ($(#[$outer:meta])* pub enum $name:ident { $( $(#[$inner:meta])* $variant:ident = $word:literal, )* }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $( $(#[$inner])* $variant, )* }

        impl $crate::args::Arg for $name {
            const KIND: $crate::args::ParamKind = $crate::args::ParamKind::Str;
            const CHOICES: &'static [&'static str] = &[$($word),*];

            fn convert(value: &$crate::__private::Value) -> Result<Self, String> {
                match <String as $crate::args::Arg>::convert(value)?.as_str() {
                    $( $word => Ok(Self::$variant), )*
                    _ => Err(String::new()),
                }
            }
        }
    };
}

/// Returns the parameter's name for a field, which is written with `r#` if it is a Rust keyword.
pub const fn parameter_name(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macros declare public types, since modules need them")]
mod tests;
