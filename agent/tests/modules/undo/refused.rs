//! What is not as the run left it is not touched.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use convoy_protocol::{Status, Taint, Value, map};

use super::super::harness::text;
use super::{RUN, Recorded, UNDO, texts};

fn put(here: &mut Recorded, name: &str, content: &str) {
    let args = map! { "dest" => here.node.text(name), "content" => content };
    here.does("copy", args);
}

/// Returns where the first thing that was kept is.
fn kept(here: &Recorded) -> std::path::PathBuf {
    let directory = here.state.path().join("runs").join(RUN).join("kept");
    fs::read_dir(directory).unwrap().next().unwrap().unwrap().path()
}

fn name(path: &std::path::Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn after_an_edit_by_hand() {
    let mut here = Recorded::new();
    here.node.write("a", "old\n");
    here.node.write("b", "old\n");
    put(&mut here, "a", "new\n");
    put(&mut here, "b", "new\n");
    put(&mut here, "made", "new\n");
    here.node.write("a", "mine\n");
    fs::remove_file(here.node.path("made")).unwrap();
    let id = here.record().split_whitespace().nth(4).unwrap().to_owned();
    let says = format!("/a has changed since the run: its content differs; a backup is in STATE/kept/{id}");
    assert_eq!(here.refused(), [says]);
    // Who puts it back by hand can go on; what somebody has removed is gone already.
    fs::copy(kept_of(&here, &id), here.node.path("a")).unwrap();
    let done = here.undo(RUN, UNDO);
    assert_eq!(done.status, Status::Changed, "{:?}", done.values);
    assert_eq!((here.node.read("a").as_str(), here.node.read("b").as_str()), ("old\n", "old\n"));
}

fn kept_of(here: &Recorded, id: &str) -> std::path::PathBuf {
    here.state.path().join("runs").join(RUN).join("kept").join(id)
}

#[test]
fn after_other_changes_by_hand() {
    let mut here = Recorded::new();
    here.node.write("gone", "old\n");
    here.node.write("mode", "old\n");
    let args = map! { "path" => here.node.text("gone"), "state" => "absent" };
    here.does("file", args);
    put(&mut here, "mode", "new\n");
    let args = map! { "path" => here.node.text("directory/deep"), "state" => "directory" };
    here.does("file", args);
    here.node.write("gone", "again\n");
    fs::set_permissions(here.node.path("mode"), Permissions::from_mode(0o600)).unwrap();
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        here.node.write(&format!("directory/{name}"), "mine\n");
    }
    let all = here.refused();
    let ids: Vec<String> = all.iter().map(|text| text.rsplit('/').next().unwrap().to_owned()).collect();
    assert_eq!(
        all,
        [
            "/directory was created by the run, but contains what the run did not create: a, b, c, d, e and 2 more"
                .to_owned(),
            format!(
                "/mode has changed since the run: its mode is 0600 instead of 0644; a backup is in STATE/kept/{}",
                ids[1]
            ),
            format!(
                "/gone has changed since the run: it is a file now, but the run removed it; a backup is in \
                 STATE/kept/{}",
                ids[2]
            ),
        ]
    );
}

#[test]
fn after_what_is_kept_was_written_to() {
    let mut here = Recorded::new();
    here.node.write("log", "old\n");
    // Who has it open goes on writing to what is kept now.
    let mut writer = OpenOptions::new().append(true).open(here.node.path("log")).unwrap();
    put(&mut here, "log", "new\n");
    writer.write_all(b"late\n").unwrap();
    let kept = kept(&here);
    assert_eq!(fs::read_to_string(&kept).unwrap(), "old\nlate\n");
    let says = format!(
        "the backup of /log in STATE/kept/{} was modified: another program has written to that file",
        name(&kept)
    );
    assert_eq!(here.refused(), [says]);
    fs::remove_file(&kept).unwrap();
    let says = format!("the backup of /log is missing from STATE/kept/{}", name(&kept));
    assert_eq!(here.refused(), [says]);
}

#[test]
fn after_a_tree_that_is_kept_was_written_to() {
    let mut here = Recorded::new();
    fs::create_dir_all(here.node.path("t/deep")).unwrap();
    here.node.write("t/deep/log", "old\n");
    let mut writer = OpenOptions::new().append(true).open(here.node.path("t/deep/log")).unwrap();
    let args = map! { "path" => here.node.text("t"), "state" => "absent" };
    here.does("file", args);
    writer.write_all(b"late\n").unwrap();
    let says = format!(
        "the backup of /t in STATE/kept/{} was modified: another program has written to that file",
        name(&kept(&here))
    );
    assert_eq!(here.refused(), [says]);
}

#[test]
fn what_is_secret_is_not_kept() {
    let mut here = Recorded::new();
    let secret = |text: &str| Value::from(text).tainted(Taint::SECRET);
    here.node.write("old", "hunter1\n");
    here.node.write("plain", "text\n");
    let args = map! { "dest" => here.node.text("old"), "content" => secret("hunter2\n") };
    here.does("copy", args);
    let args = map! { "dest" => here.node.text("new"), "content" => secret("hunter3\n"), "mode" => "0600" };
    here.does("copy", args);
    // A secret in the place of what was none: that is kept.
    put(&mut here, "plain", "more\n");
    let args = map! { "dest" => here.node.text("plain"), "content" => secret("hunter4\n") };
    here.does("copy", args);
    // It is still secret when a task without secrets removes it.
    let args = map! { "path" => here.node.text("new"), "mode" => "0640" };
    here.does("file", args);
    let runs = here.state.path().join("runs");
    let all = || {
        let mut files = std::collections::BTreeMap::new();
        for (path, entry) in super::listing(&runs) {
            files.insert(path, String::from_utf8_lossy(&entry.3).into_owned());
        }
        files
    };
    let digests = ["hunter1\n", "hunter2\n", "hunter3\n", "hunter4\n"]
        .map(|text| convoy_protocol::Digest::of(text.as_bytes()).to_string());
    let expect_none = || {
        for (path, text) in all() {
            assert!(!text.contains("hunter"), "{}: {text}", path.display());
            assert!(!digests.iter().any(|digest| text.contains(digest)), "{}: {text}", path.display());
        }
    };
    expect_none();
    let looked = here.view(RUN);
    let lost = here.node.text("old") + ": it contained a secret, and secrets are not backed up";
    assert_eq!(texts(&looked.values["lost"]), [lost]);
    let done = here.undo(RUN, UNDO);
    assert_eq!(done.status, Status::Changed, "{:?}", done.values);
    assert_eq!((here.node.read("old").as_str(), here.node.read("plain").as_str()), ("hunter2\n", "text\n"));
    assert!(!here.node.path("new").exists());
    expect_none();
    // It is told again that something is left.
    let again = here.undo(RUN, UNDO);
    assert_eq!((again.status, texts(&again.values["lost"]).len()), (Status::Same, 1));
}

#[test]
fn a_secret_that_was_edited_by_hand() {
    let mut here = Recorded::new();
    let secret = Value::from("hunter2\n").tainted(Taint::SECRET);
    let args = map! { "dest" => here.node.text("new"), "content" => secret };
    here.does("copy", args);
    here.node.write("new", "hunter2\n");
    let says = "/new has changed since the run: its content differs; nothing was there before the run";
    assert_eq!(here.refused(), [says]);
}

#[test]
fn a_damaged_record() {
    let mut here = Recorded::new();
    put(&mut here, "a", "new\n");
    let path = here.state.path().join("runs").join(RUN).join("changes");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("nothing", "nothinG")).unwrap();
    let done = here.undo(RUN, UNDO);
    let says = format!("cannot read {}: line 2 is damaged", path.display());
    assert_eq!((done.status, text_of(&done)), (Status::Failed, says));
    assert_eq!(here.node.read("a"), "new\n");
}

fn text_of(outcome: &convoy_protocol::Outcome) -> String {
    text(outcome, "msg").to_owned()
}

#[test]
fn a_change_that_was_announced_and_not_made() {
    let mut here = Recorded::new();
    here.node.write("a", "old\n");
    let before = here.listing();
    put(&mut here, "a", "new\n");
    // The agent was killed between the two: the old file is there, or the new one.
    let record = here.record();
    let new = here.listing();
    here.node.write("a", "old\n");
    restore_times(&here, &before);
    assert_eq!(here.undo(RUN, UNDO).status, Status::Same);
    // The last line was being written: what it announces was not begun.
    let path = here.state.path().join("runs").join(RUN).join("changes");
    fs::write(&path, record.trim_end()).unwrap();
    assert_eq!(here.undo(RUN, UNDO).status, Status::Same);
    fs::write(&path, &record).unwrap();
    here.node.write("a", "new\n");
    restore_times(&here, &new);
    assert_eq!(here.undo(RUN, UNDO).status, Status::Changed);
    assert_eq!(here.listing(), before);
}

/// Sets the times of files as they were.
fn restore_times(here: &Recorded, listing: &super::Listing) {
    for (path, entry) in listing.iter().filter(|(path, _)| path.is_file()) {
        let (seconds, nanos) = entry.4.unwrap();
        let span = std::time::Duration::new(seconds.cast_unsigned(), u32::try_from(nanos).unwrap());
        let file = OpenOptions::new().append(true).open(path).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + span).unwrap();
    }
    assert_eq!(&here.listing(), listing);
}
