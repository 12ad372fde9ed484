//! Roles with argument specifications.

use convoy_tests::project::Project;

use crate::harness::site;

const ARGUMENT_SPECS: &str = "argument_specs:
  main:
    short_description: The main entry point
    options:
      door: {type: int, required: true}
      mode: {choices: [slow, fast], default: slow}
  other:
    options:
      label: {type: str, required: true}
";

fn project(play: &str) -> Project {
    let project = site(play);
    project.file("roles/web/meta/argument_specs.yml", ARGUMENT_SPECS).unwrap();
    project.file("roles/web/tasks/main.yml", "- debug: msg={{ door }}\n").unwrap();
    project.file("roles/web/tasks/other.yml", "- debug: msg={{ label }}\n").unwrap();
    project.local("l").unwrap();
    project
}

#[test]
fn role_arguments_are_validated_before_the_role_runs() {
    let project = project(
        "- hosts: l
  gather_facts: false
  roles: [{role: web, door: '80'}]
  tasks:
    - import_role: {name: web, tasks_from: other}
      vars: {label: a}
    - include_role: {name: web}
      vars: {door: many, mode: middling}
",
    );
    let ran = project.apply([]).unwrap();
    let expected = "
PLAY [l] ***********************************************************************

TASK [web : Validating arguments against arg spec 'main' - The main entry point] ***
ok: [l]

TASK [web : debug] *************************************************************
ok: [l] => {
    \"msg\": \"80\"
}

TASK [web : Validating arguments against arg spec 'other'] *********************
ok: [l]

TASK [web : debug] *************************************************************
ok: [l] => {
    \"msg\": \"a\"
}

TASK [include_role : web] ******************************************************
included: web for l

TASK [web : Validating arguments against arg spec 'main' - The main entry point] ***
fatal: [l]: FAILED! => {\"argument_errors\": [\"argument 'door' is of type <class 'ansible.parsing.yaml.objects.AnsibleUnicode'> and we were unable to convert to int: \\\"'many'\\\" cannot be converted to an int\", \"value of mode must be one of: slow, fast, got: middling\"], \"argument_spec_data\": {\"door\": {\"required\": true, \"type\": \"int\"}, \"mode\": {\"choices\": [\"slow\", \"fast\"], \"default\": \"slow\"}}, \"changed\": false, \"msg\": \"Validation of arguments failed:\\nargument 'door' is of type <class 'ansible.parsing.yaml.objects.AnsibleUnicode'> and we were unable to convert to int: \\\"'many'\\\" cannot be converted to an int\\nvalue of mode must be one of: slow, fast, got: middling\", \"validate_args_context\": {\"argument_spec_name\": \"main\", \"name\": \"web\", \"path\": \"[folder]/site/roles/web\", \"type\": \"role\"}}
";
    let end = ran.stdout.find("\nPLAY RECAP").unwrap();
    assert_eq!(&ran.stdout[..end], expected, "{ran}");
    assert_eq!(ran.code, Some(2));
}

#[test]
fn role_arguments_are_not_validated_if_disabled_or_without_a_spec() {
    let project = project(
        "- hosts: l
  gather_facts: false
  tasks:
    - import_role: {name: web, rolespec_validate: false}
      vars: {door: many}
    - include_role: {name: web, tasks_from: third}
",
    );
    project.file("roles/web/tasks/third.yml", "- debug: msg=third\n").unwrap();
    let ran = project.apply([]).unwrap();
    assert!(!ran.stdout.contains("Validating") && ran.stdout.contains("third"), "{ran}");
    assert_eq!(ran.code, Some(0), "{ran}");
}
