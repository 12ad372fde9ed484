//! Times the re-application of thirty tasks on one node behind a real sshd, near and far: convoy with and without
//! look-ahead, `ansible-playbook` where it is installed, and as a measure a single question. Usage: `bench [CONVOY [ROUNDS]]`; by default the `convoy` beside this
//! program, and each timed five times.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use convoy_tests::proxy::Proxy;
use convoy_tests::sshd::{ClientKey, Sshd, SshdOptions, output};
use tempfile::TempDir;

/// How often each program is timed unless it is said; they take turns.
const ROUNDS: usize = 5;
/// How many tasks of each of the three kinds there are.
const OF_A_KIND: usize = 10;
/// How far away the far node is, in each direction: half a round trip.
const FAR: Duration = Duration::from_millis(25);

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A node and what is to be applied to it.
struct Bench {
    folder: TempDir,
    _sshd: Sshd,
    _proxy: Option<Proxy>,
}

/// A program to be timed.
struct Contender {
    name: &'static str,
    program: PathBuf,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// What it prints if all is well and nothing was changed.
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
    let contenders = contenders(&convoy);
    for (place, delay) in [("on loopback", None), ("50 ms of round trip away", Some(FAR))] {
        let bench = Bench::new(delay)?;
        bench.run(&contenders[1], false)?;
        let mut runs: Vec<Vec<Run>> = contenders.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (contender, runs) in contenders.iter().zip(&mut runs) {
                runs.push(bench.run(contender, true)?);
            }
        }
        let table = table(place, &contenders, &mut runs)?;
        io::stdout().write_all(table.as_bytes())?;
    }
    Ok(())
}

/// Returns the programs; the first is what the others are measured by.
fn contenders(convoy: &Path) -> Vec<Contender> {
    const SITE: &[&str] = &["-i", "hosts", "site.yml"];
    let again = format!("ok={:<4} changed=0 ", OF_A_KIND * 3 + 1);
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

impl Bench {
    /// Starts a node, which is `delay` away in each direction.
    fn new(delay: Option<Duration>) -> Outcome<Self> {
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
        fs::write(root.join("site.yml"), playbook(&root.join("node"))?)?;
        Ok(Self { folder, _sshd: sshd, _proxy: proxy })
    }

    /// Applies the playbook; `again`: nothing may be left to change.
    fn run(&self, contender: &Contender, again: bool) -> Outcome<Run> {
        let mut command = Command::new(&contender.program);
        command.args(contender.arguments).current_dir(self.folder.path());
        command.env("ANSIBLE_LOCALHOST_WARNING", "False").envs(contender.environment.iter().copied());
        let start = Instant::now();
        let printed = output(&mut command)?;
        let seconds = start.elapsed().as_secs_f64();
        if again && !printed.contains(&contender.expected) {
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

fn table(place: &str, contenders: &[Contender], runs: &mut [Vec<Run>]) -> Outcome<String> {
    let mut text = format!(
        "\nthirty tasks again, {place}\n{:<30} {:>9} {:>9} {:>12} {:>7}\n",
        "", "median s", "best s", "round trips", "ratio"
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
