//! PKCS12: bags of keys and certificates, put together as Java does it.

use std::borrow::Cow;

use super::cipher::{self, Budget, CipherError, Password};
use super::der::{self, CONTEXT, DerError, OCTET_STRING, OID, Reader, SEQUENCE, SET};
use super::model::{Entry, Format, Keystore, KeystoreError, Kind, SealedKey};
use super::oid;
use super::x509::Certificate;

/// How deep bags may lie in each other.
const DEPTH: usize = 8;

impl From<DerError> for KeystoreError {
    fn from(error: DerError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<CipherError> for KeystoreError {
    fn from(error: CipherError) -> Self {
        match error {
            CipherError::Password => Self::Password,
            CipherError::Damaged => {
                Self::Damaged("what is encrypted in it is not laid out by the standard".into())
            }
            CipherError::Unsupported(what) => Self::Unsupported(what),
        }
    }
}

/// Opens a file.
pub(super) fn open(bytes: &[u8], password: &str) -> Result<Keystore, KeystoreError> {
    let mut all = match Reader::new(bytes).enter(SEQUENCE) {
        Err(DerError::Truncated) => return Err(KeystoreError::Truncated(bytes.len())),
        all => all?,
    };
    let version = all.number();
    if version != Ok(3) {
        return Err(KeystoreError::Foreign(
            "it is DER, but not PKCS12: perhaps a certificate or a key alone",
        ));
    }
    let mut content = all.enter(SEQUENCE)?;
    if content.take(OID)?.content != oid::DATA {
        return Err(KeystoreError::Unsupported("it is signed with a key, not with a password".into()));
    }
    let safe = content.enter(CONTEXT)?.any()?.bytes()?;
    let budget = Budget::default();
    let mut result = Err(KeystoreError::Password);
    for password in Password::forms(password) {
        result = Bags::open(&safe, all, &password, &budget);
        if !matches!(result, Err(KeystoreError::Password)) {
            break;
        }
    }
    result.map(Bags::entries)
}

/// A certificate as it lies in a bag.
struct CertificateBag {
    certificate: Certificate,
    tags: Tags,
}

/// What is said of a bag.
#[derive(Default, Clone)]
struct Tags {
    name: Option<String>,
    key_id: Option<Vec<u8>>,
    is_trusted: bool,
}

/// What all bags hold.
#[derive(Default)]
struct Bags {
    is_password_verified: bool,
    keys: Vec<(Kind, Option<SealedKey>, Tags)>,
    certificates: Vec<CertificateBag>,
}

impl Bags {
    /// Proves the checksum, if there is one, and opens all bags of `safe`.
    fn open(
        safe: &[u8],
        mut mac: Reader<'_>,
        password: &Password<'_>,
        budget: &Budget,
    ) -> Result<Self, KeystoreError> {
        let mut bags = Self::default();
        if !mac.is_empty() {
            bags.is_password_verified = true;
            verify_mac(safe, mac.enter(SEQUENCE)?, password, budget)?;
        }
        let mut parts = Reader::new(safe).enter(SEQUENCE)?;
        while !parts.is_empty() {
            let mut part = parts.enter(SEQUENCE)?;
            let content = match part.take(OID)?.content {
                oid::DATA => Cow::from(part.enter(CONTEXT)?.any()?.bytes()?.into_owned()),
                oid::ENCRYPTED_DATA => match encrypted(part.enter(CONTEXT)?, password, budget) {
                    Err(KeystoreError::Password) if bags.is_password_verified => {
                        let what = "a part of it is encrypted with another password than the whole";
                        return Err(KeystoreError::Unsupported(what.into()));
                    }
                    opened => {
                        bags.is_password_verified = true;
                        Cow::from(opened?)
                    }
                },
                other => {
                    let what = format!(
                        "a part of it is encrypted for a key, not with a password ({})",
                        oid::dotted(other)
                    );
                    return Err(KeystoreError::Unsupported(what));
                }
            };
            bags.read(Reader::new(&content).enter(SEQUENCE)?, 0)?;
        }
        Ok(bags)
    }

    fn read(&mut self, mut contents: Reader<'_>, depth: usize) -> Result<(), KeystoreError> {
        while !contents.is_empty() {
            let mut bag = contents.enter(SEQUENCE)?;
            let name = bag.take(OID)?.content;
            let mut value = bag.enter(CONTEXT)?;
            let tags = tags(bag)?;
            match oid::member(name, oid::BAG) {
                Some(1) => {
                    let key = SealedKey::Clear(value.take(SEQUENCE)?.whole.to_vec());
                    self.keys.push((Kind::Key, Some(key), tags));
                }
                Some(2) => {
                    let key = SealedKey::Encrypted(value.take(SEQUENCE)?.whole.to_vec());
                    self.keys.push((Kind::Key, Some(key), tags));
                }
                Some(3) => self.certificate(value, tags)?,
                Some(5) => self.keys.push((Kind::Secret, None, tags)),
                Some(6) if depth < DEPTH => self.read(value.enter(SEQUENCE)?, depth + 1)?,
                // A list of revoked certificates, or what nobody writes: Java does not look at it either.
                _ => {}
            }
        }
        Ok(())
    }

    fn certificate(&mut self, mut value: Reader<'_>, tags: Tags) -> Result<(), KeystoreError> {
        let mut bag = value.enter(SEQUENCE)?;
        if bag.take(OID)?.content != oid::X509_CERTIFICATE {
            return Ok(());
        }
        let bytes = bag.enter(CONTEXT)?.any()?.bytes()?;
        let certificate = Certificate::read(&bytes).ok_or_else(|| {
            let whose = tags.name.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
            KeystoreError::Damaged(format!("a certificate{whose} cannot be read"))
        })?;
        self.certificates.push(CertificateBag { certificate, tags });
        Ok(())
    }

    /// Returns the entries that Java makes of the bags: keys, each with its chain, and what is marked as trusted.
    fn entries(self) -> Keystore {
        let mut used = vec![false; self.certificates.len()];
        let mut unnamed = 0;
        let mut alias = |tags: &Tags| {
            tags.name.clone().unwrap_or_else(|| {
                unnamed += 1;
                format!("{unnamed}")
            })
        };
        let only_key = self.keys.iter().filter(|(kind, ..)| *kind == Kind::Key).count() == 1;
        let mut entries = Vec::new();
        for (kind, key, tags) in self.keys {
            let chain = match kind {
                Kind::Key => chain(&self.certificates, &tags, only_key, &mut used),
                Kind::Certificate | Kind::Secret => Vec::new(),
            };
            entries.push(Entry { alias: alias(&tags), kind, chain, key });
        }
        for (at, bag) in self.certificates.iter().enumerate().filter(|(_, bag)| bag.tags.is_trusted) {
            used[at] = true;
            let chain = vec![bag.certificate.clone()];
            entries.push(Entry { alias: alias(&bag.tags), kind: Kind::Certificate, chain, key: None });
        }
        let orphan_certificates = used.iter().filter(|used| !**used).count();
        Keystore {
            format: Format::Pkcs12,
            entries,
            is_password_verified: self.is_password_verified,
            orphan_certificates,
        }
    }
}

/// Returns the chain of a key: its certificate by their common mark, or the first if there is but one key; then who
/// issued it, and so on.
fn chain(all: &[CertificateBag], tags: &Tags, is_only: bool, used: &mut [bool]) -> Vec<Certificate> {
    let has_mark = |bag: &CertificateBag| tags.key_id.is_some() && bag.tags.key_id == tags.key_id;
    let unmarked = |bag: &CertificateBag| is_only && bag.tags.key_id.is_none() && !bag.tags.is_trusted;
    let mut next = all.iter().position(has_mark).or_else(|| all.iter().position(unmarked));
    let mut chain: Vec<Certificate> = Vec::new();
    while let Some(at) = next {
        let certificate = &all[at].certificate;
        if chain.contains(certificate) {
            break;
        }
        used[at] = true;
        chain.push(certificate.clone());
        let is_above = |bag: &CertificateBag| bag.certificate.raw_subject == certificate.raw_issuer;
        next = all.iter().position(is_above).filter(|_| certificate.raw_subject != certificate.raw_issuer);
    }
    chain
}

/// Proves that the checksum is the one of `safe` with the password.
fn verify_mac(
    safe: &[u8],
    mut mac: Reader<'_>,
    password: &Password<'_>,
    budget: &Budget,
) -> Result<(), KeystoreError> {
    let mut info = mac.enter(SEQUENCE)?;
    let hash = info.enter(SEQUENCE)?.take(OID)?.content;
    let expected = info.take(OCTET_STRING)?.content;
    let salt = mac.take(OCTET_STRING)?.content;
    let rounds = budget.take(if mac.is_empty() { 1 } else { mac.number()? })?;
    match cipher::is_mac(hash, password, salt, rounds, safe, expected)? {
        true => Ok(()),
        false => Err(KeystoreError::Password),
    }
}

fn encrypted(
    mut data: Reader<'_>,
    password: &Password<'_>,
    budget: &Budget,
) -> Result<Vec<u8>, KeystoreError> {
    let mut data = data.enter(SEQUENCE)?;
    data.number()?;
    let mut info = data.enter(SEQUENCE)?;
    info.take(OID)?;
    let algorithm = info.enter(SEQUENCE)?;
    let content = info.any()?;
    if content.tag & !der::CONSTRUCTED != CONTEXT & !der::CONSTRUCTED {
        return Err(DerError::Unexpected.into());
    }
    let opened = cipher::decrypt(algorithm, password, &content.bytes()?, budget)?;
    // A wrong password may come out as a padding that is in order, but not as bags too.
    if Reader::new(&opened).enter(SEQUENCE).is_err() {
        return Err(KeystoreError::Password);
    }
    Ok(opened)
}

/// Reads what is said of a bag.
fn tags(mut bag: Reader<'_>) -> Result<Tags, KeystoreError> {
    let mut tags = Tags::default();
    let Some(set) = bag.maybe(SET)? else { return Ok(tags) };
    let mut set = set.inside();
    while !set.is_empty() {
        let mut attribute = set.enter(SEQUENCE)?;
        let name = attribute.take(OID)?.content;
        let mut values = attribute.enter(SET)?;
        if values.is_empty() {
            continue;
        }
        let value = values.any()?;
        match name {
            oid::FRIENDLY_NAME => tags.name = Some(value.wide_text().to_lowercase()),
            oid::LOCAL_KEY_ID => tags.key_id = Some(value.bytes()?.into_owned()),
            oid::TRUSTED => tags.is_trusted = true,
            _ => {}
        }
    }
    Ok(tags)
}
