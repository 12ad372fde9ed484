//! Arguments of `wait_for`.

use crate::args::NodePath;

crate::choices! {
    /// What is waited for.
    pub enum State {
        /// The path is gone, or the port closed.
        Absent = "absent",
        /// No connection to the port is left.
        Drained = "drained",
        /// The path is there, or the port open.
        Present = "present",
        /// As `present`.
        Started = "started",
        /// As `absent`, of a port.
        Stopped = "stopped",
    }
}

crate::arguments! {
    /// Arguments of `wait_for`.
    pub struct Args {
        /// The host whose port is looked at, by address or name.
        host: String [default("127.0.0.1")],
        /// The port.
        port: Option<i64>,
        /// The path.
        path: Option<NodePath>,
        /// What is waited for.
        state: State [default("started")],
        /// What the file must hold, or the port must say.
        search_regex: Option<String>,
        /// How many seconds to wait at most.
        timeout: i64 [default("300")],
        /// How many seconds one connection may take.
        connect_timeout: i64 [default("5")],
        /// How many seconds to wait before the first look.
        delay: i64 [default("0")],
        /// How many seconds to wait between two looks.
        sleep: i64 [default("1")],
        /// The states of connections that count for `drained`.
        active_connection_states: Vec<String> [default("ESTABLISHED,FIN_WAIT1,FIN_WAIT2,SYN_RECV,SYN_SENT,TIME_WAIT")],
        /// Hosts whose connections do not count for `drained`.
        exclude_hosts: Option<Vec<String>>,
        /// What to say if it takes too long.
        msg: Option<String>,
    }
}
