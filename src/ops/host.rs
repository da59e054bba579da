//! The hypervisor of a deployment: one connection for all that an operation asks there and has done, and a limit for
//! each call. The hypervisor's library blocks, and a call of it cannot be cancelled: one that is given up goes on in a
//! thread that nobody waits for, and the next call opens a connection of its own.

use std::fs::File;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;

use super::blocking::{ANSWER_LIMIT, Beat, Silence, blocking, no_answer, unless_silent};
use crate::error::{Error, Result};
use crate::model::{DeploymentId, NodePlan, Options, Spec};
use crate::providers::{Host, Hypervisor, Leftover};
use crate::signal::Interrupt;

/// For what changes one machine. Switching one on takes seconds, on a slow pool a minute.
pub(super) const ACTION_LIMIT: Duration = Duration::from_secs(300);
/// For removing one thing: a pool may overwrite what it deletes.
pub(super) const REMOVAL_LIMIT: Duration = Duration::from_secs(600);
/// An upload takes as long as it takes; it may be silent for this long, while the pool writes back what it has got.
const UPLOAD_SILENCE: Silence = Silence::of_daemon(Duration::from_secs(300));
/// At its end everything is sent, and nothing is heard until the pool has written all of it: gigabytes, if the
/// hypervisor has kept them in its memory.
const UPLOAD_END: Silence = Silence::with_hint(
    Duration::from_secs(1800),
    "everything was sent, and its pool does not come to an end with writing it: on the hypervisor, look whether the \
     pool's disk still works and how slow it is (iostat); if it is idle, restart the daemon",
);
/// Whether a connection still works takes one packet there and one back. One that has died without a word answers never.
const ALIVE_LIMIT: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 5 });

/// Opened when it is first needed, and again after any call that failed. Clones share the connection.
#[derive(Clone)]
pub(super) struct HostConnection(Arc<Shared>);

struct Shared {
    row: &'static Hypervisor,
    /// What the deployment asks of this one.
    spec: Spec,
    /// Its address, where there are others.
    name: Option<String>,
    interrupt: Interrupt,
    host: Mutex<Option<Arc<dyn Host>>>,
}

impl HostConnection {
    /// Connects nothing yet. A signal ends every call. `name`: its address, where there are others.
    pub(super) fn new(row: &'static Hypervisor, spec: &Spec, name: Option<String>, interrupt: &Interrupt) -> Self {
        let (spec, interrupt) = (spec.clone(), interrupt.clone());
        Self(Arc::new(Shared { row, spec, name, interrupt, host: Mutex::default() }))
    }

    /// Its address, where the deployment has others.
    pub(super) fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// An error of one of several hypervisors: that this one does not answer.
    pub(super) fn named(&self, error: Error) -> Error {
        match (self.name(), error) {
            (Some(name), error @ (Error::Other(_) | Error::Timeout { .. })) => Error::LibvirtUnreachable {
                uri: name.to_owned(),
                cause: error.to_string(),
                fix: error.hint().into_iter().collect(),
            },
            (_, error) => error,
        }
    }

    /// What is known without a connection.
    pub(super) fn row(&self) -> &'static Hypervisor {
        self.0.row
    }

    /// What the deployment asks of this one.
    pub(super) fn spec(&self) -> &Spec {
        &self.0.spec
    }

    /// A question: it is answered within seconds, also over a slow network.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Host) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let what = match self.name() {
            Some(name) => format!("asking the hypervisor {name}"),
            None => "asking the hypervisor".to_owned(),
        };
        self.act(ANSWER_LIMIT, what, question).await
    }

    /// Something that changes what the hypervisor has. `what` names it for people ("switching on n11").
    ///
    /// # Errors
    /// [`crate::error::Error::Timeout`] after `limit`: the hypervisor may still do it.
    pub(super) async fn act<T: Send + 'static>(
        &self,
        limit: Duration,
        what: impl Into<String>,
        action: impl FnOnce(&dyn Host) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let called = tokio::time::timeout(limit, self.call(action));
        let answer = async { called.await.unwrap_or_else(|_| Err(no_answer(what.into(), limit))) };
        self.0.interrupt.run(answer).await?
    }

    /// From where the nodes see this machine.
    pub(super) async fn deployer_addresses(&self, facts: &Options) -> Result<Vec<IpAddr>> {
        let facts = facts.clone();
        self.ask(move |host| host.deployer_addresses(&facts)).await
    }

    /// Removes one thing of a deployment.
    pub(super) async fn remove(&self, id: &DeploymentId, leftover: Leftover) -> Result<()> {
        let (what, id) = (format!("removing {}", leftover.name), id.clone());
        self.act(REMOVAL_LIMIT, what, move |host| host.remove(&id, &leftover)).await
    }

    /// Puts a local image into the pool; returns the volume's name. `tell` gets bytes done and total.
    pub(super) async fn upload(
        &self,
        image: PathBuf,
        sha256: String,
        mut tell: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<String> {
        let (what, interrupt) = (format!("uploading {}", image.display()), self.0.interrupt.clone());
        let uploading = |beat: Beat| {
            self.call(move |host| {
                let mut progress = |done, total| {
                    beat(if done < total { UPLOAD_SILENCE } else { UPLOAD_END });
                    tell(done, total);
                    interrupt.signal().is_none()
                };
                host.upload_image(&image, &sha256, &mut progress)
            })
        };
        unless_silent(UPLOAD_SILENCE, what, &self.0.interrupt, uploading).await
    }

    /// Writes the copy of a machine's root disk ([`Host::flatten_root`]) into a file; returns its SHA-256. `tell` gets
    /// bytes done and total.
    pub(super) async fn download_root(
        &self,
        node: NodePlan,
        mut to: File,
        mut tell: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<String> {
        let (what, interrupt) = (format!("downloading the disk of {}", node.machine), self.0.interrupt.clone());
        let downloading = |beat: Beat| {
            self.call(move |host| {
                let mut progress = |done, total| {
                    beat(UPLOAD_SILENCE);
                    tell(done, total);
                    interrupt.signal().is_none()
                };
                host.download_root(&node, &mut to, &mut progress)
            })
        };
        unless_silent(UPLOAD_SILENCE, what, &self.0.interrupt, downloading).await
    }

    /// Without a limit: the caller drops the future when it has waited for long enough.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Host) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut doubt = Doubt { shared: &self.0, about: true };
        self.0.forget_if_dead().await;
        let shared = self.0.clone();
        let answer = blocking(move || call(&*shared.open()?)).await;
        doubt.about = answer.is_err();
        answer
    }
}

impl Shared {
    /// Forgets the open connection if it does not answer at once. A way that died without a word (a laptop that slept,
    /// a router that forgot it) would else hold the next call until that one's own limit.
    async fn forget_if_dead(&self) {
        let Some(open) = self.lock().as_ref().map(Arc::downgrade) else { return };
        let asked = open.clone();
        let question = blocking(move || Ok(asked.upgrade().is_none_or(|host| host.answers())));
        if !matches!(tokio::time::timeout(ALIVE_LIMIT, question).await, Ok(Ok(true))) && self.holds(&open) {
            self.forget();
        }
    }

    /// Whether that is still the open connection.
    fn holds(&self, former: &Weak<dyn Host>) -> bool {
        self.lock().as_ref().is_some_and(|open| Weak::ptr_eq(&Arc::downgrade(open), former))
    }

    /// The open connection, else a new one. Blocks. Two threads at once may open two: one of them is closed after its
    /// call.
    fn open(&self) -> Result<Arc<dyn Host>> {
        if let Some(host) = self.lock().clone() {
            return Ok(host);
        }
        let host: Arc<dyn Host> = Arc::from((self.row.open)(&self.spec)?);
        let former = self.lock().replace(host.clone());
        drop(former);
        Ok(host)
    }

    fn forget(&self) {
        let Some(host) = self.lock().take() else { return };
        // To close a connection is a call, too.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(host))),
            Err(_) => drop(host),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<dyn Host>>> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Forgets the connection at its end, if the call has failed or was given up: the next one opens it anew.
struct Doubt<'a> {
    shared: &'a Shared,
    about: bool,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if self.about {
            self.shared.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodePlan;
    use crate::providers::dummy_host::{PROVIDER, World};

    const SHORT: Duration = Duration::from_millis(30);

    fn connected(world: &str, interrupt: &Interrupt) -> (World, HostConnection, NodePlan) {
        let (world, spec) = World::new(world);
        let node = NodePlan::all(&DeploymentId::from_random([1, 2, 3, 4]), &spec).swap_remove(0);
        let host = HostConnection::new(PROVIDER.hypervisor().unwrap(), &spec, None, interrupt);
        (world, host, node)
    }

    async fn switch_on(host: &HostConnection, node: &NodePlan, limit: Duration) -> Result<()> {
        let node = node.clone();
        host.act(limit, format!("switching on {}", node.name), move |host| host.switch_on(&node)).await
    }

    #[tokio::test]
    async fn one_connection_serves_all_and_is_opened_anew_when_it_is_lost() {
        let (world, host, node) = connected("one connection", &Interrupt::never());
        assert_eq!(world.lock().opened, 0, "nobody has asked");
        for _ in 0..3 {
            let nodes = vec![node.clone()];
            host.clone().ask(move |host| host.machines(&nodes)).await.unwrap();
            switch_on(&host, &node, ACTION_LIMIT).await.unwrap();
        }
        assert_eq!(world.lock().opened, 1);
        world.lock().breaks = Some("switch_on");
        assert!(switch_on(&host, &node, ACTION_LIMIT).await.is_err());
        switch_on(&host, &node, ACTION_LIMIT).await.unwrap();
        assert_eq!(world.lock().opened, 2);
    }

    #[tokio::test]
    async fn an_action_that_hangs_is_given_up_and_the_next_goes_another_way() {
        let (world, host, node) = connected("an action hangs", &Interrupt::never());
        switch_on(&host, &node, ACTION_LIMIT).await.unwrap();
        world.lock().hangs = Some("switch_on");
        let error = switch_on(&host, &node, SHORT).await.unwrap_err();
        assert!(error.to_string().starts_with("switching on n11: gave up after"), "{error}");
        assert!(matches!(error, Error::Timeout { hint: Some(_), .. }), "{error}");
        let nodes = vec![node];
        host.ask(move |host| host.machines(&nodes)).await.unwrap();
        assert_eq!(world.lock().opened, 2, "the one that hangs is left alone");
        world.lock().hangs = None;
    }

    #[tokio::test]
    async fn a_connection_that_died_without_a_word_is_replaced() {
        let (world, host, node) = connected("died without a word", &Interrupt::never());
        switch_on(&host, &node, ACTION_LIMIT).await.unwrap();
        world.lock().hangs = Some("answers");
        let soon = ALIVE_LIMIT * 10;
        switch_on(&host, &node, soon).await.unwrap();
        assert_eq!(world.lock().opened, 2);
        world.lock().hangs = None;
    }

    #[tokio::test]
    async fn a_signal_ends_a_call() {
        let (interrupt, keys) = Interrupt::manual();
        let (world, host, node) = connected("a signal", &interrupt);
        world.lock().hangs = Some("open");
        keys.press(15);
        let ended = switch_on(&host, &node, ACTION_LIMIT).await;
        assert!(matches!(ended, Err(Error::Interrupted { signal: 15 })));
        let upload = host.upload("image".into(), "0".repeat(64), |_, _| ()).await;
        assert!(matches!(upload, Err(Error::Interrupted { signal: 15 })));
        world.lock().hangs = None;
    }
}
