//! What a database needs of a node. The rehearsal, which has none, does with less.

/// Memory in MB below which nobody is known to have started one: the Bash deployer's tests start 2025.1 with 4 GB.
pub const MEMORY_MB: u64 = 4096;

/// Memory in MB from which on nothing is said: Exasol's guides want 4 GB for the database and as much again for the
/// system.
pub const ENOUGH_MEMORY_MB: u64 = 8192;

/// Size in GB of a root disk that has [`HOME_FREE_GB`] free beside a system, its packages and logs.
pub const ROOT_DISK_GB: u32 = 30;

/// Free in the login's home before an installation, on every node (Exasol's documentation, "Install Exasol 8").
pub const HOME_FREE_GB: u32 = 20;
