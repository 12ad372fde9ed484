//! The login: tries the keys of the agent and of files, then a password.
//!
//! `identity` collects the keys and their order. A key that is encrypted is only offered: if the server would accept
//! it, the login fails with [`Reason::Locked`], and the caller can ask for the passphrase.

mod signers;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Interactive};
use russh::keys::agent::AgentIdentity;
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use russh::{AgentAuthError, MethodKind, MethodSet, Signer};

use signers::{AgentSigner, ProbeSigner, RsaSigner};

use super::error::Reason;
use super::host_key::{DisconnectMessage, HostKeyChecker};
use super::identity::{self, Agent, Candidate, CertificateFile, Identities};
use super::keys::KeyStore;
use super::target::Target;
use crate::paths::tilde;

/// The most keyboard-interactive requests that are answered with the password. More of them ask for something else.
const MAX_REQUESTS: usize = 3;

/// Logs in with the first key or password that the server accepts.
///
/// # Errors
/// If the server accepts none, or the connection fails.
pub(super) async fn login(
    handle: &mut Handle<HostKeyChecker>,
    target: &Target,
    keys: &KeyStore,
    user: &str,
    disconnect: &DisconnectMessage,
) -> Result<(), Reason> {
    let mut login = Login::new(handle, target, user, disconnect);
    let identities = if target.methods.public_key {
        let agent = login.open_agent().await;
        identity::collect(target, keys, agent).await
    } else {
        Identities::default()
    };
    let Identities { candidates, notes, mut agent } = identities;
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
    if !login.locked.is_empty() {
        return Err(login.locked_error());
    }
    // A server may accept anyone; if not, its answer says what it accepts.
    if login.accepts.is_none() && login.try_none().await? {
        return Ok(());
    }
    Err(login.denied_error())
}

struct Login<'a> {
    handle: &'a mut Handle<HostKeyChecker>,
    target: &'a Target,
    user: &'a str,
    disconnect: &'a DisconnectMessage,
    /// The methods that the server accepts; `None` before the first attempt.
    accepts: Option<MethodSet>,
    tried_files: Vec<String>,
    tried_agent: usize,
    tried_password: bool,
    /// Encrypted keys that the server would accept, or of which the public part is unknown.
    locked: Vec<PathBuf>,
    /// Why other keys were not tried.
    notes: Vec<String>,
    /// The hash for RSA signatures, once asked for; `None` inside means SHA-1.
    rsa_hash: Option<Option<HashAlg>>,
}

impl<'a> Login<'a> {
    fn new(
        handle: &'a mut Handle<HostKeyChecker>,
        target: &'a Target,
        user: &'a str,
        disconnect: &'a DisconnectMessage,
    ) -> Self {
        Self {
            handle,
            target,
            user,
            disconnect,
            accepts: None,
            tried_files: Vec::new(),
            tried_agent: 0,
            tried_password: false,
            locked: Vec::new(),
            notes: Vec::new(),
            rsa_hash: None,
        }
    }

    async fn open_agent(&mut self) -> Option<Agent> {
        let socket = self.target.agent.as_ref()?;
        match Agent::connect_uds(socket).await {
            Ok(mut agent) => {
                if let Some(binding) = self.handle.agent_session_binding() {
                    // Agents before OpenSSH 8.9 do not support this, and do not need it.
                    let _ = agent.bind_session(binding, false).await;
                }
                Some(agent)
            }
            Err(error) => {
                self.notes.push(format!("cannot connect to the ssh-agent at {}: {error}", tilde(socket)));
                None
            }
        }
    }

    fn accepts_method(&self, method: MethodKind) -> bool {
        self.accepts.as_ref().is_none_or(|methods| methods.contains(&method))
    }

    async fn try_key(&mut self, candidate: Candidate, agent: Option<&mut Agent>) -> Result<bool, Reason> {
        match (candidate, agent) {
            (Candidate::File { path, key }, _) => self.try_file(&path, key).await,
            (Candidate::FileWithCertificate { key, certificate: (path, certificate) }, _) => {
                self.tried_files.push(tilde(&path));
                if let Algorithm::Rsa { .. } = key.algorithm() {
                    return self.try_certificate(*certificate, &mut RsaSigner(key)).await;
                }
                let answer = self.handle.authenticate_openssh_cert(self.user, key, *certificate).await;
                self.accepted(answer)
            }
            (Candidate::Agent(identity), Some(agent)) => self.try_agent(*identity, agent).await,
            (Candidate::AgentWithCertificate((path, certificate)), Some(agent)) => {
                self.tried_files.push(tilde(&path));
                self.try_certificate(*certificate, &mut AgentSigner(agent)).await
            }
            (Candidate::Agent(_) | Candidate::AgentWithCertificate(_), None) => Ok(false),
            (Candidate::Locked { path, public, certificate }, _) => {
                self.probe(path, public.map(|public| *public), certificate).await
            }
        }
    }

    async fn try_file(&mut self, path: &Path, key: Arc<PrivateKey>) -> Result<bool, Reason> {
        let Some(hash) = self.hash_for(&key.algorithm()).await else {
            self.notes.push(format!("the server accepts {} only with SHA-1 signatures", tilde(path)));
            return Ok(false);
        };
        self.tried_files.push(tilde(path));
        let key = PrivateKeyWithHashAlg::new(key, hash);
        let answer = self.handle.authenticate_publickey(self.user, key).await;
        self.accepted(answer)
    }

    async fn try_agent(&mut self, identity: AgentIdentity, agent: &mut Agent) -> Result<bool, Reason> {
        self.tried_agent += 1;
        match identity {
            AgentIdentity::PublicKey { key, .. } => self.try_public_key(key, agent).await,
            AgentIdentity::Certificate { certificate, .. } => self.try_certificate(certificate, agent).await,
        }
    }

    /// Asks whether the server would accept an encrypted key, which it answers before anything is signed.
    async fn probe(
        &mut self,
        path: PathBuf,
        public: Option<PublicKey>,
        certificate: Option<CertificateFile>,
    ) -> Result<bool, Reason> {
        let Some(public) = public else {
            self.locked.push(path);
            return Ok(false);
        };
        let mut signer = ProbeSigner { asked: false };
        if let Some((_, certificate)) = certificate {
            self.try_certificate(*certificate, &mut signer).await?;
        }
        if !signer.asked {
            self.try_public_key(public, &mut signer).await?;
        }
        if signer.asked {
            self.locked.push(path);
        } else {
            self.tried_files.push(tilde(&path));
        }
        Ok(false)
    }

    async fn try_public_key(
        &mut self,
        key: PublicKey,
        signer: &mut impl Signer<Error = AgentAuthError>,
    ) -> Result<bool, Reason> {
        let Some(hash) = self.hash_for(&key.algorithm()).await else { return Ok(false) };
        let answer = self.handle.authenticate_publickey_with(self.user, key, hash, signer).await;
        self.accepted_signed(answer)
    }

    async fn try_certificate(
        &mut self,
        certificate: Certificate,
        signer: &mut impl Signer<Error = AgentAuthError>,
    ) -> Result<bool, Reason> {
        let key = PublicKey::from(certificate.public_key().clone());
        let Some(hash) = self.hash_for(&key.algorithm()).await else { return Ok(false) };
        let answer = self.handle.authenticate_certificate_with(self.user, certificate, hash, signer).await;
        self.accepted_signed(answer)
    }

    fn accepted_signed(&mut self, answer: Result<AuthResult, AgentAuthError>) -> Result<bool, Reason> {
        match answer {
            Ok(answer) => self.accepted(Ok(answer)),
            Err(AgentAuthError::Key(russh::keys::Error::KeyIsEncrypted)) => Ok(false),
            Err(error) => {
                self.notes.push(format!("the ssh-agent did not sign: {error}"));
                Ok(false)
            }
        }
    }

    /// Returns the hash for signatures of a key; the outer `None` means that the server accepts only SHA-1.
    async fn hash_for(&mut self, algorithm: &Algorithm) -> Option<Option<HashAlg>> {
        if !matches!(algorithm, Algorithm::Rsa { .. }) {
            return Some(None);
        }
        if self.rsa_hash.is_none() {
            // If the server does not say, the strongest hash is the best guess.
            let supported = self.handle.best_supported_rsa_hash().await.ok().flatten();
            self.rsa_hash = Some(supported.unwrap_or(Some(HashAlg::Sha512)));
        }
        self.rsa_hash.filter(Option::is_some)
    }

    async fn try_password(&mut self, password: &str) -> Result<bool, Reason> {
        self.tried_password = true;
        let allowed = self.target.methods;
        if allowed.password && self.accepts_method(MethodKind::Password) {
            let answer = self.handle.authenticate_password(self.user, password).await;
            if self.accepted(answer)? {
                return Ok(true);
            }
        }
        let interactive = allowed.interactive && self.accepts_method(MethodKind::KeyboardInteractive);
        Ok(interactive && self.answer_prompts(password).await?)
    }

    /// Answers keyboard-interactive requests with the password, as long as each has at most one prompt without echo:
    /// that is how PAM asks for it.
    async fn answer_prompts(&mut self, password: &str) -> Result<bool, Reason> {
        let mut answer = self.handle.authenticate_keyboard_interactive_start(self.user, None::<String>).await;
        for _ in 0..MAX_REQUESTS {
            match answer.map_err(|error| self.protocol_error(&error))? {
                Interactive::Success => return Ok(true),
                Interactive::Failure { remaining_methods, .. } => {
                    self.accepts = Some(remaining_methods);
                    return Ok(false);
                }
                Interactive::InfoRequest { prompts, .. }
                    if prompts.iter().filter(|prompt| !prompt.echo).count() > 1 =>
                {
                    break;
                }
                Interactive::InfoRequest { prompts, .. } => {
                    let replies =
                        prompts.iter().map(|prompt| if prompt.echo { "" } else { password }.to_owned());
                    answer = self.handle.authenticate_keyboard_interactive_respond(replies.collect()).await;
                }
            }
        }
        self.notes.push("the server asks for more than a password".to_owned());
        Ok(false)
    }

    async fn try_none(&mut self) -> Result<bool, Reason> {
        let answer = self.handle.authenticate_none(self.user).await;
        self.accepted(answer)
    }

    /// Returns whether the login succeeded; an error if the server does not accept another attempt.
    fn accepted(&mut self, answer: Result<AuthResult, russh::Error>) -> Result<bool, Reason> {
        match answer.map_err(|error| self.protocol_error(&error))? {
            AuthResult::Success => Ok(true),
            // russh returns this also if the connection has ended.
            AuthResult::Failure { remaining_methods, .. } if remaining_methods.is_empty() => {
                Err(self.closed_error())
            }
            AuthResult::Failure { remaining_methods, .. } => {
                self.accepts = Some(remaining_methods);
                Ok(false)
            }
        }
    }

    fn protocol_error(&self, error: &russh::Error) -> Reason {
        if self.handle.is_closed() {
            return self.closed_error();
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
            1 => tried.push("1 key from the agent".to_owned()),
            many => tried.push(format!("{many} keys from the agent")),
        }
        if self.tried_password {
            tried.push("the password".to_owned());
        }
        tried
    }

    fn locked_error(&self) -> Reason {
        Reason::Locked {
            user: self.user.to_owned(),
            address: self.target.address.clone(),
            files: self.locked.clone(),
            tried: self.tried(),
            notes: self.notes.clone(),
        }
    }

    fn closed_error(&self) -> Reason {
        Reason::LoginClosed {
            user: self.user.to_owned(),
            address: self.target.address.clone(),
            goodbye: self.disconnect.get(),
            tried: self.tried(),
            notes: self.notes.clone(),
        }
    }

    fn denied_error(&self) -> Reason {
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
