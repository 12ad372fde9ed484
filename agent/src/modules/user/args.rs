//! Arguments of `user`.

use crate::args::{NodePath, State};

crate::choices! {
    /// When the password is set.
    pub enum UpdatePassword {
        /// Whenever it is another one.
        Always = "always",
        /// When the account is made.
        OnCreate = "on_create",
    }
}

crate::arguments! {
    /// Arguments of `user`.
    pub struct Args {
        /// Its name.
        name: String [required, aliases("user")],
        /// Whether it shall be there.
        state: State [default("present")],
        /// Its number.
        uid: Option<i64>,
        /// Whether another account may have the same number.
        non_unique: bool [default("false")],
        /// Its first group, by name or number.
        group: Option<String>,
        /// Its other groups, by name or number; an empty list is none.
        groups: Option<Vec<String>>,
        /// Whether it keeps the other groups that it has.
        append: bool [default("false")],
        /// The full name, or what it is for.
        comment: Option<String>,
        /// Its home directory.
        home: Option<NodePath>,
        /// Whether the home directory is made if it is missing.
        create_home: bool [default("true"), aliases("createhome")],
        /// Whether the old home directory is moved if `home` is another one.
        move_home: bool [default("false")],
        /// The directory whose content a new home directory gets.
        skeleton: Option<String>,
        /// The bits that a new home directory does not get, as octal digits.
        umask: Option<String>,
        /// The login shell.
        shell: Option<NodePath>,
        /// The hash of the password.
        password: Option<String> [no_log],
        /// When the password is set.
        update_password: UpdatePassword [default("always")],
        /// Whether the password is locked.
        password_lock: Option<bool>,
        /// The days after which the password must be changed.
        password_expire_max: Option<i64>,
        /// The days before the password may be changed.
        password_expire_min: Option<i64>,
        /// The days of warning before the password must be changed.
        password_expire_warn: Option<i64>,
        /// The days from then until the account is closed.
        password_expire_account_disable: Option<i64>,
        /// When the account ends, in seconds from 1970; a negative number: never.
        expires: Option<f64>,
        /// Whether a new one gets a number of the range for the system.
        system: bool [default("false")],
        /// The smallest number that a new one may get.
        uid_min: Option<i64>,
        /// The largest number that a new one may get.
        uid_max: Option<i64>,
        /// Whether the home directory goes with the account.
        remove: bool [default("false")],
        /// Whether the account is removed while it is in use, and a key replaced.
        force: bool [default("false")],
        /// Whether a key for SSH is made.
        generate_ssh_key: bool [default("false")],
        /// The length of the key; 0: as `ssh-keygen` likes.
        ssh_key_bits: i64 [default("0")],
        /// The type of the key.
        ssh_key_type: String [default("rsa")],
        /// The file of the key, from the home directory. Without it: `.ssh/id_` and the type.
        ssh_key_file: Option<NodePath>,
        /// The comment of the key. Without it: what made it, and where.
        ssh_key_comment: Option<String>,
        /// The passphrase of the key.
        ssh_key_passphrase: Option<String> [no_log],
        /// Whether only the node's own files count, and libuser's programs are used.
        local: bool [default("false")],
        /// A user of SELinux. Means nothing where SELinux is off.
        seuser: Option<String>,
        /// Not supported: it is of BSD.
        login_class: Option<String>,
        /// Not supported: it is of macOS.
        hidden: Option<bool>,
        /// Not supported: it is of Solaris.
        profile: Option<String>,
        /// Not supported: it is of Solaris.
        authorization: Option<String>,
        /// Not supported: it is of Solaris.
        role: Option<String>,
    }
}
