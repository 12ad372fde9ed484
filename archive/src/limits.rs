//! How much an archive may hold.

/// The most members that an archive may have.
pub const MEMBERS: usize = 500_000;

/// An archive that unpacks to no more than this is never taken for a bomb, in bytes.
pub const HARMLESS: u64 = 1 << 30;

/// A larger one may unpack to so many times its own size. Texts and logs pack to a hundredth, bombs to a thousandth.
pub const RATIO: u64 = 250;

/// Returns the most that an archive of `packed` bytes may unpack to, in bytes.
pub(crate) fn limit(packed: u64) -> u64 {
    packed.saturating_mul(RATIO).max(HARMLESS)
}
