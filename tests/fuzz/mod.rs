//! Parsers of bytes that others wrote, fed with damaged real ones.
//!
//! A unit test beside the parser calls [`target`]. Its inputs are seeds (recorded output, and all
//! files in `tests/fixtures/fuzz/NAME/`) with mutations of their bytes, words, lines and JSON. No
//! input may make the parser panic, go on for ever, or take much more memory than the input has.
//!
//! `cargo test` runs [`CASES`] inputs a target. With `EXASOL_FUZZ_SECONDS=N` each target runs for N
//! seconds. An input that finds something is written into the target's folder of seeds, so that the
//! next run begins with it.

mod mutation;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

/// Inputs of a target without `EXASOL_FUZZ_SECONDS`.
const CASES: u32 = 150;
/// A parser that needs this long for one input, which has at most [`mutation::LONGEST`] bytes, hangs.
const HANGS: Duration = Duration::from_secs(30);
/// Memory that a parser may hold at once: some of its own, and so many bytes for each byte of input. A `serde_json::Value`
/// of a list of small numbers takes about 40.
const OWN_BYTES: u64 = 1 << 20;
const BYTES_A_BYTE: u64 = 200;

/// Runs `parse` on damaged copies of `seeds` and of the files in `tests/fixtures/fuzz/NAME/`.
pub(crate) fn target(name: &'static str, seeds: &[&[u8]], parse: impl Fn(&[u8]) + Send + 'static) {
    target_with(name, OWN_BYTES, seeds, parse);
}

/// The same for a parser that takes text; what is not UTF-8 is replaced, as it is where programs are read.
pub(crate) fn text_target(name: &'static str, seeds: &[&str], parse: impl Fn(&str) + Send + 'static) {
    let seeds: Vec<_> = seeds.iter().map(|seed| seed.as_bytes()).collect();
    target(name, &seeds, move |bytes| parse(&String::from_utf8_lossy(bytes)));
}

/// The same for a parser that holds up to `own_bytes`, whatever its input is: it reads tables of a stated size.
pub(crate) fn target_with(name: &'static str, own_bytes: u64, seeds: &[&[u8]], parse: impl Fn(&[u8]) + Send + 'static) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fuzz").join(name);
    let mut all: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.to_vec()).collect();
    all.extend(kept(&folder));
    assert!(!all.is_empty(), "{name} has no seeds");
    let watched = Arc::new(Watched::default());
    let (done, wait) = channel();
    let theirs = watched.clone();
    thread::spawn(move || {
        let run = |input: &[u8]| {
            theirs.begin(input);
            checked(&parse, input, own_bytes)
        };
        let _ = done.send(search(&all, &run));
    });
    let found = loop {
        let before = watched.count();
        match wait.recv_timeout(HANGS) {
            Ok(found) => break found,
            Err(RecvTimeoutError::Timeout) if watched.count() != before => {}
            Err(RecvTimeoutError::Timeout) => break Some((watched.input(), format!("no end after {HANGS:?}"))),
            // A panic of the search itself.
            Err(RecvTimeoutError::Disconnected) => break Some((watched.input(), "the thread is gone".into())),
        }
    };
    if let Some((input, why)) = found {
        let file = keep(&folder, &input);
        panic!("{name}: {why}\nthe input is in {}:\n{}", file.display(), input.escape_ascii());
    }
}

/// All seeds as they are, then damaged ones; the first input that breaks something, as small as it could be made.
#[allow(clippy::disallowed_macros, reason = "a test says how much it did")]
fn search(seeds: &[Vec<u8>], run: &dyn Fn(&[u8]) -> Result<(), TestCaseError>) -> Option<(Vec<u8>, String)> {
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_time: 20_000, ..Config::default() };
    for seed in seeds {
        if let Err(error) = run(seed) {
            return Some((seed.clone(), error.to_string()));
        }
    }
    let seconds = std::env::var("EXASOL_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let (limit, since) = (Duration::from_secs(seconds.unwrap_or(0)), Instant::now());
    let (mut runs, inputs) = (0u64, mutation::inputs(seeds));
    loop {
        // A runner counts its cases, and does no more than it was made for.
        match TestRunner::new(config.clone()).run(&inputs, |input| run(&input)) {
            Err(TestError::Fail(why, input)) => return Some((input, why.to_string())),
            Err(TestError::Abort(why)) => return Some((Vec::new(), why.to_string())),
            Ok(()) => runs += u64::from(CASES),
        }
        if since.elapsed() >= limit {
            if seconds.is_some() {
                println!("{runs} inputs");
            }
            return None;
        }
    }
}

/// Runs the parser once. It is caught within the measurement, which a panic would leave open.
fn checked(parse: &dyn Fn(&[u8]), input: &[u8], own_bytes: u64) -> Result<(), TestCaseError> {
    let mut ended = Ok(());
    let used = allocation_counter::measure(|| ended = catch_unwind(AssertUnwindSafe(|| parse(input))));
    match ended {
        Ok(()) => within(used.bytes_max, input, own_bytes),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(TestCaseError::fail(format!("panic: {}", text.unwrap_or("without words"))))
        }
    }
}

fn within(held: u64, input: &[u8], own_bytes: u64) -> Result<(), TestCaseError> {
    let most = own_bytes + BYTES_A_BYTE * input.len() as u64;
    match held <= most {
        true => Ok(()),
        false => Err(TestCaseError::fail(format!("holds {held} bytes for {} of input, at most {most}", input.len()))),
    }
}

/// What the other thread is at.
#[derive(Default)]
struct Watched {
    count: AtomicU64,
    input: Mutex<Vec<u8>>,
}

impl Watched {
    fn begin(&self, input: &[u8]) {
        let mut now = self.input.lock().unwrap();
        now.clear();
        now.extend_from_slice(input);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn input(&self) -> Vec<u8> {
        self.input.lock().unwrap().clone()
    }
}

/// In the order of their names.
fn kept(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn keep(folder: &Path, input: &[u8]) -> PathBuf {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(input);
    let file = folder.join(format!("found-{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3]));
    let _ = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, input));
    file
}

#[test]
fn what_panics_and_what_holds_too_much_is_found() {
    let seeds = [b"{\"a\": [1, 2, 3]}".to_vec()];
    let once = |parse: &dyn Fn(&[u8])| search(&seeds, &|input: &[u8]| checked(parse, input, 0));
    let run = |parse: &dyn Fn(&[u8])| (0..50).find_map(|_| once(parse));
    let (input, why) = run(&|input| assert!(input.contains(&b'}'))).unwrap();
    assert!(!input.contains(&b'}') && why.contains("assertion failed"), "{why}");
    let (_, why) = run(&|input| drop(vec![0; input.len() * 1000])).unwrap();
    assert!(why.contains("holds"), "{why}");
    assert!(once(&|_| {}).is_none());
}
