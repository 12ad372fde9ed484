//! File metadata under Ansible's names.

use convoy_protocol::{Map, Value, map};

use crate::stat::{FileKind, Meta};
use crate::system::SystemView;

/// Converts a count to a value.
pub fn whole(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

/// Returns the values that `stat` and `find` both return.
pub fn of(view: &SystemView, meta: &Meta) -> Map {
    let bit = |mask: u32| meta.mode & mask != 0;
    map! {
        "mode" => format!("{:04o}", meta.mode),
        "isdir" => meta.is_dir(),
        "ischr" => meta.kind == FileKind::CharDevice,
        "isblk" => meta.kind == FileKind::BlockDevice,
        "isreg" => meta.is_file(),
        "isfifo" => meta.kind == FileKind::Fifo,
        "islnk" => meta.is_link(),
        "issock" => meta.kind == FileKind::Socket,
        "uid" => meta.uid,
        "gid" => meta.gid,
        "size" => whole(meta.size),
        "inode" => whole(meta.ino),
        "dev" => whole(meta.dev),
        "nlink" => whole(meta.nlink),
        "atime" => meta.atime.as_f64(),
        "mtime" => meta.mtime.as_f64(),
        "ctime" => meta.ctime.as_f64(),
        "gr_name" => view.group_name(meta.gid).unwrap_or_default(),
        "pw_name" => view.user_by_id(meta.uid).map(|user| user.name).unwrap_or_default(),
        "wusr" => bit(0o200),
        "rusr" => bit(0o400),
        "xusr" => bit(0o100),
        "wgrp" => bit(0o020),
        "rgrp" => bit(0o040),
        "xgrp" => bit(0o010),
        "woth" => bit(0o002),
        "roth" => bit(0o004),
        "xoth" => bit(0o001),
        "isuid" => bit(0o4000),
        "isgid" => bit(0o2000),
    }
}
