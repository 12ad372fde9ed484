//! Carries out plays: the order of tasks, look-ahead, results.

pub mod event;
