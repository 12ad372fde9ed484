//! Filters that read JSON, and that write it as Python's `json` does.

use super::yaml::read_value;
use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::text::{str, text_of};
use crate::template::jinja::python::value::Val;
use crate::template::jinja::rendering::Filter;
use crate::text::json::{self, Layout, Writer};

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("to_json", |_, v, args| {
        let form = Form::read(args, None, false)?;
        Ok(form.text(&v)?.into())
    }),
    ("to_nice_json", |_, v, args| {
        let indent = args.take(0, "indent").and_then(|v| v.as_int()).unwrap_or(4);
        let sort = args.flag(1, "sort_keys", true)?;
        args.key("separators");
        let mut form = Form::read(args, Some(indent), sort)?;
        form.layout.item_separator = ",".into();
        Ok(form.text(&v)?.into())
    }),
    ("tojson", |_, v, args| {
        let indent = args.take(0, "indent").and_then(|v| v.as_int());
        let form = Form::read(args, indent, true)?;
        let text = form.text(&v)?;
        let text = text
            .replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026")
            .replace('\'', "\\u0027");
        Ok(Val::text(text))
    }),
    ("from_json", |_, v, _| {
        let text = text_of(v)?;
        let value = json::from_str(&text).map_err(|e| Error::other(format!("the text is not JSON: {e}")))?;
        read_value(&value)
    }),
];

/// Returns a value as JSON in Python's default layout.
pub(crate) fn repr_json(value: &Val) -> Result<String, Error> {
    Form { layout: Layout::new(None, true), sort_keys: false }.text(value)
}

/// The form in which JSON is written.
struct Form {
    layout: Layout,
    sort_keys: bool,
}

impl Form {
    fn read(args: &mut Args, indent: Option<i64>, sort_keys: bool) -> Result<Self, Error> {
        let indent =
            args.key("indent").and_then(|v| v.as_int()).or(indent).and_then(|i| usize::try_from(i).ok());
        let sort_keys = args.named_flag("sort_keys", sort_keys)?;
        let ascii = args.named_flag("ensure_ascii", true)?;
        let mut layout = Layout::new(indent, ascii);
        if let Some(Val::List(pair)) = args.key("separators")
            && let [item, key] = &pair.items.borrow()[..]
        {
            (layout.item_separator, layout.key_separator) = (str(item), str(key));
        }
        for accepted in ["vault_to_text", "preprocess_unsafe"] {
            args.key(accepted);
        }
        Ok(Self { layout, sort_keys })
    }

    fn text(self, value: &Val) -> Result<String, Error> {
        let mut writer = Writer::new(self.layout);
        write(&mut writer, value, self.sort_keys)?;
        Ok(writer.finish())
    }
}

fn write(writer: &mut Writer, value: &Val, sort_keys: bool) -> Result<(), Error> {
    match value {
        Val::None => writer.null(),
        Val::Bool(b) => writer.boolean(*b),
        Val::Float(x) => writer.float(*x),
        Val::Int(i) => writer.integer(*i),
        Val::List(list) => {
            let items = list.items.borrow();
            writer.list(items.iter(), |writer, item| write(writer, item, sort_keys))?;
        }
        Val::Dict(dict) => {
            let items = dict.items.borrow();
            let mut members: Vec<_> = items.iter().collect();
            if sort_keys {
                members.sort_by_key(|(key, _)| *key);
            }
            writer.object(members, |writer, value| write(writer, value, sort_keys))?;
        }
        Val::Undefined(undefined) => return Err(undefined.error()),
        other => writer.string(&str(other)),
    }
    Ok(())
}
