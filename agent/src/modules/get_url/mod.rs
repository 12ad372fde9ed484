//! `get_url`: a file comes from a server.

mod args;
mod checksum;
mod request;

use std::path::{Path, PathBuf};
use std::time::Instant;

use convoy_protocol::{Map, Value, map};

pub use args::Args;

use crate::failure::Failure;
use crate::files::attributes;
use crate::files::put::{self, Inspection, Put, Source};
use crate::files::{dirname, ends_with_slash, with_directory};
use crate::http::{self, Download, Request, Response};
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::stat::Meta;
use crate::system::{System, SystemView};

use checksum::Checksum;
use request::request;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Fetches a file from an HTTP or HTTPS server",
    description: "The node fetches, not the workstation. With a `checksum` that the file has, the server is not even asked. Without \
        one it is asked whether it has a newer file; if that cannot be told, or `dest` is a directory, whether something is \
        different is only known once it was fetched.\n\n\
        A file is replaced whole or not at all, and only by one that has the `checksum`.",
    example: "- name: Fetch the driver\n  get_url:\n    url: https://repo.example.com/mysql-connector-j-8.4.0.jar\n    dest: /opt/wso2/lib/\n    \
        checksum: sha256:d77962877d010777cff997015da90ee689f0f4bb76848340e1488f2b83332af5\n    mode: '0644'\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::WriteTree);

/// What is to be done.
#[derive(Debug)]
pub enum Plan {
    /// The file is as asked but for its attributes.
    Attributes(Box<put::Plan>),
    /// It is to be fetched, if it is newer than the one that is there.
    Fetch(Option<Checksum>, Option<i64>),
}

fn dest(args: &Args, view: &SystemView) -> PathBuf {
    with_directory(view.expand(&args.dest))
}

fn shown(args: &Args) -> String {
    match http::Url::parse(&args.url) {
        Ok(url) if url.login.is_some() => url.to_string(),
        _ => args.url.clone(),
    }
}

fn since(view: &SystemView, request: &mut Request, seconds: i64) {
    request.headers.push(("If-Modified-Since".into(), view.http_date(seconds)));
}

/// Looks whether the file is there, and asks the server if it has a newer one.
///
/// # Errors
/// If the arguments make no request, or the file could not be written.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    args.file.refuse_unsupported(view)?;
    let dest = dest(args, view);
    let mut head = request(args, view, "HEAD", &args.url)?;
    let there = view.stat(&dest)?;
    let is_dir = ends_with_slash(&dest) || there.as_ref().is_some_and(Meta::is_dir);
    may_write(view, &dest, is_dir)?;
    let checksum = args.checksum.as_deref().filter(|text| !text.is_empty());
    let checksum = checksum.map(|text| Checksum::of(text, args, view)).transpose()?;
    let values = map! { "url" => shown(args), "dest" => dest.to_string_lossy().as_ref() };
    let unknown = |since| {
        let plan = Plan::Fetch(checksum.clone(), since);
        Ok(Checked::Unknown {
            plan,
            why: "the file would have been fetched, and compared",
            values: values.clone(),
        })
    };
    let Some(meta) = there.filter(|_| !is_dir) else {
        if is_dir {
            return unknown(None);
        }
        let plan = Plan::Fetch(checksum.clone(), None);
        return Ok(Checked::Differs { plan, diff: Vec::new(), values });
    };
    if args.force {
        return unknown(None);
    }
    match &checksum {
        Some(wanted) if wanted.is_of(view, &dest)? => already(args, view, dest, values),
        // The one that is there is not the one that is wanted, however new it is.
        Some(_) => {
            let plan = Plan::Fetch(checksum.clone(), None);
            Ok(Checked::Differs { plan, diff: Vec::new(), values })
        }
        None => {
            since(view, &mut head, meta.mtime.seconds);
            match http::send(view, head) {
                Ok(response) if response.status == 304 => already(args, view, dest, values),
                _ => unknown(Some(meta.mtime.seconds)),
            }
        }
    }
}

/// Answers for a file whose content is as asked.
fn already(args: &Args, view: &SystemView, dest: PathBuf, mut values: Map) -> Result<Checked<Plan>, Failure> {
    let put = Put::new(dest.clone(), Source::Node(dest), args.file.wanted());
    match put::check(put, view, Map::new())? {
        Checked::Same(found) => {
            values.insert("msg".into(), "file already exists".into());
            values.extend(found);
            Ok(Checked::Same(values))
        }
        Checked::Differs { plan, diff, values: found } => {
            values.insert("msg".into(), "file already exists but file attributes changed".into());
            values.extend(found);
            Ok(Checked::Differs { plan: Plan::Attributes(Box::new(plan)), diff, values })
        }
        Checked::Unknown { .. } => Err(Failure::new("a file that cannot be compared")),
    }
}

fn may_write(view: &SystemView, dest: &Path, is_dir: bool) -> Result<(), Failure> {
    let directory = if is_dir { dest.to_owned() } else { dirname(dest) };
    if !view.stat(&directory)?.is_some_and(|meta| meta.is_dir()) {
        return Err(Failure::new(format!("Destination {} does not exist", directory.display())));
    }
    if !view.can_write(&directory) {
        return Err(Failure::new(format!("Destination {} is not writable", directory.display())));
    }
    Ok(())
}

/// Fetches the file and puts it in its place.
///
/// # Errors
/// If it cannot be fetched, does not have the checksum, or cannot be written; the old file is untouched then.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    let (checksum, newer_than) = match plan {
        Plan::Attributes(plan) => return put::apply(*plan, node),
        Plan::Fetch(checksum, newer_than) => (checksum, newer_than),
    };
    let (start, dest) = (Instant::now(), dest(args, node));
    let mut request = request(args, node, "GET", &args.url)?;
    if let Some(seconds) = newer_than {
        since(node, &mut request, seconds);
    }
    let mut values = map! { "url" => shown(args), "dest" => dest.to_string_lossy().as_ref() };
    let failed = |msg: String, values: &Map| {
        let elapsed = i64::try_from(start.elapsed().as_secs()).unwrap_or_default();
        Failure { msg, values: values.clone() }.with("elapsed", elapsed)
    };
    let mut response = http::send(node, request).map_err(|error| failed(error.to_string(), &values))?;
    if response.status == 304 {
        values.extend(map! { "msg" => http::status_text(&response), "status_code" => 304 });
        return Ok(Done { changed: false, values });
    }
    if response.status != 200 {
        return Err(failed("Request failed".into(), &values)
            .with("status_code", i64::from(response.status))
            .with("response", http::status_text(&response)));
    }
    let is_dir = ends_with_slash(&dest) || node.stat(&dest)?.is_some_and(|meta| meta.is_dir());
    let dest = if is_dir { dest.join(http::file_name(&response)) } else { dest };
    values.insert("dest".into(), dest.to_string_lossy().as_ref().into());
    let directory = waiting(args, node)?;
    let download = fetch(node, &directory, &mut response).map_err(|failure| failed(failure.msg, &values))?;
    if let Some(checksum) = checksum {
        checksum.verify(node, &args.url, download.path()).map_err(|why| failed(why.msg, &values))?;
    }
    let length = response.header("content-length").unwrap_or_else(|| "unknown".into());
    values.extend(map! {
        "msg" => format!("OK ({length} bytes)"),
        "status_code" => 200,
        "elapsed" => i64::try_from(start.elapsed().as_secs()).unwrap_or_default(),
    });
    let changed = place(args, node, &dest, &download, &mut values)?;
    Ok(Done { changed, values })
}

/// Returns the directory in which the file waits.
fn waiting(args: &Args, view: &SystemView) -> Result<PathBuf, Failure> {
    let Some(directory) = args.tmp_dest.as_ref().map(|path| view.expand(path)) else {
        return Ok(view.temporary_directory());
    };
    match view.stat(&directory)? {
        Some(meta) if meta.is_dir() => Ok(directory),
        Some(_) => Err(Failure::new(format!("{} is a file but should be a directory.", directory.display()))),
        None => Err(Failure::new(format!("{} directory does not exist.", directory.display()))),
    }
}

/// Fetches the content of an answer, all of it.
fn fetch(node: &mut System, directory: &Path, response: &mut Response) -> Result<Download, Failure> {
    let download = http::download(node, directory, &mut response.body)?;
    let packed = response.header("content-encoding").is_some();
    let promised = response.header("content-length").and_then(|text| text.parse::<u64>().ok());
    match promised {
        Some(length) if !packed && length != download.length => {
            Err(Failure::new(format!("the server sent {} of {length} bytes", download.length)))
        }
        _ => Ok(download),
    }
}

fn place(
    args: &Args,
    node: &mut System,
    dest: &Path,
    download: &Download,
    values: &mut Map,
) -> Result<bool, Failure> {
    let old = node.stat(dest)?.filter(Meta::is_file);
    let before = old.map(|_| node.checksums(dest)).transpose()?;
    let sums = node.checksums(download.path())?;
    values.extend(map! {
        "checksum_src" => sums.sha1,
        "checksum_dest" => before.map(|sums| Value::from(sums.sha1)),
        "md5sum" => sums.md5,
    });
    let mut put = Put::new(dest.to_owned(), Source::Node(download.path().to_owned()), args.file.wanted());
    put.backup = args.backup;
    let changed = match put::inspect(put, node)? {
        Inspection::Differs(plan, _) => {
            let done = put::apply(*plan, node)?;
            let kept = done.values.get("backup_file").cloned();
            values.extend(kept.map(|path| ("backup_file".into(), path)));
            done.changed
        }
        Inspection::Same(_) | Inspection::Kept(_) => false,
    };
    attributes::describe(node, dest, values)?;
    Ok(changed)
}
