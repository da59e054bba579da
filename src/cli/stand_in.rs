//! What this program does when it is called by another name: see [`ops::stand_in`].

use std::process::ExitCode;

use crate::ops;
use crate::ui::{Environment, Flags, Settings, Ui};

/// None: it was called by its own name.
pub(super) fn run() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let stand_in = ops::stand_in::named(&arguments.next()?)?;
    let ui = Ui::new(Settings::resolve(Flags::default(), &Environment::read()));
    let result = ops::stand_in::run(stand_in, arguments.collect()).and_then(|report| ui.result(&report));
    Some(match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            ExitCode::FAILURE
        }
    })
}
