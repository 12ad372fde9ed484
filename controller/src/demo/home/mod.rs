//! Makes the homes of a node's servers: small, but laid out like the vendor's, with contents made for the demo.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::certificate::Identity;
use super::jar::jar;
use super::keystore;

/// The names of the homes in the directory of a node.
pub(super) const OLD_HOME: &str = "wso2am-3.1.0";
pub(super) const NEW_HOME: &str = "wso2am-4.1.0";
/// The password of the vendor's keystores and of those made here.
const PASSWORD: &str = "wso2carbon";
const ALIAS: &str = "wso2carbon";
const LIB: &str = "repository/components/lib";
const DROPINS: &str = "repository/components/dropins";
const USER_STORE: &str = include_str!("user-store.xml");
const REGISTRY: &str = include_str!("registry.xml");
const LOG4J2: &str = include_str!("log4j2.properties");
const OWN_LOGGING: &str = include_str!("log4j2-own.properties");
const OWN_CONFIGURATION: &str = include_str!("own.toml");
/// The password of the demo's administrator and databases.
const SECRET: &str = "of-the-demo";

/// The role of a node in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    ControlPlane,
    TrafficManager,
    GatewayWorker,
}

impl Role {
    /// Returns the profile that corresponds to the role in 3.1.0, and its default configuration.
    fn old(self) -> (&'static str, &'static str) {
        match self {
            Self::ControlPlane => ("api-publisher", include_str!("defaults/3.1.0-api-publisher.toml")),
            Self::TrafficManager => ("traffic-manager", include_str!("defaults/3.1.0-traffic-manager.toml")),
            Self::GatewayWorker => ("gateway-worker", include_str!("defaults/3.1.0-gateway-worker.toml")),
        }
    }

    /// Returns the default configuration of the role in 4.1.0. Like the vendor's, it has no line feed at the end.
    fn new_default(self) -> &'static str {
        match self {
            Self::ControlPlane => include_str!("defaults/4.1.0-control-plane.toml"),
            Self::TrafficManager => include_str!("defaults/4.1.0-traffic-manager.toml"),
            Self::GatewayWorker => include_str!("defaults/4.1.0-gateway-worker.toml"),
        }
    }
}

/// The keystores of a cluster.
#[derive(Debug)]
pub(super) struct Keystores {
    key: Vec<u8>,
    trust: Vec<u8>,
}

impl Keystores {
    /// Generates a keystore with a key for `name`, and a truststore with its certificate and that of a partner.
    pub(super) fn generate(name: &str) -> io::Result<Self> {
        let (own, partner) = (Identity::generate(name)?, Identity::generate("partner.example")?);
        Ok(Self {
            key: keystore::with_key(ALIAS, &own, PASSWORD),
            trust: keystore::with_certificates(&[(ALIAS, &own), ("partner", &partner)], PASSWORD),
        })
    }

    fn write(&self, home: &Path) -> io::Result<()> {
        write(home, "repository/resources/security/wso2carbon.jks", &self.key)?;
        write(home, "repository/resources/security/client-truststore.jks", &self.trust)
    }
}

/// Makes a 3.1.0 home as it is after years of use: configured, with drivers, extensions, keystores and user stores.
pub(super) fn make_old(home: &Path, host: &str, role: Role, keystores: &Keystores) -> io::Result<()> {
    versions(home, "3.1.0", "4.6.0", "wso2server.sh")?;
    let (profile, default) = role.old();
    let kept = format!("repository/resources/conf/deployment-templates/{profile}.toml");
    write(home, &kept, default.as_bytes())?;
    write(home, "repository/conf/deployment.toml", in_use(default, host).as_bytes())?;
    // On a traffic manager the flags are on, whatever the rest of the cluster has.
    let versioning = (role == Role::TrafficManager).to_string();
    write(home, "repository/conf/registry.xml", REGISTRY.replace("@versioning@", &versioning).as_bytes())?;
    let logging = LOG4J2
        .replace("appenders = CARBON_CONSOLE", "appenders = CARBON_CONSOLE, AUDIT_COPY")
        .replace("loggers = kernel", "loggers = kernel, company");
    write(home, "repository/conf/log4j2.properties", [&logging, OWN_LOGGING].concat().as_bytes())?;
    keystores.write(home)?;
    let class = ("com/mysql/cj/jdbc/Driver.class", "a class of the demo\n");
    let driver = jar(&[("Implementation-Title", "A driver of the demo")], &[class]);
    write(home, &format!("{LIB}/mysql-connector-example-8.0.33.jar"), &driver)?;
    let wrapped = [("Bundle-SymbolicName", "mysql_connector_example_8.0.33")];
    write(home, &format!("{DROPINS}/mysql_connector_example_8.0.33_1.0.0.jar"), &jar(&wrapped, &[]))?;
    match role {
        Role::ControlPlane => {
            write_bundle(home, "org.example.userstore", "1.2.0")?;
            write(
                home,
                "repository/deployment/server/userstores/PARTNERS_EXAMPLE.xml",
                USER_STORE.as_bytes(),
            )?;
            write(home, "repository/tenants/1/userstores/STAFF_EXAMPLE.xml", USER_STORE.as_bytes())
        }
        Role::GatewayWorker => {
            write_bundle(home, "org.example.mediators", "2.0.1")?;
            let masking =
                jar(&[("Implementation-Title", "Masking")], &[("masking.properties", "fields=iban\n")]);
            write(home, &format!("{LIB}/example-masking-1.4.jar"), &masking)
        }
        Role::TrafficManager => Ok(()),
    }
}

/// Makes a 4.1.0 home as it is after unpacking and setting up the profile.
pub(super) fn make_new(home: &Path, role: Role, keystores: &Keystores) -> io::Result<()> {
    versions(home, "4.1.0", "4.6.3", "api-manager.sh")?;
    for folder in [LIB, DROPINS, "repository/deployment/server"] {
        fs::create_dir_all(home.join(folder))?;
    }
    write(home, "repository/conf/deployment.toml", role.new_default().as_bytes())?;
    // The playbook recognizes by this file that the profile is set up.
    let kept = "repository/resources/conf/templates/repository/conf/axis2/axis2.xml.j2.backup";
    write(home, kept, b"")?;
    write(home, "repository/conf/log4j2.properties", LOG4J2.as_bytes())?;
    keystores.write(home)
}

fn versions(home: &Path, product: &str, kernel: &str, script: &str) -> io::Result<()> {
    write(home, "bin/version.txt", format!("WSO2 API Manager v{product}\n").as_bytes())?;
    write(home, "bin/wso2carbon-version.txt", format!("WSO2 Carbon Framework v{kernel}\n").as_bytes())?;
    let text = "#!/bin/sh\necho 'a home of the demo has no server to start' >&2\nexit 1\n";
    write_with(home, &format!("bin/{script}"), text.as_bytes(), 0o755)
}

fn write_bundle(home: &Path, name: &str, version: &str) -> io::Result<()> {
    let attributes =
        [("Bundle-ManifestVersion", "2"), ("Bundle-SymbolicName", name), ("Bundle-Version", version)];
    write(home, &format!("{DROPINS}/{name}-{version}.jar"), &jar(&attributes, &[]))
}

/// Returns a default configuration with the changes of a company.
fn in_use(default: &str, host: &str) -> String {
    let named = default
        .replace("hostname = \"localhost\"", &format!("hostname = \"{host}\""))
        .replace("db.invalid", "db.example")
        .replace("tm.invalid", "tm1")
        .replace("gw.invalid", "gw.example")
        .replace("password = \"admin\"", &format!("password = \"admin-{SECRET}\""))
        .replace("user\"\npassword = \"apimuser\"", &format!("user\"\npassword = \"apim-{SECRET}\""))
        .replace("user\"\npassword = \"shareduser\"", &format!("user\"\npassword = \"shared-{SECRET}\""));
    named + OWN_CONFIGURATION
}

fn write(home: &Path, file: &str, content: &[u8]) -> io::Result<()> {
    write_with(home, file, content, 0o644)
}

fn write_with(home: &Path, file: &str, content: &[u8], mode: u32) -> io::Result<()> {
    let path = home.join(file);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(content)
}
