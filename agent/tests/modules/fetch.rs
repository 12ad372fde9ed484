//! `fetch`: the half that is on the node.

use convoy_protocol::{Digest, Offer, Status, map};

use super::harness::{Node, text};

#[test]
fn a_file_is_offered_as_long_as_it_is() {
    let mut node = Node::new();
    node.write("f", "test");
    let args = map! { "src" => node.text("f"), "dest" => "home" };
    let seen = node.run("fetch", args);
    let offer = Offer { digest: Digest::of(b"test"), size: 4 };
    assert_eq!((seen.status, seen.offer), (Status::Same, Some(offer)));
    assert_eq!(text(&seen, "checksum"), "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3");
    assert_eq!(
        (text(&seen, "md5sum"), text(&seen, "file")),
        ("098f6bcd4621d373cade4e832627b4f6", &*node.text("f"))
    );
    let offers = node.offers();
    let [(digest, held)] = &offers[..] else { panic!("{offers:?}") };
    assert_eq!((*digest, held.size, held.path.clone()), (offer.digest, 4, node.path("f")));
    assert!(node.run("ping", map! {}).offer.is_none());
    // Such a file says that it is empty.
    let seen = node.run("fetch", map! { "src" => "/proc/version", "dest" => "home" });
    assert!(seen.offer.is_some_and(|offer| offer.size > 0));
}

#[test]
fn what_cannot_be_fetched_is_a_failure_or_a_message() {
    let mut node = Node::new();
    let directory = node.path("").to_string_lossy().trim_end_matches('/').to_owned();
    let none = node.text("none");
    for (path, failure, ignored) in [
        (
            none.as_str(),
            "the remote file does not exist, not transferring, ignored",
            "the remote file does not exist, not transferring, ignored",
        ),
        (
            directory.as_str(),
            "remote file is a directory, fetch cannot work on directories",
            "remote file is a directory, fetch cannot work on directories, not transferring, ignored",
        ),
        (
            "/dev/null",
            "/dev/null is neither a file nor a directory",
            "/dev/null is neither a file nor a directory, not transferring, ignored",
        ),
    ] {
        let args = map! { "src" => path, "dest" => "home" };
        assert_eq!(node.fails("fetch", args.clone()), failure);
        let mut forgiven = args;
        forgiven.insert("fail_on_missing".into(), false.into());
        let seen = node.run("fetch", forgiven);
        assert_eq!((seen.status, seen.offer, text(&seen, "msg")), (Status::Same, None, ignored));
        assert_eq!(text(&seen, "file"), path);
    }
    assert_eq!(node.fails("fetch", map! {}), "src and dest are required");
}
