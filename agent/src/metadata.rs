//! What a module's own file declares about it besides its arguments: documentation and behavior.
//!
//! The engine schedules, resumes and undoes tasks by a module's [`Behavior`] and never by its name, so that a new module
//! needs no change outside its file.

use convoy_protocol::Map;

/// Documentation of a module.
#[derive(Debug, Clone, Copy)]
pub struct Doc {
    /// One line, third person.
    pub summary: &'static str,
    /// More, in paragraphs.
    pub description: &'static str,
    /// A task or two, in YAML.
    pub example: &'static str,
}

/// How a module behaves, as far as the engine must know.
#[derive(Debug, Clone, Copy)]
pub struct Behavior {
    /// How it uses the paths among its arguments.
    pub access: Access,
    /// Whether `convoy undo` can revert its work.
    pub reversibility: Reversibility,
    /// Whether it returns facts about the node. A resumed run gathers them again, so the journal does not keep them.
    pub gathers_facts: bool,
    /// Whether it reports on an asynchronous job. Its answer may differ each time, so no answer is fetched ahead, and it
    /// cannot be a job itself.
    pub polls_job: bool,
}

impl Behavior {
    /// Returns the usual behavior of a module with this access: all of its work can be undone.
    pub const fn new(access: Access) -> Self {
        Self { access, reversibility: Reversibility::Reversible, gathers_facts: false, polls_job: false }
    }
}

/// How a module uses the paths among its arguments. In check mode the engine derives from it which later answers an
/// earlier change makes uncertain.
#[derive(Debug, Clone, Copy)]
pub enum Access {
    /// Reads the paths; changes nothing on the node.
    Read,
    /// Reads the paths and everything below them; changes nothing on the node.
    ReadTree,
    /// Writes the paths, or may write them; does not depend on what is below them.
    Write,
    /// Writes the paths or anything below them, or may do so.
    WriteTree,
    /// Depends on the arguments.
    ByArguments(fn(&Map) -> Self),
}

impl Access {
    /// Returns whether the module may change something on the node.
    pub fn writes(self, args: &Map) -> bool {
        match self {
            Self::Read | Self::ReadTree => false,
            Self::Write | Self::WriteTree => true,
            Self::ByArguments(access) => access(args).writes(args),
        }
    }

    /// Returns whether everything below the paths is affected as well.
    pub fn is_recursive(self, args: &Map) -> bool {
        match self {
            Self::Read | Self::Write => false,
            Self::ReadTree | Self::WriteTree => true,
            Self::ByArguments(access) => access(args).is_recursive(args),
        }
    }
}

/// Whether `convoy undo` can revert a module's work.
#[derive(Debug, Clone, Copy)]
pub enum Reversibility {
    /// It can: the module changes nothing but files, and those through [`System`](crate::system::System).
    Reversible,
    /// It cannot, at least in part, for this reason: "it runs a command".
    Irreversible(&'static str),
    /// Depends on the arguments.
    ByArguments(fn(&Map) -> Self),
}

impl Reversibility {
    /// Returns why the work cannot be reverted, or cannot be reverted completely; `None` if it can.
    pub fn why_irreversible(self, args: &Map) -> Option<&'static str> {
        match self {
            Self::Reversible => None,
            Self::Irreversible(why) => Some(why),
            Self::ByArguments(reversibility) => reversibility(args).why_irreversible(args),
        }
    }
}
