//! Limits that protect against decompression bombs.

/// The largest number of members.
pub const MEMBERS: usize = 500_000;

/// The unpacked size up to which an archive is never considered a decompression bomb, in bytes.
pub const HARMLESS: u64 = 1 << 30;

/// A larger archive may unpack to this many times its own size. Text and logs compress to about a hundredth of their size,
/// bombs to a thousandth.
pub const RATIO: u64 = 250;

/// Returns the largest size to which an archive of `packed` bytes may unpack, in bytes.
pub(crate) fn limit(packed: u64) -> u64 {
    packed.saturating_mul(RATIO).max(HARMLESS)
}
