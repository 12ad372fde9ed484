//! Private keys that are encrypted with a password, in either kind of file.

use super::cipher::{Budget, CipherError, Password, decrypt};
use super::der::{OCTET_STRING, OID, Reader, SEQUENCE};
use super::{jks, oid};

/// Opens a private key of either kind of file.
pub(super) fn open(sealed: &[u8], password: &str) -> Result<Vec<u8>, CipherError> {
    let mut info = Reader::new(sealed).enter(SEQUENCE)?;
    let algorithm = info.enter(SEQUENCE)?;
    let data = info.take(OCTET_STRING)?;
    if algorithm.clone().take(OID)?.content == oid::JKS_KEY {
        return jks::open_key(data.content, password);
    }
    let mut result = Err(CipherError::Password);
    for form in Password::forms(password) {
        result = decrypt(algorithm, &form, data.content, &Budget::default()).and_then(|key| {
            // A wrong password may come out as a padding that is in order, but not as a key too.
            match Reader::new(&key).enter(SEQUENCE).and_then(|mut key| key.number()) {
                Ok(_) => Ok(key),
                Err(_) => Err(CipherError::Password),
            }
        });
        if result != Err(CipherError::Password) {
            break;
        }
    }
    result
}
