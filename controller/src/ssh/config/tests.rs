//! Compares convoy's reader with ssh, and tests what neither may do.

use std::fs;

use tempfile::TempDir;

use super::openssh::{ask, defaults, program};
use super::*;

/// Makes a directory with these files; returns it, and the first file, which is the configuration.
fn files(texts: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in texts {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("{folder}", folder.path().to_str().unwrap())).unwrap();
    }
    let first = folder.path().join(texts[0].0);
    (folder, first)
}

fn query(host: &str, file: &std::path::Path) -> Query {
    Query { host: host.to_owned(), file: Some(file.to_owned()), ..Query::default() }
}

/// Fills in what ssh reports even if no file sets it.
fn completed(mut config: HostConfig, host: &str, defaults: &HostConfig) -> HostConfig {
    config.hostname = config.hostname.or_else(|| Some(host.to_owned()));
    let unsupported = std::mem::take(&mut config.unsupported);
    config.proxy = config.proxy.filter(|proxy| *proxy != Proxy::None);
    let filled = HostConfig {
        port: config.port.or(defaults.port),
        user: config.user.clone().or_else(|| defaults.user.clone()),
        identities_only: config.identities_only.or(defaults.identities_only),
        hash_known_hosts: config.hash_known_hosts.or(defaults.hash_known_hosts),
        alive_count: config.alive_count.or(defaults.alive_count),
        family: config.family.or(defaults.family),
        batch: config.batch.or(defaults.batch),
        public_key: config.public_key.or(defaults.public_key),
        password: config.password.or(defaults.password),
        interactive: config.interactive.or(defaults.interactive),
        ..config
    };
    HostConfig { unsupported, ..filled.without_defaults(defaults) }
}

const CONFIG: &str = r#"
# Comments, = and quotes.
Include {folder}/more/*.conf  "{folder}/none"
Host = bastion
    HostName=bastion.example.com
    User "jump user"
    Port	2200
    IdentityFile "~/.ssh/a key"
    ProxyJump none
Host web* !web3 *.internal
    ProxyJump bastion,second:2222
    ServerAliveInterval 1m30s
    IdentityFile ~/.ssh/web_%h
    IdentityFile ~/.ssh/second
    CertificateFile ~/.ssh/web-cert.pub
Host web3
    ProxyCommand nc -q0 %h %p # not a comment
    ConnectTimeout 7
Host WEB3
    ConnectTimeout 8
Host db?
    HostName %h.db.example.com
    Include {folder}/db.conf
    StrictHostKeyChecking accept-new
    IdentitiesOnly yes
    IdentityAgent none
    AddressFamily inet6
Host *
    User last
    HashKnownHosts yes
    ServerAliveCountMax 5
    ConnectTimeout 4
    PasswordAuthentication no
    VerifyHostKeyDNS yes
"#;

#[tokio::test]
async fn the_reader_agrees_with_ssh() {
    let Some(ssh) = program() else { return };
    let (_folder, file) = files(&[
        ("config", CONFIG),
        ("more/b.conf", "Host both\nPort 2\nHost web1\n  Port 77\n"),
        ("more/a.conf", "Host both\nPort 1\n"),
        ("more/.hidden.conf", "Port 9\n"),
        ("db.conf", "HostKeyAlias the-db\nHost db1\n  Port 5432\nHost web1\n  Port 1\n"),
    ]);
    let defaults = defaults(&ssh).await.unwrap();
    for host in ["bastion", "web1", "web3", "Web3", "x.internal", "db1", "db2", "both", "other", "::1"] {
        let query = query(host, &file);
        let asked = ask(&ssh, &query, false).await.unwrap().without_defaults(&defaults);
        let read = Files::read(query.file.as_deref()).answer(&query).unwrap();
        let host = host.to_ascii_lowercase();
        assert_eq!(completed(read, &host, &defaults), asked, "{host}");
    }
}

#[tokio::test]
async fn options_take_precedence_over_files() {
    let (_folder, file) = files(&[("config", "Host web1\n  Port 1\n  User a\n  IdentityFile /x/config\n")]);
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let options = vec![option("Port", "2"), option("Port", "3"), option("IdentityFile", "/x/a key")];
    let query = Query { options, ..query("web1", &file) };
    for configuration in [Configuration::default(), Configuration::without_ssh()] {
        let config = configuration.of(&query).await.unwrap();
        assert_eq!((config.port, config.user.as_deref()), (Some(2), Some("a")));
        assert_eq!(config.identity_files, ["/x/a key", "/x/config"]);
    }
}

#[tokio::test]
async fn ssh_is_not_asked_if_no_line_matters() {
    let debian = "Host *\n    SendEnv LANG LC_*\n    HashKnownHosts yes\n    GSSAPIAuthentication yes\n";
    let (folder, file) = files(&[("config", debian)]);
    let files = Files::read(Some(&file));
    assert!(files.are_irrelevant());
    assert_eq!(files.answer(&query("x", &file)).unwrap().hash_known_hosts, Some(true));
    fs::write(&file, format!("{debian}Include {}/other\n", folder.path().display())).unwrap();
    assert!(Files::read(Some(&file)).are_irrelevant());
    fs::write(folder.path().join("other"), "Host y\nPort 2\n").unwrap();
    assert!(!Files::read(Some(&file)).are_irrelevant());
}

/// ssh itself would look the name up, and fail.
#[tokio::test]
async fn names_are_not_looked_up() {
    let Some(ssh) = program() else { return };
    let text =
        "CanonicalizeHostname always\nCanonicalDomains invalid\nCanonicalizeFallbackLocal no\nPort 7\n";
    let (_folder, file) = files(&[("config", text)]);
    let plain = std::process::Command::new(ssh).arg("-F").arg(&file).args(["-G", "web1"]).output().unwrap();
    assert!(!plain.status.success(), "ssh does not look names up, so that this test proves nothing");
    let config = Configuration::default().of(&query("web1", &file)).await.unwrap();
    assert_eq!(config.port, Some(7));
    assert_eq!(config.unsupported, [("CanonicalizeHostname".to_owned(), "yes".to_owned())]);
}

#[tokio::test]
async fn invalid_lines_are_errors_with_file_and_line() {
    let table = [
        (
            "Host x\nMatch user joe\nPort 7\n",
            "{file} line 2: `Match` requires OpenSSH's client, which is not installed",
        ),
        ("Host x\n  Port many\n", "{file} line 2: invalid value `many` for `port`"),
        ("\nPort\n", "{file} line 2: `Port` has no value"),
        ("User \"joe\n", "{file} line 1: missing closing quote"),
        ("ConnectTimeout 5x\n", "{file} line 1: invalid value `5x` for `connecttimeout`"),
        ("Include {file}\n", "{file}: includes are nested more than 16 levels deep"),
    ];
    for (text, expected) in table {
        let (_folder, file) = files(&[("config", "")]);
        let place = file.display().to_string();
        fs::write(&file, text.replace("{file}", &place)).unwrap();
        let error = Configuration::without_ssh().of(&query("x", &file)).await.unwrap_err().to_string();
        assert_eq!(error, format!("the ssh configuration: {}", expected.replace("{file}", &place)));
    }
    let (_folder, file) = files(&[("config", "Hots x\n")]);
    let error = Configuration::default().of(&query("x", &file)).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!("the ssh configuration: {}: line 1: Bad configuration option: hots", file.display())
    );
    let none = file.with_file_name("none");
    let error = Configuration::without_ssh().of(&query("x", &none)).await.unwrap_err().to_string();
    assert_eq!(error, format!("the ssh configuration: {} does not exist", none.display()));
}

#[test]
fn arguments_are_parsed_or_refused() {
    let table = [
        ("-o ControlMaster=auto -o ControlPersist=60s -C", "ControlMaster=auto ControlPersist=60s"),
        ("-oPort=2 -p3 -p 4 -l joe", "Port=2 Port=3 Port=4 User=joe"),
        ("-o 'ProxyCommand=ssh -W %h:%p -q b' -J a,b", "ProxyCommand=ssh -W %h:%p -q b ProxyJump=a,b"),
        (
            "-o \"StrictHostKeyChecking no\" -4i /k",
            "StrictHostKeyChecking=no AddressFamily=inet IdentityFile=/k",
        ),
    ];
    for (line, expected) in table {
        let read = Arguments::read(line).unwrap();
        let options: Vec<_> = read.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(options.join(" "), expected, "{line}");
    }
    assert_eq!(Arguments::read("-F /x/ssh.cfg").unwrap().file, Some("/x/ssh.cfg".into()));
    let refused = [
        ("-o ForwardAgent=yes", "option `ForwardAgent=yes` is not supported"),
        ("-o Cipers=x", "option `Cipers=x` is not supported"),
        ("-A", "`-A` is not supported: convoy supports -o, -F, -J, -i, -l, -p, -4 and -6"),
        ("-L 80:x:80", "`-L` is not supported: convoy supports -o, -F, -J, -i, -l, -p, -4 and -6"),
        ("host", "`host` is not supported: only options of ssh are"),
        ("-o", "`-o` has no value"),
        ("'", "No closing quotation"),
    ];
    for (line, expected) in refused {
        assert_eq!(Arguments::read(line).unwrap_err(), expected, "{line}");
    }
}

#[test]
fn tokens_and_variables_are_expanded() {
    let tokens = Tokens {
        host: "10.0.0.1".to_owned(),
        original_host: "web1".to_owned(),
        port: 2222,
        user: "joe".to_owned(),
        host_key_name: "alias".to_owned(),
        jump: "b".to_owned(),
    };
    assert_eq!(tokens.expand("%h %n %p %r %k %j 100%%").unwrap(), "10.0.0.1 web1 2222 joe alias b 100%");
    assert_eq!(tokens.expand("a%zb").unwrap_err(), "`%z` in `a%zb` is not a known token");
    assert_eq!(tokens.expand("a%").unwrap_err(), "`%` in `a%` is not a known token");
    assert_eq!(
        tokens.path("/x/${CONVOY_NONE}").unwrap_err(),
        "`${CONVOY_NONE}` in `/x/${CONVOY_NONE}` is not set"
    );
    assert_eq!(tokens.expand("%C").unwrap().len(), 40);
}
