//! Settings of Ansible that convoy does not support, and what happens instead.

/// Settings that are treated alike.
#[derive(Debug)]
pub struct Unsupported {
    /// Their keys in `ansible.cfg`; `section.*` means all keys of the section.
    keys: &'static [&'static str],
    /// Their variables in the environment; `PREFIX*` means all variables with the prefix.
    environment: &'static [&'static str],
    /// Values for which there is no warning, because convoy behaves so anyway.
    harmless: &'static [&'static str],
    /// What happens instead; `None` if there is never a warning.
    instead: Option<&'static str>,
}

impl Unsupported {
    /// Returns the warning about the setting `name` with this value, if any.
    pub(super) fn warning(&self, name: &str, value: &str) -> Option<String> {
        let value = value.trim().to_lowercase();
        let instead = self.instead.filter(|_| !self.harmless.contains(&value.as_str()))?;
        let name = name.rsplit_once('.').map_or(name, |(_, key)| key);
        Some(format!("`{name}` has no effect: {instead}"))
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

/// Finds a key of `ansible.cfg`, given as `section.key`.
pub(super) fn key(name: &str) -> Option<&'static Unsupported> {
    UNSUPPORTED.iter().find(|setting| setting.keys.iter().any(|key| matches(key, name)))
}

/// Finds a variable of the environment.
pub(super) fn variable(name: &str) -> Option<&'static Unsupported> {
    UNSUPPORTED.iter().find(|setting| setting.environment.iter().any(|known| matches(known, name)))
}

/// Returns all keys, except those for whole sections.
pub(super) fn keys() -> impl Iterator<Item = &'static &'static str> {
    UNSUPPORTED.iter().flat_map(|setting| setting.keys).filter(|key| !key.ends_with('*'))
}

/// Returns all variables, except prefixes.
pub(super) fn variables() -> impl Iterator<Item = &'static &'static str> {
    UNSUPPORTED.iter().flat_map(|setting| setting.environment).filter(|name| !name.ends_with('*'))
}

const NO_PLUGINS: &str = "Python plugins are not supported; everything is built in";

/// Settings without a warning.
const fn silent(keys: &'static [&'static str], environment: &'static [&'static str]) -> Unsupported {
    Unsupported { keys, environment, harmless: &[], instead: None }
}

/// Settings with a warning.
const fn reported(
    keys: &'static [&'static str],
    environment: &'static [&'static str],
    harmless: &'static [&'static str],
    instead: &'static str,
) -> Unsupported {
    Unsupported { keys, environment, harmless, instead: Some(instead) }
}

/// All unsupported settings.
pub static UNSUPPORTED: &[Unsupported] = &[
    // Supported, but read where the become method is known: see `prepare::become_user`.
    silent(
        &[],
        &["ANSIBLE_BECOME_EXE", "ANSIBLE_BECOME_PASS", "ANSIBLE_SUDO_*", "ANSIBLE_SU_*", "ANSIBLE_DOAS_*"],
    ),
    // Details of Ansible's own implementation.
    silent(
        &[
            "defaults.pipelining",
            "connection.pipelining",
            "ssh_connection.pipelining",
            "ssh_connection.control_path",
            "ssh_connection.control_path_dir",
            "ssh_connection.sftp_batch_mode",
            "ssh_connection.sftp_executable",
            "ssh_connection.sftp_extra_args",
            "ssh_connection.scp_executable",
            "ssh_connection.scp_extra_args",
            "ssh_connection.scp_if_ssh",
            "ssh_connection.transfer_method",
            "ssh_connection.usetty",
            "ssh_connection.sshpass_prompt",
            "ssh_connection.ssh_executable",
            "connection.retries",
            "ssh_connection.retries",
            "accelerate.*",
            "paramiko_connection.*",
            "persistent_connection.*",
        ],
        &[
            "ANSIBLE_PIPELINING",
            "ANSIBLE_SSH_PIPELINING",
            "ANSIBLE_SSH_CONTROL_PATH",
            "ANSIBLE_SSH_CONTROL_PATH_DIR",
            "ANSIBLE_SFTP_BATCH_MODE",
            "ANSIBLE_SFTP_EXECUTABLE",
            "ANSIBLE_SFTP_EXTRA_ARGS",
            "ANSIBLE_SCP_EXECUTABLE",
            "ANSIBLE_SCP_EXTRA_ARGS",
            "ANSIBLE_SCP_IF_SSH",
            "ANSIBLE_SSH_TRANSFER_METHOD",
            "ANSIBLE_SSH_USETTY",
            "ANSIBLE_SSHPASS_PROMPT",
            "ANSIBLE_SSH_EXECUTABLE",
            "ANSIBLE_SSH_RETRIES",
            "ANSIBLE_PARAMIKO_*",
            "ANSIBLE_REMOTE_PARAMIKO_PORT",
            "ANSIBLE_PERSISTENT_*",
            "ANSIBLE_CONNECTION_PATH",
        ],
    ),
    silent(
        &[
            "defaults.retry_files_enabled",
            "defaults.retry_files_save_path",
            "defaults.interpreter_python",
            "defaults.interpreter_python_fallback",
            "defaults.interpreter_python_distro_map",
            "defaults.remote_tmp",
            "defaults.local_tmp",
            "defaults.home",
            "defaults.system_tmpdirs",
            "defaults.async_dir",
            "defaults.admin_users",
            "defaults.common_remote_group",
            "defaults.allow_world_readable_tmpfiles",
            "defaults.keep_remote_files",
            "defaults.module_compression",
            "defaults.internal_poll_interval",
            "defaults.python_module_rlimit_nofile",
            "defaults.module_ignore_exts",
            "defaults.executable",
            "defaults.nocows",
            "defaults.cowpath",
            "defaults.cow_selection",
            "defaults.cowsay_enabled_stencils",
            "defaults.pager",
            "defaults.docsite_root_url",
            "defaults.no_target_syslog",
            "defaults.syslog_facility",
            "defaults.target_log_info",
            "defaults.log_filter",
            "defaults.bin_ansible_callbacks",
            "defaults.use_persistent_connections",
            "defaults.callback_format_pretty",
            "defaults.win_async_startup_timeout",
            "privilege_escalation.become_allow_same_user",
            "privilege_escalation.agnostic_become_prompt",
            "galaxy.*",
            "powershell.*",
            "winrm.*",
            "testing.*",
        ],
        &[
            "ANSIBLE_RETRY_FILES_ENABLED",
            "ANSIBLE_RETRY_FILES_SAVE_PATH",
            "ANSIBLE_PYTHON_INTERPRETER",
            "ANSIBLE_REMOTE_TEMP",
            "ANSIBLE_REMOTE_TMP",
            "ANSIBLE_LOCAL_TEMP",
            "ANSIBLE_HOME",
            "ANSIBLE_SYSTEM_TMPDIRS",
            "ANSIBLE_ASYNC_DIR",
            "ANSIBLE_ADMIN_USERS",
            "ANSIBLE_COMMON_REMOTE_GROUP",
            "ANSIBLE_EXECUTABLE",
            "ANSIBLE_SHELL_ALLOW_WORLD_READABLE_TEMP",
            "ANSIBLE_KEEP_REMOTE_FILES",
            "ANSIBLE_PYTHON_MODULE_RLIMIT_NOFILE",
            "ANSIBLE_MODULE_IGNORE_EXTS",
            "ANSIBLE_NOCOWS",
            "ANSIBLE_COW_*",
            "ANSIBLE_PAGER",
            "ANSIBLE_NO_TARGET_SYSLOG",
            "ANSIBLE_SYSLOG_FACILITY",
            "ANSIBLE_TARGET_LOG_INFO",
            "ANSIBLE_LOG_FILTER",
            "ANSIBLE_LOAD_CALLBACK_PLUGINS",
            "ANSIBLE_USE_PERSISTENT_CONNECTIONS",
            "ANSIBLE_CALLBACK_FORMAT_PRETTY",
            "ANSIBLE_BECOME_ALLOW_SAME_USER",
            "ANSIBLE_AGNOSTIC_BECOME_PROMPT",
            "ANSIBLE_GALAXY_*",
            "ANSIBLE_WORKER_SHUTDOWN_*",
            "ANSIBLE_TEST_*",
            "ANSIBLE_DEVEL_WARNING",
            "ANSIBLE_DEBUG",
        ],
    ),
    silent(
        &[
            "defaults.deprecation_warnings",
            "defaults.command_warnings",
            "defaults.action_warnings",
            "defaults.system_warnings",
            "defaults.localhost_warning",
            "defaults.devel_warning",
            "defaults.debug",
            "defaults.interpreter_discovery_warning",
            "galaxy.collections_path_warning",
            "defaults.validate_action_group_metadata",
            "defaults.old_plugin_cache_clear",
        ],
        &[
            "ANSIBLE_DEPRECATION_WARNINGS",
            "ANSIBLE_COMMAND_WARNINGS",
            "ANSIBLE_ACTION_WARNINGS",
            "ANSIBLE_SYSTEM_WARNINGS",
            "ANSIBLE_LOCALHOST_WARNING",
            "ANSIBLE_VALIDATE_ACTION_GROUP_METADATA",
            "ANSIBLE_OLD_PLUGIN_CACHE_CLEAR",
        ],
    ),
    reported(
        &["defaults.stdout_callback"],
        &["ANSIBLE_STDOUT_CALLBACK"],
        &["default", "ansible.builtin.default"],
        "runs are shown as by the callback `default`, or as by `--output json`",
    ),
    reported(
        &["defaults.callbacks_enabled", "defaults.callback_whitelist"],
        &["ANSIBLE_CALLBACKS_ENABLED", "ANSIBLE_CALLBACK_WHITELIST", "ANSIBLE_CALLBACK_TREE_DIR"],
        &[],
        "callback plugins are not supported; use `--output json` to process events",
    ),
    reported(
        &["defaults.callback_result_format"],
        &["ANSIBLE_CALLBACK_RESULT_FORMAT"],
        &["json"],
        "results are shown as JSON",
    ),
    reported(
        &[
            "defaults.action_plugins",
            "defaults.become_plugins",
            "defaults.cache_plugins",
            "defaults.callback_plugins",
            "defaults.cliconf_plugins",
            "defaults.connection_plugins",
            "defaults.doc_fragment_plugins",
            "defaults.filter_plugins",
            "defaults.httpapi_plugins",
            "defaults.inventory_plugins",
            "defaults.library",
            "defaults.lookup_plugins",
            "defaults.module_utils",
            "defaults.netconf_plugins",
            "defaults.strategy_plugins",
            "defaults.terminal_plugins",
            "defaults.test_plugins",
            "defaults.vars_plugins",
            "defaults.plugin_filters_cfg",
            "defaults.collections_path",
            "defaults.collections_paths",
            "defaults.collections_scan_sys_path",
            "defaults.collections_on_ansible_version_mismatch",
            "defaults.run_vars_plugins",
            "defaults.network_group_modules",
        ],
        &[
            "ANSIBLE_ACTION_PLUGINS",
            "ANSIBLE_BECOME_PLUGINS",
            "ANSIBLE_CACHE_PLUGINS",
            "ANSIBLE_CALLBACK_PLUGINS",
            "ANSIBLE_CLICONF_PLUGINS",
            "ANSIBLE_CONNECTION_PLUGINS",
            "ANSIBLE_DOC_FRAGMENT_PLUGINS",
            "ANSIBLE_FILTER_PLUGINS",
            "ANSIBLE_HTTPAPI_PLUGINS",
            "ANSIBLE_INVENTORY_PLUGINS",
            "ANSIBLE_LIBRARY",
            "ANSIBLE_LOOKUP_PLUGINS",
            "ANSIBLE_MODULE_UTILS",
            "ANSIBLE_NETCONF_PLUGINS",
            "ANSIBLE_STRATEGY_PLUGINS",
            "ANSIBLE_TERMINAL_PLUGINS",
            "ANSIBLE_TEST_PLUGINS",
            "ANSIBLE_VARS_PLUGINS",
            "ANSIBLE_COLLECTIONS_*",
            "ANSIBLE_RUN_VARS_PLUGINS",
            "ANSIBLE_NETWORK_GROUP_MODULES",
        ],
        &[],
        NO_PLUGINS,
    ),
    reported(
        &[
            "inventory.cache",
            "inventory.export",
            "inventory.cache_plugin",
            "inventory.cache_connection",
            "inventory.cache_prefix",
            "inventory.cache_timeout",
            "inventory.ignore_extensions",
            "inventory.ignore_patterns",
            "defaults.inventory_ignore_extensions",
            "defaults.inventory_ignore_patterns",
            "inventory_plugin_script.always_show_stderr",
            "inventory_plugin_yaml.yaml_valid_extensions",
            "defaults.yaml_valid_extensions",
            "defaults.vars_plugins_enabled",
            "defaults.precedence",
            "vars_host_group_vars.stage",
        ],
        &[
            "ANSIBLE_INVENTORY_CACHE*",
            "ANSIBLE_INVENTORY_IGNORE*",
            "ANSIBLE_INVENTORY_PLUGIN_*",
            "ANSIBLE_YAML_FILENAME_EXT",
            "ANSIBLE_VARS_ENABLED",
            "ANSIBLE_PRECEDENCE",
            "ANSIBLE_VARS_PLUGIN_STAGE",
            "ANSIBLE_INVENTORY_EXPORT",
        ],
        &[],
        "inventories are read as by default in Ansible",
    ),
    reported(
        &[
            "defaults.gather_subset",
            "defaults.gather_timeout",
            "defaults.fact_path",
            "defaults.facts_modules",
        ],
        &["ANSIBLE_GATHER_SUBSET", "ANSIBLE_GATHER_TIMEOUT", "ANSIBLE_FACT_PATH", "ANSIBLE_FACTS_MODULES"],
        &["all", "smart"],
        "Ansible has removed it; set it in the play, or in `module_defaults` for `setup`",
    ),
    reported(
        &["defaults.jinja2_extensions"],
        &["ANSIBLE_JINJA2_EXTENSIONS"],
        &[],
        "Jinja extensions are not supported; templates that need one fail",
    ),
    reported(
        &["jinja2.dont_type_filters"],
        &["ANSIBLE_STRING_TYPE_FILTERS"],
        &[],
        "the filters that always return text are Ansible's defaults",
    ),
    reported(
        &["defaults.duplicate_dict_key"],
        &["ANSIBLE_DUPLICATE_YAML_DICT_KEY"],
        &["error"],
        "duplicate keys in a map are an error",
    ),
    reported(
        &["defaults.error_on_undefined_vars"],
        &["ANSIBLE_ERROR_ON_UNDEFINED_VARS"],
        &["true", "yes", "1"],
        "an undefined variable is an error",
    ),
    reported(
        &["defaults.allow_unsafe_lookups"],
        &[],
        &["false", "no", "0"],
        "what a lookup returns is never rendered",
    ),
    reported(
        &[
            "defaults.null_representation",
            "defaults.string_conversion_action",
            "defaults.allow_broken_conditionals",
        ],
        &[
            "ANSIBLE_NULL_REPRESENTATION",
            "ANSIBLE_STRING_CONVERSION_ACTION",
            "ANSIBLE_ALLOW_BROKEN_CONDITIONALS",
        ],
        &[],
        "values are treated as by default in Ansible",
    ),
    reported(
        &["defaults.log_path"],
        &["ANSIBLE_LOG_PATH"],
        &[],
        "there is no log file; save the output of `--output json` instead",
    ),
    reported(
        &["defaults.no_log"],
        &["ANSIBLE_NO_LOG"],
        &["false", "no", "0"],
        "set `no_log: true` in the play",
    ),
    reported(
        &[
            "defaults.su",
            "privilege_escalation.become_exe",
            "sudo_become_plugin.*",
            "su_become_plugin.*",
            "runas_become_plugin.*",
        ],
        &["ANSIBLE_SU", "ANSIBLE_RUNAS_*"],
        &["false", "no", "0"],
        "set `become` programs by variables such as `ansible_sudo_exe`, or in the environment",
    ),
    reported(
        &["ssh_connection.pkcs11_provider"],
        &["ANSIBLE_PKCS11_PROVIDER"],
        &[],
        "keys are read from files and the SSH agent",
    ),
    reported(&["colors.*"], &["ANSIBLE_COLOR_*"], &[], "colors are Ansible's defaults"),
    reported(
        &["diff.context", "defaults.max_diff_size"],
        &["ANSIBLE_DIFF_CONTEXT", "ANSIBLE_MAX_DIFF_SIZE"],
        &["3"],
        "differences are shown with three lines of context",
    ),
    reported(
        &[
            "defaults.display_args_to_stdout",
            "defaults.display_failed_stderr",
            "defaults.check_mode_markers",
            "defaults.show_per_host_start",
            "defaults.show_task_path_on_failure",
            "defaults.verbose_to_stderr",
        ],
        &[
            "ANSIBLE_DISPLAY_ARGS_TO_STDOUT",
            "ANSIBLE_DISPLAY_FAILED_STDERR",
            "ANSIBLE_CHECK_MODE_MARKERS",
            "ANSIBLE_SHOW_PER_HOST_START",
            "ANSIBLE_SHOW_TASK_PATH_ON_FAILURE",
            "ANSIBLE_VERBOSE_TO_STDERR",
        ],
        &["false", "no", "0"],
        "runs are shown as by default in Ansible",
    ),
    reported(
        &["defaults.enable_task_debugger", "defaults.task_debugger_ignore_errors"],
        &["ANSIBLE_ENABLE_TASK_DEBUGGER", "ANSIBLE_TASK_DEBUGGER_IGNORE_ERRORS"],
        &["false", "no", "0", "true"],
        "there is no task debugger",
    ),
    reported(
        &[
            "defaults.module_name",
            "defaults.module_args",
            "defaults.playbook_dir",
            "defaults.playbook_vars_root",
            "defaults.module_lang",
            "defaults.log_verbosity",
            "defaults.module_strict_utf8_response",
            "defaults.invalid_task_attribute_failed",
            "netconf_connection.ssh_config",
            "defaults.module_set_locale",
        ],
        &[
            "ANSIBLE_MODULE_ARGS",
            "ANSIBLE_PLAYBOOK_DIR",
            "ANSIBLE_PLAYBOOK_VARS_ROOT",
            "ANSIBLE_MODULE_LANG",
            "ANSIBLE_LOG_VERBOSITY",
            "ANSIBLE_MODULE_STRICT_UTF8_RESPONSE",
            "ANSIBLE_INVALID_TASK_ATTRIBUTE_FAILED",
            "ANSIBLE_NETCONF_SSH_CONFIG",
        ],
        &["command", "15", "top"],
        "set it on the command line or in the play",
    ),
    reported(
        &["selinux.special_context_filesystems", "selinux.libvirt_lxc_noseclabel"],
        &["ANSIBLE_SELINUX_SPECIAL_FS", "ANSIBLE_LIBVIRT_LXC_NOSECLABEL"],
        &[],
        "SELinux contexts are not set",
    ),
    reported(
        &["defaults.unsafe_writes"],
        &["ANSIBLE_UNSAFE_WRITES"],
        &["false", "no", "0"],
        "files are replaced whole, never written in place",
    ),
    reported(&["url_lookup.*"], &["ANSIBLE_LOOKUP_URL_*"], &[], "there is no lookup `url`"),
];
