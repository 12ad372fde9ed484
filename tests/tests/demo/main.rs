//! `convoy demo`, and the upgrade playbook that it runs.

#[cfg(test)]
mod playbook;
#[cfg(test)]
mod preconditions;
#[cfg(test)]
mod run;
