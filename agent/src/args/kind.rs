//! Types of parameters.

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// Text; numbers and booleans are written out.
    Str,
    /// `yes`, `no`, `true`, `false`, `on`, `off`, `1`, `0` …
    Bool,
    /// A whole number, also as text.
    Int,
    /// A number, also as text.
    Float,
    /// A path on the node; `~` and `$NAME` are expanded there.
    Path,
    /// A file mode: octal digits, or symbolic as `chmod` takes it.
    Mode,
    /// A list; text is split at commas.
    List,
    /// A map.
    Dict,
    /// Anything.
    Raw,
}

impl ParamKind {
    /// Returns Ansible's name of the type.
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
