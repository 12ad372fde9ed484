//! What user certificates and host certificates have in common.

use std::time::{SystemTime, UNIX_EPOCH};

use russh::keys::Certificate;

/// Returns what is wrong with a certificate's period of validity; `None` if it is valid now.
pub(super) fn validity_problem(certificate: &Certificate) -> Option<&'static str> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    if certificate.valid_before() <= now {
        Some("has expired")
    } else if certificate.valid_after() > now {
        Some("is not valid yet")
    } else {
        None
    }
}
