//! What runs on the workstation: reads playbooks and inventories, drives the agents, reports.

pub mod demo;
pub mod diagnostic;
pub mod inventory;
pub mod link;
pub mod paths;
pub mod ssh;
pub mod template;
pub mod yaml;
