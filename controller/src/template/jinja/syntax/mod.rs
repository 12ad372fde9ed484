//! The syntax tree of a template. Unlike that of `minijinja`, it owns its text, so that a parsed template can be kept and
//! shared.
//!
//! [`parse`] builds it, after [`source`] has rewritten what `minijinja` reads differently from Python.

pub(crate) mod escapes;
pub(crate) mod parse;
pub(crate) mod source;

use std::sync::Arc;

/// A position in the text of a template; line and column count from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) body: Vec<Stmt>,
    /// The file, for error messages. Text of a playbook has none.
    pub(crate) file: Option<Arc<str>>,
}

pub(crate) type Body = Arc<Vec<Stmt>>;

#[derive(Debug)]
pub(crate) struct Stmt {
    pub(crate) place: Place,
    pub(crate) kind: StmtKind,
}

#[derive(Debug)]
pub(crate) enum StmtKind {
    Raw(Arc<str>),
    Emit(Expr),
    For(Arc<For>),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    With(Vec<(Expr, Expr)>, Vec<Stmt>),
    Set(Expr, Expr),
    SetBlock(Expr, Option<Expr>, Vec<Stmt>),
    FilterBlock(Expr, Vec<Stmt>),
    /// Statements without meaning of their own, such as `autoescape`: nothing is escaped.
    Group(Vec<Stmt>),
    Block(Arc<str>, Body),
    Extends(Expr),
    Include(Expr, bool),
    Import(Expr, Expr),
    FromImport(Expr, Vec<(Expr, Option<Expr>)>),
    Macro(Arc<MacroDef>),
    CallBlock(Expr, Arc<MacroDef>),
    Continue,
    Break,
    Do(Expr),
}

#[derive(Debug)]
pub(crate) struct For {
    pub(crate) target: Expr,
    pub(crate) iter: Expr,
    pub(crate) filter: Option<Expr>,
    pub(crate) recursive: bool,
    pub(crate) body: Vec<Stmt>,
    pub(crate) otherwise: Vec<Stmt>,
}

#[derive(Debug)]
pub(crate) struct MacroDef {
    pub(crate) name: Arc<str>,
    pub(crate) params: Vec<Arc<str>>,
    /// The defaults; they belong to the last parameters.
    pub(crate) defaults: Vec<Expr>,
    pub(crate) body: Vec<Stmt>,
}

#[derive(Debug)]
pub(crate) enum Expr {
    Var(Arc<str>),
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    Neg(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Binary(Op, Box<Expr>, Box<Expr>),
    Compare(Box<Expr>, Vec<(Cmp, Expr)>),
    If(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
    /// A filter. Only the first filter of a `filter` block has no subject.
    Filter(Arc<str>, Option<Box<Expr>>, Vec<Arg>),
    Test(Arc<str>, Box<Expr>, Vec<Arg>),
    Attr(Box<Expr>, Arc<str>),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, [Option<Box<Expr>>; 3]),
    Call(Box<Expr>, Vec<Arg>),
}

#[derive(Debug)]
pub(crate) enum Arg {
    Pos(Expr),
    Key(Arc<str>, Expr),
    Splat(Expr),
    KeySplat(Expr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Rem,
    Pow,
    Concat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cmp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}
