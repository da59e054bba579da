//! `init --update`: changes what an existing deployment shall be. Nothing outside the directory is
//! touched; the next `deploy` applies it, under the plan guard.

use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::operation::in_dir;
use super::{
    Context, Given, Passwords, ReleaseRequest, engine, floors, known, recorded, release, terraform_dir, this_machine,
};
use crate::deployment::{DeploymentDir, Secrets, State, Update, keys};
use crate::error::{Error, Result};
use crate::model::{DbVersion, Operation, OptionChange, Phase, Source, Spec, SpecChange, UpdateReport, shown_address};
use crate::providers::{Place, Provider};

pub struct UpdateRequest {
    pub dir: PathBuf,
    /// What people call it from now on; None: as before.
    pub name: Option<String>,
    /// What was asked for. It meets the recorded spec under the lock: another update may run at the same time.
    pub changes: Vec<SpecChange>,
    pub release: ReleaseRequest,
    /// This machine's address is allowed too.
    pub me: bool,
    pub passwords: Passwords,
    pub credentials: Given,
    pub warnings: Vec<String>,
}

/// What people call the deployment, which is recorded beside the specification.
const NAME: &str = "name";
/// What of a cluster with a database in it can change everywhere.
const ACCESS: &str = "allowed_cidrs";
/// What can change on clouds, while the machines are off: there a change of size may cut the power. On
/// hypervisors the provider's row says what beside the disks.
const SIZES: [&str; 3] = ["data_volume_size", "instance_type", "root_volume_size"];
/// Of those, what only grows.
const GROWING: [&str; 2] = ["data_volume_size", "root_volume_size"];
/// A tag or label of a cloud's resources.
const TAG: &str = "owner";
/// Its address may hold a password or a signature.
const IMAGE: &str = "options.image";
/// The addresses of the hypervisors.
const HYPERVISORS: &str = "options.uri";
const DB_VERSION: &str = "db_version";
/// What is recorded of the version.
const RELEASE: &str = "release";
/// The database does not notice; the state decides (see [`engine::change`]).
const ENGINE: &str = "engine";

/// The provider of that deployment, which no update changes.
pub fn provider(dir: &Path) -> Result<&'static Provider> {
    let dir = DeploymentDir::open(dir)?;
    let provider = recorded::provider(&dir)?;
    recorded::version(&dir)?;
    Ok(provider)
}

pub async fn run(context: &Context, request: UpdateRequest) -> Result<UpdateReport> {
    let UpdateRequest { dir: root, name, changes: wanted, release: asked, me, passwords, credentials, mut warnings } =
        request;
    let dir = DeploymentDir::open(&root)?;
    dir.check_allowed(Operation::Update)?;
    // Without the lock: to read a release's files takes minutes.
    let seen = dir.state().spec.clone();
    let mut spec = merged(context, &seen, &wanted, &asked).await?;
    // Nor while somebody outside is asked.
    let mine = match me {
        true => Some(this_machine::address(context, recorded::provider(&dir)?, &spec, &dir.state().facts).await?),
        false => None,
    };
    let mut locked = dir.lock(Operation::Update)?;
    locked.check_allowed(Operation::Update)?;
    let provider = recorded::provider(&locked)?;
    if locked.state().spec != seen {
        let recorded = locked.state().spec.clone();
        spec = merged(context, &recorded, &wanted, &asked).await?;
    }
    if let Some(address) = mine {
        warnings.push(this_machine::add(&mut spec, address));
    }
    (provider.validate)(&spec)?;
    warnings.extend(this_machine::locked_out(provider, &spec));
    warnings.extend(known::remember(&locked));
    let state = locked.state().clone();
    floors::check(provider, &spec, Some(&state.spec))?;
    let mut changed = changes(&state.spec, &spec)?;
    let mut renamed = Vec::new();
    let engine = match changed.iter().any(|change| change.option == ENGINE) {
        true => Some(engine::change(&state, spec.engine.as_ref(), &locked.terraform_dir())?),
        false => None,
    };
    if state.installed {
        changed.iter().try_for_each(|change| refuse_in_a_cluster(change, provider, &locked))?;
    }
    refuse_to_move(&changed, [&state.spec, &spec], &locked)?;
    let given = passwords.given();
    let mut secrets = locked.secrets()?;
    changed.extend(change_secrets(&mut secrets, passwords, credentials, Install::of(&state))?);
    add_host_keys(&mut secrets, &state, &spec)?;
    if let Some(name) = name.filter(|name| state.name.as_ref() != Some(name)) {
        // No deploy need apply it.
        renamed.push(OptionChange::new(NAME, locked.name().into(), name.clone().into()));
        locked.renamed(name)?;
    }
    if !changed.is_empty() {
        // Secrets first: a spec with more nodes than keys could not be rendered.
        locked.write_secrets(&secrets)?;
        if !given.is_empty() {
            locked.given_passwords(given)?;
        }
        let warning = |spec: &Spec| floors::warning(provider, spec, &state.facts);
        warnings
            .extend(warning(&spec).filter(|new| Some(new) != warning(&state.spec).as_ref()).map(|c| floors::text(&c)));
        warnings.extend(engine.as_ref().and_then(|change| change.warning.clone()));
        let other_image = changed.iter().any(|change| change.option == IMAGE);
        locked.updated(spec, Update { other_image, engine: engine.map(|change| change.engine) })?;
    }
    Ok(UpdateReport {
        whose: locked.whose(),
        directory: root.clone(),
        warnings,
        next: next(&changed, &locked.state().clone(), &root),
        changed: changed.into_iter().chain(renamed).map(|change| in_words(provider, change)).collect(),
    })
}

/// What was asked for and is not what is recorded, with the names of the options. Changes nothing.
pub(super) async fn differences_from(context: &Context, request: &UpdateRequest) -> Result<Vec<OptionChange>> {
    let dir = DeploymentDir::open(&request.dir)?;
    let before = &dir.state().spec;
    let mut spec = merged(context, before, &request.changes, &request.release).await?;
    if request.me {
        let provider = recorded::provider(&dir)?;
        let _ = this_machine::allow(context, provider, &mut spec, &dir.state().facts).await?;
    }
    let mut found = changes(before, &spec)?;
    let named = request.name.as_ref().filter(|name| **name != dir.name());
    found.extend(named.map(|name| OptionChange::new(NAME, dir.name().into(), name.clone().into())));
    if dir.has_secrets() {
        let (passwords, credentials) = (request.passwords.clone(), request.credentials.clone());
        found.extend(change_secrets(&mut dir.secrets()?, passwords, credentials, Install::NotBegun)?);
    }
    Ok(found)
}

/// The recorded spec with what was asked for; a release of the user's own with its checksums.
pub(super) async fn merged(
    context: &Context,
    recorded: &Spec,
    wanted: &[SpecChange],
    asked: &ReleaseRequest,
) -> Result<Spec> {
    let mut spec = wanted.iter().cloned().fold(recorded.clone(), Spec::with);
    if !release::is_of_name(recorded, &spec.db_version) || asked.catalog.is_some() {
        release::resolve(&mut spec, asked, Some(recorded))?;
        release::pin_files(&mut spec, &context.interrupt).await?;
    } else {
        spec.db_version.clone_from(&recorded.db_version);
        spec.release.clone_from(&recorded.release);
        if asked.is_something() {
            release::lay_over(&mut spec, asked)?;
            release::pin_files(&mut spec, &context.interrupt).await?;
        }
    }
    Ok(spec)
}

fn next(changed: &[OptionChange], state: &State, root: &Path) -> Vec<String> {
    if changed.is_empty() && !state.update_pending {
        return Vec::new();
    }
    match locked_out(state) {
        true => vec![in_dir("exasol start", root), in_dir("exasol deploy", root)],
        false => vec![in_dir("exasol deploy --plan", root), in_dir("exasol deploy", root)],
    }
}

/// Machines that are off on purpose are switched on first.
fn locked_out(state: &State) -> bool {
    crate::deployment::transitions::allowed(Operation::Deploy, state.phase).is_err()
}

/// What differs, with the names of the options.
fn changes(old: &Spec, new: &Spec) -> Result<Vec<OptionChange>> {
    let map = |spec: &Spec| match serde_json::to_value(spec) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(Error::other("the spec is no object")),
    };
    let (old, new) = (map(old)?, map(new)?);
    let mut changes = differences("", &old, &new);
    let options = |map: &Map<String, Value>| map.get("options").and_then(Value::as_object).cloned().unwrap_or_default();
    changes.retain(|change| change.option != "options");
    name_release(&mut changes);
    changes.extend(differences("options.", &options(&old), &options(&new)));
    for change in changes.iter_mut().filter(|change| change.option == IMAGE) {
        for value in [&mut change.from, &mut change.to] {
            if let Some(url) = value.as_str().filter(|text| text.contains("://")) {
                *value = shown_address(url).into();
            }
        }
    }
    Ok(changes)
}

/// A release is told by its name; the same name with other files by what differs in them.
fn name_release(changes: &mut Vec<OptionChange>) {
    let is_named = changes.iter().any(|change| change.option == DB_VERSION);
    changes.retain(|change| change.option != RELEASE || !is_named);
    for change in changes.iter_mut().filter(|change| change.option == RELEASE) {
        change.option = DB_VERSION.to_owned();
        for value in [&mut change.from, &mut change.to] {
            *value = match serde_json::from_value::<DbVersion>(value.take()) {
                Ok(release) => files_of(&release).into(),
                Err(_) => "as it is built in".into(),
            };
        }
    }
}

fn files_of(release: &DbVersion) -> String {
    let [archive, c4] = release.artifacts().map(|artifact| {
        let place = match artifact.source() {
            Source::Url(url) => shown_address(url),
            Source::File(path) => path.display().to_string(),
            Source::Tree(path) => path.to_owned(),
            Source::Binary => artifact.file.clone(),
        };
        artifact.sha256.as_ref().map_or(place.clone(), |sum| format!("{place} (SHA-256 {sum})"))
    });
    format!("{} from {archive} and {c4}", release.with_c4())
}

fn differences(prefix: &str, old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<OptionChange> {
    let names: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let value = |map: &Map<String, Value>, name: &str| map.get(name).cloned().unwrap_or(Value::Null);
    names
        .into_iter()
        .filter(|name| value(old, name) != value(new, name))
        .map(|name| OptionChange::new(format!("{prefix}{name}"), value(old, name), value(new, name)))
        .collect()
}

/// Which hypervisor a node is on follows from their list: with another one, machines that exist would be looked for
/// where they are not.
fn refuse_to_move(changed: &[OptionChange], specs: [&Spec; 2], dir: &DeploymentDir) -> Result<()> {
    let moves = changed.iter().any(|change| change.option == HYPERVISORS) && specs.iter().any(|spec| spec.hosts() > 1);
    // A deploy that failed or was killed may have made what Terraform's state does not tell.
    let is_untouched = matches!(dir.state().phase, Phase::Initialized | Phase::Destroyed)
        && terraform_dir::resources(&dir.terraform_dir()).is_some_and(|made| made.is_empty());
    if !moves || is_untouched {
        return Ok(());
    }
    Err(Error::Usage {
        message: "machines may exist, and with other hypervisors nodes would be on others than their machines".into(),
        hint: Some(format!("keep the hypervisors, or begin anew: {}", in_dir("exasol destroy", dir.named()))),
    })
}

/// # Errors
/// Exit code 2: the database would not survive the change, or cannot be told of it.
fn refuse_in_a_cluster(change: &OptionChange, provider: &Provider, dir: &DeploymentDir) -> Result<()> {
    let name = change.option.as_str();
    let resizes = match &provider.place {
        Place::Hypervisor(hypervisor) => GROWING.contains(&name) || hypervisor.sizes.contains(&name),
        Place::Cloud(_) => SIZES.contains(&name),
    };
    let refused = |why: &str, hint: String| {
        Err(Error::Usage {
            message: format!(
                "--{}: the database is installed, and {why} (it is {}, asked for: {})",
                flag(provider, name),
                change.from,
                change.to
            ),
            hint: Some(hint),
        })
    };
    if name == ACCESS || name == ENGINE || (provider.is_cloud() && name == TAG) {
        return Ok(());
    }
    if !resizes {
        let hint = "make a second deployment with exasol init -d NEW_DIR, and move the data".to_owned();
        return refused("this cannot change any more", hint);
    }
    if GROWING.contains(&name) && change.from.as_u64() > change.to.as_u64() {
        return refused("a disk only grows", format!("leave it at {} GB or more", change.from));
    }
    if dir.state().phase != Phase::Stopped {
        let [stop, start] = ["exasol stop", "exasol start"].map(|command| in_dir(command, dir.named()));
        return refused("sizes change while the machines are off", format!("{stop}, this command again, {start}"));
    }
    Ok(())
}

/// The flag that an option is given with, without its dashes.
pub(super) fn flag(provider: &Provider, option: &str) -> String {
    match (option.strip_prefix("options."), option) {
        (Some(key), _) => {
            provider.options.iter().find(|def| def.key == key).map_or(key.to_owned(), |def| def.flag.to_owned())
        }
        (None, "provider") => "cloud-provider".to_owned(),
        (None, "allowed_cidrs") => "allowed-cidr".to_owned(),
        (None, option) => option.replace('_', "-"),
    }
}

/// As people gave it; a secret has no values here, and many flags.
fn in_words(provider: &Provider, change: OptionChange) -> OptionChange {
    let shown = match change.from.is_null() && change.to.is_null() {
        true => change.option.replace('_', " "),
        false => format!("--{}", flag(provider, &change.option)),
    };
    OptionChange { shown, ..change }
}

/// How far the database's installation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Install {
    NotBegun,
    /// There may be a database with the recorded passwords.
    Begun,
    Done,
}

impl Install {
    fn of(state: &State) -> Install {
        match (state.installed, state.install_begun) {
            (true, _) => Install::Done,
            (false, true) => Install::Begun,
            (false, false) => Install::NotBegun,
        }
    }
}

/// Returns what changed, without values.
fn change_secrets(
    secrets: &mut Secrets,
    passwords: Passwords,
    credentials: Given,
    install: Install,
) -> Result<Vec<OptionChange>> {
    let mut changed = Vec::new();
    let mut note = |option: &str| {
        changed.push(OptionChange::new(option, Value::Null, Value::Null));
    };
    if let Some(password) = passwords.db.filter(|p| *p != secrets.db_password || secrets.next_db_password.is_some()) {
        note("db_password");
        // The database, if there is one, knows the old one until deploy has told it.
        if install != Install::NotBegun {
            secrets.next_db_password = Some(password).filter(|p| *p != secrets.db_password);
        } else {
            secrets.db_password = password;
        }
    }
    if let Some(password) = passwords.host.filter(|p| *p != secrets.host_password) {
        note("host_password");
        secrets.host_password_hash = keys::hash_password(&password)?.into();
        secrets.host_password = password;
    }
    if let Some(password) = passwords.adminui.filter(|p| *p != secrets.adminui_password) {
        if install == Install::Done {
            return Err(Error::Usage {
                message: "--adminui-password: the Admin UI is installed, and keeps its own password".into(),
                hint: Some("change it in the Admin UI; exasol info shows where that is".into()),
            });
        }
        note("adminui_password");
        secrets.adminui_password = password;
    }
    for (flag, value) in credentials {
        if secrets.cloud.get(&flag) != Some(&value) {
            note(&flag.replace('-', "_"));
            secrets.cloud.insert(flag, value);
        }
    }
    Ok(changed)
}

fn add_host_keys(secrets: &mut Secrets, state: &State, spec: &Spec) -> Result<()> {
    for node in crate::model::NodePlan::all(&state.id, spec) {
        let comment = format!("{}-{}", state.id, node.name);
        if let Entry::Vacant(entry) = secrets.host_keys.entry(node.name) {
            entry.insert(keys::ed25519_key(&comment)?.into());
        }
    }
    Ok(())
}
