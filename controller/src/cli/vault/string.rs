//! `encrypt-string`: values in clear become YAML that can be pasted.

use std::io::{IsTerminal as _, Read as _};

use zeroize::Zeroizing;

use super::{Sealer, done, files, tell};
use crate::diagnostic::Diagnostic;
use crate::terminal;

/// How deep Ansible indents an encrypted value.
const INDENT: &str = "          ";

/// Which values to encrypt, and how they are called.
#[derive(Debug, clap::Args)]
pub(super) struct Texts {
    /// The name of the variable; one for each value
    #[arg(short, long, value_name = "NAME")]
    name: Vec<String>,
    /// The name of the variable that is read from standard input
    #[arg(long, value_name = "NAME")]
    stdin_name: Option<String>,
    /// Ask for the value
    #[arg(short, long)]
    prompt: bool,
    /// Show what is typed
    #[arg(long)]
    show_input: bool,
    /// Write to this file instead; `-` is standard output
    #[arg(long, value_name = "FILE")]
    output: Option<String>,
    /// The values; other users of this machine can see them while the command runs. `-` is standard input
    values: Vec<String>,
}

/// A value, where it comes from, and the name of its variable.
struct Text {
    plain: Zeroizing<Vec<u8>>,
    source: &'static str,
    name: Option<String>,
}

impl Texts {
    fn reads_stdin(&self) -> bool {
        self.stdin_name.is_some()
            || self.values.iter().any(|value| value == "-")
            || (self.values.is_empty() && !self.prompt)
    }

    /// Checks what can be checked before a password is asked for.
    pub(super) fn check(&self) -> Result<(), Diagnostic> {
        if self.prompt && self.reads_stdin() {
            return Err(Diagnostic::user(
                "The --prompt option is not supported if also reading input from stdin",
            ));
        }
        Ok(())
    }

    fn read(&self) -> Result<Vec<Text>, Diagnostic> {
        let mut texts = Vec::new();
        if self.prompt {
            texts.push(self.asked()?);
        }
        if self.reads_stdin() {
            if std::io::stdin().is_terminal() {
                tell(
                    "Reading plaintext input from stdin. (ctrl-d to end input, twice if your content does not already have a newline)",
                );
            }
            let mut plain = Zeroizing::new(Vec::new());
            let read = std::io::stdin().lock().read_to_end(&mut plain);
            read.map_err(|error| Diagnostic::user(format!("cannot read standard input: {error}")))?;
            texts.push(
                Text { plain, source: "stdin", name: self.stdin_name.clone() }.filled("stdin was empty")?,
            );
        }
        let values: Vec<&String> = self.values.iter().filter(|value| *value != "-").collect();
        if let Some(last) = self.name.last().filter(|_| values.len() > self.name.len()) {
            tell("The number of --name options do not match the number of args.");
            tell(&format!("The last named variable will be \"{last}\". The rest will not have names."));
        }
        for (index, value) in values.into_iter().enumerate() {
            let plain = Zeroizing::new(value.as_bytes().to_vec());
            let name = self.name.get(index).cloned();
            let text = Text { plain, source: "the command line args", name };
            texts.push(text.filled("The plaintext provided from the command line args was empty")?);
        }
        Ok(texts)
    }

    fn asked(&self) -> Result<Text, Diagnostic> {
        let cannot = |error: std::io::Error| Diagnostic::user(format!("cannot ask for the value: {error}"));
        // No answer is one: no name.
        let name = terminal::read_line("Variable name (enter for no name): ").unwrap_or_default();
        let plain = if self.show_input {
            terminal::read_line("String to encrypt: ")
        } else {
            terminal::ask_secret("String to encrypt (hidden): ")
        };
        let plain = Zeroizing::new(plain.map_err(cannot)?.into_bytes());
        let text = Text {
            plain,
            source: "the interactive prompt",
            name: Some(name).filter(|name| !name.is_empty()),
        };
        text.filled("The plaintext provided from the prompt was empty")
    }
}

impl Text {
    fn filled(self, what: &str) -> Result<Self, Diagnostic> {
        if self.plain.is_empty() {
            Err(Diagnostic::user(format!("{what}, not encrypting")))
        } else {
            Ok(self)
        }
    }
}

/// Encrypts values and writes them as YAML.
pub(super) fn encrypt(sealer: &Sealer, texts: &Texts) -> Result<(), Diagnostic> {
    let all = texts.read()?;
    let mut out = String::new();
    for (index, text) in all.iter().enumerate() {
        if all.len() > 1 {
            let number = index + 1;
            tell(&match &text.name {
                Some(name) => {
                    format!(
                        "# The encrypted version of variable (\"{name}\", the string #{number} from {}).",
                        text.source
                    )
                }
                None => format!("# The encrypted version of the string #{number} from {}.)", text.source),
            });
        }
        out.push_str(&yaml(&sealer.seal(&text.plain)?, text.name.as_deref()));
    }
    files::write(texts.output.as_deref().unwrap_or("-"), out.as_bytes())?;
    done("Encryption successful");
    Ok(())
}

/// Returns encrypted text as a block of YAML.
fn yaml(sealed: &str, name: Option<&str>) -> String {
    let name = name.map(|name| format!("{name}: ")).unwrap_or_default();
    let lines: String = sealed.lines().map(|line| format!("{INDENT}{line}\n")).collect();
    format!("{name}!vault |\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_block_under_its_name() {
        assert_eq!(yaml("$A\n1\n", Some("db")), "db: !vault |\n          $A\n          1\n");
        assert_eq!(yaml("$A\n1\n", None), "!vault |\n          $A\n          1\n");
    }
}
