//! Expands `%` tokens and `${VARIABLE}` in configuration values.

use std::path::PathBuf;

use sha1::{Digest as _, Sha1};

use crate::passwd;
use crate::paths::home;

/// The values of the tokens.
#[derive(Debug, Clone, Default)]
pub(in crate::ssh) struct Tokens {
    /// `%h`: the name or address to connect to.
    pub(in crate::ssh) host: String,
    /// `%n`: the host as it was given on the command line.
    pub(in crate::ssh) original_host: String,
    /// `%p`: the port.
    pub(in crate::ssh) port: u16,
    /// `%r`: the login user.
    pub(in crate::ssh) user: String,
    /// `%k`: the name under which the host key is recorded.
    pub(in crate::ssh) host_key_name: String,
    /// `%j`: the jump host.
    pub(in crate::ssh) jump: String,
}

impl Tokens {
    /// Returns a value with its tokens replaced.
    ///
    /// # Errors
    /// If a token is unknown.
    pub(in crate::ssh) fn expand(&self, value: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = value;
        while let Some(at) = rest.find('%') {
            let (before, token) = rest.split_at(at);
            out.push_str(before);
            let mut chars = token.chars();
            chars.next();
            let letter = chars.next();
            match letter.and_then(|letter| self.token(letter)) {
                Some(text) => out.push_str(&text),
                None => {
                    let token = letter.map(String::from).unwrap_or_default();
                    return Err(format!("`%{token}` in `{value}` is not a known token"));
                }
            }
            rest = chars.as_str();
        }
        out.push_str(rest);
        Ok(out)
    }

    /// Returns the paths in a list, as by [`Tokens::path`], without the entries `none`.
    ///
    /// # Errors
    /// If a token is unknown, or a variable is not set.
    pub(in crate::ssh) fn paths<'v>(
        &self,
        values: impl IntoIterator<Item = &'v str>,
    ) -> Result<Vec<PathBuf>, String> {
        let named = values.into_iter().filter(|value| !value.eq_ignore_ascii_case("none"));
        named.map(|value| self.path(value)).collect()
    }

    /// Returns a path with its tokens, variables and `~` replaced.
    ///
    /// # Errors
    /// If a token is unknown, or a variable is not set.
    pub(in crate::ssh) fn path(&self, value: &str) -> Result<PathBuf, String> {
        let mut text = self.expand(value)?;
        while let Some((before, after)) = text.split_once("${") {
            let Some((name, rest)) = after.split_once('}') else { break };
            let set = std::env::var(name).map_err(|_| format!("`${{{name}}}` in `{value}` is not set"))?;
            text = format!("{before}{set}{rest}");
        }
        Ok(match (text.strip_prefix("~/"), home()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => text.into(),
        })
    }

    fn token(&self, letter: char) -> Option<String> {
        Some(match letter {
            '%' => "%".to_owned(),
            'h' => self.host.clone(),
            'n' => self.original_host.clone(),
            'p' => self.port.to_string(),
            'r' => self.user.clone(),
            'k' => self.host_key_name.clone(),
            'j' => self.jump.clone(),
            'd' => home()?.to_string_lossy().into_owned(),
            'u' => passwd::own_name()?,
            'i' => rustix::process::getuid().as_raw().to_string(),
            'l' => local_name(),
            'L' => local_name().split('.').next().unwrap_or_default().to_owned(),
            'C' => {
                let all = format!("{}{}{}{}{}", local_name(), self.host, self.port, self.user, self.jump);
                Sha1::digest(all).iter().map(|byte| format!("{byte:02x}")).collect()
            }
            _ => return None,
        })
    }
}

fn local_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
