pub mod http;
mod lines;
pub mod plan;
mod plugin_cache;
pub mod process;
pub mod quote;
pub mod terraform;
mod terraform_events;
