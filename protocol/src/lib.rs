//! The messages between controller and agent: pure data and its encoding. It does no input or output beyond reading and
//! writing frames on a stream that it is given.

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
