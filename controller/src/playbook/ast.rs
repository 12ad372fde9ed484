//! Plays, blocks and tasks as typed data. Values that may hold templates are kept raw, with their origin.

use std::path::PathBuf;
use std::sync::Arc;

use convoy_agent::module::Module;
use convoy_protocol::{Map, Origin, Value};

use crate::actions::Action as ControllerAction;

/// A play.
#[derive(Debug, Clone)]
pub struct Play {
    /// Where it begins.
    pub at: Arc<Origin>,
    /// Its name, if it has one; may be a template.
    pub name: Option<Value>,
    /// Its host pattern: text or a list of texts; may be a template.
    pub hosts: Value,
    /// The folder of its playbook file.
    pub dir: PathBuf,
    /// What its tasks inherit.
    pub keywords: Keywords,
    /// Variables of `vars:`.
    pub vars: Map,
    /// Conditions of the `import_playbook:` statements around it; already with its tasks, but fact gathering needs
    /// them too.
    pub import_when: Vec<Value>,
    /// Entries of `vars_prompt:`.
    pub vars_prompt: Vec<Prompt>,
    /// Entries of `vars_files:`: each a path or a list of paths of which the first that exists is read.
    pub vars_files: Vec<Value>,
    /// `gather_facts:`; not given means yes.
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
    /// What is done, in order: `pre_tasks`, then roles and `tasks`, then `post_tasks`; handlers are flushed after each.
    pub sections: [Vec<Entry>; 3],
    /// Handlers in Ansible's order: those of `roles:`, of the play, of imported roles. Of two with one name the later wins.
    pub handlers: Vec<Entry>,
    /// Roles of the play with their dependencies, in the order of running; for their variables and magic names.
    pub roles: Vec<Arc<Role>>,
}

/// A variable that the user is asked for.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// Where it is written.
    pub at: Arc<Origin>,
    /// The variable; may be a template, as all that follows.
    pub name: Value,
    /// What is asked; the name if not given.
    pub prompt: Option<Value>,
    /// The value if nothing is answered.
    pub default: Option<Value>,
    /// Whether what is typed is hidden; so if not given.
    pub private: Option<Value>,
    /// Whether it is asked twice.
    pub confirm: Option<Value>,
    /// The algorithm by which the answer is hashed.
    pub encrypt: Option<Value>,
    /// The salt of the hash; random if not given.
    pub salt: Option<Value>,
    /// How long a random salt is.
    pub salt_size: Option<Value>,
    /// Whether templates in the answer stay what they are.
    pub r#unsafe: Option<Value>,
}

/// A block or a task.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A task.
    Task(Arc<Task>),
    /// A block.
    Block(Arc<Block>),
}

/// A block. Its keywords are already with its tasks.
#[derive(Debug)]
pub struct Block {
    /// Where it begins.
    pub at: Arc<Origin>,
    /// Its name.
    pub name: Option<Value>,
    /// `block:`.
    pub body: Vec<Entry>,
    /// `rescue:`.
    pub rescue: Vec<Entry>,
    /// `always:`.
    pub always: Vec<Entry>,
    /// `undo:`: what `convoy undo` does where the block was begun.
    pub undo: Vec<Entry>,
}

/// A task or a handler.
#[derive(Debug)]
pub struct Task {
    /// Where it begins.
    pub at: Arc<Origin>,
    /// Its name, if it has one; may be a template.
    pub name: Option<Value>,
    /// The action as the user wrote it (`copy`, `ansible.builtin.copy`).
    pub action_name: Arc<str>,
    /// What it does.
    pub action: Action,
    /// The action's arguments: a map (with `_raw_params` for free text), or text that renders to one. Where both are
    /// given, the text is under `_variable_params`, and the map's own entries win over what it renders to.
    pub args: Value,
    /// Keywords, those of all blocks, roles and the play around it already merged in.
    pub keywords: Keywords,
    /// `vars:` of the task and of the blocks and static includes around it, inner over outer.
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
    /// `async:` in seconds: it is done as a job, for no longer than that.
    pub limit: Option<Value>,
    /// `poll:` in seconds: how often is looked what has become of the job; 0: it goes on by itself.
    pub poll: Option<Value>,
    /// `notify:`: names or topics; may be templates.
    pub notify: Vec<Value>,
    /// `listen:` of a handler.
    pub listen: Vec<Value>,
    /// What surrounds an include (`include_tasks`, `include_role`), without the include's own keywords: from these
    /// the included tasks inherit. See [`Inherited::of_include`].
    pub around: Option<Arc<Inherited>>,
    /// The role it belongs to.
    pub role: Option<Arc<Role>>,
    /// The folder of the file it stands in: where relative files are looked for after the role's folders.
    pub dir: PathBuf,
}

/// What a task does.
#[derive(Debug, Clone)]
pub enum Action {
    /// A module on the node.
    Module(&'static Module),
    /// An action of the controller: `debug`, `assert`, `fail`, `set_fact` …
    Controller(&'static ControllerAction),
    /// One of these that is found when the task is due: its name is a template, or convoy lacks it.
    Named(Value),
    /// `meta:`.
    Meta(Meta),
    /// `include_tasks:`; with `apply:`.
    IncludeTasks {
        /// The file; may be a template.
        file: Value,
        /// Keywords given to what is included.
        apply: Box<Keywords>,
        /// `vars` of `apply`.
        apply_vars: Map,
        /// `notify` of `apply`.
        apply_notify: Vec<Value>,
    },
    /// `include_role:`.
    IncludeRole(Box<RoleInclude>),
}

/// `include_role:` (and `import_role:`, while it is loaded).
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
    /// `public:`: whether its variables are seen by the rest of the play.
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
    /// `vars:` of the include itself: variables of the role for this use.
    pub vars: Map,
}

/// What `meta:` can do.
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

/// A loop.
#[derive(Debug)]
pub struct Loop {
    /// Where the items come from.
    pub source: LoopSource,
    /// `loop_control:`.
    pub control: LoopControl,
}

/// Where the items of a loop come from.
#[derive(Debug)]
pub enum LoopSource {
    /// `loop:`: a list, or a template of one.
    Items(Value),
    /// `with_LOOKUP:`.
    With {
        /// The lookup's name.
        lookup: Arc<str>,
        /// Its terms.
        terms: Value,
    },
}

/// `loop_control:`.
#[derive(Debug, Clone, Default)]
pub struct LoopControl {
    /// `loop_var:`; `item` if not given.
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

/// Keywords that blocks, roles and plays hand down to their tasks. `None`: not given anywhere.
#[derive(Debug, Clone, Default)]
pub struct Keywords {
    /// Conditions, outer first; all must hold.
    pub when: Vec<Value>,
    /// Tags, own and inherited.
    pub tags: Vec<Arc<str>>,
    /// Environments, outer first; inner wins per name.
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

/// A role as it is used once: what it is, and with which parameters.
///
/// One use is one `Arc`. A role that may not run twice is skipped on a host where a task of another use with the same
/// [`identity`](Role::identity) has run in this play.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name as it was asked for.
    pub name: Arc<str>,
    /// Which uses are the same one: equal for the same role with the same parameters, conditions and tags.
    pub identity: usize,
    /// Its folder.
    pub path: PathBuf,
    /// Defaults, the lowest of all variables; under them those of the roles that depend on it.
    pub defaults: Map,
    /// Variables of its `vars/`; under them those of the roles that depend on it.
    pub vars: Map,
    /// Parameters and `vars:` given where it is used; under them those of the roles that depend on it.
    pub params: Map,
    /// The roles that it depends on, in order.
    pub dependencies: Vec<Arc<Role>>,
    /// The names and folders of the roles that asked for it, nearest first.
    pub parents: Vec<(Arc<str>, PathBuf)>,
    /// Whether it may run more than once in a play with the same parameters.
    pub allow_duplicates: bool,
    /// Whether its variables are seen by the rest of the play (static roles: yes).
    pub public: bool,
}

/// Whether tasks belong to an `undo:` section.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UndoSection {
    /// They do not.
    #[default]
    Outside,
    /// They do, and the playbook shows it when it is read.
    Inside,
    /// They were included by tasks of such a section.
    Included,
}

/// What a task takes over from what surrounds it.
#[derive(Debug, Clone, Default)]
pub struct Inherited {
    /// Keywords, merged.
    pub keywords: Keywords,
    /// `vars:` of blocks and imports, inner over outer.
    pub vars: Map,
    /// `notify:` of blocks, outer first.
    pub notify: Vec<Value>,
    /// The role that the tasks belong to.
    pub role: Option<Arc<Role>>,
    /// The folder of the file that is read.
    pub dir: PathBuf,
    /// The folder of the playbook.
    pub playbook_dir: PathBuf,
    /// Variables of the play that the names of imported files may use.
    pub play_vars: Map,
    /// Whether a failure is met by a `rescue`.
    pub rescued: bool,
    /// Whether the tasks undo a block.
    pub undo_section: UndoSection,
    /// The files that are being imported, outermost first.
    pub trail: Vec<PathBuf>,
}
