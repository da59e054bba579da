//! One machine becomes a warm base: made like any node, given what nodes need, sealed, copied.

use std::path::Path;
use std::time::{Duration, Instant};

use super::super::apply::{self, APPLY, PLAN};
use super::super::blocking::no_answer;
use super::super::boot::{self, BOOT};
use super::super::deploy;
use super::super::host::HostConnection;
use super::super::hosts::Hosts;
use super::super::operation::{Work, with_operation};
use super::super::user_dirs::CacheDirs;
use super::super::{Context, cache_use, power};
use super::choose::wrong;
use super::node::Said;
use super::store::{Shelf, is_old, key};
use crate::error::{Error, Result};
use crate::events::{Event, Pace, StepInfo, Unit};
use crate::model::{NodePlan, Operation, Power, WarmBase};
use crate::providers;
use crate::render;
use crate::tools::ssh::{NO_SESSION, Refusal};

const WARM: StepInfo = StepInfo { id: "warm", title: "install what every node needs, and seal the machine" };
const KEEP: StepInfo = StepInfo { id: "keep", title: "copy its disk into the cache" };

/// For the first boot's end, all packages, and the seal: the packages' downloads are limited by themselves.
const WARM_LIMIT: Duration = Duration::from_secs(1800);
/// Removing the login and the logs takes seconds, under emulation a minute.
const OFF_LIMIT: Duration = Duration::from_secs(300);
const OFF_POLL: Duration = Duration::from_millis(500);
/// qemu-img reads the whole disk and writes it once.
const COPY_LIMIT: Duration = Duration::from_secs(1800);

/// Whether it was made, or was there already; and the base.
pub(super) async fn make(context: &Context, root: &Path, renew: bool) -> Result<(bool, WarmBase)> {
    let steps = [deploy::PREFLIGHT, deploy::IMAGE, deploy::RENDER, PLAN, APPLY, BOOT, WARM, KEEP];
    with_operation(context, root, Operation::Deploy, &steps, async |work| {
        let programs = deploy::check(work).await?;
        let dirs = CacheDirs::of_user()?;
        let waits = || work.detail("waiting for exasol cache prune");
        let cache = cache_use::wait(&dirs, waits, &work.interrupt).await?;
        deploy::image::provide(work, false, false).await?;
        let (shelf, recipe) = (Shelf::of(&dirs), render::warm_recipe()?);
        let base_sha256 = work.dir.state().image_sha256.clone().unwrap_or_default();
        let key = key(&recipe, &base_sha256);
        if let Some(base) = shelf.find(&key).filter(|base| !renew && !is_old(base))
            && work.interrupt.run(wrong(&shelf.image(&base), &base)).await??.is_none()
        {
            return Ok((false, base));
        }
        let part = shelf.begin()?;
        deploy::render(work).await?;
        let consoles = boot::follow(work);
        apply::run(work, &programs.terraform, &[], async |_, _| Ok(())).await?;
        boot::wait(work, &consoles).await?;
        let node = work.cluster.nodes.first().cloned().ok_or_else(|| Error::other("there is no node"))?;
        let said = warm(work, &node).await.map_err(|error| consoles.blame(error))?;
        work.begin(KEEP.id);
        let host = work.cluster.hosts().map(Hosts::first).cloned().ok_or_else(no_hypervisor)?;
        let image_sha256 = copy(work, &host, &node, part.writer()?).await?;
        if let Some(unfit) = deploy::image::unfit(work, &host, part.path()).await? {
            return Err(Error::other(format!("the copy of the disk {}", unfit.cause)));
        }
        let bytes = std::fs::metadata(part.path()).map_err(Error::io(part.path().display().to_string()))?.len();
        let base = WarmBase {
            key,
            base_sha256,
            recipe,
            image_sha256,
            bytes,
            disk_gb: work.dir.state().spec.root_volume_size,
            system: said.system,
            packages: said.packages,
            without: said.without,
            made_at: format!("{:.0}", jiff::Timestamp::now()),
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
        };
        shelf.keep(part, &base)?;
        work.done(shelf.image(&base).display().to_string());
        drop(cache);
        Ok((true, base))
    })
    .await
}

pub(super) fn no_hypervisor() -> Error {
    Error::Usage {
        message: format!(
            "a warm base is for machines on {}; a cloud's machines have the cloud's images",
            providers::DEFAULT
        ),
        hint: Some("unset EXASOL_CLOUD_PROVIDER".into()),
    }
}

/// Until the machine is sealed, and off.
async fn warm(work: &mut Work, node: &NodePlan) -> Result<Said> {
    work.begin(WARM.id);
    let (proxies, secrets) = deploy::proxies();
    let script = render::warm_script(node, work.cluster.provider, &proxies)?;
    let ssh = work.access.ssh()?;
    let words = ["sudo", "-n", "sh", "-s"];
    let output = work.interrupt.run(ssh.run_program(&node.name, &words, script.into_bytes(), WARM_LIMIT)).await??;
    let said = Said::read(&output.stdout_text());
    said.warnings.iter().for_each(|warning| work.sink.warn(warning.clone()));
    // The session may end without a word, because its login is removed.
    if !said.sealed {
        let text = secrets.iter().fold(output.stderr_text(), |text, secret| text.replace(secret, "…"));
        return Err(failed(node, output.status.code(), &text));
    }
    let changed =
        if said.changed.is_empty() { "all packages are part of the image".into() } else { said.changed.join(", ") };
    work.detail(format!("{}: {changed}", said.system));
    let since = Instant::now();
    loop {
        let machines = power::machines(work).await?;
        if machines.iter().all(|machine| machine.power == Power::Off) {
            break;
        }
        if since.elapsed() > OFF_LIMIT {
            return Err(Error::Timeout {
                what: "waiting for the sealed machine to switch itself off".into(),
                limit_s: OFF_LIMIT.as_secs(),
                last_seen: machines.first().map(|machine| machine.state()),
                hint: None,
            });
        }
        work.interrupt.sleep(OFF_POLL).await?;
    }
    Ok(said)
}

fn failed(node: &NodePlan, code: Option<i32>, said: &str) -> Error {
    if code == Some(NO_SESSION) {
        let why = Refusal::read(said).text().to_owned();
        return Error::NodeUnreachable { node: node.name.clone(), why, hint: "try again: exasol cache warm".into() };
    }
    let lines: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let why = lines.iter().rev().find_map(|line| line.strip_prefix("error: ")).or(lines.last().copied());
    Error::other(format!("the machine could not be made a warm base: {}", why.unwrap_or("it printed nothing")))
}

async fn copy(work: &Work, host: &HostConnection, node: &NodePlan, to: std::fs::File) -> Result<String> {
    let plan = node.clone();
    work.waits_for("the hypervisor copies the disk");
    // Nobody can end it early, and until it has ended, the machine's disks cannot be removed.
    let copying = tokio::time::timeout(COPY_LIMIT, host.call(move |host| host.flatten_root(&plan))).await;
    copying.unwrap_or_else(|_| Err(no_answer(format!("copying the disk of {}", node.machine), COPY_LIMIT)))?;
    work.interrupt.check()?;
    let (sink, step) = (work.sink.clone(), work.step());
    let mut pace = Pace::default();
    let tell = move |done, total| {
        if pace.is_due() || done == total {
            sink.emit(Event::StepProgress { step, done, total: Some(total), unit: Unit::Bytes });
        }
    };
    host.download_root(node.clone(), to, tell).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeploymentId, Spec};

    #[test]
    fn a_failure_is_told_in_the_machine_s_words() {
        let node = NodePlan::all(&DeploymentId::from_random([1, 2, 3, 4]), &Spec::sample("libvirt")).swap_remove(0);
        let text = |code, said: &str| failed(&node, Some(code), said).to_string();
        let said = "E: no network\nerror: required packages are still missing: curl\nsudo: bye\n";
        assert!(text(1, said).ends_with("a warm base: required packages are still missing: curl"), "{}", text(1, said));
        assert!(text(100, "E: no network\n").ends_with("E: no network") && text(1, "").ends_with("it printed nothing"));
        assert!(matches!(failed(&node, Some(NO_SESSION), ""), Error::NodeUnreachable { .. }));
    }
}
