//! Digests of files, as Ansible's modules return them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::Digest as _;

use super::SystemView;
use crate::failure::Failure;
use crate::hex;
use crate::os_error::cannot;

crate::choices! {
    /// A digest algorithm.
    pub enum Algorithm {
        /// MD5.
        Md5 = "md5",
        /// SHA-1.
        Sha1 = "sha1",
        /// SHA-224.
        Sha224 = "sha224",
        /// SHA-256.
        Sha256 = "sha256",
        /// SHA-384.
        Sha384 = "sha384",
        /// SHA-512.
        Sha512 = "sha512",
    }
}

/// Several digests of the same content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksums {
    /// Names the content on the wire.
    pub sha256: convoy_protocol::Digest,
    /// Ansible's `checksum`.
    pub sha1: String,
    /// Ansible's `md5sum`.
    pub md5: String,
}

struct Hashers(sha2::Sha256, sha1::Sha1, md5::Md5);

impl io::Write for Hashers {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        self.1.update(bytes);
        self.2.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Checksums {
    /// Reads `source` to its end and computes its digests.
    ///
    /// # Errors
    /// Any error of reading `source`.
    pub fn of_reader(source: &mut impl Read) -> io::Result<Self> {
        let mut hashers = Hashers(sha2::Sha256::new(), sha1::Sha1::new(), md5::Md5::new());
        io::copy(&mut io::BufReader::with_capacity(128 * 1024, source), &mut hashers)?;
        let sha256 = hex::encode(&hashers.0.finalize()).parse().map_err(io::Error::other)?;
        Ok(Self { sha256, sha1: hex::encode(&hashers.1.finalize()), md5: hex::encode(&hashers.2.finalize()) })
    }
}

fn digest<D: sha2::Digest>(file: &mut File) -> io::Result<String> {
    let mut hasher = D::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex::encode(&hasher.finalize())),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl SystemView {
    /// Returns the digest of a file in hexadecimal.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn checksum(&self, path: &Path, algorithm: Algorithm) -> Result<String, Failure> {
        let run = |mut file: File| match algorithm {
            Algorithm::Md5 => digest::<md5::Md5>(&mut file),
            Algorithm::Sha1 => digest::<sha1::Sha1>(&mut file),
            Algorithm::Sha224 => digest::<sha2::Sha224>(&mut file),
            Algorithm::Sha256 => digest::<sha2::Sha256>(&mut file),
            Algorithm::Sha384 => digest::<sha2::Sha384>(&mut file),
            Algorithm::Sha512 => digest::<sha2::Sha512>(&mut file),
        };
        File::open(path).and_then(run).map_err(|e| cannot("read", path, &e))
    }

    /// Returns the digest that names the content of a file on the wire.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn sha256(&self, path: &Path) -> Result<convoy_protocol::Digest, Failure> {
        let read = |mut file: File| convoy_protocol::Digest::of_reader(&mut file).map(|found| found.0);
        File::open(path).and_then(read).map_err(|e| cannot("read", path, &e))
    }

    /// Returns the digests of a file that results and the wire need.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn checksums(&self, path: &Path) -> Result<Checksums, Failure> {
        let read = |mut file: File| Checksums::of_reader(&mut file);
        File::open(path).and_then(read).map_err(|e| cannot("read", path, &e))
    }
}
