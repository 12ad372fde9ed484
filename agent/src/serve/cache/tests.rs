//! Content arrives, is cached, is damaged, is secret.

use std::thread;

use convoy_protocol::message::CHUNK;

use super::*;

fn cache(directory: &Path) -> Arc<Cache> {
    Arc::new(Cache::at(directory.to_owned(), false, Arc::new(FrameWriter::new(io::sink()))))
}

/// Fetches content, which `deliver` delivers once it is awaited.
fn fetch(cache: &Arc<Cache>, digest: Digest, deliver: impl FnOnce(&Cache)) -> Result<PathBuf, Failure> {
    thread::scope(|scope| {
        let fetched = scope.spawn(|| cache.fetch(&digest));
        while lock(&cache.incoming).is_none() {
            thread::yield_now();
        }
        deliver(cache);
        fetched.join().unwrap()
    })
}

fn chunk(digest: Digest, bytes: &[u8], last: bool) -> Chunk {
    Chunk { digest, last, deflated: false, secret: false, bytes: bytes.to_vec() }
}

fn left(directory: &Path) -> usize {
    fs::read_dir(directory.join("content")).map_or(0, Iterator::count)
}

#[test]
fn content_is_fetched_once_and_verified_before_each_use() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, digest) = (cache(dir.path()), Digest::of(b"one two"));
    let deliver = |cache: &Cache| {
        cache.receive_chunk(&chunk(Digest::of(b"other"), b"not requested", true));
        cache.receive_chunk(&chunk(digest, b"one ", false));
        cache.receive_chunk(&chunk(digest, b"two", true));
    };
    let path = fetch(&cache, digest, deliver).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"one two");
    assert_eq!(cache.fetch(&digest).unwrap(), path);
    fs::write(&path, b"one two!").unwrap();
    fetch(&cache, digest, deliver).unwrap();
    assert_eq!((fs::read(&path).unwrap(), left(dir.path())), (b"one two".to_vec(), 1));
}

#[test]
fn damaged_refused_and_oversized_content_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let digest = Digest::of(b"one");
    let bomb = Chunk::pack(digest, false, false, vec![0; CHUNK + 1]).bytes;
    type Spoil<'a> = Box<dyn Fn(&Cache) + 'a>;
    let cases: [(&str, Spoil<'_>); 4] = [
        ("no such file", Box::new(|c| c.refuse(Some(&digest), "no such file"))),
        ("the connection to the controller has ended", Box::new(Cache::close)),
        (
            "it arrived damaged, with the digest 3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3",
            Box::new(|c| c.receive_chunk(&chunk(digest, b"two", true))),
        ),
        (
            "a chunk is larger than allowed",
            Box::new(|c| c.receive_chunk(&Chunk { deflated: true, ..chunk(digest, &bomb, false) })),
        ),
    ];
    for (why, deliver) in cases {
        let failure = fetch(&cache(dir.path()), digest, deliver).unwrap_err();
        assert_eq!(failure.msg, format!("cannot get the content {digest} from the controller: {why}"));
        assert_eq!(left(dir.path()), 0);
    }
}

#[test]
fn notes_are_kept_unless_the_cache_is_temporary() {
    let dir = tempfile::tempdir().unwrap();
    let lasting = cache(dir.path());
    assert_eq!(lasting.load_note("a"), None);
    lasting.store_note("a", b"one");
    lasting.store_note("a", b"two");
    lasting.store_note("b", b"three");
    assert_eq!(
        (lasting.load_note("a"), lasting.load_note("b")),
        (Some(b"two".to_vec()), Some(b"three".to_vec()))
    );
    assert_eq!(files(&dir.path().join("notes")).len(), 2);
    let passing = Arc::new(Cache::at(dir.path().join("x"), true, Arc::new(FrameWriter::new(io::sink()))));
    passing.store_note("a", b"one");
    assert_eq!((passing.load_note("a"), dir.path().join("x").exists()), (None, false));
}

#[test]
fn secret_content_is_kept_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, digest) = (cache(dir.path()), Digest::of(b"hunter2"));
    let secret = |bytes: &[u8], last| Chunk { secret: true, ..chunk(digest, bytes, last) };
    let path = fetch(&cache, digest, |cache| {
        cache.receive_chunk(&secret(b"hunt", false));
        cache.receive_chunk(&secret(b"er2", true));
    })
    .unwrap();
    for _ in 0..2 {
        assert_eq!(fs::read(&path).unwrap(), b"hunter2");
    }
    assert_eq!(cache.fetch(&digest).unwrap(), path);
    assert!(cache.is_secret(&digest));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let file = anonymous_file(dir.path()).unwrap();
    assert_eq!(fs::metadata(fd_path(&file)).unwrap().nlink(), 0);
}

#[test]
fn old_content_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let content = dir.path().join("content");
    fs::create_dir(&content).unwrap();
    let notes = dir.path().join("notes");
    fs::create_dir(&notes).unwrap();
    for (name, days) in
        [("old", 8), ("new", 1), ("agent-old", 8), ("agent-new", 1), ("other", 8), ("note", 1), ("nota", 8)]
    {
        let directory = match name {
            "old" | "new" => &content,
            "note" | "nota" => &notes,
            _ => dir.path(),
        };
        let file = File::create(directory.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 24 * 3600)).unwrap();
    }
    cache(dir.path()).prune();
    let mut names: Vec<_> =
        [dir.path(), &content, &notes].into_iter().flat_map(files).map(|(path, _)| path).collect();
    names.sort();
    let expected = ["agent-new", "content/new", "notes/note", "other"].map(|name| dir.path().join(name));
    assert_eq!(names, expected);
}
