//! `stop`: the database down cleanly, then the machines off, then the proof.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::access::SSH_LIMIT;
use super::operation::{Work, in_dir, millis, one_line, with_operation};
use super::power::{self, POWER_OFF};
use super::{Context, ssh_files};
use crate::error::{Error, Result};
use crate::events::StepInfo;
use crate::model::{Machine, Operation, Phase, Power, PowerReport};
use crate::tools::ssh::{NO_SESSION, Refusal, Ssh};

pub struct StopRequest {
    pub dir: PathBuf,
}

const DATABASE: StepInfo = StepInfo { id: "database_stop", title: "stop the database" };
const SERVICES: StepInfo = StepInfo { id: "services_stop", title: "stop Exasol's services" };

/// The database writes back what it has in memory: the Bash deployer waits up to 10 minutes for it.
const DATABASE_LIMIT: Duration = Duration::from_secs(1200);
const SERVICES_LIMIT: Duration = Duration::from_secs(300);
/// On a node: see ansible/node/.
const STOP_DATABASE: &str = "exec /usr/local/lib/exasol-deployer/database.sh stop";
const STOP_SERVICES: &str = "exec /usr/local/lib/exasol-deployer/database.sh services";
const SHUT_DOWN: &str = "sudo -n systemctl --no-block poweroff";

pub async fn run(context: &Context, request: StopRequest) -> Result<PowerReport> {
    let since = Instant::now();
    let root = request.dir.clone();
    with_operation(context, &root, Operation::Stop, &[DATABASE, SERVICES, POWER_OFF], async |work| {
        work.version()?;
        let machines = power::machines(work).await?;
        // A wrong account or address sees no machine either: that proves nothing.
        if !machines.is_empty() && machines.iter().all(|m| m.power == Power::Missing) {
            return Err(Error::MachinesMissing { nodes: machines.into_iter().map(|m| m.node).collect(), all: true });
        }
        let on: Vec<_> = machines.iter().filter(|m| !matches!(m.power, Power::Off | Power::Missing)).cloned().collect();
        if !on.is_empty() && !stopped_by_us(work, &machines) {
            work.begin(DATABASE.id);
            // The directory may have been moved, and ssh/config names it.
            ssh_files::write(work)?;
            power::wake(work, &on).await?;
            refuse_halted(work).await?;
            if let Err(error) = power::replug(work, &on).await {
                if matches!(error, Error::Interrupted { .. }) {
                    return Err(error);
                }
                work.sink.warn(error.to_string());
            }
            let nodes = reachable(work, &on).await?;
            stop_database(work, &nodes).await?;
            stop_services(work, &nodes).await?;
        }
        power::off(work).await?;
        Ok(PowerReport {
            whose: work.dir.whose(),
            status: Phase::Stopped,
            nodes: work.cluster.nodes.iter().map(|plan| plan.name.clone()).collect(),
            remark: work.cluster.provider.cloud().map(|cloud| format!("still paid for: {}", cloud.when_off)),
            took_ms: millis(since),
            next: vec![in_dir("exasol start", &root), in_dir("exasol status", &root)],
        })
    })
    .await
}

/// A second `stop` where nobody but Terraform knows whether the machines are on.
fn stopped_by_us(work: &Work, machines: &[Machine]) -> bool {
    work.from == Phase::Stopped && machines.iter().all(|m| m.power == Power::Unknown)
}

/// Of the machines that may be on, the nodes that let us in; none if they are off after all. A database
/// that nobody can reach cannot be stopped cleanly.
async fn reachable(work: &mut Work, on: &[Machine]) -> Result<Vec<String>> {
    let ssh = work.access.ssh()?;
    let since = Instant::now();
    let tried = join_all(on.iter().map(async |machine| (machine.node.clone(), let_in(&ssh, &machine.node).await)));
    let tried = work.interrupt.run(tried).await?;
    let (nodes, silent): (Vec<_>, Vec<_>) = tried.into_iter().partition(|(_, why)| why.is_none());
    if !silent.is_empty() {
        // It may have gone on for a moment only.
        refuse_halted(work).await?;
    }
    let mut why =
        silent.into_iter().map(|(node, why)| format!("{node}: {}", why.unwrap_or_default())).collect::<Vec<_>>();
    if nodes.is_empty() {
        match power::all_off_for_terraform(work).await {
            Ok(true) => {
                work.unchanged("every machine is off");
                return Ok(Vec::new());
            }
            Ok(false) => {}
            Err(error @ Error::Interrupted { .. }) => return Err(error),
            Err(error) => why.push(format!("it could not be checked whether they are off: {error}")),
        }
        return Err(Error::Timeout {
            what: "opening an SSH session to stop the database".into(),
            // An SSH that cannot connect gives up long before our own limit.
            limit_s: since.elapsed().as_secs(),
            last_seen: Some(why.join("; ")),
            hint: Some("nothing was switched off: without its nodes the database cannot be stopped cleanly".into()),
        });
    }
    why.iter().for_each(|why| work.sink.warn(format!("could not be reached, so it is only switched off: {why}")));
    Ok(nodes.into_iter().map(|(node, _)| node).collect())
}

/// A machine that is paused again as soon as it goes on cannot shut down.
async fn refuse_halted(work: &Work) -> Result<()> {
    let Some(hosts) = work.cluster.hosts() else { return Ok(()) };
    let machines = power::machines(work).await?;
    let halted: Vec<_> = machines.iter().filter(|m| m.power == Power::Paused).collect();
    let Some(first) = halted.first() else { return Ok(()) };
    let plans = work.cluster.nodes.iter().filter(|plan| halted.iter().any(|m| m.node == plan.name));
    let commands: Vec<_> =
        plans.filter_map(|plan| (hosts.row().cut_off)(hosts.of_node(plan).spec(), plan).ok()).collect();
    let again = in_dir("exasol stop", work.dir.named());
    Err(Error::other(format!(
        "{} is {}; let go on, it was paused again, so it cannot shut down: fix that and run {again}, or cut it off as if \
         its plug were pulled ({}) and then run {again}",
        first.node,
        first.state(),
        commands.join("; ")
    )))
}

/// None: it does; else why not.
async fn let_in(ssh: &Ssh, node: &str) -> Option<String> {
    match ssh.run_script(node, "exit 0", SSH_LIMIT).await {
        Ok(output) if output.success() => None,
        Ok(output) => Some(Refusal::read(&output.stderr_text()).text().to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

async fn stop_database(work: &mut Work, nodes: &[String]) -> Result<()> {
    let Some(first) = nodes.first() else { return Ok(()) };
    let ssh = work.access.ssh()?;
    work.changes();
    let script = ssh.run_script(first, STOP_DATABASE, DATABASE_LIMIT);
    let output = work.interrupt.run(async { script.await?.ok() }).await??;
    let said = output.stdout_text();
    work.done(one_line(&said));
    Ok(())
}

/// All at once: c4 on one node must not find the others gone and act on it.
async fn stop_services(work: &mut Work, nodes: &[String]) -> Result<()> {
    if nodes.is_empty() {
        return Ok(());
    }
    work.begin(SERVICES.id);
    let ssh = work.access.ssh()?;
    let stop =
        async |script: &'static str, node: &String| (node.clone(), ssh.run_script(node, script, SERVICES_LIMIT).await);
    let stopped = join_all(nodes.iter().map(|node| stop(STOP_SERVICES, node)));
    for (node, output) in work.interrupt.run(stopped).await? {
        let output = output?;
        if !output.success() {
            return Err(output.into_error(vec![format!("{node}: its services could not be stopped")]));
        }
    }
    if power::is_terraforms(work) {
        return Ok(());
    }
    // The session may end with the machine.
    let shut_down = join_all(nodes.iter().map(|node| stop(SHUT_DOWN, node)));
    for (node, output) in work.interrupt.run(shut_down).await? {
        let output = output?;
        if !output.success() && output.status.code() != Some(NO_SESSION) {
            return Err(output.into_error(vec![format!("{node} does not shut down")]));
        }
    }
    Ok(())
}
