//! What controller and agent say to each other: pure data and its encoding, no input or output of its own
//! beyond the codec.

pub mod base64;
pub mod bootstrap;
pub mod chunk;
pub mod digest;
pub mod frame;
pub mod key;
pub mod lock;
pub mod message;
pub mod outcome;
pub mod value;

pub use digest::Digest;
pub use key::Key;
pub use outcome::{Diff, DiffSide, Offer, Outcome, Status};
pub use value::{Kind, Map, Origin, Taint, Value};
