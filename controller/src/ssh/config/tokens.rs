//! The `%` tokens and `${VARIABLE}`s of configuration values.

use sha1::{Digest as _, Sha1};

use crate::passwd;
use crate::ssh::target::home;

/// What tokens stand for.
#[derive(Debug, Clone, Default)]
pub(in crate::ssh) struct Tokens {
    /// `%h`: the name or address to connect to.
    pub(in crate::ssh) host: String,
    /// `%n`: the host as it was given.
    pub(in crate::ssh) given: String,
    /// `%p`.
    pub(in crate::ssh) port: u16,
    /// `%r`: the login user.
    pub(in crate::ssh) user: String,
    /// `%k`: the name of the host key.
    pub(in crate::ssh) key: String,
    /// `%j`: the jump host.
    pub(in crate::ssh) jump: String,
}

impl Tokens {
    /// Returns a value with its tokens replaced.
    ///
    /// # Errors
    /// Which token is unknown, or which variable is not set.
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
                    return Err(format!("`%{token}` in `{value}` stands for nothing"));
                }
            }
            rest = chars.as_str();
        }
        out.push_str(rest);
        Ok(out)
    }

    /// Returns a path with its tokens, variables and `~` replaced.
    ///
    /// # Errors
    /// As [`Tokens::expand`].
    pub(in crate::ssh) fn path(&self, value: &str) -> Result<std::path::PathBuf, String> {
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
            'n' => self.given.clone(),
            'p' => self.port.to_string(),
            'r' => self.user.clone(),
            'k' => self.key.clone(),
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
