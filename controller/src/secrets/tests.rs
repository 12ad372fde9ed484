//! The vault with texts that `ansible-vault` of ansible-core 2.18 wrote, and the sources of passwords.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use convoy_protocol::Origin;

use super::*;

/// `PLAIN`, encrypted with `sesame`.
const FORMAT_1_1: &str = "$ANSIBLE_VAULT;1.1;AES256\n\
    37613032313733613062366662613663653035636465646133373132346161353734663839323438\n\
    6361336530623861613234613635653337353434306439390a636165363333343839643963653231\n\
    39383031386236643936626636303538643662666336353764393332373330343936656139653465\n\
    3035306131363332340a356338656639653434623665303162356666653930666232616430373533\n\
    63386465646664313462663136383732633438643863623639383030333033613965\n";

/// `PLAIN`, encrypted with `open-dev`, for the vault id `dev`.
const FORMAT_1_2: &str = "$ANSIBLE_VAULT;1.2;AES256;dev\n\
    38373538303137326533336130653334653738376430643564616636636363313461346233356636\n\
    6136353236313835383433633434656166663932666634330a383439393935336139376561623563\n\
    62333733363164343330333832376465653137643063333236326638663739396363306661646162\n\
    6130613439623264640a303730623536356134383763616232343065616135373838646662643135\n\
    61356536663164643761373436346261386464323737363537396232623732313165\n";

/// Empty text, encrypted with `sesame`.
const EMPTY: &str = "$ANSIBLE_VAULT;1.1;AES256\n\
    63623731636537393535666230656538333463396266353432373532343564646636316336316336\n\
    3333376365326163376336313963653238633238303937630a336532376237333439336261623063\n\
    38373134316139323331653465653930386235636635376330643833383234336238346537316139\n\
    3332633264626466370a373334653230636564306337396531323739353036343136323038326235\n\
    6264\n";

/// `PLAIN`, encrypted with `sesame` and the salt `salty`.
const SALTED: &str = "$ANSIBLE_VAULT;1.1;AES256\n\
    373336313663373437390a3761326461636166616166323964353738626139663062343036656332\n\
    37323361306335316561623763366164656263616662306465306637313362626262380a31383634\n\
    65303663613065383534626233306362663834363335363361313639616434303530313932346536\n\
    3366376164393835306232393432316231376332\n";

const PLAIN: &str = "user: admin\npassword: hunter2\n";

fn vault(passwords: &[(&str, &str)], match_id: bool) -> Vault {
    let passwords = passwords.iter().map(|(id, word)| Password::new(*id, format!("{id}.pass"), *word));
    Vault::new(passwords.collect(), match_id)
}

fn opened(vault: &Vault, text: &str) -> Result<(String, Arc<str>), String> {
    let opened = vault.open(text.as_bytes()).map_err(|error| error.line("x.yml", None))?;
    Ok((String::from_utf8(opened.plain.to_vec()).unwrap(), opened.password.id.clone()))
}

#[test]
fn text_written_by_ansible_is_decrypted() {
    let vault = vault(&[("prod", "wrong"), ("default", "sesame"), ("dev", "open-dev")], false);
    for (text, plain, id) in [
        (FORMAT_1_1, PLAIN, "default"),
        (FORMAT_1_2, PLAIN, "dev"),
        (EMPTY, "", "default"),
        (SALTED, PLAIN, "default"),
    ] {
        assert_eq!(opened(&vault, text), Ok((plain.to_owned(), id.into())));
        let windows = text.replace('\n', "\r\n");
        assert_eq!(opened(&vault, &windows), Ok((plain.to_owned(), id.into())));
    }
}

#[test]
fn encrypted_text_is_equal_to_that_of_ansible() {
    let password = Password::new("default", "x", "sesame");
    assert_eq!(password.seal(PLAIN.as_bytes(), None, Some(b"salty")).unwrap(), SALTED);
    let (one, two) =
        (password.seal(b"x", Some("dev"), None).unwrap(), password.seal(b"x", Some("dev"), None).unwrap());
    assert_ne!(one, two);
    assert_eq!(opened(&vault(&[("other", "sesame")], false), &one), Ok(("x".into(), "other".into())));
}

#[test]
fn vault_ids_select_the_passwords_to_try() {
    let text = FORMAT_1_2;
    // An id is only a hint, unless ids must match.
    assert!(opened(&vault(&[("default", "open-dev")], false), text).is_ok());
    assert!(opened(&vault(&[("dev", "open-dev")], true), text).is_ok());
    for (vault, error) in [
        (
            vault(&[], false),
            "cannot decrypt x.yml: Attempting to decrypt but no vault secrets found (its vault id is \
             `dev`); give the password with --vault-id dev@FILE, --vault-id dev@prompt or ANSIBLE_VAULT_PASSWORD_FILE",
        ),
        (
            vault(&[("prod", "a"), ("dev", "b")], false),
            "cannot decrypt x.yml: Decryption failed (no vault secrets were found that could decrypt) (its vault id \
             is `dev`; tried `dev` from dev.pass, `prod` from prod.pass); the password is wrong, or \
             the text was changed or truncated",
        ),
        (
            vault(&[("default", "open-dev")], true),
            "cannot decrypt x.yml: Decryption failed (no vault secrets were found that could decrypt) (its vault id \
             is `dev`; tried nothing; not tried, because of ANSIBLE_VAULT_ID_MATCH: `default`); the password \
             is wrong, or the text was changed or truncated",
        ),
    ] {
        assert_eq!(opened(&vault, text).unwrap_err(), error);
    }
}

#[test]
fn the_line_of_damage_is_relative_to_the_value() {
    let damaged = FORMAT_1_1.replacen("\n6361", "\n636g", 1);
    let at = Arc::new(Origin { file: "none.yml".into(), line: 10, column: 5 });
    let error = vault(&[("default", "sesame")], false).open(damaged.as_bytes()).unwrap_err();
    let line = damaged.lines().position(|line| line.contains('g')).unwrap();
    assert_eq!(
        error.diagnostic("the value", &at).to_string(),
        format!(
            "error: cannot decrypt the value: Vault format unhexlify error: Non-hexadecimal digit found\n  \
             --> none.yml:{}:5\nhint: restore it from a backup, or encrypt it again",
            10 + line
        )
    );
}

/// Creates a directory with sources of passwords.
fn sources() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode: u32| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    write("plain", "  sesame \n", 0o600);
    write("empty", "\n", 0o600);
    write("vaulted", &Password::new("x", "x", "sesame").seal(b"inner\n", None, None).unwrap(), 0o600);
    write("script", "#!/bin/sh\necho sesame\n", 0o700);
    write("get-client.sh", "#!/bin/sh\necho \"$1=$2\"\n", 0o700);
    write("lost-client", "#!/bin/sh\necho no such key >&2\nexit 2\n", 0o700);
    write("broken-client", "#!/bin/sh\necho locked >&2\nexit 3\n", 0o700);
    write("fails", "#!/bin/sh\nexit 7\n", 0o700);
    write("no-script", "#!/none/such\n", 0o700);
    std::fs::create_dir(dir.path().join("folder")).unwrap();
    dir
}

type Pairs = Vec<(String, String)>;

/// Returns the ids and passwords of a vault, or the error, without the path of the directory.
fn passwords(sources: &VaultSources, folder: &Path) -> Result<(Pairs, Vec<String>), String> {
    let shown = |text: &str| text.replace(&format!("{}/", folder.display()), "");
    let (vault, warnings) = sources.vault(Purpose::Run).map_err(|error| shown(&error.to_string()))?;
    let text =
        |password: &Password| (password.id.to_string(), String::from_utf8(password.bytes.to_vec()).unwrap());
    Ok((
        vault.passwords().iter().map(text).collect(),
        warnings.iter().map(|warning| shown(warning)).collect(),
    ))
}

#[test]
fn passwords_come_from_files_and_programs() {
    let dir = sources();
    let at = |given: &str| {
        let (id, name) = given.split_once('@').map_or(("", given), |(id, name)| (id, name));
        let mark = if id.is_empty() { "" } else { "@" };
        format!("{id}{mark}{}", dir.path().join(name).display())
    };
    let ids = ["plain", "dev@script", "prod@get-client.sh", "vaulted"].map(at).to_vec();
    let sources = VaultSources { ids, files: vec![at("plain")], ..VaultSources::default() };
    let pair = |id: &str, word: &str| (id.to_owned(), word.to_owned());
    let expected = [
        pair("default", "sesame"),
        pair("dev", "sesame"),
        pair("prod", "--vault-id=prod"),
        pair("default", "inner"),
        pair("default", "sesame"),
    ];
    assert_eq!(passwords(&sources, dir.path()), Ok((expected.to_vec(), Vec::new())));
    // A missing file is a warning if there is another password.
    let sources = VaultSources { ids: vec![at("a@gone"), at("b@plain")], ..VaultSources::default() };
    let warning =
        "Error getting vault password file (a): The vault password file gone was not found".to_owned();
    assert_eq!(passwords(&sources, dir.path()), Ok((vec![pair("b", "sesame")], vec![warning])));
}

#[test]
fn sources_without_a_password_are_errors() {
    let dir = sources();
    for (name, error) in [
        ("gone", "error: The vault password file gone was not found"),
        ("folder", "error: The vault password file provided 'folder' can not be a directory"),
        ("empty", "error: Invalid vault password was provided from file (empty)"),
        (
            "vaulted",
            "error: the vault password file vaulted is itself encrypted: Attempting to decrypt but no vault secrets \
             found\nhint: give the password for it before it",
        ),
        (
            "lost-client",
            "error: Vault password client script lost-client did not find a secret for vault-id=v: no such key",
        ),
        (
            "broken-client",
            "error: Vault password client script broken-client returned non-zero (3) when getting secret for \
             vault-id=v: locked",
        ),
        ("fails", "error: Vault password script fails returned non-zero (7)"),
        (
            "no-script",
            "error: Problem running vault password script no-script (No such file or directory (os error 2))\n\
             hint: if it is not a script, remove the executable bit from the file",
        ),
    ] {
        let sources = VaultSources {
            ids: vec![format!("v@{}", dir.path().join(name).display())],
            ..VaultSources::default()
        };
        assert_eq!(passwords(&sources, dir.path()).unwrap_err(), error);
    }
    let sources = VaultSources { ids: vec!["a;b@x".to_owned()], ..VaultSources::default() };
    assert_eq!(
        passwords(&sources, dir.path()).unwrap_err(),
        "error: 'a;b@x' is not a valid vault id. The character ';' is not allowed in vault ids"
    );
}
