//! Clusters of WSO2 API Manager 3.1.0 to upgrade.

use std::fs;
use std::path::{Path, PathBuf};

use convoy_tests::program::{RunOutput, repository, wso2_file};
use convoy_tests::project::{Node, Project};
use tempfile::{TempDir, tempdir};
use toml_edit::DocumentMut;

use crate::files::{create_keystores, write_jar};

/// What a node runs in 3.1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    AllInOne,
    Publisher,
    Portal,
    KeyManager,
    TrafficManager,
    Gateway,
}

impl Profile {
    /// Returns its inventory group.
    fn group(self) -> &'static str {
        match self {
            Self::AllInOne => "all_in_one",
            Self::Publisher | Self::Portal | Self::KeyManager => "control_plane",
            Self::TrafficManager => "traffic_manager",
            Self::Gateway => "gateway_worker",
        }
    }

    /// Returns the name of its profile in 3.1.0; all-in-one has none.
    fn old_profile(self) -> Option<&'static str> {
        match self {
            Self::AllInOne => None,
            Self::Publisher => Some("api-publisher"),
            Self::Portal => Some("api-devportal"),
            Self::KeyManager => Some("api-key-manager"),
            Self::TrafficManager => Some("traffic-manager"),
            Self::Gateway => Some("gateway-worker"),
        }
    }

    /// Returns its default configuration in 3.1.0.
    pub(crate) fn old_default(self) -> String {
        wso2_file(
            &self
                .old_profile()
                .map_or("deployment-3.1.0.toml".to_owned(), |name| format!("profile-3.1.0-{name}.toml")),
        )
    }

    /// Returns its default configuration in 4.1.0.
    pub(crate) fn new_default(self) -> String {
        wso2_file(match self.group() {
            "control_plane" => "profile-4.1.0-control-plane.toml",
            "traffic_manager" => "profile-4.1.0-traffic-manager.toml",
            "gateway_worker" => "profile-4.1.0-gateway-worker.toml",
            _ => "deployment-4.1.0.toml",
        })
    }
}

/// A cluster with an old and a new home on each node.
pub(crate) struct Cluster {
    pub(crate) project: Project,
    places: Vec<(&'static str, PathBuf)>,
    _nodes: Vec<Node>,
    /// The directory with the cluster's keystores.
    keystore_dir: TempDir,
}

/// The nodes of most tests.
pub(crate) const FIVE_NODES: [(&str, Profile); 5] = [
    ("cp1", Profile::Publisher),
    ("cp2", Profile::Portal),
    ("tm1", Profile::TrafficManager),
    ("gw1", Profile::Gateway),
    ("gw2", Profile::Gateway),
];

impl Cluster {
    /// Creates a cluster of nodes that are reached by SSH.
    pub(crate) fn over_ssh(nodes: &[(&'static str, Profile)]) -> Self {
        let project = Project::new().unwrap();
        let started: Vec<Node> = nodes.iter().map(|(name, _)| project.node(name).unwrap()).collect();
        let places = started.iter().map(|node| node.place.clone()).collect();
        Self::create(project, nodes, places, started)
    }

    /// Creates a cluster of hosts with local connections.
    pub(crate) fn local(nodes: &[(&'static str, Profile)]) -> Self {
        let project = Project::new().unwrap();
        let places = nodes.iter().map(|(name, _)| project.local(name).unwrap()).collect();
        Self::create(project, nodes, places, Vec::new())
    }

    fn create(
        project: Project,
        nodes: &[(&'static str, Profile)],
        places: Vec<PathBuf>,
        started: Vec<Node>,
    ) -> Self {
        let keystore_dir = tempdir().unwrap();
        create_keystores(keystore_dir.path(), 900);
        for (name, profile) in nodes {
            project.host(&format!("[{}]\n{name}", profile.group())).unwrap();
        }
        project
            .host(
                "[all:vars]\nwso2_old_home={{ place }}/wso2am-3.1.0\nwso2_new_home={{ place }}/wso2am-4.1.0",
            )
            .unwrap()
            .host("wso2_control_plane_url=https://apim.corp:9443")
            .unwrap();
        let places = nodes.iter().map(|(name, _)| *name).zip(places).collect();
        let cluster = Self { project, places, _nodes: started, keystore_dir };
        for (name, profile) in nodes {
            cluster.create_old_home(name, *profile);
            cluster.create_new_home(name, *profile);
        }
        cluster
    }

    /// Applies the upgrade playbook with these further arguments.
    pub(crate) fn apply(&self, args: &[&str]) -> RunOutput {
        let playbook = repository().join("playbooks/wso2-apim/upgrade.yml").display().to_string();
        self.project.run([&["apply", &playbook, "-i", "hosts"], args].concat()).unwrap()
    }

    /// Applies the steps that change files, with these further arguments.
    pub(crate) fn apply_file_steps(&self, args: &[&str]) -> RunOutput {
        self.apply(&[&["--tags", "step1,step2"], args].concat())
    }

    fn place(&self, node: &str) -> &Path {
        &self.places.iter().find(|(name, _)| *name == node).unwrap().1
    }

    /// Returns the path of a file in a node's old home.
    pub(crate) fn old_path(&self, node: &str, file: &str) -> PathBuf {
        self.place(node).join("wso2am-3.1.0").join(file)
    }

    /// Returns the path of a file in a node's new home.
    pub(crate) fn new_path(&self, node: &str, file: &str) -> PathBuf {
        self.place(node).join("wso2am-4.1.0").join(file)
    }

    /// Returns a node's new configuration.
    pub(crate) fn configuration(&self, node: &str) -> DocumentMut {
        fs::read_to_string(self.new_path(node, CONFIGURATION)).unwrap().parse().unwrap()
    }

    fn create_old_home(&self, node: &str, profile: Profile) {
        let write_file = |file: &str, content: &[u8]| write(&self.old_path(node, file), content);
        write_file("bin/version.txt", b"WSO2 API Manager v3.1.0\n");
        write_file(CONFIGURATION, customized_configuration(node, profile).as_bytes());
        if let Some(old_profile) = profile.old_profile() {
            let kept = format!("repository/resources/conf/deployment-templates/{old_profile}.toml");
            write_file(&kept, profile.old_default().as_bytes());
        }
        // On traffic managers all four flags are on, independent of the rest of the cluster.
        let registry =
            if profile == Profile::TrafficManager { "registry-2.6.0.xml" } else { "registry-3.1.0.xml" };
        write_file("repository/conf/registry.xml", wso2_file(registry).as_bytes());
        write_file(
            "repository/conf/api-manager.xml",
            wso2_file("api-manager-3.1.0-generated-default.xml").as_bytes(),
        );
        write_file(LOGGING, customized_logging().as_bytes());
        for store in ["corp.jks", "client-truststore.jks"] {
            write_file(
                &format!("{SECURITY}/{store}"),
                &fs::read(self.keystore_dir.path().join(store)).unwrap(),
            );
        }
        let (lib, dropins) = (self.old_path(node, LIB), self.old_path(node, DROPINS));
        write_jar(&lib.join("mysql-connector-j-8.0.33.jar"), &["com/mysql/cj/jdbc/Driver.class"]);
        write_jar(&dropins.join("mysql_connector_j_8.0.33_1.0.0.jar"), &["wrapped"]);
        write_jar(&dropins.join("org.wso2.carbon.apimgt.startup_6.6.163.jar"), &["shipped"]);
        if profile.group() == "gateway_worker" {
            write_jar(&lib.join("corp-masking-1.4.jar"), &["corp/Masking.class"]);
            write_jar(&dropins.join("corp.mediators-2.0.1.jar"), &["corp/Mediator.class"]);
        }
        if profile.group() == "control_plane" {
            write_file("repository/deployment/server/userstores/CORP.xml", b"<UserStoreManager/>\n");
            write_file("repository/tenants/1/userstores/STAFF.xml", b"<UserStoreManager/>\n");
        }
    }

    fn create_new_home(&self, node: &str, profile: Profile) {
        let write_file = |file: &str, content: &[u8]| write(&self.new_path(node, file), content);
        write_file("bin/version.txt", b"WSO2 API Manager v4.1.0\n");
        write_file(CONFIGURATION, profile.new_default().as_bytes());
        write_file(LOGGING, wso2_file("log4j2-4.1.0.properties").as_bytes());
        write_file(&format!("{SECURITY}/client-truststore.jks"), b"the vendor's");
        for dir in [LIB, DROPINS] {
            fs::create_dir_all(self.new_path(node, dir)).unwrap();
        }
    }
}

pub(crate) const CONFIGURATION: &str = "repository/conf/deployment.toml";
pub(crate) const LOGGING: &str = "repository/conf/log4j2.properties";
pub(crate) const SECURITY: &str = "repository/resources/security";
pub(crate) const LIB: &str = "repository/components/lib";
pub(crate) const DROPINS: &str = "repository/components/dropins";

/// Writes a file, creating directories as needed.
pub(crate) fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Returns the default configuration with the changes of a fictional company.
fn customized_configuration(node: &str, profile: Profile) -> String {
    let mut text = profile
        .old_default()
        .replace("node_ip = \"127.0.0.1\"", &format!("node_ip = \"10.0.0.1\"\nhostname = \"{node}.corp\""))
        .replace("hostname = \"localhost\"\n", "")
        .replace("password = \"admin\"", "password = \"admin-of-corp\"")
        .replace("tm1.local", "tm1.corp")
        .replace("tm2.local", "tm2.corp");
    for (section, name) in [("shared_db", "reg_db"), ("apim_db", "am_db")] {
        text = replace_section(&text, &format!("[database.{section}]"), &database(section, name));
    }
    let key = "[keystore.tls]\nfile_name = \"corp.jks\"\ntype = \"JKS\"\npassword = \"corpstore\"\nalias = \"corp\"\nkey_password = \"corpkey\"\n";
    text = replace_section(&text, "[keystore.tls]", key);
    text + "\n\n# What this company needs.\n[transport.https.properties]\nsslEnabledProtocols = \"TLSv1.2\"\n"
}

/// Returns a section for one of the company's databases.
pub(crate) fn database(section: &str, name: &str) -> String {
    format!(
        "[database.{section}]\ntype = \"mysql\"\nurl = \"jdbc:mysql://db.corp:3306/{name}?useSSL=false&amp;autoReconnect=true\"\n\
         username = \"{section}-user\"\npassword = \"{section}-of-corp\"\n"
    )
}

/// Returns text in which the section with this header, if any, is replaced.
pub(crate) fn replace_section(text: &str, header: &str, section: &str) -> String {
    let Some(start) = text.lines().position(|line| line == header) else { return text.to_owned() };
    let lines: Vec<&str> = text.lines().collect();
    let length = lines[start + 1..]
        .iter()
        .take_while(|line| !line.is_empty() && !line.starts_with(['[', '#']))
        .count();
    let rest = lines[start + 1 + length..].join("\n");
    format!("{}\n{section}{rest}\n", lines[..start].join("\n"))
}

/// Returns the default logging configuration with an appender and a logger of the company.
fn customized_logging() -> String {
    let text = wso2_file("log4j2-3.1.0.properties")
        .replacen(", BOTDATA_APPENDER\n", ", BOTDATA_APPENDER, CORP\n", 1)
        .replacen("loggers = ", "loggers = corp, ", 1);
    assert!(text.contains(", CORP\n") && text.contains("loggers = corp, "), "{text}");
    text + "\n# Of this company.\nappender.CORP.type = File\nappender.CORP.name = CORP\nappender.CORP.fileName = ${sys:carbon.home}/repository/logs/corp.log\n\
           logger.corp.name = corp\nlogger.corp.level = DEBUG\nlogger.corp.appenderRef.CORP.ref = CORP\n"
}
