//! One key with its chain, in every form in which programs write it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;

/// Makes a key `key.pem` with a certificate, that of the authority above it, and of the one above that.
fn chain(node: &Node) {
    let request = "req -newkey rsa:2048 -noenc -subj";
    openssl(
        node,
        "req -x509 -newkey rsa:2048 -noenc -subj /O=Test/CN=Root -keyout root.key -out root.pem -days 900",
    );
    openssl(node, &format!("{request} /O=Test/CN=Middle -keyout middle.key -out middle.csr"));
    openssl(node, "x509 -req -in middle.csr -CA root.pem -CAkey root.key -days 800 -out middle.pem");
    openssl(node, &format!("{request} /C=DE/O=Test/CN=server,x -keyout key.pem -out server.csr"));
    openssl(node, "x509 -req -in server.csr -CA middle.pem -CAkey middle.key -days 700 -out server.pem");
    node.write("above.pem", &(node.read("middle.pem") + &node.read("root.pem")));
    // Within the second in which it is made a certificate has a whole day more.
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let made = second();
    while second() == made {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Returns the fingerprints of the certificate and of its public key, as openssl has them.
fn prints(node: &Node) -> (String, String) {
    let public = openssl(node, "x509 -in server.pem -noout -pubkey");
    node.write("public.pem", &public);
    openssl(node, "pkey -pubin -in public.pem -outform DER -out public.der");
    let key = run(node, "sha256sum", "public.der").split(' ').next().unwrap().to_owned();
    let print = openssl(node, "x509 -in server.pem -noout -fingerprint -sha256");
    (print.trim().split_once('=').unwrap().1.replace(':', "").to_lowercase(), key)
}

const EXPORT: &str = "pkcs12 -export -inkey key.pem -in server.pem -certfile above.pem -name Server";

#[test]
fn every_form_holds_the_same() {
    let mut node = Node::new();
    chain(&node);
    let (sha256, key_sha256) = prints(&node);

    for (file, options) in [
        ("modern", ""),
        ("legacy", "-legacy"),
        ("triple", "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1"),
        ("double", "-legacy -keypbe PBE-SHA1-2DES -certpbe PBE-SHA1-RC2-128"),
        ("aes", "-keypbe AES-128-CBC -certpbe AES-192-CBC -macalg sha512"),
        ("des", "-keypbe DES-EDE3-CBC -certpbe AES-256-CBC -macalg sha384"),
        ("clear", "-keypbe NONE -certpbe NONE"),
        ("unproven", "-nomac -certpbe AES-256-CBC"),
        ("once", "-noiter -nomaciter"),
    ] {
        openssl(&node, &format!("{EXPORT} -passout pass:{PASSWORD} {options} -out {file}"));
    }
    let import =
        format!("-importkeystore -srckeystore modern -srcstorepass {PASSWORD} -deststorepass {PASSWORD}");
    for (file, options) in [
        ("java.jks", "-deststoretype jks"),
        ("java.p12", "-deststoretype pkcs12"),
        ("java8.p12", "-deststoretype pkcs12 -J-Dkeystore.pkcs12.legacy"),
        (
            "sha1.p12",
            "-deststoretype pkcs12 -J-Dkeystore.pkcs12.keyProtectionAlgorithm=PBEWithHmacSHA1AndAES_128",
        ),
    ] {
        keytool(&node, &format!("{import} -destkeystore {file} {options}"));
    }
    let files =
        "modern legacy triple double aes des clear unproven once java.jks java.p12 java8.p12 sha1.p12";
    for file in files.split(' ') {
        let ask = map! { "alias" => "server", "min_days_left" => 600 };
        let seen = passes(&mut node, file, ask);
        let kind = if file.ends_with("jks") { "jks" } else { "pkcs12" };
        assert_eq!(
            (&seen["type"], &seen["key_sha256"]),
            (&kind.into(), &key_sha256.as_str().into()),
            "{file}"
        );
        assert!(!seen.contains_key("warnings"), "{file}");
        let server = entry(&seen, "server");
        for (name, value) in [
            ("entry", Value::from("key")),
            ("chain", 3.into()),
            ("subject", "CN=\"server,x\", O=Test, C=DE".into()),
            ("issuer", "CN=Middle, O=Test".into()),
            ("sha256", sha256.as_str().into()),
            ("days_left", 699.into()),
        ] {
            assert_eq!(server[name], value, "{file}: {name}");
        }
        let wrong = map! { "password" => "Secret-1", "alias" => "server" };
        let expected = "cannot be opened: the password is wrong, or the file was tampered with";
        assert_eq!(said(&mut node, file, wrong), expected, "{file}");
    }
}

#[test]
fn what_has_no_checksum_opens_with_any_password() {
    let mut node = Node::new();
    chain(&node);
    // Nothing tells a password that was not used, until the key is opened.
    openssl(&node, &format!("{EXPORT} -passout pass:{PASSWORD} -nomac -out open"));
    let seen = passes(&mut node, "open", map! { "password" => "any" });
    let warning = format!(
        "{} opens with any password: it has no checksum, and its certificates are not encrypted",
        node.text("open")
    );
    assert_eq!(seen["warnings"], vec![Value::from(warning)].into());
    let named = map! { "password" => "any", "alias" => "server" };
    let expected = "holds server, but its key cannot be opened: the password of the key is wrong";
    assert_eq!(said(&mut node, "open", named), expected);
}

#[test]
fn certificates_without_an_alias_are_not_seen_by_java() {
    let mut node = Node::new();
    chain(&node);
    // What OpenSSL writes without a key is there, but Java does not see it.
    openssl(&node, &format!("pkcs12 -export -nokeys -in above.pem -passout pass:{PASSWORD} -out loose"));
    let seen = passes(&mut node, "loose", map! {});
    assert_eq!(seen["entries"], Vec::<Value>::new().into());
    let named = map! { "alias" => "root" };
    assert_eq!(
        said(&mut node, "loose", named),
        "has no alias root: it holds none at all; and 2 certificates that belong to no alias, which Java does not see: \
         `keytool -importcert` makes them trusted"
    );
}

#[test]
fn passwords_may_be_empty_or_of_any_letters() {
    let mut node = Node::new();
    chain(&node);
    for password in ["", "pä$€😀"] {
        let export =
            format!("pkcs12 -export -inkey key.pem -in server.pem -name server -passout pass:{password}");
        for (file, options) in [("modern", ""), ("legacy", "-legacy")] {
            openssl(&node, &format!("{export} {options} -out {file}"));
            passes(&mut node, file, map! { "password" => password, "alias" => "server" });
        }
    }
}

#[test]
fn keys_of_all_kinds_are_compared_with_their_certificates() {
    let mut node = Node::new();
    for (file, algorithm) in [
        ("rsa", "-keyalg RSA -keysize 2048"),
        ("p256", "-keyalg EC -groupname secp256r1"),
        ("p384", "-keyalg EC -groupname secp384r1"),
        ("p521", "-keyalg EC -groupname secp521r1"),
        ("ed25519", "-keyalg Ed25519"),
        ("dsa", "-keyalg DSA -keysize 2048"),
    ] {
        key(&node, file, "a", &format!("-storetype jks {algorithm}"));
        passes(&mut node, file, map! { "alias" => "a" });
        if matches!(file, "p521" | "dsa") {
            continue;
        }
        key(&node, "second", "a", &format!("-storetype jks {algorithm}"));
        let mixed =
            mixed(&std::fs::read(node.path(file)).unwrap(), &std::fs::read(node.path("second")).unwrap());
        std::fs::write(node.path("mixed"), mixed).unwrap();
        std::fs::remove_file(node.path("second")).unwrap();
        // Java does not look whether they are a pair.
        keytool(&node, &format!("-list -keystore mixed -storepass {PASSWORD} -alias a"));
        let ask = map! { "alias" => "a" };
        let expected = "holds a, but its private key is not the one of its certificate";
        assert_eq!(said(&mut node, "mixed", ask), expected, "{file}");
    }
}

/// Returns a file with the key of one and the certificate of another, each with a single entry.
fn mixed(one: &[u8], other: &[u8]) -> Vec<u8> {
    // Before the key's length: magic, version, count, kind, a name of one letter, date.
    let start = 4 * 4 + 3 + 8;
    let end_of_key =
        |file: &[u8]| start + 4 + u32::from_be_bytes(file[start..start + 4].try_into().unwrap()) as usize;
    let mut mixed = one[..end_of_key(one)].to_vec();
    mixed.extend_from_slice(&other[end_of_key(other)..other.len() - 20]);
    damage::seal(mixed)
}

#[test]
fn a_secret_key_is_no_private_one() {
    let mut node = Node::new();
    keytool(
        &node,
        &format!("-genseckey -keystore f -storepass {PASSWORD} -alias s -keyalg AES -keysize 128"),
    );
    let seen = passes(&mut node, "f", map! {});
    assert_eq!(entry(&seen, "s"), map! { "alias" => "s", "entry" => "secret", "chain" => 0 });
    for (entry, expected) in
        [("key", "private key with its certificate"), ("certificate", "trusted certificate")]
    {
        let said = said(&mut node, "f", map! { "alias" => "s", "entry" => entry });
        assert_eq!(said, format!("has a secret key as s, not a {expected}"));
    }
}
