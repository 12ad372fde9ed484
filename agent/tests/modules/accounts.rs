//! `group` and `user`, on layers over the machine's own files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use convoy_protocol::{Diff, Map, Status, Value, map};

use super::harness::{Node, text};
use super::isolated::{hide, isolated};

const HASH: &str = "$6$rounds=656000$TT4O7jz2M57npccl$33LF6FcUMSW11qrESXL1HX0BS.bsiT6aenFLLiVpsQh6hDtI9pJh5iY7x8J7ePkN4fP8hmElidHXaeD51pbGS.";

/// Returns the fields of an account in one of the databases.
fn fields(file: &str, name: &str) -> Option<Vec<String>> {
    let all = fs::read_to_string(file).unwrap();
    let line = all.lines().find(|line| line.starts_with(&format!("{name}:")))?;
    Some(line.split(':').map(str::to_owned).collect())
}

fn shadow(name: &str, index: usize) -> String {
    fields("/etc/shadow", name).unwrap()[index].clone()
}

fn user(more: Map) -> Map {
    let mut args = map! { "name" => "convoyed" };
    args.extend(more);
    args
}

fn diff(outcome: &convoy_protocol::Outcome) -> (String, String) {
    let [Diff::Text { before, after }] = &outcome.diff[..] else { panic!("{:?}", outcome.diff) };
    (before.text.clone(), after.text.clone())
}

#[test]
fn a_group_comes_changes_and_goes() {
    isolated(|node| {
        let made = node.converges("group", map! { "name" => "convoyed", "gid" => 7301 });
        assert_eq!(
            made.values,
            map! { "name" => "convoyed", "state" => "present", "system" => false, "gid" => 7301 }
        );
        let changed = node.converges("group", map! { "name" => "convoyed", "gid" => "7302" });
        assert_eq!(changed.values["gid"], 7302.into());
        assert!(diff(&changed).0.contains("\"gid\": 7301") && diff(&changed).1.contains("\"gid\": 7302"));
        let other = map! { "name" => "convoyed2", "gid" => 7302 };
        assert_eq!(node.fails("group", other.clone()), "GID '7302' already exists with group 'convoyed'");
        let mut shared = other;
        shared.insert("non_unique".into(), true.into());
        node.converges("group", shared);
        let gone = node.converges("group", map! { "name" => "convoyed", "state" => "absent" });
        assert_eq!(gone.values, map! { "name" => "convoyed", "state" => "absent" });
        assert_eq!(fields("/etc/group", "convoyed"), None);
        let system = node.converges("group", map! { "name" => "convoyed", "system" => true });
        assert!(system.values["gid"].as_int().unwrap() < 1000);
        let range = map! { "name" => "convoyed3", "gid_min" => 7400, "gid_max" => 7400 };
        assert_eq!(node.converges("group", range.clone()).values["gid"], 7400.into());
        let full = map! { "name" => "convoyed4", "gid_min" => 7400, "gid_max" => 7400 };
        let failed = node.run("group", full);
        assert_eq!((failed.status, text(&failed, "name")), (Status::Failed, "convoyed4"));
        assert!(text(&failed, "msg").starts_with("groupadd: "), "{:?}", failed.values);
    });
}

#[test]
fn groups_refused() {
    let mut node = Node::new();
    let group = |more: Map| {
        let mut args = map! { "name" => "convoyed" };
        args.extend(more);
        args
    };
    for (args, expected) in [
        (map! { "non_unique" => true }, "non_unique is True but all of the following are missing: gid"),
        (
            map! { "force" => true, "local" => true },
            "force is not a valid option for local, force=True and local=True are mutually exclusive",
        ),
        (map! { "local" => true, "gid_min" => 1 }, "'gid_min' can not be used with 'local'"),
        (map! { "local" => true, "gid_max" => 1 }, "'gid_max' can not be used with 'local'"),
        (map! { "gid" => -1 }, "gid is -1, not a number of a group"),
        (map! { "state" => "gone" }, "value of state must be one of: absent, present, got: gone"),
    ] {
        assert_eq!(node.fails("group", group(args)), expected);
    }
}

#[test]
fn a_program_that_is_missing_is_named() {
    isolated(|node| {
        hide("/usr/sbin");
        let mut order = Node::order("group", map! { "name" => "convoyed" }, false);
        order.environment.push(("PATH".into(), "/usr/sbin:/usr/bin".into()));
        let expected = "Failed to find required executable \"groupadd\" in paths: /usr/sbin:/usr/bin:/sbin:/usr/local/sbin";
        assert_eq!(text(&node.obey(&order), "msg"), expected);
    });
}

#[test]
fn an_account_with_all_that_it_can_have() {
    isolated(|node| {
        node.converges("group", map! { "name" => "convoyed-g", "gid" => 7310 });
        node.converges("group", map! { "name" => "convoyed-h" });
        let args = user(map! {
            "uid" => 7311, "group" => "convoyed-g", "groups" => "convoyed-h,users", "comment" => "For convoy",
            "home" => "/home/deep/convoyed", "shell" => "/bin/sh", "password" => HASH, "expires" => 1_893_456_000.5,
            "password_expire_max" => 90, "password_expire_min" => 1, "password_expire_warn" => 7,
            "password_expire_account_disable" => 15,
        });
        let made = node.converges("user", args);
        let expected = map! {
            "name" => "convoyed", "state" => "present", "uid" => 7311, "group" => 7310, "comment" => "For convoy",
            "home" => "/home/deep/convoyed", "shell" => "/bin/sh", "groups" => "convoyed-h,users", "system" => false,
            "create_home" => true, "password" => "NOT_LOGGING_PASSWORD",
        };
        assert_eq!(made.values, expected);
        let entry = fields("/etc/shadow", "convoyed").unwrap();
        assert_eq!(
            (entry[1].as_str(), &entry[3..8]),
            (HASH, &["1", "90", "7", "15", "21915"].map(String::from)[..])
        );
        let home = fs::metadata("/home/deep/convoyed").unwrap();
        assert_eq!((home.uid(), home.gid()), (7311, 7310));
        assert!(fields("/etc/group", "users").unwrap()[3].contains("convoyed"));
        let text = format!("{made:?}");
        assert!(!text.contains(HASH), "{text}");
    });
}

#[test]
fn an_account_changes_field_by_field() {
    isolated(|node| {
        node.converges("group", map! { "name" => "convoyed-h" });
        // A number that no process of this machine has.
        node.converges("user", user(map! { "uid" => 7319 }));
        for (args, before, after) in [
            (map! { "uid" => 7320 }, "uid", "7320"),
            (map! { "comment" => "new" }, "comment", "\"new\""),
            (map! { "shell" => "/bin/bash" }, "shell", "\"/bin/bash\""),
            (map! { "groups" => "convoyed-h" }, "groups", "\"convoyed-h\""),
            (map! { "groups" => "users", "append" => true }, "groups", "\"convoyed-h,users\""),
            (map! { "groups" => Vec::<Value>::new() }, "groups", "\"\""),
            (map! { "group" => "users" }, "group", "100"),
            (map! { "expires" => 0 }, "expires", "\"1970-01-01\""),
            (map! { "expires" => -1 }, "expires", "\"\""),
            (map! { "password_expire_max" => 30 }, "password_expire_max", "30"),
            (map! { "password_expire_account_disable" => 5 }, "password_expire_account_disable", "5"),
        ] {
            let done = node.converges("user", user(args));
            let (old, new) = diff(&done);
            assert!(old.contains(&format!("\"{before}\": ")), "{old}");
            assert!(new.contains(&format!("\"{before}\": {after}")), "{new}");
        }
        fs::write("/home/convoyed/kept", "").unwrap();
        node.converges("user", user(map! { "home" => "/home/moved", "move_home" => true }));
        assert!(Path::new("/home/moved/kept").exists() && !Path::new("/home/convoyed").exists());
        let error = node.fails("user", user(map! { "groups" => "no such group" }));
        assert_eq!(error, "Group no such group does not exist");
        let taken = node.fails("user", user(map! { "uid" => 0 }));
        assert_eq!(taken, "UID '0' already exists with user 'root'");
        node.converges("user", user(map! { "state" => "absent", "remove" => true }));
        assert!(!Path::new("/home/moved").exists());
        assert_eq!(fields("/etc/passwd", "convoyed"), None);
    });
}

#[test]
fn passwords_are_set_and_locked() {
    isolated(|node| {
        let made = node.converges("user", user(map! { "password" => HASH, "password_lock" => true }));
        assert_eq!(shadow("convoyed", 1), format!("!{HASH}"));
        assert!(!made.values.contains_key("warnings"));
        node.converges("user", user(map! { "password_lock" => false }));
        assert_eq!(shadow("convoyed", 1), HASH);
        node.converges("user", user(map! { "password_lock" => true }));
        let star = node.converges("user", user(map! { "password" => "*" }));
        assert_eq!(shadow("convoyed", 1), "*");
        assert!(diff(&star).1.contains("\"password\": \"******** (another one)\""));
        let kept = node.run("user", user(map! { "password" => HASH, "update_password" => "on_create" }));
        assert_eq!((kept.status, shadow("convoyed", 1).as_str()), (Status::Same, "*"));
        let plain = node.run("user", user(map! { "password" => "secret" }));
        let warning = "The input password appears not to have been hashed. The 'password' argument must be encrypted for this module to work properly.";
        assert_eq!(plain.values["warnings"], vec![Value::from(warning)].into());
        // One that never had a password is as unlocked as it can be.
        node.converges("user", map! { "name" => "convoyed2" });
        let open = node.run("user", map! { "name" => "convoyed2", "password_lock" => false });
        assert_eq!(open.status, Status::Same);
    });
}

#[test]
fn hashes_are_in_no_argument_of_a_program() {
    isolated(|node| {
        // Each program that is run notes its arguments first.
        fs::create_dir(node.path("bin")).unwrap();
        for name in ["useradd", "usermod", "chpasswd", "ssh-keygen"] {
            let real = ["/usr/sbin", "/usr/bin"].map(|directory| format!("{directory}/{name}"));
            let real = real.iter().find(|path| Path::new(path).exists()).unwrap();
            let script = format!(
                "#!/bin/sh\necho \"{name} $*\" >>{}\nenv >>{0}\nexec {real} \"$@\"\n",
                node.text("log")
            );
            node.write(&format!("bin/{name}"), &script);
            fs::set_permissions(
                node.path(&format!("bin/{name}")),
                std::os::unix::fs::PermissionsExt::from_mode(0o755),
            )
            .unwrap();
        }
        let run = |node: &mut Node, args: Map| {
            let mut order = Node::order("user", user(args), false);
            order.environment.push(("PATH".into(), format!("{}:/usr/bin:/bin:/usr/sbin", node.text("bin"))));
            let outcome = node.obey(&order);
            assert_eq!(outcome.status, Status::Changed, "{:?}", outcome.values);
        };
        run(node, map! { "password" => HASH });
        run(node, map! { "password" => HASH.replace("33LF", "44LF") });
        run(
            node,
            map! { "generate_ssh_key" => true, "ssh_key_type" => "ed25519", "ssh_key_passphrase" => "open sesame" },
        );
        let log = node.read("log");
        for name in ["useradd", "chpasswd", "ssh-keygen"] {
            assert!(log.contains(&format!("{name} ")), "{log}");
        }
        assert!(!log.contains("$6$") && !log.contains("sesame"), "{log}");
    });
}

#[test]
fn a_home_directory_is_made_later() {
    isolated(|node| {
        fs::create_dir(node.path("skel")).unwrap();
        node.write("skel/.profile", "hello\n");
        node.write("flag", "");
        std::os::unix::fs::symlink(node.path("flag"), node.path("skel/link")).unwrap();
        let made = node.converges("user", user(map! { "create_home" => false }));
        assert_eq!(made.values["create_home"], false.into());
        assert!(!Path::new("/home/convoyed").exists());
        let args = user(map! { "skeleton" => node.text("skel"), "umask" => "077" });
        let done = node.converges("user", args);
        let home = fs::metadata("/home/convoyed").unwrap();
        assert_eq!(
            (i64::from(home.uid()), home.mode() & 0o777),
            (done.values["uid"].as_int().unwrap(), 0o700)
        );
        assert_eq!(fs::metadata("/home/convoyed/.profile").unwrap().uid(), home.uid());
        // What a link leads to is not given away.
        assert_eq!(fs::metadata(node.path("flag")).unwrap().uid(), 0);
        assert_eq!(fs::read_link("/home/convoyed/link").unwrap(), node.path("flag"));
    });
}

#[test]
fn a_key_is_made_once() {
    isolated(|node| {
        let args = map! {
            "generate_ssh_key" => true, "ssh_key_type" => "ed25519", "ssh_key_comment" => "convoy", "ssh_key_passphrase" => "open sesame",
        };
        let done = node.converges("user", user(args.clone()));
        assert_eq!(text(&done, "ssh_key_file"), "/home/convoyed/.ssh/id_ed25519");
        assert!(
            text(&done, "ssh_public_key").starts_with("ssh-ed25519 ")
                && text(&done, "ssh_public_key").ends_with(" convoy")
        );
        assert!(text(&done, "ssh_fingerprint").ends_with(" convoy (ED25519)"));
        let key = fs::metadata("/home/convoyed/.ssh/id_ed25519").unwrap();
        assert_eq!((i64::from(key.uid()), key.mode() & 0o777), (done.values["uid"].as_int().unwrap(), 0o600));
        let opened = node.run(
            "command",
            map! { "_raw_params" => "ssh-keygen -y -P 'open sesame' -f /home/convoyed/.ssh/id_ed25519" },
        );
        assert_eq!(opened.status, Status::Changed, "{:?}", opened.values);
        let mut forced = args;
        forced.insert("force".into(), true.into());
        let again = node.run("user", user(forced));
        assert_eq!(again.status, Status::Changed);
        assert_ne!(again.values["ssh_public_key"], done.values["ssh_public_key"]);
        let mut names: Vec<_> =
            fs::read_dir("/home/convoyed/.ssh").unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["id_ed25519", "id_ed25519.pub"]);
    });
}

#[test]
fn accounts_refused() {
    let mut node = Node::new();
    for (args, expected) in [
        (
            map! { "login_class" => "x" },
            "login_class is not supported by convoy: it means something on BSD only",
        ),
        (map! { "hidden" => true }, "hidden is not supported by convoy: it means something on macOS only"),
        (map! { "profile" => "x" }, "profile is not supported by convoy: it means something on Solaris only"),
        (map! { "local" => true, "umask" => "077" }, "'umask' can not be used with 'local'"),
        (map! { "local" => true, "uid_min" => 1 }, "'uid_min' can not be used with 'local'"),
        (map! { "password" => "a\nroot:b" }, "password holds a line end or a colon, which no hash has"),
        (map! { "group" => "no such group" }, "Group no such group does not exist"),
        (map! { "uid" => 0 }, "UID '0' already exists with user 'root'"),
    ] {
        assert_eq!(node.fails("user", user(args)), expected);
    }
}

#[test]
fn what_the_node_says_of_an_account_is_handed_on() {
    isolated(|node| {
        let failed = node.run("user", map! { "name" => "Not:A:Name", "create_home" => false });
        assert_eq!((failed.status, text(&failed, "name")), (Status::Failed, "Not:A:Name"));
        assert!(
            text(&failed, "msg").starts_with("useradd: invalid user name 'Not:A:Name'"),
            "{:?}",
            failed.values
        );
        assert_eq!(failed.values["rc"], 3.into());
    });
}
