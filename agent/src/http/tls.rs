//! TLS, with the certificates that the node trusts.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};

use super::error::Error;
use super::request::Tls;

/// Where systems keep the certificates that they trust, all in one file.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
];

/// Talks TLS over a connection to `host`.
pub(super) fn wrap<S: Read + Write>(
    stream: S,
    host: &str,
    how: &Tls,
) -> Result<StreamOwned<ClientConnection, S>, Error> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Error::Url(format!("no name of a host: {host}")))?;
    let config = config(how)?;
    let client =
        ClientConnection::new(Arc::new(config), name).map_err(|error| Error::Tls(error.to_string()))?;
    let mut stream = StreamOwned::new(client, stream);
    // The handshake now, so that its errors are told apart from those of the answer.
    stream.conn.complete_io(&mut stream.sock).map_err(Error::of_reading)?;
    Ok(stream)
}

fn config(how: &Tls) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if how.validate {
        let trusted = trusted(how.ca.as_deref())?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|_| Error::TlsFile("no certificates are trusted on this node: say ca_path".into()))?;
        Arc::new(TrustedRoots { inner, trusted })
    } else {
        Arc::new(AcceptAny(Arc::clone(&provider)))
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Tls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let Some(cert) = &how.cert else { return Ok(builder.with_no_client_auth()) };
    let key_file = how.key.as_ref().unwrap_or(cert);
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| unusable("key", key_file, &error))?;
    builder
        .with_client_auth_cert(certificates(cert)?, key)
        .map_err(|error| Error::TlsFile(format!("cannot use the certificate {}: {error}", cert.display())))
}

fn unusable(what: &str, path: &Path, error: &rustls::pki_types::pem::Error) -> Error {
    Error::TlsFile(format!("cannot read the {what} {}: {error}", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = fs::read(path).map_err(|error| {
        Error::TlsFile(format!(
            "cannot read the certificate {}: {}",
            path.display(),
            crate::os_error::reason(&error)
        ))
    })?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let all = all.map_err(|error| unusable("certificate", path, &error))?;
    if all.is_empty() {
        return Err(Error::TlsFile(format!(
            "cannot read the certificate {}: there is none in it",
            path.display()
        )));
    }
    Ok(all)
}

/// Returns the certificates that are trusted: those of a file or of all files in a directory, or the node's own.
fn trusted(given: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Error> {
    let Some(path) = given else {
        let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
        let bundles = named.into_iter().chain(BUNDLES.map(PathBuf::from));
        return Ok(bundles.into_iter().find_map(|path| certificates(&path).ok()).unwrap_or_default());
    };
    if !path.is_dir() {
        return certificates(path);
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    Ok(entries.filter_map(|entry| certificates(&entry.path()).ok()).flatten().collect())
}

/// Trusts what was signed by a trusted certificate, and a trusted certificate itself: servers that made their own
/// certificate have nothing else to show.
#[derive(Debug)]
struct TrustedRoots {
    inner: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for TrustedRoots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let checked =
            self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match checked {
            // What most programs that make such a certificate write into it: that it may sign others, too. Found after its
            // times were found good, and told by this name alone.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(why)))
                if why.to_string().contains("CaUsedAsEndEntity") =>
            {
                if !self.trusted.contains(end_entity) {
                    return Err(CertificateError::UnknownIssuer.into());
                }
                rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Trusts anyone, as the user asked for.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
