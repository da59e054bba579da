//! The deployment directory as a type: what is in it, who may write it, and when.
//!
//! Belongs here: every write below a deployment's directory (Terraform's own files apart), the
//! lock, the phases' transitions, secrets and the keys that are made for a deployment. Does not
//! belong here: what the rendered files say (`render`), when an operation runs (`ops`), and
//! anything that talks to a machine.
//!
//! | file | concept |
//! | --- | --- |
//! | `dir` | [`DeploymentDir`]: an existing deployment, for reading |
//! | `adopted` | [`Adopted`]: what is special about a directory that `adopt` made |
//! | `create` | how `init` makes one, all or nothing |
//! | `locked` | [`Locked`]: the same with the lock held, for writing |
//! | `record` | what operations write down in the state, one verb each |
//! | `state` | [`State`]: `deployment.json` |
//! | `secrets` | [`Secrets`]: `secrets.json` |
//! | `lock` | the lock itself (OFD) |
//! | `kept` | which files nothing else can bring back, and what makes each readable |
//! | `previous` | earlier copies of these |
//! | `remains` | [`Remains`]: a directory of which any file may be damaged, for reading |
//! | `mending` | [`Mending`]: the same with the lock held; copies take the place of what is broken |
//! | `migrate` | from an earlier schema of `deployment.json` to today's |
//! | `atomic` | files that are there completely or not at all, with exact modes |
//! | `edits` | which rendered files were edited by hand |
//! | `transitions` | which operation runs from which phase, and what it leads to |
//! | `names` | what is in a directory |
//! | `trust` | whether somebody else could change what is in it |
//! | `leave` | what becomes of the directory of a destroyed deployment |
//! | `oplog` | [`OpLog`]: the log folder of one operation |
//! | `debug_log` | [`DebugLog`]: `debug.log` in the running operation's folder |
//! | `index` | [`Index`]: which deployments a user has, kept outside of their directories |
//! | `keys` | passwords, ids, SSH keys, password hashes |
//!
//! ```text
//! deployment.json        schema, id, spec, phase, timestamps, last error: no secrets
//! secrets.json           passwords and private keys, 0600
//! .lock                  held while an operation runs; who holds it, as JSON, for people
//! .init-in-progress      only while `init` works: what it is going to write
//! terraform/ ansible/ ssh/   rendered, and Terraform's own state
//! previous/              earlier copies of deployment.json, secrets.json and Terraform's state, 0700
//! logs/<time>-<operation>/   one folder an operation
//! README.md
//! ```

mod adopted;
mod atomic;
mod create;
mod debug_log;
mod dir;
mod edits;
mod history;
mod index;
mod kept;
pub mod keys;
mod leave;
mod lock;
mod locked;
mod mending;
mod migrate;
mod names;
mod oplog;
mod previous;
mod record;
mod remains;
mod secrets;
mod state;
pub mod transitions;
pub mod trust;

#[cfg(test)]
mod testing;

pub use adopted::Adopted;
pub use create::NewDeployment;
pub use debug_log::DebugLog;
pub use dir::DeploymentDir;
pub use index::{Found, Index, IndexEntry, Remembered, find as find_deployment};
pub use kept::{Content, Kept, Unreadable};
pub use lock::LockStatus;
pub use locked::{EditPolicy, Locked};
pub use mending::Mending;
pub use oplog::{EVENTS_FILE, LogFolder, OpLog};
pub use previous::{Copied, copies as previous_copies};
pub use record::{Trouble, Update};
pub use remains::{Loose, Reading, Remains};
pub use secrets::Secrets;
pub use state::State;
