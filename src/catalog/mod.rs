//! What can be installed and on what: versions of the database, sizes of machines, programs for this machine.
//!
//! Belongs here: `versions.toml`, `providers.toml`, `tools.toml` and `checksums.toml`, which are commented and are the reference,
//! and the code that reads them. Does not belong here: fetching, environment variables, defaults
//! of flags. The files are part of the binary and are read once; tests prove that they are good,
//! so that nothing can fail when a user runs it. A catalogue of
//! releases that a user brings has the same form; `ops` reads the file.

mod addresses;
mod checksums;
mod file;
pub mod needs;
mod numbers;
mod providers;
mod tools;
mod versions;

pub use checksums::{CHECKSUMS_FILE, ProviderChecksums, parse_checksums, provider_checksums};
pub use numbers::{
    KNOWN, Number, RELEASE_SERVER, c4_on_server, is_c4_version, newest_c4, next_numbers, number_of_file, on_server,
};
pub use providers::{
    InstanceType, default_instance_type, default_region, instance_type, instance_types, provider_table, region,
    regions, rehearsal_default,
};
pub use tools::{AnsiblePin, FilePin, TOOLS_FILE, ToolPins, parse_tools, tools};
pub use versions::{find_among, find_version, is_rehearsal, of_spec, parse_catalog, unknown, versions};
