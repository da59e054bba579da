//! `sql`: runs statements as `sys` on the first node that answers.
//!
//! | file | concept |
//! | --- | --- |
//! | `connect` | which node, and what to do when none lets us in |
//! | `shell` | statements that a person types, one after the other |
//! | `typed` | what a typed line is: a part of a statement, or a command of the shell's own |

mod connect;
mod shell;
mod typed;

use std::path::PathBuf;
use std::time::Duration;

use super::Context;
use super::operation::in_dir;
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::SqlReport;
use crate::sql::{Open, split};

pub use shell::{Shell, Told, history_file, run as shell};

pub struct SqlRequest {
    pub dir: PathBuf,
    pub node: Option<String>,
    /// Of each statement.
    pub timeout: Duration,
}

/// Runs the statements in order and hands each result over; stops at the first error. Nothing is
/// run where the script's end is missing.
pub async fn run(
    context: &Context,
    request: SqlRequest,
    script: &str,
    show: &mut dyn FnMut(&SqlReport) -> Result<()>,
) -> Result<()> {
    let dir = DeploymentDir::open(&request.dir)?;
    // Editors of another system begin a file with this mark.
    let split = split(script.trim_start_matches('\u{feff}'));
    if let Some(Open { mark, line }) = split.open {
        return Err(Error::Usage {
            message: format!("the last statement is not complete: {mark} in line {line} is not closed"),
            hint: Some("nothing was run".into()),
        });
    }
    let statements = split.finish();
    if statements.is_empty() {
        return Err(Error::Usage {
            message: "there is no statement to run".into(),
            hint: Some(in_dir("exasol sql -c 'SELECT 1'", dir.named())),
        });
    }
    let connecting = connect::connect(&dir, request.node.as_deref());
    let (_, mut session) = context.interrupt.run(connecting).await??;
    session.set_limit(request.timeout);
    for statement in statements {
        let executing = async { session.execute(&statement).await.map_err(|error| connect::advised(error, &dir)) };
        match context.interrupt.run(executing).await {
            Ok(answer) => show(&answer?)?,
            Err(interrupted) => {
                session.abort().await;
                return Err(interrupted.into());
            }
        }
    }
    session.close().await;
    Ok(())
}
