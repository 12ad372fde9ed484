//! Arguments for `ssh`, as in `ansible_ssh_common_args` and similar variables.

use std::path::PathBuf;

use super::options::is_unsupported;
use crate::paths::expand_user;

/// Arguments of `ssh`, parsed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// The options in their order; `-p`, `-l`, `-i` and `-J` become options, too.
    pub options: Vec<(String, String)>,
    /// The configuration file (`-F`).
    pub file: Option<PathBuf>,
}

impl Arguments {
    /// Parses a line of arguments.
    ///
    /// # Errors
    /// If convoy does not support an argument: none is ignored silently.
    pub fn read(line: &str) -> Result<Self, String> {
        let mut read = Self::default();
        let words = convoy_agent::words::split(line).map_err(str::to_owned)?;
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut letters = word.strip_prefix('-').filter(|rest| !rest.is_empty()).map(str::chars);
            let Some(letters) = &mut letters else {
                return Err(format!("`{word}` is not supported: only options of ssh are"));
            };
            while let Some(letter) = letters.next() {
                if matches!(letter, 'o' | 'p' | 'l' | 'i' | 'J' | 'F') {
                    let rest = letters.as_str().to_owned();
                    let value = if rest.is_empty() { words.next() } else { Some(rest) };
                    let value = value.ok_or_else(|| format!("`-{letter}` has no value"))?;
                    read.set(letter, &value)?;
                    break;
                }
                read.flag(letter, &word)?;
            }
        }
        Ok(read)
    }

    fn set(&mut self, letter: char, value: &str) -> Result<(), String> {
        let name = match letter {
            'o' => return self.option(value),
            'p' => "Port",
            'l' => "User",
            'i' => "IdentityFile",
            'J' => "ProxyJump",
            _ => {
                self.file = Some(if value == "none" { "/dev/null".into() } else { expand_user(value) });
                return Ok(());
            }
        };
        self.options.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    fn flag(&mut self, letter: char, word: &str) -> Result<(), String> {
        let (name, value) = match letter {
            '4' => ("AddressFamily", "inet"),
            '6' => ("AddressFamily", "inet6"),
            // Compression, quiet, verbose, no terminal, no agent or X11 forwarding: no effect on convoy.
            'C' | 'q' | 'v' | 'T' | 'a' | 'x' => return Ok(()),
            _ => {
                return Err(format!(
                    "`{word}` is not supported: convoy supports -o, -F, -J, -i, -l, -p, -4 and -6"
                ));
            }
        };
        self.options.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Adds an option, given as `Name=value` or `Name value`.
    fn option(&mut self, option: &str) -> Result<(), String> {
        let option = option.trim();
        let end = option.find(['=', ' ', '\t']).unwrap_or(option.len());
        let (name, value) = option.split_at(end);
        let value = value.trim_start();
        let value = value.strip_prefix('=').unwrap_or(value).trim();
        if is_unsupported(name) {
            return Err(format!("option `{option}` is not supported"));
        }
        self.options.push((name.to_owned(), value.to_owned()));
        Ok(())
    }
}
