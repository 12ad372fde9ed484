//! The table of all settings that are honoured. A new one is an entry here, and whatever reads its field.

use std::path::{Path, PathBuf};

use super::entry::{Entry, RawSetting, Source};
use super::kind::{Gathering, GroupNames, HashBehaviour, Journal, Kind, Mismatch, PathList};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// Declares the settings: a field, and a line of the table, for each.
macro_rules! settings {
    ($( $(#[doc = $doc:literal])+ $field:ident: $kind:ty = $default:literal, [$($key:literal),*], [$($env:literal),*]; )+) => {
        /// The settings of a run.
        #[derive(Debug, Clone)]
        pub struct Settings {
            $( $(#[doc = $doc])+ pub $field: $kind, )+
        }

        /// All settings that are honoured.
        pub static TABLE: &[Entry] = &[$( Entry {
            name: stringify!($field),
            doc: concat!($($doc, "\n"),+),
            kind: <$kind as Kind>::NAME,
            default: $default,
            keys: &[$($key),*],
            environment: &[$($env),*],
        } ),+];

        impl Settings {
            /// Reads all settings with the help of `find`. Returns those that are not the default, too.
            pub(super) fn build(
                find: impl Fn(&'static Entry) -> Option<RawSetting>,
            ) -> Result<(Self, Vec<(&'static Entry, RawSetting)>), Diagnostics> {
                let mut reading = Reading::default();
                let mut entries = TABLE.iter();
                $( let $field: Option<$kind> = entries.next().and_then(|entry| reading.one(entry, find(entry))); )+
                if !reading.problems.is_empty() {
                    return Err(reading.problems);
                }
                match ($($field,)+) {
                    ($(Some($field),)+) => Ok((Self { $($field),+ }, reading.found)),
                    _ => Err(Diagnostic::user("a setting has no default").kind(crate::diagnostic::Kind::Internal).into()),
                }
            }
        }
    };
}

#[derive(Default)]
struct Reading {
    found: Vec<(&'static Entry, RawSetting)>,
    problems: Diagnostics,
}

impl Reading {
    fn one<T: Kind>(&mut self, entry: &'static Entry, found: Option<RawSetting>) -> Option<T> {
        let Some(found) = found else {
            return T::read(entry.default, Path::new("/")).ok();
        };
        match T::read(&found.text, &found.base) {
            Ok(value) => {
                self.found.push((entry, found));
                Some(value)
            }
            Err(why) => {
                let problem = match &found.source {
                    Source::File(at) => Diagnostic::user(why).at(at.clone()),
                    Source::Environment(name) => Diagnostic::user(format!("{name}: {why}")),
                };
                self.problems.push(problem);
                None
            }
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        match Self::build(|_| None) {
            Ok((settings, _)) => settings,
            Err(problems) => unreachable!("the defaults are constant and covered by tests: {problems:?}"),
        }
    }
}

settings! {
    /// Sources of the inventory, if there is no `-i`.
    inventory: PathList = "", ["defaults.inventory"], ["ANSIBLE_INVENTORY"];
    /// Plugins of the inventory; `advanced_host_list` among them: lists of hosts may have ranges. The others are built in.
    inventory_plugins: Vec<String> = "host_list, script, auto, yaml, ini, toml", ["inventory.enable_plugins"], ["ANSIBLE_INVENTORY_ENABLED"];
    /// What becomes of characters in a group's name that a variable's name cannot have.
    force_valid_group_names: GroupNames = "never", ["defaults.force_valid_group_names"], ["ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS"];
    /// Whether it is told that no source of the inventory could be read.
    inventory_unparsed_warning: bool = "true", ["inventory.inventory_unparsed_warning"], ["ANSIBLE_INVENTORY_UNPARSED_WARNING"];
    /// Whether it is an error if no source of the inventory could be read.
    inventory_unparsed_is_failed: bool = "false", ["inventory.unparsed_is_failed"], ["ANSIBLE_INVENTORY_UNPARSED_FAILED"];
    /// Whether it is an error if a source of the inventory is not there.
    inventory_any_unparsed_is_failed: bool = "false", ["inventory.any_unparsed_is_failed"], ["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"];
    /// Whether the plugin `constructed` sees extra variables if its file does not say.
    inventory_use_extra_vars: bool = "false", ["inventory_plugins.use_extra_vars"], ["ANSIBLE_INVENTORY_USE_EXTRA_VARS"];
    /// What becomes of a host pattern that names no host.
    host_pattern_mismatch: Mismatch = "warning", ["inventory.host_pattern_mismatch"], ["ANSIBLE_HOST_PATTERN_MISMATCH"];

    /// The user to log in as.
    remote_user: Option<String> = "", ["defaults.remote_user"], ["ANSIBLE_REMOTE_USER"];
    /// The port of SSH.
    remote_port: Option<u16> = "", ["defaults.remote_port"], ["ANSIBLE_REMOTE_PORT"];
    /// The key to log in with.
    private_key_file: Option<PathBuf> = "", ["defaults.private_key_file"], ["ANSIBLE_PRIVATE_KEY_FILE"];
    /// How hosts are reached: `ssh` or `local`.
    transport: Option<String> = "", ["defaults.transport"], ["ANSIBLE_TRANSPORT"];
    /// Seconds after which connecting is given up.
    timeout: Option<u64> = "", ["defaults.timeout", "ssh_connection.timeout"], ["ANSIBLE_TIMEOUT", "ANSIBLE_SSH_TIMEOUT"];
    /// Whether the keys of hosts are checked.
    host_key_checking: bool = "true", ["defaults.host_key_checking", "ssh_connection.host_key_checking"], ["ANSIBLE_HOST_KEY_CHECKING", "ANSIBLE_SSH_HOST_KEY_CHECKING"];
    /// Options of `ssh`, as `ansible_ssh_args`; those that only tune `ssh` itself are passed over.
    ssh_args: Option<String> = "", ["ssh_connection.ssh_args"], ["ANSIBLE_SSH_ARGS"];
    /// Options of `ssh`, as `ansible_ssh_common_args`.
    ssh_common_args: Option<String> = "", ["ssh_connection.ssh_common_args"], ["ANSIBLE_SSH_COMMON_ARGS"];
    /// Options of `ssh`, as `ansible_ssh_extra_args`.
    ssh_extra_args: Option<String> = "", ["ssh_connection.ssh_extra_args"], ["ANSIBLE_SSH_EXTRA_ARGS"];
    /// How many hosts are worked with at once.
    forks: usize = "50", ["defaults.forks"], ["ANSIBLE_FORKS"];

    /// Whether to become another user.
    r#become: bool = "false", ["privilege_escalation.become"], ["ANSIBLE_BECOME"];
    /// The user to become.
    become_user: String = "root", ["privilege_escalation.become_user"], ["ANSIBLE_BECOME_USER"];
    /// How to become it.
    become_method: String = "sudo", ["privilege_escalation.become_method"], ["ANSIBLE_BECOME_METHOD"];
    /// Options of the command that does.
    become_flags: Option<String> = "", ["privilege_escalation.become_flags"], ["ANSIBLE_BECOME_FLAGS"];
    /// Whether to ask for the password to log in with.
    ask_pass: bool = "false", ["defaults.ask_pass"], ["ANSIBLE_ASK_PASS"];
    /// A file with that password, or a program that prints it.
    connection_password_file: Option<PathBuf> = "", ["defaults.connection_password_file"], ["ANSIBLE_CONNECTION_PASSWORD_FILE"];
    /// Whether to ask for the password to become another user.
    become_ask_pass: bool = "false", ["privilege_escalation.become_ask_pass"], ["ANSIBLE_BECOME_ASK_PASS"];
    /// A file with that password.
    become_password_file: Option<PathBuf> = "", ["defaults.become_password_file"], ["ANSIBLE_BECOME_PASSWORD_FILE"];

    /// The file, or program, with the password of vaults.
    vault_password_file: Option<PathBuf> = "", ["defaults.vault_password_file"], ["ANSIBLE_VAULT_PASSWORD_FILE"];
    /// Passwords of vaults with their labels, as `label@file`.
    vault_identity_list: Vec<String> = "", ["defaults.vault_identity_list"], ["ANSIBLE_VAULT_IDENTITY_LIST"];
    /// Whether to ask for the password of vaults.
    ask_vault_pass: bool = "false", ["defaults.ask_vault_pass"], ["ANSIBLE_ASK_VAULT_PASS"];
    /// The label of passwords that come without one.
    vault_identity: String = "default", ["defaults.vault_identity"], ["ANSIBLE_VAULT_IDENTITY"];
    /// The label of the password that encrypts.
    vault_encrypt_identity: Option<String> = "", ["defaults.vault_encrypt_identity"], ["ANSIBLE_VAULT_ENCRYPT_IDENTITY"];
    /// The salt of what is encrypted; none: one of its own each time.
    vault_encrypt_salt: Option<String> = "", ["defaults.vault_encrypt_salt"], ["ANSIBLE_VAULT_ENCRYPT_SALT"];
    /// Whether what is encrypted under a label is tried with that label's passwords alone.
    vault_id_match: bool = "false", ["defaults.vault_id_match"], ["ANSIBLE_VAULT_ID_MATCH"];
    /// The editor of `convoy vault edit`; none: that of `EDITOR`, or `vi`.
    editor: Option<String> = "", ["defaults.editor"], ["ANSIBLE_EDITOR"];

    /// Folders of roles; none: `~/.ansible/roles`, `/usr/share/ansible/roles`, `/etc/ansible/roles`.
    roles_path: Vec<PathBuf> = "", ["defaults.roles_path"], ["ANSIBLE_ROLES_PATH"];
    /// When facts are gathered.
    gathering: Gathering = "implicit", ["defaults.gathering"], ["ANSIBLE_GATHERING"];
    /// Where facts are kept: in `memory`, for one run, or in a `jsonfile` for each host.
    fact_caching: String = "memory", ["defaults.fact_caching"], ["ANSIBLE_CACHE_PLUGIN"];
    /// The folder of those files.
    fact_caching_connection: Option<PathBuf> = "", ["defaults.fact_caching_connection"], ["ANSIBLE_CACHE_PLUGIN_CONNECTION"];
    /// What their names begin with.
    fact_caching_prefix: Option<String> = "", ["defaults.fact_caching_prefix"], ["ANSIBLE_CACHE_PLUGIN_PREFIX"];
    /// Seconds after which they count no more; 0: never.
    fact_caching_timeout: u64 = "86400", ["defaults.fact_caching_timeout"], ["ANSIBLE_CACHE_PLUGIN_TIMEOUT"];
    /// Whether facts are variables beside `ansible_facts`.
    inject_facts_as_vars: bool = "true", ["defaults.inject_facts_as_vars"], ["ANSIBLE_INJECT_FACT_VARS"];
    /// What happens to maps that several sources of variables have.
    hash_behaviour: HashBehaviour = "replace", ["defaults.hash_behaviour"], ["ANSIBLE_HASH_BEHAVIOUR"];
    /// Whether results of templates keep their type.
    jinja2_native: bool = "false", ["defaults.jinja2_native"], ["ANSIBLE_JINJA2_NATIVE"];
    /// What `ansible_managed` is in template files; `{file}`, `{uid}` and `{host}` stand for the template, its owner and this machine, and `%Y` and its like for the time it was changed.
    ansible_managed: String = "Ansible managed", ["defaults.ansible_managed"], [];
    /// Whether variables of roles are kept from the rest of the play.
    private_role_vars: bool = "false", ["defaults.private_role_vars"], ["ANSIBLE_PRIVATE_ROLE_VARS"];
    /// Whether one host's failure ends the play for all.
    any_errors_fatal: bool = "false", ["defaults.any_errors_fatal"], ["ANSIBLE_ANY_ERRORS_FATAL"];
    /// Whether it is an error to notify a handler that is not there.
    error_on_missing_handler: bool = "true", ["defaults.error_on_missing_handler"], ["ANSIBLE_ERROR_ON_MISSING_HANDLER"];
    /// Whether notified handlers run on hosts that failed.
    force_handlers: bool = "false", ["defaults.force_handlers"], ["ANSIBLE_FORCE_HANDLERS"];
    /// The strategy of plays that name none.
    strategy: String = "linear", ["defaults.strategy"], ["ANSIBLE_STRATEGY"];
    /// Seconds after which a task is given up; 0: never.
    task_timeout: u32 = "0", ["defaults.task_timeout"], ["ANSIBLE_TASK_TIMEOUT"];
    /// Seconds between two looks at a job (`async`), if its task has no `poll`.
    poll_interval: u32 = "15", ["defaults.poll_interval"], ["ANSIBLE_POLL_INTERVAL"];
    /// Tags to run, if there is no `--tags`.
    run_tags: Vec<String> = "", ["tags.run"], ["ANSIBLE_RUN_TAGS"];
    /// Tags to leave out, if there is no `--skip-tags`.
    skip_tags: Vec<String> = "", ["tags.skip"], ["ANSIBLE_SKIP_TAGS"];

    /// How much is shown, as so many `-v`.
    verbosity: u8 = "0", ["defaults.verbosity"], ["ANSIBLE_VERBOSITY"];
    /// Whether differences are shown, as with `--diff`.
    diff_always: bool = "false", ["diff.always"], ["ANSIBLE_DIFF_ALWAYS"];
    /// Whether nothing is coloured.
    nocolor: bool = "false", ["defaults.nocolor"], ["ANSIBLE_NOCOLOR"];
    /// Whether text is coloured even where there is no terminal.
    force_color: bool = "false", ["defaults.force_color"], ["ANSIBLE_FORCE_COLOR"];
    /// Whether results of hosts that had nothing to do are shown.
    display_ok_hosts: bool = "true", ["defaults.display_ok_hosts"], ["ANSIBLE_DISPLAY_OK_HOSTS"];
    /// Whether results of hosts that were skipped are shown.
    display_skipped_hosts: bool = "true", ["defaults.display_skipped_hosts"], ["ANSIBLE_DISPLAY_SKIPPED_HOSTS"];
    /// Whether the recap shows what `set_stats` collected.
    show_custom_stats: bool = "false", ["defaults.show_custom_stats"], ["ANSIBLE_SHOW_CUSTOM_STATS"];

    /// Where journals of runs are kept; `true`: in `.convoy/runs` in the folder in which you stand, `false`: nowhere.
    journal: Journal = "true", ["convoy.journal"], ["CONVOY_JOURNAL"];
}
