//! Signers for what russh cannot sign by itself.

use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode as _;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::ssh_key::{self, Signature};
use russh::keys::{HashAlg, PrivateKey, PublicKey};
use russh::{AgentAuthError, Signer};

use crate::ssh::identity::Agent;

/// Signs for a certificate with the key in an agent, which knows the key but not the certificate.
pub(super) struct AgentSigner<'a>(pub(super) &'a mut Agent);

impl Signer for AgentSigner<'_> {
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

/// Signs for the certificate of an RSA key. By itself, russh uses SHA-1 for these.
pub(super) struct RsaSigner(pub(super) Arc<PrivateKey>);

impl Signer for RsaSigner {
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

/// Signs nothing, but records that it was asked to: the server would accept the key.
pub(super) struct ProbeSigner {
    pub(super) asked: bool,
}

impl Signer for ProbeSigner {
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
