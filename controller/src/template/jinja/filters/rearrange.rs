//! Filters that rearrange lists: batches, slices, pairs, combinations, random order.

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::sequences;
use crate::template::jinja::python::text::text_of;
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

/// The most tuples that a combinatorial filter returns.
const MAX_TUPLES: usize = 5_000_000;

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
    let mut chunks = Vec::new();
    for chunk in rendering.items(&v)?.chunks(len) {
        let mut chunk = chunk.to_vec();
        if let Some(fill) = &fill {
            chunk.resize(len, fill.clone());
        }
        chunks.push(Val::list(chunk));
    }
    Ok(Val::generator(chunks))
}

fn slice(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let slices = size(args, 0, "slices")?;
    let fill = args.take(1, "fill_with").filter(|fill| !matches!(fill, Val::None));
    let items = rendering.items(&v)?;
    let (per_slice, extra) = (items.len() / slices, items.len() % slices);
    let mut at = 0;
    let mut parts = Vec::new();
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
        parts.push(Val::list(part));
    }
    Ok(Val::generator(parts))
}

fn flatten(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let levels = args.take(0, "levels").filter(|v| !matches!(v, Val::None)).and_then(|v| v.as_int());
    let skip_nulls = args.flag(1, "skip_nulls", true)?;
    let mut items = Vec::new();
    sequences::flatten(&rendering.items(&v)?, levels, skip_nulls, &mut items);
    Ok(Val::list(items))
}

fn lists(rendering: &Rendering<'_>, v: &Val, args: &mut Args) -> Result<Vec<Vec<Val>>, Error> {
    std::iter::once(v.clone()).chain(args.rest(0)).map(|list| rendering.items(&list)).collect()
}

fn zip(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    Ok(Val::generator(sequences::zip(&lists(rendering, &v, args)?)))
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
    let total =
        lists.iter().try_fold(1usize, |n, list| n.checked_mul(list.len())).filter(|n| *n <= MAX_TUPLES);
    total.ok_or_else(|| Error::other("the product is too large"))?;
    Ok(Val::generator(sequences::product(lists).into_iter().map(Val::tuple).collect()))
}

fn combinations(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let items = rendering.items(&v)?;
    let r = size(args, 0, "r")?;
    let mut tuples = Vec::new();
    pick(&items, r, &mut Vec::new(), &mut tuples, true)?;
    Ok(Val::generator(tuples))
}

fn permutations(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let items = rendering.items(&v)?;
    let r = args.int(0, "r", i64::try_from(items.len()).unwrap_or(0))?;
    let mut tuples = Vec::new();
    pick(&items, usize::try_from(r).unwrap_or(0), &mut Vec::new(), &mut tuples, false)?;
    Ok(Val::generator(tuples))
}

/// Appends all ways to choose `left` more items, in Python's order. With `ascending`, the order of the chosen items does
/// not matter.
fn pick(
    items: &[Val],
    left: usize,
    chosen: &mut Vec<usize>,
    tuples: &mut Vec<Val>,
    ascending: bool,
) -> Result<(), Error> {
    if left == 0 {
        if tuples.len() >= MAX_TUPLES {
            return Err(Error::other("too many combinations"));
        }
        tuples.push(Val::tuple(chosen.iter().map(|&i| items[i].clone()).collect()));
        return Ok(());
    }
    let first = if ascending { chosen.last().map_or(0, |last| last + 1) } else { 0 };
    for i in first..items.len() {
        if ascending || !chosen.contains(&i) {
            chosen.push(i);
            pick(items, left - 1, chosen, tuples, ascending)?;
            chosen.pop();
        }
    }
    Ok(())
}

/// Returns a random number generator: with a seed, it produces the same numbers each time.
fn generator(rendering: &Rendering<'_>, seed: Option<Val>, what: &str) -> Result<rand::rngs::StdRng, Error> {
    use rand::SeedableRng;
    use sha2::Digest;
    match seed.filter(|seed| !matches!(seed, Val::None)) {
        Some(seed) => {
            Ok(rand::rngs::StdRng::from_seed(sha2::Sha256::digest(text_of(seed)?.as_bytes()).into()))
        }
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
    // As in Ansible, a value that is not a list is returned as it is.
    let Ok(mut items) = rendering.items(&v) else { return Ok(v) };
    items.shuffle(&mut random);
    Ok(Val::sequence(items, ListKind::List))
}
