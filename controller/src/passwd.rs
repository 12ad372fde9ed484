//! Users of the workstation, as the passwd file has them.

/// Returns a field of a user's entry, counted from 0.
pub fn field(uid: u32, number: usize) -> Option<String> {
    let uid = uid.to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let entry = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid))?;
    entry.split(':').nth(number).map(str::to_owned)
}

/// Returns a field of this user's entry, counted from 0.
pub fn own_field(number: usize) -> Option<String> {
    field(rustix::process::getuid().as_raw(), number)
}
