//! Passwords as `/etc/shadow` has them: the hashes of crypt(3).

use blowfish::Blowfish;
use md5::Md5;
use rand::seq::IndexedRandom as _;
use sha2::{Digest, Sha256, Sha512};

const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BCRYPT_DIGITS: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Why there is no hash, as Ansible words it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An algorithm that is not known here.
    #[error("passlib does not support '{0}' algorithm")]
    Algorithm(String),
    /// The salt, its size, the rounds or the variant is not one of this algorithm.
    #[error("Could not hash the secret.. {0}")]
    Setting(String),
}

/// How a password is hashed; what is not given is chosen.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What the hash begins with; random if not given.
    pub salt: Option<String>,
    /// How long a random salt is.
    pub salt_size: Option<i64>,
    /// How long it takes.
    pub rounds: Option<i64>,
    /// The variant of bcrypt.
    pub ident: Option<String>,
}

/// One algorithm and its limits.
struct Algorithm {
    name: &'static str,
    short: &'static str,
    salt_sizes: std::ops::RangeInclusive<usize>,
    /// The fewest and most rounds, and how many there are if nobody says.
    rounds: Option<(i64, i64, i64)>,
    digits: &'static [u8; 64],
    hash: fn(&[u8], &str, i64, &str) -> String,
}

const ALGORITHMS: [Algorithm; 4] = [
    Algorithm {
        name: "md5_crypt",
        short: "md5",
        salt_sizes: 0..=8,
        rounds: None,
        digits: DIGITS,
        hash: |secret, salt, _, _| md5_crypt(secret, salt),
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
        hash: |secret, salt, rounds, _| sha_crypt::<Sha256>("5", secret, salt, rounds),
    },
    Algorithm {
        name: "sha512_crypt",
        short: "sha512",
        salt_sizes: 0..=16,
        rounds: Some((1000, 999_999_999, 656_000)),
        digits: DIGITS,
        hash: |secret, salt, rounds, _| sha_crypt::<Sha512>("6", secret, salt, rounds),
    },
];

/// Returns the names of the algorithms.
pub fn algorithms() -> impl Iterator<Item = &'static str> {
    ALGORITHMS.iter().map(|algorithm| algorithm.name)
}

/// Hashes a password.
///
/// # Errors
/// If the algorithm is not known, or a setting is not one of it.
pub fn hash(secret: &str, algorithm: &str, settings: &Settings) -> Result<String, Error> {
    let known = ALGORITHMS.iter().find(|known| known.name == algorithm || known.short == algorithm);
    let known = known.ok_or_else(|| Error::Algorithm(algorithm.to_owned()))?;
    if secret.contains('\0') {
        return Err(Error::Setting("null character in secret".to_owned()));
    }
    let rounds = known.rounds(settings.rounds)?;
    let ident = match settings.ident.as_deref().filter(|_| known.name == "bcrypt") {
        None => "2b",
        Some(ident @ ("2a" | "2b" | "2y")) => ident,
        Some(other) => return Err(Error::Setting(format!("invalid ident: '{other}'"))),
    };
    Ok((known.hash)(secret.as_bytes(), &known.salt(settings)?, rounds, ident))
}

impl Algorithm {
    fn rounds(&self, asked: Option<i64>) -> Result<i64, Error> {
        let name = self.name;
        let (Some((least, most, usual)), asked) = (self.rounds, asked.filter(|rounds| *rounds != 0)) else {
            let unwanted = || Error::Setting(format!("{name} has no rounds"));
            return asked.map_or(Ok(0), |_| Err(unwanted()));
        };
        let rounds = asked.unwrap_or(usual);
        let wrong =
            |why: String| Error::Setting(format!("{name}: min_desired_rounds ({rounds}) is too {why}"));
        if rounds < least {
            return Err(wrong(format!("low, must be at least {least}")));
        }
        if rounds > most {
            return Err(wrong(format!("large, cannot be more than {most}")));
        }
        Ok(rounds)
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

/// Writes the bytes at these places, three in four digits, the lowest bits first; the last group may be shorter.
fn written(bytes: &[u8], order: &[usize]) -> String {
    let mut text = String::new();
    for group in order.chunks(3) {
        let mut number = group.iter().fold(0u32, |number, at| number << 8 | u32::from(bytes[*at]));
        for _ in 0..=group.len() {
            text.push(char::from(DIGITS[number as usize & 63]));
            number >>= 6;
        }
    }
    text
}

/// Repeats bytes to a length.
fn stretched(bytes: &[u8], length: usize) -> Vec<u8> {
    bytes.iter().copied().cycle().take(length).collect()
}

/// The order of bytes in which a hash of three parts is written: each three go round by one.
fn turning(third: usize, forward: bool) -> Vec<usize> {
    let parts = |at: usize| {
        let mut three = [at, at + third, at + 2 * third];
        if forward {
            three.rotate_left(at % 3);
        } else {
            three.rotate_right(at % 3);
        }
        three
    };
    (0..third).flat_map(parts).collect()
}

/// `$5$` and `$6$`: <https://www.akkadia.org/drepper/SHA-crypt.txt>.
fn sha_crypt<D: Digest>(id: &str, secret: &[u8], salt: &str, rounds: i64) -> String {
    let plain = salt.as_bytes();
    let both = D::new().chain_update(secret).chain_update(plain).chain_update(secret).finalize();
    let mut first = D::new().chain_update(secret).chain_update(plain);
    first.update(stretched(&both, secret.len()));
    let mut bits = secret.len();
    while bits > 0 {
        if bits & 1 == 1 {
            first.update(&both);
        } else {
            first.update(secret);
        }
        bits >>= 1;
    }
    let mut sum = first.finalize();
    let repeated = |bytes: &[u8], times: usize| {
        let mut digest = D::new();
        (0..times).for_each(|_| digest.update(bytes));
        stretched(&digest.finalize(), bytes.len())
    };
    let (secret, plain) = (repeated(secret, secret.len()), repeated(plain, 16 + usize::from(sum[0])));
    for round in 0..rounds {
        let mut digest = D::new();
        let odd = round % 2 == 1;
        if odd {
            digest.update(&secret);
        } else {
            digest.update(&sum);
        }
        if round % 3 != 0 {
            digest.update(&plain);
        }
        if round % 7 != 0 {
            digest.update(&secret);
        }
        if odd {
            digest.update(&sum);
        } else {
            digest.update(&secret);
        }
        sum = digest.finalize();
    }
    let third = sum.len() / 3;
    let mut order = turning(third, sum.len() == 64);
    order.extend((3 * third..sum.len()).rev());
    let said = if rounds == 5000 { String::new() } else { format!("rounds={rounds}$") };
    format!("${id}${said}{salt}${}", written(&sum, &order))
}

/// `$1$`.
fn md5_crypt(secret: &[u8], salt: &str) -> String {
    let plain = salt.as_bytes();
    let both = Md5::new().chain_update(secret).chain_update(plain).chain_update(secret).finalize();
    let mut first = Md5::new().chain_update(secret).chain_update("$1$").chain_update(plain);
    first.update(stretched(&both, secret.len()));
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
            digest.update(plain);
        }
        if round % 7 != 0 {
            digest.update(secret);
        }
        digest.update(if odd { &sum[..] } else { secret });
        sum = digest.finalize();
    }
    let order = [0, 6, 12, 1, 7, 13, 2, 8, 14, 3, 9, 15, 4, 10, 5, 11];
    format!("$1${salt}${}", written(&sum, &order))
}

/// `$2b$` and its like; of the password 72 bytes count.
fn bcrypt(secret: &[u8], salt: &str, rounds: i64, ident: &str) -> String {
    let places: Vec<u8> = salt.bytes().filter_map(|byte| place(BCRYPT_DIGITS, byte)).collect();
    let mut plain: Vec<u8> = Vec::new();
    for group in places.chunks(4) {
        let bits =
            group.iter().fold(0u32, |bits, place| bits << 6 | u32::from(*place)) << (6 * (4 - group.len()));
        plain.extend(&bits.to_be_bytes()[1..group.len()]);
    }
    let mut key = [secret, &[0]].concat();
    key.truncate(72);
    let mut state = Blowfish::bc_init_state();
    state.salted_expand_key(&plain, &key);
    for _ in 0..1u64 << rounds {
        state.bc_expand_key(&key);
        state.bc_expand_key(&plain);
    }
    let mut sum = Vec::new();
    for text in b"OrpheanBeholderScryDoubt".chunks(8) {
        let half =
            |from: usize| text[from..from + 4].iter().fold(0u32, |half, byte| half << 8 | u32::from(*byte));
        let sealed = (0..64).fold([half(0), half(4)], |pair, _| state.bc_encrypt(pair));
        sum.extend(sealed.iter().flat_map(|half| half.to_be_bytes()));
    }
    let bytes = [&plain[..], &sum[..23]];
    let [salt, sum] = bytes.map(bcrypt_written);
    format!("${ident}${rounds:02}${salt}{sum}")
}

fn place(digits: &[u8; 64], digit: u8) -> Option<u8> {
    digits.iter().position(|known| *known == digit).and_then(|place| u8::try_from(place).ok())
}

/// Base64 with the digits of bcrypt, without padding.
fn bcrypt_written(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        let digits = (0..=group.len()).map(|at| BCRYPT_DIGITS[(bits >> (18 - 6 * at)) as usize & 63]);
        text.extend(digits.map(char::from));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(secret: &str, algorithm: &str, salt: &str, rounds: Option<i64>) -> Result<String, String> {
        let settings = Settings { salt: Some(salt.to_owned()), rounds, ..Settings::default() };
        hash(secret, algorithm, &settings).map_err(|error| error.to_string())
    }

    /// What passlib makes of the same.
    #[test]
    fn as_others_have_them() {
        let long = "thisisaverylongpasswordthatislongerthanseventytwobytesandsoistruncatedbybcryptalgorithm";
        let digits = "1234567890123456789012";
        for (secret, algorithm, salt, rounds, expected) in [
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
            ("", "bcrypt", digits, Some(4), "$2b$04$123456789012345678901uVTVpbHniVAv2CmG4UV2sJqSWa2e9QRu"),
        ] {
            assert_eq!(hashed(secret, algorithm, salt, rounds).as_deref(), Ok(expected), "{algorithm}");
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
    fn what_is_no_setting_is_refused() {
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
