//! `xml`: values of an XML file, by path.

use std::convert::Infallible;
use std::path::Path as File;

use convoy_protocol::{Map, Value, map};

use crate::args::{Arg, NodePath};
use crate::failure::Failure;
use crate::files::encoding;
use crate::formats::xml::{
    Found, Namespaces, Path, Places, attribute_name, declared_encoding, find, parse, position,
};
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

/// The largest file that is read.
const LIMIT: u64 = 8 * 1024 * 1024;

/// How many things may be found at one path.
const MATCHES: usize = 10_000;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Reads values of an XML file by path",
    description: "Paths are a part of XPath, from the root on: `/a/b`, `//b` at any depth, `*`, `@name` and `text()` at \
        the end; in brackets a place from 1, `last()`, `name`, `name='x'`, `@name`, `@name='x'`, `text()='x'`. A name without \
        prefix is of any namespace; a prefix means what it means in the file, or in `namespaces`. Texts are those directly in \
        an element, without white space at their ends. Nothing outside of the file is read. Returns `matches`, a list of `name`, \
        `path`, `text` and `attributes`, their texts alone as `texts`, and `count`; if several paths are asked for, `texts` by \
        name, and `count` of all. Changes nothing.",
    example: "- name: Look where the old registry is\n  xml:\n    path: /opt/wso2/repository/conf/datasources/master-datasources.xml\n    values:\n      url: //datasource[name='WSO2REG_DB']/definition/configuration/url\n      driver: //datasource[name='WSO2REG_DB']//driverClassName\n    required: true\n  register: registry\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Read);

crate::arguments! {
    /// Arguments of `xml`.
    pub struct Args {
        /// The file.
        path: NodePath [required, aliases("src")],
        /// Where to look.
        xpath: Option<String>,
        /// Several places to look at, by names of your own.
        values: Option<Map>,
        /// Namespaces by prefixes, besides those of the file.
        namespaces: Option<Map>,
        /// Whether it is a failure if nothing is found, at any of the paths.
        required: bool [default("false")],
    }
    mutually_exclusive ["xpath", "values"]
    required_one_of ["xpath", "values"]
}

/// Reads.
///
/// # Errors
/// If the file is no XML that is read, a path cannot be read, or something required is not there.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Infallible>, Failure> {
    let paths = paths(args)?;
    let namespaces = namespaces(args)?;
    let file = view.expand(&args.path);
    let text = decoded(view, &file, view.read_small(&file, LIMIT)?)?;
    let document =
        parse(&text).map_err(|error| Failure::new(format!("{}:{}: {error}", file.display(), error.at)))?;
    let mut all: Vec<(&Asked, Vec<Found<'_>>)> = Vec::new();
    for asked in &paths {
        let of_path = |what: String| Failure::new(format!("{}: {}: {what}", file.display(), asked.text));
        let found = find(&document, &asked.path, &namespaces).map_err(of_path)?;
        if found.len() > MATCHES {
            return Err(of_path(format!("leads to {} places, and at most {MATCHES} are told", found.len())));
        }
        all.push((asked, found));
    }
    if args.required {
        require(&file, &all)?;
    }
    let count: usize = all.iter().map(|(_, found)| found.len()).sum();
    let mut values = map! {
        "path" => file.to_string_lossy().as_ref(),
        "count" => i64::try_from(count).unwrap_or(i64::MAX),
    };
    match all.as_slice() {
        [(asked, found)] if asked.name.is_none() => {
            let mut places = Places::default();
            values.insert("matches".into(), found.iter().map(|found| told(&mut places, found)).collect());
            values.insert("texts".into(), texts(found));
        }
        all => {
            let by_name = |(asked, found): &(&Asked, Vec<Found<'_>>)| {
                (asked.name.as_deref().unwrap_or_default().into(), texts(found))
            };
            values.insert("texts".into(), all.iter().map(by_name).collect::<Map>().into());
        }
    }
    Ok(Checked::Same(values))
}

/// A path that is asked for.
struct Asked {
    /// The user's name for what it leads to, if there are several.
    name: Option<String>,
    text: String,
    path: Path,
}

fn paths(args: &Args) -> Result<Vec<Asked>, Failure> {
    let asked = |name: Option<String>, text: String, argument: &str| match Path::parse(&text) {
        Ok(path) => Ok(Asked { name, text, path }),
        Err(error) => Err(Failure::new(format!("{argument}: {error}"))),
    };
    if let Some(text) = &args.xpath {
        return Ok(vec![asked(None, text.clone(), "xpath")?]);
    }
    let read = |(name, value): (&convoy_protocol::Key, &Value)| {
        let name = name.to_string();
        let argument = format!("values: {name}");
        let text = String::convert(value).map_err(|why| Failure::new(format!("{argument}: {why}")))?;
        asked(Some(name), text, &argument)
    };
    args.values.iter().flatten().map(read).collect()
}

fn namespaces(args: &Args) -> Result<Namespaces, Failure> {
    let read = |(prefix, uri): (&convoy_protocol::Key, &Value)| {
        let uri = String::convert(uri).map_err(|why| Failure::new(format!("namespaces: {prefix}: {why}")))?;
        Ok((prefix.to_string(), uri))
    };
    args.namespaces.iter().flatten().map(read).collect()
}

/// Returns the text of a file in the encoding that it says it has; UTF-8 if it says nothing.
fn decoded(view: &SystemView, path: &File, bytes: Vec<u8>) -> Result<String, Failure> {
    let name = match bytes.as_slice() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16".to_owned(),
        bytes => declared_encoding(bytes).unwrap_or_else(|| "UTF-8".into()),
    };
    let invalid_byte = |valid: &[u8]| {
        let valid = String::from_utf8_lossy(valid);
        let at = position(&valid, valid.len());
        Failure::new(format!("{}:{at}: a byte that is no text in the encoding {name}", path.display()))
    };
    match name.to_ascii_lowercase().as_str() {
        "iso-8859-1" | "latin1" => Ok(bytes.into_iter().map(char::from).collect()),
        "us-ascii" | "ascii" if !bytes.is_ascii() => {
            Err(invalid_byte(bytes.split(|byte| !byte.is_ascii()).next().unwrap_or_default()))
        }
        "us-ascii" | "ascii" | "utf-8" | "utf8" => String::from_utf8(bytes)
            .map_err(|error| invalid_byte(&error.as_bytes()[..error.utf8_error().valid_up_to()])),
        _ => {
            let text = encoding::decode_strict(view, &bytes, &name);
            text.map_err(|error| error.failure(&path.display().to_string(), &name))
        }
    }
}

fn require(file: &File, all: &[(&Asked, Vec<Found<'_>>)]) -> Result<(), Failure> {
    let missing: Vec<String> = all
        .iter()
        .filter(|(_, found)| found.is_empty())
        .map(|(asked, _)| match &asked.name {
            Some(name) => format!("{} ({name})", asked.text),
            None => asked.text.clone(),
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{} has nothing at {}", file.display(), missing.join(", "))))
}

fn texts(found: &[Found<'_>]) -> Value {
    found.iter().map(|found| Value::from(found.text())).collect()
}

fn told(places: &mut Places, found: &Found<'_>) -> Value {
    let node = found.element();
    let attributes: Map = match found {
        Found::Element(_) => node
            .attributes()
            .map(|attribute| (attribute_name(node, &attribute).into(), attribute.value().into()))
            .collect(),
        Found::Attribute(..) | Found::Text(_) => Map::new(),
    };
    let name = match found {
        Found::Attribute(_, attribute) => attribute_name(node, attribute),
        Found::Element(_) | Found::Text(_) => node.tag_name().name().to_owned(),
    };
    let (path, text) = (places.path(found), found.text());
    map! { "name" => name, "path" => path, "text" => text, "attributes" => attributes }.into()
}

/// Is never reached: there is nothing to do.
///
/// # Errors
/// None.
pub fn apply(_args: &Args, plan: Infallible, _node: &mut System) -> Result<Done, Failure> {
    match plan {}
}
