//! The accounts of the workstation, as `/etc/passwd` lists them.

/// Returns the name of a user.
pub fn user_name(uid: u32) -> Option<String> {
    field(uid, 0)
}

/// Returns the name of the user who runs this process.
pub fn own_name() -> Option<String> {
    user_name(own_uid())
}

/// Returns the home directory of the user who runs this process.
pub fn own_home() -> Option<String> {
    field(own_uid(), 5)
}

fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Returns a field of a user's entry, counted from 0.
fn field(uid: u32, number: usize) -> Option<String> {
    let uid = uid.to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let entry = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid))?;
    entry.split(':').nth(number).map(str::to_owned)
}
