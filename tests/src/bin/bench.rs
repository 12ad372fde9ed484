//! Measures `convoy` and prints tables of the results.
//!
//! The first two tables time thirty tasks that change nothing, on a node behind a real sshd, nearby and 50 ms away:
//! convoy with and without look-ahead, `ansible-playbook` if it is installed, and as the baseline a single `ping`. The
//! other two show the cost of the journal on local hosts, for a run that changes nothing and for one that changes
//! everything.
//!
//! Usage: `bench [CONVOY [ROUNDS]]`. The default is the `convoy` beside this program and five rounds; the journal is
//! measured in three times as many. `ratio` and `ms each` compare a median with the first line of its table; `ms each`
//! is per task and host.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use convoy_tests::program::state_home;
use convoy_tests::proxy::Proxy;
use convoy_tests::sshd::{ClientKey, Sshd, SshdOptions, output};
use tempfile::TempDir;

/// How often each program is timed by default; they take turns.
const ROUNDS: usize = 5;
/// The number of tasks for each of the three modules.
const TASKS_PER_MODULE: usize = 10;
/// The number of tasks in all, with the one that creates their directory.
const TASKS: usize = TASKS_PER_MODULE * 3 + 1;
/// The delay of the remote node in each direction: half a round trip.
const REMOTE_DELAY: Duration = Duration::from_millis(25);
/// The number of local hosts on which nothing changes.
const LOCAL_HOSTS: usize = 20;
/// The number of files that change.
const CHANGED_FILES: usize = 120;
/// The path prefix of the files of a local host.
const LOCAL_PATH: &str = "{{ place }}/{{ inventory_hostname }}";
/// How many times as many rounds the journal is measured in, since the difference is small.
const JOURNAL_FACTOR: usize = 3;

type BenchResult<T> = Result<T, Box<dyn Error>>;

/// Hosts and the playbook to apply to them.
struct Bench {
    title: String,
    dir: TempDir,
    hosts: usize,
    /// The number of tasks for each host.
    tasks: usize,
    _node: Option<(Sshd, Option<Proxy>)>,
}

/// A program to time.
struct Contender {
    name: &'static str,
    program: PathBuf,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// The text it prints once per host if the run did what is measured.
    expected: String,
}

/// The measurements of one run.
struct Run {
    seconds: f64,
    round_trips: Option<u64>,
}

fn main() -> BenchResult<()> {
    let convoy = match std::env::args_os().nth(1) {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()?.with_file_name("convoy"),
    };
    let convoy = convoy
        .canonicalize()
        .map_err(|error| format!("cannot use {}: {error}; build convoy first", convoy.display()))?;
    let rounds = std::env::args().nth(2).map_or(Ok(ROUNDS), |rounds| rounds.parse())?.max(1);
    for (place, delay) in [("on loopback", None), ("with a round trip of 50 ms", Some(REMOTE_DELAY))] {
        Bench::over_ssh(place, delay)?.time(&connection_contenders(&convoy), rounds)?;
    }
    let title = format!("thirty tasks again, on {LOCAL_HOSTS} local hosts");
    let unchanged = Bench::local(title, LOCAL_HOSTS, TASKS, &thirty_tasks(LOCAL_PATH)?)?;
    unchanged.time(&journal_contenders(&convoy, &recap(TASKS, 0)), rounds * JOURNAL_FACTOR)?;
    let changed = Bench::local(
        format!("{CHANGED_FILES} files changed, on a local host"),
        1,
        CHANGED_FILES,
        &file_changes(LOCAL_PATH)?,
    )?;
    changed.time(&journal_contenders(&convoy, &recap(CHANGED_FILES, CHANGED_FILES)), rounds * JOURNAL_FACTOR)
}

/// Returns the beginning of the counts in a recap line.
fn recap(ok: usize, changed: usize) -> String {
    format!("ok={ok:<4} changed={changed:<4} ")
}

/// Returns the programs that run the thirty tasks; the first one is the baseline.
fn connection_contenders(convoy: &Path) -> Vec<Contender> {
    const SITE: &[&str] = &["-i", "hosts", "site.yml"];
    let unchanged = recap(TASKS, 0);
    let convoy_with = |name, arguments, expected: &str| Contender {
        name,
        program: convoy.into(),
        arguments,
        environment: &[],
        expected: expected.to_owned(),
    };
    let mut contenders = vec![
        convoy_with("connect and one ping", &["exec", "all", "-i", "hosts", "-m", "ping"], "SUCCESS"),
        convoy_with("convoy", &["apply", "-vv", "-i", "hosts", "site.yml"], &unchanged),
        convoy_with(
            "convoy --no-look-ahead",
            &["apply", "-vv", "--no-look-ahead", "-i", "hosts", "site.yml"],
            &unchanged,
        ),
    ];
    let installed = Command::new("ansible-playbook").arg("--version").stdout(Stdio::null()).status();
    if installed.is_ok_and(|status| status.success()) {
        let ansible_with = |name, environment| Contender {
            name,
            program: "ansible-playbook".into(),
            arguments: SITE,
            environment,
            expected: unchanged.clone(),
        };
        contenders.push(ansible_with("ansible-playbook", &[]));
        contenders.push(ansible_with("ansible-playbook, pipelining", &[("ANSIBLE_PIPELINING", "True")]));
    }
    contenders
}

/// Returns convoy without a journal and with one. They write different content, so that both change files.
fn journal_contenders(convoy: &Path, expected: &str) -> Vec<Contender> {
    let contender = |name, arguments, environment| Contender {
        name,
        program: convoy.into(),
        arguments,
        environment,
        expected: expected.to_owned(),
    };
    vec![
        contender(
            "convoy, no journal",
            &["apply", "-vv", "-e", "by=one", "-i", "hosts", "site.yml"],
            &[("CONVOY_JOURNAL", "off")],
        ),
        contender(
            "convoy",
            &["apply", "-vv", "-e", "by=two", "-i", "hosts", "site.yml"],
            &[("CONVOY_JOURNAL", "on")],
        ),
    ]
}

impl Bench {
    /// Starts a node with this delay in each direction.
    fn over_ssh(place: &str, delay: Option<Duration>) -> BenchResult<Self> {
        let dir = tempfile::tempdir()?;
        let root = dir.path();
        let key = ClientKey::generate(root, "ed25519")?;
        let home = root.join("home");
        fs::create_dir(&home)?;
        let sshd = Sshd::start(&SshdOptions { home: Some(home), ..SshdOptions::new(&key) })?;
        let proxy = delay.map(|delay| Proxy::start(sshd.port, delay)).transpose()?;
        let port = proxy.as_ref().map_or(sshd.port, |proxy| proxy.port);
        let known_hosts = root.join("known_hosts");
        fs::write(&known_hosts, format!("[127.0.0.1]:{port} {}\n", sshd.host_key("ed25519")?.trim_end()))?;
        let node = format!(
            "node ansible_host=127.0.0.1 ansible_port={} ansible_user={} ansible_ssh_private_key_file={} \
             ansible_ssh_common_args='-o UserKnownHostsFile={} -o IdentitiesOnly=yes'\n",
            port,
            sshd.user,
            key.path.display(),
            known_hosts.display()
        );
        fs::write(root.join("hosts"), node)?;
        fs::write(root.join("site.yml"), thirty_tasks(&root.join("node").display().to_string())?)?;
        let title = format!("thirty tasks again, {place}");
        Ok(Self { title, dir, hosts: 1, tasks: TASKS, _node: Some((sshd, proxy)) })
    }

    /// Creates hosts with local connections.
    fn local(title: String, hosts: usize, tasks: usize, playbook: &str) -> BenchResult<Self> {
        let dir = tempfile::tempdir()?;
        let root = dir.path();
        let nodes = root.join("nodes");
        fs::create_dir(&nodes)?;
        let inventory = format!(
            "[all:vars]\nansible_connection=local\nplace={}\n[local]\nh[1:{hosts}]\n",
            nodes.display()
        );
        fs::write(root.join("hosts"), inventory)?;
        fs::write(root.join("site.yml"), playbook)?;
        Ok(Self { title, dir, hosts, tasks, _node: None })
    }

    /// Times the programs and prints their table. The second one runs once before, so that its changes are made.
    fn time(&self, contenders: &[Contender], rounds: usize) -> BenchResult<()> {
        self.run(&contenders[1], false)?;
        let mut runs: Vec<Vec<Run>> = contenders.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (contender, runs) in contenders.iter().zip(&mut runs) {
                runs.push(self.run(contender, true)?);
            }
        }
        Ok(io::stdout().write_all(self.table(contenders, &mut runs)?.as_bytes())?)
    }

    /// Applies the playbook. If `is_timed`, the output must contain what is expected.
    fn run(&self, contender: &Contender, is_timed: bool) -> BenchResult<Run> {
        let mut command = Command::new(&contender.program);
        command.args(contender.arguments).current_dir(self.dir.path());
        command.env("XDG_STATE_HOME", state_home(self.dir.path()));
        command.env("ANSIBLE_LOCALHOST_WARNING", "False").envs(contender.environment.iter().copied());
        let start = Instant::now();
        let printed = output(&mut command)?;
        let seconds = start.elapsed().as_secs_f64();
        if is_timed && printed.matches(&contender.expected).count() != self.hosts {
            return Err(format!("{} did not do what is measured:\n{printed}", contender.name).into());
        }
        let before =
            printed.split(" round trips in all").next().filter(|before| before.len() < printed.len());
        let round_trips = before.and_then(|before| before.split_whitespace().next_back()?.parse().ok());
        Ok(Run { seconds, round_trips })
    }

    fn table(&self, contenders: &[Contender], runs: &mut [Vec<Run>]) -> Result<String, std::fmt::Error> {
        let mut text = format!(
            "\n{}\n{:<30} {:>9} {:>9} {:>12} {:>7} {:>8}\n",
            self.title, "", "median s", "best s", "round trips", "ratio", "ms each"
        );
        let mut baseline = None;
        for (contender, runs) in contenders.iter().zip(runs) {
            runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
            let median = runs[runs.len() / 2].seconds;
            let reference = *baseline.get_or_insert(median);
            let (ratio, each) =
                (median / reference, (median - reference) * 1e3 / (self.hosts * self.tasks) as f64);
            let trips = runs[0].round_trips.map_or_else(|| "-".to_owned(), |trips| trips.to_string());
            let (name, best) = (contender.name, runs[0].seconds);
            writeln!(text, "{name:<30} {median:>9.3} {best:>9.3} {trips:>12} {ratio:>7.2} {each:>8.2}")?;
        }
        Ok(text)
    }
}

/// Returns a playbook with thirty tasks in a directory of the node.
fn thirty_tasks(node: &str) -> Result<String, std::fmt::Error> {
    let mut text = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - file: {{path: \"{node}\", state: directory}}\n"
    );
    for i in 0..TASKS_PER_MODULE {
        writeln!(
            text,
            "    - copy: {{content: \"content {i}\\n\", dest: \"{node}/copy{i}\", mode: \"0644\"}}"
        )?;
        writeln!(text, "    - lineinfile: {{path: \"{node}/lines\", line: \"line {i}\", create: true}}")?;
        writeln!(text, "    - file: {{path: \"{node}/folder{i}\", state: directory, mode: \"0755\"}}")?;
    }
    Ok(text)
}

/// Returns a playbook whose tasks each write a file of the node.
fn file_changes(node: &str) -> Result<String, std::fmt::Error> {
    let mut text = "- hosts: all\n  gather_facts: false\n  tasks:\n".to_owned();
    for i in 0..CHANGED_FILES {
        writeln!(
            text,
            "    - copy: {{content: \"{{{{ by }}}} {i}\\n\", dest: \"{node}-{i}\", mode: \"0644\"}}"
        )?;
    }
    Ok(text)
}
