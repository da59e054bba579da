//! `doctor --install-tools`, and the offer of `init`: fetches OpenTofu and ansible-core for people who lack them, into
//! a folder of the cache, without root. What of the user's own works is left alone, and is used before what is here.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::blocking::blocking;
use super::operation::millis;
use super::user_dirs::{CacheDirs, fetched_tools};
use super::{Confirm, Context};
use crate::catalog::{self, AnsiblePin, FilePin, TOOLS_FILE, ToolPins};
use crate::error::{Error, INSTALL_TOOLS, Result};
use crate::events::{Event, StepOutcome, Unit};
use crate::model::{Spec, address_file_name};
use crate::tools::ansible::Ansible;
use crate::tools::fetched::{self, Turn};
use crate::tools::http::{self, Progress};
use crate::tools::python::{self, Pip, Python, Venv};
use crate::tools::terraform::{Engine, Terraform};
use crate::tools::unpack;

const OPENTOFU: &str = "opentofu";
const ANSIBLE: &str = "ansible-core";
/// The programs that are put into use.
const TOFU: &str = "tofu";
const PLAYBOOK: &str = "ansible-playbook";
/// Downloads, in the folder of the tools. What has come of one is resumed the next time.
const DOWNLOADS: &str = "downloads";

/// Whether something may be fetched.
pub enum Consent<'a> {
    Given,
    Ask(Confirm<'a>),
}

/// What is missing, and what would be fetched for it.
pub(super) struct Order {
    root: PathBuf,
    opentofu: Wanted<(String, FilePin)>,
    ansible: Wanted<AnsibleOrder>,
    pip: FilePin,
}

struct AnsibleOrder {
    pin: AnsiblePin,
    python: Python,
}

enum Wanted<T> {
    /// The words say which program serves.
    Nothing(String),
    Fetch(T),
}

/// Fetches what is missing, if that is wished.
///
/// # Errors
/// Exit code 2: nobody can be asked. Exit code 4: there is no Python that ansible-core runs on. [`Error::Download`];
/// [`Error::Checksum`].
pub async fn run(context: &Context, spec: &Spec, consent: Consent<'_>) -> Result<()> {
    let order = Order::of(spec).await?;
    let Some(question) = order.question() else {
        order.tell_what_serves(context);
        return Ok(());
    };
    let wished = match consent {
        Consent::Given => true,
        Consent::Ask(confirm) => confirm(&question).ok_or_else(|| Error::Usage {
            message: format!("nobody can be asked whether to fetch this: {}", order.lines().join("; ")),
            hint: Some(format!("say it beforehand: {INSTALL_TOOLS} --yes")),
        })?,
    };
    context.interrupt.check()?;
    if wished { order.fill(context).await } else { Ok(()) }
}

impl Order {
    /// Looks what works on this machine. A version that was fetched by another version of this program is replaced.
    pub(super) async fn of(spec: &Spec) -> Result<Order> {
        let pins = pins()?;
        let root = CacheDirs::of_user()?.tools();
        let opentofu = opentofu(spec, &pins).await?;
        let ansible = ansible(&pins).await?;
        Ok(Order { root, opentofu, ansible, pip: pins.pip })
    }

    /// What would be fetched, from where and how large it is, and whether it may be; None: nothing is missing.
    pub(super) fn question(&self) -> Option<String> {
        let lines = self.lines();
        let last = format!("Fetch this into {}? It needs no root, and changes nothing else.", self.root.display());
        (!lines.is_empty()).then(|| format!("{}\n{}\n{last}", self.missing(), lines.join("\n")))
    }

    /// Why anything is to be fetched.
    fn missing(&self) -> &'static str {
        match (&self.opentofu, &self.ansible) {
            (Wanted::Fetch(_), Wanted::Fetch(_)) => "Terraform (or OpenTofu) and Ansible are missing or too old here.",
            (Wanted::Fetch(_), _) => "Terraform (or OpenTofu) is missing or too old here.",
            _ => "Ansible is missing or too old here.",
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Wanted::Fetch((version, file)) = &self.opentofu {
            lines.push(format!("OpenTofu {version}, about {} from {}", megabytes(file.bytes), host(&file.url)));
        }
        if let Wanted::Fetch(AnsibleOrder { pin, python }) = &self.ansible {
            let (packages, size) = (pin.packages(), megabytes(pin.bytes));
            lines.push(format!(
                "ansible-core {} with what it needs ({packages} packages), about {size} from PyPI (or the index that \
                 pip is set to), for Python {} ({})",
                pin.version,
                python.version,
                python.program.display()
            ));
            if !python.has_pip {
                let (size, host) = (megabytes(self.pip.bytes), host(&self.pip.url));
                lines.push(format!("pip, about {size} from {host}, because this Python has none"));
            }
        }
        lines
    }

    /// Fetches it. Two at once take turns, and the second finds it done.
    pub(super) async fn fill(self, context: &Context) -> Result<()> {
        let waits = || context.sink.detail(OPENTOFU, "another exasol is installing tools: waiting for it");
        let turn = Turn::take(&self.root, waits, &context.interrupt).await?;
        match &self.opentofu {
            Wanted::Nothing(serves) => tell_unchanged(context, OPENTOFU, serves),
            Wanted::Fetch((version, file)) => {
                let step = Step::begin(context, OPENTOFU);
                step.end(self.fetch_opentofu(&step, &turn, version, file).await)?;
            }
        }
        match &self.ansible {
            Wanted::Nothing(serves) => tell_unchanged(context, ANSIBLE, serves),
            Wanted::Fetch(ansible) => {
                let step = Step::begin(context, ANSIBLE);
                step.end(self.fetch_ansible(&step, &turn, ansible).await)?;
            }
        }
        fetched::remove(&self.root.join(DOWNLOADS))
    }

    async fn fetch_opentofu(&self, step: &Step<'_>, turn: &Turn, version: &str, file: &FilePin) -> Result<String> {
        let name = format!("{OPENTOFU}-{version}");
        if !turn.is_in_use(TOFU, &name) {
            let archive = self.download(step, file).await?;
            let program = turn.folder(&name)?.join(TOFU);
            let half = Half::new(&program);
            let dest = program.clone();
            blocking(move || unpack::program(&archive, TOFU, &dest)).await?;
            // What does not start here (a folder without exec) is of no use.
            step.context.interrupt.run(Terraform::at(Engine::Tofu, program.clone(), None)).await??;
            half.keep();
            turn.put_into_use(TOFU, &program)?;
        }
        Ok(format!("{version} in {}", self.root.display()))
    }

    async fn fetch_ansible(&self, step: &Step<'_>, turn: &Turn, order: &AnsibleOrder) -> Result<String> {
        let AnsibleOrder { pin, python } = order;
        let name = format!("{ANSIBLE}-{}-python{}", pin.version, python.version);
        if !turn.is_in_use(PLAYBOOK, &name) {
            let pip = match python.has_pip {
                true => Pip::Own,
                false => Pip::Wheel(self.download(step, &self.pip).await?),
            };
            // A virtual environment cannot be moved: it is made where it stays, and comes into use by its link.
            let folder = turn.folder(&name)?;
            let half = Half::new(&folder);
            let interrupt = &step.context.interrupt;
            let venv = Venv::make(python, &pip, &folder, interrupt).await?;
            let requirements = folder.join("requirements.txt");
            std::fs::write(&requirements, &pin.requirements)
                .map_err(Error::io(format!("cannot write {}", requirements.display())))?;
            let mut tell = |line: &str| {
                if line.trim_start().starts_with("Downloading ") {
                    step.detail(line.trim());
                }
            };
            venv.install(&pip, &requirements, interrupt, &mut tell).await?;
            let program = venv.program(PLAYBOOK);
            interrupt.run(Ansible::at(program.clone(), None)).await??;
            half.keep();
            turn.put_into_use(PLAYBOOK, &program)?;
        }
        Ok(format!("{} in {}", pin.version, self.root.display()))
    }

    async fn download(&self, step: &Step<'_>, file: &FilePin) -> Result<PathBuf> {
        let dest = self.root.join(DOWNLOADS).join(address_file_name(&file.url));
        let request = http::Request { url: &file.url, dest: &dest, sha256: Some(&file.sha256), offline: false };
        http::download(&request, &mut |notice| step.tell(notice), &step.context.interrupt).await?;
        Ok(dest)
    }

    fn tell_what_serves(&self, context: &Context) {
        if let (Wanted::Nothing(terraform), Wanted::Nothing(ansible)) = (&self.opentofu, &self.ansible) {
            tell_unchanged(context, OPENTOFU, terraform);
            tell_unchanged(context, ANSIBLE, ansible);
        }
    }
}

fn pins() -> Result<ToolPins> {
    let Some(path) = std::env::var_os(TOOLS_FILE).map(PathBuf::from) else { return Ok(catalog::tools().clone()) };
    let text = std::fs::read_to_string(&path).map_err(Error::io(format!("{TOOLS_FILE}: {}", path.display())))?;
    catalog::parse_tools(&text).map_err(|why| Error::Usage {
        message: format!("{TOOLS_FILE}: {}: {why}", path.display()),
        hint: Some("see docs/packages.md for its form".into()),
    })
}

async fn opentofu(spec: &Spec, pins: &ToolPins) -> Result<Wanted<(String, FilePin)>> {
    let wanted = spec.engine.as_deref().and_then(Engine::parse);
    let pin = &pins.opentofu;
    match Terraform::find(wanted, &fetched_tools()).await {
        Ok(found) if found.lease.is_none() || found.version == pin.version => {
            Ok(Wanted::Nothing(format!("{} {}, {}", found.engine.as_str(), found.version, found.program.display())))
        }
        // The checks say what to do.
        Err(_) if wanted == Some(Engine::Terraform) => Ok(Wanted::Nothing("--engine asks for terraform".into())),
        Ok(_) | Err(_) => {
            let uname = rustix::system::uname();
            let arch = uname.machine().to_string_lossy();
            let file = pin.archive.get(arch.as_ref()).ok_or_else(|| Error::ToolMissing {
                tool: format!("OpenTofu for {arch}"),
                needed: Some("the catalogue of tools has none".into()),
                install: "install OpenTofu (https://opentofu.org/docs/intro/install)".into(),
                fetched: false,
            })?;
            Ok(Wanted::Fetch((pin.version.clone(), file.clone())))
        }
    }
}

async fn ansible(pins: &ToolPins) -> Result<Wanted<AnsibleOrder>> {
    let found = Ansible::find(&fetched_tools()).await;
    if let Ok(found) = &found
        && (found.lease.is_none() || pins.ansible.iter().any(|pin| pin.version == found.version))
    {
        return Ok(Wanted::Nothing(format!("ansible-core {}, {}", found.version, found.program.display())));
    }
    let pythons = python::on_path().await;
    let fitting = pythons.iter().filter(|python| python.has_venv && pins.ansible_for(&python.version).is_some());
    // One with pip is the shorter way; among equals the usual one comes first.
    let best = fitting.min_by_key(|python| !python.has_pip);
    match best.and_then(|python| Some((python, pins.ansible_for(&python.version)?))) {
        Some((python, pin)) => Ok(Wanted::Fetch(AnsibleOrder { pin: pin.clone(), python: python.clone() })),
        None => Err(no_python(&pythons, pins)),
    }
}

/// Why none of them serves, and what to install.
fn no_python(pythons: &[Python], pins: &ToolPins) -> Error {
    let found = |python: &Python| {
        let lacks = if python.has_venv { "" } else { " without the module venv" };
        format!("{} is version {}{lacks}", python.program.display(), python.version)
    };
    let found: Vec<_> = pythons.iter().map(found).collect();
    Error::ToolMissing {
        tool: format!("Python {} with its module venv, which ansible-core runs on,", pins.pythons()),
        needed: (!found.is_empty()).then(|| found.join("; ")),
        install:
            "install one: sudo apt-get install python3-venv (Debian, Ubuntu), sudo dnf install python3.11 (RHEL 8 \
                  and its relatives), sudo zypper install python311 (Leap 15)"
                .into(),
        fetched: false,
    }
}

/// A file or folder that is removed again unless it becomes whole.
struct Half<'a> {
    path: Option<&'a Path>,
}

impl<'a> Half<'a> {
    fn new(path: &'a Path) -> Self {
        Self { path: Some(path) }
    }

    fn keep(mut self) {
        self.path = None;
    }
}

impl Drop for Half<'_> {
    fn drop(&mut self) {
        // What stays has no link, and goes with the next attempt.
        let _ = self.path.map(fetched::remove);
    }
}

/// What is fetched, as a step for whoever watches.
struct Step<'a> {
    context: &'a Context,
    id: &'static str,
    began: Instant,
}

impl<'a> Step<'a> {
    fn begin(context: &'a Context, id: &'static str) -> Self {
        context.sink.emit(Event::StepStarted { step: id });
        Self { context, id, began: Instant::now() }
    }

    fn detail(&self, message: &str) {
        self.context.sink.detail(self.id, message);
    }

    fn tell(&self, progress: Progress) {
        match progress {
            Progress::Bytes { done, total } => {
                self.context.sink.emit(Event::StepProgress { step: self.id, done, total, unit: Unit::Bytes });
            }
            Progress::Note(note) => self.detail(&note),
        }
    }

    fn end(&self, result: Result<String>) -> Result<()> {
        let outcome = if result.is_ok() { StepOutcome::Done } else { StepOutcome::Failed };
        let elapsed_ms = millis(self.began);
        let detail = result.as_ref().ok().cloned();
        self.context.sink.emit(Event::StepFinished { step: self.id, outcome, elapsed_ms, detail });
        result.map(|_| ())
    }
}

fn tell_unchanged(context: &Context, step: &'static str, serves: &str) {
    let (outcome, detail) = (StepOutcome::Unchanged, Some(serves.to_owned()));
    context.sink.emit(Event::StepFinished { step, outcome, elapsed_ms: 0, detail });
}

/// Nobody needs more digits before a download.
fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

fn host(url: &str) -> String {
    url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(opentofu: bool, python: Option<(&str, bool)>) -> Order {
        let pins = catalog::tools();
        let file = pins.opentofu.archive["x86_64"].clone();
        let ansible = python.map(|(version, has_pip)| AnsibleOrder {
            pin: pins.ansible_for(version).unwrap().clone(),
            python: Python { program: "/usr/bin/python3".into(), version: version.into(), has_venv: true, has_pip },
        });
        let nothing = || "it is there".to_owned();
        Order {
            root: "/home/me/.cache/exasol/tools".into(),
            opentofu: if opentofu {
                Wanted::Fetch((pins.opentofu.version.clone(), file))
            } else {
                Wanted::Nothing(nothing())
            },
            ansible: ansible.map_or_else(|| Wanted::Nothing(nothing()), Wanted::Fetch),
            pip: pins.pip.clone(),
        }
    }

    #[test]
    fn the_question_says_what_from_where_and_how_large() {
        insta::assert_snapshot!(order(true, Some(("3.11", false))).question().unwrap(), @r"
        Terraform (or OpenTofu) and Ansible are missing or too old here.
        OpenTofu 1.12.6, about 35 MB from github.com
        ansible-core 2.19.14 with what it needs (9 packages), about 9 MB from PyPI (or the index that pip is set to), for Python 3.11 (/usr/bin/python3)
        pip, about 2 MB from files.pythonhosted.org, because this Python has none
        Fetch this into /home/me/.cache/exasol/tools? It needs no root, and changes nothing else.
        ");
        let tofu = order(true, None).question().unwrap();
        assert!(!tofu.contains("ansible") && !tofu.contains("pip"), "{tofu}");
        let ansible = order(false, Some(("3.9", true))).question().unwrap();
        assert!(ansible.starts_with("Ansible is missing or too old here.\n"));
        assert!(ansible.contains("2.15.13") && !ansible.contains("OpenTofu") && !ansible.contains("has none"));
        assert_eq!(order(false, None).question(), None);
    }

    #[test]
    fn a_python_that_does_not_serve_is_named() {
        let old = Python { program: "/usr/bin/python3".into(), version: "3.6".into(), has_venv: true, has_pip: true };
        let bare =
            Python { version: "3.12".into(), has_venv: false, program: "/usr/bin/python3.12".into(), ..old.clone() };
        let error = no_python(&[old, bare], catalog::tools());
        let text = error.to_string();
        assert!(
            text.contains("/usr/bin/python3 is version 3.6; /usr/bin/python3.12 is version 3.12 without"),
            "{text}"
        );
        assert!(error.hint().unwrap().contains("python3-venv") && error.exit_code() == 4);
        assert!(no_python(&[], catalog::tools()).to_string().ends_with("runs on, was not found on PATH"));
    }
}
