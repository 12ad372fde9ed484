//! Modules on the configuration files of WSO2 API Manager, the product that convoy upgrades first.

use std::fs;

use convoy_tests::program::wso2_data;

use crate::harness::tasks;

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn default_files_arrive_unchanged_as_content_and_as_templates() {
    let data = wso2_data();
    let mut names: Vec<String> = fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no .toml in {}", data.display());
    let mut list = String::new();
    for name in &names {
        list.push_str(&format!(
            "- copy: {{src: {name}, dest: '{{{{ place }}}}/{name}'}}
- template: {{src: {name}, dest: '{{{{ place }}}}/j2-{name}'}}
- template: {{src: {name}.hbs, dest: '{{{{ place }}}}/hbs-{name}'}}\n"
        ));
    }
    let project = tasks(&list);
    let mut changed = 0;
    for name in &names {
        let content = fs::read(data.join(name)).unwrap();
        project.file(&format!("files/{name}"), &content).unwrap();
        // Escape what the template engines would interpret, as the author of a template would.
        let text = String::from_utf8(content).unwrap();
        let jinja = text.replace("{{", "{{ '{{' }}").replace("{%", "{{ '{%' }}").replace("{#", "{{ '{#' }}");
        project.file(&format!("templates/{name}"), jinja).unwrap();
        project.file(&format!("templates/{name}.hbs"), text.replace("{{", "\\{{")).unwrap();
        changed += 3;
    }
    let node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!(ran.recap("l"), format!("ok={changed} changed={changed}"), "{ran}");
    for name in &names {
        let content = fs::read(data.join(name)).unwrap();
        for arrived in [name.clone(), format!("j2-{name}"), format!("hbs-{name}")] {
            assert!(fs::read(node.place.join(&arrived)).unwrap() == content, "{arrived} is not as it was");
        }
    }
    assert_eq!(project.apply([]).unwrap().recap("l"), format!("ok={changed}"));
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn xml_reads_generated_configuration_files() {
    let data = wso2_data();
    let list = "\
- xml:
    path: DATA/registry-{{ item.version }}.xml
    values:
      flags: //staticConfiguration/versioningProperties
      source: //dbConfig[@name='govregistry']/dataSource
      mounts: //mount[@overwrite='true']/@path
  register: registry
  failed_when: registry.texts != item.wanted
  loop:
    - {version: 2.6.0, wanted: {flags: ['true'], source: [], mounts: []}}
    - {version: 3.1.0, wanted: {flags: ['false'], source: [jdbc/SHARED_DB], mounts: [/_system/governance, /_system/config]}}
    - {version: 4.1.0, wanted: {flags: ['false'], source: [jdbc/SHARED_DB], mounts: [/_system/governance, /_system/config]}}
- xml:
    path: DATA/master-datasources-{{ item }}.xml
    xpath: //datasource[name='WSO2AM_DB']/definition[@type='RDBMS']/configuration/url
  register: url
  failed_when: url.count != 1 or not url.matches[0].text.startswith('jdbc:h2:')
  loop: [3.1.0, 4.1.0]
- xml:
    path: DATA/api-manager-{{ item.version }}-generated-default.xml
    xpath: //Environments/Environment[@isDefault='true']/Name
    required: true
  register: name
  failed_when: name.texts != [item.name]
  loop:
    - {version: 3.1.0, name: Production and Sandbox}
    - {version: 4.1.0, name: Default}
";
    let project = tasks(&list.replace("DATA", &data.display().to_string()));
    let _node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!(ran.recap("l"), "ok=3", "{ran}");
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn log4j2_convert_carries_customized_settings() {
    let data = wso2_data();
    let list = "\
- log4j2_convert:
    src: '{{ place }}/log4j.properties'
    base: DATA/log4j-2.6.0.properties
    path: '{{ place }}/log4j2.properties'
  register: done
- assert:
    that:
      - \"done.conflicts == [{'key': 'logger.org-quartz.level', 'wanted': 'DEBUG', 'there': 'WARN'}]\"
      - \"done.unmapped | map(attribute='key') | list == ['log4j.appender.DAS_AGENT.url']\"
";
    let project = tasks(&list.replace("DATA", &data.display().to_string()));
    let node = project.node("l").unwrap();
    let shipped = fs::read_to_string(data.join("log4j-2.6.0.properties")).unwrap();
    let target = fs::read_to_string(data.join("log4j2-4.1.0.properties")).unwrap();
    let own =
        shipped.replace("quartz=WARN", "quartz=DEBUG").replace("tcp://localhost:7612", "tcp://das:7612")
            + "\n\
log4j.logger.com.acme=DEBUG, ACME
log4j.appender.ACME=org.apache.log4j.RollingFileAppender
log4j.appender.ACME.File=${carbon.home}/repository/logs/${instance.log}/acme${instance.log}.log
";
    fs::write(node.place.join("log4j.properties"), own).unwrap();
    fs::write(node.place.join("log4j2.properties"), &target).unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!(ran.recap("l"), "ok=2 changed=1", "{ran}");
    let new = fs::read_to_string(node.place.join("log4j2.properties")).unwrap();
    let added: Vec<&str> = new.lines().filter(|line| !target.lines().any(|known| known == *line)).collect();
    assert!(
        added[0].ends_with(", API_LOGFILE, ACME") && added[1].ends_with(", API_LOG, com-acme"),
        "{added:#?}"
    );
    assert_eq!(added[4], "appender.ACME.fileName = ${sys:carbon.home}/repository/logs/acme.log");
    assert_eq!((added.len(), added[13]), (14, "logger.com-acme.appenderRef.ACME.ref = ACME"));
    // No line is lost except the two lists, which have changed.
    let gone = target.lines().filter(|line| !new.lines().any(|known| known == *line)).count();
    assert_eq!(gone, 2);
    assert_eq!(project.apply([]).unwrap().recap("l"), "ok=2");
}
