//! Steps 1.2 and 1.3 of the upgrade: every type of database, and separate databases for users and configuration.

use std::fs;

use convoy_tests::program::wso2_file;

use crate::cluster::{CONFIGURATION, Cluster, LIB, Profile, replace_section};
use crate::files::write_jar;

/// The types of databases on the page: the name, the driver, its validation query, and a URL.
const DATABASES: [(&str, &str, &str, &str); 5] = [
    (
        "mysql",
        "com.mysql.cj.jdbc.Driver",
        "SELECT 1",
        "jdbc:mysql://db.corp:3306/{}?useSSL=false&amp;autoReconnect=true",
    ),
    (
        "mssql",
        "com.microsoft.sqlserver.jdbc.SQLServerDriver",
        "SELECT 1",
        "jdbc:sqlserver://db.corp:1433;databaseName={};SendStringParametersAsUnicode=false",
    ),
    ("postgre", "org.postgresql.Driver", "SELECT 1", "jdbc:postgresql://db.corp:5432/{}"),
    ("oracle", "oracle.jdbc.driver.OracleDriver", "SELECT 1 FROM DUAL", "jdbc:oracle:thin:@db.corp:1521/{}"),
    ("db2", "com.ibm.db2.jcc.DB2Driver", "SELECT 1 FROM SYSIBM.SYSDUMMY1", "jdbc:db2://db.corp:50000/{}"),
];

/// Writes the databases of a node's old home, and replaces the JDBC driver.
fn write_old_databases(cluster: &Cluster, node: &str, driver: &str, sections: &[(&str, &str)]) {
    let path = cluster.old_path(node, CONFIGURATION);
    let mut text = fs::read_to_string(&path).unwrap();
    for (section, settings) in sections {
        let header = format!("[database.{section}]");
        let body = format!("{header}\n{settings}\nusername = \"u\"\npassword = \"a\\\"b\\\\c\"\n");
        text = if text.lines().any(|line| line == header) {
            replace_section(&text, &header, &body)
        } else {
            text + "\n" + &body
        };
    }
    fs::write(&path, text).unwrap();
    fs::remove_dir_all(cluster.old_path(node, LIB)).unwrap();
    write_jar(
        &cluster.old_path(node, &format!("{LIB}/driver.jar")),
        &[&format!("{}.class", driver.replace('.', "/"))],
    );
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn every_database_type_has_its_url_driver_and_query() {
    let nodes = ["n0", "n1", "n2", "n3", "n4"].map(|name| (name, Profile::AllInOne));
    for ((name, profile), (database_type, driver, query, url)) in nodes.into_iter().zip(DATABASES) {
        let cluster = Cluster::local(&[(name, profile)]);
        let settings = ["apim_db", "shared_db"]
            .map(|name| (name, format!("type = \"{database_type}\"\nurl = \"{}\"", url.replace("{}", name))));
        let sections: Vec<_> = settings.iter().map(|(name, settings)| (*name, settings.as_str())).collect();
        write_old_databases(&cluster, name, driver, &sections);
        let ran = cluster.apply_file_steps(&[]);
        assert_eq!(ran.code, Some(0), "{database_type}: {ran}");
        let document = cluster.configuration(name);
        for section in ["apim_db", "shared_db"] {
            let at = |key: &str| document["database"][section][key].as_str().unwrap().to_owned();
            assert_eq!(at("type"), database_type);
            assert_eq!(at("url"), url.replace("{}", section));
            assert_eq!([at("driver"), at("validationQuery")], [driver, query]);
            assert_eq!([at("username"), at("password")], ["u", "a\"b\\c"]);
        }
        assert_eq!(ran.stdout.contains("the vendor has no scripts for DB2"), database_type == "db2", "{ran}");
        assert!(document["database"].get("mb").is_none() && document.get("realm_manager").is_none());
        assert!(cluster.new_path(name, &format!("{LIB}/driver.jar")).exists(), "{database_type}");
        let again = cluster.apply_file_steps(&[]);
        assert!(again.code == Some(0) && !again.stdout.contains("changed: "), "{again}");
    }
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn separate_user_and_configuration_databases_are_kept() {
    let cluster = Cluster::local(&[("one", Profile::AllInOne)]);
    let database_settings = |name: &str| {
        format!("type = \"postgre\"\nhostname = \"db.corp\"\nport = \"5433\"\nname = \"{name}\"")
    };
    let settings = ["apim_db", "shared_db", "user", "config"].map(|name| (name, database_settings(name)));
    let sections: Vec<_> = settings.iter().map(|(name, settings)| (*name, settings.as_str())).collect();
    write_old_databases(&cluster, "one", "org.postgresql.Driver", &sections);
    let ran = cluster
        .apply_file_steps(&["-e", "{wso2_databases: {user: {url: 'jdbc:postgresql://other/um?a=1&b=2'}}}"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let document = cluster.configuration("one");
    let url = |section: &str| document["database"][section]["url"].as_str().unwrap().to_owned();
    assert_eq!(url("shared_db"), "jdbc:postgresql://db.corp:5433/shared_db");
    assert_eq!(url("config"), "jdbc:postgresql://db.corp:5433/config");
    // The server inserts it into XML without escaping.
    assert_eq!(url("user"), "jdbc:postgresql://other/um?a=1&amp;b=2");
    assert_eq!(document["realm_manager"]["data_source"].as_str(), Some("WSO2USER_DB"));
    for section in ["apim_db", "shared_db", "user", "config"] {
        assert!(document["database"][section].get("hostname").is_none(), "{section}");
    }
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn all_in_one_keeps_all_gateway_environments() {
    let cluster = Cluster::local(&[("one", Profile::AllInOne)]);
    let old = wso2_file("fullconfig-3.1.0-scenario1-deployment.toml");
    let databases = old
        .replace(
            "type = \"h2\"\nurl = \"jdbc:h2:./repository/database/WSO2AM_DB;DB_CLOSE_ON_EXIT=FALSE\"",
            "type = \"mysql\"\nurl = \"jdbc:mysql://db/am\"",
        )
        .replace(
            "type = \"h2\"\nurl = \"jdbc:h2:./repository/database/WSO2SHARED_DB;DB_CLOSE_ON_EXIT=FALSE\"",
            "type = \"mysql\"\nurl = \"jdbc:mysql://db/reg\"",
        )
        .replace("\"wso2carbon.jks\"", "\"corp.jks\"")
        .replacen(
            "password =  \"wso2carbon\"\nalias =  \"wso2carbon\"\nkey_password =  \"wso2carbon\"",
            "password = \"corpstore\"\nalias = \"corp\"\nkey_password = \"corpkey\"",
            1,
        );
    fs::write(cluster.old_path("one", CONFIGURATION), databases).unwrap();
    // As if it was never started with this configuration.
    fs::remove_file(cluster.old_path("one", "repository/conf/api-manager.xml")).unwrap();
    let ran = cluster.apply_file_steps(&["-e", "{wso2_decisions: {}}"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let document = cluster.configuration("one");
    let environments = document["apim"]["gateway"]["environment"].as_array_of_tables().unwrap();
    let names: Vec<_> = environments.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Production and Sandbox", "Production"]);
    let labels = document["apim"]["sync_runtime_artifacts"]["gateway"]["gateway_labels"].as_array().unwrap();
    let labels: Vec<_> = labels.iter().map(|label| label.as_str().unwrap()).collect();
    assert_eq!(labels, ["Production and Sandbox", "Production", "Default"]);
    let apim = &document["apim"];
    assert_eq!(
        apim["workflow"]["client_registration_endpoint"].as_str(),
        Some("https://localhost:9443/client-registration/v0.17/register")
    );
    assert_eq!(apim["workflow"]["token_endpoint"].as_str(), Some("https://apim.corp:9443/oauth2/token"));
    assert_eq!(
        apim["oauth_config"]["revoke_endpoint"].as_str(),
        Some("https://apim.corp:9443/oauth2/revoke")
    );
    assert!(apim["oauth_config"].get("white_listed_scopes").is_none());
    assert_eq!(apim["oauth_config"]["allowed_scopes"].as_array().unwrap().len(), 3);
    assert_eq!(apim["sdk"]["group_id"].as_str(), Some("org.wso2.group"));
    assert_eq!(apim["devportal"]["application_attributes"].as_array_of_tables().unwrap().len(), 2);
    assert!(document["server"].get("mode").is_none() && apim["analytics"].get("store_api_url").is_none());
}
