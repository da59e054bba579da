//! `start`: the machines on, their addresses learned anew, the database up, and a login on every node.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::boot::{self, BOOT};
use super::deploy::{artifacts, nodes};
use super::login::{self, LOGIN};
use super::operation::{Work, in_dir, mendable, millis, one_line, with_operation};
use super::power::{self, POWER_ON};
use super::user_dirs::fetched_tools;
use super::{Context, seed};
use crate::error::{Error, Result};
use crate::events::StepInfo;
use crate::model::{Node, Operation, Phase, PowerReport};
use crate::tools::ansible::Ansible;
use crate::tools::process::Output;
use crate::tools::ssh::{NO_SESSION, Refusal};

pub struct StartRequest {
    pub dir: PathBuf,
}

const ADDRESSES: StepInfo = StepInfo { id: "addresses", title: "tell the nodes their addresses" };
const DATABASE: StepInfo = StepInfo { id: "database_start", title: "wait for the database" };

/// As long as `deploy` waits for the last stage.
const DATABASE_LIMIT: Duration = Duration::from_secs(1200);
/// One call waits a quarter of a minute and tells how far the nodes are.
const STAGE_LIMIT: Duration = Duration::from_secs(400);
/// Also the last call gets the time that an answer takes.
const LAST_CALL: Duration = Duration::from_secs(60);
/// Before a node is asked again that cannot be reached, or says the same.
const ASK_AGAIN: Duration = Duration::from_secs(2);
const STAGE: &str = "exec /usr/local/lib/exasol-deployer/database.sh up";
/// After a boot nothing but c4 starts it; it gets half a minute.
const ADMIN_UI: &str = "exec /usr/local/lib/exasol-deployer/check-services.sh admin-ui";
const WARNING: &str = "warning: ";

pub async fn run(context: &Context, request: StartRequest) -> Result<PowerReport> {
    let since = Instant::now();
    let root = request.dir.clone();
    let steps = [POWER_ON, BOOT, ADDRESSES, DATABASE, LOGIN];
    with_operation(context, &root, Operation::Start, &steps, async |work| {
        work.version()?;
        work.begin(POWER_ON.id);
        // Whoever cannot be asked now can be asked later, from the same phase.
        let mut seen = Some(power::machines(work).await?);
        // On clouds sizes change while the machines are off.
        let resized = work.dir.state().update_pending && work.cluster.provider.is_cloud();
        if power::is_terraforms(work) || resized {
            power::by_terraform(work, true).await?;
            work.begin(POWER_ON.id);
            seen = None;
        }
        let consoles = boot::follow(work);
        power::on(work, seen).await?;
        // They run, whoever switched them on.
        work.found_otherwise();
        let now = boot::wait(work, &consoles).await?;
        seed::retire(work).await?;
        addresses(work, &now).await?;
        database_up(work, &now).await.map_err(|error| consoles.blame(error))?;
        login::prove(work).await?;
        admin_ui(work, &now).await?;
        Ok(PowerReport {
            whose: work.dir.whose(),
            status: Phase::DatabaseReady,
            nodes: work.cluster.nodes.iter().map(|plan| plan.name.clone()).collect(),
            remark: None,
            took_ms: millis(since),
            next: vec![in_dir("exasol status", &root), in_dir("exasol info", &root)],
        })
    })
    .await
}

/// A network may have given a node another address while it was off. The rehearsal's nodes are told;
/// a database does not come back with other addresses than it was installed with.
async fn addresses(work: &mut Work, now: &[Node]) -> Result<()> {
    work.begin(ADDRESSES.id);
    let told = work.dir.state().told_addresses.clone();
    let old = |node: &Node| told.get(&node.plan.name).copied().filter(|old| *old != node.private_ip);
    let moved: Vec<_> = now.iter().filter_map(|node| Some((node, old(node)?))).collect();
    if moved.is_empty() {
        work.unchanged("they are the same");
        return Ok(());
    }
    if !work.version()?.rehearsal {
        let again = in_dir("exasol start", work.dir.named());
        return Err(Error::other(refusal(&text(&moved), &keep(work, &moved), &again)));
    }
    work.detail(text(&moved));
    let release = artifacts::rehearsal_release()?;
    let ansible = work.interrupt.run(Ansible::find(&fetched_tools())).await??;
    nodes::prepare(work, now, &release, &ansible).await
}

/// Of a real database. The procedure is Exasol's; this tool does not do it.
fn refusal(moved: &str, keep: &str, again: &str) -> String {
    format!(
        "addresses have changed ({moved}), but a database keeps the addresses that it was installed with: give the \
         nodes their old addresses{keep}, switch them off, and start again: {again}. If the old ones are gone for \
         good, ask Exasol's support for the documented procedure: stop the database (confd_client db_stop) and \
         c4_cloud_command on every node, write the new addresses in c4.yaml, cluster.yaml and EXAConf, then start \
         again"
    )
}

fn text(moved: &[(&Node, IpAddr)]) -> String {
    let each = moved.iter().map(|(node, old)| format!("{} had {old}, has {}", node.plan.name, node.private_ip));
    each.collect::<Vec<_>>().join("; ")
}

/// The commands for that, where the hypervisor's network gives addresses.
fn keep(work: &Work, moved: &[(&Node, IpAddr)]) -> String {
    let Some(hosts) = work.cluster.hosts() else { return String::new() };
    let state = work.dir.state();
    let command = |(node, old): &(&Node, IpAddr)| {
        (hosts.row().keep_address)(hosts.of_node(&node.plan).spec(), &state.facts, &node.plan, *old).ok().flatten()
    };
    let commands: Vec<_> = moved.iter().filter_map(command).collect();
    match commands.is_empty() {
        true => String::new(),
        false => format!(" ({})", commands.join("; ")),
    }
}

/// Until every node is at the last stage. A database that stays down after the cluster is up is started once.
async fn database_up(work: &mut Work, nodes: &[Node]) -> Result<()> {
    work.begin(DATABASE.id);
    let Some(first) = nodes.first() else { return Err(Error::other("no node is known")) };
    let ssh = work.access.ssh()?;
    work.changes();
    let since = Instant::now();
    let mut told = String::new();
    loop {
        let left = DATABASE_LIMIT.saturating_sub(since.elapsed()).max(LAST_CALL).min(STAGE_LIMIT);
        let last = match work.interrupt.run(ssh.run_script(&first.plan.name, STAGE, left)).await? {
            // A network or a slow node may lose a session: the database is not the worse for it.
            Ok(output) if output.status.code() == Some(NO_SESSION) => match Refusal::read(&output.stderr_text()) {
                Refusal::Unreachable(why) => {
                    work.detail(format!("{}: {why}", first.plan.name));
                    work.interrupt.sleep(ASK_AGAIN).await?;
                    why
                }
                _ => return output.ok().map(drop),
            },
            Err(error @ Error::Timeout { .. }) => {
                work.detail(error.to_string());
                error.to_string()
            }
            answer => {
                let answer = answer?;
                if !answer.success() {
                    let stderr = mendable(&answer.stderr_text(), work.dir.root());
                    return Err(answer.into_error(stderr.lines().take(1).map(str::to_owned).collect()));
                }
                let said = mendable(&answer.stdout_text(), work.dir.root());
                let last = said.lines().last().unwrap_or("it printed nothing").trim().to_owned();
                if let Some(stages) = last.strip_prefix("ready: ") {
                    said.lines().filter_map(|line| line.strip_prefix(WARNING)).for_each(|text| work.sink.warn(text));
                    work.done(stages.to_owned());
                    return Ok(());
                }
                let text = one_line(&said);
                if text != told {
                    work.detail(text.clone());
                    told = text;
                } else {
                    // The script waits for what is new by itself; one that has nothing new at once is no reason to hurry.
                    work.interrupt.sleep(ASK_AGAIN).await?;
                }
                one_line(&last)
            }
        };
        if since.elapsed() > DATABASE_LIMIT {
            return Err(Error::Timeout {
                what: "waiting for the database".into(),
                limit_s: DATABASE_LIMIT.as_secs(),
                last_seen: Some(last),
                hint: Some(format!(
                    "examine the nodes: {}; the services' own messages: {} -- sudo journalctl -u c4 -u \
                    c4_cloud_command",
                    in_dir("exasol health", work.dir.named()),
                    in_dir(&format!("exasol ssh {}", first.plan.name), work.dir.named())
                )),
            });
        }
    }
}

/// A database does without its Admin UI, so all that goes wrong here is a warning.
async fn admin_ui(work: &Work, nodes: &[Node]) -> Result<()> {
    let ssh = work.access.ssh()?;
    let asked = join_all(nodes.iter().map(|node| ssh.run_script(&node.plan.name, ADMIN_UI, STAGE_LIMIT)));
    let answers = work.interrupt.run(asked).await?;
    for (node, answer) in nodes.iter().zip(answers) {
        let name = &node.plan.name;
        match answer.and_then(Output::ok) {
            Ok(output) => {
                let said = output.stdout_text();
                let warnings = said.lines().filter_map(|line| line.strip_prefix(WARNING));
                warnings.for_each(|text| work.sink.warn(format!("{name}: {text}")));
            }
            Err(error) => work.sink.warn(format!("{name}: it could not be checked whether the Admin UI runs: {error}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_addresses_are_refused_with_both_ways_out() {
        let text = refusal("n11 had 192.0.2.1, has 192.0.2.2", " (virsh net-update …)", "exasol start -d demo");
        let cause = "addresses have changed (n11 had 192.0.2.1, has 192.0.2.2)";
        assert!(text.starts_with(cause), "{text}");
        for part in ["addresses (virsh net-update …), switch", "exasol start -d demo", "support", "db_stop", "EXAConf"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
