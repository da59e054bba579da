//! What a deployment asks of libvirt and has done there.

use std::fs::File;
use std::net::IpAddr;
use std::path::Path;

use super::connection::Libvirt;
use super::{base_volume, create, flat, machines, marks, mending, recognize, route, seed};
use crate::error::Result;
use crate::model::{DeploymentId, Machine, NodePlan, Options as Map};
use crate::providers::{CachedVolume, ConsoleReader, Host, Leftover, MarkedThings, Recognized, UploadProgress};

impl Host for Libvirt {
    fn answers(&self) -> bool {
        self.client.daemon_version().is_ok()
    }

    fn create_missing(&self, what: &str) -> Result<String> {
        create::create_missing(&self.client, what)
    }

    fn upload_image(&self, image: &Path, sha256: &str, progress: UploadProgress<'_>) -> Result<String> {
        base_volume::upload(self, image, sha256, progress)
    }

    fn flatten_root(&self, node: &NodePlan) -> Result<()> {
        flat::make(self, node)
    }

    fn download_root(&self, node: &NodePlan, to: &mut File, progress: UploadProgress<'_>) -> Result<String> {
        flat::download(self, node, to, progress)
    }

    fn cached_volumes(&self) -> Result<Vec<CachedVolume>> {
        base_volume::cached(self)
    }

    fn remove_cached_volume(&self, name: &str) -> Result<()> {
        base_volume::remove(self, name)
    }

    fn machines(&self, nodes: &[NodePlan]) -> Result<Vec<Machine>> {
        machines::machines(self, nodes)
    }

    fn switch_on(&self, node: &NodePlan) -> Result<()> {
        machines::switch_on(&self.client, node)
    }

    fn shut_down(&self, node: &NodePlan) -> Result<()> {
        machines::shut_down(&self.client, node)
    }

    fn reset(&self, node: &NodePlan) -> Result<()> {
        machines::reset(&self.client, node)
    }

    fn set_autostart(&self, node: &NodePlan, wanted: bool) -> Result<()> {
        machines::set_autostart(&self.client, node, wanted)
    }

    fn replug(&self, node: &NodePlan) -> Result<()> {
        machines::replug(self, node)
    }

    fn mend(&self, facts: &Map, node: &NodePlan) -> Result<Vec<String>> {
        mending::mend(self, facts, node)
    }

    fn misfits(&self, facts: &Map, node: &NodePlan) -> Result<Vec<String>> {
        mending::misfits(self, facts, node)
    }

    fn discard(&self, node: &NodePlan) -> Result<()> {
        mending::discard(self, node)
    }

    fn provide_seed(&self, node: &NodePlan, user_data: &str) -> Result<()> {
        seed::provide(self, node, user_data)
    }

    fn has_seed(&self, node: &NodePlan) -> Result<bool> {
        seed::is_there(self, node)
    }

    fn remove_seed(&self, node: &NodePlan) -> Result<bool> {
        seed::remove(self, node)
    }

    fn activity(&self, node: &NodePlan) -> Result<Option<u64>> {
        machines::activity(&self.client, node)
    }

    fn follow_consoles(&self, nodes: &[NodePlan], read: ConsoleReader<'_>) -> Result<()> {
        machines::follow_consoles(&self.client, nodes, read)
    }

    fn leftovers(&self, id: &DeploymentId) -> Result<Vec<Leftover>> {
        machines::leftovers(self, id)
    }

    fn marked(&self) -> Result<MarkedThings> {
        marks::marked(self)
    }

    fn recognize(&self, id: &DeploymentId) -> Result<Option<Recognized>> {
        recognize::recognize(self, id)
    }

    fn remove(&self, id: &DeploymentId, leftover: &Leftover) -> Result<()> {
        machines::remove(self, id, leftover)
    }

    fn deployer_addresses(&self, facts: &Map) -> Result<Vec<IpAddr>> {
        route::deployer_addresses(self, facts)
    }
}
