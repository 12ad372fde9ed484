//! `vars_prompt:` of a play: variables that the user is asked for when it begins.

use std::sync::Arc;

use convoy_agent::args::Arg;
use convoy_protocol::{Key, Map, Taint, Value};

use super::Scheduler;
use crate::crypt;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::playbook::ast::{Play, Prompt};
use crate::terminal::{Echo, Terminal};

/// Returns what nobody can be asked for, of all plays: neither given with `-e` nor with a default.
pub fn unanswered<'p>(plays: impl Iterator<Item = &'p Arc<Play>>, extra: &Map) -> Vec<Diagnostic> {
    let given = |prompt: &Prompt| prompt.name.as_str().is_some_and(|name| extra.contains_key(name));
    let prompts = plays.flat_map(|play| play.vars_prompt.iter());
    let missing = prompts.filter(|prompt| prompt.default.is_none() && !given(prompt));
    missing
        .map(|prompt| {
            let name = crate::text::python::str(&prompt.name);
            Diagnostic::user(format!("the variable `{name}` must be asked for, and there is no terminal"))
                .at(prompt.at.clone())
                .hint(format!("give it with -e {name}=VALUE, or a `default`"))
        })
        .collect()
}

impl Scheduler {
    /// Asks for the variables of a play; returns the play with them.
    ///
    /// # Errors
    /// If something in an entry cannot be rendered, or the terminal cannot be read.
    pub(crate) fn ask_variables(&mut self, play: &Arc<Play>) -> Result<Arc<Play>, Diagnostics> {
        if play.vars_prompt.is_empty() {
            return Ok(play.clone());
        }
        let mut asked = Play::clone(play);
        for entry in &play.vars_prompt {
            // What is asked may use what was answered before.
            let so_far = Arc::new(asked.clone());
            let name = crate::text::python::str(&self.render_for_play(&so_far, &entry.name)?);
            if !self.services.options.extra_vars.contains_key(&*name) {
                let answer = self.ask_variable(&so_far, entry, &name)?;
                asked.vars.insert(Key::from(name), answer);
            }
        }
        Ok(Arc::new(asked))
    }

    fn ask_variable(&mut self, play: &Arc<Play>, entry: &Prompt, name: &str) -> Result<Value, Diagnostics> {
        let (vars, services) = (self.world.vars.clone(), self.services.clone());
        let render = |value: &Option<Value>| {
            let render = |value| vars.render_for_play(&services.templar, play, value);
            value.as_ref().map(render).transpose()
        };
        let flag = |value: &Option<Value>, default: bool| -> Result<bool, Diagnostic> {
            let Some(value) = render(value)? else { return Ok(default) };
            bool::convert(&value).map_err(|why| Diagnostic::user(why).at(entry.at.clone()))
        };
        let default = render(&entry.default)?.map(|value| crate::text::python::str(&value));
        let question =
            render(&entry.prompt)?.map_or_else(|| name.to_owned(), |text| crate::text::python::str(&text));
        let question = match &default {
            Some(default) => format!("{question} [{default}]: "),
            None => format!("{question}: "),
        };
        let typed = if Terminal::Standard.is_interactive() {
            let typed =
                self.type_variable(&question, flag(&entry.private, true)?, flag(&entry.confirm, false)?);
            typed.map_err(|error| {
                Diagnostic::user(format!("cannot ask for the variable `{name}`: {error}"))
                    .at(entry.at.clone())
            })?
        } else {
            self.warn("Not prompting as we are not in interactive mode");
            String::new()
        };
        let mut answer = if typed.is_empty() { default.unwrap_or_default() } else { typed };
        if let Some(algorithm) = render(&entry.encrypt)?.map(|value| crate::text::python::str(&value)) {
            let wrong = |why: String| {
                Diagnostic::user(format!("cannot encrypt the variable `{name}`: {why}")).at(entry.at.clone())
            };
            let salt = render(&entry.salt)?.map(|value| crate::text::python::str(&value));
            let salt_size =
                render(&entry.salt_size)?.map(|size| i64::convert(&size)).transpose().map_err(wrong)?;
            let settings = crypt::Settings { salt, salt_size, ..crypt::Settings::default() };
            answer = crypt::hash(&answer, &algorithm, &settings).map_err(|error| wrong(error.to_string()))?;
        }
        let answer = Value::from(answer);
        let taint = if flag(&entry.r#unsafe, false)? { Taint::UNSAFE } else { Taint::NONE };
        Ok(answer.tainted(taint))
    }

    fn type_variable(&mut self, question: &str, private: bool, confirm: bool) -> std::io::Result<String> {
        let echo = if private { Echo::Off } else { Echo::On };
        let ask = |question: &str| Terminal::Standard.ask(question, echo);
        loop {
            let first = ask(question)?;
            if !confirm || ask(&format!("confirm {question}"))? == first {
                return Ok(first);
            }
            let text = "***** VALUES ENTERED DO NOT MATCH ****".to_owned();
            self.verbose(0, text);
        }
    }
}
