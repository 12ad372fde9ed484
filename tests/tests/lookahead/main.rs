//! Properties of random plays: look-ahead saves round trips and changes no result, independent hosts have the same results
//! with every strategy, and predictions of check mode come true.

mod plays;
mod runs;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use convoy::events::Verdict;
use plays::{Play, Project, plays};
use runs::Place;

/// The number of random plays, unless `PROPTEST_CASES` sets it. Each runs four times.
const CASES: u32 = 24;

fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    Config {
        cases: cases.unwrap_or(CASES),
        failure_persistence: None,
        max_shrink_iters: 150,
        ..Config::default()
    }
}

/// Applies a play twice with look-ahead and twice without.
fn compare_with_and_without_look_ahead(play: &Play) -> Result<(), TestCaseError> {
    let project = play.project();
    let place = Place::new(play.hosts);
    let run_twice = |look_ahead| {
        place.reset(&play.files);
        [place.run(&project, look_ahead), place.run(&project, look_ahead)]
    };
    let (without, with) = (run_twice(false), run_twice(true));
    for (run, ((without, trips_without), (with, trips_with))) in without.iter().zip(&with).enumerate() {
        prop_assert_eq!(without, with, "run {} of:\n{}", run + 1, &project);
        prop_assert!(without.exit.is_ok(), "{:?}:\n{}", &without.exit, &project);
        prop_assert!(
            trips_with <= trips_without,
            "run {}: {} round trips, not {}:\n{}",
            run + 1,
            trips_with,
            trips_without,
            &project
        );
    }
    Ok(())
}

#[test]
fn look_ahead_changes_no_result_and_saves_round_trips() {
    let outcome = TestRunner::new(config()).run(&plays(), |play| compare_with_and_without_look_ahead(&play));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Applies a play with independent hosts with each strategy, and compares the results of each host.
fn compare_strategies(play: &Play) -> Result<(), TestCaseError> {
    let place = Place::new(play.hosts);
    let mut outcomes = ["strategy: linear", "strategy: free", "strategy: host_pinned"].map(|strategy| {
        let project = play.clone().with_independent_hosts(strategy).project();
        place.reset(&play.files);
        let mut ran = [true, false].map(|look_ahead| place.run(&project, look_ahead).0);
        // The order of the headings depends on the strategy.
        ran.iter_mut().for_each(|ran| drop(ran.told.remove("headings")));
        (ran, project)
    });
    let (first, others) = outcomes.split_first_mut().expect("three strategies");
    for (ran, project) in others {
        prop_assert_eq!(&first.0, ran, "{}", project);
    }
    Ok(())
}

#[test]
fn independent_hosts_have_the_same_results_with_every_strategy() {
    let outcome = TestRunner::new(config()).run(&plays(), |play| compare_strategies(&play));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Runs a play in check mode, then applies it, and compares the verdicts.
fn compare_check_mode_with_run(play: Play) -> Result<(), TestCaseError> {
    let play = play.without_hidden_writes();
    let project = play.project();
    let place = Place::new(play.hosts);
    place.reset(&play.files);
    let before = place.files();
    let checked = place.check(&project);
    prop_assert_eq!(&checked.files, &before, "check mode wrote:\n{}", &project);
    let (ran, _) = place.run(&project, true);
    for (what, predicted) in &checked.verdicts {
        // Tasks that were not reached have no result, and handlers may have run at other times.
        let Some(actual) = ran.verdicts.get(what).filter(|actual| actual.len() == predicted.len()) else {
            continue;
        };
        for (predicted, actual) in predicted.iter().zip(actual) {
            let is_unknown = matches!(predicted, None | Some(Verdict::Unknown));
            prop_assert!(
                is_unknown || predicted == actual,
                "{:?}: {:?}, then {:?}\n{:#?}\nof:\n{}",
                what,
                predicted,
                actual,
                &checked.told,
                &project
            );
        }
    }
    Ok(())
}

#[test]
fn predictions_of_check_mode_come_true() {
    let outcome = TestRunner::new(config()).run(&plays(), compare_check_mode_with_run);
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Runs tasks on two hosts with and without look-ahead, and asserts that the results are the same.
fn run_with_and_without_look_ahead(tasks: &str, files: &[(&str, &str)]) -> (runs::Ran, u64) {
    let place = Place::new(2);
    let files: Vec<_> = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let yaml = format!("- hosts: all\n  gather_facts: false\n{tasks}");
    let project = Project { site: yaml.clone(), included: Vec::new() };
    let run = |look_ahead| {
        place.reset(&files);
        place.run(&project, look_ahead)
    };
    let (without, trips_without) = run(false);
    let (with, trips_with) = run(true);
    assert_eq!(without, with, "{yaml}");
    assert_eq!(with.exit, Ok(0), "{yaml}");
    assert!(trips_with <= trips_without, "{trips_with} round trips, not {trips_without}:\n{yaml}");
    (with, trips_with)
}

#[test]
fn a_delegated_change_is_seen_by_another_host() {
    // The file has the second host's content until the first host changes it, just before.
    let tasks = "  tasks:
    - ping:
      delegate_to: b
    - copy: {content: '{{ inventory_hostname }}', dest: '{{ root }}/shared/x'}
      delegate_to: b
";
    let (ran, _) = run_with_and_without_look_ahead(tasks, &[("shared/x", "b")]);
    assert!(ran.files.iter().any(|file| file.ends_with("/shared/x 100644 \"b\"")), "{:?}", ran.files);
    assert!(ran.told["b"].last().is_some_and(|stats| stats.contains("changed: 1")), "{:?}", ran.told["b"]);
}

#[test]
fn a_change_by_a_handler_on_the_controller_is_seen() {
    // No task changes a node before the handler, and the handler itself runs on the controller.
    let tasks = "  pre_tasks:
    - ping:
      changed_when: true
      notify: handler
  tasks:
    - file: {path: '{{ root }}/shared/x', state: absent}
  handlers:
    - name: handler
      debug: {msg: \"{{ lookup('pipe', 'touch ' ~ root ~ '/shared/x') }}\"}
";
    let (ran, _) = run_with_and_without_look_ahead(tasks, &[]);
    assert!(!ran.files.iter().any(|file| file.contains("/shared/x ")), "{:?}", ran.files);
}

#[test]
fn an_attempt_whose_until_condition_fails_counts_as_executed() {
    let tasks = "  tasks:
    - ping:
    - command: touch {{ root }}/shared/x
      when: inventory_hostname == 'a'
      until: nonsense.rc == 0
      retries: 1
      ignore_errors: true
    - file: {path: '{{ root }}/shared/x', state: absent}
      when: inventory_hostname == 'b'
";
    let (ran, _) = run_with_and_without_look_ahead(tasks, &[]);
    assert!(!ran.files.iter().any(|file| file.contains("/shared/x ")), "{:?}", ran.files);
}

#[test]
fn an_unchanged_play_takes_one_round_trip_per_host() {
    let same = "    - copy: {content: one, dest: '{{ root }}/{{ inventory_hostname }}/x'}\n";
    let gone = "    - file: {path: '{{ root }}/shared/y', state: absent}\n";
    for (between, trips, why) in [
        (String::new(), 2, "all tasks in one window"),
        ("    - meta: flush_handlers\n".to_owned(), 2, "nothing is notified"),
        (format!("{gone}      run_once: true\n"), 2, "prefetched by the host that runs it"),
        (
            format!("{gone}      delegate_to: b\n      when: inventory_hostname == 'a'\n"),
            3,
            "the delegate is asked only when the task runs",
        ),
        (
            "    - stat: {path: '{{ root }}/shared'}\n      register: seen\n    - debug: {var: seen.stat.isdir}\n"
                .to_owned(),
            2,
            "only the controller needs the value",
        ),
        (
            format!("    - stat: {{path: '{{{{ root }}}}/shared'}}\n      register: seen\n{gone}      when: not seen.stat.isdir\n"),
            2,
            "the task is skipped when it is due",
        ),
        (
            format!("    - stat: {{path: '{{{{ root }}}}/shared'}}\n      register: seen\n{gone}      when: seen.stat.isdir\n"),
            4,
            "one more per host for a value that a later task needs; the tasks after it are prefetched",
        ),
        (
            "    - stat: {path: '{{ root }}/shared'}\n      register: seen\n      until: seen.stat.exists\n".to_owned(),
            2,
            "the condition holds at the first attempt",
        ),
        (
            "    - command: 'true'\n      changed_when: false\n".to_owned(),
            6,
            "a command ends the window, and the next one is as wide",
        ),
    ] {
        let tasks = format!("  tasks:\n{}{between}{}", same.repeat(3), same.repeat(3));
        let files = [("a/x", "one"), ("b/x", "one")];
        let (ran, trips_with) = run_with_and_without_look_ahead(&tasks, &files);
        assert_eq!(trips_with, trips, "{why}: {between}\n{:?}", ran.told);
    }
}
