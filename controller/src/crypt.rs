//! Password hashes as `/etc/shadow` and crypt(3) have them, made with the limits and the messages of passlib, which
//! Ansible's filter `password_hash` uses.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use md5::{Digest as _, Md5};
use rand::seq::IndexedRandom as _;

/// The characters of salts and hashes, each for six bits.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Those of bcrypt.
const BCRYPT_DIGITS: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Reads a salt of bcrypt. Its last character has four bits more than are needed, which count for nothing.
const BCRYPT_SALT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));

/// Why there is no hash, as Ansible words it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The algorithm is not supported.
    #[error("passlib does not support '{0}' algorithm")]
    Algorithm(String),
    /// The algorithm does not take this secret, salt, number of rounds or variant.
    #[error("Could not hash the secret.. {0}")]
    Setting(String),
}

/// How a password is hashed. What is not given has a default.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The salt; a random one if not given.
    pub salt: Option<String>,
    /// The length of a random salt.
    pub salt_size: Option<i64>,
    /// How often the hash is hashed again; for bcrypt, the logarithm of that to base 2.
    pub rounds: Option<i64>,
    /// The variant of bcrypt: `2a`, `2b` or `2y`.
    pub ident: Option<String>,
}

/// An algorithm and its limits.
struct Algorithm {
    name: &'static str,
    short: &'static str,
    salt_sizes: std::ops::RangeInclusive<usize>,
    /// The fewest and the most rounds, and the default.
    rounds: Option<(u32, u32, u32)>,
    digits: &'static [u8; 64],
    hash: fn(&Input<'_>) -> Result<String, Error>,
}

/// What is hashed, checked against the limits.
struct Input<'i> {
    secret: &'i [u8],
    salt: &'i str,
    rounds: u32,
    ident: bcrypt::Version,
}

const ALGORITHMS: [Algorithm; 4] = [
    Algorithm {
        name: "md5_crypt",
        short: "md5",
        salt_sizes: 0..=8,
        rounds: None,
        digits: DIGITS,
        hash: md5_crypt,
    },
    Algorithm {
        name: "bcrypt",
        short: "blowfish",
        salt_sizes: 22..=22,
        rounds: Some((4, 31, 12)),
        digits: BCRYPT_DIGITS,
        hash: bcrypt,
    },
    Algorithm {
        name: "sha256_crypt",
        short: "sha256",
        salt_sizes: 0..=16,
        rounds: Some((1000, 999_999_999, 535_000)),
        digits: DIGITS,
        hash: sha256_crypt,
    },
    Algorithm {
        name: "sha512_crypt",
        short: "sha512",
        salt_sizes: 0..=16,
        rounds: Some((1000, 999_999_999, 656_000)),
        digits: DIGITS,
        hash: sha512_crypt,
    },
];

/// Returns the names of the algorithms.
pub fn algorithms() -> impl Iterator<Item = &'static str> {
    ALGORITHMS.iter().map(|algorithm| algorithm.name)
}

/// Hashes a password.
///
/// # Errors
/// If the algorithm is not supported, or does not take the secret or one of the settings.
pub fn hash(secret: &str, algorithm: &str, settings: &Settings) -> Result<String, Error> {
    let algorithm = ALGORITHMS
        .iter()
        .find(|known| known.name == algorithm || known.short == algorithm)
        .ok_or_else(|| Error::Algorithm(algorithm.to_owned()))?;
    if secret.contains('\0') {
        return Err(Error::Setting("null character in secret".to_owned()));
    }
    let rounds = algorithm.rounds(settings.rounds)?;
    let ident = match settings.ident.as_deref().filter(|_| algorithm.name == "bcrypt") {
        None | Some("2b") => bcrypt::Version::TwoB,
        Some("2a") => bcrypt::Version::TwoA,
        Some("2y") => bcrypt::Version::TwoY,
        Some(other) => return Err(Error::Setting(format!("invalid ident: '{other}'"))),
    };
    let salt = algorithm.salt(settings)?;
    (algorithm.hash)(&Input { secret: secret.as_bytes(), salt: &salt, rounds, ident })
}

impl Algorithm {
    fn rounds(&self, rounds: Option<i64>) -> Result<u32, Error> {
        let (name, rounds) = (self.name, rounds.filter(|rounds| *rounds != 0));
        let Some((least, most, default)) = self.rounds else {
            let refused = |_| Err(Error::Setting(format!("{name} has no rounds")));
            return rounds.map_or(Ok(0), refused);
        };
        let Some(rounds) = rounds else { return Ok(default) };
        let refused =
            |why: String| Error::Setting(format!("{name}: min_desired_rounds ({rounds}) is too {why}"));
        if rounds < i64::from(least) {
            return Err(refused(format!("low, must be at least {least}")));
        }
        let small = u32::try_from(rounds).ok().filter(|rounds| *rounds <= most);
        small.ok_or_else(|| refused(format!("large, cannot be more than {most}")))
    }

    /// Returns the salt that is given, or a random one.
    fn salt(&self, settings: &Settings) -> Result<String, Error> {
        let (name, least, most) = (self.name, *self.salt_sizes.start(), *self.salt_sizes.end());
        let exact = least == most;
        let size = match settings.salt_size.filter(|size| *size != 0) {
            None => most,
            Some(size) => {
                usize::try_from(size).ok().filter(|size| self.salt_sizes.contains(size)).ok_or_else(|| {
                    let limit = if exact { "must be exactly" } else { "above max_salt_size" };
                    let limit = if exact { format!("{limit} {most}") } else { format!("{limit} ({most})") };
                    Error::Setting(format!("{name}: salt_size ({size}) {limit}"))
                })?
            }
        };
        let Some(salt) = settings.salt.as_deref().filter(|salt| !salt.is_empty()) else {
            let mut random = rand::rng();
            let digits = (0..size).filter_map(|_| self.digits.choose(&mut random));
            return Ok(digits.map(|digit| char::from(*digit)).collect());
        };
        if !salt.bytes().all(|byte| self.digits.contains(&byte)) {
            return Err(Error::Setting(format!("invalid characters in {name} salt")));
        }
        if !self.salt_sizes.contains(&salt.len()) {
            let size = if salt.len() < least { "small" } else { "large" };
            let limit = if exact { format!("exactly {most}") } else { format!("<= {most}") };
            return Err(Error::Setting(format!("salt too {size} ({name} requires {limit} chars)")));
        }
        Ok(salt.to_owned())
    }
}

/// Returns the bytes at these places, three as four digits, the lowest bits first; the last group may be shorter.
fn encode(bytes: &[u8], order: &[usize]) -> String {
    let mut text = String::new();
    for group in order.chunks(3) {
        let mut bits = group.iter().fold(0u32, |bits, at| bits << 8 | u32::from(bytes[*at]));
        for _ in 0..=group.len() {
            text.push(char::from(DIGITS[bits as usize & 63]));
            bits >>= 6;
        }
    }
    text
}

/// `$5$`: <https://www.akkadia.org/drepper/SHA-crypt.txt>.
fn sha256_crypt(input: &Input<'_>) -> Result<String, Error> {
    let params = sha_params(input)?;
    let sum = sha_crypt::sha256_crypt(input.secret, input.salt.as_bytes(), params);
    let order = |at: usize| {
        let mut group = [at, at + 10, at + 20];
        group.rotate_right(at % 3);
        group
    };
    let order: Vec<usize> = (0..10).flat_map(order).chain([31, 30]).collect();
    Ok(sha_text("5", input, &encode(&sum, &order)))
}

/// `$6$`: <https://www.akkadia.org/drepper/SHA-crypt.txt>.
fn sha512_crypt(input: &Input<'_>) -> Result<String, Error> {
    let params = sha_params(input)?;
    let sum = sha_crypt::sha512_crypt(input.secret, input.salt.as_bytes(), params);
    let order = |at: usize| {
        let mut group = [at, at + 21, at + 42];
        group.rotate_left(at % 3);
        group
    };
    let order: Vec<usize> = (0..21).flat_map(order).chain([63]).collect();
    Ok(sha_text("6", input, &encode(&sum, &order)))
}

fn sha_params(input: &Input<'_>) -> Result<sha_crypt::Params, Error> {
    sha_crypt::Params::new(input.rounds).map_err(|error| Error::Setting(error.to_string()))
}

fn sha_text(id: &str, Input { salt, rounds, .. }: &Input<'_>, hash: &str) -> String {
    // The format's default is not written.
    let rounds = if *rounds == 5000 { String::new() } else { format!("rounds={rounds}$") };
    format!("${id}${rounds}{salt}${hash}")
}

/// `$2b$` and its like; of the password 72 bytes count.
fn bcrypt(input: &Input<'_>) -> Result<String, Error> {
    let mut salt = [0; 16];
    BCRYPT_SALT.decode_slice(input.salt, &mut salt).map_err(|error| Error::Setting(error.to_string()))?;
    let parts = bcrypt::hash_with_salt(input.secret, input.rounds, salt);
    let parts = parts.map_err(|error| Error::Setting(error.to_string()))?;
    Ok(parts.format_for_version(input.ident.clone()))
}

/// `$1$`: FreeBSD's algorithm of 1994.
fn md5_crypt(Input { secret, salt, .. }: &Input<'_>) -> Result<String, Error> {
    let alternate = Md5::new().chain_update(secret).chain_update(salt).chain_update(secret).finalize();
    let mut first = Md5::new().chain_update(secret).chain_update("$1$").chain_update(salt);
    first.update(alternate.iter().copied().cycle().take(secret.len()).collect::<Vec<u8>>());
    let mut bits = secret.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { &[0][..] } else { &secret[..1] });
        bits >>= 1;
    }
    let mut sum = first.finalize();
    for round in 0..1000 {
        let mut digest = Md5::new();
        let odd = round % 2 == 1;
        digest.update(if odd { secret } else { &sum[..] });
        if round % 3 != 0 {
            digest.update(salt);
        }
        if round % 7 != 0 {
            digest.update(secret);
        }
        digest.update(if odd { &sum[..] } else { secret });
        sum = digest.finalize();
    }
    let order = [0, 6, 12, 1, 7, 13, 2, 8, 14, 3, 9, 15, 4, 10, 5, 11];
    Ok(format!("$1${salt}${}", encode(&sum, &order)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(secret: &str, algorithm: &str, salt: &str, rounds: Option<i64>) -> Result<String, String> {
        let settings = Settings { salt: Some(salt.to_owned()), rounds, ..Settings::default() };
        hash(secret, algorithm, &settings).map_err(|error| error.to_string())
    }

    /// Checks hashes: secret, algorithm, salt and rounds, and what passlib or libxcrypt makes of them.
    fn check(vectors: &[(&str, &str, &str, Option<i64>, &str)]) {
        for (secret, algorithm, salt, rounds, expected) in vectors {
            assert_eq!(hashed(secret, algorithm, salt, *rounds).as_deref(), Ok(*expected), "{algorithm}");
        }
    }

    #[test]
    fn sha_crypt_and_md5_crypt_are_those_of_other_implementations() {
        check(&[
            (
                "secret",
                "sha512_crypt",
                "saltsalt",
                Some(5000),
                "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1",
            ),
            (
                &"x".repeat(100),
                "sha512",
                "saltsalt",
                Some(1000),
                "$6$rounds=1000$saltsalt$/SCs4O.xNTXjXYtULwdmkAhxcJgg8rb2VcV/0.5uA/eTqAuceREjy9.ibxcrZpbc0FwMYH8Sb9MBj9V0zd85I1",
            ),
            (
                "secret",
                "sha256_crypt",
                "saltsalt",
                Some(1000),
                "$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2",
            ),
            ("secret", "md5_crypt", "saltsalt", None, "$1$saltsalt$9xy1btjgzLYfb7hivXtC//"),
            ("", "md5", "a", None, "$1$a$8CfZSfErbeskipdhZHtvu."),
            (&"y".repeat(50), "md5", "a", None, "$1$a$sOvmgPXTeEabF7hLxUxOE."),
            (
                &"é".repeat(50),
                "sha512",
                "a.Z/",
                Some(1001),
                "$6$rounds=1001$a.Z/$jn8FUZsyLyGdSJVd10zh/6mPE3e0edOtegxFHjS2byUqj4JMKliZefbWGteO5o9OeJvq40JIZ5wSx1LuaTVbl0",
            ),
            (
                &"x".repeat(64),
                "sha512",
                "0123456789abcdef",
                Some(1234),
                "$6$rounds=1234$0123456789abcdef$rVb0TC1QaDXtsRkqhts82fw4mstdcFUxABvvCfcg.rOAG.J7nN.WlLWAjDQwMz2czrZ/9xMcFezTcq9X.uwsw0",
            ),
            ("", "sha256", "ab", Some(1000), "$5$rounds=1000$ab$Yd3BaIOVbovC2OGzlWXH53yhcyaWZscnPjMwuHC/2t3"),
            (
                &"x".repeat(33),
                "sha256",
                "0123456789abcdef",
                Some(5000),
                "$5$0123456789abcdef$SXQQfiVAVcrNhGvZ68FHq.iCt.Skdsq.QMtxxUXsSg5",
            ),
        ]);
    }

    #[test]
    fn bcrypt_is_that_of_other_implementations() {
        let long = "thisisaverylongpasswordthatislongerthanseventytwobytesandsoistruncatedbybcryptalgorithm";
        let digits = "1234567890123456789012";
        check(&[
            (
                "secret",
                "bcrypt",
                digits,
                Some(4),
                "$2b$04$123456789012345678901u//h8y7tq3SNKU3W0iQ9NrkyT8n5fXPS",
            ),
            (
                long,
                "blowfish",
                digits,
                Some(5),
                "$2b$05$123456789012345678901u7IgC0W6hPhm08PDfAUXf5.hmzRA01Oi",
            ),
            (
                "secret",
                "bcrypt",
                "abcdefghijklmnopqrstuz",
                Some(4),
                "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
            ),
            ("", "bcrypt", digits, Some(4), "$2b$04$123456789012345678901uVTVpbHniVAv2CmG4UV2sJqSWa2e9QRu"),
        ]);
    }

    #[test]
    fn bcrypt_has_variants() {
        for (ident, salt, expected) in [
            ("2a", "abcdefghijklmnopqrstuu", "$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"),
            ("2y", "abcdefghijklmnopqrstuu", "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"),
        ] {
            let (salt, ident) = (Some(salt.to_owned()), Some(ident.to_owned()));
            let settings = Settings { salt, ident, rounds: Some(4), ..Settings::default() };
            assert_eq!(hash("secret", "bcrypt", &settings).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn salts_are_random_unless_given() {
        for (algorithm, size, expected) in
            [("sha512", 0, 16), ("sha512", 4, 4), ("md5", 0, 8), ("bcrypt", 22, 22)]
        {
            let rounds = match algorithm {
                "bcrypt" => Some(4),
                "md5" => None,
                _ => Some(1000),
            };
            let settings = Settings { salt_size: Some(size), rounds, ..Settings::default() };
            let [one, two] = [(), ()].map(|()| hash("x", algorithm, &settings).unwrap());
            assert_ne!(one, two);
            let rest = one.split('$').next_back().unwrap().len();
            let salt = if algorithm == "bcrypt" { 22 } else { one.split('$').rev().nth(1).unwrap().len() };
            assert_eq!((salt, rest > 21), (expected, true), "{one}");
        }
    }

    #[test]
    fn settings_beyond_the_limits_are_errors() {
        let wrong = |algorithm: &str, salt: &str, rounds: Option<i64>| {
            hashed("x", algorithm, salt, rounds).unwrap_err()
        };
        for (found, expected) in [
            (wrong("foo", "", None), "passlib does not support 'foo' algorithm"),
            (
                wrong("sha512", "12345678901234567", None),
                "Could not hash the secret.. salt too large (sha512_crypt requires <= 16 chars)",
            ),
            (
                wrong("sha512", "a$d", None),
                "Could not hash the secret.. invalid characters in sha512_crypt salt",
            ),
            (
                wrong("bcrypt", "abc", None),
                "Could not hash the secret.. salt too small (bcrypt requires exactly 22 chars)",
            ),
            (
                wrong("sha512", "ab", Some(10)),
                "Could not hash the secret.. sha512_crypt: min_desired_rounds (10) is too low, must be at least 1000",
            ),
            (
                wrong("bcrypt", "", Some(40)),
                "Could not hash the secret.. bcrypt: min_desired_rounds (40) is too large, cannot be more than 31",
            ),
            (wrong("md5", "", Some(4)), "Could not hash the secret.. md5_crypt has no rounds"),
            (
                hashed("a\0b", "md5", "", None).unwrap_err(),
                "Could not hash the secret.. null character in secret",
            ),
        ] {
            assert_eq!(found, expected);
        }
        let sized = |algorithm: &str| {
            let settings = Settings { salt_size: Some(20), ..Settings::default() };
            hash("x", algorithm, &settings).unwrap_err().to_string()
        };
        assert_eq!(
            sized("md5"),
            "Could not hash the secret.. md5_crypt: salt_size (20) above max_salt_size (8)"
        );
        assert_eq!(sized("bcrypt"), "Could not hash the secret.. bcrypt: salt_size (20) must be exactly 22");
        let ident = Settings { ident: Some("zz".to_owned()), ..Settings::default() };
        assert_eq!(
            hash("x", "bcrypt", &ident).unwrap_err().to_string(),
            "Could not hash the secret.. invalid ident: 'zz'"
        );
    }
}
