//! The value of the variable `omit`.

use std::sync::OnceLock;

/// Returns the placeholder for an argument that is to be left out. It is random, so that no other text is mistaken for it,
/// and stays the same as long as the process runs.
pub fn omit_token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| format!("__omit_place_holder__{:032x}", rand::random::<u128>()))
}
