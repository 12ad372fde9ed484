//! Python's values, and what its operators, text forms and formats do with them: the rules behind Jinja's expressions.
//!
//! Nothing here renders: values that are still lazy have to be forced by [`super::rendering`] first.

pub(crate) mod args;
pub(crate) mod conversion;
pub(crate) mod format;
pub(crate) mod index;
pub(crate) mod literal;
pub(crate) mod ops;
pub(crate) mod regex;
pub(crate) mod sequences;
pub(crate) mod strings;
pub(crate) mod text;
pub(crate) mod value;
