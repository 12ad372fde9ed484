//! What controller and agent say to each other: pure data and its encoding, no input or output of its own
//! beyond the codec.

pub mod base64;
pub mod bootstrap;
pub mod chunk;
pub mod digest;
pub mod frame;
pub mod lock;
pub mod map;
pub mod message;
pub mod outcome;
pub mod value;

pub use digest::Digest;
pub use map::{Key, Map};
pub use outcome::{Diff, DiffSide, Offer, Outcome, Status};
pub use value::{Kind, Origin, Taint, Value};
