//! Times the re-application of thirty tasks on one node behind a real sshd, near and far: convoy with and without
//! look-ahead, `ansible-playbook` where it is installed, and as a measure a single question. Then what it costs that a run
//! can be looked at, gone on with and undone: convoy with a journal and without, where nothing changes and where all does.
//! Usage: `bench [CONVOY [ROUNDS]]`; by default the `convoy` beside this program, and each timed five times, those with a
//! journal and without three times as often.
//!
//! A table compares medians with that of its first line: `ratio`, and `ms each`, for each task on each host.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use convoy_tests::program::state_of;
use convoy_tests::proxy::Proxy;
use convoy_tests::sshd::{ClientKey, Sshd, SshdOptions, output};
use tempfile::TempDir;

/// How often each program is timed unless it is said; they take turns.
const ROUNDS: usize = 5;
/// How many tasks of each of the three kinds there are.
const OF_A_KIND: usize = 10;
/// How many tasks that makes, with the one for their folder.
const TASKS: usize = OF_A_KIND * 3 + 1;
/// How far away the far node is, in each direction: half a round trip.
const FAR: Duration = Duration::from_millis(25);
/// On how many hosts of this machine nothing changes.
const HOSTS: usize = 20;
/// How many files change.
const FILES: usize = 120;
/// Where the files of such a host are.
const LOCAL: &str = "{{ place }}/{{ inventory_hostname }}";
/// How many times as often runs are timed that differ by little.
const OFTEN: usize = 3;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Hosts and what is to be applied to them.
struct Bench {
    title: String,
    folder: TempDir,
    hosts: usize,
    /// How many tasks there are for each host.
    tasks: usize,
    _node: Option<(Sshd, Option<Proxy>)>,
}

/// A program to be timed.
struct Contender {
    name: &'static str,
    program: PathBuf,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// What it prints of each host if all is well.
    expected: String,
}

/// One run.
struct Run {
    seconds: f64,
    round_trips: Option<u64>,
}

fn main() -> Outcome<()> {
    let convoy = match std::env::args_os().nth(1) {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()?.with_file_name("convoy"),
    };
    let convoy = convoy
        .canonicalize()
        .map_err(|error| format!("cannot use {}: {error}; build convoy first", convoy.display()))?;
    let rounds = std::env::args().nth(2).map_or(Ok(ROUNDS), |rounds| rounds.parse())?.max(1);
    for (place, delay) in [("on loopback", None), ("50 ms of round trip away", Some(FAR))] {
        Bench::behind_sshd(place, delay)?.time(&programs(&convoy), rounds)?;
    }
    let title = format!("thirty tasks again, on {HOSTS} local hosts");
    let again = Bench::local(title, HOSTS, TASKS, &thirty(LOCAL)?)?;
    again.time(&journals(&convoy, &recap(TASKS, 0)), rounds * OFTEN)?;
    let change = Bench::local(format!("{FILES} files changed, on a local host"), 1, FILES, &files(LOCAL)?)?;
    change.time(&journals(&convoy, &recap(FILES, FILES)), rounds * OFTEN)
}

/// Returns how the recap begins for a host with so many tasks.
fn recap(ok: usize, changed: usize) -> String {
    format!("ok={ok:<4} changed={changed:<4} ")
}

/// Returns what thirty tasks are timed with; the first is what the others are measured by.
fn programs(convoy: &Path) -> Vec<Contender> {
    const SITE: &[&str] = &["-i", "hosts", "site.yml"];
    let again = recap(TASKS, 0);
    let of_convoy = |name, arguments, expected: &str| Contender {
        name,
        program: convoy.into(),
        arguments,
        environment: &[],
        expected: expected.to_owned(),
    };
    let mut contenders = vec![
        of_convoy("connect and one question", &["exec", "all", "-i", "hosts", "-m", "ping"], "SUCCESS"),
        of_convoy("convoy", &["apply", "-vv", "-i", "hosts", "site.yml"], &again),
        of_convoy(
            "convoy --no-look-ahead",
            &["apply", "-vv", "--no-look-ahead", "-i", "hosts", "site.yml"],
            &again,
        ),
    ];
    let installed = Command::new("ansible-playbook").arg("--version").stdout(Stdio::null()).status();
    if installed.is_ok_and(|status| status.success()) {
        let of_ansible = |name, environment| Contender {
            name,
            program: "ansible-playbook".into(),
            arguments: SITE,
            environment,
            expected: again.clone(),
        };
        contenders.push(of_ansible("ansible-playbook", &[]));
        contenders.push(of_ansible("ansible-playbook, pipelining", &[("ANSIBLE_PIPELINING", "True")]));
    }
    contenders
}

/// Returns convoy without a journal and with one, which changes what the other has written.
fn journals(convoy: &Path, expected: &str) -> Vec<Contender> {
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
    /// Starts a node, which is `delay` away in each direction.
    fn behind_sshd(place: &str, delay: Option<Duration>) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
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
        fs::write(root.join("site.yml"), thirty(&root.join("node").display().to_string())?)?;
        let title = format!("thirty tasks again, {place}");
        Ok(Self { title, folder, hosts: 1, tasks: TASKS, _node: Some((sshd, proxy)) })
    }

    /// Makes hosts that are folders of this machine.
    fn local(title: String, hosts: usize, tasks: usize, playbook: &str) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        let nodes = root.join("nodes");
        fs::create_dir(&nodes)?;
        let inventory = format!(
            "[all:vars]\nansible_connection=local\nplace={}\n[local]\nh[1:{hosts}]\n",
            nodes.display()
        );
        fs::write(root.join("hosts"), inventory)?;
        fs::write(root.join("site.yml"), playbook)?;
        Ok(Self { title, folder, hosts, tasks, _node: None })
    }

    /// Times the programs and prints their table. What the second does is done once before.
    fn time(&self, contenders: &[Contender], rounds: usize) -> Outcome<()> {
        self.run(&contenders[1], false)?;
        let mut runs: Vec<Vec<Run>> = contenders.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (contender, runs) in contenders.iter().zip(&mut runs) {
                runs.push(self.run(contender, true)?);
            }
        }
        Ok(io::stdout().write_all(self.table(contenders, &mut runs)?.as_bytes())?)
    }

    /// Applies the playbook; `timed`: it has to do what is expected.
    fn run(&self, contender: &Contender, timed: bool) -> Outcome<Run> {
        let mut command = Command::new(&contender.program);
        command.args(contender.arguments).current_dir(self.folder.path());
        command.env("XDG_STATE_HOME", state_of(self.folder.path()));
        command.env("ANSIBLE_LOCALHOST_WARNING", "False").envs(contender.environment.iter().copied());
        let start = Instant::now();
        let printed = output(&mut command)?;
        let seconds = start.elapsed().as_secs_f64();
        if timed && printed.matches(&contender.expected).count() != self.hosts {
            return Err(format!("{} did something else than expected:\n{printed}", contender.name).into());
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
        let mut first = None;
        for (contender, runs) in contenders.iter().zip(runs) {
            runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
            let median = runs[runs.len() / 2].seconds;
            let by = *first.get_or_insert(median);
            let (ratio, each) = (median / by, (median - by) * 1e3 / (self.hosts * self.tasks) as f64);
            let trips = runs[0].round_trips.map_or_else(|| "-".to_owned(), |trips| trips.to_string());
            let (name, best) = (contender.name, runs[0].seconds);
            writeln!(text, "{name:<30} {median:>9.3} {best:>9.3} {trips:>12} {ratio:>7.2} {each:>8.2}")?;
        }
        Ok(text)
    }
}

/// Returns thirty tasks in a folder of the node.
fn thirty(node: &str) -> Result<String, std::fmt::Error> {
    let mut text = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - file: {{path: \"{node}\", state: directory}}\n"
    );
    for i in 0..OF_A_KIND {
        writeln!(
            text,
            "    - copy: {{content: \"content {i}\\n\", dest: \"{node}/copy{i}\", mode: \"0644\"}}"
        )?;
        writeln!(text, "    - lineinfile: {{path: \"{node}/lines\", line: \"line {i}\", create: true}}")?;
        writeln!(text, "    - file: {{path: \"{node}/folder{i}\", state: directory, mode: \"0755\"}}")?;
    }
    Ok(text)
}

/// Returns tasks that each change a file of the node.
fn files(node: &str) -> Result<String, std::fmt::Error> {
    let mut text = "- hosts: all\n  gather_facts: false\n  tasks:\n".to_owned();
    for i in 0..FILES {
        writeln!(
            text,
            "    - copy: {{content: \"{{{{ by }}}} {i}\\n\", dest: \"{node}-{i}\", mode: \"0644\"}}"
        )?;
    }
    Ok(text)
}
