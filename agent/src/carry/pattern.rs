//! Names of several keys at once: a key path in which `*` stands for one part, and `**` at its end for all below.

use std::fmt;

use super::dialect::equivalent;
use crate::formats::toml::{KeyPath, KeyReader, Part, TomlError};

/// A key path with wildcards. What names a table means all that is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    text: String,
    pieces: Vec<Piece>,
    /// Whether it ends with `**`.
    deep: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Part(Part),
    /// `*`
    AnyKey,
    /// `[*]`
    AnyTable,
}

/// What the wildcards of a pattern stand for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Captures {
    stars: Vec<Part>,
    rest: Vec<Part>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`TomlError::Key`].
    pub fn parse(text: &str) -> Result<Self, TomlError> {
        let mut reader = KeyReader::new(text);
        let (mut pieces, mut deep) = (Vec::new(), false);
        loop {
            if reader.eat("**") {
                deep = true;
                if !reader.is_done() {
                    return Err(reader.wrong("`**` stands only at the end"));
                }
                break;
            }
            pieces.push(if reader.eat("*") { Piece::AnyKey } else { Piece::Part(Part::Key(reader.key()?)) });
            while reader.eat("[") {
                pieces.push(if reader.eat("*") {
                    if !reader.eat("]") {
                        return Err(reader.wrong("`]` is missing"));
                    }
                    Piece::AnyTable
                } else {
                    Piece::Part(reader.selector()?)
                });
            }
            if reader.is_done() {
                break;
            }
            if !reader.eat(".") {
                return Err(reader.wrong("a key goes on with `.` or `[`"));
            }
        }
        Ok(Self { text: text.trim().to_owned(), pieces, deep })
    }

    /// Returns what the wildcards stand for if the pattern fits a key, or a table that the key is in.
    pub fn captures(&self, key: &KeyPath) -> Option<Captures> {
        let mut stars = Vec::new();
        let mut parts = key.0.iter();
        for piece in &self.pieces {
            let part = parts.next()?;
            match (piece, part) {
                (Piece::AnyKey, Part::Key(_)) | (Piece::AnyTable, Part::Where(..) | Part::Index(_)) => {
                    stars.push(part.clone());
                }
                (Piece::Part(mine), theirs) if is_same(mine, theirs) => {}
                _ => return None,
            }
        }
        let rest = parts.as_slice().to_vec();
        // A star is one part, no more: `a.*` is not what is deeper in `a`.
        let ends = rest.is_empty() || self.deep || self.pieces.last() != Some(&Piece::AnyKey);
        ends.then_some(Captures { stars, rest })
    }

    /// Returns whether it fits a key.
    pub fn fits(&self, key: &KeyPath) -> bool {
        self.captures(key).is_some()
    }

    /// Returns the key that this becomes with the wildcards of another pattern that fitted.
    pub fn filled(&self, captures: &Captures) -> KeyPath {
        let mut keys = captures.stars.iter().filter(|part| matches!(part, Part::Key(_)));
        let mut tables = captures.stars.iter().filter(|part| !matches!(part, Part::Key(_)));
        let part = |piece: &Piece| match piece {
            Piece::Part(part) => Some(part.clone()),
            Piece::AnyKey => keys.next().cloned(),
            Piece::AnyTable => tables.next().cloned(),
        };
        let begin: Vec<Part> = self.pieces.iter().filter_map(part).collect();
        KeyPath(begin.into_iter().chain(captures.rest.iter().cloned()).collect())
    }

    /// Returns whether each wildcard of this has one of `other` to stand for.
    pub fn is_filled_by(&self, other: &Self) -> bool {
        let count = |pattern: &Self, piece: &Piece| pattern.pieces.iter().filter(|one| *one == piece).count();
        [Piece::AnyKey, Piece::AnyTable].iter().all(|piece| count(self, piece) <= count(other, piece))
    }
}

fn is_same(a: &Part, b: &Part) -> bool {
    match (a, b) {
        (Part::Where(key, value), Part::Where(other, theirs)) => key == other && equivalent(value, theirs),
        _ => a == b,
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
