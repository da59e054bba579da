//! What can be installed and on what: versions of the database, sizes of machines.
//!
//! Belongs here: `versions.toml` and `providers.toml`, which are commented and are the reference,
//! and the code that reads them. Does not belong here: fetching, environment variables, defaults
//! of flags. Both files are part of the binary and are read once; tests prove that they are good,
//! so that nothing can fail when a user runs it.

pub mod needs;
mod providers;
mod versions;

pub use providers::{
    InstanceType, default_instance_type, default_region, instance_type, instance_types, provider_table, region, regions,
};
pub use versions::{Artifact, DbVersion, RELEASE_TREE, find_version, is_rehearsal, versions};
