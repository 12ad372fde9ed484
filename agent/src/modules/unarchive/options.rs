//! What the task asks for beyond the archive's members, with `extra_opts` understood.

use convoy_archive::Format;

use super::args::Args;
use crate::failure::Failure;
use crate::system::SystemView;

/// Options of tar that ask for what is done anyway, or mean nothing where no program is run.
const TAR_ANYWAY: [&str; 22] = [
    "-z",
    "-j",
    "-J",
    "-v",
    "-x",
    "--gzip",
    "--gunzip",
    "--ungzip",
    "--bzip2",
    "--xz",
    "--zstd",
    "--auto-compress",
    "--extract",
    "--get",
    "--verbose",
    "--overwrite",
    "--unlink-first",
    "--wildcards",
    "--force-local",
    "--no-acls",
    "--no-selinux",
    "--no-xattrs",
];

/// As [`TAR_ANYWAY`], of unzip.
const ZIP_ANYWAY: [&str; 3] = ["-o", "-q", "-qq"];

/// What is asked for.
#[derive(Debug)]
pub(super) struct Options {
    /// How many directories at the front of each name are taken away.
    pub(super) strip: usize,
    /// Whether files that were changed later than the archive's are left alone.
    pub(super) keep_newer: bool,
    /// Whether the archive's owners are those of the files.
    pub(super) same_owner: bool,
    /// Whether these are taken by number.
    pub(super) numeric_owner: bool,
    /// Whether the archive's modes are taken whole.
    pub(super) same_permissions: bool,
    /// What is taken from the archive's modes.
    pub(super) umask: u32,
    /// Whether directories that are there keep their modes and owners.
    pub(super) keep_directories: bool,
    /// What is left out.
    pub(super) exclude: Vec<String>,
    /// What alone is unpacked; empty: all.
    pub(super) include: Vec<String>,
    /// Whether a pattern to leave out may match behind any slash of a name.
    pub(super) anywhere: bool,
}

impl Options {
    /// Reads the task's arguments for an archive of this format.
    pub(super) fn new(args: &Args, format: Format, view: &SystemView) -> Result<Self, Failure> {
        let (tar, root) = (is_tar(format), view.uid() == 0);
        let trimmed = |patterns: &[String]| {
            let named = patterns.iter().filter(|pattern| !pattern.is_empty());
            named.map(|pattern| pattern.trim_end_matches('/').trim_start_matches("./").to_owned()).collect()
        };
        let mut options = Self {
            strip: 0,
            keep_newer: args.keep_newer,
            same_owner: tar && root,
            numeric_owner: false,
            same_permissions: false,
            // Of tar's modes root takes all, as does everyone of zip's.
            umask: if tar && !root { view.umask() } else { 0 },
            keep_directories: false,
            exclude: trimmed(&args.exclude),
            include: trimmed(&args.include),
            anywhere: tar,
        };
        let mut words = args.extra_opts.iter().map(|word| word.trim()).filter(|word| !word.is_empty());
        while let Some(word) = words.next() {
            let known = if tar { options.tar(word, &mut words, view.umask())? } else { options.zip(word) };
            if !known {
                return Err(refused(word, tar));
            }
        }
        Ok(options)
    }

    /// Takes up an option of tar, with what `rest` has for it; returns whether it is known.
    fn tar<'w>(
        &mut self,
        word: &str,
        rest: &mut impl Iterator<Item = &'w str>,
        umask: u32,
    ) -> Result<bool, Failure> {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        match (name, value) {
            ("--strip-components" | "--strip", value) => {
                let number = value.or_else(|| rest.next()).unwrap_or_default();
                self.strip = number.parse().map_err(|_| {
                    Failure::new(format!("extra_opts: {name} needs a number of directories, not '{number}'"))
                })?;
            }
            ("--exclude", value) => match value.or_else(|| rest.next()) {
                Some(pattern) => self.exclude.push(pattern.trim_end_matches('/').to_owned()),
                None => return Err(Failure::new("extra_opts: --exclude needs a pattern")),
            },
            ("--no-same-owner" | "-o", None) => self.same_owner = false,
            ("--same-owner", None) => self.same_owner = true,
            ("--numeric-owner", None) => self.numeric_owner = true,
            ("--same-permissions" | "--preserve-permissions" | "-p", None) => {
                (self.same_permissions, self.umask) = (true, 0);
            }
            ("--no-same-permissions", None) => self.umask = umask,
            ("--keep-newer-files", None) => self.keep_newer = true,
            ("--no-overwrite-dir", None) => self.keep_directories = true,
            (name, None) => return Ok(TAR_ANYWAY.contains(&name)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn zip(&mut self, word: &str) -> bool {
        if word == "-K" {
            self.same_permissions = true;
        }
        word == "-K" || ZIP_ANYWAY.contains(&word)
    }
}

fn refused(word: &str, tar: bool) -> Failure {
    let (program, known) = if tar {
        (
            "tar",
            "--strip-components=N, --no-same-owner, --same-owner, --numeric-owner, --same-permissions, \
             --no-same-permissions, --no-overwrite-dir, --keep-newer-files and --exclude=PATTERN",
        )
    } else {
        ("unzip", "-K")
    };
    Failure::new(format!(
        "extra_opts: unrecognized option '{word}': convoy unpacks by itself, without {program}, and knows {known}"
    ))
}

/// Returns whether the archive tells owners as tar does.
fn is_tar(format: Format) -> bool {
    format != Format::Zip
}
