//! Content downloaded from the node.

use std::fs;
use std::io::Write as _;

use convoy_protocol::frame::{Decoder, MAGIC, encode};
use convoy_protocol::message::{Answer, CHUNK, Chunk, FromAgent, ToAgent};
use convoy_protocol::{Digest, Offer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::become_user::{SUDO, link_with_sudo};
use super::*;
use crate::link::{LinkError, PullError};

/// Requests a file with `fetch`; returns the agent's offer.
async fn offered(link: &Link, path: &Path, become_user: Option<Become>) -> Offer {
    let args = map! { "src" => path.to_str().unwrap(), "dest" => "x" };
    let order = Order { become_user, ..order("fetch", args) };
    let outcome = link.request(vec![step([order])]).await.unwrap().steps.remove(0).remove(0);
    assert_eq!(msg(&outcome), (Status::Same, ""));
    outcome.offer.unwrap()
}

async fn pulled(link: &Link, offer: Offer) -> Result<Vec<u8>, PullError> {
    let mut whole = Vec::new();
    let puller = link.puller();
    let taken = puller.pull(offer, async |bytes| {
        whole.extend(bytes);
        Ok(())
    });
    taken.await.map(|()| whole)
}

#[tokio::test]
async fn a_file_is_downloaded_as_it_was_when_offered() {
    let home = tempfile::tempdir().unwrap();
    let link = link(home.path(), opening(None));
    let path = home.path().join("log");
    for size in [0, 1, CHUNK, CHUNK + 1, 20 * CHUNK + 17] {
        let bytes: Vec<u8> = (0..=255).cycle().take(size).collect();
        fs::write(&path, &bytes).unwrap();
        let offer = offered(&link, &path, None).await;
        assert_eq!(offer, Offer { digest: Digest::of(&bytes), size: size as u64 });
        fs::File::options().append(true).open(&path).unwrap().write_all(b"more").unwrap();
        assert!(pulled(&link, offer).await.unwrap() == bytes, "{size}");
    }
    let offer = offered(&link, &path, None).await;
    fs::remove_file(&path).unwrap();
    let gone = format!("{}: No such file or directory", path.display());
    assert_eq!(pulled(&link, offer).await.unwrap_err().to_string(), gone);
    let secret = Offer { digest: Digest::of(b"secret"), size: 6 };
    assert_eq!(pulled(&link, secret).await.unwrap_err().to_string(), "it is not offered");
    link.close().await;
}

#[tokio::test]
async fn an_abandoned_download_does_not_disturb_others() {
    let home = tempfile::tempdir().unwrap();
    let link = link(home.path(), opening(None));
    let path = home.path().join("log");
    fs::write(&path, vec![7; 40 * CHUNK]).unwrap();
    let offer = offered(&link, &path, None).await;
    let full = async |_| Err(std::io::Error::other("no space"));
    let error = link.puller().pull(offer, full).await.unwrap_err();
    assert_eq!(error.to_string(), "no space");
    let (one, two) = tokio::join!(pulled(&link, offer), pulled(&link, offer));
    assert!(one.unwrap() == two.unwrap());
    assert_eq!(link.request(vec![ping("a")]).await.unwrap().steps.len(), 1);
    link.close().await;
}

#[tokio::test]
async fn another_users_file_is_downloaded_through_both_agents() {
    let home = tempfile::tempdir().unwrap();
    let link = link_with_sudo(home.path(), Some(SUDO));
    let path = home.path().join("log");
    let bytes: Vec<u8> = (0..=255).cycle().take(9 * CHUNK + 1).collect();
    fs::write(&path, &bytes).unwrap();
    let offer = offered(&link, &path, sudo("nobody", Some("right"))).await;
    assert!(pulled(&link, offer).await.unwrap() == bytes);
    link.close().await;
}

/// Opens a link to a node that answers the first window and then sends `messages`, whatever it is asked.
async fn hostile(messages: &[FromAgent]) -> (Link, tokio::io::DuplexStream) {
    let (ours, mut theirs) = duplex(1 << 20);
    let link = Link::open(ours, Opening::new(hello(5), Some(vec![ping("x")])).unwrap(), Arc::default());
    let outcome =
        Outcome { status: Status::Same, values: Map::new(), diff: Vec::new(), offer: None, millis: 0 };
    let answer = FromAgent::Answer(Answer { window: 1, steps: vec![vec![outcome]] });
    theirs.write_all(MAGIC).await.unwrap();
    theirs.write_all(&encode(&answer).unwrap()).await.unwrap();
    link.first_answer().await.unwrap();
    for message in messages {
        theirs.write_all(&encode(message).unwrap()).await.unwrap();
    }
    (link, theirs)
}

fn chunk(bytes: Vec<u8>) -> FromAgent {
    FromAgent::Chunk(Chunk { digest: Digest::of(b"x"), last: true, deflated: false, secret: false, bytes })
}

#[tokio::test]
async fn content_that_was_not_requested_ends_the_link() {
    let (link, _node) = hostile(&[chunk(vec![0; CHUNK])]).await;
    let error = link.request(vec![ping("x")]).await.unwrap_err();
    assert_eq!(error, LinkError::Protocol("it sends content that was not requested".into()));
    let offer = Offer { digest: Digest::of(b"x"), size: 1 };
    assert!(matches!(pulled(&link, offer).await, Err(PullError::Lost)));
}

#[tokio::test]
async fn parts_of_the_wrong_size_are_refused() {
    let offer = Offer { digest: Digest::of(b"x"), size: 5 };
    for (part, why) in [
        (chunk(vec![0; 6]), "the node sent something else: a part of 6 bytes, not 5"),
        (chunk(Vec::new()), "the node sent something else: a part of 0 bytes, not 5"),
        (chunk(vec![0; CHUNK + 1]), "the node sent something else: a chunk is larger than allowed"),
        (FromAgent::NoContent { digest: offer.digest, why: "\x1b[2Jno".into() }, "[2Jno"),
    ] {
        let (link, mut node) = hostile(&[]).await;
        let puller = link.puller();
        let (error, ()) = tokio::join!(puller.pull(offer, async |_| Ok(())), async {
            let mut said = Decoder::default();
            while !matches!(said.take().unwrap(), Some(ToAgent::Pull { offset: 0, .. })) {
                let mut buffer = [0; 1];
                let read = node.read(&mut buffer).await.unwrap();
                said.push(&buffer[..read]);
            }
            node.write_all(&encode(&part).unwrap()).await.unwrap();
        });
        assert_eq!(error.unwrap_err().to_string(), why);
    }
}
