//! Times the re-application of thirty tasks on one node behind a real sshd: convoy with and without look-ahead, and
//! `ansible-playbook` where it is installed. Usage: `bench [CONVOY [ROUNDS]]`; by default the `convoy` beside this
//! program, and each timed five times.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use convoy_tests::sshd::{ClientKey, Sshd, SshdOptions, output};
use tempfile::TempDir;

/// How often each program is timed unless it is said; they take turns.
const ROUNDS: usize = 5;
/// How many tasks of each of the three kinds there are.
const OF_A_KIND: usize = 10;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A node and what is to be applied to it.
struct Bench {
    folder: TempDir,
    _sshd: Sshd,
}

/// A program to be timed.
struct Contender {
    name: &'static str,
    program: PathBuf,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
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
    let bench = Bench::new()?;
    let contenders = contenders(&convoy);
    bench.run(&contenders[0], false)?;
    let mut runs: Vec<Vec<Run>> = contenders.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (contender, runs) in contenders.iter().zip(&mut runs) {
            runs.push(bench.run(contender, true)?);
        }
    }
    let table = table(&contenders, &mut runs)?;
    io::stdout().write_all(table.as_bytes())?;
    Ok(())
}

fn contenders(convoy: &Path) -> Vec<Contender> {
    let of_convoy = |name, arguments| Contender { name, program: convoy.into(), arguments, environment: &[] };
    let mut contenders = vec![
        of_convoy("convoy", &["apply", "-vv"]),
        of_convoy("convoy --no-look-ahead", &["apply", "-vv", "--no-look-ahead"]),
    ];
    let installed = Command::new("ansible-playbook").arg("--version").stdout(Stdio::null()).status();
    if installed.is_ok_and(|status| status.success()) {
        let of_ansible = |name, environment| Contender {
            name,
            program: "ansible-playbook".into(),
            arguments: &[],
            environment,
        };
        contenders.push(of_ansible("ansible-playbook", &[]));
        contenders.push(of_ansible("ansible-playbook, pipelining", &[("ANSIBLE_PIPELINING", "True")]));
    }
    contenders
}

impl Bench {
    fn new() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        let key = ClientKey::generate(root, "ed25519")?;
        let home = root.join("home");
        fs::create_dir(&home)?;
        let sshd = Sshd::start(&SshdOptions { home: Some(home), ..SshdOptions::new(&key) })?;
        let known_hosts = root.join("known_hosts");
        fs::write(&known_hosts, sshd.known_hosts("ed25519")?)?;
        let node = format!(
            "node ansible_host=127.0.0.1 ansible_port={} ansible_user={} ansible_ssh_private_key_file={} \
             ansible_ssh_common_args='-o UserKnownHostsFile={} -o IdentitiesOnly=yes'\n",
            sshd.port,
            sshd.user,
            key.path.display(),
            known_hosts.display()
        );
        fs::write(root.join("hosts"), node)?;
        fs::write(root.join("site.yml"), playbook(&root.join("node"))?)?;
        Ok(Self { folder, _sshd: sshd })
    }

    /// Applies the playbook; `again`: nothing may be left to change.
    fn run(&self, contender: &Contender, again: bool) -> Outcome<Run> {
        let mut command = Command::new(&contender.program);
        command.args(contender.arguments).args(["-i", "hosts", "site.yml"]).current_dir(self.folder.path());
        command.env("ANSIBLE_LOCALHOST_WARNING", "False").envs(contender.environment.iter().copied());
        let start = Instant::now();
        let printed = output(&mut command)?;
        let seconds = start.elapsed().as_secs_f64();
        let tasks = OF_A_KIND * 3 + 1;
        let well = printed.contains(&format!("ok={tasks} "));
        if !well || again && !printed.contains("changed=0 ") {
            return Err(format!("{} did something else than expected:\n{printed}", contender.name).into());
        }
        let before =
            printed.split(" round trips in all").next().filter(|before| before.len() < printed.len());
        let round_trips = before.and_then(|before| before.split_whitespace().next_back()?.parse().ok());
        Ok(Run { seconds, round_trips })
    }
}

fn playbook(node: &Path) -> Result<String, std::fmt::Error> {
    let node = node.display();
    let mut text = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - file: {{path: {node}, state: directory}}\n"
    );
    for i in 0..OF_A_KIND {
        writeln!(text, "    - copy: {{content: \"content {i}\\n\", dest: {node}/copy{i}, mode: \"0644\"}}")?;
        writeln!(text, "    - lineinfile: {{path: {node}/lines, line: \"line {i}\", create: true}}")?;
        writeln!(text, "    - file: {{path: {node}/folder{i}, state: directory, mode: \"0755\"}}")?;
    }
    Ok(text)
}

fn table(contenders: &[Contender], runs: &mut [Vec<Run>]) -> Outcome<String> {
    let mut text = format!(
        "{:<30} {:>9} {:>9} {:>12} {:>7}\n",
        "re-application", "median s", "best s", "round trips", "ratio"
    );
    let mut first = None;
    for (contender, runs) in contenders.iter().zip(runs) {
        runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let median = runs[runs.len() / 2].seconds;
        let ratio = median / *first.get_or_insert(median);
        let trips = runs[0].round_trips.map_or_else(|| "-".to_owned(), |trips| trips.to_string());
        let (name, best) = (contender.name, runs[0].seconds);
        writeln!(text, "{name:<30} {median:>9.3} {best:>9.3} {trips:>12} {ratio:>7.1}")?;
    }
    Ok(text)
}
