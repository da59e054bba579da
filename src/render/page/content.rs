use serde::Serialize;

/// How a state looks; a word always stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    Good,
    Warning,
    Bad,
    /// It goes on now.
    Active,
    /// Off, or nobody knows.
    Quiet,
}

/// Everything that a report shows. Texts are clean of secrets and control characters.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// The deployment's name.
    pub title: String,
    /// When the page was made, in words.
    pub made_at: String,
    /// The version of this program.
    pub exasol: String,
    pub tone: Tone,
    /// `database_ready`, and why that is said.
    pub status: String,
    pub reason: String,
    pub facts: Vec<Fact>,
    /// What runs now.
    pub running: Option<String>,
    /// Why the last operation failed.
    pub trouble: Option<Trouble>,
    /// Commands that lead on from here.
    pub next: Vec<String>,
    pub nodes: Vec<NodeBox>,
    pub buses: Vec<Bus>,
    pub health: Health,
    /// The newest first.
    pub runs: Vec<Run>,
    /// Earlier ones that are logged and not shown.
    pub more_runs: usize,
    pub components: Vec<Component>,
    pub spec: Vec<Fact>,
    /// What could not be had, and why.
    pub missing: Vec<Fact>,
}

/// A label and its value.
#[derive(Debug, Clone, Serialize)]
pub struct Fact {
    pub name: String,
    pub value: String,
}

impl Fact {
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Fact {
        Fact { name: name.into(), value: value.into() }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Trouble {
    /// "deploy failed with the code timeout, 29 Nov 2026, 12:38:01 UTC"
    pub what: String,
    pub message: String,
}

/// A network that nodes are on.
#[derive(Debug, Clone, Serialize)]
pub struct Bus {
    pub kind: BusKind,
    pub name: String,
    /// What it is for, who may use it.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BusKind {
    /// What users dial.
    Public,
    /// What nodes use among themselves.
    Private,
    Overlay,
}

/// A node with its disks.
#[derive(Debug, Clone, Serialize)]
pub struct NodeBox {
    pub name: String,
    pub tone: Tone,
    /// A few words: "SQL answers".
    pub state: String,
    /// Addresses in the networks, by their kind.
    pub public: Option<String>,
    pub private: Option<String>,
    pub overlay: Option<String>,
    /// What was asked of it, and what it said.
    pub answers: Vec<Answer>,
    /// GB.
    pub root_gb: u32,
    /// GB of each.
    pub data_gb: Vec<u32>,
}

/// What a question got: "SSH: no answer within 5 s".
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    pub tone: Tone,
    pub name: String,
    pub word: String,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Health {
    pub tone: Tone,
    pub summary: String,
    /// Where that is from, and why it is no fresher.
    pub source: String,
    /// Names of layers; empty where only issues are known.
    pub layers: Vec<String>,
    pub rows: Vec<LayerRow>,
    pub issues: Vec<Issue>,
    /// Earlier looks, the newest first.
    pub looks: Vec<Look>,
}

#[derive(Debug, Clone, Serialize)]
pub struct LayerRow {
    pub node: String,
    /// A tone and a word for each layer.
    pub cells: Vec<(Tone, String)>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Issue {
    pub tone: Tone,
    pub severity: String,
    /// Its node, or the deployment.
    pub place: String,
    pub kind: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Look {
    pub at: String,
    pub tone: Tone,
    pub words: String,
}

/// An operation that was logged.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// `deploy`
    pub operation: String,
    pub started: String,
    pub tone: Tone,
    /// "done in 2 min 13 s"
    pub outcome: String,
    pub total_ms: u64,
    pub steps: Vec<Step>,
    /// Titles of steps that it did not reach.
    pub not_reached: Vec<String>,
    pub notes: Vec<Note>,
    pub more_notes: usize,
}

#[derive(Debug, Clone, Serialize)]
pub struct Step {
    pub title: String,
    pub tone: Tone,
    /// "done", "failed", "nothing to do"
    pub outcome: String,
    /// From the operation's beginning.
    pub from_ms: u64,
    pub ms: u64,
    pub detail: Option<String>,
    pub nodes: Vec<NodeSpan>,
    /// Nodes that are not shown.
    pub more_nodes: usize,
}

/// What a node did in a step.
#[derive(Debug, Clone, Serialize)]
pub struct NodeSpan {
    pub node: String,
    pub tone: Tone,
    /// "14 tasks, 1 failed"
    pub words: String,
    pub from_ms: u64,
    pub ms: u64,
}

/// Something in an operation that is worth a look.
#[derive(Debug, Clone, Serialize)]
pub struct Note {
    pub tone: Tone,
    /// "warning", "task failed", "console"
    pub kind: String,
    pub place: String,
    pub text: String,
}

/// A program, and its version or what is wrong with it.
#[derive(Debug, Clone, Serialize)]
pub struct Component {
    pub name: String,
    pub version: String,
    pub remark: String,
}
