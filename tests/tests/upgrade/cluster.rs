//! A cluster that is to be upgraded.

use std::fs;
use std::path::{Path, PathBuf};

use convoy_tests::program::{RunOutput, repository, wso2_data};
use convoy_tests::project::{Node, Project};
use tempfile::{TempDir, tempdir};
use toml_edit::DocumentMut;

use crate::files::{jar, keystores};

/// What a node was in 3.1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    AllInOne,
    Publisher,
    Portal,
    KeyManager,
    TrafficManager,
    Gateway,
}

impl Part {
    /// The group that it is in.
    fn group(self) -> &'static str {
        match self {
            Self::AllInOne => "all_in_one",
            Self::Publisher | Self::Portal | Self::KeyManager => "control_plane",
            Self::TrafficManager => "traffic_manager",
            Self::Gateway => "gateway_worker",
        }
    }

    /// The old profile, if it has one.
    fn profile(self) -> Option<&'static str> {
        match self {
            Self::AllInOne => None,
            Self::Publisher => Some("api-publisher"),
            Self::Portal => Some("api-devportal"),
            Self::KeyManager => Some("api-key-manager"),
            Self::TrafficManager => Some("traffic-manager"),
            Self::Gateway => Some("gateway-worker"),
        }
    }

    /// The product's default configuration in 3.1.0.
    pub(crate) fn old_default(self) -> String {
        data(
            &self
                .profile()
                .map_or("deployment-3.1.0.toml".to_owned(), |name| format!("profile-3.1.0-{name}.toml")),
        )
    }

    /// The product's default configuration in 4.1.0.
    pub(crate) fn new_default(self) -> String {
        data(match self.group() {
            "control_plane" => "profile-4.1.0-control-plane.toml",
            "traffic_manager" => "profile-4.1.0-traffic-manager.toml",
            "gateway_worker" => "profile-4.1.0-gateway-worker.toml",
            _ => "deployment-4.1.0.toml",
        })
    }
}

/// Returns a file of the product.
pub(crate) fn data(name: &str) -> String {
    let path = wso2_data().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A cluster with both homes on each node.
pub(crate) struct Cluster {
    pub(crate) project: Project,
    places: Vec<(&'static str, PathBuf)>,
    _nodes: Vec<Node>,
    /// The cluster's own keystores.
    stores: TempDir,
}

/// The usual five.
pub(crate) const FIVE: [(&str, Part); 5] = [
    ("cp1", Part::Publisher),
    ("cp2", Part::Portal),
    ("tm1", Part::TrafficManager),
    ("gw1", Part::Gateway),
    ("gw2", Part::Gateway),
];

impl Cluster {
    /// Makes nodes that are reached by SSH.
    pub(crate) fn over_ssh(nodes: &[(&'static str, Part)]) -> Self {
        let project = Project::new().unwrap();
        let started: Vec<Node> = nodes.iter().map(|(name, _)| project.node(name).unwrap()).collect();
        let places = started.iter().map(|node| node.place.clone()).collect();
        Self::make(project, nodes, places, started)
    }

    /// Makes nodes that are folders of this machine.
    pub(crate) fn local(nodes: &[(&'static str, Part)]) -> Self {
        let project = Project::new().unwrap();
        let places = nodes.iter().map(|(name, _)| project.local(name).unwrap()).collect();
        Self::make(project, nodes, places, Vec::new())
    }

    fn make(
        project: Project,
        nodes: &[(&'static str, Part)],
        places: Vec<PathBuf>,
        started: Vec<Node>,
    ) -> Self {
        let stores = tempdir().unwrap();
        keystores(stores.path(), 900);
        for (name, part) in nodes {
            project.host(&format!("[{}]\n{name}", part.group())).unwrap();
        }
        project
            .host(
                "[all:vars]\nwso2_old_home={{ place }}/wso2am-3.1.0\nwso2_new_home={{ place }}/wso2am-4.1.0",
            )
            .unwrap()
            .host("wso2_control_plane_url=https://apim.corp:9443")
            .unwrap();
        let places = nodes.iter().map(|(name, _)| *name).zip(places).collect();
        let cluster = Self { project, places, _nodes: started, stores };
        for (name, part) in nodes {
            cluster.make_old(name, *part);
            cluster.make_new(name, *part);
        }
        cluster
    }

    /// Runs the playbook with these further words.
    pub(crate) fn apply(&self, words: &[&str]) -> RunOutput {
        let playbook = repository().join("playbooks/wso2-apim/upgrade.yml").display().to_string();
        self.project.run([&["apply", &playbook, "-i", "hosts"], words].concat()).unwrap()
    }

    /// Runs the steps that touch files.
    pub(crate) fn steps(&self, words: &[&str]) -> RunOutput {
        self.apply(&[&["--tags", "step1,step2"], words].concat())
    }

    fn place(&self, node: &str) -> &Path {
        &self.places.iter().find(|(name, _)| *name == node).unwrap().1
    }

    /// A file of a node's old home.
    pub(crate) fn in_old(&self, node: &str, file: &str) -> PathBuf {
        self.place(node).join("wso2am-3.1.0").join(file)
    }

    /// A file of a node's new home.
    pub(crate) fn in_new(&self, node: &str, file: &str) -> PathBuf {
        self.place(node).join("wso2am-4.1.0").join(file)
    }

    /// What is in a node's new configuration.
    pub(crate) fn configuration(&self, node: &str) -> DocumentMut {
        fs::read_to_string(self.in_new(node, CONFIGURATION)).unwrap().parse().unwrap()
    }

    fn make_old(&self, node: &str, part: Part) {
        let put = |file: &str, content: &[u8]| write(&self.in_old(node, file), content);
        put("bin/version.txt", b"WSO2 API Manager v3.1.0\n");
        put(CONFIGURATION, in_use(node, part).as_bytes());
        if let Some(profile) = part.profile() {
            let kept = format!("repository/resources/conf/deployment-templates/{profile}.toml");
            put(&kept, part.old_default().as_bytes());
        }
        // On a traffic manager all four flags are on, whatever the cluster does.
        let registry = if part == Part::TrafficManager { "registry-2.6.0.xml" } else { "registry-3.1.0.xml" };
        put("repository/conf/registry.xml", data(registry).as_bytes());
        put("repository/conf/api-manager.xml", data("api-manager-3.1.0-generated-default.xml").as_bytes());
        put(LOGGING, own_logging().as_bytes());
        for store in ["corp.jks", "client-truststore.jks"] {
            put(&format!("{SECURITY}/{store}"), &fs::read(self.stores.path().join(store)).unwrap());
        }
        let (lib, dropins) = (self.in_old(node, LIB), self.in_old(node, DROPINS));
        jar(&lib.join("mysql-connector-j-8.0.33.jar"), &["com/mysql/cj/jdbc/Driver.class"]);
        jar(&dropins.join("mysql_connector_j_8.0.33_1.0.0.jar"), &["wrapped"]);
        jar(&dropins.join("org.wso2.carbon.apimgt.startup_6.6.163.jar"), &["shipped"]);
        if part.group() == "gateway_worker" {
            jar(&lib.join("corp-masking-1.4.jar"), &["corp/Masking.class"]);
            jar(&dropins.join("corp.mediators-2.0.1.jar"), &["corp/Mediator.class"]);
        }
        if part.group() == "control_plane" {
            put("repository/deployment/server/userstores/CORP.xml", b"<UserStoreManager/>\n");
            put("repository/tenants/1/userstores/STAFF.xml", b"<UserStoreManager/>\n");
        }
    }

    fn make_new(&self, node: &str, part: Part) {
        let put = |file: &str, content: &[u8]| write(&self.in_new(node, file), content);
        put("bin/version.txt", b"WSO2 API Manager v4.1.0\n");
        put(CONFIGURATION, part.new_default().as_bytes());
        put(LOGGING, data("log4j2-4.1.0.properties").as_bytes());
        put(&format!("{SECURITY}/client-truststore.jks"), b"the vendor's");
        for folder in [LIB, DROPINS] {
            fs::create_dir_all(self.in_new(node, folder)).unwrap();
        }
    }
}

pub(crate) const CONFIGURATION: &str = "repository/conf/deployment.toml";
pub(crate) const LOGGING: &str = "repository/conf/log4j2.properties";
pub(crate) const SECURITY: &str = "repository/resources/security";
pub(crate) const LIB: &str = "repository/components/lib";
pub(crate) const DROPINS: &str = "repository/components/dropins";

/// Writes a file and the folders above it.
pub(crate) fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// The default configuration as this company has changed it.
fn in_use(node: &str, part: Part) -> String {
    let mut text = part
        .old_default()
        .replace("node_ip = \"127.0.0.1\"", &format!("node_ip = \"10.0.0.1\"\nhostname = \"{node}.corp\""))
        .replace("hostname = \"localhost\"\n", "")
        .replace("password = \"admin\"", "password = \"admin-of-corp\"")
        .replace("tm1.local", "tm1.corp")
        .replace("tm2.local", "tm2.corp");
    for (section, name) in [("shared_db", "reg_db"), ("apim_db", "am_db")] {
        text = with_section(&text, &format!("[database.{section}]"), &database(section, name));
    }
    let key = "[keystore.tls]\nfile_name = \"corp.jks\"\ntype = \"JKS\"\npassword = \"corpstore\"\nalias = \"corp\"\nkey_password = \"corpkey\"\n";
    text = with_section(&text, "[keystore.tls]", key);
    text + "\n\n# What this company needs.\n[transport.https.properties]\nsslEnabledProtocols = \"TLSv1.2\"\n"
}

/// A section for one of this company's databases.
pub(crate) fn database(section: &str, name: &str) -> String {
    format!(
        "[database.{section}]\ntype = \"mysql\"\nurl = \"jdbc:mysql://db.corp:3306/{name}?useSSL=false&amp;autoReconnect=true\"\n\
         username = \"{section}-user\"\npassword = \"{section}-of-corp\"\n"
    )
}

/// Puts a section in the place of the one with this header, if there is one.
pub(crate) fn with_section(text: &str, header: &str, section: &str) -> String {
    let Some(start) = text.lines().position(|line| line == header) else { return text.to_owned() };
    let lines: Vec<&str> = text.lines().collect();
    let length = lines[start + 1..]
        .iter()
        .take_while(|line| !line.is_empty() && !line.starts_with(['[', '#']))
        .count();
    let rest = lines[start + 1 + length..].join("\n");
    format!("{}\n{section}{rest}\n", lines[..start].join("\n"))
}

/// The default logging with an appender and a logger of this company.
fn own_logging() -> String {
    let text = data("log4j2-3.1.0.properties")
        .replacen(", BOTDATA_APPENDER\n", ", BOTDATA_APPENDER, CORP\n", 1)
        .replacen("loggers = ", "loggers = corp, ", 1);
    assert!(text.contains(", CORP\n") && text.contains("loggers = corp, "), "{text}");
    text + "\n# Of this company.\nappender.CORP.type = File\nappender.CORP.name = CORP\nappender.CORP.fileName = ${sys:carbon.home}/repository/logs/corp.log\n\
           logger.corp.name = corp\nlogger.corp.level = DEBUG\nlogger.corp.appenderRef.CORP.ref = CORP\n"
}
