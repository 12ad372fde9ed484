//! `uri`: asks a server, and says what it answers.

mod args;
mod body;
mod multipart;

use std::path::{Path, PathBuf};
use std::time::Instant;

use convoy_protocol::{Key, Map, Value, map};

pub use args::{Args, Format};

use crate::failure::Failure;
use crate::files::attributes;
use crate::files::put::{self, Inspection, Put, Source};
use crate::files::{ends_with_slash, json};
use crate::http::{self, Request, Response};
use crate::metadata::{Access, Behavior, Doc, Reversibility};
use crate::module::{Checked, Done};
use crate::stat::Meta;
use crate::system::{System, SystemView};

/// The longest answer that is kept in memory and in the result, in bytes.
const LIMIT: u64 = 16 << 20;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Asks an HTTP or HTTPS server",
    description: "The node asks, not the workstation. What is answered as JSON comes as `json`, headers under their names in lower \
        case with `_` for `-`. A status that is not among `status_code` is a failure.\n\n\
        Whether a request changes something cannot be known without sending it: in check mode none is sent. A task that is not \
        skipped is never *changed*, but by what it writes to `dest`.\n\n\
        Certificates are checked against those of the node, or `ca_path`. User and password in an address are sent, but never \
        shown; they do not follow a redirect to another server.",
    example: "- name: Wait until the gateway answers\n  uri:\n    url: https://localhost:9443/services/Version\n    validate_certs: false\n  \
        register: answer\n  until: answer.status == 200\n  retries: 60\n  delay: 5\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior =
    Behavior { reversibility: Reversibility::ByArguments(reversibility), ..Behavior::new(Access::WriteTree) };

fn reversibility(args: &Map) -> Reversibility {
    let method = args.get("method").and_then(Value::as_str).map(str::to_uppercase);
    match method.as_deref() {
        None | Some("GET" | "HEAD" | "OPTIONS") => Reversibility::Reversible,
        Some(_) => Reversibility::Irreversible("it sends a request"),
    }
}

/// A request that is to be sent.
#[derive(Debug)]
pub struct Plan {
    request: Request,
    dest: Option<PathBuf>,
}

/// Looks whether there is something to do, and whether it can be asked for at all.
///
/// # Errors
/// If the arguments make no request.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    args.file.refuse_unsupported(view)?;
    if args.method.is_empty() || !args.method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(Failure::new(
            "Parameter 'method' needs to be a single word in uppercase, like GET or POST.",
        ));
    }
    for (path, there, how) in [(&args.creates, true, "exists"), (&args.removes, false, "does not exist")] {
        let Some(path) = path.as_ref().map(|path| view.expand(path)) else { continue };
        if view.stat(&path)?.is_some() == there {
            let stdout = format!("skipped, since '{}' {how}", path.display());
            return Ok(Checked::Same(map! { "stdout" => stdout }));
        }
    }
    let login = (args.url_username.as_ref(), args.url_password.as_ref());
    let mut request = args.http.request(view, &args.method, &args.url, args.timeout, login)?;
    request.follow = args.follow_redirects;
    request.unix_socket = args.unix_socket.as_ref().map(|path| view.expand(path));
    request.tls.ca = args.ca_path.as_ref().map(|path| view.expand(path));
    let dest = args.dest.as_ref().map(|path| crate::files::with_directory(view.expand(path)));
    if args.force {
        request.headers.push(("Cache-Control".into(), "no-cache".into()));
    } else if let Some(meta) =
        dest.as_ref().map(|path| view.stat(path)).transpose()?.flatten().filter(Meta::is_file)
    {
        request.headers.push(("If-Modified-Since".into(), view.http_date(meta.mtime.seconds)));
    }
    body::prepare(args, view, &mut request)?;
    Ok(Checked::Unknown {
        plan: Plan { request, dest },
        why: "remote module (uri) does not support check mode",
        values: Map::new(),
    })
}

/// Sends the request.
///
/// # Errors
/// If there is no answer, one with another status, or it cannot be written.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    let start = Instant::now();
    let asked = plan.request.url.clone();
    let mut request = plan.request;
    body::open(args, node, &mut request)?;
    let given = if asked.login.is_none() { args.url.clone() } else { asked.to_string() };
    let mut response = match http::send(node, request) {
        Ok(response) => response,
        Err(error) => {
            let values =
                map! { "status" => -1, "url" => given, "redirected" => false, "elapsed" => seconds(start) };
            return Err(refused(args, -1, &error.to_string(), values));
        }
    };
    let redirected = response.url != asked;
    let mut values = described(&response, &asked);
    values.extend(map! {
        "redirected" => redirected,
        "url" => if redirected { response.url.to_string() } else { given },
        "status" => i64::from(response.status),
        "msg" => message(&response),
        "elapsed" => seconds(start),
    });
    let content = content(args, &mut response, &mut values)?;
    if !args.status_code.contains(&response.status.into()) {
        return Err(refused(args, response.status.into(), &message(&response), values));
    }
    let Some(dest) = plan.dest.filter(|_| response.status != 304) else {
        return Ok(Done { changed: false, values });
    };
    let dest = place(node, dest, &response)?;
    let changed = write(args, node, &dest, content, &mut response)
        .map_err(|failure| Failure { values: values.clone(), ..failure })?;
    values.insert("path".into(), dest.to_string_lossy().as_ref().into());
    attributes::describe(node, &dest, &mut values)?;
    Ok(Done { changed, values })
}

/// Returns the failure of a request whose answer has a status that the task does not allow.
fn refused(args: &Args, status: i64, why: &str, values: Map) -> Failure {
    let allowed: Vec<String> = args.status_code.iter().map(ToString::to_string).collect();
    Failure { msg: format!("Status code was {status} and not [{}]: {why}", allowed.join(", ")), values }
}

/// Returns Ansible's sentence on an answer.
fn message(response: &Response) -> String {
    if response.status >= 300 {
        return http::status_text(response);
    }
    let length = response.header("content-length").unwrap_or_else(|| "unknown".into());
    format!("OK ({length} bytes)")
}

/// Reads the answer's content if it belongs into the result, and puts it there.
fn content(args: &Args, response: &mut Response, values: &mut Map) -> Result<Option<Vec<u8>>, Failure> {
    let is_json = is_json(response);
    if !is_json && !args.return_content && args.status_code.contains(&response.status.into()) {
        return Ok(None);
    }
    let bytes = http::read_all(&mut response.body, LIMIT)
        .map_err(|error| Failure { msg: error.to_string(), values: values.clone() })?;
    let text = String::from_utf8_lossy(&bytes);
    if let Some(value) = json::parse(&text).filter(|_| is_json) {
        values.insert("json".into(), value);
    }
    if args.return_content {
        values.insert("content".into(), text.as_ref().into());
    }
    Ok(Some(bytes))
}

fn seconds(start: Instant) -> i64 {
    i64::try_from(start.elapsed().as_secs()).unwrap_or(i64::MAX)
}

/// Returns what an answer's headers say.
fn described(response: &Response, asked: &http::Url) -> Map {
    let mut values = Map::new();
    for (name, _) in &response.headers {
        if let Some(value) = response.header(name) {
            values.insert(Key::from(name.replace('-', "_").as_str()), value.into());
        }
    }
    if let Some(location) = response.header("location") {
        let absolute = asked.join(&location).map_or(location, |url| url.to_string());
        values.insert("location".into(), absolute.into());
    }
    let cookies: Value = response
        .cookies
        .iter()
        .map(|(name, value)| (Key::from(name.as_str()), Value::from(value.as_str())))
        .collect();
    values.insert("cookies".into(), cookies);
    values.insert("cookies_string".into(), http::joined(&response.cookies).into());
    values
}

fn is_json(response: &Response) -> bool {
    let kind = response.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
    let subtype = kind.split_once('/').map_or("", |(_, subtype)| subtype);
    let subtype = subtype.rsplit_once('+').map_or(subtype, |(_, suffix)| suffix);
    matches!(subtype, "json" | "javascript")
}

fn place(view: &SystemView, dest: PathBuf, response: &Response) -> Result<PathBuf, Failure> {
    let is_dir = ends_with_slash(&dest) || view.stat(&dest)?.is_some_and(|meta| meta.is_dir());
    Ok(if is_dir { dest.join(http::file_name(response)) } else { dest })
}

/// Writes the answer to a file; returns whether that is different now.
fn write(
    args: &Args,
    node: &mut System,
    dest: &Path,
    content: Option<Vec<u8>>,
    response: &mut Response,
) -> Result<bool, Failure> {
    let directory = node.temporary_directory();
    let (source, download) = match content {
        Some(bytes) => (Source::Memory(bytes), None),
        None => {
            let download = http::download(node, &directory, &mut response.body)?;
            (Source::Node(download.path().to_owned()), Some(download))
        }
    };
    let put = Put::new(dest.to_owned(), source, args.file.wanted());
    let changed = match put::inspect(put, node)? {
        Inspection::Differs(plan, _) => put::apply(*plan, node)?.changed,
        Inspection::Same(_) | Inspection::Kept(_) => false,
    };
    drop(download);
    Ok(changed)
}
