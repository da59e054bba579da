//! The connections to remote hypervisors: one login each for everything that this process asks there, made
//! when it is first needed and again after it was lost.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::block_in_place;

use crate::model::{Login, NoWay};
use crate::providers;
use crate::tools::scratch::Scratch;
use crate::tools::ssh_link::{Link, control_in, daemon_in};

/// A login, and the daemon's socket where one is named.
type Key = (Login, Option<String>);

/// One connection; whoever opens it has it for itself meanwhile.
#[derive(Clone)]
struct Line {
    control: PathBuf,
    /// It has been open once.
    known: Arc<AtomicBool>,
    inner: Arc<tokio::sync::Mutex<Inner>>,
}

struct Inner {
    folder: Scratch,
    link: Option<Link>,
}

static LINES: Mutex<BTreeMap<Key, Line>> = Mutex::new(BTreeMap::new());
/// True once the process is about to end: a login that goes on is given up then.
static ENDING: Mutex<Option<watch::Sender<bool>>> = Mutex::new(None);

/// Lets providers reach other machines, until [`close`].
pub fn open() {
    *locked(&ENDING) = Some(watch::Sender::new(false));
    providers::dial_with(dial);
}

/// Ends all of them.
pub async fn close() {
    if let Some(ending) = locked(&ENDING).take() {
        ending.send_replace(true);
    }
    let lines = std::mem::take(&mut *locked(&LINES));
    for line in lines.into_values() {
        if let Some(link) = line.inner.lock().await.link.take() {
            link.end().await;
        }
    }
}

/// Called by a provider, from whatever thread asks it.
fn dial(login: &Login, socket: Option<&str>) -> Result<PathBuf, NoWay> {
    let runtime = Handle::try_current().map_err(|error| NoWay::Here(error.to_string()))?;
    block_in_place(|| runtime.block_on(reach(login, socket)))
}

async fn reach(login: &Login, socket: Option<&str>) -> Result<PathBuf, NoWay> {
    let ended = || NoWay::Here("the program ends".into());
    let mut ending = locked(&ENDING).as_ref().ok_or_else(ended)?.subscribe();
    let line = line(login, socket)?;
    tokio::select! {
        way = through(&line, login, socket) => way,
        _ = ending.changed() => Err(ended()),
    }
}

async fn through(line: &Line, login: &Login, socket: Option<&str>) -> Result<PathBuf, NoWay> {
    let mut inner = line.inner.lock().await;
    if let Some(link) = inner.link.as_mut()
        && link.is_open()
    {
        return Ok(daemon_in(&inner.folder));
    }
    inner.link = None;
    inner.link = Some(Link::open(login, socket, &inner.folder).await?);
    line.known.store(true, Ordering::Relaxed);
    Ok(daemon_in(&inner.folder))
}

fn line(login: &Login, socket: Option<&str>) -> Result<Line, NoWay> {
    let key = (login.clone(), socket.map(str::to_owned));
    let mut lines = locked(&LINES);
    if let Some(line) = lines.get(&key) {
        return Ok(line.clone());
    }
    let folder = Scratch::make().map_err(|error| NoWay::Here(error.to_string()))?;
    let line = Line {
        control: control_in(&folder),
        known: Arc::default(),
        inner: Arc::new(tokio::sync::Mutex::new(Inner { folder, link: None })),
    };
    lines.insert(key, line.clone());
    Ok(line)
}

/// Where an ssh to that machine finds the connection, if this process has made one. It may have been lost:
/// ssh logs in by itself then.
pub(super) fn control(login: &Login) -> Option<PathBuf> {
    let lines = locked(&LINES);
    lines.iter().find(|((known, _), _)| known == login).map(|(_, line)| line.control.clone())
}

/// Whether there has been a connection to that machine: if there is none now, it was lost.
pub(super) fn was_open(login: &Login) -> bool {
    let lines = locked(&LINES);
    lines.iter().any(|((known, _), line)| known == login && line.known.load(Ordering::Relaxed))
}

/// Descriptors that keep the connections to that machine open, and their sockets in place, for a program that
/// inherits them.
pub(super) fn holds(login: &Login) -> Vec<OwnedFd> {
    let lines = locked(&LINES);
    let of_login = lines.iter().filter(|((known, _), _)| known == login);
    let held = |line: &Line| {
        let inner = line.inner.try_lock().ok()?;
        Some([inner.link.as_ref()?.hold().ok()?, inner.folder.as_fd().try_clone_to_owned().ok()?])
    };
    of_login.filter_map(|(_, line)| held(line)).flatten().collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
