//! What operations write down in the state: one verb for each occasion.
//!
//! Each writes the file before it changes what is in memory, and changes neither on an error. The phase is written by
//! the frame of an operation ([`Locked::begun`], [`Locked::ended`]) and by a repair ([`Locked::proved`]), and by
//! nothing else: a test of the house keeps that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

use super::state::IMAGE_FACT;
use super::{Kept, Locked, State};
use crate::error::Result;
use crate::model::{HashOrigin, LastError, Node, Options, Phase, Spec, WarmUse};

/// What becomes of the error that was recorded last.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    /// It is still there.
    Stays,
    Gone,
    New(LastError),
}

/// What [`Locked::updated`] changes beside the specification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// The pinned checksum is another image's.
    pub other_image: bool,
    /// The engine of the next apply, if that was changed; None in it: whichever is there.
    pub engine: Option<Option<String>>,
}

/// The phase.
impl Locked {
    /// An operation has begun.
    pub fn begun(&mut self, phase: Phase) -> Result<()> {
        self.update(|state| state.enter(phase))
    }

    /// An operation has ended. Copies of what it leaves are kept; of a destroyed deployment nothing is left.
    pub fn ended(&mut self, phase: Phase, trouble: Trouble) -> Result<()> {
        let kept = phase != Phase::Destroyed;
        // First: where the phase says that the operation has ended, the newest copies are of its end.
        if kept {
            self.keep(&[Kept::Secrets, Kept::Terraform]);
        }
        self.update(|state| {
            match trouble {
                Trouble::Stays => {}
                Trouble::Gone => state.last_error = None,
                Trouble::New(error) => state.last_error = Some(error),
            }
            state.enter(phase);
        })?;
        if kept {
            self.keep(&[Kept::State]);
        }
        Ok(())
    }

    /// A look at the nodes has proved another phase than the recorded one.
    pub fn proved(&mut self, phase: Phase) -> Result<()> {
        self.update(|state| state.enter(phase))
    }
}

/// What was asked for.
impl Locked {
    /// `init --update` has changed the specification, which the next deploy applies.
    pub fn updated(&mut self, spec: Spec, update: Update) -> Result<()> {
        self.update(|state| {
            state.spec = spec;
            state.update_pending = true;
            if update.other_image {
                state.image_sha256 = None;
            }
            if let Some(engine) = update.engine {
                state.engine = engine;
            }
        })
    }

    /// A destroyed deployment begins anew, as `init` would have made it: nothing of what it was is left but its name
    /// and what was asked for.
    pub fn renewed(&mut self, fresh: State) -> Result<()> {
        self.update(|state| {
            let rendered = std::mem::take(&mut state.rendered);
            *state = State { rendered, ..fresh };
        })
    }

    /// These passwords are people's own from now on, by their names in `secrets.json`.
    pub fn given_passwords(&mut self, names: BTreeSet<String>) -> Result<()> {
        self.update(|state| state.own_passwords.extend(names))
    }

    /// People call it this from now on.
    pub fn renamed(&mut self, name: String) -> Result<()> {
        self.update(|state| state.name = Some(name))
    }

    /// A release without recorded checksums was downloaded: these are its from now on, lower-case hex. One that is
    /// recorded already stays.
    pub fn pinned_release(&mut self, archive: &str, c4: &str) -> Result<()> {
        self.update(|state| {
            let Some(release) = state.spec.release.as_mut() else { return };
            for (artifact, sha256) in [(&mut release.archive, archive), (&mut release.c4, c4)] {
                if artifact.sha256.is_none() {
                    artifact.pin(sha256.to_owned(), HashOrigin::Pinned);
                }
            }
        })
    }
}

/// What there is.
impl Locked {
    /// What preflight found out that rendering needs.
    pub fn found_facts(&mut self, facts: Options) -> Result<()> {
        self.update(|state| state.facts = facts)
    }

    /// The base image's checksum, lower-case hex: the same image from now on.
    pub fn pinned_image(&mut self, sha256: String) -> Result<()> {
        self.update(|state| state.image_sha256 = Some(sha256))
    }

    /// The base image with that checksum, or this warm base of it, is a volume in the pool.
    pub fn uploaded_image(&mut self, sha256: String, volume: String, warm: Option<WarmUse>) -> Result<()> {
        self.update(|state| {
            state.image_sha256 = Some(sha256);
            state.base_volume = Some(volume);
            state.warm_base = warm;
        })
    }

    /// A cloud has made the machines from this image: later ones get the same.
    pub fn made_from_image(&mut self, id: Value) -> Result<()> {
        self.update(|state| {
            state.facts.insert(IMAGE_FACT.to_owned(), id);
        })
    }

    /// That image does not exist any more: what is made from now on is made from another.
    pub fn forget_image(&mut self) -> Result<()> {
        self.update(|state| {
            state.facts.remove(IMAGE_FACT);
        })
    }

    /// Terraform's state has things in it. Recorded once.
    pub fn made_something(&mut self) -> Result<()> {
        match self.state().made_something {
            true => Ok(()),
            false => self.update(|state| state.made_something = true),
        }
    }

    /// `terraform` or `tofu`: what is applied now.
    pub fn applying(&mut self, engine: &str) -> Result<()> {
        self.update(|state| state.engine = Some(engine.to_owned()))
    }

    /// Names of what the apply that begins now may leave behind if it is killed; none: it has ended.
    pub fn creating(&mut self, names: BTreeSet<String>) -> Result<()> {
        self.update(|state| state.creating = names)
    }

    /// All nodes with their addresses.
    pub fn found_nodes(&mut self, nodes: Vec<Node>) -> Result<()> {
        self.update(|state| state.nodes = nodes)
    }

    /// From where the nodes see this machine.
    pub fn seen_from(&mut self, addresses: BTreeSet<IpAddr>) -> Result<()> {
        self.update(|state| state.seen_from = addresses)
    }
}

/// How far the database is.
impl Locked {
    /// Its installation begins. Recorded once.
    pub fn install_begins(&mut self) -> Result<()> {
        match self.state().install_begun {
            true => Ok(()),
            false => self.update(|state| state.install_begun = true),
        }
    }

    /// Its installation has succeeded, with these private addresses by node.
    pub fn installed(&mut self, told: BTreeMap<String, IpAddr>) -> Result<()> {
        self.update(|state| {
            state.installed = true;
            state.told_addresses = told;
        })
    }

    /// The nodes were told of each other again; `form` is the hash of what they know now.
    pub fn told_nodes(&mut self, told: BTreeMap<String, IpAddr>, form: String) -> Result<()> {
        self.update(|state| {
            state.told_addresses = told;
            state.nodes_form = Some(form);
        })
    }

    /// The certificate's fingerprint, SHA-256, 64 hex digits; None while it is being changed.
    pub fn certificate(&mut self, fingerprint: Option<String>) -> Result<()> {
        self.update(|state| state.certificate_fingerprint = fingerprint)
    }

    /// By node name: the public host keys of its COS container.
    pub fn cos_host_keys(&mut self, keys: BTreeMap<String, Vec<String>>) -> Result<()> {
        self.update(|state| state.cos_host_keys = keys)
    }

    /// It has answered a login on every node.
    pub fn logged_in(&mut self) -> Result<()> {
        self.update(|state| state.ever_ready = true)
    }

    /// A deploy has applied all that was asked for; `form` is the hash of what the nodes know.
    pub fn deployed(&mut self, form: String) -> Result<()> {
        self.update(|state| {
            state.update_pending = false;
            state.nodes_form = Some(form);
        })
    }
}
