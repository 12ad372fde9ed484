//! The text of a crontab: lines, of which those that modules of Ansible wrote have a name in the line before them.

/// What stands before the name of a job.
const MARK: &str = "#Ansible: ";

/// A crontab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    lines: Vec<String>,
}

/// Where a new variable is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// Above all.
    First,
    /// Behind the variable of this name.
    After(&'a str),
    /// Before the variable of this name.
    Before(&'a str),
}

impl Table {
    /// Reads a text.
    pub(super) fn parse(text: &str) -> Self {
        Self { lines: text.lines().map(str::to_owned).collect() }
    }

    /// Returns the text: with a line end at its end, unless it is empty.
    pub(super) fn text(&self) -> String {
        let text = self.lines.join("\n");
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() { String::new() } else { format!("{text}\n") }
    }

    /// Returns whether there is nothing but blanks.
    pub(super) fn is_blank(&self) -> bool {
        self.lines.iter().all(|line| line.trim().is_empty())
    }

    /// Returns the names of the jobs.
    pub(super) fn jobs(&self) -> Vec<&str> {
        self.lines.iter().filter_map(|line| line.strip_prefix(MARK)).collect()
    }

    /// Returns the names of the variables.
    pub(super) fn variables(&self) -> Vec<&str> {
        let name = |line: &'_ String| {
            line.find('=').filter(|at| *at > 0 && !line[..*at].contains(char::is_whitespace))
        };
        self.lines.iter().filter_map(|line| name(line).map(|at| &line[..at])).collect()
    }

    /// Sees to it that the job `name` is `line`. A line that is there already, without a name, gets it.
    pub(super) fn set_job(&mut self, name: &str, line: &str) {
        let mark = format!("{MARK}{name}");
        if self.line_of(&mark).is_some() {
            self.each_line_of(&mark, Some(line));
            return;
        }
        match self.lines.iter().position(|known| known == line) {
            Some(at) if at > 0 && self.lines[at - 1] == MARK.trim_end() => self.lines[at - 1] = mark,
            Some(at) if at == 0 || !self.lines[at - 1].starts_with(MARK) => self.lines.insert(at, mark),
            _ => self.lines.extend([mark, line.to_owned()]),
        }
    }

    /// Takes the job `name` out; returns whether there was one.
    pub(super) fn remove_job(&mut self, name: &str) -> bool {
        let mark = format!("{MARK}{name}");
        let there = self.line_of(&mark).is_some();
        if there {
            self.each_line_of(&mark, None);
        }
        there
    }

    /// Returns the line of the job with this mark.
    fn line_of(&self, mark: &str) -> Option<&str> {
        let mut lines = self.lines.iter();
        while let Some(line) = lines.next() {
            // What follows a mark is its job, whatever it looks like.
            if line.starts_with(MARK) {
                let job = lines.next()?;
                if line == mark {
                    return Some(job);
                }
            }
        }
        None
    }

    /// Puts `line` in the place of every line that has this mark, or takes both out.
    fn each_line_of(&mut self, mark: &str, line: Option<&str>) {
        let mut lines = std::mem::take(&mut self.lines).into_iter();
        while let Some(known) = lines.next() {
            if known != mark {
                self.lines.push(known);
            } else if lines.next().is_some() {
                self.lines.extend(line.map(|line| [known, line.to_owned()]).into_iter().flatten());
            }
        }
    }

    /// Sees to it that the variable `name` is declared by `line`.
    ///
    /// # Errors
    /// The name of the variable that is not there, behind or before which a new one was to be put.
    pub(super) fn set_variable<'a>(
        &mut self,
        name: &str,
        line: &str,
        place: Place<'a>,
    ) -> Result<(), &'a str> {
        let declared = |lines: &[String], name: &str| {
            lines.iter().position(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
        };
        if declared(&self.lines, name).is_some() {
            let of_name = |known: &&mut String| declared(std::slice::from_ref(*known), name).is_some();
            self.lines.iter_mut().filter(of_name).for_each(|known| line.clone_into(known));
            return Ok(());
        }
        let at = match place {
            Place::First => 0,
            Place::After(other) => declared(&self.lines, other).ok_or(other)? + 1,
            Place::Before(other) => declared(&self.lines, other).ok_or(other)?,
        };
        self.lines.insert(at, line.to_owned());
        Ok(())
    }

    /// Takes the variable `name` out.
    pub(super) fn remove_variable(&mut self, name: &str) {
        self.lines.retain(|line| line.strip_prefix(name).is_none_or(|rest| !rest.starts_with('=')));
    }
}

/// Returns what `crontab -l` printed without the lines that some versions put above the user's own.
pub(super) fn without_heading(text: &str) -> String {
    let is_heading = |line: &str| {
        line.starts_with("# DO NOT EDIT THIS FILE - edit the master and reinstall.")
            || (line.starts_with("# (/tmp/")
                && line.contains("installed on")
                && line.trim_end().ends_with(')'))
            || (line.starts_with("# (") && line.contains("version") && line.trim_end().ends_with(')'))
    };
    let lines = text.split_inclusive('\n').enumerate();
    lines.filter(|(at, line)| *at > 2 || !is_heading(line)).map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "PATH=/bin\n#Ansible: a\n1 * * * * a\n# mine\n2 * * * * b\n#Ansible:\n3 * * * * c\n";

    fn edited(edit: impl FnOnce(&mut Table)) -> String {
        let mut table = Table::parse(TEXT);
        edit(&mut table);
        table.text()
    }

    #[test]
    fn jobs_are_known_by_their_names() {
        let table = Table::parse(TEXT);
        assert_eq!((table.jobs(), table.variables()), (vec!["a"], vec!["PATH"]));
        assert_eq!(edited(|table| table.set_job("a", "1 * * * * a")), TEXT);
        assert_eq!(
            edited(|table| table.set_job("a", "9 * * * * x")),
            TEXT.replace("1 * * * * a", "9 * * * * x")
        );
        let new = format!("{TEXT}#Ansible: d\n4 * * * * d\n");
        assert_eq!(edited(|table| table.set_job("d", "4 * * * * d")), new);
        assert_eq!(
            edited(|table| assert!(table.remove_job("a"))),
            TEXT.replace("#Ansible: a\n1 * * * * a\n", "")
        );
        assert_eq!(edited(|table| assert!(!table.remove_job("b"))), TEXT);
    }

    #[test]
    fn a_job_that_is_there_without_a_name_gets_it() {
        let named = TEXT.replace("2 * * * * b", "#Ansible: b\n2 * * * * b");
        assert_eq!(edited(|table| table.set_job("b", "2 * * * * b")), named);
        let named = TEXT.replace("#Ansible:\n", "#Ansible: c\n");
        assert_eq!(edited(|table| table.set_job("c", "3 * * * * c")), named);
        // One that has another name is another job.
        let new = format!("{TEXT}#Ansible: d\n1 * * * * a\n");
        assert_eq!(edited(|table| table.set_job("d", "1 * * * * a")), new);
    }

    #[test]
    fn variables_have_their_places() {
        let set = |name: &str, place: Place<'static>| {
            let mut table = Table::parse("A=1\nB=2\n");
            table.set_variable(name, &format!("{name}=\"x\""), place).map(|()| table.text())
        };
        assert_eq!(set("C", Place::First).as_deref(), Ok("C=\"x\"\nA=1\nB=2\n"));
        assert_eq!(set("C", Place::After("A")).as_deref(), Ok("A=1\nC=\"x\"\nB=2\n"));
        assert_eq!(set("C", Place::Before("B")).as_deref(), Ok("A=1\nC=\"x\"\nB=2\n"));
        assert_eq!(set("B", Place::After("Z")).as_deref(), Ok("A=1\nB=\"x\"\n"));
        assert_eq!(set("C", Place::After("Z")), Err("Z"));
        assert_eq!(edited(|table| table.remove_variable("PATH")), TEXT.replace("PATH=/bin\n", ""));
    }

    #[test]
    fn headings_of_the_program_are_no_part_of_the_table() {
        let heading = "# DO NOT EDIT THIS FILE - edit the master and reinstall.\n# (/tmp/x installed on Mon)\n# (Cron version V5)\n";
        assert_eq!(without_heading(&format!("{heading}{TEXT}")), TEXT);
        assert_eq!(without_heading("a\nb\nc\n# (Cron version V5)\n"), "a\nb\nc\n# (Cron version V5)\n");
    }
}
