//! Filters that reshape lists: slices, products, pairs.

use super::text::soft;
use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::value::{ListKind, Val};
use crate::template::jinja::rendering::{Filter, Rendering};

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("batch", batch),
    ("slice", slice),
    ("flatten", flatten),
    ("zip", zip),
    ("zip_longest", zip_longest),
    ("product", product),
    ("combinations", combinations),
    ("permutations", permutations),
    ("random", random),
    ("shuffle", shuffle),
];

/// The most tuples that a combinatorial filter makes.
const MAX_MADE: usize = 5_000_000;

fn size(args: &mut Args, index: usize, name: &str) -> Result<usize, Error> {
    let value = args.int(index, name, 0)?;
    usize::try_from(value)
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| Error::other(format!("{name} must be positive")))
}

fn batch(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let len = size(args, 0, "linecount")?;
    let fill = args.take(1, "fill_with").filter(|fill| !matches!(fill, Val::None));
    let mut made = Vec::new();
    for chunk in rendering.items(&v)?.chunks(len) {
        let mut chunk = chunk.to_vec();
        if let Some(fill) = &fill {
            chunk.resize(len, fill.clone());
        }
        made.push(Val::list(chunk));
    }
    Ok(Val::generator(made))
}

fn slice(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let slices = size(args, 0, "slices")?;
    let fill = args.take(1, "fill_with").filter(|fill| !matches!(fill, Val::None));
    let items = rendering.items(&v)?;
    let (per_slice, extra) = (items.len() / slices, items.len() % slices);
    let mut at = 0;
    let mut made = Vec::new();
    for i in 0..slices {
        let len = per_slice + usize::from(i < extra);
        let mut part = items[at..at + len].to_vec();
        at += len;
        if let Some(fill) = &fill
            && i >= extra
            && extra > 0
        {
            part.push(fill.clone());
        }
        made.push(Val::list(part));
    }
    Ok(Val::generator(made))
}

fn flatten(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let levels = args.take(0, "levels").filter(|v| !matches!(v, Val::None)).and_then(|v| v.as_int());
    let skip_nulls = args.flag(1, "skip_nulls", true)?;
    let mut made = Vec::new();
    flat(&rendering.items(&v)?, levels, skip_nulls, &mut made);
    Ok(Val::list(made))
}

pub(crate) fn flat(items: &[Val], levels: Option<i64>, skip_nulls: bool, out: &mut Vec<Val>) {
    for item in items {
        match item {
            Val::None if skip_nulls => {}
            Val::Str(text, _) if skip_nulls && matches!(&**text, "None" | "null") => {}
            Val::List(list) if levels.is_none_or(|levels| levels >= 1) => {
                flat(&list.items.borrow(), levels.map(|levels| levels - 1), skip_nulls, out);
            }
            other => out.push(other.clone()),
        }
    }
}

fn lists(rendering: &Rendering<'_>, v: &Val, args: &mut Args) -> Result<Vec<Vec<Val>>, Error> {
    std::iter::once(v.clone()).chain(args.rest(0)).map(|list| rendering.items(&list)).collect()
}

fn zip(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let lists = lists(rendering, &v, args)?;
    let len = lists.iter().map(Vec::len).min().unwrap_or(0);
    Ok(Val::generator(
        (0..len).map(|i| Val::tuple(lists.iter().map(|list| list[i].clone()).collect())).collect(),
    ))
}

fn zip_longest(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let fill = args.key("fillvalue").unwrap_or(Val::None);
    let lists = lists(rendering, &v, args)?;
    let len = lists.iter().map(Vec::len).max().unwrap_or(0);
    let row = |i: usize| {
        Val::tuple(lists.iter().map(|list| list.get(i).cloned().unwrap_or_else(|| fill.clone())).collect())
    };
    Ok(Val::generator((0..len).map(row).collect()))
}

fn product(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let repeat = usize::try_from(args.key("repeat").and_then(|v| v.as_int()).unwrap_or(1)).unwrap_or(0);
    let lists = lists(rendering, &v, args)?;
    let lists: Vec<&Vec<Val>> = std::iter::repeat_n(&lists, repeat.min(64)).flatten().collect();
    let total = lists.iter().try_fold(1usize, |n, list| n.checked_mul(list.len())).filter(|n| *n <= MAX_MADE);
    total.ok_or_else(|| Error::other("the product is too large"))?;
    let mut rows: Vec<Vec<Val>> = vec![Vec::new()];
    for list in lists {
        rows = rows
            .iter()
            .flat_map(|row| list.iter().map(|item| [row.as_slice(), std::slice::from_ref(item)].concat()))
            .collect();
    }
    Ok(Val::generator(rows.into_iter().map(Val::tuple).collect()))
}

fn combinations(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let items = rendering.items(&v)?;
    let r = size(args, 0, "r")?;
    let mut made = Vec::new();
    pick(&items, r, &mut Vec::new(), &mut made, true)?;
    Ok(Val::generator(made))
}

fn permutations(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let items = rendering.items(&v)?;
    let r = args.int(0, "r", i64::try_from(items.len()).unwrap_or(0))?;
    let mut made = Vec::new();
    pick(&items, usize::try_from(r).unwrap_or(0), &mut Vec::new(), &mut made, false)?;
    Ok(Val::generator(made))
}

/// All ways to choose `left` more items, in Python's order.
fn pick(
    items: &[Val],
    left: usize,
    chosen: &mut Vec<usize>,
    made: &mut Vec<Val>,
    ascending: bool,
) -> Result<(), Error> {
    if left == 0 {
        if made.len() >= MAX_MADE {
            return Err(Error::other("there are too many ways to choose"));
        }
        made.push(Val::tuple(chosen.iter().map(|&i| items[i].clone()).collect()));
        return Ok(());
    }
    let first = if ascending { chosen.last().map_or(0, |last| last + 1) } else { 0 };
    for i in first..items.len() {
        if ascending || !chosen.contains(&i) {
            chosen.push(i);
            pick(items, left - 1, chosen, made, ascending)?;
            chosen.pop();
        }
    }
    Ok(())
}

/// A generator that always gives the same numbers for the same seed; without one, chance.
fn generator(rendering: &Rendering<'_>, seed: Option<Val>, what: &str) -> Result<rand::rngs::StdRng, Error> {
    use rand::SeedableRng;
    use sha2::Digest;
    match seed.filter(|seed| !matches!(seed, Val::None)) {
        Some(seed) => Ok(rand::rngs::StdRng::from_seed(sha2::Sha256::digest(soft(seed)?.as_bytes()).into())),
        None => {
            rendering.require_impure(what)?;
            Ok(rand::make_rng())
        }
    }
}

fn random(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    use rand::RngExt;
    let start = args.take(0, "start").filter(|v| !matches!(v, Val::None));
    let step = args.take(1, "step").filter(|v| !matches!(v, Val::None));
    let mut random = generator(rendering, args.take(2, "seed"), "random")?;
    if let Some(end) = v.as_int() {
        let start = start.and_then(|v| v.as_int()).unwrap_or(0);
        let step = step.and_then(|v| v.as_int()).filter(|step| *step > 0).unwrap_or(1);
        let count = end.checked_sub(start).filter(|n| *n > 0).map(|n| (n - 1) / step + 1);
        let count =
            count.ok_or_else(|| Error::other(format!("empty range in randrange({start}, {end}, {step})")))?;
        return Ok(Val::Int(start + step * random.random_range(0..count)));
    }
    if !matches!(v, Val::Str(..) | Val::List(_)) {
        return Err(Error::other("random can only be used on sequences and integers"));
    }
    if start.is_some() || step.is_some() {
        return Err(Error::other("start and step can only be used with integer values"));
    }
    let items = rendering.items(&v)?;
    if items.is_empty() {
        return Err(Error::other("list index out of range"));
    }
    Ok(items[random.random_range(0..items.len())].clone())
}

fn shuffle(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    use rand::seq::SliceRandom;
    let mut random = generator(rendering, args.take(0, "seed"), "shuffle")?;
    // What cannot be shuffled stays as it is.
    let Ok(mut items) = rendering.items(&v) else { return Ok(v) };
    items.shuffle(&mut random);
    Ok(Val::sequence(items, ListKind::List))
}
