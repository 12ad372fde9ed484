//! What is told of a keystore.

use std::path::Path;

use convoy_protocol::{Digest, Map, Value, map};

use super::lifetime;
use crate::formats::keystore::{Entry, Format, Keystore, Kind, Moment};

/// Returns the return values.
pub(super) fn values(
    path: &Path,
    bytes: &[u8],
    keystore: &Keystore,
    named: Option<&Entry>,
    now: Moment,
) -> Map {
    let is_expired = |entry: &&Entry| lifetime::is_expired(entry, now);
    let expired: Value =
        keystore.entries.iter().filter(is_expired).map(|entry| Value::from(entry.alias.as_str())).collect();
    let left = lifetime::looked_at(keystore, named).filter_map(|entry| lifetime::days_left(entry, now)).min();
    let mut values = map! {
        "path" => path.to_string_lossy().as_ref(),
        "type" => match keystore.format { Format::Jks => "jks", Format::Pkcs12 => "pkcs12" },
        "sha256" => Digest::of(bytes).to_string(),
        "entries" => keystore.entries.iter().map(|entry| Value::from(of_entry(entry, now))).collect::<Value>(),
        "expired" => expired,
        "days_left" => left.map_or(Value::null(), Value::from),
    };
    if let Some(certificate) = named.and_then(|entry| entry.chain.first()) {
        values.insert("key_sha256".into(), certificate.key_sha256.as_str().into());
    }
    if !keystore.is_password_verified {
        let warning = format!(
            "{} opens with any password: it has no checksum, and its certificates are not encrypted",
            path.display()
        );
        values.insert("warnings".into(), vec![Value::from(warning)].into());
    }
    values
}

fn of_entry(entry: &Entry, now: Moment) -> Map {
    let mut values = map! {
        "alias" => entry.alias.as_str(),
        "entry" => match entry.kind {
            Kind::Key => "key",
            Kind::Certificate => "certificate",
            Kind::Secret => "secret",
        },
        "chain" => i64::try_from(entry.chain.len()).unwrap_or_default(),
    };
    if let Some(certificate) = entry.chain.first() {
        values.extend(map! {
            "subject" => certificate.subject.as_str(),
            "issuer" => certificate.issuer.as_str(),
            "not_before" => certificate.not_before.to_string(),
            "not_after" => certificate.not_after.to_string(),
            "sha256" => certificate.sha256.as_str(),
            "days_left" => lifetime::days_left(entry, now).map_or(Value::null(), Value::from),
            "expired" => lifetime::is_expired(entry, now),
        });
    }
    values
}
