//! Finds out how a host is reached: from its variables, the play, the command line and the settings.

use std::path::Path;
use std::sync::Arc;

use convoy_agent::args::Arg;
use convoy_protocol::Value;

use super::view::View;
use crate::paths::expand_user;
use crate::services::endpoint::Endpoint;
use crate::services::options::Options;
use crate::ssh::{Arguments, HostKeyChecking};
use crate::template::Error;

/// Looks up the first of several variables that is set, as text.
type Lookup<'a> = &'a dyn Fn(&[&str]) -> Result<Option<String>, Error>;

/// Reads how `host` is reached from the variables of `view`.
///
/// # Errors
/// If a variable cannot be rendered or is of the wrong type, or names a connection that convoy does not have.
pub fn endpoint(host: &Arc<str>, view: View<'_>) -> Result<Endpoint, Error> {
    let keywords = &view.task.keywords;
    let options = &view.services.options;
    let text = |names: &[&str]| -> Result<Option<String>, Error> {
        let Some(value) = names.iter().find_map(|name| view.scope.raw(name)) else { return Ok(None) };
        Ok(Some(crate::text::python::str(&view.render(&value)?)))
    };
    let keyword = |value: &Option<Value>| -> Result<Option<String>, Error> {
        value.as_ref().map(|value| Ok(crate::text::python::str(&view.render(value)?))).transpose()
    };
    let connection = match text(&["ansible_connection"])? {
        Some(connection) => Some(connection),
        None => keyword(&keywords.connection)?.or_else(|| options.connection.clone()),
    };
    let implicit =
        || if &**host == "localhost" && !view.snapshot.knows(host) { "local" } else { "ssh" }.to_owned();
    if is_local(&connection.unwrap_or_else(implicit))? {
        let unlocked = view.snapshot.is_implicit(host);
        return Ok(Endpoint { host: host.clone(), local: true, unlocked, ..Endpoint::default() });
    }
    let mut endpoint = Endpoint {
        host: host.clone(),
        address: text(&["ansible_host", "ansible_ssh_host"])?.unwrap_or_else(|| host.to_string()),
        password: text(&["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"])?
            .or_else(|| options.connection_password.clone()),
        passphrase: text(&["ansible_ssh_private_key_passphrase", "ansible_private_key_passphrase"])?,
        ..Endpoint::default()
    };
    let port = match text(&["ansible_port", "ansible_ssh_port"])? {
        Some(port) => Some(port),
        None => keyword(&keywords.port)?,
    };
    let port = port.map(|port| number("ansible_port", &port)).transpose()?;
    let port = port.or(options.settings.remote_port);
    let user = match text(&["ansible_user", "ansible_ssh_user"])? {
        Some(user) => Some(user),
        None => keyword(&keywords.remote_user)?.or_else(|| options.remote_user.clone()),
    };
    // The order of Ansible's command line for ssh, on which the first of several values counts.
    arguments(&mut endpoint, "ansible_ssh_args", options.settings.ssh_args.as_deref(), &text)?;
    checking(&mut endpoint, &text)?;
    option(&mut endpoint, "Port", port.map(|port| port.to_string()));
    option(&mut endpoint, "IdentityFile", key(&text, options)?);
    option(&mut endpoint, "User", user);
    let timeout = text(&["ansible_ssh_timeout"])?;
    option(
        &mut endpoint,
        "ConnectTimeout",
        timeout.map(|text| seconds("ansible_ssh_timeout", &text)).transpose()?,
    );
    arguments(&mut endpoint, "ansible_ssh_common_args", options.ssh_common_args.as_deref(), &text)?;
    arguments(&mut endpoint, "ansible_ssh_extra_args", options.ssh_extra_args.as_deref(), &text)?;
    Ok(endpoint)
}

fn option(endpoint: &mut Endpoint, name: &str, value: Option<String>) {
    endpoint.options.extend(value.map(|value| (name.to_owned(), value)));
}

/// Takes arguments for ssh from a variable, or else those of the run; one that cannot be honoured is an error.
fn arguments(
    endpoint: &mut Endpoint,
    name: &str,
    default: Option<&str>,
    text: Lookup<'_>,
) -> Result<(), Error> {
    let Some(line) = text(&[name])?.or_else(|| default.map(str::to_owned)) else { return Ok(()) };
    let read = Arguments::read(&line).map_err(|why| Error::other(format!("{name}: {why}")))?;
    endpoint.options.extend(read.options);
    if endpoint.configuration.is_none() {
        endpoint.configuration = read.file;
    }
    Ok(())
}

fn checking(endpoint: &mut Endpoint, text: Lookup<'_>) -> Result<(), Error> {
    let Some(checking) = text(&["ansible_ssh_host_key_checking", "ansible_host_key_checking"])? else {
        return Ok(());
    };
    let check = bool::convert(&checking.as_str().into()).map_err(Error::other)?;
    let checking = if check { HostKeyChecking::Strict } else { HostKeyChecking::Off };
    option(endpoint, "StrictHostKeyChecking", Some(checking.value().to_owned()));
    Ok(())
}

fn is_local(connection: &str) -> Result<bool, Error> {
    match connection.rsplit('.').next() {
        Some("local") => Ok(true),
        Some("ssh" | "smart" | "paramiko" | "paramiko_ssh") => Ok(false),
        _ => {
            Err(Error::other(format!("connection `{connection}` is not supported: there are ssh and local")))
        }
    }
}

fn key(text: Lookup<'_>, options: &Options) -> Result<Option<String>, Error> {
    let key = text(&["ansible_ssh_private_key_file", "ansible_private_key_file"])?;
    let key = key.map(|key| expand_user(&key)).or_else(|| options.private_key.clone());
    // A path is no pattern for the configuration: its `%` is a `%`.
    Ok(key.as_deref().map(Path::to_string_lossy).map(|path| path.replace('%', "%%")))
}

fn number(name: &str, port: &str) -> Result<u16, Error> {
    let number = i64::convert(&port.into()).ok().and_then(|port| u16::try_from(port).ok());
    number.ok_or_else(|| Error::other(format!("{name} must be a port number, not `{port}`")))
}

fn seconds(name: &str, text: &str) -> Result<String, Error> {
    let number = i64::convert(&text.into()).ok().and_then(|seconds| u32::try_from(seconds).ok());
    let number =
        number.ok_or_else(|| Error::other(format!("{name} must be a number of seconds, not `{text}`")))?;
    Ok(number.max(1).to_string())
}
