//! `csvfile`: a cell of a table on the workstation, by the row's key.

use super::call::Call;
use super::term::{Term, call_option, read_file};
use crate::template::Error;
use crate::template::jinja::{Val, str};

pub(super) fn csvfile(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let file = call_option(call, "file", "ansible.csv");
    let delimiter = call_option(call, "delimiter", "TAB");
    let (column, key_column) = (call_option(call, "col", "1"), call_option(call, "keycol", "0"));
    let default = call.options.key("default");
    let encoding = call_option(call, "encoding", "utf-8");
    let mut found = Vec::new();
    for term in call.terms.clone() {
        let term = Term::parse(&str(&term));
        if term.key.is_empty() {
            return Err(Error::other("Search key is required but was not found"));
        }
        let delimiter = match &*term.option("delimiter", &delimiter) {
            "TAB" | "t" | "" => b'\t',
            other => other.as_bytes()[0],
        };
        if !delimiter.is_ascii() {
            return Err(Error::other("csvfile: the delimiter is not an ASCII character"));
        }
        let index = |text: String| {
            text.parse::<usize>()
                .map_err(|_| Error::other(format!("csvfile: '{text}' is not a column number")))
        };
        let (column, key_column) =
            (index(term.option("col", &column))?, index(term.option("keycol", &key_column))?);
        let text =
            read_file(call, "csvfile", &term.option("file", &file), &term.option("encoding", &encoding))?;
        let row = row(&text, delimiter, key_column, &term.key);
        let row = row.map_err(|error| Error::other(format!("csvfile: {error}")))?;
        match (row, &default) {
            (Some(row), _) => {
                let cell = row.get(column).ok_or_else(|| Error::other("csvfile: list index out of range"))?;
                found.push(cell.into());
            }
            (None, Some(default)) => found.push(default.clone()),
            (None, None) => {}
        }
    }
    Ok(found)
}

/// Returns the first row whose cell in column `key_column` is `key`.
fn row(
    text: &str,
    delimiter: u8,
    key_column: usize,
    key: &str,
) -> Result<Option<csv::StringRecord>, csv::Error> {
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(true).delimiter(delimiter);
    let mut rows = reader.from_reader(text.as_bytes()).into_records();
    rows.find(|row| row.as_ref().map_or(true, |row| row.get(key_column) == Some(key))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Python's `csv` makes of the same.
    #[test]
    fn cells_are_read_as_python_reads_them() {
        let cells = |text: &str| {
            let row = row(text, b',', 0, "a").unwrap().unwrap();
            row.iter().map(str::to_owned).collect::<Vec<_>>()
        };
        for (text, expected) in [
            ("b,1\n\na,2,3\na,4\n", vec!["a", "2", "3"]),
            ("a, \"x\" ,\r\n", vec!["a", " \"x\" ", ""]),
            ("\"a\",\"say \"\"x\"\", he\",\"1,2\"3\n", vec!["a", "say \"x\", he", "1,23"]),
            ("a,x\"y\"z,\"\"\n", vec!["a", "x\"y\"z", ""]),
            ("a,\"two\nlines\",\"\"x\"\n", vec!["a", "two\nlines", "x\""]),
            ("a,\"open\n,\"\"", vec!["a", "open\n,\""]),
        ] {
            assert_eq!(cells(text), expected, "{text}");
        }
        assert!(row("a,1\n", b',', 0, "b").unwrap().is_none());
        assert_eq!(row("1\ta\n", b'\t', 1, "a").unwrap().unwrap().get(0), Some("1"));
    }
}
