//! The request for a file.

use super::args::Args;
use crate::failure::Failure;
use crate::http::Request;
use crate::system::SystemView;

pub(super) fn request(args: &Args, view: &SystemView, method: &str, url: &str) -> Result<Request, Failure> {
    let login = (args.url_username.as_ref(), args.url_password.as_ref());
    let mut request = args.http.request(view, method, url, args.timeout, login)?;
    if args.force {
        request.headers.push(("Cache-Control".into(), "no-cache".into()));
    }
    Ok(request)
}
