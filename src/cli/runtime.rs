//! How a command runs until it is done or a signal ends it.

use std::sync::mpsc::channel;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::ops::{Context, links};
use crate::signal::Interrupt;
use crate::ui::{Format, Signals, Ui};

/// How long a finished program waits for a blocking call. In that time a preflight's probe can remove its machine and
/// its disk even from a busy hypervisor.
const THREADS_END: Duration = Duration::from_secs(3);

/// At the first signal programs are told to end in order, at the second to end at once, and at the third they
/// are killed. A command that has not recorded that and ended after this time waits for something that hangs.
const LAST_PRESS: u32 = 3;
const LAST_GRACE: Duration = Duration::from_secs(5);

/// Runs a command that ends in order after a signal by itself, with its events shown.
pub(super) fn with_runtime<T>(ui: &Ui, work: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    run(ui, Signals::End, async |context| context.interrupt.run_to(LAST_PRESS, LAST_GRACE, work(context)).await?)
}

/// Runs a command that leaves nothing to put in order: the first signal ends it, whatever it waits for.
pub(super) fn until_signal<T>(ui: &Ui, work: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    run(ui, Signals::End, async |context| context.interrupt.run(work(context)).await?)
}

/// Runs a command for which signals mean something else: Ctrl-C at an SQL statement ends the statement.
pub(super) fn with_own_signals<T>(ui: &Ui, work: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    run(ui, Signals::Part, work)
}

/// The exit code of a command that shows something until somebody has seen enough: Ctrl-C is no error, which people
/// need not read.
pub(super) fn left(shown: Result<()>, ui: &Ui) -> Result<u8> {
    match shown {
        Err(error @ Error::Interrupted { signal: libc::SIGINT }) if ui.settings().format == Format::Text => {
            Ok(error.exit_code())
        }
        shown => shown.map(|()| 0),
    }
}

fn run<T>(ui: &Ui, signals: Signals, work: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Error::io("the runtime"))?;
    let result = runtime.block_on(async {
        let interrupt = listen()?;
        let sink = ui.begin_progress(interrupt.clone(), signals);
        links::open();
        let result = work(&Context { sink, interrupt }).await;
        links::close().await;
        ui.end_progress();
        result
    });
    // Threads that have used the hypervisor's library end before its exit handlers run, or both
    // would free the same things. A call that hangs cannot be cancelled, and must not delay our exit.
    runtime.shutdown_timeout(THREADS_END);
    result
}

/// Listens for signals until the process ends. It has a runtime of its own: when the work's runtime has ended, the
/// result may still wait for its reader, and a signal must end that wait.
fn listen() -> Result<Interrupt> {
    let (begun, result) = channel();
    std::thread::spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().build() {
            Ok(runtime) => runtime,
            Err(error) => return begun.send(Err(error)).unwrap_or_default(),
        };
        runtime.block_on(async {
            if begun.send(Interrupt::listen()).is_ok() {
                std::future::pending().await
            }
        });
    });
    let gone = || Err(std::io::Error::other("the thread that listens has ended"));
    result.recv().unwrap_or_else(|_| gone()).map_err(Error::io("signal handlers"))
}
