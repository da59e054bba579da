//! Downloads from a server in this process.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::fake::{answer, offset, ok, ranged, serve, serve_self_signed};
use super::*;
use crate::model::sha256_hex;

const CONTENT: &[u8] = b"the installer's bytes, all of them";

/// A cache folder and what is wanted there.
struct Cache {
    folder: TempDir,
    dest: PathBuf,
    sum: String,
    notes: Vec<String>,
}

impl Cache {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dest = folder.path().join("c4");
        Self { folder, dest, sum: sha256_hex(CONTENT), notes: Vec::new() }
    }

    fn request<'a>(&'a self, url: &'a str) -> Request<'a> {
        Request { url, dest: &self.dest, sha256: Some(&self.sum), offline: false }
    }

    async fn download(&mut self, url: &str) -> Result<Downloaded> {
        let mut notes = Vec::new();
        let result = run(&self.request(url), &mut |note| notes.push(note), &Interrupt::never()).await;
        self.notes = notes;
        result
    }

    async fn download_unchecked(&mut self, url: &str) -> Result<Downloaded> {
        let request = Request { sha256: None, ..self.request(url) };
        run(&request, &mut |_| {}, &Interrupt::never()).await
    }

    fn leave(&self, name: &str, content: &[u8]) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// Names and contents.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let entries = self.folder.path().read_dir().unwrap().map(Result::unwrap);
        let mut files: Vec<_> = entries
            .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }

    fn holds_only_the_file(&self) -> bool {
        self.files() == [("c4".to_owned(), CONTENT.to_vec())]
    }

    fn noted(&self, text: &str) -> bool {
        self.notes.iter().any(|note| note.contains(text))
    }
}

async fn run(
    request: &Request<'_>,
    note: &mut (dyn FnMut(String) + Send),
    interrupt: &Interrupt,
) -> Result<Downloaded> {
    let mut report = |progress| {
        if let Progress::Note(text) = progress {
            note(text);
        }
    };
    download_with(Patience::new(4, Duration::from_millis(1)), request, &mut report, interrupt).await
}

fn cause(result: Result<Downloaded>) -> String {
    match result.unwrap_err() {
        Error::Download { cause, .. } => cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_is_fetched_once_and_then_reused() {
    let server = serve(|_, _| ok(CONTENT)).await;
    let mut cache = Cache::new();
    let expected = Downloaded { sha256: cache.sum.clone(), bytes: CONTENT.len() as u64, reused: false };
    assert_eq!(cache.download(&server.url).await.unwrap(), expected);
    assert!(cache.holds_only_the_file());
    assert_eq!(cache.download(&server.url).await.unwrap(), Downloaded { reused: true, ..expected });
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_wrong_file_that_is_there_is_replaced() {
    let server = serve(|_, _| ok(CONTENT)).await;
    let mut cache = Cache::new();
    cache.leave("c4", b"an older one");
    assert!(!cache.download(&server.url).await.unwrap().reused);
    assert!(cache.holds_only_the_file());
}

#[tokio::test]
async fn progress_ends_with_the_whole_size() {
    let server = serve(|_, _| ok(CONTENT)).await;
    let cache = Cache::new();
    let mut last = None;
    download(&cache.request(&server.url), &mut |progress| last = Some(progress), &Interrupt::never()).await.unwrap();
    let bytes = CONTENT.len() as u64;
    assert_eq!(last, Some(Progress::Bytes { done: bytes, total: Some(bytes) }));
}

#[tokio::test]
async fn a_wrong_checksum_keeps_nothing() {
    let server = serve(|_, _| ok(b"something else")).await;
    let mut cache = Cache::new();
    let error = cache.download(&server.url).await.unwrap_err();
    let Error::Checksum { found, expected, .. } = error else { panic!("{error:?}") };
    assert_eq!((found, expected), (sha256_hex(b"something else"), cache.sum.clone()));
    assert!(cache.files().is_empty());
}

#[tokio::test]
async fn a_broken_connection_is_resumed_where_it_broke() {
    let server = serve(|number, request| match number {
        0 => answer("200 OK", "ETag: \"v1\"\r\n", &CONTENT[..10], CONTENT.len()),
        _ => ranged(request, "ETag: \"v1\"\r\n", CONTENT),
    })
    .await;
    for checked in [true, false] {
        let mut cache = Cache::new();
        match checked {
            true => cache.download(&server.url).await.unwrap(),
            false => cache.download_unchecked(&server.url).await.unwrap(),
        };
        assert!(cache.holds_only_the_file());
        assert_eq!(cache.noted("trying again"), checked);
        let mut requests = server.requests.lock().unwrap();
        assert_eq!(requests.iter().map(|request| offset(request)).collect::<Vec<_>>(), [None, Some(10)]);
        assert!(requests[1].contains("if-range: \"v1\""));
        requests.clear();
    }
}

#[tokio::test]
async fn without_checksum_and_version_a_broken_download_begins_again() {
    let server = serve(|number, _| match number {
        0 => answer("200 OK", "", b"XXXXX", CONTENT.len()),
        _ => ok(CONTENT),
    })
    .await;
    let mut cache = Cache::new();
    cache.download_unchecked(&server.url).await.unwrap();
    assert!(cache.holds_only_the_file());
    assert_eq!(offset(&server.requests.lock().unwrap()[1]), None);
}

#[tokio::test]
async fn what_a_killed_download_has_left_is_resumed() {
    let server = serve(|_, request| ranged(request, "", CONTENT)).await;
    let mut cache = Cache::new();
    cache.leave("c4.part", &CONTENT[..7]);
    cache.leave("c4.lock", b"");
    cache.download(&server.url).await.unwrap();
    assert!(cache.holds_only_the_file() && cache.noted("resuming after 7 bytes"));
    assert_eq!(offset(&server.requests.lock().unwrap()[0]), Some(7));
}

#[tokio::test]
async fn a_part_that_is_whole_needs_no_server() {
    let mut cache = Cache::new();
    cache.leave("c4.part", CONTENT);
    cache.download("http://127.0.0.1:1/c4").await.unwrap();
    assert!(cache.holds_only_the_file());
}

#[tokio::test]
async fn a_part_of_something_else_is_thrown_away() {
    for left in [&b"another file's"[..], &[b'x'; 500]] {
        let server = serve(|_, request| ranged(request, "", CONTENT)).await;
        let mut cache = Cache::new();
        cache.leave("c4.part", left);
        cache.download(&server.url).await.unwrap();
        assert!(cache.holds_only_the_file());
    }
}

#[tokio::test]
async fn a_server_without_ranges_gives_the_whole_file() {
    let server = serve(|_, _| ok(CONTENT)).await;
    let mut cache = Cache::new();
    cache.leave("c4.part", &CONTENT[..7]);
    cache.download(&server.url).await.unwrap();
    assert!(cache.holds_only_the_file() && cache.noted("cannot resume"));
}

#[tokio::test]
async fn a_wrong_range_is_not_mixed_in() {
    let server = serve(|_, request| match offset(request) {
        Some(_) => answer("206 Partial Content", "Content-Range: bytes 0-33/34\r\n", CONTENT, CONTENT.len()),
        None => ok(CONTENT),
    })
    .await;
    let mut cache = Cache::new();
    cache.leave("c4.part", &CONTENT[..7]);
    cache.download(&server.url).await.unwrap();
    assert!(cache.holds_only_the_file());
}

#[tokio::test]
async fn a_part_without_having_asked_for_one_is_no_file() {
    let server =
        serve(|_, _| answer("206 Partial Content", "Content-Range: bytes 0-9/34\r\n", &CONTENT[..10], 10)).await;
    assert!(cause(Cache::new().download_unchecked(&server.url).await).contains("10 of 34 bytes"));
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_a_missing_file_is_not() {
    let server = serve(|number, _| match number {
        0 | 1 => answer("503 Service Unavailable", "", b"", 0),
        _ => ok(CONTENT),
    })
    .await;
    let mut cache = Cache::new();
    cache.download(&server.url).await.unwrap();
    assert!(cache.noted("HTTP 503 Service Unavailable"));

    let server = serve(|_, _| answer("404 Not Found", "", b"", 0)).await;
    let mut cache = Cache::new();
    let error = cache.download(&server.url).await.unwrap_err();
    assert!(error.hint().unwrap().contains("c4 is used if"), "{error:?}");
    assert!(error.to_string().ends_with("failed: HTTP 404 Not Found"), "{error}");
    assert_eq!(server.requests.lock().unwrap().len(), 1);
    assert!(cache.files().is_empty());
}

#[tokio::test]
async fn the_cause_comes_first() {
    let mut cache = Cache::new();
    assert_eq!(cause(cache.download("http://127.0.0.1:1/c4").await), "connection refused (4 attempts)");
    assert!(cause(cache.download("ftp://example.com/c4").await).contains("'ftp' addresses"));
    assert!(cause(cache.download("c4").await).contains("not a URL"));
    let server = serve(|_, _| b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()).await;
    let plain = cause(cache.download(&server.url.replace("http", "https")).await);
    assert!(plain.starts_with("TLS: "), "{plain}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_at_once() {
    let mut cache = Cache::new();
    let error = cache.download(&serve_self_signed().await).await.unwrap_err();
    assert!(error.to_string().contains("certificate is not accepted"), "{error}");
    assert!(error.hint().unwrap().contains("SSL_CERT_FILE"));
    assert!(cache.notes.is_empty());
}

#[tokio::test]
async fn http_needs_a_checksum_or_this_machine() {
    let mut cache = Cache::new();
    assert!(cause(cache.download_unchecked("http://192.0.2.1/c4").await).contains("is not safe"));
    let text = get_text("http://192.0.2.1/SHA256SUMS", false, &mut |_| {}, &Interrupt::never()).await;
    assert!(matches!(text, Err(Error::Download { .. })));
}

#[tokio::test]
async fn a_local_file_is_copied_and_checked() {
    let mut cache = Cache::new();
    let source = tempfile::tempdir().unwrap();
    std::fs::write(source.path().join("a b"), CONTENT).unwrap();
    let url = format!("file://{}/a%20b", source.path().display());
    cache.download(&url).await.unwrap();
    assert!(cache.holds_only_the_file());

    let mut cache = Cache::new();
    std::fs::write(source.path().join("a b"), b"changed").unwrap();
    assert!(matches!(cache.download(&url).await, Err(Error::Checksum { .. })));
    assert!(cause(cache.download(&format!("{url}c")).await).contains("No such file"));
    let folder = format!("file://{}", source.path().display());
    assert_eq!(cause(cache.download(&folder).await), "it is not a file");
    assert!(cache.files().is_empty());
}

#[tokio::test]
async fn offline_takes_what_is_there_and_nothing_else() {
    let cache = Cache::new();
    let url = "https://example.com/c4";
    let ask = async |cache: &Cache, sha256: Option<String>| {
        let request = Request { offline: true, sha256: sha256.as_deref(), ..cache.request(url) };
        download(&request, &mut |_| {}, &Interrupt::never()).await
    };
    let error = ask(&cache, None).await.unwrap_err();
    assert!(error.hint().unwrap().contains(&cache.dest.display().to_string()));
    cache.leave("c4", CONTENT);
    assert!(ask(&cache, Some(cache.sum.clone())).await.unwrap().reused);
    assert!(ask(&cache, None).await.unwrap().reused);
    assert!(cause(ask(&cache, Some(sha256_hex(b"another version"))).await).contains("--offline"));
    let text = get_text(url, true, &mut |_| {}, &Interrupt::never()).await;
    assert!(matches!(text, Err(Error::Download { .. })));
}

#[tokio::test]
async fn a_second_download_waits_and_finds_it_done() {
    let server = serve(|_, _| ok(CONTENT)).await;
    let cache = Cache::new();
    let lock = Exclusive::take(&beside(&cache.dest, ".lock")).unwrap().unwrap();
    let (waits, waiting) = tokio::sync::oneshot::channel();
    let mut waits = Some(waits);
    let mut on_wait = move |_| waits.take().into_iter().for_each(|waits| waits.send(()).unwrap());
    let interrupt = Interrupt::never();
    let request = Request { sha256: None, ..cache.request(&server.url) };
    let first = async {
        waiting.await.unwrap();
        cache.leave("c4", CONTENT);
        drop(lock);
    };
    let (second, ()) = tokio::join!(run(&request, &mut on_wait, &interrupt), first);
    assert!(second.unwrap().reused);
    assert!(server.requests.lock().unwrap().is_empty());
    assert!(cache.holds_only_the_file());
}

#[tokio::test]
async fn a_signal_ends_it_and_what_has_come_is_kept() {
    let (interrupt, keys) = Interrupt::manual();
    let server = serve(move |_, _| {
        keys.press(2);
        answer("200 OK", "", &CONTENT[..10], CONTENT.len())
    })
    .await;
    let cache = Cache::new();
    let error = run(&cache.request(&server.url), &mut |_| {}, &interrupt).await.unwrap_err();
    assert!(matches!(error, Error::Interrupted { signal: 2 }), "{error:?}");
    assert!(cache.files().iter().all(|(name, content)| name == "c4.part" && CONTENT.starts_with(content)));
}

#[tokio::test]
async fn a_small_text_is_read_and_a_large_one_refused() {
    let server = serve(|number, _| match number {
        0 => ok(b"abc *c4\n"),
        1 => ok(&[0xff]),
        _ => ok(&vec![b'x'; TEXT_MAX_BYTES + 1]),
    })
    .await;
    let read = async || get_text(&server.url, false, &mut |_| {}, &Interrupt::never()).await;
    assert_eq!(read().await.unwrap(), "abc *c4\n");
    assert!(read().await.unwrap_err().to_string().contains("UTF-8"));
    assert!(read().await.unwrap_err().to_string().contains("larger than"));
}

#[tokio::test]
async fn redirects_are_followed_a_few_times() {
    let server = serve(|number, _| match number {
        0 => answer("302 Found", "Location: /elsewhere\r\n", b"", 0),
        _ => ok(CONTENT),
    })
    .await;
    Cache::new().download(&server.url).await.unwrap();
    let server = serve(|_, _| answer("302 Found", "Location: /again\r\n", b"", 0)).await;
    assert_eq!(cause(Cache::new().download(&server.url).await), "redirected too often");
}
