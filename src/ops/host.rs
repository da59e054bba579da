//! The hypervisor of a deployment: one connection for all that an operation asks there and has done, and a limit for
//! each call. The hypervisor's library blocks, and a call of it cannot be cancelled: one that is given up goes on in a
//! thread that nobody waits for, and the next call opens a connection of its own.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::blocking::{ANSWER_LIMIT, Beat, blocking, no_answer, unless_silent};
use crate::error::Result;
use crate::model::{DeploymentId, Options, Spec};
use crate::providers::{Host, Hypervisor, Leftover, Provider};
use crate::signal::Interrupt;

/// For what changes one machine. Switching one on takes seconds, on a slow pool a minute.
pub(super) const ACTION_LIMIT: Duration = Duration::from_secs(300);
/// For removing one thing: a pool may overwrite what it deletes.
pub(super) const REMOVAL_LIMIT: Duration = Duration::from_secs(600);
/// An upload takes as long as it takes; it may be silent for this long, while the pool writes back what it has got.
const UPLOAD_SILENCE: Duration = Duration::from_secs(300);

/// Opened when it is first needed, and again after any call that failed. Clones share the connection.
#[derive(Clone)]
pub(super) struct HostConnection(Arc<Shared>);

struct Shared {
    row: &'static Hypervisor,
    spec: Spec,
    interrupt: Interrupt,
    host: Mutex<Option<Arc<dyn Host>>>,
}

impl HostConnection {
    /// Connects nothing yet. A signal ends every call.
    pub(super) fn new(row: &'static Hypervisor, spec: &Spec, interrupt: &Interrupt) -> Self {
        let (spec, interrupt) = (spec.clone(), interrupt.clone());
        Self(Arc::new(Shared { row, spec, interrupt, host: Mutex::default() }))
    }

    /// None for a cloud.
    pub(super) fn of(provider: &Provider, spec: &Spec, interrupt: &Interrupt) -> Option<Self> {
        provider.hypervisor().map(|row| Self::new(row, spec, interrupt))
    }

    /// What is known without a connection.
    pub(super) fn row(&self) -> &'static Hypervisor {
        self.0.row
    }

    /// What the deployment asks for.
    pub(super) fn spec(&self) -> &Spec {
        &self.0.spec
    }

    /// A question: it is answered within seconds, also over a slow network.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Host) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.act(ANSWER_LIMIT, "asking the hypervisor", question).await
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
        tell: impl Fn(u64, u64) + Send + 'static,
    ) -> Result<String> {
        let (what, interrupt) = (format!("uploading {}", image.display()), self.0.interrupt.clone());
        let uploading = |beat: Beat| {
            self.call(move |host| {
                let mut progress = |done, total| {
                    beat();
                    tell(done, total);
                    interrupt.signal().is_none()
                };
                host.upload_image(&image, &sha256, &mut progress)
            })
        };
        unless_silent(UPLOAD_SILENCE, what, &self.0.interrupt, uploading).await
    }

    /// Without a limit: the caller drops the future when it has waited for long enough.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Host) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut doubt = Doubt { shared: &self.0, about: true };
        let shared = self.0.clone();
        let answer = blocking(move || call(&*shared.open()?)).await;
        doubt.about = answer.is_err();
        answer
    }
}

impl Shared {
    /// The open connection if it still answers, else a new one. Blocks. Two threads at once may open two: one of them
    /// is closed after its call.
    fn open(&self) -> Result<Arc<dyn Host>> {
        let open = self.lock().clone();
        if let Some(host) = open.filter(|host| host.answers()) {
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
    use crate::error::Error;
    use crate::model::NodePlan;
    use crate::providers::dummy_host::{PROVIDER, World};

    const SHORT: Duration = Duration::from_millis(30);

    fn connected(world: &str, interrupt: &Interrupt) -> (World, HostConnection, NodePlan) {
        let (world, spec) = World::new(world);
        let node = NodePlan::all(&DeploymentId::from_random([1, 2, 3, 4]), &spec).swap_remove(0);
        let host = HostConnection::of(&PROVIDER, &spec, interrupt).unwrap();
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
