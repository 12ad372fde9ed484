//! One call of a lookup.

use crate::template::jinja::{Args, Rendering, Val};

/// The arguments of a lookup.
pub(super) struct Call<'c, 'a> {
    pub(super) rendering: &'c Rendering<'a>,
    /// The positional arguments after the name of the lookup.
    pub(super) terms: Vec<Val>,
    /// The named arguments.
    pub(super) options: Args,
}
