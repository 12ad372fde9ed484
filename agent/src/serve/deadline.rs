//! How long past its deadline an order is given up.

use std::time::Duration;

use crate::state::lock::PATIENCE;

/// How long past its deadline an order may still answer by itself.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// Like [`GRACE`], for an order of another user's agent, which gives up the order itself and may wait for the lock first.
pub(super) const GRACE_OF_CHILD: Duration = Duration::from_secs(4 + PATIENCE.as_secs());
