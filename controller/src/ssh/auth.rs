//! The login: keys of the agent and of files, then a password.

use std::path::Path;
use std::sync::Arc;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Interactive};
use russh::keys::agent::AgentIdentity;
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};

use super::error::Reason;
use super::host_key::{Checker, Heard};
use super::identity::{self, Agent, Candidate, Identities};
use super::target::{Target, tilde};

/// How often a server may ask back before its questions are taken for something else than the password's.
const MAX_QUESTIONS: usize = 3;

/// Logs in with the first thing that the server takes.
pub(super) async fn login(
    handle: &mut Handle<Checker>,
    target: &Target,
    user: &str,
    heard: &Heard,
) -> Result<(), Reason> {
    let mut login = Login::new(handle, target, user, heard);
    let agent = login.open_agent().await;
    let Identities { candidates, notes, mut agent } = identity::gather(target, agent).await;
    login.notes.extend(notes);
    for candidate in candidates {
        if !login.accepts_method(MethodKind::PublicKey) {
            break;
        }
        if login.try_key(candidate, agent.as_mut()).await? {
            return Ok(());
        }
    }
    if let Some(password) = &target.password
        && login.try_password(password).await?
    {
        return Ok(());
    }
    // A server may let us in for nothing; if not, its answer says what it would accept.
    if login.accepts.is_none() && login.try_none().await? {
        return Ok(());
    }
    Err(login.denied())
}

struct Login<'a> {
    handle: &'a mut Handle<Checker>,
    target: &'a Target,
    user: &'a str,
    heard: &'a Heard,
    /// What the server said it accepts; nothing before the first attempt.
    accepts: Option<MethodSet>,
    tried_files: Vec<String>,
    tried_agent: usize,
    tried_password: bool,
    notes: Vec<String>,
    rsa_hash: Option<Option<HashAlg>>,
}

impl<'a> Login<'a> {
    fn new(handle: &'a mut Handle<Checker>, target: &'a Target, user: &'a str, heard: &'a Heard) -> Self {
        Self {
            handle,
            target,
            user,
            heard,
            accepts: None,
            tried_files: Vec::new(),
            tried_agent: 0,
            tried_password: false,
            notes: Vec::new(),
            rsa_hash: None,
        }
    }

    async fn open_agent(&mut self) -> Option<Agent> {
        let socket = self.target.agent.as_ref()?;
        match Agent::connect_uds(socket).await {
            Ok(mut agent) => {
                if let Some(binding) = self.handle.agent_session_binding() {
                    // Agents before OpenSSH 8.9 do not know this, and need it for nothing.
                    let _ = agent.bind_session(binding, false).await;
                }
                Some(agent)
            }
            Err(error) => {
                self.notes.push(format!("no ssh-agent at {}: {error}", tilde(socket)));
                None
            }
        }
    }

    fn accepts_method(&self, method: MethodKind) -> bool {
        self.accepts.as_ref().is_none_or(|methods| methods.contains(&method))
    }

    async fn try_key(&mut self, candidate: Candidate, agent: Option<&mut Agent>) -> Result<bool, Reason> {
        match (candidate, agent) {
            (Candidate::File { path, key, certificate }, _) => self.try_file(&path, key, certificate).await,
            (Candidate::Agent(identity), Some(agent)) => self.try_agent(*identity, agent).await,
            (Candidate::Agent(_), None) => Ok(false),
        }
    }

    async fn try_file(
        &mut self,
        path: &Path,
        key: Arc<PrivateKey>,
        certificate: Option<Box<Certificate>>,
    ) -> Result<bool, Reason> {
        if let Some(certificate) = certificate {
            self.tried_files.push(format!("{}-cert.pub", tilde(path)));
            let answer = self.handle.authenticate_openssh_cert(self.user, key.clone(), *certificate).await;
            if self.judge(answer)? {
                return Ok(true);
            }
        }
        let Some(hash) = self.hash_for(&key.algorithm()).await else {
            self.notes.push(format!("the server takes {} with SHA-1 signatures only", tilde(path)));
            return Ok(false);
        };
        self.tried_files.push(tilde(path));
        let key = PrivateKeyWithHashAlg::new(key, hash);
        let answer = self.handle.authenticate_publickey(self.user, key).await;
        self.judge(answer)
    }

    async fn try_agent(&mut self, identity: AgentIdentity, agent: &mut Agent) -> Result<bool, Reason> {
        let Some(hash) = self.hash_for(&identity.public_key().algorithm()).await else { return Ok(false) };
        self.tried_agent += 1;
        let answer = match identity {
            AgentIdentity::PublicKey { key, .. } => {
                self.handle.authenticate_publickey_with(self.user, key, hash, agent).await
            }
            AgentIdentity::Certificate { certificate, .. } => {
                self.handle.authenticate_certificate_with(self.user, certificate, hash, agent).await
            }
        };
        match answer {
            Ok(answer) => self.judge(Ok(answer)),
            Err(error) => {
                self.notes.push(format!("the ssh-agent did not sign: {error}"));
                Ok(false)
            }
        }
    }

    /// Returns the hash that a key signs with: `None` if only SHA-1 would do.
    async fn hash_for(&mut self, algorithm: &Algorithm) -> Option<Option<HashAlg>> {
        if !matches!(algorithm, Algorithm::Rsa { .. }) {
            return Some(None);
        }
        if self.rsa_hash.is_none() {
            // A server that does not say is older than the extension, or terse; the newer hash is the better guess.
            let said = self.handle.best_supported_rsa_hash().await.ok().flatten();
            self.rsa_hash = Some(said.unwrap_or(Some(HashAlg::Sha512)));
        }
        self.rsa_hash.filter(Option::is_some)
    }

    async fn try_password(&mut self, password: &str) -> Result<bool, Reason> {
        self.tried_password = true;
        if self.accepts_method(MethodKind::Password) {
            let answer = self.handle.authenticate_password(self.user, password).await;
            if self.judge(answer)? {
                return Ok(true);
            }
        }
        Ok(self.accepts_method(MethodKind::KeyboardInteractive) && self.answer_questions(password).await?)
    }

    /// Gives the password to the one thing that a server asks without echo, as PAM does.
    async fn answer_questions(&mut self, password: &str) -> Result<bool, Reason> {
        let mut answer = self.handle.authenticate_keyboard_interactive_start(self.user, None::<String>).await;
        for _ in 0..MAX_QUESTIONS {
            match answer.map_err(|error| self.broken(&error))? {
                Interactive::Success => return Ok(true),
                Interactive::Failure { remaining_methods, .. } => {
                    self.accepts = Some(remaining_methods);
                    return Ok(false);
                }
                Interactive::InfoRequest { prompts, .. }
                    if prompts.iter().filter(|ask| !ask.echo).count() > 1 =>
                {
                    break;
                }
                Interactive::InfoRequest { prompts, .. } => {
                    let replies = prompts.iter().map(|ask| if ask.echo { "" } else { password }.to_owned());
                    answer = self.handle.authenticate_keyboard_interactive_respond(replies.collect()).await;
                }
            }
        }
        self.notes.push("the server asks for more than a password".to_owned());
        Ok(false)
    }

    async fn try_none(&mut self) -> Result<bool, Reason> {
        let answer = self.handle.authenticate_none(self.user).await;
        self.judge(answer)
    }

    /// Returns whether we are in; an error if the server will not hear another attempt.
    fn judge(&mut self, answer: Result<AuthResult, russh::Error>) -> Result<bool, Reason> {
        match answer.map_err(|error| self.broken(&error))? {
            AuthResult::Success => Ok(true),
            // russh says it so if the connection is gone, too.
            AuthResult::Failure { remaining_methods, .. } if remaining_methods.is_empty() => {
                Err(self.broken_off())
            }
            AuthResult::Failure { remaining_methods, .. } => {
                self.accepts = Some(remaining_methods);
                Ok(false)
            }
        }
    }

    fn broken(&self, error: &russh::Error) -> Reason {
        if self.handle.is_closed() {
            return self.broken_off();
        }
        Reason::Protocol {
            doing: "login",
            detail: format!("{} port {}: {error}", self.target.address, self.target.port),
        }
    }

    fn tried(&self) -> Vec<String> {
        let mut tried = self.tried_files.clone();
        match self.tried_agent {
            0 => {}
            1 => tried.push("1 key of the agent".to_owned()),
            many => tried.push(format!("{many} keys of the agent")),
        }
        if self.tried_password {
            tried.push("the password".to_owned());
        }
        tried
    }

    fn broken_off(&self) -> Reason {
        Reason::BrokenOff {
            user: self.user.to_owned(),
            address: self.target.address.clone(),
            goodbye: self.heard.goodbye(),
            tried: self.tried(),
            notes: self.notes.clone(),
        }
    }

    fn denied(&self) -> Reason {
        Reason::Denied {
            user: self.user.to_owned(),
            address: self.target.address.clone(),
            accepts: self.accepts.iter().flat_map(|methods| methods.iter()).map(String::from).collect(),
            tried: self.tried(),
            notes: self.notes.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
