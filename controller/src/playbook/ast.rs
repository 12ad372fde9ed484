//! Plays, blocks, tasks and roles as typed data. Values that may contain templates are kept unrendered, with their origin.

use std::path::PathBuf;
use std::sync::Arc;

use convoy_agent::module::Module;
use convoy_protocol::{Map, Origin, Value};

use crate::actions::Action as ControllerAction;

/// A play.
#[derive(Debug, Clone)]
pub struct Play {
    /// Where it is written.
    pub at: Arc<Origin>,
    /// `name:`; may be a template.
    pub name: Option<Value>,
    /// `hosts:`: a pattern or a list of patterns; may be a template.
    pub hosts: Value,
    /// The directory of its playbook file.
    pub dir: PathBuf,
    /// The keywords that its tasks inherit.
    pub keywords: Keywords,
    /// Variables of `vars:`.
    pub vars: Map,
    /// The conditions of the `import_playbook:` statements that imported it. Its tasks have them already; fact gathering
    /// needs them too.
    pub import_when: Vec<Value>,
    /// Entries of `vars_prompt:`.
    pub vars_prompt: Vec<Prompt>,
    /// Entries of `vars_files:`: each a path, or a list of paths of which the first existing one is read.
    pub vars_files: Vec<Value>,
    /// `gather_facts:`; true by default.
    pub gather_facts: Option<Value>,
    /// `gather_subset:`.
    pub gather_subset: Option<Value>,
    /// `serial:`: a number, a percentage or a list of them.
    pub serial: Option<Value>,
    /// `max_fail_percentage:`.
    pub max_fail_percentage: Option<Value>,
    /// `force_handlers:`.
    pub force_handlers: Option<Value>,
    /// `order:`.
    pub order: Option<Value>,
    /// `strategy:`.
    pub strategy: Option<Value>,
    /// The sections in order: `pre_tasks`, roles and `tasks`, `post_tasks`. Handlers are flushed after each.
    pub sections: [Vec<Entry>; 3],
    /// Handlers in Ansible's order: those of `roles:`, of the play, of imported roles. The last one of a name is used.
    pub handlers: Vec<Entry>,
    /// Roles of the play and their dependencies, in the order in which they run; for variables and magic variables.
    pub roles: Vec<Arc<Role>>,
}

/// A variable whose value the user is asked for.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// Where it is written.
    pub at: Arc<Origin>,
    /// The name of the variable; may be a template, like all other values.
    pub name: Value,
    /// The question; the name by default.
    pub prompt: Option<Value>,
    /// The value if the answer is empty.
    pub default: Option<Value>,
    /// Whether the input is hidden; true by default.
    pub private: Option<Value>,
    /// Whether the user must repeat the answer.
    pub confirm: Option<Value>,
    /// The algorithm to hash the answer with.
    pub encrypt: Option<Value>,
    /// The salt of the hash; random by default.
    pub salt: Option<Value>,
    /// The length of a random salt.
    pub salt_size: Option<Value>,
    /// Whether templates in the answer are left unrendered.
    pub r#unsafe: Option<Value>,
}

/// A task or a block.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A task.
    Task(Arc<Task>),
    /// A block.
    Block(Arc<Block>),
}

/// A block. Its keywords have been merged into those of its tasks.
#[derive(Debug)]
pub struct Block {
    /// Where it is written.
    pub at: Arc<Origin>,
    /// `name:`.
    pub name: Option<Value>,
    /// `block:`.
    pub body: Vec<Entry>,
    /// `rescue:`.
    pub rescue: Vec<Entry>,
    /// `always:`.
    pub always: Vec<Entry>,
    /// `undo:`: the tasks that `convoy undo` runs on hosts that started the block.
    pub undo: Vec<Entry>,
}

/// A task or a handler.
#[derive(Debug)]
pub struct Task {
    /// Where it is written.
    pub at: Arc<Origin>,
    /// `name:`; may be a template.
    pub name: Option<Value>,
    /// The action as the user wrote it (`copy`, `ansible.builtin.copy`).
    pub action_name: Arc<str>,
    /// What the task does.
    pub action: Action,
    /// The arguments of the action: a map (with `_raw_params` for free text), or text that renders to a map. If there are
    /// both, the text is in the entry `_variable_params`, and the other entries take precedence over its result.
    pub args: Value,
    /// Its keywords, merged with those of the surrounding blocks, roles and play.
    pub keywords: Keywords,
    /// `vars:` of the task and of the surrounding blocks and imports; inner ones take precedence.
    pub vars: Map,
    /// `loop:` or `with_…:`.
    pub repeat: Option<Loop>,
    /// `register:`.
    pub register: Option<Arc<str>>,
    /// `until:`.
    pub until: Option<Value>,
    /// `retries:`.
    pub retries: Option<Value>,
    /// `delay:` in seconds.
    pub delay: Option<Value>,
    /// `failed_when:`.
    pub failed_when: Option<Value>,
    /// `changed_when:`.
    pub changed_when: Option<Value>,
    /// `async:`: the task runs as a job, for at most this number of seconds.
    pub async_limit: Option<Value>,
    /// `poll:`: how often convoy polls the job, in seconds; 0 means that it does not wait for the job.
    pub poll: Option<Value>,
    /// `notify:`: names or topics; may be templates.
    pub notify: Vec<Value>,
    /// `listen:` of a handler.
    pub listen: Vec<Value>,
    /// What an include (`include_tasks`, `include_role`) inherits, without its own keywords; the included tasks inherit
    /// it too. See [`Inherited::of_include`].
    pub inherited: Option<Arc<Inherited>>,
    /// The role it belongs to.
    pub role: Option<Arc<Role>>,
    /// The directory of the file it is written in: relative paths are searched there after the role's directories.
    pub dir: PathBuf,
}

impl Task {
    /// Returns a task that runs `action` without arguments and keywords. `at` and `dir` are where it is written.
    pub fn new(action_name: impl Into<Arc<str>>, action: Action, at: Arc<Origin>, dir: PathBuf) -> Self {
        Self {
            at,
            name: None,
            action_name: action_name.into(),
            action,
            args: Value::null(),
            keywords: Keywords::default(),
            vars: Map::new(),
            repeat: None,
            register: None,
            until: None,
            retries: None,
            delay: None,
            failed_when: None,
            changed_when: None,
            async_limit: None,
            poll: None,
            notify: Vec::new(),
            listen: Vec::new(),
            inherited: None,
            role: None,
            dir,
        }
    }
}

/// What a task does.
#[derive(Debug, Clone)]
pub enum Action {
    /// A module on the node.
    Module(&'static Module),
    /// An action of the controller, such as `debug` or `set_fact`.
    Controller(&'static ControllerAction),
    /// A module or action that is looked up when the task runs: its name is a template, or convoy does not have it.
    Named(Value),
    /// `meta:`.
    Meta(Meta),
    /// `include_tasks:`; with `apply:`.
    IncludeTasks {
        /// The file; may be a template.
        file: Value,
        /// Keywords for the included tasks.
        apply: Box<Keywords>,
        /// `vars` of `apply`.
        apply_vars: Map,
        /// `notify` of `apply`.
        apply_notify: Vec<Value>,
    },
    /// `include_role:`.
    IncludeRole(Box<RoleInclude>),
}

/// `include_role:`, or `import_role:` while it is read.
#[derive(Debug, Clone)]
pub struct RoleInclude {
    /// The role's name; may be a template.
    pub name: Value,
    /// `tasks_from:`.
    pub tasks_from: Option<Value>,
    /// `vars_from:`.
    pub vars_from: Option<Value>,
    /// `defaults_from:`.
    pub defaults_from: Option<Value>,
    /// `handlers_from:`.
    pub handlers_from: Option<Value>,
    /// `public:`: whether the rest of the play sees its variables.
    pub public: Option<Value>,
    /// `allow_duplicates:`.
    pub allow_duplicates: Option<Value>,
    /// `rolespec_validate:`.
    pub rolespec_validate: Option<Value>,
    /// Keywords of `apply:`.
    pub apply: Keywords,
    /// `vars` of `apply:`.
    pub apply_vars: Map,
    /// `notify` of `apply:`.
    pub apply_notify: Vec<Value>,
    /// `vars:` of the include itself: variables of the role in this use.
    pub vars: Map,
}

/// The actions of `meta:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meta {
    /// `flush_handlers`.
    FlushHandlers,
    /// `end_play`.
    EndPlay,
    /// `end_host`.
    EndHost,
    /// `end_batch`.
    EndBatch,
    /// `end_role`.
    EndRole,
    /// `clear_facts`.
    ClearFacts,
    /// `clear_host_errors`.
    ClearHostErrors,
    /// `refresh_inventory`.
    RefreshInventory,
    /// `reset_connection`.
    ResetConnection,
    /// `noop`.
    Noop,
}

impl Meta {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::FlushHandlers,
        Self::EndPlay,
        Self::EndHost,
        Self::EndBatch,
        Self::EndRole,
        Self::ClearFacts,
        Self::ClearHostErrors,
        Self::RefreshInventory,
        Self::ResetConnection,
        Self::Noop,
    ];

    /// Returns the name that a playbook calls it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::FlushHandlers => "flush_handlers",
            Self::EndPlay => "end_play",
            Self::EndHost => "end_host",
            Self::EndBatch => "end_batch",
            Self::EndRole => "end_role",
            Self::ClearFacts => "clear_facts",
            Self::ClearHostErrors => "clear_host_errors",
            Self::RefreshInventory => "refresh_inventory",
            Self::ResetConnection => "reset_connection",
            Self::Noop => "noop",
        }
    }
}

/// A loop.
#[derive(Debug)]
pub struct Loop {
    /// The source of the items.
    pub source: LoopSource,
    /// `loop_control:`.
    pub control: LoopControl,
}

/// The source of the items of a loop.
#[derive(Debug)]
pub enum LoopSource {
    /// `loop:`: a list, or a template that renders to one.
    Items(Value),
    /// `with_LOOKUP:`.
    With {
        /// The name of the lookup.
        lookup: Arc<str>,
        /// The terms of the lookup.
        terms: Value,
    },
}

/// `loop_control:`.
#[derive(Debug, Clone, Default)]
pub struct LoopControl {
    /// `loop_var:`; `item` by default.
    pub loop_var: Option<Value>,
    /// `index_var:`.
    pub index_var: Option<Value>,
    /// `label:`.
    pub label: Option<Value>,
    /// `pause:` in seconds.
    pub pause: Option<Value>,
    /// `extended:`.
    pub extended: Option<Value>,
    /// `extended_allitems:`.
    pub extended_allitems: Option<Value>,
    /// `break_when:`.
    pub break_when: Option<Value>,
}

/// Keywords that tasks inherit from blocks, roles and plays. `None` means that a keyword is set nowhere.
#[derive(Debug, Clone, Default)]
pub struct Keywords {
    /// Conditions, outer first; all must be true.
    pub when: Vec<Value>,
    /// Tags, own and inherited.
    pub tags: Vec<Arc<str>>,
    /// Environments, outer first; inner values take precedence.
    pub environment: Vec<Value>,
    /// `module_defaults:`, outer first.
    pub module_defaults: Vec<Value>,
    /// `become:`.
    pub r#become: Option<Value>,
    /// `become_user:`.
    pub become_user: Option<Value>,
    /// `become_method:`.
    pub become_method: Option<Value>,
    /// `become_flags:`.
    pub become_flags: Option<Value>,
    /// `become_exe:`.
    pub become_exe: Option<Value>,
    /// `connection:`.
    pub connection: Option<Value>,
    /// `remote_user:`.
    pub remote_user: Option<Value>,
    /// `port:`.
    pub port: Option<Value>,
    /// `ignore_errors:`.
    pub ignore_errors: Option<Value>,
    /// `ignore_unreachable:`.
    pub ignore_unreachable: Option<Value>,
    /// `any_errors_fatal:`.
    pub any_errors_fatal: Option<Value>,
    /// `check_mode:`.
    pub check_mode: Option<Value>,
    /// `diff:`.
    pub diff: Option<Value>,
    /// `no_log:`.
    pub no_log: Option<Value>,
    /// `run_once:`.
    pub run_once: Option<Value>,
    /// `delegate_to:`.
    pub delegate_to: Option<Value>,
    /// `delegate_facts:`.
    pub delegate_facts: Option<Value>,
    /// `throttle:`.
    pub throttle: Option<Value>,
    /// `timeout:` in seconds.
    pub timeout: Option<Value>,
}

/// One use of a role: the role itself and its parameters.
///
/// Each use is one `Arc`. A role without `allow_duplicates` is skipped on a host if a task of another use with the same
/// [`identity`](Role::identity) has run there in this play.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name, as written by the user.
    pub name: Arc<str>,
    /// A number that is equal for uses of the same role with the same parameters, conditions and tags.
    pub identity: usize,
    /// Its directory.
    pub path: PathBuf,
    /// Its defaults, the variables of lowest precedence, merged over those of the roles that depend on it.
    pub defaults: Map,
    /// The variables of its `vars/`, merged over those of the roles that depend on it.
    pub vars: Map,
    /// The parameters and `vars:` of this use, merged over those of the roles that depend on it.
    pub params: Map,
    /// The roles that it depends on, in order.
    pub dependencies: Vec<Arc<Role>>,
    /// The names and directories of the roles that depend on it or include it, nearest first.
    pub parents: Vec<(Arc<str>, PathBuf)>,
    /// Whether it may run more than once per play with the same parameters.
    pub allow_duplicates: bool,
    /// Whether the rest of the play sees its variables; always true for static roles.
    pub public: bool,
}

/// Whether tasks belong to an `undo:` section.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UndoSection {
    /// They do not.
    #[default]
    Outside,
    /// They do, by the text of the playbook itself.
    Inside,
    /// They were included by tasks of such a section.
    Included,
}

/// What a task inherits from its surroundings.
#[derive(Debug, Clone, Default)]
pub struct Inherited {
    /// The merged keywords.
    pub keywords: Keywords,
    /// `vars:` of blocks and imports; inner ones take precedence.
    pub vars: Map,
    /// `notify:` of blocks, outer first.
    pub notify: Vec<Value>,
    /// The role that the tasks belong to.
    pub role: Option<Arc<Role>>,
    /// The directory of the file that is read.
    pub dir: PathBuf,
    /// The directory of the playbook.
    pub playbook_dir: PathBuf,
    /// Variables of the play that the names of imported files can use.
    pub play_vars: Map,
    /// Whether a `rescue:` handles failures.
    pub rescued: bool,
    /// Whether the tasks belong to an `undo:` section.
    pub undo_section: UndoSection,
    /// The files that are being imported, outermost first; to detect recursion.
    pub import_chain: Vec<PathBuf>,
}
