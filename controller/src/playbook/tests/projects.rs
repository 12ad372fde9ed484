//! What is loaded from projects without errors.

use convoy_protocol::{Value, map};

use super::super::ast::{Action, Meta};
use super::super::{Inherited, walk};
use super::{Project, all, loader, names, play, render, task, texts};

#[test]
fn arguments_are_read_in_all_their_forms() {
    for (text, name, args) in [
        ("ping:", "ping", Value::from(map! {})),
        ("ping: {data: 1}", "ping", map! { "data" => 1 }.into()),
        ("ping: data='a b'", "ping", map! { "data" => "a b" }.into()),
        ("ansible.builtin.ping: {data: x}", "ansible.builtin.ping", map! { "data" => "x" }.into()),
        ("action: ping data=x", "ping", map! { "data" => "x" }.into()),
        ("action: {module: ping, data: x}", "ping", map! { "data" => "x" }.into()),
        ("action: {module: ping, args: {data: x}}", "ping", map! { "data" => "x" }.into()),
        ("{action: ping, args: {data: x}}", "ping", map! { "data" => "x" }.into()),
        ("{ping: {data: own}, args: {data: given}}", "ping", map! { "data" => "own" }.into()),
        ("{ping: '', args: '{{ x }}'}", "ping", "{{ x }}".into()),
        ("ping: '{{ x }}'", "ping", "{{ x }}".into()),
        (
            "{ping: {data: own}, args: '{{ x }}'}",
            "ping",
            map! { "data" => "own", "_variable_params" => "{{ x }}" }.into(),
        ),
    ] {
        let play = play(&[("site.yml", &format!("- hosts: all\n  tasks:\n  - {text}\n"))]);
        let (_, task) = walk::tasks(&play).next().unwrap();
        assert_eq!((&*task.action_name, &task.args), (name, &args), "{text}");
    }
}

#[test]
fn local_action_is_delegated() {
    let play = play(&[("site.yml", "- hosts: all\n  tasks:\n  - local_action: ping data=x\n")]);
    assert_eq!(walk::tasks(&play).next().unwrap().1.keywords.delegate_to, Some("localhost".into()));
}

const NESTED: &str = "\
- hosts: all
  become: true
  tags: p
  environment: {A: 1}
  vars: {file: more}
  tasks:
    - when: outer
      become_user: app
      vars: {a: block, b: block}
      notify: h
      block:
        - name: inner
          ping:
          when: [inner, last]
          become: false
          tags: t
          environment: {B: 2}
          vars: {a: task}
        - import_tasks: '{{ file }}.yml'
          when: handed
          notify: g
          tags: ['{{ file }}, x', p]
          vars: {c: import}
        - name: dynamic
          include_tasks: {file: x.yml, apply: {tags: applied, become_user: db, notify: h2, vars: {d: apply}}}
          when: not handed
          tags: own
          vars: {e: include}
      always:
        - meta: flush_handlers
  handlers:
    - name: h
      ping:
    - name: g
      ping:
";

#[test]
fn a_task_inherits_from_its_surroundings() {
    let play = play(&[("site.yml", NESTED), ("more.yml", "- name: imported\n  ping:\n")]);
    let inner = task(&play, "inner");
    assert_eq!(texts(&inner.keywords.when), ["outer", "inner", "last"]);
    assert_eq!(inner.keywords.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["p", "t"]);
    assert_eq!(inner.keywords.r#become, Some(false.into()));
    assert_eq!(inner.keywords.become_user, Some("app".into()));
    assert_eq!(inner.keywords.environment, [map! { "A" => 1 }.into(), map! { "B" => 2 }.into()]);
    assert_eq!(inner.vars, map! { "a" => "task", "b" => "block" });
    assert_eq!(texts(&inner.notify), ["h"]);
    let imported = task(&play, "imported");
    assert_eq!(texts(&imported.keywords.when), ["outer", "handed"]);
    assert_eq!(texts(&imported.notify), ["h", "g"]);
    assert_eq!(imported.keywords.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["p", "more", "x"]);
    assert_eq!(imported.vars, map! { "a" => "block", "b" => "block", "c" => "import" });
    let sections: Vec<_> =
        walk::tasks(&play).map(|(section, task)| (section, task.action_name.to_string())).collect();
    assert_eq!(sections.last().unwrap(), &(walk::Section::Tasks, "meta".to_owned()));
    assert!(matches!(walk::tasks(&play).last().unwrap().1.action, Action::Meta(Meta::FlushHandlers)));
}

#[test]
fn included_tasks_inherit_surroundings_and_apply_but_not_the_keywords_of_the_include() {
    let project = Project::new(&[
        ("site.yml", NESTED),
        ("more.yml", "- ping:\n"),
        ("x.yml", "- name: included\n  ping:\n"),
    ]);
    let loaded = project.load().unwrap();
    let include = task(loaded.plays().next().unwrap(), "dynamic");
    assert_eq!(texts(&include.keywords.when), ["outer", "not handed"]);
    let base = Inherited::of_include(include).unwrap();
    let path = loader().find_file("x.yml", &base, false).unwrap();
    let read = loader().task_file(&path, &base, false, &render).unwrap();
    let included = walk::entries(&read.entries).next().unwrap();
    assert_eq!(texts(&included.keywords.when), ["outer"]);
    assert_eq!(included.keywords.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["p", "applied"]);
    assert_eq!(included.keywords.become_user, Some("db".into()));
    assert_eq!(texts(&included.notify), ["h", "h2"]);
    assert_eq!(included.vars, map! { "a" => "block", "b" => "block", "d" => "apply", "e" => "include" });
    assert_eq!(
        loader()
            .find_file("none.yml", &base, false)
            .unwrap_err()
            .iter()
            .map(|p| project.relative(p))
            .collect::<Vec<_>>(),
        ["none.yml", "tasks/none.yml"]
    );
}

const ROLES: &[(&str, &str)] = &[
    (
        "site.yml",
        "- hosts: all\n  roles:\n    - {role: app, port: 80, tags: r, when: w, size: 1, vars: {v: entry}}\n    - base\n    \
         - {role: base, size: 2}\n    - base\n  tasks:\n    - import_role: {name: app, tasks_from: extra}\n      vars: {v: import}\n      \
         when: i\n    - name: later\n      include_role: {name: '{{ which }}', public: true}\n      vars: {which: base}\n  \
         handlers:\n    - name: of the play\n      ping:\n",
    ),
    ("roles/app/meta/main.yml", "dependencies:\n  - {role: base, tags: d}\ngalaxy_info: {}\n"),
    ("roles/app/defaults/main.yml", "x: app\ny: app\n"),
    ("roles/app/vars/main/a.yml", "z: a\n"),
    ("roles/app/vars/main/b.yml", "z: b\na-b: 1\n"),
    ("roles/app/tasks/main.yml", "- name: app\n  import_tasks: sub/one.yml\n"),
    ("roles/app/tasks/sub/one.yml", "- import_tasks: two.yml\n- import_tasks: extra.yml\n"),
    ("roles/app/tasks/sub/two.yml", "- name: two\n  ping:\n"),
    ("roles/app/tasks/extra.yml", "- name: extra\n  ping:\n  notify: of app\n"),
    ("roles/app/handlers/main.yml", "- name: of app\n  ping:\n"),
    ("roles/base/defaults/main.yaml", "x: base\n"),
    ("roles/base/tasks/main.yml", "- name: base\n  ping:\n"),
    ("roles/base/handlers/main.yml", "- name: of base\n  ping:\n"),
];

#[test]
fn a_role_is_loaded_with_dependencies_variables_and_handlers() {
    let play = play(ROLES);
    assert_eq!(
        all(&play.sections[1]),
        ["base", "two", "extra", "base", "base", "base", "base", "extra", "later"]
    );
    assert_eq!(
        all(&play.handlers),
        ["of base", "of app", "of base", "of base", "of base", "of the play", "of base", "of app"]
    );
    let tasks: Vec<_> = walk::tasks(&play).map(|(_, task)| task).collect();
    let (dependency, two) = (tasks[0], tasks[1]);
    assert_eq!(texts(&dependency.keywords.when), ["w"]);
    assert_eq!(dependency.keywords.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["r", "d"]);
    let role = two.role.as_ref().unwrap();
    assert_eq!((role.get_default("x"), role.get_default("y")), (Some("app"), Some("app")));
    assert_eq!(role.vars, map! { "z" => "b", "a-b" => 1 });
    assert_eq!(role.params, map! { "size" => 1, "v" => "entry" });
    assert_eq!(two.keywords.port, Some(80.into()));
    let base = dependency.role.as_ref().unwrap();
    assert_eq!(base.get_default("x"), Some("base"));
    assert_eq!(base.params, map! { "size" => 1, "v" => "entry" });
    assert_eq!(base.parents.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["app"]);
    let identities: Vec<usize> =
        [3, 4, 5].iter().map(|at| tasks[*at].role.as_ref().unwrap().identity).collect();
    assert!(identities[0] == identities[2] && identities[0] != identities[1]);
    let imported = tasks[7];
    assert_eq!(texts(&imported.keywords.when), ["i"]);
    assert_eq!(imported.role.as_ref().unwrap().params, map! { "v" => "import" });
    assert!(imported.role.as_ref().unwrap().allow_duplicates && !base.allow_duplicates);
    assert_eq!(
        play.roles.iter().map(|role| &*role.name).collect::<Vec<_>>(),
        ["base", "app", "base", "base", "base", "base", "app"]
    );
}

impl super::super::ast::Role {
    fn get_default(&self, name: &str) -> Option<&str> {
        self.defaults.get(name).and_then(Value::as_str)
    }
}

#[test]
fn an_included_role_is_loaded() {
    let project = Project::new(ROLES);
    let loaded = project.load().unwrap();
    let include = task(loaded.plays().next().unwrap(), "later");
    let Action::IncludeRole(role) = &include.action else { panic!("{:?}", include.action) };
    let base = Inherited::of_include(include).unwrap();
    let read = loader().role(role, &base, &render).unwrap();
    assert_eq!((&*read.role.name, read.role.public), ("base", true));
    assert_eq!(
        (all(&read.tasks), all(&read.handlers)),
        (vec!["base".to_owned()], vec!["of base".to_owned()])
    );
    assert_eq!(read.role.params, map! { "which" => "base" });
    let missing = super::super::ast::RoleInclude { name: "none".into(), ..(**role).clone() };
    let problems = loader().role(&missing, &base, &render).unwrap_err();
    assert_eq!(
        problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>(),
        ["could not find the role `none`"]
    );
}

#[test]
fn an_imported_playbook_inherits_conditions_variables_and_tags() {
    let play = play(&[
        (
            "site.yml",
            "- import_playbook: '{{ which }}/other.yml'\n  when: w\n  tags: [t]\n  vars: {which: sub, a: import}\n",
        ),
        (
            "sub/other.yml",
            "- hosts: all\n  tags: own\n  vars: {a: play, b: play}\n  vars_files: [names.yml]\n  tasks:\n    - import_tasks: '{{ file }}'\n",
        ),
        ("sub/vars/names.yml", "file: tasks.yml\n"),
        ("sub/tasks.yml", "- name: x\n  ping:\n  when: own\n"),
    ]);
    assert_eq!(play.vars, map! { "a" => "import", "b" => "play", "which" => "sub" });
    assert_eq!(play.keywords.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["own", "t"]);
    assert_eq!(
        (texts(&play.import_when), names(walk::tasks(&play).map(|(_, task)| task))),
        (vec!["w"], vec!["x".to_owned()])
    );
    assert_eq!(texts(&task(&play, "x").keywords.when), ["w", "own"]);
    assert!(play.dir.ends_with("sub"));
}
