//! Statements that a person types. An error ends a statement, never the shell.

use std::path::PathBuf;

use super::SqlRequest;
use super::connect::{advised, candidates, connect};
use super::typed::{Action, Typed};
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::{Input, SqlFormat, SqlReport};
use crate::ops::Context;
use crate::ops::user_dirs::StateDirs;
use crate::signal::{Interrupt, Interrupted};
use crate::sql::{Session, may_hold_password, with_end_mark};

const PROMPT: &str = "exasol> ";
const CONTINUED: &str = "     -> ";

const HELP: &str = "\
A statement ends with ; and a script or function with a line that is / alone.
  \\format table|json|csv   set the format of results
  \\n NODE                  log in to this node
  \\?                       show this help
  \\q  exit  quit  Ctrl-D   leave the shell
Ctrl-C clears the line, or cancels the statement that runs.";

/// The terminal, as the shell uses it.
pub struct Shell<'a> {
    /// Asks for a line with this prompt.
    pub read: &'a dyn Fn(&str) -> Input,
    /// Keeps a statement for the next time, here and in the history's file.
    pub remember: &'a dyn Fn(&str),
    pub show: &'a dyn Fn(&SqlReport, SqlFormat) -> Result<()>,
    pub tell: &'a dyn Fn(Told<'_>),
    pub format: SqlFormat,
    /// `--json` has decided on the form.
    pub format_is_fixed: bool,
}

/// What is said beside results.
pub enum Told<'a> {
    /// Said once at the beginning, and what a command of the shell answers.
    Note(&'a str),
    /// Something happened that nobody asked for.
    Warning(&'a str),
    Error(&'a Error),
}

/// Where statements are kept for the next time. The folder is made; a failure costs the history only.
pub fn history_file() -> Result<PathBuf> {
    Ok(StateDirs::of_user()?.made()?.join("sql_history"))
}

/// Reads and runs statements until the end of input.
///
/// Errors: the first login's; `Interrupted` for a signal other than Ctrl-C.
pub async fn run(context: &Context, request: SqlRequest, mut shell: Shell<'_>) -> Result<()> {
    let dir = DeploymentDir::open(&request.dir)?;
    let mut link = Link { dir, request, session: None, interrupt: context.interrupt.clone() };
    link.open(&shell).await?;
    let mut typed = Typed::default();
    loop {
        match (shell.read)(if typed.is_pending() { CONTINUED } else { PROMPT }) {
            Input::Line(line) => match typed.line(&line) {
                Ok(Action::Quit) => break,
                Ok(action) => act(&mut link, &mut shell, action).await?,
                Err(error) => (shell.tell)(Told::Error(&error)),
            },
            Input::Cancelled => typed.clear(),
            Input::End => break,
            Input::Signalled => {
                // Our own view on signals may be told a moment later.
                let pressed = context.interrupt.other_than(libc::SIGINT).await;
                return Err(Error::Interrupted { signal: pressed.last });
            }
            Input::Failed(cause) => return Err(Error::io("the terminal")(cause)),
        }
        ended(&context.interrupt)?;
    }
    link.close().await;
    ended(&context.interrupt)
}

async fn act(link: &mut Link, shell: &mut Shell<'_>, action: Action) -> Result<()> {
    match action {
        Action::Run(statements) => {
            for statement in statements {
                if !may_hold_password(&statement) {
                    (shell.remember)(&with_end_mark(&statement));
                }
                match link.execute(shell, &statement).await {
                    Ok(report) => (shell.show)(&report, shell.format)?,
                    Err(error) => {
                        ended(&link.interrupt)?;
                        (shell.tell)(Told::Error(&error));
                        // The rest of a line was meant to follow a success.
                        break;
                    }
                }
            }
        }
        Action::Format(_) if shell.format_is_fixed => {
            let message = "--json has set the format of results".to_owned();
            (shell.tell)(Told::Error(&Error::Usage { message, hint: None }));
        }
        Action::Format(format) => shell.format = format,
        Action::Node(node) => match candidates(&link.dir, Some(&node)) {
            Ok(_) => {
                link.close().await;
                link.request.node = Some(node);
                if let Err(error) = link.open(shell).await {
                    ended(&link.interrupt)?;
                    (shell.tell)(Told::Error(&error));
                }
            }
            Err(error) => (shell.tell)(Told::Error(&error)),
        },
        Action::Help => (shell.tell)(Told::Note(HELP)),
        Action::Quit => {}
    }
    Ok(())
}

/// Ctrl-C is for the statement; any other signal is for us.
fn ended(interrupt: &Interrupt) -> Result<()> {
    match interrupt.pressed().last {
        0 | libc::SIGINT => Ok(()),
        signal => Err(Error::Interrupted { signal }),
    }
}

/// The connection, which may break and is made again.
struct Link {
    dir: DeploymentDir,
    request: SqlRequest,
    session: Option<Session>,
    interrupt: Interrupt,
}

impl Link {
    /// Connects and says where to. The directory is read again: addresses change while we wait.
    async fn open(&mut self, shell: &Shell<'_>) -> Result<()> {
        self.dir = DeploymentDir::open(&self.request.dir)?;
        let connecting = connect(&self.dir, self.request.node.as_deref());
        let (node, mut session) = self.cancellable(connecting).await??;
        session.set_limit(self.request.timeout);
        (shell.tell)(Told::Note(&greeting(&self.dir, &node, &session)));
        self.session = Some(session);
        Ok(())
    }

    async fn execute(&mut self, shell: &Shell<'_>, statement: &str) -> Result<SqlReport> {
        if let Some(session) = &mut self.session
            && !session.is_open()
        {
            self.session = None;
            (shell.tell)(Told::Warning("the connection was closed meanwhile: connecting again"));
        }
        if self.session.is_none() {
            self.open(shell).await?;
        }
        let Some(mut session) = self.session.take() else { return Err(Error::other("there is no session")) };
        let result = self.cancellable(session.execute(statement)).await.unwrap_or_else(|signal| Err(signal.into()));
        match &result {
            Ok(_) | Err(Error::SqlStatement { .. }) => self.session = Some(session),
            Err(Error::Interrupted { .. }) => {
                session.abort().await;
                (shell.tell)(Told::Warning("the session ended with it; the next statement begins a new one"));
            }
            Err(_) => (shell.tell)(Told::Warning(
                "it is not known whether the statement was carried out; the next statement begins a new session",
            )),
        }
        result.map_err(|error| advised(error, &self.dir))
    }

    /// Until the next signal: those before it were for other statements.
    async fn cancellable<T>(&self, work: impl Future<Output = T>) -> Result<T, Interrupted> {
        self.interrupt.run_from(self.interrupt.pressed().count, work).await
    }

    async fn close(&mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }
}

/// One line: what answers, where, and whether it is known to be the right one.
fn greeting(dir: &DeploymentDir, node: &str, session: &Session) -> String {
    let server = session.server();
    let certificate = match dir.state().certificate_fingerprint {
        Some(_) => "is the pinned one",
        None => "is not pinned yet",
    };
    let short: String = session.fingerprint().chars().take(16).collect();
    format!(
        "{} {} on {node} ({}), certificate {short}… {certificate}; \\? helps",
        server.product_name,
        server.release_version,
        session.endpoint()
    )
}
