//! The command `convoy` as it is built, against real OpenSSH servers.

#[cfg(test)]
mod ansible;
#[cfg(test)]
mod becoming;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fetch;
#[cfg(test)]
mod first;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod modules;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod unreachable;
#[cfg(test)]
mod wso2;
