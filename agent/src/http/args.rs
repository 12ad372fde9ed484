//! What `uri` and `get_url` both take.

use std::time::Duration;

use convoy_protocol::Map;

use super::error::Error;
use super::request::{Request, Tls};
use super::url::Url;
use crate::args::{Arg, NodePath};
use crate::failure::Failure;
use crate::system::SystemView;

crate::arguments! {
    /// What every module that asks a server takes.
    pub struct HttpArgs {
        /// Headers of the request.
        headers: Option<Map>,
        /// Names of headers that are not sent again after a redirect.
        unredirected_headers: Vec<String>,
        /// Whether user and password are sent at once, not only when the server asks for them.
        force_basic_auth: bool [default("false")],
        /// The name by which the request introduces its program.
        http_agent: String [default("ansible-httpget")],
        /// Whether proxies that the environment names are used: `http_proxy`, `https_proxy`, `no_proxy`.
        use_proxy: bool [default("true")],
        /// Whether the server's certificate is checked.
        validate_certs: bool [default("true")],
        /// Our own certificate, in PEM, for servers that ask for one; it may hold the key, too.
        client_cert: Option<NodePath>,
        /// The key of `client_cert`, in PEM, without a password.
        client_key: Option<NodePath>,
        /// Whether the answer may be compressed on its way.
        decompress: bool [default("true")],
        /// Not supported: the safe ones are used.
        ciphers: Vec<String>,
        /// Not supported: say user and password.
        use_gssapi: bool [default("false")],
        /// Not supported if true: `.netrc` is not read.
        use_netrc: Option<bool>,
    }
}

impl HttpArgs {
    /// Makes a request of what is asked for. `login` comes before what the address carries.
    ///
    /// # Errors
    /// If something is asked for that convoy cannot do, or the address is none.
    pub fn request(
        &self,
        view: &SystemView,
        method: &str,
        url: &str,
        timeout: i64,
        login: (Option<&String>, Option<&String>),
    ) -> Result<Request, Failure> {
        for (given, name, instead) in [
            (self.use_gssapi, "use_gssapi", "say url_username and url_password"),
            (self.use_netrc == Some(true), "use_netrc", "say url_username and url_password"),
            (!self.ciphers.is_empty(), "ciphers", "those that are safe are used"),
        ] {
            if given {
                return Err(Failure::new(format!("{name} is not supported by convoy: {instead}")));
            }
        }
        let failed = |error: Error| Failure::new(error.to_string()).with("status", -1);
        let timeout = Duration::from_secs(u64::try_from(timeout).unwrap_or(1).max(1));
        let mut request = Request::new(method, Url::parse(url).map_err(failed)?, timeout);
        if let (Some(user), password) = login {
            request.login = Some((user.clone(), password.cloned().unwrap_or_default()));
        }
        request.headers = self.headers()?;
        if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
            request.headers.push(("User-Agent".into(), self.http_agent.clone()));
        }
        request.unredirected.clone_from(&self.unredirected_headers);
        request.login_at_once = self.force_basic_auth;
        request.use_proxy = self.use_proxy;
        request.decompress = self.decompress;
        let path = |given: &Option<NodePath>| given.as_ref().map(|path| view.expand(path));
        let (cert, key) = (path(&self.client_cert), path(&self.client_key));
        request.tls = Tls { validate: self.validate_certs, ca: None, cert, key };
        Ok(request)
    }

    fn headers(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut headers = Vec::new();
        for (name, value) in self.headers.iter().flatten() {
            let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
            let value = String::convert(value)
                .map_err(|_| Failure::new(format!("the header {name} is {}, not text", value.kind_name())))?;
            let token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(c);
            if name.is_empty() || !name.chars().all(token) {
                return Err(Failure::new(format!("Invalid header name '{}'", name.escape_debug())));
            }
            if value.contains(['\r', '\n', '\0']) {
                // Its value may be a secret.
                return Err(Failure::new(format!(
                    "Invalid header value: {name} has a line end or a NUL in it"
                )));
            }
            headers.push((name, value.trim().to_owned()));
        }
        Ok(headers)
    }
}
