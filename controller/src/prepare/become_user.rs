//! Which user to become on the node, and how: from variables, keywords, options and the environment, in Ansible's order.

use convoy_protocol::Value;
use convoy_protocol::message::{Become, Method};

use super::values::boolean;
use super::view::View;
use crate::template::{Error, omit_token};

/// What `become` can be told; each has its names by the method's and by its own.
#[derive(Debug, Clone, Copy)]
enum Setting {
    User,
    Exe,
    CallKeywords,
    Password,
}

impl Setting {
    /// Returns the variables for it, the strongest first.
    fn variables(self, method: Method) -> Vec<String> {
        let method = method.name();
        let word = self.word();
        let mut names = vec![format!("ansible_{method}_{word}"), format!("ansible_become_{word}")];
        names.extend(matches!(self, Self::Password).then(|| "ansible_become_password".to_owned()));
        names
    }

    /// Returns the environment's variables for it, the strongest first.
    fn environment(self, method: Method) -> [String; 2] {
        let word = self.word().to_uppercase();
        [format!("ANSIBLE_{}_{word}", method.name().to_uppercase()), format!("ANSIBLE_BECOME_{word}")]
    }

    fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Exe => "exe",
            Self::CallKeywords => "flags",
            Self::Password => "pass",
        }
    }
}

/// Reads who to be for a task, if anyone else.
///
/// # Errors
/// If a value cannot be rendered, or the method is none.
pub fn of(view: View<'_>) -> Result<Option<Become>, Error> {
    let keywords = &view.task.keywords;
    let outside = &view.services.options.r#become;
    let wanted = view.scope.raw("ansible_become").or_else(|| keywords.r#become.clone());
    if !boolean(view, wanted.as_ref(), outside.r#become)? {
        return Ok(None);
    }
    let method =
        text(view, view.scope.raw("ansible_become_method").or_else(|| keywords.become_method.clone()))?;
    let name = method.as_ref().unwrap_or(&outside.method);
    let method = Method::named(name).ok_or_else(|| {
        Error::other(format!("become method {name} is not supported: there are sudo, su and doas"))
    })?;
    let setting = |setting: Setting, keyword: &Option<Value>, option: &Option<String>| {
        let variable = setting.variables(method).iter().find_map(|name| view.scope.raw(name));
        let there = || {
            let names = setting.environment(method);
            names.iter().find_map(|name| outside.environment.get(name).cloned())
        };
        let said = text(view, variable.or_else(|| keyword.clone()))?;
        Ok::<_, Error>(said.or_else(|| option.clone()).or_else(there))
    };
    let settings = &view.services.options.settings;
    let user = setting(Setting::User, &keywords.become_user, &outside.user)?;
    Ok(Some(Become {
        user: user.filter(|user| !user.is_empty()).unwrap_or_else(|| settings.become_user.clone()),
        method,
        exe: setting(Setting::Exe, &keywords.become_exe, &None)?,
        flags: setting(Setting::CallKeywords, &keywords.become_flags, &None)?
            .or_else(|| settings.become_flags.clone()),
        password: setting(Setting::Password, &None, &outside.password)?,
    }))
}

/// Renders a value to text; one that is omitted is none.
fn text(view: View<'_>, value: Option<Value>) -> Result<Option<String>, Error> {
    let Some(value) = value else { return Ok(None) };
    let value = view.render(&value)?;
    let given = !value.is_null() && value.as_str() != Some(omit_token());
    Ok(given.then(|| crate::text::python::str(&value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_their_names_in_ansible() {
        assert_eq!(Setting::Exe.variables(Method::Su), ["ansible_su_exe", "ansible_become_exe"]);
        let password = ["ansible_sudo_pass", "ansible_become_pass", "ansible_become_password"];
        assert_eq!(Setting::Password.variables(Method::Sudo), password);
        assert_eq!(
            Setting::CallKeywords.environment(Method::Doas),
            ["ANSIBLE_DOAS_FLAGS", "ANSIBLE_BECOME_FLAGS"]
        );
    }
}
