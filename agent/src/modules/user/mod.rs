//! `user`: an account.

mod account;
mod args;
mod command;
mod home;
mod libuser;
mod password;
mod plan;
mod ssh_key;

use convoy_protocol::{Map, Value, map};

pub use args::{Args, UpdatePassword};
pub use plan::Plan;

use crate::args::State;
use crate::failure::Failure;
use crate::files::difference;
use crate::metadata::{Access, Behavior, Doc, Reversibility};
use crate::module::{Checked, Done};
use crate::system::{Process, System, SystemView, User};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sees to it that there is an account, or is not",
    description: "Uses `useradd`, `usermod`, `userdel` and `chage`; with `local`, libuser's programs. A password is \
        given as its hash, and handed to `chpasswd` by standard input: it is never an argument of a program, which \
        every user of the node could read.",
    example: "- name: Make the account that runs the product\n  user:\n    name: wso2carbon\n    uid: 802\n    group: wso2\n    home: /home/wso2carbon\n    shell: /bin/bash\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior {
    reversibility: Reversibility::Irreversible("it changes accounts"),
    ..Behavior::new(Access::WriteTree)
};

fn validate(args: &Args) -> Result<(), Failure> {
    let foreign = [
        ("login_class", args.login_class.is_some(), "BSD"),
        ("hidden", args.hidden.is_some(), "macOS"),
        ("profile", args.profile.is_some(), "Solaris"),
        ("authorization", args.authorization.is_some(), "Solaris"),
        ("role", args.role.is_some(), "Solaris"),
    ];
    if let Some((name, _, of)) = foreign.iter().find(|(_, is_given, _)| *is_given) {
        return Err(Failure::new(format!(
            "{name} is not supported by convoy: it means something on {of} only"
        )));
    }
    let not_local = [
        ("umask", args.umask.is_some()),
        ("uid_min", args.uid_min.is_some()),
        ("uid_max", args.uid_max.is_some()),
    ];
    if let Some((name, _)) = not_local.iter().find(|(_, is_given)| *is_given && args.local) {
        return Err(Failure::new(format!("'{name}' can not be used with 'local'")));
    }
    if args.password.as_ref().is_some_and(|hash| hash.contains(['\n', ':'])) {
        return Err(Failure::new("password holds a line end or a colon, which no hash has"));
    }
    Ok(())
}

fn existing(args: &Args, view: &SystemView) -> Option<User> {
    if args.local { view.local_user(&args.name) } else { view.user(&args.name) }
}

/// Compares the account with what is asked for.
///
/// # Errors
/// If the arguments contradict each other, a group does not exist, or a program is missing.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    validate(args)?;
    let user = existing(args, view);
    let mut values = values(args, view);
    let (plan, changes) = match (args.state, &user) {
        (State::Absent, None) => return Ok(Checked::Same(values)),
        (State::Absent, Some(_)) => (account::remove(args, view)?, account::gone(args)),
        (State::Present, None) => account::create(args, view)?,
        (State::Present, Some(user)) => account::modify(args, view, user)?,
    };
    if args.state == State::Present {
        values.extend(outcome(args, plan.creates));
    }
    if plan.is_empty() {
        return Ok(Checked::Same(values));
    }
    let diff = if view.wants_diff() {
        vec![difference::of_maps(&changes.before, &changes.after)]
    } else {
        Vec::new()
    };
    Ok(Checked::Differs { plan, diff, values })
}

fn outcome(args: &Args, creates: bool) -> Map {
    if creates {
        map! { "system" => args.system, "create_home" => args.create_home }
    } else {
        map! { "append" => args.append, "move_home" => args.move_home }
    }
}

fn warnings(args: &Args) -> Vec<Value> {
    let mut all = Vec::new();
    if args.groups.is_none() && args.append {
        all.push("'append' is set, but no 'groups' are specified. Use 'groups' for appending new groups.This will change to an error in Ansible 2.14.".into());
    }
    if args.password.as_deref().is_some_and(|password| !password::is_hash(password)) {
        all.push("The input password appears not to have been hashed. The 'password' argument must be encrypted for this module to work properly.".into());
    }
    all
}

fn values(args: &Args, view: &SystemView) -> Map {
    let is_wanted = args.state == State::Present;
    let mut values = map! { "name" => &*args.name, "state" => if is_wanted { "present" } else { "absent" } };
    let warnings = warnings(args);
    if !warnings.is_empty() {
        values.insert("warnings".into(), warnings.into());
    }
    if !is_wanted {
        return values;
    }
    if args.password.is_some() {
        values.insert("password".into(), "NOT_LOGGING_PASSWORD".into());
    }
    if let Some(user) = existing(args, view) {
        values.extend(map! {
            "uid" => user.uid, "group" => user.gid, "comment" => &*user.gecos, "home" => &*user.home, "shell" => &*user.shell,
        });
        if let Some(groups) = &args.groups {
            values.insert("groups".into(), groups.join(",").into());
        }
        if args.generate_ssh_key {
            values.extend(ssh_key::describe(args, view, &user));
        }
    }
    values
}

/// Makes, changes or removes the account.
///
/// # Errors
/// If a program fails; with what it says. What was done before it stays, and a second run goes on from there.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    let named = |failure: Failure| failure.with("name", &*args.name);
    let mut said = Map::new();
    for argv in plan.programs {
        let output = node.run_checked(&Process::new(argv)).map_err(named)?;
        said.extend(output.nonempty_values());
    }
    if let Some(hash) = &plan.password {
        password::set(&args.name, hash, node).map_err(named)?;
    }
    if args.state == State::Absent {
        let mut values = map! { "force" => args.force, "remove" => args.remove };
        values.extend(said);
        return Ok(Done { changed: true, values });
    }
    let user = existing(args, node)
        .ok_or_else(|| named(Failure::new(format!("failed to look up user name: {}", args.name))))?;
    if plan.home {
        home::create(args, &home::home_of(args, node, &user), &user, node)?;
    }
    if plan.key {
        ssh_key::generate(args, &user, node).map_err(named)?;
    }
    if let Some(argv) = plan.chage {
        node.run_checked(&Process::new(argv)).map_err(named)?;
    }
    let mut values = values(args, node);
    values.extend(outcome(args, plan.creates));
    values.extend(said);
    Ok(Done { changed: true, values })
}
