//! File formats that modules read and edit. Nothing here touches the node.

pub mod keystore;
pub mod log4j;
pub mod properties;
pub mod toml;
pub mod xml;
