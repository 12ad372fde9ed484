//! SSH: the transport against a real sshd and the demo's embedded node, and the command on a terminal and across networks.

mod client;
#[cfg(test)]
mod command_environment;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod connecting_page;
#[cfg(test)]
mod host_keys;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod jump;
#[cfg(test)]
mod login;
#[cfg(test)]
mod machines;
#[cfg(test)]
mod prompts;
#[cfg(test)]
mod unreachable;
