//! Arguments of `keystore`.

use crate::args::NodePath;

crate::choices! {
    /// How the file is laid out.
    pub enum Type {
        /// As it is.
        Auto = "auto",
        /// Sun's own.
        Jks = "jks",
        /// The standard.
        Pkcs12 = "pkcs12",
    }
}

crate::choices! {
    /// What an alias stands for.
    pub enum Wanted {
        /// A private key with its certificate.
        Key = "key",
        /// A trusted certificate.
        Certificate = "certificate",
    }
}

crate::choices! {
    /// What becomes of certificates that are not valid now.
    pub enum Expired {
        /// The task fails.
        Fail = "fail",
        /// They are told.
        Report = "report",
    }
}

crate::arguments! {
    /// Arguments of `keystore`.
    pub struct Args {
        /// The file.
        path: NodePath [required, aliases("src")],
        /// The password of the file.
        password: String [required, aliases("storepass"), no_log],
        /// How the file is laid out; another one is an error.
        r#type: Type [default("auto")],
        /// The name of what must be in it. Upper and lower case are the same.
        alias: Option<String>,
        /// The password of the key, if it is not that of the file. Without `alias` all keys must open with it.
        key_password: Option<String> [aliases("keypass"), no_log],
        /// What the alias must stand for; `key` if not said.
        entry: Option<Wanted>,
        /// How many days the certificates must last at least.
        min_days_left: Option<i64>,
        /// What becomes of certificates that have expired or are not valid yet.
        expired: Expired [default("fail")],
    }
    marks_secrets: true
}
