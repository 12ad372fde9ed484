//! Types of parameters.

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// Text; numbers and booleans are converted to text.
    Str,
    /// `yes`, `no`, `true`, `false`, `on`, `off`, `1`, `0` …
    Bool,
    /// An integer, possibly given as text.
    Int,
    /// A number, possibly given as text.
    Float,
    /// A path on the node; `~` and `$NAME` are expanded there.
    Path,
    /// A file mode, octal or symbolic as for `chmod`.
    Mode,
    /// A list; text is split at commas.
    List,
    /// A map.
    Dict,
    /// Any value.
    Raw,
}

impl ParamKind {
    /// Returns Ansible's name for the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Path => "path",
            Self::List => "list",
            Self::Dict => "dict",
            Self::Raw | Self::Mode => "raw",
        }
    }
}
