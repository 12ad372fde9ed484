//! The homes of a node's servers: small, but laid out as the vendor's, with contents of our own.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::certificate::Identity;
use super::jar::jar;
use super::keystore;

/// The names of the homes in the folder of a node.
pub(super) const OLD_HOME: &str = "wso2am-3.1.0";
pub(super) const NEW_HOME: &str = "wso2am-4.1.0";
/// The password of the vendor's keystores, and of ours.
const PASSWORD: &str = "wso2carbon";
const ALIAS: &str = "wso2carbon";
const LIB: &str = "repository/components/lib";
const DROPINS: &str = "repository/components/dropins";
const USER_STORE: &str = include_str!("home/user-store.xml");
const REGISTRY: &str = include_str!("home/registry.xml");
const LOG4J2: &str = include_str!("home/log4j2.properties");

/// What a node is in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    ControlPlane,
    TrafficManager,
    GatewayWorker,
}

impl Role {
    /// The profile that it was in 3.1.0.
    fn old_profile(self) -> &'static str {
        match self {
            Self::ControlPlane => "api-publisher",
            Self::TrafficManager => "traffic-manager",
            Self::GatewayWorker => "gateway-worker",
        }
    }
}

/// The keystores of a whole cluster.
#[derive(Debug)]
pub(super) struct Keystores {
    key: Vec<u8>,
    trust: Vec<u8>,
}

impl Keystores {
    /// Makes a key for `name`, and a truststore with its certificate and another's.
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

/// Makes a 3.1.0 home that has been in use: configured, with drivers, extensions, keystores and user stores.
pub(super) fn make_old(home: &Path, host: &str, role: Role, keystores: &Keystores) -> io::Result<()> {
    versions(home, "3.1.0", "4.6.0", "wso2server.sh")?;
    write(home, "repository/conf/deployment.toml", old_configuration(host, role).as_bytes())?;
    // In a traffic manager's file the flags are on, whatever the cluster does.
    let versioning = (role == Role::TrafficManager).to_string();
    write(home, "repository/conf/registry.xml", REGISTRY.replace("@versioning@", &versioning).as_bytes())?;
    write(home, "repository/conf/log4j2.properties", LOG4J2.as_bytes())?;
    keystores.write(home)?;
    let driver = ("META-INF/services/java.sql.Driver", "com.mysql.cj.jdbc.Driver\n");
    let driver = jar(&[("Implementation-Title", "A driver of the demo")], &[driver]);
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

/// Makes a 4.1.0 home as it is after unpacking.
pub(super) fn make_new(home: &Path, keystores: &Keystores) -> io::Result<()> {
    versions(home, "4.1.0", "4.6.3", "api-manager.sh")?;
    for folder in [LIB, DROPINS, "repository/deployment/server"] {
        fs::create_dir_all(home.join(folder))?;
    }
    // The vendor's file has no line feed at its end either.
    let shipped = "# As unpacked.\n[server]\nhostname = \"localhost\"\nserver_role = \"default\"";
    write(home, "repository/conf/deployment.toml", shipped.as_bytes())?;
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

fn old_configuration(host: &str, role: Role) -> String {
    let mut text = format!(
        "[server]\nhostname = \"{host}\"\nnode_ip = \"127.0.0.1\"\nserver_role = \"{}\"\n\n\
         [user_store]\ntype = \"database_unique_id\"\n\n\
         [super_admin]\nusername = \"admin\"\npassword = \"admin\"\ncreate_admin_account = true\n",
        role.old_profile()
    );
    let mut database = |section: &str, name: &str| {
        let _ = write!(
            text,
            "\n[database.{section}]\ntype = \"mysql\"\nurl = \"jdbc:mysql://db.example:3306/{name}\"\n\
             username = \"{section}\"\npassword = \"{section}-of-the-demo\"\n"
        );
    };
    database("shared_db", "reg_db");
    if role == Role::ControlPlane {
        database("apim_db", "am_db");
        text += "\n[[apim.gateway.environment]]\nname = \"Production and Sandbox\"\ntype = \"hybrid\"\n";
    }
    text
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
