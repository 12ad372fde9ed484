//! What runs on the workstation: reads playbooks and inventories, drives the agents, reports.

pub mod actions;
pub mod cli;
pub mod crypt;
pub mod demo;
pub mod diagnostic;
pub mod events;
pub mod inventory;
pub mod journal;
pub mod json;
pub mod link;
pub mod passwd;
pub mod paths;
pub mod playbook;
pub mod prompt;
pub mod python;
pub mod report;
pub mod run;
pub mod secrets;
pub mod settings;
pub mod ssh;
pub mod template;
pub mod terminal;
pub mod vars;
pub mod yaml;
