//! Volumes that only libvirt and the QEMU of one machine may read, for probes.

use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;

use super::volumes::describe;
use super::{Answer, Client, Volume, xml};

const BYTES: u64 = 1 << 20;
/// libvirt gives the file to QEMU's user while a machine uses it.
const PRIVATE: &str = "<permissions><mode>0600</mode></permissions>";

impl Client {
    /// An empty file of 1 MiB, all holes.
    pub fn create_private_volume(&self, pool: &str, name: &str) -> Answer<Volume> {
        self.create_private(pool, name, "raw", "")
    }

    /// A copy-on-write layer over such a file, whose path is given.
    pub fn create_private_layer(&self, pool: &str, name: &str, base: &str) -> Answer<Volume> {
        let base = xml::escape(base);
        let backing = format!("<backingStore><path>{base}</path><format type='raw'/></backingStore>");
        self.create_private(pool, name, "qcow2", &backing)
    }

    fn create_private(&self, pool: &str, name: &str, format: &str, backing: &str) -> Answer<Volume> {
        let handle = StoragePool::lookup_by_name(&self.connect, pool)?;
        let xml = format!(
            "<volume><name>{}</name><capacity unit='bytes'>{BYTES}</capacity><allocation>0</allocation>\
             <target><format type='{format}'/>{PRIVATE}</target>{backing}</volume>",
            xml::escape(name)
        );
        describe(pool, &StorageVol::create_xml(&handle, &xml, 0)?)
    }
}
