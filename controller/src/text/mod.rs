//! Text forms: values as JSON and in Python's notation, and INI files. What the text is about is not known here.

pub mod ini;
pub mod json;
pub mod python;
