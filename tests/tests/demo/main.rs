//! `convoy demo`, and the playbook of the upgrade that it runs.

#[cfg(test)]
mod guards;
#[cfg(test)]
mod playbook;
#[cfg(test)]
mod run;
