//! The login: keys of the agent and of files, then a password.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Interactive};
use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode as _;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::ssh_key::{self, Signature};
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use russh::{AgentAuthError, MethodKind, MethodSet, Signer};

use super::error::Reason;
use super::host_key::{Checker, Heard};
use super::identity::{self, Agent, Candidate, Certified, Identities};
use super::keys::Keys;
use super::target::Target;
use crate::paths::tilde;

/// How often a server may ask back before its questions are taken for something else than the password's.
const MAX_QUESTIONS: usize = 3;

/// Logs in with the first thing that the server takes.
pub(super) async fn login(
    handle: &mut Handle<Checker>,
    target: &Target,
    keys: &Keys,
    user: &str,
    heard: &Heard,
) -> Result<(), Reason> {
    let mut login = Login::new(handle, target, user, heard);
    let identities = if target.methods.public_key {
        let agent = login.open_agent().await;
        identity::gather(target, keys, agent).await
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
        return Err(login.is_locked());
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
    /// Encrypted keys that would be taken, or that have to be opened to know.
    locked: Vec<PathBuf>,
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
            (Candidate::File { path, key }, _) => self.try_file(&path, key).await,
            (Candidate::FileWithCertificate { key, certificate: (path, certificate) }, _) => {
                self.tried_files.push(tilde(&path));
                if let Algorithm::Rsa { .. } = key.algorithm() {
                    return self.certificate_signed_by(*certificate, &mut RsaKey(key)).await;
                }
                let answer = self.handle.authenticate_openssh_cert(self.user, key, *certificate).await;
                self.judge(answer)
            }
            (Candidate::Agent(identity), Some(agent)) => self.try_agent(*identity, agent).await,
            (Candidate::AgentWithCertificate((path, certificate)), Some(agent)) => {
                self.tried_files.push(tilde(&path));
                self.certificate_signed_by(*certificate, &mut BareKey(agent)).await
            }
            (Candidate::Agent(_) | Candidate::AgentWithCertificate(_), None) => Ok(false),
            (Candidate::Locked { path, public, certificate }, _) => {
                self.ask_for(path, public.map(|public| *public), certificate).await
            }
        }
    }

    async fn try_file(&mut self, path: &Path, key: Arc<PrivateKey>) -> Result<bool, Reason> {
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
        self.tried_agent += 1;
        match identity {
            AgentIdentity::PublicKey { key, .. } => self.key_signed_by(key, agent).await,
            AgentIdentity::Certificate { certificate, .. } => {
                self.certificate_signed_by(certificate, agent).await
            }
        }
    }

    /// Asks whether the server would take an encrypted key, which it tells before anything is signed.
    async fn ask_for(
        &mut self,
        path: PathBuf,
        public: Option<PublicKey>,
        certificate: Option<Certified>,
    ) -> Result<bool, Reason> {
        let Some(public) = public else {
            self.locked.push(path);
            return Ok(false);
        };
        let mut nobody = Nobody { asked: false };
        if let Some((_, certificate)) = certificate {
            self.certificate_signed_by(*certificate, &mut nobody).await?;
        }
        if !nobody.asked {
            self.key_signed_by(public, &mut nobody).await?;
        }
        if nobody.asked {
            self.locked.push(path);
        } else {
            self.tried_files.push(tilde(&path));
        }
        Ok(false)
    }

    async fn key_signed_by(
        &mut self,
        key: PublicKey,
        signer: &mut impl Signer<Error = AgentAuthError>,
    ) -> Result<bool, Reason> {
        let Some(hash) = self.hash_for(&key.algorithm()).await else { return Ok(false) };
        let answer = self.handle.authenticate_publickey_with(self.user, key, hash, signer).await;
        self.judge_signed(answer)
    }

    async fn certificate_signed_by(
        &mut self,
        certificate: Certificate,
        signer: &mut impl Signer<Error = AgentAuthError>,
    ) -> Result<bool, Reason> {
        let key = PublicKey::from(certificate.public_key().clone());
        let Some(hash) = self.hash_for(&key.algorithm()).await else { return Ok(false) };
        let answer = self.handle.authenticate_certificate_with(self.user, certificate, hash, signer).await;
        self.judge_signed(answer)
    }

    fn judge_signed(&mut self, answer: Result<AuthResult, AgentAuthError>) -> Result<bool, Reason> {
        match answer {
            Ok(answer) => self.judge(Ok(answer)),
            Err(AgentAuthError::Key(russh::keys::Error::KeyIsEncrypted)) => Ok(false),
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
        let allowed = self.target.methods;
        if allowed.password && self.accepts_method(MethodKind::Password) {
            let answer = self.handle.authenticate_password(self.user, password).await;
            if self.judge(answer)? {
                return Ok(true);
            }
        }
        let interactive = allowed.interactive && self.accepts_method(MethodKind::KeyboardInteractive);
        Ok(interactive && self.answer_questions(password).await?)
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

    fn is_locked(&self) -> Reason {
        Reason::Locked {
            user: self.user.to_owned(),
            address: self.target.address.clone(),
            files: self.locked.clone(),
            tried: self.tried(),
            notes: self.notes.clone(),
        }
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

/// Signs for certificates with the key alone: that is what the agent holds.
struct BareKey<'a>(&'a mut Agent);

impl Signer for BareKey<'_> {
    type Error = AgentAuthError;

    async fn auth_sign(
        &mut self,
        key: &AgentIdentity,
        hash: Option<HashAlg>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, AgentAuthError> {
        let bare = PublicKey::from(key.public_key().key_data().clone());
        Ok(self.0.sign_request(&bare.into(), hash, data).await?)
    }
}

/// Signs for certificates of RSA keys, which russh does with SHA-1 only.
struct RsaKey(Arc<PrivateKey>);

impl Signer for RsaKey {
    type Error = AgentAuthError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut data: Vec<u8>,
    ) -> Result<Vec<u8>, AgentAuthError> {
        let KeypairData::Rsa(pair) = self.0.key_data() else {
            return Err(russh::keys::Error::CouldNotReadKey.into());
        };
        let mut blob = Vec::new();
        let signature: Signature =
            (pair, hash).try_sign(&data).map_err(ssh_key::Error::from).map_err(russh::keys::Error::from)?;
        signature.encode(&mut blob).map_err(russh::keys::Error::from)?;
        blob.as_slice().encode(&mut data).map_err(russh::keys::Error::from)?;
        Ok(data)
    }
}

/// Signs nothing, and knows that it was asked to.
struct Nobody {
    asked: bool,
}

impl Signer for Nobody {
    type Error = AgentAuthError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        _: Option<HashAlg>,
        _: Vec<u8>,
    ) -> Result<Vec<u8>, AgentAuthError> {
        self.asked = true;
        Err(russh::keys::Error::KeyIsEncrypted.into())
    }
}

#[cfg(test)]
mod tests;
