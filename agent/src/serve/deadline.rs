//! When an order that does not end is given up.

use std::time::Duration;

use crate::state::lock::PATIENCE;

/// How long after its deadline an order may still answer by itself.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// As [`GRACE`], for an order that another user's agent does: that one gives it up itself, and takes the lock first.
pub(super) const GRACE_OF_CHILD: Duration = Duration::from_secs(4 + PATIENCE.as_secs());
