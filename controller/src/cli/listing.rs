//! What `--list-hosts`, `--list-tasks` and `--list-tags` print, as `ansible-playbook` does.

use std::io::{self, Write};
use std::sync::Arc;

use convoy_agent::args::Arg;
use convoy_protocol::{Kind, Value};

use crate::playbook::Playbook;
use crate::playbook::ast::{Action, Entry, Play, Task};

/// What is listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The hosts of each play.
    pub hosts: bool,
    /// The tasks of each play.
    pub tasks: bool,
    /// The tags of each play.
    pub tags: bool,
}

/// What the listing has to ask.
pub struct View<'a> {
    /// Renders the name or the pattern of a play.
    pub render: &'a dyn Fn(&Value, &Play) -> Value,
    /// Returns the hosts that a play is for.
    pub hosts: &'a dyn Fn(&Play) -> Vec<Arc<str>>,
    /// Returns whether a task with these tags is selected.
    pub selected: &'a dyn Fn(&[Arc<str>]) -> bool,
}

/// Lists the plays of `playbooks`.
///
/// # Errors
/// If `out` cannot be written.
pub fn list(playbooks: &[Playbook], wanted: Wanted, view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    for playbook in playbooks {
        writeln!(out, "\nplaybook: {}", playbook.path.display())?;
        if wanted == Wanted::default() {
            continue;
        }
        for (index, play) in playbook.plays.iter().enumerate() {
            heading(index + 1, play, wanted, view, out)?;
            if wanted.tasks || wanted.tags {
                contents(play, wanted, view, out)?;
            }
        }
    }
    Ok(())
}

fn heading(
    number: usize,
    play: &Play,
    wanted: Wanted,
    view: &View<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let hosts = patterns(&(view.render)(&play.hosts, play));
    let name = match &play.name {
        Some(name) => text(&(view.render)(name, play)),
        None => hosts.join(","),
    };
    let tags = sorted(play.keywords.tags.iter()).join(",");
    writeln!(out, "\n  play #{number} ({}): {name}\tTAGS: [{tags}]", hosts.join(","))?;
    if wanted.hosts {
        let quoted: Vec<String> = hosts.iter().map(|pattern| quote(pattern)).collect();
        let resolved = (view.hosts)(play);
        writeln!(out, "    pattern: [{}]\n    hosts ({}):", quoted.join(", "), resolved.len())?;
        for host in resolved {
            writeln!(out, "      {host}")?;
        }
    }
    Ok(())
}

fn contents(play: &Play, wanted: Wanted, view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut tasks = Vec::new();
    play.sections.iter().for_each(|section| listed(section, view, &mut tasks));
    if wanted.tasks {
        writeln!(out, "    tasks:")?;
        for task in &tasks {
            writeln!(out, "      {}\tTAGS: [{}]", name(task), sorted(task.keywords.tags.iter()).join(", "))?;
        }
    }
    if wanted.tags {
        let all = tasks.iter().flat_map(|task| &task.keywords.tags).chain(&play.keywords.tags);
        writeln!(out, "      TASK TAGS: [{}]", sorted(all).join(", "))?;
    }
    Ok(())
}

/// The selected tasks, without those of `rescue:` and `always:`, which are not listed.
fn listed<'p>(entries: &'p [Entry], view: &View<'_>, tasks: &mut Vec<&'p Task>) {
    for entry in entries {
        match entry {
            Entry::Block(block) => listed(&block.body, view, tasks),
            Entry::Task(task) if (view.selected)(&task.keywords.tags) => tasks.push(task),
            Entry::Task(_) => {}
        }
    }
}

fn name(task: &Task) -> String {
    match (&task.name, &task.role) {
        (None, _) => task.action_name.to_string(),
        (Some(name), Some(role)) if !matches!(task.action, Action::IncludeRole(_)) => {
            format!("{} : {}", role.name, text(name))
        }
        (Some(name), _) => text(name),
    }
}

fn patterns(hosts: &Value) -> Vec<String> {
    hosts.as_list().map_or_else(|| vec![text(hosts)], |items| items.iter().map(text).collect())
}

fn text(value: &Value) -> String {
    match &value.kind {
        Kind::Text(text) => text.to_string(),
        _ => String::convert(value).unwrap_or_default(),
    }
}

fn sorted<'t>(tags: impl Iterator<Item = &'t Arc<str>>) -> Vec<&'t str> {
    let mut tags: Vec<&str> = tags.map(|tag| &**tag).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// Writes text as Python writes it in a list.
fn quote(text: &str) -> String {
    if text.contains('\'') && !text.contains('"') {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::{Loader, Options};

    const SITE: &str = "\
- name: First
  hosts: [web, 'db:!old']
  tags: [b, a]
  roles: [{role: app, tags: r}]
  pre_tasks:
    - ping:
      tags: never
  tasks:
    - name: One
      ping:
    - block:
        - ansible.builtin.ping:
          tags: [x, a]
        - meta: noop
      rescue:
        - name: Not listed
          ping:
      tags: k
    - name: Brought in
      include_role: {name: app}
    - import_tasks: more.yml
      tags: m
  handlers:
    - name: Not listed
      ping:
- hosts: all
  tasks: []
";

    /// What `ansible-playbook` 2.18 prints for [`SITE`], its tags in order (a set there, in any order, for the plays).
    const LISTED: &str = "
playbook: site.yml

  play #1 (web,db:!old): First\tTAGS: [a,b]
    pattern: ['web', 'db:!old']
    hosts (2):
      h1
      h2
    tasks:
      app : Of the role\tTAGS: [a, b, r]
      ping\tTAGS: [a, b, r]
      One\tTAGS: [a, b]
      ansible.builtin.ping\tTAGS: [a, b, k, x]
      meta\tTAGS: [a, b, k]
      Brought in\tTAGS: [a, b]
      More\tTAGS: [a, b, m]
      TASK TAGS: [a, b, k, m, r, x]

  play #2 (all): all\tTAGS: []
    pattern: ['all']
    hosts (2):
      h1
      h2
    tasks:
      TASK TAGS: []
";

    #[test]
    fn prints_what_ansible_prints() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("site.yml");
        std::fs::create_dir_all(dir.path().join("roles/app/tasks")).unwrap();
        std::fs::write(&path, SITE).unwrap();
        std::fs::write(dir.path().join("more.yml"), "- name: More\n  ping:\n").unwrap();
        std::fs::write(
            dir.path().join("roles/app/tasks/main.yml"),
            "- name: Of the role\n  ping:\n- ping:\n",
        )
        .unwrap();
        let loader = Loader::new(Options::default(), Arc::default());
        let loaded = loader.playbooks(std::slice::from_ref(&path), &|value, _| Ok(value.clone())).unwrap();
        let view = View {
            render: &|value, _| value.clone(),
            hosts: &|_| vec!["h1".into(), "h2".into()],
            selected: &|tags| !tags.iter().any(|tag| &**tag == "never"),
        };
        let mut out = Vec::new();
        list(&loaded.playbooks, Wanted { hosts: true, tasks: true, tags: true }, &view, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.replace(path.to_str().unwrap(), "site.yml"), LISTED);
    }

    #[test]
    fn patterns_are_quoted_as_python_does() {
        assert_eq!(["a", "it's", "a\"'b"].map(quote), ["'a'", "\"it's\"", "'a\"\\'b'"]);
    }
}
