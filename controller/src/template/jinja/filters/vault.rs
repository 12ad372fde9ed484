//! The filters `vault` and `unvault`, which encrypt and decrypt with a password of their own, not those of the run.

use convoy_protocol::Taint;

use crate::secrets::{self, Password, Vault};
use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::value::{TextKind, Val};
use crate::template::jinja::rendering::{Filter, Rendering};

pub(super) const FILTERS: &[(&str, Filter)] = &[("vault", vault), ("unvault", unvault)];

/// The vault id if the call gives none.
const DEFAULT_ID: &str = "filter_default";

fn text(value: Val, what: impl Fn(&str) -> String) -> Result<Vec<u8>, Error> {
    match value.defined()? {
        Val::Str(text, _) => Ok(text.as_bytes().to_vec()),
        Val::Bytes(bytes) => Ok(bytes.to_vec()),
        other => Err(Error::other(what(&format!("<class '{}'>", other.type_name())))),
    }
}

fn password(args: &mut Args) -> Result<Password, Error> {
    let secret = args.need(0, "secret")?;
    let bytes =
        text(secret, |got| format!("Secret passed is required to be a string, instead we got: {got}"))?;
    Ok(Password::new(DEFAULT_ID, "the filter's argument", bytes))
}

fn vault(rendering: &Rendering<'_>, value: Val, args: &mut Args) -> Result<Val, Error> {
    let plain = text(value, |got| format!("Can only vault strings, instead we got: {got}"))?;
    let password = password(args)?;
    let salt = args.text(1, "salt")?;
    let id = args.text(2, "vault_id")?.unwrap_or_else(|| DEFAULT_ID.to_owned());
    let wrapped = args.flag(3, "wrap_object", false)?;
    if salt.is_none() {
        rendering.require_impure("the filter vault without a salt")?;
    }
    if secrets::is_vaulted(&plain) {
        return Err(Error::other("Unable to encrypt: input is already encrypted"));
    }
    let sealed = password
        .seal(&plain, Some(&id), salt.as_ref().map(String::as_bytes))
        .map_err(|error| Error::other(format!("Unable to encrypt: {error}")))?;
    Ok(if wrapped { Val::Str(sealed.into(), TextKind::Vault) } else { sealed.into() })
}

fn unvault(rendering: &Rendering<'_>, value: Val, args: &mut Args) -> Result<Val, Error> {
    let password = password(args)?;
    args.take(1, "vault_id");
    let sealed =
        text(value, |got| format!("Vault should be in the form of a string, instead we got: {got}"))?;
    if !secrets::is_vaulted(&sealed) {
        return Ok(String::from_utf8_lossy(&sealed).into_owned().into());
    }
    let vault = Vault::new(vec![password], false);
    let opened = vault.open(&sealed).map_err(|fault| Error::other(format!("Unable to decrypt: {fault}")))?;
    rendering.add_taint(Taint::SECRET);
    let plain = String::from_utf8_lossy(&opened.plain).into_owned();
    rendering.environment.vault.remember(&plain);
    Ok(plain.into())
}
