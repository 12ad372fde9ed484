//! The transport against a real sshd and the embedded node, and the command at a terminal and between machines.

#[cfg(test)]
mod asking;
mod client;
#[cfg(test)]
mod commands;
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
mod nodes;
#[cfg(test)]
mod page;
#[cfg(test)]
mod unreachable;
