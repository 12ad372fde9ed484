//! The user that tasks run as.

use convoy_protocol::{Map, map};

use crate::system::SystemView;

pub(super) fn collect(view: &SystemView, facts: &mut Map) {
    let uid = view.uid();
    facts.extend(map! {
        "user_uid" => uid,
        "user_gid" => view.gid(),
        "effective_user_id" => uid,
        "effective_group_id" => view.gid(),
        "real_user_id" => rustix::process::getuid().as_raw(),
        "real_group_id" => rustix::process::getgid().as_raw(),
    });
    if let Some(user) = view.user_by_id(uid) {
        facts.extend(map! {
            "user_id" => user.name,
            "user_gid" => user.gid,
            "user_gecos" => user.gecos,
            "user_dir" => user.home,
            "user_shell" => user.shell,
        });
    }
}
