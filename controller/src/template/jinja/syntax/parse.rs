//! Parses templates and expressions with `minijinja` and converts its syntax tree into ours.
//!
//! The parser is part of `minijinja`'s unstable API, so an update of the crate may need changes here.

use std::sync::Arc;

use minijinja::machinery::ast::{self, BinOpKind, CompareOpKind, UnaryOpKind};
use minijinja::machinery::{Span, parse, parse_expr};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;

use super::source::{normalized, normalized_expression};
use super::{Arg, Cmp, Expr, For, MacroDef, Op, Place, Stmt, StmtKind, Template};
use crate::template::error::{Error, Position};
use crate::template::options::FileOptions;

/// Parses the text of a playbook value. Within `{{ }}`, a backslash in a string literal stands for itself.
pub(crate) fn playbook_text(text: &str) -> Result<Template, Error> {
    let options = FileOptions::default();
    template(&normalized(text, &options, true), None, syntax(&options)?)
}

/// Parses a template file, or text that is treated like one.
pub(crate) fn template_file(
    text: &str,
    file: Option<Arc<str>>,
    options: &FileOptions,
) -> Result<Template, Error> {
    template(&normalized(text, options, false), file, syntax(options)?)
}

/// Parses an expression that is not within `{{ }}`.
pub(crate) fn bare_expression(text: &str) -> Result<Expr, Error> {
    expression(&parse_expr(&normalized_expression(text)).map_err(|e| syntax_error(&e, None))?)
}

fn syntax(options: &FileOptions) -> Result<SyntaxConfig, Error> {
    let mut builder = SyntaxConfig::builder();
    builder
        .variable_delimiters(options.variable.0.clone(), options.variable.1.clone())
        .block_delimiters(options.block.0.clone(), options.block.1.clone())
        .comment_delimiters(options.comment.0.clone(), options.comment.1.clone())
        .trim_blocks(options.trim_blocks)
        .lstrip_blocks(options.lstrip_blocks)
        .keep_trailing_newline(options.keep_trailing_newline);
    builder.build().map_err(|e| Error::syntax(e.to_string()))
}

fn template(text: &str, file: Option<Arc<str>>, syntax: SyntaxConfig) -> Result<Template, Error> {
    let parsed = parse(text, file.as_deref().unwrap_or("<template>"), syntax)
        .map_err(|e| syntax_error(&e, file.as_ref()))?;
    let ast::Stmt::Template(root) = parsed else {
        return Err(Error::syntax("no template"));
    };
    Ok(Template { body: statements(&root.children)?, file })
}

fn syntax_error(error: &minijinja::Error, file: Option<&Arc<str>>) -> Error {
    let text = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let mut converted = Error::syntax(text.replace('`', "'"));
    if let Some(file) = file {
        converted.position = Some(Position {
            file: file.clone(),
            line: error.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(1),
            column: 0,
        });
    }
    converted
}

fn place(span: Span) -> Place {
    Place { line: span.start_line.into(), column: u32::from(span.start_col) + 1 }
}

fn statements(list: &[ast::Stmt<'_>]) -> Result<Vec<Stmt>, Error> {
    list.iter().map(statement).collect()
}

fn statement(stmt: &ast::Stmt<'_>) -> Result<Stmt, Error> {
    let (span, kind) = match stmt {
        ast::Stmt::EmitRaw(s) => (s.span(), StmtKind::Raw(s.raw.into())),
        ast::Stmt::EmitExpr(s) => (s.expr.span(), StmtKind::Emit(expression(&s.expr)?)),
        ast::Stmt::ForLoop(s) => (s.span(), for_loop(s)?),
        ast::Stmt::IfCond(s) => (
            s.span(),
            StmtKind::If(expression(&s.expr)?, statements(&s.true_body)?, statements(&s.false_body)?),
        ),
        ast::Stmt::WithBlock(s) => {
            let pairs = s
                .assignments
                .iter()
                .map(|(a, b)| Ok((expression(a)?, expression(b)?)))
                .collect::<Result<_, _>>()?;
            (s.span(), StmtKind::With(pairs, statements(&s.body)?))
        }
        ast::Stmt::Set(s) => (s.span(), StmtKind::Set(expression(&s.target)?, expression(&s.expr)?)),
        ast::Stmt::SetBlock(s) => {
            let filter = s.filter.as_ref().map(expression).transpose()?;
            (s.span(), StmtKind::SetBlock(expression(&s.target)?, filter, statements(&s.body)?))
        }
        ast::Stmt::FilterBlock(s) => {
            (s.span(), StmtKind::FilterBlock(expression(&s.filter)?, statements(&s.body)?))
        }
        ast::Stmt::Do(s) => (s.span(), StmtKind::Do(call(&s.call)?)),
        ast::Stmt::Continue(s) => (s.span(), StmtKind::Continue),
        ast::Stmt::Break(s) => (s.span(), StmtKind::Break),
        other => return structure(other),
    };
    Ok(Stmt { place: place(span), kind })
}

/// Converts a statement that connects templates or macros.
fn structure(stmt: &ast::Stmt<'_>) -> Result<Stmt, Error> {
    let (span, kind) = match stmt {
        ast::Stmt::Template(s) => (s.span(), StmtKind::Group(statements(&s.children)?)),
        ast::Stmt::AutoEscape(s) => (s.span(), StmtKind::Group(statements(&s.body)?)),
        ast::Stmt::Block(s) => (s.span(), StmtKind::Block(s.name.into(), Arc::new(statements(&s.body)?))),
        ast::Stmt::Extends(s) => (s.span(), StmtKind::Extends(expression(&s.name)?)),
        ast::Stmt::Include(s) => (s.span(), StmtKind::Include(expression(&s.name)?, s.ignore_missing)),
        ast::Stmt::Import(s) => (s.span(), StmtKind::Import(expression(&s.expr)?, expression(&s.name)?)),
        ast::Stmt::FromImport(s) => {
            let mut names = Vec::with_capacity(s.names.len());
            for (name, alias) in &s.names {
                names.push((expression(name)?, alias.as_ref().map(expression).transpose()?));
            }
            (s.span(), StmtKind::FromImport(expression(&s.expr)?, names))
        }
        ast::Stmt::Macro(s) => (s.span(), StmtKind::Macro(macro_def(s)?)),
        ast::Stmt::CallBlock(s) => (s.span(), StmtKind::CallBlock(call(&s.call)?, macro_def(&s.macro_decl)?)),
        _ => return Err(Error::syntax("unknown statement")),
    };
    Ok(Stmt { place: place(span), kind })
}

fn for_loop(s: &ast::ForLoop<'_>) -> Result<StmtKind, Error> {
    Ok(StmtKind::For(Arc::new(For {
        target: expression(&s.target)?,
        iter: expression(&s.iter)?,
        filter: s.filter_expr.as_ref().map(expression).transpose()?,
        recursive: s.recursive,
        body: statements(&s.body)?,
        otherwise: statements(&s.else_body)?,
    })))
}

fn macro_def(s: &ast::Macro<'_>) -> Result<Arc<MacroDef>, Error> {
    let params = s
        .args
        .iter()
        .map(|arg| match arg {
            ast::Expr::Var(var) => Ok(var.id.into()),
            _ => Err(Error::syntax("a macro's parameter must be a name")),
        })
        .collect::<Result<_, _>>()?;
    Ok(Arc::new(MacroDef {
        name: s.name.into(),
        params,
        defaults: expressions(&s.defaults)?,
        body: statements(&s.body)?,
    }))
}

fn expressions(list: &[ast::Expr<'_>]) -> Result<Vec<Expr>, Error> {
    list.iter().map(expression).collect()
}

fn boxed(expr: &ast::Expr<'_>) -> Result<Box<Expr>, Error> {
    expression(expr).map(Box::new)
}

fn optional(expr: Option<&ast::Expr<'_>>) -> Result<Option<Box<Expr>>, Error> {
    expr.map(boxed).transpose()
}

fn expression(expr: &ast::Expr<'_>) -> Result<Expr, Error> {
    Ok(match expr {
        ast::Expr::Var(e) => Expr::Var(e.id.into()),
        ast::Expr::Const(e) => constant(&e.value)?,
        ast::Expr::Slice(e) => Expr::Slice(
            boxed(&e.expr)?,
            [optional(e.start.as_ref())?, optional(e.stop.as_ref())?, optional(e.step.as_ref())?],
        ),
        ast::Expr::UnaryOp(e) => match e.op {
            UnaryOpKind::Not => Expr::Not(boxed(&e.expr)?),
            UnaryOpKind::Neg => Expr::Neg(boxed(&e.expr)?),
        },
        ast::Expr::BinOp(e) => binary(e)?,
        ast::Expr::Compare(e) => Expr::Compare(
            boxed(&e.expr)?,
            e.ops
                .iter()
                .map(|op| Ok((compare(op.op), expression(&op.expr)?)))
                .collect::<Result<_, Error>>()?,
        ),
        ast::Expr::IfExpr(e) => {
            Expr::If(boxed(&e.test_expr)?, boxed(&e.true_expr)?, optional(e.false_expr.as_ref())?)
        }
        ast::Expr::Filter(e) => Expr::Filter(e.name.into(), optional(e.expr.as_ref())?, arguments(&e.args)?),
        ast::Expr::Test(e) => Expr::Test(e.name.into(), boxed(&e.expr)?, arguments(&e.args)?),
        ast::Expr::GetAttr(e) => Expr::Attr(boxed(&e.expr)?, e.name.into()),
        ast::Expr::GetItem(e) => Expr::Item(boxed(&e.expr)?, boxed(&e.subscript_expr)?),
        ast::Expr::Call(e) => call(e)?,
        ast::Expr::List(e) => Expr::List(expressions(&e.items)?),
        ast::Expr::Tuple(e) => Expr::Tuple(expressions(&e.items)?),
        ast::Expr::Map(e) => Expr::Dict(
            e.keys
                .iter()
                .zip(&e.values)
                .map(|(k, v)| Ok((expression(k)?, expression(v)?)))
                .collect::<Result<_, Error>>()?,
        ),
    })
}

fn call(call: &ast::Call<'_>) -> Result<Expr, Error> {
    Ok(Expr::Call(boxed(&call.expr)?, arguments(&call.args)?))
}

fn arguments(args: &[ast::CallArg<'_>]) -> Result<Vec<Arg>, Error> {
    let mut named = std::collections::HashSet::new();
    args.iter()
        .map(|arg| {
            if let ast::CallArg::Kwarg(name, _) = arg
                && !named.insert(*name)
            {
                return Err(Error::syntax(format!("keyword argument repeated: {name}")));
            }
            Ok(match arg {
                ast::CallArg::Pos(e) => Arg::Pos(expression(e)?),
                ast::CallArg::Kwarg(name, e) => Arg::Key((*name).into(), expression(e)?),
                ast::CallArg::PosSplat(e) => Arg::Splat(expression(e)?),
                ast::CallArg::KwargSplat(e) => Arg::KeySplat(expression(e)?),
            })
        })
        .collect()
}

fn constant(value: &minijinja::Value) -> Result<Expr, Error> {
    Ok(match value.kind() {
        ValueKind::None => Expr::None,
        ValueKind::Bool => Expr::Bool(value.is_true()),
        ValueKind::String => Expr::Text(value.as_str().unwrap_or_default().into()),
        ValueKind::Number => match value.as_i64() {
            Some(i) if value.is_integer() => Expr::Int(i),
            _ => Expr::Float(
                f64::try_from(value.clone())
                    .map_err(|_| Error::syntax(format!("number too large: {value}")))?,
            ),
        },
        _ => return Err(Error::syntax("unexpected constant")),
    })
}

fn binary(e: &ast::BinOp<'_>) -> Result<Expr, Error> {
    let (left, right) = (boxed(&e.left)?, boxed(&e.right)?);
    let compare =
        |op| -> Result<Expr, Error> { Ok(Expr::Compare(boxed(&e.left)?, vec![(op, expression(&e.right)?)])) };
    Ok(match e.op {
        BinOpKind::Eq => compare(Cmp::Eq)?,
        BinOpKind::Ne => compare(Cmp::Ne)?,
        BinOpKind::Lt => compare(Cmp::Lt)?,
        BinOpKind::Lte => compare(Cmp::Le)?,
        BinOpKind::Gt => compare(Cmp::Gt)?,
        BinOpKind::Gte => compare(Cmp::Ge)?,
        BinOpKind::In => compare(Cmp::In)?,
        BinOpKind::ScAnd => Expr::And(left, right),
        BinOpKind::ScOr => Expr::Or(left, right),
        BinOpKind::Add => Expr::Binary(Op::Add, left, right),
        BinOpKind::Sub => Expr::Binary(Op::Sub, left, right),
        BinOpKind::Mul => Expr::Binary(Op::Mul, left, right),
        BinOpKind::Div => Expr::Binary(Op::Div, left, right),
        BinOpKind::FloorDiv => Expr::Binary(Op::FloorDiv, left, right),
        BinOpKind::Rem => Expr::Binary(Op::Rem, left, right),
        BinOpKind::Pow => Expr::Binary(Op::Pow, left, right),
        BinOpKind::Concat => Expr::Binary(Op::Concat, left, right),
    })
}

fn compare(op: CompareOpKind) -> Cmp {
    match op {
        CompareOpKind::Eq => Cmp::Eq,
        CompareOpKind::Ne => Cmp::Ne,
        CompareOpKind::Lt => Cmp::Lt,
        CompareOpKind::Lte => Cmp::Le,
        CompareOpKind::Gt => Cmp::Gt,
        CompareOpKind::Gte => Cmp::Ge,
        CompareOpKind::In => Cmp::In,
        CompareOpKind::NotIn => Cmp::NotIn,
    }
}
