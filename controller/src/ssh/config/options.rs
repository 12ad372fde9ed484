//! The options that convoy honours, those that mean nothing to it, and those that it has to speak of.

use std::time::Duration;

use crate::ssh::target::{Family, HostKeyChecking};

/// What the configuration says of a host, as far as it is honoured. Of several values the first counts, as in ssh.
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
    /// Options that matter and are not honoured, as the user would write them.
    pub(in crate::ssh) unhonoured: Vec<(String, String)>,
}

/// By what means the host is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ssh) enum Proxy {
    /// `none`: directly, whatever later lines say.
    None,
    /// `ProxyJump`.
    Jump(String),
    /// `ProxyCommand`.
    Command(String),
}

/// Keywords that structure a file, or that mean nothing to how convoy reaches a host: one connection, no terminal, no
/// forwarding. A file with nothing else needs no further asking.
pub(super) const SAYS_NOTHING: [&str; 38] = [
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

/// Options that matter to safety or to who is reached, and that convoy does not have: they are said, never dropped.
const MATTERS: [(&str, &str); 28] = [
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

/// Options that are honoured.
const HONOURED: [&str; 26] = [
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

/// Returns whether an option of `ssh -o` cannot be honoured.
pub(super) fn is_refused(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let nothing = SAYS_NOTHING.iter().skip(2).any(|known| *known == name);
    !nothing && !HONOURED.contains(&name.as_str())
}

impl HostConfig {
    /// Takes one option, unless there is a value already; `keyword` is in small letters.
    ///
    /// # Errors
    /// If the value is none that the option can have.
    pub(super) fn set(&mut self, keyword: &str, value: &str) -> Result<(), String> {
        let text = || Some(value.to_owned());
        let bad = || format!("`{keyword}` cannot be `{value}`");
        let flag = || truth(value).map(Some).ok_or_else(bad);
        match keyword {
            "hostname" => first(&mut self.hostname, text()),
            "user" => first(&mut self.user, text()),
            "port" => first(&mut self.port, Some(value.parse().map_err(|_| bad())?)),
            "identityfile" => self.identity_files.push(value.to_owned()),
            "certificatefile" => self.certificate_files.push(value.to_owned()),
            "identitiesonly" => first(&mut self.identities_only, flag()?),
            "identityagent" => first(&mut self.identity_agent, text()),
            "proxyjump" | "proxycommand" => first(&mut self.proxy, Some(proxy(keyword, value))),
            "userknownhostsfile" => first(&mut self.user_known_hosts, text()),
            "globalknownhostsfile" => first(&mut self.global_known_hosts, text()),
            "revokedhostkeys" => first(&mut self.revoked_host_keys, text()),
            "stricthostkeychecking" => {
                first(&mut self.checking, Some(HostKeyChecking::of(value).ok_or_else(bad)?));
            }
            "hostkeyalias" => first(&mut self.host_key_alias, text()),
            "hashknownhosts" => first(&mut self.hash_known_hosts, flag()?),
            "connecttimeout" => first(&mut self.connect_timeout, time(value).ok_or_else(bad)?),
            "serveraliveinterval" => first(&mut self.alive_interval, time(value).ok_or_else(bad)?),
            "serveralivecountmax" => {
                first(&mut self.alive_count, Some(value.parse().map_err(|_| bad())?));
            }
            "addressfamily" => first(&mut self.family, Some(family(value).ok_or_else(bad)?)),
            "batchmode" => first(&mut self.batch, flag()?),
            "pubkeyauthentication" => {
                // It may name a way of binding to the host, too.
                first(&mut self.public_key, Some(truth(value).unwrap_or(true)));
            }
            "passwordauthentication" => first(&mut self.password, flag()?),
            "kbdinteractiveauthentication" | "challengeresponseauthentication" => {
                first(&mut self.interactive, flag()?);
            }
            _ => {
                let not = value.eq_ignore_ascii_case("none") || truth(value) == Some(false);
                if let Some((_, name)) = MATTERS.iter().find(|(known, _)| *known == keyword && !not) {
                    let value = if truth(value) == Some(true) { "yes" } else { value };
                    self.unhonoured.push(((*name).to_owned(), value.to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Leaves out what ssh does without being told.
    pub(super) fn without(mut self, defaults: &Self) -> Self {
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
        self.unhonoured.retain(|option| !defaults.unhonoured.contains(option));
        self
    }

    pub(super) fn note_canonical_names(&mut self, asked_for: bool) {
        if asked_for {
            self.unhonoured.push(("CanonicalizeHostname".to_owned(), "yes".to_owned()));
        }
    }
}

fn first<T>(place: &mut Option<T>, value: Option<T>) {
    if place.is_none() {
        *place = value;
    }
}

fn truth(value: &str) -> Option<bool> {
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

/// Reads a time such as `90`, `1m30s` or `none`; zero is no time, too.
#[expect(clippy::option_option, reason = "no time, and no time that can be read")]
fn time(value: &str) -> Option<Option<Duration>> {
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
