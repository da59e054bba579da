//! The only file that spawns programs.
//!
//! Every child has a process group of its own, so that Ctrl-C on the terminal reaches us alone and
//! we decide what the child gets: first press one SIGINT to the leader (Terraform and Ansible end
//! in order), second press a second one, third press SIGKILL to the group. What counts as a press is
//! decided in `signal.rs`.
//!
//! A long-running program writes to a file that we follow, not to a pipe: it goes on undisturbed
//! when we die (Terraform dies of SIGPIPE when its reader goes, and loses what it was creating).
//! It may also hold a duplicate of the deployment lock's descriptor, so that the lock outlives us
//! for exactly as long as the program runs.

#![allow(clippy::disallowed_methods)]

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::signal::unix::SignalKind;
use tokio::time::Instant;

use super::child::Child;
use super::follow::Follower;
use super::lines::tail_of;
use super::outcome::timeout;
pub use super::outcome::{Finished, Output};
use super::running::Running;
pub use super::running::Waiting;
use super::scratch;
use crate::error::{Error, Result};
use crate::model::{command_line, names_a_secret};
use crate::signal::{self, Interrupt};

/// How long pipes may stay open after their program has ended (ssh masters keep them).
const PIPES_GRACE: Duration = Duration::from_millis(300);
/// More output than this of a short command is read but not kept.
const MAX_CAPTURE: usize = 64 << 20;

/// A process's own open files, as paths.
const OWN_DESCRIPTORS: &str = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };

/// The program of that name on PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    which::which(program).ok()
}

/// What a program reads.
#[derive(Default)]
enum Input {
    #[default]
    Nothing,
    Bytes(Vec<u8>),
    File(File),
}

/// A program with everything that one run of it needs.
pub struct Tool {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    secret_env: Vec<(OsString, OsString)>,
    unset: Vec<&'static str>,
    keep_secrets: bool,
    cwd: Option<PathBuf>,
    stdin: Input,
    log: Option<PathBuf>,
    inherit: Vec<OwnedFd>,
    private_files: bool,
    insistent: bool,
    expendable: bool,
    limit: Option<Duration>,
    is_progress: fn(&str) -> bool,
}

impl Tool {
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            secret_env: Vec::new(),
            // Our own, with people's passwords: a program that needs one is given it.
            unset: vec!["EXASOL_"],
            keep_secrets: true,
            cwd: None,
            stdin: Input::Nothing,
            log: None,
            inherit: Vec::new(),
            private_files: false,
            insistent: false,
            expendable: false,
            limit: None,
            is_progress: |_| false,
        }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// An environment variable whose value appears in no message, log or `Debug` text of ours.
    pub fn secret_env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.secret_env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Keeps variables of our own environment that begin with `prefix` from the program; those
    /// given by [`Tool::env`] still reach it.
    pub fn without_env(mut self, prefix: &'static str) -> Self {
        self.unset.push(prefix);
        self
    }

    /// The program gets our own variables too: it is the user's, and not a tool of ours.
    pub fn with_own_env(mut self) -> Self {
        self.unset.clear();
        self
    }

    pub fn cwd(mut self, dir: impl Into<PathBuf>) -> Self {
        self.cwd = Some(dir.into());
        self
    }

    /// Keeps keys and tokens of our own environment from a program that needs none of them.
    pub fn without_secrets(mut self) -> Self {
        self.keep_secrets = false;
        self
    }

    /// What the program reads; nothing unless given.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Input::Bytes(bytes.into());
        self
    }

    /// As [`Tool::stdin`]: the file from where it stands to its end.
    pub fn stdin_file(mut self, file: File) -> Self {
        self.stdin = Input::File(file);
        self
    }

    /// The file to which [`Tool::run`] lets the program append stdout and stderr.
    pub fn log(mut self, file: impl Into<PathBuf>) -> Self {
        self.log = Some(file.into());
        self
    }

    /// Lets the program inherit a duplicate of `fd`: an OFD lock on it lasts as long as the
    /// program does, whatever becomes of us.
    pub fn inherit_fd(mut self, fd: &impl AsFd) -> Result<Self> {
        let copy = fd.as_fd().try_clone_to_owned().map_err(Error::io("cannot duplicate a descriptor"))?;
        self.inherit.push(copy);
        Ok(self)
    }

    /// A file in memory that only the program can open, by the path in that environment variable:
    /// for secrets that are too long or too many for the environment.
    pub fn secret_file(mut self, name: impl AsRef<OsStr>, bytes: &[u8]) -> Result<Self> {
        let file = memory_file(bytes).map_err(Error::io("cannot hold a secret in memory"))?;
        let path = format!("{OWN_DESCRIPTORS}/{}", file.as_raw_fd());
        self.inherit.push(file.into());
        Ok(self.env(name, path))
    }

    /// Files that the program makes are for this user only, whatever the umask.
    pub fn private_files(mut self) -> Self {
        self.private_files = true;
        self
    }

    /// The first press is passed on again and again until the program ends: for one that may not notice it.
    pub fn insistent(mut self) -> Self {
        self.insistent = true;
        self
    }

    /// Nothing is lost if the program is killed: a [`Tool::run`] that is given up kills its group.
    pub fn expendable(mut self) -> Self {
        self.expendable = true;
        self
    }

    /// Ends a [`Tool::run`] that takes longer: SIGTERM to the group, then SIGKILL.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Lets the time of [`Tool::limit`] begin anew with every line of which this is true: a limit for one of many things
    /// that the program does, not for all of them together.
    pub fn limit_from(mut self, is_progress: fn(&str) -> bool) -> Self {
        self.is_progress = is_progress;
        self
    }

    /// The program's file name.
    pub fn name(&self) -> String {
        self.program.file_name().unwrap_or(self.program.as_os_str()).to_string_lossy().into_owned()
    }

    /// The command line as people would type it, without environment.
    pub fn command_text(&self) -> String {
        let args = self.args.iter().map(|arg| arg.to_string_lossy().into_owned());
        command_line(std::iter::once(self.name()).chain(args))
    }

    /// Runs a program that may take long, and hands over each line that it prints.
    ///
    /// An exit status other than 0 is not an error here. Errors: [`Error::Interrupted`] when
    /// something was pressed before it began; [`Error::Timeout`]; [`Error::Io`].
    /// Dropping the future passes one SIGINT on, or kills what is [`Tool::expendable`].
    pub async fn run(self, interrupt: &Interrupt, on_line: &mut (dyn FnMut(&str) + Send)) -> Result<Finished> {
        interrupt.check()?;
        self.start(false)?.follow(interrupt, on_line).await
    }

    /// Starts a program that does nothing before it has read a line: [`Waiting::begin`] sends it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn start_waiting(self) -> Result<Waiting> {
        self.start(true).map(Waiting)
    }

    fn start(mut self, waits: bool) -> Result<Running> {
        let (tool, command) = (self.name(), self.command_text());
        let (output, follower) = self.open_output()?;
        let errors = output.try_clone().map_err(Error::io("cannot duplicate a descriptor"))?;
        let (limit, is_progress, insistent) = (self.limit, self.is_progress, self.insistent);
        let (log, on_end) = (self.log.clone(), if self.expendable { Signal::KILL } else { Signal::INT });
        let stdin = if waits { Stdio::piped() } else { self.input()? };
        // Ours are closed then; the program's copies are the only ones.
        let child = self.spawn(stdin, output.into(), errors.into(), if waits { Signal::KILL } else { on_end })?;
        Ok(Running { child, follower, tool, command, log, limit, is_progress, insistent, on_drop: on_end })
    }

    /// Runs a short command and captures what it prints. Dropping the future kills its group.
    ///
    /// An exit status other than 0 is not an error here. Errors: [`Error::Timeout`]; [`Error::Io`].
    pub async fn output(mut self, limit: Duration) -> Result<Output> {
        let (tool, command) = (self.name(), self.command_text());
        let stdin = self.input()?;
        let mut child = self.spawn(stdin, Stdio::piped(), Stdio::piped(), Signal::KILL)?;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let status = {
            let (out, err) = (child.inner.stdout.take(), child.inner.stderr.take());
            let pipes = async { tokio::join!(capture(out, &mut stdout), capture(err, &mut stderr)) };
            let mut pipes = std::pin::pin!(pipes);
            let mut open = true;
            let deadline = Instant::now() + limit;
            loop {
                tokio::select! {
                    status = child.wait() => {
                        if open {
                            let _ = tokio::time::timeout(PIPES_GRACE, &mut pipes).await;
                        }
                        break Some(status?);
                    }
                    _ = &mut pipes, if open => open = false,
                    _ = tokio::time::sleep_until(deadline) => break None,
                }
            }
        };
        match status {
            Some(status) => Ok(Output { status, stdout, stderr, tool, command }),
            None => {
                child.end().await;
                let seen = if stderr.is_empty() { &stdout } else { &stderr };
                let seen = tail_of(&String::from_utf8_lossy(seen));
                Err(timeout(command, limit, seen.iter().rev().map(String::as_str).find(|l| !l.trim().is_empty())))
            }
        }
    }

    /// Runs a program that people see and may have to answer: it stays in our process group, so that it may read the
    /// terminal (sudo asks for a password there) and gets Ctrl-C itself. What it prints goes to our standard error.
    ///
    /// # Errors
    /// [`Error::Tool`] for another exit status than 0; [`Error::Timeout`]; [`Error::Io`]. Dropping the future ends it.
    pub async fn run_on_terminal(self, limit: Duration) -> Result<()> {
        let (tool, command) = (self.name(), self.command_text());
        let mut child = self.beside_us(false, true)?;
        match tokio::time::timeout(limit, child.wait()).await {
            Err(_) => Err(timeout(command, limit, None)),
            Ok(status) => match status? {
                status if status.success() => Ok(()),
                status => {
                    Err(Output { status, stdout: Vec::new(), stderr: Vec::new(), tool, command }.into_error(Vec::new()))
                }
            },
        }
    }

    /// Starts a program for as long as somebody talks to it by its stdin and stdout; dropped, its group is killed.
    pub(super) fn converse(self, stderr: Stdio) -> Result<Child> {
        self.spawn(Stdio::piped(), Stdio::piped(), stderr, Signal::KILL)
    }

    /// Starts a program that uses our own input and output: with `own_group` in a process group of its own, and
    /// without anything to read, where nobody sits at a terminal; with `aside` it prints on our standard error only.
    pub(super) fn beside_us(self, own_group: bool, aside: bool) -> Result<Child> {
        let context = format!("cannot run {}", self.program.display());
        let mut command = self.command();
        if own_group {
            command.stdin(Stdio::null()).process_group(0);
        }
        if aside {
            let errors = rustix::stdio::stderr().try_clone_to_owned();
            command.stdout(errors.map_err(Error::io("cannot duplicate a descriptor"))?);
        }
        let child = tokio::process::Command::from(command).spawn().map_err(Error::io(context.clone()))?;
        let on_drop = if own_group { Signal::KILL } else { Signal::TERM };
        Ok(Child::new(child, context, on_drop))
    }

    /// Becomes the program, with our terminal and in our process group. Returns only if that failed.
    pub fn exec(self) -> Error {
        let name = self.program.display().to_string();
        Error::Io { context: format!("cannot run {name}"), source: self.command().exec() }
    }

    /// As [`Tool::exec`], with the file as the program's standard input.
    pub(super) fn exec_reading(self, file: File) -> Error {
        let name = self.program.display().to_string();
        Error::Io { context: format!("cannot run {name}"), source: self.command().stdin(file).exec() }
    }

    /// Everything but stdio and process group.
    fn command(self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let is_secret = !self.keep_secrets && names_a_secret(&text);
            if is_secret || self.unset.iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command.envs(self.env.iter().chain(&self.secret_env).map(|(name, value)| (name, value)));
        if let Some(dir) = &self.cwd {
            command.current_dir(dir);
        }
        let (inherit, private_files) = (self.inherit, self.private_files);
        if !inherit.is_empty() || private_files {
            let prepare = move || {
                if private_files {
                    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
                }
                inherit.iter().try_for_each(|fd| Ok(rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?))
            };
            // SAFETY: between fork and exec only umask and fcntl are called, which are
            // async-signal-safe; nothing is allocated and no lock is taken. Doing it here, not before
            // the fork, keeps the descriptors from every other program that is started meanwhile.
            unsafe { command.pre_exec(prepare) };
        }
        command
    }

    fn input(&mut self) -> Result<Stdio> {
        match std::mem::take(&mut self.stdin) {
            Input::Bytes(bytes) => {
                Ok(memory_file(&bytes).map_err(Error::io("cannot hold a program's input in memory"))?.into())
            }
            Input::File(file) => Ok(file.into()),
            Input::Nothing => Ok(Stdio::null()),
        }
    }

    fn spawn(self, stdin: Stdio, stdout: Stdio, stderr: Stdio, on_drop: Signal) -> Result<Child> {
        let context = format!("cannot run {}", self.program.display());
        let mut command = self.command();
        command.stdin(stdin).stdout(stdout).stderr(stderr).process_group(0);
        // In the background an ssh, of whatever depth, that wants to read a passphrase from the terminal would
        // be stopped by the kernel (SIGTTIN) and wait for ever: a window may ask, or it gets no answer.
        command.env("SSH_ASKPASS_REQUIRE", "force");
        if std::env::var_os("SSH_ASKPASS").is_none() {
            command.env("SSH_ASKPASS", "false");
        }
        if signal::is_ignored(SignalKind::interrupt()) {
            // Ignored by us, it would be by the program too; and it is how we end one in order.
            // SAFETY: between fork and exec only signal is called, which is async-signal-safe; it cannot fail.
            unsafe {
                command.pre_exec(|| {
                    libc::signal(libc::SIGINT, libc::SIG_DFL);
                    Ok(())
                })
            };
        }
        let (program, args) = (command.get_program().to_owned(), command.get_args().map(OsStr::to_owned));
        let args: Vec<_> = args.collect();
        let child = tokio::process::Command::from(command).spawn().map_err(Error::io(context.clone()))?;
        tracing::debug!(pid = child.id(), ?program, ?args, "program started");
        Ok(Child::new(child, context, on_drop))
    }

    fn open_output(&self) -> Result<(File, Follower)> {
        let Some(path) = &self.log else {
            let file = scratch::file()?;
            let reader = file.reopen().map_err(Error::io("cannot open a temporary file"))?;
            let writer = file.into_file();
            return Ok((writer, Follower::new(reader)));
        };
        let context = || Error::io(format!("cannot open {}", path.display()));
        let writer = File::options().append(true).create(true).mode(0o600).open(path).map_err(context())?;
        let mut reader = File::open(path).map_err(context())?;
        reader.seek(SeekFrom::End(0)).map_err(context())?;
        Ok((writer, Follower::new(reader)))
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret: Vec<_> = self.secret_env.iter().map(|(name, _)| name).collect();
        f.debug_struct("Tool")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env", &self.env)
            .field("secret_env", &secret)
            .field("cwd", &self.cwd)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// Reads a pipe to its end, keeps a bounded part.
async fn capture(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        let room = MAX_CAPTURE.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..count.min(room)]);
    }
}

/// No pipe that somebody has to feed, nothing that has a name on a disk.
pub(super) fn memory_file(bytes: &[u8]) -> std::io::Result<File> {
    let mut file = nameless_file()?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

#[cfg(target_os = "linux")]
fn nameless_file() -> std::io::Result<File> {
    Ok(File::from(rustix::fs::memfd_create(c"exasol", rustix::fs::MemfdFlags::CLOEXEC)?))
}

#[cfg(not(target_os = "linux"))]
fn nameless_file() -> std::io::Result<File> {
    tempfile::tempfile()
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
