//! One call of a lookup.

use crate::template::jinja::{Args, Rendering, Val};

/// What a lookup is given.
pub(super) struct Call<'c, 'a> {
    pub(super) rendering: &'c Rendering<'a>,
    pub(super) terms: Vec<Val>,
    pub(super) options: Args,
}
