//! Filters on text.

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::ops::text_like;
use crate::template::jinja::python::text::{repr, text_of};
use crate::template::jinja::python::value::{TextKind, Val};
use crate::template::jinja::python::{format, strings};
use crate::template::jinja::rendering::{Filter, Rendering};
use crate::text::python::shell_quoted;

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("capitalize", |_, v, _| Ok(strings::capitalize(&text_of(v)?).into())),
    ("center", center),
    ("comment", comment),
    ("e", |_, v, _| escape(v)),
    ("escape", |_, v, _| escape(v)),
    ("forceescape", |_, v, _| escape(text_of(v)?.into())),
    ("format", percent),
    ("indent", indent),
    ("lower", |_, v, _| Ok(text_of(v)?.to_lowercase().into())),
    ("upper", |_, v, _| Ok(text_of(v)?.to_uppercase().into())),
    ("pprint", |_, v, _| Ok(repr(&v.defined()?).into())),
    ("quote", |_, v, _| {
        Ok(shell_quoted(&if matches!(v, Val::None) { String::new() } else { text_of(v)? }).into())
    }),
    ("replace", replace),
    ("safe", |_, v, _| Ok(Val::Str(text_of(v)?.into(), TextKind::Markup))),
    ("split", |_, v, args| strings::split(&text_of(v)?, false, args)),
    ("string", |_, v, _| match v {
        Val::Str(..) => Ok(v),
        other => Ok(text_of(other)?.into()),
    }),
    ("striptags", |_, v, _| Ok(striptags(&text_of(v)?).into())),
    ("title", |_, v, _| Ok(title(&text_of(v)?).into())),
    ("trim", trim),
    ("truncate", truncate),
    ("wordcount", |_, v, _| {
        let text = text_of(v)?;
        Ok(text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .count()
            .into())
    }),
    ("wordwrap", wordwrap),
];

/// Returns text in title case as Jinja does: only white space, hyphens and opening brackets end a word.
fn title(s: &str) -> String {
    strings::title_case(s, |c| c.is_whitespace() || "-({[<".contains(c))
}

fn center(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let text = text_of(v)?;
    let width = usize::try_from(args.int(0, "width", 80)?).unwrap_or(0).min(1_000_000);
    let missing = width.saturating_sub(text.chars().count());
    let left = strings::center_left(missing, width);
    Ok(format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left)).into())
}

fn escape(v: Val) -> Result<Val, Error> {
    if matches!(v, Val::Str(_, TextKind::Markup)) {
        return Ok(v);
    }
    let mut out = String::new();
    for c in text_of(v)?.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    Ok(Val::Str(out.into(), TextKind::Markup))
}

fn percent(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let values = if args.named.is_empty() {
        Val::tuple(args.rest(0))
    } else {
        let named: Vec<_> = args.named.drain(..).collect();
        rendering
            .force_deep(&Val::dict(named.into_iter().map(|(name, value)| (name.into(), value)).collect()))?
    };
    Ok(format::percent(&text_of(v)?, &values)?.into())
}

fn indent(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let text = text_of(v.clone())?;
    let by = match args.take(0, "width") {
        Some(Val::Str(by, _)) => by.to_string(),
        Some(width) => " ".repeat(usize::try_from(width.as_int().unwrap_or(4)).unwrap_or(0).min(1000)),
        None => "    ".into(),
    };
    let (first, blank) = (args.flag(1, "first", false)?, args.flag(2, "blank", false)?);
    let mut out = String::new();
    // Jinja appends a newline before it splits into lines, so a newline at the end is kept.
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        if (i > 0 && (blank || !line.is_empty())) || (i == 0 && first) {
            out.push_str(&by);
        }
        out.push_str(line);
    }
    Ok(text_like(&v, out))
}

fn replace(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let (old, new) = (args.need_text(0, "old")?, args.need_text(1, "new")?);
    let text = text_of(v.clone())?;
    let replaced = match usize::try_from(args.int(2, "count", -1)?) {
        Ok(count) => text.replacen(&old, &new, count),
        Err(_) => text.replace(&old, &new),
    };
    Ok(text_like(&v, replaced))
}

fn striptags(text: &str) -> String {
    let mut out = String::new();
    let mut in_tag = false;
    for c in text.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => in_tag = false,
            c if !in_tag => out.push(c),
            _ => {}
        }
    }
    let plain = out.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = plain.replace("&lt;", "<").replace("&gt;", ">").replace("&#34;", "\"").replace("&#39;", "'");
    plain.replace("&quot;", "\"").replace("&amp;", "&")
}

fn trim(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let text = text_of(v.clone())?;
    let trimmed = match args.text(0, "chars")? {
        Some(set) => text.trim_matches(|c| set.contains(c)),
        None => text.trim(),
    };
    Ok(text_like(&v, trimmed.to_owned()))
}

fn truncate(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let text = text_of(v)?;
    let length = usize::try_from(args.int(0, "length", 255)?).unwrap_or(0);
    let kill = args.flag(1, "killwords", false)?;
    let end = args.text(2, "end")?.unwrap_or_else(|| "...".into());
    let leeway = usize::try_from(args.int(3, "leeway", 5)?).unwrap_or(0);
    if length < end.chars().count() {
        return Err(Error::other(format!("expected length >= {}, got {length}", end.chars().count())));
    }
    if text.chars().count() <= length + leeway {
        return Ok(text.into());
    }
    let cut: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
    let cut = if kill { &*cut } else { cut.rsplit_once(' ').map_or(&*cut, |(head, _)| head) };
    Ok(format!("{cut}{end}").into())
}

fn wordwrap(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let text = text_of(v)?;
    let width = usize::try_from(args.int(0, "width", 79)?).unwrap_or(1).max(1);
    let break_long = args.flag(1, "break_long_words", true)?;
    let newline = args.text(2, "wrapstring")?.unwrap_or_else(|| "\n".into());
    args.flag(3, "break_on_hyphens", true)?;
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let mut word = word;
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() <= width {
                line.push(' ');
                line.push_str(word);
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            while break_long && word.chars().count() > width {
                let at = word.char_indices().nth(width).map_or(word.len(), |(at, _)| at);
                lines.push(word[..at].to_owned());
                word = &word[at..];
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    Ok(lines.join(&newline).into())
}

fn comment(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let text = text_of(v)?;
    let style = args.text(0, "style")?.unwrap_or_else(|| "plain".into());
    let (beginning, decoration, end) = match &*style {
        "plain" => ("", "# ", ""),
        "erlang" => ("", "% ", ""),
        "c" => ("", "// ", ""),
        "cblock" => ("/*", " * ", " */"),
        "xml" => ("<!--", " - ", "-->"),
        other => return Err(Error::other(format!("'{other}'"))),
    };
    let mut option = |name: &str, default: &str| -> Result<String, Error> {
        Ok(args.key(name).map(text_of).transpose()?.unwrap_or_else(|| default.to_owned()))
    };
    let decoration = option("decoration", decoration)?;
    let (newline, beginning) = (option("newline", "\n")?, option("beginning", beginning)?);
    let (prefix, postfix) =
        (option("prefix", decoration.trim_end())?, option("postfix", decoration.trim_end())?);
    let end = option("end", end)?;
    let count = |text: String| text.parse::<usize>().unwrap_or(0).min(1000);
    let (prefix_count, postfix_count) =
        (count(option("prefix_count", "1")?), count(option("postfix_count", "1")?));
    let mut out = String::new();
    if !beginning.is_empty() {
        out.push_str(&beginning);
        out.push_str(&newline);
    }
    if !prefix.is_empty() {
        let line = if prefix == newline { newline.clone() } else { format!("{prefix}{newline}") };
        out.push_str(&line.repeat(prefix_count));
    }
    let decorated = format!("{decoration}{}", text.replace(&newline, &format!("{newline}{decoration}")));
    out.push_str(
        &decorated.replace(&format!("{decoration}{newline}"), &format!("{}{newline}", decoration.trim_end())),
    );
    for _ in 0..postfix_count {
        out.push_str(&newline);
        out.push_str(&postfix);
    }
    if !end.is_empty() {
        out.push_str(&newline);
        out.push_str(&end);
    }
    Ok(out.into())
}
