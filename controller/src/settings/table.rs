//! The table of all supported settings. A new setting is an entry here, and code that reads its field.

use std::path::{Path, PathBuf};

use super::entry::{Entry, RawSetting, Source};
use super::kind::{Gathering, GroupNames, HashBehaviour, Journal, Kind, Mismatch, PathList};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// Declares the settings: a field and an entry of the table for each.
macro_rules! settings {
    ($( $(#[doc = $doc:literal])+ $field:ident: $kind:ty = $default:literal, [$($key:literal),*], [$($env:literal),*]; )+) => {
        /// The settings of a run.
        #[derive(Debug, Clone)]
        pub struct Settings {
            $( $(#[doc = $doc])+ pub $field: $kind, )+
        }

        /// All supported settings.
        pub static TABLE: &[Entry] = &[$( Entry {
            name: stringify!($field),
            doc: concat!($($doc, "\n"),+),
            kind: <$kind as Kind>::NAME,
            default: $default,
            keys: &[$($key),*],
            environment: &[$($env),*],
        } ),+];

        impl Settings {
            /// Reads all settings, whose texts `find` returns. Returns the settings, and those that are set.
            pub(super) fn build(
                find: impl Fn(&'static Entry) -> Option<RawSetting>,
            ) -> Result<(Self, Vec<(&'static Entry, RawSetting)>), Diagnostics> {
                let mut parser = Parser::default();
                let mut entries = TABLE.iter();
                $( let $field: Option<$kind> = entries.next().and_then(|entry| parser.parse(entry, find(entry))); )+
                if !parser.problems.is_empty() {
                    return Err(parser.problems);
                }
                match ($($field,)+) {
                    ($(Some($field),)+) => Ok((Self { $($field),+ }, parser.found)),
                    _ => Err(Diagnostic::user("a setting has no default").kind(crate::diagnostic::Kind::Internal).into()),
                }
            }
        }
    };
}

#[derive(Default)]
struct Parser {
    found: Vec<(&'static Entry, RawSetting)>,
    problems: Diagnostics,
}

impl Parser {
    /// Returns the value of a setting, or its default; `None` if its text is not valid.
    fn parse<T: Kind>(&mut self, entry: &'static Entry, found: Option<RawSetting>) -> Option<T> {
        let Some(found) = found else {
            return T::parse(entry.default, Path::new("/")).ok();
        };
        match T::parse(&found.text, &found.base) {
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
    /// Sources of the inventory without `-i`.
    inventory: PathList = "", ["defaults.inventory"], ["ANSIBLE_INVENTORY"];
    /// Inventory plugins. `advanced_host_list` allows ranges in lists of hosts; all others are built in.
    inventory_plugins: Vec<String> = "host_list, script, auto, yaml, ini, toml", ["inventory.enable_plugins"], ["ANSIBLE_INVENTORY_ENABLED"];
    /// What happens to characters of group names that variable names cannot contain.
    force_valid_group_names: GroupNames = "never", ["defaults.force_valid_group_names"], ["ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS"];
    /// Whether to warn if no source of the inventory could be read.
    inventory_unparsed_warning: bool = "true", ["inventory.inventory_unparsed_warning"], ["ANSIBLE_INVENTORY_UNPARSED_WARNING"];
    /// Whether it is an error if no source of the inventory could be read.
    inventory_unparsed_is_failed: bool = "false", ["inventory.unparsed_is_failed"], ["ANSIBLE_INVENTORY_UNPARSED_FAILED"];
    /// Whether it is an error if a source of the inventory does not exist.
    inventory_any_unparsed_is_failed: bool = "false", ["inventory.any_unparsed_is_failed"], ["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"];
    /// The default of `use_extra_vars` of the plugin `constructed`.
    inventory_use_extra_vars: bool = "false", ["inventory_plugins.use_extra_vars"], ["ANSIBLE_INVENTORY_USE_EXTRA_VARS"];
    /// What happens if a host pattern matches no host.
    host_pattern_mismatch: Mismatch = "warning", ["inventory.host_pattern_mismatch"], ["ANSIBLE_HOST_PATTERN_MISMATCH"];

    /// The user to log in as.
    remote_user: Option<String> = "", ["defaults.remote_user"], ["ANSIBLE_REMOTE_USER"];
    /// The SSH port.
    remote_port: Option<u16> = "", ["defaults.remote_port"], ["ANSIBLE_REMOTE_PORT"];
    /// The SSH key to log in with.
    private_key_file: Option<PathBuf> = "", ["defaults.private_key_file"], ["ANSIBLE_PRIVATE_KEY_FILE"];
    /// How hosts are reached: `ssh` or `local`.
    transport: Option<String> = "", ["defaults.transport"], ["ANSIBLE_TRANSPORT"];
    /// The timeout of connecting, in seconds.
    timeout: Option<u64> = "", ["defaults.timeout", "ssh_connection.timeout"], ["ANSIBLE_TIMEOUT", "ANSIBLE_SSH_TIMEOUT"];
    /// Whether host keys are checked.
    host_key_checking: bool = "true", ["defaults.host_key_checking", "ssh_connection.host_key_checking"], ["ANSIBLE_HOST_KEY_CHECKING", "ANSIBLE_SSH_HOST_KEY_CHECKING"];
    /// Options of `ssh`, like `ansible_ssh_args`; those that only tune `ssh` itself are ignored.
    ssh_args: Option<String> = "", ["ssh_connection.ssh_args"], ["ANSIBLE_SSH_ARGS"];
    /// Options of `ssh`, like `ansible_ssh_common_args`.
    ssh_common_args: Option<String> = "", ["ssh_connection.ssh_common_args"], ["ANSIBLE_SSH_COMMON_ARGS"];
    /// Options of `ssh`, like `ansible_ssh_extra_args`.
    ssh_extra_args: Option<String> = "", ["ssh_connection.ssh_extra_args"], ["ANSIBLE_SSH_EXTRA_ARGS"];
    /// How many hosts convoy works on at once.
    forks: usize = "50", ["defaults.forks"], ["ANSIBLE_FORKS"];

    /// Whether to become another user.
    r#become: bool = "false", ["privilege_escalation.become"], ["ANSIBLE_BECOME"];
    /// The user to become.
    become_user: String = "root", ["privilege_escalation.become_user"], ["ANSIBLE_BECOME_USER"];
    /// How to become that user.
    become_method: String = "sudo", ["privilege_escalation.become_method"], ["ANSIBLE_BECOME_METHOD"];
    /// Options of the command that becomes that user.
    become_flags: Option<String> = "", ["privilege_escalation.become_flags"], ["ANSIBLE_BECOME_FLAGS"];
    /// Whether to ask for the login password.
    ask_pass: bool = "false", ["defaults.ask_pass"], ["ANSIBLE_ASK_PASS"];
    /// A file with the login password, or a program that prints it.
    connection_password_file: Option<PathBuf> = "", ["defaults.connection_password_file"], ["ANSIBLE_CONNECTION_PASSWORD_FILE"];
    /// Whether to ask for the `become` password.
    become_ask_pass: bool = "false", ["privilege_escalation.become_ask_pass"], ["ANSIBLE_BECOME_ASK_PASS"];
    /// A file with the `become` password.
    become_password_file: Option<PathBuf> = "", ["defaults.become_password_file"], ["ANSIBLE_BECOME_PASSWORD_FILE"];

    /// A file with the vault password, or a program that prints it.
    vault_password_file: Option<PathBuf> = "", ["defaults.vault_password_file"], ["ANSIBLE_VAULT_PASSWORD_FILE"];
    /// Vault passwords with their vault ids, as `label@file`.
    vault_identity_list: Vec<String> = "", ["defaults.vault_identity_list"], ["ANSIBLE_VAULT_IDENTITY_LIST"];
    /// Whether to ask for the vault password.
    ask_vault_pass: bool = "false", ["defaults.ask_vault_pass"], ["ANSIBLE_ASK_VAULT_PASS"];
    /// The vault id of passwords without one.
    vault_identity: String = "default", ["defaults.vault_identity"], ["ANSIBLE_VAULT_IDENTITY"];
    /// The vault id of the password to encrypt with.
    vault_encrypt_identity: Option<String> = "", ["defaults.vault_encrypt_identity"], ["ANSIBLE_VAULT_ENCRYPT_IDENTITY"];
    /// The salt of encryption; by default a random one.
    vault_encrypt_salt: Option<String> = "", ["defaults.vault_encrypt_salt"], ["ANSIBLE_VAULT_ENCRYPT_SALT"];
    /// Whether to decrypt text only with passwords of its vault id.
    vault_id_match: bool = "false", ["defaults.vault_id_match"], ["ANSIBLE_VAULT_ID_MATCH"];
    /// The editor of `convoy vault edit`; by default that of `EDITOR`, or `vi`.
    editor: Option<String> = "", ["defaults.editor"], ["ANSIBLE_EDITOR"];

    /// Directories of roles; by default `~/.ansible/roles`, `/usr/share/ansible/roles`, `/etc/ansible/roles`.
    roles_path: Vec<PathBuf> = "", ["defaults.roles_path"], ["ANSIBLE_ROLES_PATH"];
    /// When facts are gathered.
    gathering: Gathering = "implicit", ["defaults.gathering"], ["ANSIBLE_GATHERING"];
    /// Where facts are kept: in `memory` for one run, or in a `jsonfile` for each host.
    fact_caching: String = "memory", ["defaults.fact_caching"], ["ANSIBLE_CACHE_PLUGIN"];
    /// The directory of the files with cached facts.
    fact_caching_connection: Option<PathBuf> = "", ["defaults.fact_caching_connection"], ["ANSIBLE_CACHE_PLUGIN_CONNECTION"];
    /// The prefix of the names of the files with cached facts.
    fact_caching_prefix: Option<String> = "", ["defaults.fact_caching_prefix"], ["ANSIBLE_CACHE_PLUGIN_PREFIX"];
    /// Seconds after which cached facts expire; 0: never.
    fact_caching_timeout: u64 = "86400", ["defaults.fact_caching_timeout"], ["ANSIBLE_CACHE_PLUGIN_TIMEOUT"];
    /// Whether facts are also variables of their own, outside `ansible_facts`.
    inject_facts_as_vars: bool = "true", ["defaults.inject_facts_as_vars"], ["ANSIBLE_INJECT_FACT_VARS"];
    /// What happens to maps that several sources of variables set.
    hash_behaviour: HashBehaviour = "replace", ["defaults.hash_behaviour"], ["ANSIBLE_HASH_BEHAVIOUR"];
    /// Whether results of templates keep their type.
    jinja2_native: bool = "false", ["defaults.jinja2_native"], ["ANSIBLE_JINJA2_NATIVE"];
    /// The value of `ansible_managed` in template files. `{file}`, `{uid}` and `{host}` are replaced by the template, its owner and this machine, `%Y` and the like by its modification time.
    ansible_managed: String = "Ansible managed", ["defaults.ansible_managed"], [];
    /// Whether variables of roles are hidden from the rest of the play.
    private_role_vars: bool = "false", ["defaults.private_role_vars"], ["ANSIBLE_PRIVATE_ROLE_VARS"];
    /// Whether one host's failure ends the play for all.
    any_errors_fatal: bool = "false", ["defaults.any_errors_fatal"], ["ANSIBLE_ANY_ERRORS_FATAL"];
    /// Whether it is an error to notify a handler that does not exist.
    error_on_missing_handler: bool = "true", ["defaults.error_on_missing_handler"], ["ANSIBLE_ERROR_ON_MISSING_HANDLER"];
    /// Whether notified handlers run on hosts that failed.
    force_handlers: bool = "false", ["defaults.force_handlers"], ["ANSIBLE_FORCE_HANDLERS"];
    /// The strategy of plays without one.
    strategy: String = "linear", ["defaults.strategy"], ["ANSIBLE_STRATEGY"];
    /// The timeout of tasks in seconds; 0: none.
    task_timeout: u32 = "0", ["defaults.task_timeout"], ["ANSIBLE_TASK_TIMEOUT"];
    /// How often convoy polls a job (`async`) without `poll`, in seconds.
    poll_interval: u32 = "15", ["defaults.poll_interval"], ["ANSIBLE_POLL_INTERVAL"];
    /// Tags to run without `--tags`.
    run_tags: Vec<String> = "", ["tags.run"], ["ANSIBLE_RUN_TAGS"];
    /// Tags to skip without `--skip-tags`.
    skip_tags: Vec<String> = "", ["tags.skip"], ["ANSIBLE_SKIP_TAGS"];

    /// The verbosity, as the number of `-v`.
    verbosity: u8 = "0", ["defaults.verbosity"], ["ANSIBLE_VERBOSITY"];
    /// Whether to show differences, as with `--diff`.
    diff_always: bool = "false", ["diff.always"], ["ANSIBLE_DIFF_ALWAYS"];
    /// Whether to disable colors.
    nocolor: bool = "false", ["defaults.nocolor"], ["ANSIBLE_NOCOLOR"];
    /// Whether to use colors even if the output is not a terminal.
    force_color: bool = "false", ["defaults.force_color"], ["ANSIBLE_FORCE_COLOR"];
    /// Whether to show the results of hosts on which nothing changed.
    display_ok_hosts: bool = "true", ["defaults.display_ok_hosts"], ["ANSIBLE_DISPLAY_OK_HOSTS"];
    /// Whether to show the results of skipped hosts.
    display_skipped_hosts: bool = "true", ["defaults.display_skipped_hosts"], ["ANSIBLE_DISPLAY_SKIPPED_HOSTS"];
    /// Whether the recap shows what `set_stats` collected.
    show_custom_stats: bool = "false", ["defaults.show_custom_stats"], ["ANSIBLE_SHOW_CUSTOM_STATS"];

    /// Where journals of runs are kept; `true`: in `.convoy/runs` in the current directory, `false`: nowhere.
    journal: Journal = "true", ["convoy.journal"], ["CONVOY_JOURNAL"];
}
