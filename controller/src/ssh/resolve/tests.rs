//! Targets resolved from ssh configurations.

use std::fs;

use super::*;
use crate::ssh::config::Configuration;

/// Returns the route to a target with the users, jump hosts first.
fn route(target: &Target) -> String {
    let here = format!("{}@{}:{}", target.user.as_deref().unwrap_or("-"), target.address, target.port);
    match &target.route {
        Route::Direct => here,
        Route::Jump(hop) => format!("{} > {here}", route(hop)),
        Route::Command(command) => format!("({command}) > {here}"),
    }
}

async fn resolve(config: &str, host: &str, run_options: &[(&str, &str)]) -> Result<Target, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    fs::write(&file, config).unwrap();
    let query = Query { host: host.to_owned(), options: Vec::new(), file: Some(file) };
    let run_options =
        run_options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let password = Some("secret".to_owned());
    let settings = HostSettings { host: host.to_owned(), query, run_options, password, passphrase: None };
    let mut connector = Connector::default();
    connector.configuration = Configuration::without_ssh();
    connector.target(&settings).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn jump_hosts_are_reached_by_their_own_configuration() {
    let config = "Host *\n User joe\nHost far\n HostName 10.0.0.9\n ProxyJump a,root@b:2222\nHost a\n ProxyJump z\n HostName a.example.com\nHost b\n ProxyJump never\nHost cmd\n ProxyCommand nc %h %p\nHost six\n ProxyJump [::1]:22\n";
    for (host, expected) in [
        ("plain", "joe@plain:22"),
        ("far", "joe@z:22 > joe@a.example.com:22 > root@b:2222 > joe@10.0.0.9:22"),
        ("cmd", "(nc cmd 22) > joe@cmd:22"),
        ("six", "joe@::1:22 > joe@six:22"),
    ] {
        assert_eq!(route(&resolve(config, host, &[]).await.unwrap()), expected, "{host}");
    }
}

#[tokio::test]
async fn a_jump_host_gets_the_options_of_the_run_but_no_password() {
    let run = [("ConnectTimeout", "3")];
    let target = resolve("Host far\n ProxyJump a\nHost a\n ConnectTimeout 9\n", "far", &run).await.unwrap();
    let Route::Jump(hop) = &target.route else { panic!("no hop") };
    assert_eq!((hop.connect_timeout.as_secs(), &hop.password), (3, &None));
    assert_eq!((target.connect_timeout.as_secs(), target.password.as_deref()), (3, Some("secret")));
}

#[tokio::test]
async fn cycles_and_invalid_values_are_errors() {
    let cycle = "Host a\n ProxyJump b\nHost b\n ProxyJump a\n";
    for (config, host, expected) in [
        (cycle, "a", "b would be jump host 9: do the jump hosts form a cycle?"),
        ("ProxyJump @\n", "a", "`@` is not a valid jump host"),
        ("Host a\n ProxyJump b:many\n", "a", "`b:many` is not a valid jump host"),
        ("IdentityFile %q\n", "a", "`%q` in `%q` is not a known token"),
    ] {
        let error = resolve(config, host, &[]).await.unwrap_err();
        assert_eq!(
            error,
            format!("Failed to connect to the host via ssh: the ssh configuration: {expected}")
        );
    }
}
