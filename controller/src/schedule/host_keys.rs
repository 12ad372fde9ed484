//! Unknown host keys of all hosts of the plays, shown in one table before anything is done.
//!
//! A run whose hosts are all known pays nothing for it: whether a host is known is read from files. Only the others
//! are called, and only to show their keys.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use futures::StreamExt as _;

use super::Scheduler;
use super::planning::Prepared;
use crate::diagnostic::{Diagnostic, Diagnostics, Kind};
use crate::events::RunEvent;
use crate::playbook::ast::Play;
use crate::playbook::gathering;
use crate::prepare::endpoint::endpoint;
use crate::services::endpoint::Endpoint;
use crate::ssh::{HostKeyChecking, NewHostKey, Reason};
use crate::template::Context;
use crate::terminal::Terminal;

/// How often it is asked at most: again only for hosts behind a jump host that was unknown itself.
const ROUNDS: usize = 8;

impl Scheduler {
    /// Shows the unknown keys of all hosts, and asks whether they are right. Without a terminal they are shown only; the
    /// hosts are refused when their turn comes.
    ///
    /// # Errors
    /// If the user does not accept them, or they cannot be written down.
    pub async fn confirm_host_keys(&mut self, plays: &[Arc<Play>]) -> Result<(), Diagnostics> {
        if self.services.options.host_key_checking.is_some_and(|checking| checking != HostKeyChecking::Strict)
        {
            return Ok(());
        }
        let endpoints = self.ssh_endpoints(plays);
        for _ in 0..ROUNDS {
            let keys = self.unknown_keys(&endpoints).await;
            if keys.is_empty() {
                break;
            }
            let table = table(&keys);
            if !Terminal::Controlling.is_interactive() {
                self.emit(RunEvent::Notice(format!(
                    "[WARNING]: no known_hosts file has the host keys of these hosts, so they are refused:\n{table}\
                     Compare them with `ssh-keygen -l` on the hosts, then continue with --host-key-checking accept-new"
                )));
                break;
            }
            self.hide_display();
            if !accepted(&keys, &table).await? {
                return Err(Diagnostic::user("the host keys were not accepted")
                    .kind(Kind::Refused)
                    .hint("nothing was done".to_owned())
                    .into());
            }
        }
        Ok(())
    }

    /// Returns how the hosts of the plays are reached, as far as that can be known before anything runs.
    fn ssh_endpoints(&mut self, plays: &[Arc<Play>]) -> Vec<Endpoint> {
        let mut seen = HashSet::new();
        let mut endpoints = Vec::new();
        for play in plays {
            // What is wrong with a play is told when its turn comes.
            let Ok(hosts) = self.play_hosts(play) else { continue };
            let Ok(task) = gathering::task(play).map(Arc::new) else { continue };
            self.world.vars.play = self.play_facts(play, &hosts);
            for host in hosts {
                // Without what a host's variables need nothing is known of it yet.
                if !self.read_play_files(play, &host).unwrap_or(false) {
                    continue;
                }
                let scope = self.world.vars.scope(&host, Some((&task, &Arc::default())));
                let prepared = Prepared { scope, context: Context::default() };
                let found =
                    endpoint(&host, self.view(&task, &prepared)).ok().filter(|endpoint| !endpoint.local);
                endpoints.extend(found.filter(|endpoint| seen.insert(endpoint.clone())));
            }
        }
        self.world.vars.play = Arc::default();
        endpoints
    }

    /// Asks the hosts of which known_hosts has nothing for their keys.
    async fn unknown_keys(&mut self, endpoints: &[Endpoint]) -> Vec<NewHostKey> {
        let (services, requests) = (self.services.clone(), self.requests());
        let (connections, requests) = (&services.connections, &requests);
        let connector = connections.connector();
        let ask = |endpoint: &Endpoint| {
            let endpoint = endpoint.clone();
            async move {
                // Whatever else is in the way is told when the host's turn comes.
                let target = connections.target(&endpoint, requests).await.ok()?;
                if !connector.has_unknown_host_key(&target).await {
                    return None;
                }
                match connector.connect(&target).await {
                    Ok(session) => {
                        session.close().await;
                        None
                    }
                    Err(error) => match error.root() {
                        Reason::UnknownHostKey { new } => Some((**new).clone()),
                        _ => None,
                    },
                }
            }
        };
        let found = futures::stream::iter(endpoints.iter().map(ask))
            .buffer_unordered(self.services.options.forks.max(1))
            .filter_map(std::future::ready);
        let mut keys: Vec<NewHostKey> = self.drive(found.collect()).await;
        keys.sort_by(|a, b| (&a.host, &a.line).cmp(&(&b.host, &b.line)));
        keys.dedup();
        keys
    }
}

/// Host, address, type and fingerprint of each key, in columns.
fn table(keys: &[NewHostKey]) -> String {
    let rows: Vec<[String; 4]> =
        std::iter::once(["host", "address", "type", "fingerprint"].map(str::to_owned))
            .chain(keys.iter().map(|key| {
                let kind = key.algorithm.trim_start_matches("ssh-").to_ascii_uppercase();
                [key.host.clone(), key.name().to_owned(), kind, key.fingerprint.clone()]
            }))
            .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for [host, address, kind, fingerprint] in &rows {
        let [a, b, c] = widths;
        // Writing to text cannot fail.
        let _ = writeln!(text, "  {host:a$}  {address:b$}  {kind:c$}  {fingerprint}");
    }
    text
}

/// Asks whether the keys are right, and writes them down if so.
async fn accepted(keys: &[NewHostKey], table: &str) -> Result<bool, Diagnostics> {
    let files: HashSet<String> =
        keys.iter().filter_map(|key| key.file.as_ref()).map(|file| file.display().to_string()).collect();
    let mut files: Vec<String> = files.into_iter().collect();
    files.sort();
    let question = format!(
        "No known_hosts file has the host keys of these hosts:\r\n{}\
         Compare them with `ssh-keygen -l` on the hosts. Accept them all, and add them to {} (yes/no)? ",
        table.replace('\n', "\r\n"),
        files.join(", ")
    );
    let ask = move || Terminal::Controlling.confirm(&question);
    if !matches!(tokio::task::spawn_blocking(ask).await, Ok(Ok(true))) {
        return Ok(false);
    }
    let mut recorded = HashSet::new();
    for key in keys.iter().filter(|key| recorded.insert((&key.line, &key.file))) {
        key.record().map_err(|error| Diagnostic::user(error.to_string()))?;
    }
    Ok(true)
}
