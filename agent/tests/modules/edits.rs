//! What modules that edit a text file have in common.

use convoy_protocol::{Diff, Map, Status};

use super::harness::{Node, text};

/// A file's content, arguments beside its path, the content after that, and the message.
pub(crate) type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str, &'static str);

/// Runs a module on each case, in check mode and in earnest.
pub(crate) fn follows_ansible(module: &str, cases: &[Case]) {
    let mut node = Node::new();
    for (before, pairs, after, msg) in cases {
        node.write("file", before);
        let mut args: Map = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        args.insert("path".into(), node.text("file").into());
        let announced = node.check(module, args.clone());
        let outcome = node.run(module, args);
        let expected = if before == after { Status::Same } else { Status::Changed };
        assert_eq!(outcome.status, expected, "{before:?} {pairs:?}: {:?}", outcome.values);
        assert_eq!(node.read("file"), *after, "{before:?} {pairs:?}");
        assert_eq!(text(&outcome, "msg"), *msg, "{before:?} {pairs:?}");
        assert_eq!(announced.diff, outcome.diff);
        if let [Diff::Text { before: old, after: new }] = &outcome.diff[..] {
            assert_eq!((old.text.as_str(), new.text.as_str()), (*before, *after));
        }
    }
}
