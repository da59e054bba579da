//! A cloud's API that switches machines: asked, told, and asked again until it is so.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use serde_json::Value;

use super::super::credentials;
use super::super::operation::Work;
use super::{OFF_LIMIT, all, is_proof, names, refuse_missing, tell, wait};
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::{Machine, Node, Power};
use crate::providers::cloud::{Authorization, PowerApi, Switch};
use crate::providers::{Credentials, Provider};
use crate::signal::Interrupt;
use crate::tools::http;
use crate::tools::process::Tool;

/// systemd gives a service that hangs 90 s; a guest of a cloud that is still up then is cut off.
const DOWN_LIMIT: Duration = Duration::from_secs(120);
/// Clouds need up to some minutes to begin or end a machine.
const API_LIMIT: Duration = Duration::from_secs(600);
/// Clouds limit how often they may be asked.
const API_POLL: Duration = Duration::from_secs(3);

/// A cloud's API with what its calls need.
pub(super) struct Remote<'a> {
    api: &'a PowerApi,
    endpoint: String,
    token: Option<String>,
    nodes: Vec<Node>,
    interrupt: Interrupt,
}

impl<'a> Remote<'a> {
    pub(super) async fn new(
        dir: &DeploymentDir,
        provider: &Provider,
        api: &'a PowerApi,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let credentials = credentials::of(dir, provider)?;
        let token = token(interrupt, api, &credentials).await?;
        Ok(Self { api, endpoint: endpoint(api), token, nodes: dir.state().nodes.clone(), interrupt: interrupt.clone() })
    }

    /// The nodes whose machines are known.
    fn names(&self) -> BTreeSet<String> {
        self.nodes.iter().map(|node| node.plan.name.clone()).collect()
    }

    pub(super) async fn machines(&self) -> Result<Vec<Machine>> {
        try_join_all(self.nodes.iter().map(async |node| {
            let answer = self.send((self.api.ask)(&self.endpoint, id(node)?)).await?;
            let power = if answer.is_null() { Power::Missing } else { (self.api.state)(&answer) };
            Ok(Machine::with_power(&node.plan.name, power))
        }))
        .await
    }

    async fn switch(&self, wanted: &BTreeSet<String>, to: Switch) -> Result<()> {
        let nodes = self.nodes.iter().filter(|node| wanted.contains(&node.plan.name));
        try_join_all(nodes.map(async |node| self.send((self.api.switch)(&self.endpoint, id(node)?, to)).await))
            .await
            .map(drop)
    }

    async fn wait(&self, work: &Work, nodes: &BTreeSet<String>, power: Power) -> Result<()> {
        let limit = if power == Power::Off { OFF_LIMIT } else { API_LIMIT };
        wait(work, nodes, power, (limit, API_POLL), async || self.machines().await).await
    }

    /// Until no machine runs any more, or a guest takes too long.
    async fn until_down(&self) -> Result<()> {
        let since = Instant::now();
        while self.machines().await?.iter().any(|m| m.power == Power::Running) && since.elapsed() < DOWN_LIMIT {
            self.interrupt.sleep(API_POLL).await?;
        }
        Ok(())
    }

    async fn send(&self, call: crate::model::HttpCall) -> Result<Value> {
        http::call(&call, self.token.as_deref(), &self.interrupt).await
    }
}

/// Asks the question that only a valid account may ask.
///
/// # Errors
/// [`Error::Api`] with the cloud's own words.
pub(in crate::ops) async fn prove(api: &PowerApi, credentials: &Credentials, interrupt: &Interrupt) -> Result<()> {
    let token = token(interrupt, api, credentials).await?;
    let call = (api.prove)(&endpoint(api), credentials);
    match http::call(&call, token.as_deref(), interrupt).await? {
        // What was asked for is not there for this account.
        Value::Null => Err(Error::Api { call: call.url, cause: "HTTP 404 Not Found".into(), hint: None }),
        _ => Ok(()),
    }
}

fn endpoint(api: &PowerApi) -> String {
    let (variable, usual) = api.endpoint;
    let named = std::env::var(variable).ok().filter(|v| !v.is_empty());
    named.unwrap_or_else(|| usual.to_owned()).trim_end_matches('/').to_owned()
}

/// Switches on what is off, and waits until it runs.
pub(super) async fn on(work: &mut Work, api: &PowerApi, seen: Option<Vec<Machine>>) -> Result<()> {
    let remote = Remote::new(&work.dir, work.cluster.provider, api, &work.interrupt).await?;
    let machines = match seen {
        Some(machines) => machines,
        None => remote.machines().await?,
    };
    refuse_missing(work, &machines)?;
    // A machine that shut itself down may be neither on nor off for its cloud.
    let off = names(&machines, |power| power != Power::Running);
    if !off.is_empty() {
        work.changes();
    }
    remote.switch(&off, Switch::On).await?;
    remote.wait(work, &remote.names(), Power::Running).await?;
    tell(work, &off);
    Ok(())
}

pub(super) async fn off(work: &mut Work, api: &PowerApi) -> Result<()> {
    let remote = Remote::new(&work.dir, work.cluster.provider, api, &work.interrupt).await?;
    if let Some(unknown) = all(work).difference(&remote.names()).next() {
        return Err(Error::other(format!("deployment.json knows no machine of {unknown}: nothing was switched off")));
    }
    // A guest that goes down by itself is not cut off; one that does not is, after a while. For
    // some clouds only the call makes it what `off` means (no more costs).
    remote.until_down().await?;
    let still_on = names(&remote.machines().await?, |power| !is_proof(power, Power::Off));
    work.changes();
    remote.switch(&still_on, Switch::Off).await?;
    remote.wait(work, &all(work), Power::Off).await?;
    work.done("the cloud says that every machine is off");
    Ok(())
}

fn id(node: &Node) -> Result<&str> {
    node.machine_id
        .as_deref()
        .ok_or_else(|| Error::other(format!("Terraform's output machine_ids has nothing for {}", node.plan.name)))
}

async fn token(interrupt: &Interrupt, api: &PowerApi, credentials: &Credentials) -> Result<Option<String>> {
    let nothing = || Error::other("the cloud returned no access token");
    match (api.authorization)(credentials) {
        None => Ok(None),
        Some(Authorization::Token(token)) => Ok(Some(token)),
        Some(Authorization::Call(call, read)) => {
            let answer = http::call(&call, None, interrupt).await?;
            read(&answer).map(Some).ok_or_else(nothing)
        }
        Some(Authorization::Program(program, words, read)) => {
            let running = Tool::new(program).args(words).output(Duration::from_secs(60));
            let output = interrupt.run(running).await??.ok()?;
            let answer = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
            read(&answer).map(Some).ok_or_else(nothing)
        }
    }
}
