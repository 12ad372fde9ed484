//! The placeholder behind the variable `omit`.

use std::sync::OnceLock;

/// The text that stands for an argument to be left out. It is the same throughout a run of the program and found nowhere else.
pub fn omit_token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| format!("__omit_place_holder__{:032x}", rand::random::<u128>()))
}
