//! The options of ssh: which convoy supports, which do not matter to it, and of which it warns.

use std::time::Duration;

use crate::ssh::target::{Family, HostKeyChecking};

/// The configuration of a host, as far as convoy supports it. As in ssh, the first of several values counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::ssh) struct HostConfig {
    pub(in crate::ssh) hostname: Option<String>,
    pub(in crate::ssh) port: Option<u16>,
    pub(in crate::ssh) user: Option<String>,
    pub(in crate::ssh) identity_files: Vec<String>,
    pub(in crate::ssh) certificate_files: Vec<String>,
    pub(in crate::ssh) identities_only: Option<bool>,
    pub(in crate::ssh) identity_agent: Option<String>,
    /// `ProxyJump` or `ProxyCommand`, whichever is first.
    pub(in crate::ssh) proxy: Option<Proxy>,
    pub(in crate::ssh) user_known_hosts: Option<String>,
    pub(in crate::ssh) global_known_hosts: Option<String>,
    pub(in crate::ssh) revoked_host_keys: Option<String>,
    pub(in crate::ssh) checking: Option<HostKeyChecking>,
    pub(in crate::ssh) host_key_alias: Option<String>,
    pub(in crate::ssh) hash_known_hosts: Option<bool>,
    pub(in crate::ssh) connect_timeout: Option<Duration>,
    pub(in crate::ssh) alive_interval: Option<Duration>,
    pub(in crate::ssh) alive_count: Option<usize>,
    pub(in crate::ssh) family: Option<Family>,
    pub(in crate::ssh) batch: Option<bool>,
    pub(in crate::ssh) public_key: Option<bool>,
    pub(in crate::ssh) password: Option<bool>,
    pub(in crate::ssh) interactive: Option<bool>,
    /// Options that matter and are not supported, as the user would write them.
    pub(in crate::ssh) unsupported: Vec<(String, String)>,
}

/// How the connection to the host is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ssh) enum Proxy {
    /// Directly, whatever later lines say (`none`).
    None,
    /// `ProxyJump`.
    Jump(String),
    /// `ProxyCommand`.
    Command(String),
}

/// Keywords that structure a file, or that do not affect how convoy reaches a host: with one connection, no terminal
/// and no forwarding. A file with nothing else is irrelevant.
pub(super) const IRRELEVANT: [&str; 38] = [
    "host",
    "include",
    "hashknownhosts",
    "sendenv",
    "addkeystoagent",
    "batchmode",
    "checkhostip",
    "clearallforwardings",
    "compression",
    "connectionattempts",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "enableescapecommandline",
    "escapechar",
    "exitonforwardfailure",
    "fingerprinthash",
    "forwardx11",
    "forwardx11timeout",
    "forwardx11trusted",
    "gatewayports",
    "gssapiauthentication",
    "gssapidelegatecredentials",
    "gssapikeyexchange",
    "ipqos",
    "loglevel",
    "logverbose",
    "numberofpasswordprompts",
    "permitlocalcommand",
    "requesttty",
    "stdinnull",
    "streamlocalbindmask",
    "streamlocalbindunlink",
    "syslogfacility",
    "tcpkeepalive",
    "updatehostkeys",
    "visualhostkey",
    "xauthlocation",
];

/// Options that affect safety or which host is reached, and that convoy does not support: it warns of them.
const UNSUPPORTED: [(&str, &str); 28] = [
    ("bindaddress", "BindAddress"),
    ("bindinterface", "BindInterface"),
    ("casignaturealgorithms", "CASignatureAlgorithms"),
    ("ciphers", "Ciphers"),
    ("dynamicforward", "DynamicForward"),
    ("forwardagent", "ForwardAgent"),
    ("hostbasedauthentication", "HostbasedAuthentication"),
    ("hostkeyalgorithms", "HostKeyAlgorithms"),
    ("kexalgorithms", "KexAlgorithms"),
    ("knownhostscommand", "KnownHostsCommand"),
    ("localcommand", "LocalCommand"),
    ("localforward", "LocalForward"),
    ("macs", "MACs"),
    ("nohostauthenticationforlocalhost", "NoHostAuthenticationForLocalhost"),
    ("pkcs11provider", "PKCS11Provider"),
    ("preferredauthentications", "PreferredAuthentications"),
    ("proxyusefdpass", "ProxyUseFdpass"),
    ("pubkeyacceptedalgorithms", "PubkeyAcceptedAlgorithms"),
    ("pubkeyacceptedkeytypes", "PubkeyAcceptedKeyTypes"),
    ("rekeylimit", "RekeyLimit"),
    ("remotecommand", "RemoteCommand"),
    ("remoteforward", "RemoteForward"),
    ("requiredrsasize", "RequiredRSASize"),
    ("securitykeyprovider", "SecurityKeyProvider"),
    ("sessiontype", "SessionType"),
    ("setenv", "SetEnv"),
    ("tunnel", "Tunnel"),
    ("verifyhostkeydns", "VerifyHostKeyDNS"),
];

/// Options that convoy supports.
const SUPPORTED: [&str; 26] = [
    "addressfamily",
    "certificatefile",
    "challengeresponseauthentication",
    "connecttimeout",
    "globalknownhostsfile",
    "hostkeyalias",
    "hostname",
    "identitiesonly",
    "identityagent",
    "identityfile",
    "kbdinteractiveauthentication",
    "keepalive",
    "passwordauthentication",
    "port",
    "proxycommand",
    "proxyjump",
    "pubkeyauthentication",
    "revokedhostkeys",
    "serveralivecountmax",
    "serveraliveinterval",
    "stricthostkeychecking",
    "user",
    "userknownhostsfile",
    "batchmode",
    "hashknownhosts",
    "ignoreunknown",
];

/// Returns whether convoy cannot do what an option of `ssh -o` says.
pub(super) fn is_unsupported(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // `host` and `include`, the first two, are not options.
    let irrelevant = IRRELEVANT.iter().skip(2).any(|known| *known == name);
    !irrelevant && !SUPPORTED.contains(&name.as_str())
}

impl HostConfig {
    /// Sets an option, unless it has a value already; `keyword` is in lowercase.
    ///
    /// # Errors
    /// If the value is not valid for the option.
    pub(super) fn set(&mut self, keyword: &str, value: &str) -> Result<(), String> {
        let text = || Some(value.to_owned());
        let bad = || format!("invalid value `{value}` for `{keyword}`");
        let flag = || parse_bool(value).map(Some).ok_or_else(bad);
        match keyword {
            "hostname" => set_if_none(&mut self.hostname, text()),
            "user" => set_if_none(&mut self.user, text()),
            "port" => set_if_none(&mut self.port, Some(value.parse().map_err(|_| bad())?)),
            "identityfile" => self.identity_files.push(value.to_owned()),
            "certificatefile" => self.certificate_files.push(value.to_owned()),
            "identitiesonly" => set_if_none(&mut self.identities_only, flag()?),
            "identityagent" => set_if_none(&mut self.identity_agent, text()),
            "proxyjump" | "proxycommand" => set_if_none(&mut self.proxy, Some(proxy(keyword, value))),
            "userknownhostsfile" => set_if_none(&mut self.user_known_hosts, text()),
            "globalknownhostsfile" => set_if_none(&mut self.global_known_hosts, text()),
            "revokedhostkeys" => set_if_none(&mut self.revoked_host_keys, text()),
            "stricthostkeychecking" => {
                set_if_none(&mut self.checking, Some(HostKeyChecking::parse(value).ok_or_else(bad)?));
            }
            "hostkeyalias" => set_if_none(&mut self.host_key_alias, text()),
            "hashknownhosts" => set_if_none(&mut self.hash_known_hosts, flag()?),
            "connecttimeout" => {
                set_if_none(&mut self.connect_timeout, parse_duration(value).ok_or_else(bad)?);
            }
            "serveraliveinterval" => {
                set_if_none(&mut self.alive_interval, parse_duration(value).ok_or_else(bad)?);
            }
            "serveralivecountmax" => {
                set_if_none(&mut self.alive_count, Some(value.parse().map_err(|_| bad())?));
            }
            "addressfamily" => set_if_none(&mut self.family, Some(family(value).ok_or_else(bad)?)),
            "batchmode" => set_if_none(&mut self.batch, flag()?),
            "pubkeyauthentication" => {
                // It may also name a way of binding to the host.
                set_if_none(&mut self.public_key, Some(parse_bool(value).unwrap_or(true)));
            }
            "passwordauthentication" => set_if_none(&mut self.password, flag()?),
            "kbdinteractiveauthentication" | "challengeresponseauthentication" => {
                set_if_none(&mut self.interactive, flag()?);
            }
            _ => {
                let off = value.eq_ignore_ascii_case("none") || parse_bool(value) == Some(false);
                if let Some((_, name)) = UNSUPPORTED.iter().find(|(known, _)| *known == keyword && !off) {
                    let value = if parse_bool(value) == Some(true) { "yes" } else { value };
                    self.unsupported.push(((*name).to_owned(), value.to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Removes what is only a default of ssh.
    pub(super) fn without_defaults(mut self, defaults: &Self) -> Self {
        if self.identity_files == defaults.identity_files {
            self.identity_files.clear();
        }
        for (ours, theirs) in [
            (&mut self.user_known_hosts, &defaults.user_known_hosts),
            (&mut self.global_known_hosts, &defaults.global_known_hosts),
        ] {
            if ours == theirs {
                *ours = None;
            }
        }
        if self.checking == defaults.checking {
            self.checking = None;
        }
        self.unsupported.retain(|option| !defaults.unsupported.contains(option));
        self
    }
}

fn set_if_none<T>(place: &mut Option<T>, value: Option<T>) {
    if place.is_none() {
        *place = value;
    }
}

fn parse_bool(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}

fn proxy(keyword: &str, value: &str) -> Proxy {
    if value.eq_ignore_ascii_case("none") {
        Proxy::None
    } else if keyword == "proxyjump" {
        Proxy::Jump(value.to_owned())
    } else {
        Proxy::Command(value.to_owned())
    }
}

fn family(value: &str) -> Option<Family> {
    match value.to_ascii_lowercase().as_str() {
        "any" => Some(Family::Any),
        "inet" => Some(Family::Inet),
        "inet6" => Some(Family::Inet6),
        _ => None,
    }
}

/// Parses a time such as `90`, `1m30s` or `none`. The inner `None` means no time limit, as does zero.
#[expect(
    clippy::option_option,
    reason = "the outer one is whether the text is valid, the inner one is the value"
)]
fn parse_duration(value: &str) -> Option<Option<Duration>> {
    if value.eq_ignore_ascii_case("none") {
        return Some(None);
    }
    let mut seconds = 0u64;
    let mut digits = String::new();
    for c in value.chars() {
        let unit = match c.to_ascii_lowercase() {
            '0'..='9' => {
                digits.push(c);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        seconds = seconds.checked_add(digits.parse::<u64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    if !digits.is_empty() {
        seconds = seconds.checked_add(digits.parse().ok()?)?;
    }
    Some((seconds > 0).then(|| Duration::from_secs(seconds)))
}
