//! Recognizes keys whose values must not be shown.

use convoy_protocol::{Kind, Map, Taint, Value};

use crate::formats::toml::{KeyPath, Part};

/// Words that occur in the last part of a secret key.
const WORDS: [&str; 8] =
    ["password", "passwd", "passphrase", "secret", "credential", "private_key", "privatekey", "apikey"];

/// Endings of the last part of a secret key.
const ENDS: [&str; 4] = ["token", "tokens", "_pass", "pwd"];

/// Returns whether the value of a key is secret, judging by the key's name, or by the value if it is a URL with a
/// password.
pub fn is_secret(key: &KeyPath, value: &Value) -> bool {
    let begin = matches!(key.0.first(), Some(Part::Key(first)) if first == "secrets");
    let last = key.0.iter().rev().find_map(|part| match part {
        Part::Key(key) => Some(key.to_lowercase()),
        _ => None,
    });
    // The URL or lifetime of a token is not secret; `auth_token` is.
    let is_named = last.is_some_and(|last| {
        WORDS.iter().any(|word| last.contains(word)) || ENDS.iter().any(|word| last.ends_with(word))
    });
    value.taint.is_secret()
        || match &value.kind {
            Kind::Bool(_) | Kind::Null => false,
            Kind::Text(text) => ((begin || is_named) && !is_reference(text)) || holds_password(text),
            Kind::List(items) => begin || is_named || items.iter().any(|item| is_secret(key, item)),
            Kind::Map(map) => map.iter().any(|(name, item)| is_secret(&key.child(&name.to_string()), item)),
            _ => begin || is_named,
        }
}

/// Marks the secrets in the value of a key.
pub fn marked(key: &KeyPath, value: Value) -> Value {
    match &value.kind {
        Kind::Map(map) => {
            let part = |(name, item): (&convoy_protocol::Key, &Value)| {
                (name.clone(), marked(&key.child(&name.to_string()), item.clone()))
            };
            Value::from(map.iter().map(part).collect::<Map>()).tainted(value.taint)
        }
        Kind::List(items) if items.iter().any(|item| item.as_map().is_some()) => {
            items.iter().map(|item| marked(key, item.clone())).collect::<Value>().tainted(value.taint)
        }
        _ if is_secret(key, &value) => value.tainted(Taint::SECRET),
        _ => value,
    }
}

/// Returns whether a text only refers to the value: `$ref{…}`, `$secret{…}`, `$env{…}`, `$sys{…}`, `${…}`.
fn is_reference(text: &str) -> bool {
    let inside =
        ["$ref{", "$secret{", "$env{", "$sys{", "${"].iter().find_map(|begin| text.strip_prefix(begin));
    text.is_empty()
        || inside.and_then(|rest| rest.strip_suffix('}')).is_some_and(|name| !name.contains(['{', '}']))
}

/// Returns whether a URL contains a password: `//user:password@host`, `;password=…`.
fn holds_password(text: &str) -> bool {
    let lower = text.to_lowercase();
    let login =
        lower.split_once("://").map(|(_, rest)| rest.split(['/', '?', ';']).next().unwrap_or_default());
    let has_login = login.and_then(|rest| rest.rsplit_once('@')).is_some_and(|(user, _)| user.contains(':'));
    has_login || ["password=", "pwd=", "passwd="].iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_secret_by_name_or_value() {
        for (key, value, secret) in [
            ("super_admin.password", Value::from("admin"), true),
            ("keystore.tls.KEY_PASSWORD", "x".into(), true),
            ("apim.analytics.auth_token", "x".into(), true),
            ("secrets.anything", "[plain]".into(), true),
            ("a.clientSecret", 7.into(), true),
            ("a.wf_engine_pass", "x".into(), true),
            ("a.passthrough", "x".into(), false),
            ("a.credentials", vec![Value::from("x")].into(), true),
            ("super_admin.username", "admin".into(), false),
            ("super_admin.password", "$ref{super_admin.password}".into(), false),
            ("super_admin.password", "${admin.password}".into(), false),
            ("super_admin.password", "${a}-${b}".into(), true),
            ("super_admin.password", "".into(), false),
            ("oauth.enable_token_encryption", true.into(), false),
            ("oauth.token_endpoint", "https://h/token".into(), false),
            ("database.x.url", "jdbc:mysql://db:3306/x".into(), false),
            ("database.x.url", "jdbc:sqlserver://h:1;user=a;Password=b".into(), true),
            ("a.proxy", "http://me:pass@proxy:3128".into(), true),
            ("a.mail", "me@example.com".into(), false),
        ] {
            assert_eq!(is_secret(&KeyPath::parse(key).unwrap(), &value), secret, "{key} {value:?}");
        }
    }
}
