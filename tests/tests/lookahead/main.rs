//! Properties of random plays: look-ahead spares round trips and nothing else; check mode tells no lie.

mod plays;
mod runs;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use convoy::events::Verdict;
use plays::{Play, Project, plays};
use runs::Place;

/// Plays that are tried unless `PROPTEST_CASES` says how many: each is run four times.
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

/// Applies a play twice with and twice without look-ahead.
fn compare(play: &Play) -> Result<(), TestCaseError> {
    let project = play.project();
    let place = Place::new(play.hosts);
    let twice = |look_ahead| {
        place.reset(&play.files);
        [place.run(&project, look_ahead), place.run(&project, look_ahead)]
    };
    let (plain, ahead) = (twice(false), twice(true));
    for (run, ((plain, naive), (ahead, spared))) in plain.iter().zip(&ahead).enumerate() {
        prop_assert_eq!(plain, ahead, "run {} of:\n{}", run + 1, &project);
        prop_assert!(plain.exit.is_ok(), "{:?}:\n{}", &plain.exit, &project);
        prop_assert!(
            spared <= naive,
            "run {}: {} round trips, not {}:\n{}",
            run + 1,
            spared,
            naive,
            &project
        );
    }
    Ok(())
}

#[test]
fn a_play_ends_the_same_with_and_without() {
    let outcome = TestRunner::new(config()).run(&plays(), |play| compare(&play));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Runs a play in which hosts have nothing to do with each other, in each order; each host goes the same way.
fn in_each_order(play: &Play) -> Result<(), TestCaseError> {
    let place = Place::new(play.hosts);
    let mut ways = ["strategy: linear", "strategy: free", "strategy: host_pinned"].map(|strategy| {
        let project = play.clone().apart(strategy).project();
        place.reset(&play.files);
        let mut ran = [true, false].map(|look_ahead| place.run(&project, look_ahead).0);
        // The headings are in the order of the results.
        ran.iter_mut().for_each(|ran| drop(ran.told.remove("headings")));
        (ran, project)
    });
    let (first, others) = ways.split_first_mut().expect("three ways");
    for (ran, project) in others {
        prop_assert_eq!(&first.0, ran, "{}", project);
    }
    Ok(())
}

#[test]
fn where_hosts_share_nothing_their_order_means_nothing() {
    let outcome = TestRunner::new(config()).run(&plays(), |play| in_each_order(&play));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Checks a play, then runs it, and compares what was foretold with what came.
fn foretell(play: Play) -> Result<(), TestCaseError> {
    let play = play.without_hidden_writes();
    let project = play.project();
    let place = Place::new(play.hosts);
    place.reset(&play.files);
    let before = place.files();
    let checked = place.check(&project);
    prop_assert_eq!(&checked.files, &before, "check mode wrote:\n{}", &project);
    let (ran, _) = place.run(&project, true);
    for (what, foretold) in &checked.verdicts {
        // What was not reached has no result; handlers may have run at other times.
        let Some(came) = ran.verdicts.get(what).filter(|came| came.len() == foretold.len()) else { continue };
        for (foretold, came) in foretold.iter().zip(came) {
            let open = matches!(foretold, None | Some(Verdict::Unknown));
            prop_assert!(
                open || foretold == came,
                "{:?}: {:?}, then {:?}\n{:#?}\nof:\n{}",
                what,
                foretold,
                came,
                &checked.told,
                &project
            );
        }
    }
    Ok(())
}

#[test]
fn what_check_mode_foretells_comes_true() {
    let outcome = TestRunner::new(config()).run(&plays(), foretell);
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Runs tasks on two hosts with and without look-ahead and checks that they end the same.
fn both(tasks: &str, files: &[(&str, &str)]) -> (runs::Ran, u64) {
    let place = Place::new(2);
    let files: Vec<_> = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let yaml = format!("- hosts: all\n  gather_facts: false\n{tasks}");
    let project = Project { site: yaml.clone(), included: Vec::new() };
    let run = |look_ahead| {
        place.reset(&files);
        place.run(&project, look_ahead)
    };
    let (plain, naive) = run(false);
    let (ahead, spared) = run(true);
    assert_eq!(plain, ahead, "{yaml}");
    assert_eq!(ahead.exit, Ok(0), "{yaml}");
    assert!(spared <= naive, "{spared} round trips, not {naive}:\n{yaml}");
    (ahead, spared)
}

#[test]
fn what_one_host_does_another_one_sees() {
    // The second host's file would have been as asked, had the first one not changed it just before.
    let tasks = "  tasks:
    - ping:
      delegate_to: b
    - copy: {content: '{{ inventory_hostname }}', dest: '{{ root }}/shared/x'}
      delegate_to: b
";
    let (ran, _) = both(tasks, &[("shared/x", "b")]);
    assert!(ran.files.iter().any(|file| file.ends_with("/shared/x 100644 \"b\"")), "{:?}", ran.files);
    assert!(ran.told["b"].last().is_some_and(|stats| stats.contains("changed: 1")), "{:?}", ran.told["b"]);
}

#[test]
fn what_a_handler_does_here_counts() {
    // Nothing is done on a node before the handler, and the handler is done on none.
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
    let (ran, _) = both(tasks, &[]);
    assert!(!ran.files.iter().any(|file| file.contains("/shared/x ")), "{:?}", ran.files);
}

#[test]
fn a_try_whose_condition_is_wrong_was_a_try() {
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
    let (ran, _) = both(tasks, &[]);
    assert!(!ran.files.iter().any(|file| file.contains("/shared/x ")), "{:?}", ran.files);
}

#[test]
fn where_nothing_changes_a_play_costs_a_round_trip_a_host() {
    let same = "    - copy: {content: one, dest: '{{ root }}/{{ inventory_hostname }}/x'}\n";
    let gone = "    - file: {path: '{{ root }}/shared/y', state: absent}\n";
    for (between, trips, why) in [
        (String::new(), 2, "all in one"),
        ("    - meta: flush_handlers\n".to_owned(), 2, "nothing is notified"),
        (format!("{gone}      run_once: true\n"), 2, "seen by the one that does it"),
        (
            format!("{gone}      delegate_to: b\n      when: inventory_hostname == 'a'\n"),
            3,
            "the delegate is asked when its turn comes",
        ),
        (
            "    - stat: {path: '{{ root }}/shared'}\n      register: seen\n    - debug: {var: seen.stat.isdir}\n"
                .to_owned(),
            2,
            "a value that only this side needs",
        ),
        (
            format!("    - stat: {{path: '{{{{ root }}}}/shared'}}\n      register: seen\n{gone}      when: not seen.stat.isdir\n"),
            2,
            "skipped when its turn comes",
        ),
        (
            format!("    - stat: {{path: '{{{{ root }}}}/shared'}}\n      register: seen\n{gone}      when: seen.stat.isdir\n"),
            4,
            "one more for a value that a later task needs; what follows that was seen already",
        ),
        (
            "    - stat: {path: '{{ root }}/shared'}\n      register: seen\n      until: seen.stat.exists\n".to_owned(),
            2,
            "satisfied at once",
        ),
        (
            "    - command: 'true'\n      changed_when: false\n".to_owned(),
            6,
            "what is run ends a window, but leaves the next as wide",
        ),
    ] {
        let tasks = format!("  tasks:\n{}{between}{}", same.repeat(3), same.repeat(3));
        let files = [("a/x", "one"), ("b/x", "one")];
        let (ran, spared) = both(&tasks, &files);
        assert_eq!(spared, trips, "{why}: {between}\n{:?}", ran.told);
    }
}
