//! `keystore`: whether a Java keystore opens, and what is in it.

mod answer;
mod args;
mod lifetime;

use std::convert::Infallible;

pub use args::{Args, Expired, Type, Wanted};

use crate::failure::Failure;
use crate::formats::keystore::{Entry, Format, KeyMatch, Keystore, Kind, format_of};
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

/// The largest file that is read: the largest of all trust stores have some hundred kilobytes.
const LIMIT: u64 = 8 * 1024 * 1024;

/// How many aliases an error names at most.
const NAMED: usize = 20;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Checks a Java keystore: its password, its keys, how long its certificates last",
    description: "Reads JKS and PKCS12 files without Java. Fails if the file does not open with the password; if the \
        alias is not there, is no key, or its key does not open or is not the one of its certificate; if a certificate \
        of the alias is not valid now, or not for as long as asked for. Without an alias the certificates of all keys are \
        looked at; those that are merely trusted are only told. Returns `type`; `entries`, a list of `alias`, `entry`, `subject`, \
        `issuer`, `not_before`, `not_after`, `sha256` of the certificate, `chain` (how many certificates), and of the whole chain \
        `days_left` and `expired`; `days_left`, the least of those that were looked at; `expired`, a list of aliases; `sha256` of \
        the file; and with an alias `key_sha256` of its public key, by which nodes can be compared. Changes nothing.",
    example: "- name: Check the server's key\n  keystore:\n    path: /opt/wso2/repository/resources/security/wso2carbon.jks\n    password: \"{{ keystore_password }}\"\n    alias: wso2carbon\n    min_days_left: 30\n  register: key\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Read);

/// Looks.
///
/// # Errors
/// If the file does not open, or something in it is not as it must be.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Infallible>, Failure> {
    refuse_useless(args)?;
    let path = view.expand(&args.path);
    let bytes = view.read_small(&path, LIMIT)?;
    let of_file = |what: &dyn std::fmt::Display| Failure::new(format!("{} {what}", path.display()));
    let format = format_of(&bytes).map_err(|error| of_file(&error))?;
    refuse_other_type(args.r#type, format).map_err(|what| of_file(&what))?;
    let keystore = Keystore::open(&bytes, &args.password).map_err(|error| of_file(&error))?;
    let named = args.alias.as_deref().map(|alias| named(args, alias, &keystore)).transpose();
    let named = named.map_err(|what| of_file(&what))?;
    open_keys(args, &keystore, named).map_err(|what| of_file(&what))?;
    let now = lifetime::now(view);
    let values = answer::values(&path, &bytes, &keystore, named, now);
    match lifetime::problem(args, &keystore, named, now) {
        None => Ok(Checked::Same(values)),
        Some(what) => Err(Failure { values, ..of_file(&what) }),
    }
}

/// Refuses arguments that would have no meaning.
fn refuse_useless(args: &Args) -> Result<(), Failure> {
    let useless = match args.entry {
        Some(_) if args.alias.is_none() => "entry says what `alias` stands for: name one",
        Some(Wanted::Certificate) if args.key_password.is_some() => {
            "key_password opens a key: with `entry: certificate` there is none"
        }
        _ => return Ok(()),
    };
    Err(Failure::new(useless))
}

fn refuse_other_type(wanted: Type, format: Format) -> Result<(), &'static str> {
    match (wanted, format) {
        (Type::Jks, Format::Pkcs12) => {
            Err("is PKCS12, not JKS: keytool makes PKCS12 from Java 9 on, whatever the file \
             is called; say so in the server's configuration and as `type: pkcs12` here, or make it anew with \
             `-storetype JKS`")
        }
        (Type::Pkcs12, Format::Jks) => {
            Err("is JKS, not PKCS12: keytool makes JKS up to Java 8, whatever the file is \
             called; say so in the server's configuration and as `type: jks` here, or make it anew with \
             `-storetype PKCS12`")
        }
        _ => Ok(()),
    }
}

/// Finds the entry that must be there.
fn named<'k>(args: &Args, alias: &str, keystore: &'k Keystore) -> Result<&'k Entry, String> {
    let entry =
        keystore.find(alias).ok_or_else(|| format!("has no alias {alias}: {}", holdings(alias, keystore)))?;
    match (args.entry.unwrap_or(Wanted::Key), entry.kind) {
        (Wanted::Key, Kind::Key) | (Wanted::Certificate, Kind::Certificate) => Ok(entry),
        (Wanted::Key, Kind::Certificate) => Err(format!(
            "has a trusted certificate as {alias}, not a private key: the key is in another file, or was not brought \
             along when the certificate was imported"
        )),
        (Wanted::Certificate, Kind::Key) => {
            Err(format!("has a private key as {alias}, not a trusted certificate"))
        }
        (Wanted::Key, Kind::Secret) => {
            Err(format!("has a secret key as {alias}, not a private key with its certificate"))
        }
        (Wanted::Certificate, Kind::Secret) => {
            Err(format!("has a secret key as {alias}, not a trusted certificate"))
        }
    }
}

/// Says which aliases there are, those that resemble `alias` first.
fn holdings(alias: &str, keystore: &Keystore) -> String {
    let wanted = alias.to_lowercase();
    let mut aliases: Vec<&str> = keystore.entries.iter().map(|entry| &*entry.alias).collect();
    aliases.sort_by_key(|known| strsim::damerau_levenshtein(&wanted, known));
    let more = aliases.len().saturating_sub(NAMED);
    aliases.truncate(NAMED);
    let mut said = match aliases.as_slice() {
        [] => "it holds none at all".to_owned(),
        aliases => format!("it holds {}", aliases.join(", ")),
    };
    if more > 0 {
        said.push_str(&format!(" and {more} more"));
    }
    if keystore.orphan_certificates > 0 {
        said.push_str(&format!(
            "; and {} certificates that belong to no alias, which Java does not see: `keytool -importcert` makes \
             them trusted",
            keystore.orphan_certificates
        ));
    }
    said
}

/// Opens the private key of the alias; without one all of them, if their password was given.
fn open_keys(args: &Args, keystore: &Keystore, named: Option<&Entry>) -> Result<(), String> {
    let password = args.key_password.as_ref().unwrap_or(&args.password);
    let all = keystore.entries.iter().filter(|_| named.is_none() && args.key_password.is_some());
    for entry in all.chain(named).filter(|entry| entry.kind == Kind::Key) {
        let alias = &entry.alias;
        match entry.open_key(password) {
            Err(error) => return Err(format!("holds {alias}, but {error}")),
            Ok(KeyMatch::No) => {
                return Err(format!("holds {alias}, but its private key is not the one of its certificate"));
            }
            Ok(_) if entry.chain.is_empty() => {
                return Err(format!("holds the private key of {alias}, but no certificate for it"));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Is never reached: there is nothing to do.
///
/// # Errors
/// None.
pub fn apply(_args: &Args, plan: Infallible, _node: &mut System) -> Result<Done, Failure> {
    match plan {}
}
