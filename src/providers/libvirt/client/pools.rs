//! Storage pools.

use virt::storage_pool::StoragePool;

use super::{Answer, Client, Fault, found, xml};

/// A storage pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Pool {
    pub name: String,
    /// `dir`, `fs`, `netfs`, `logical`, `rbd`, …
    pub kind: String,
    /// Where its volumes are on the hypervisor.
    pub path: Option<String>,
    pub active: bool,
    /// Whether it is started with its host; none for a pool without a definition, which is gone after that.
    pub autostart: Option<bool>,
    /// Bytes that are free; 0 while it is not active.
    pub available: u64,
}

impl Client {
    /// `None` where there is no pool of that name. Looks at the disk again if it is active.
    pub fn pool(&self, name: &str) -> Answer<Option<Pool>> {
        let Some(pool) = found(StoragePool::lookup_by_name(&self.connect, name))? else { return Ok(None) };
        if pool.is_active()? {
            // Files that other programs put there or took away. A pool that can't be refreshed still has its numbers.
            let _ = pool.refresh(0);
        }
        describe(&pool).map(Some)
    }

    pub fn active_pools(&self) -> Answer<Vec<Pool>> {
        let pools = self.connect.list_all_storage_pools(virt_sys::VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)?;
        pools.iter().map(describe).collect()
    }

    /// Those that are not active, too.
    pub fn pools(&self) -> Answer<Vec<Pool>> {
        self.connect.list_all_storage_pools(0)?.iter().map(describe).collect()
    }

    /// Defines a directory pool that is there after a reboot, makes the directory if it is missing, starts the pool.
    pub fn create_directory_pool(&self, name: &str, path: &str) -> Answer<()> {
        let (name, path) = (xml::escape(name), xml::escape(path));
        let xml = format!("<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>");
        start(&StoragePool::define_xml(&self.connect, &xml, 0)?)
    }

    /// Starts a pool that is defined, now and at every boot. The folder of a directory pool is made if it is missing.
    pub fn start_pool(&self, name: &str) -> Answer<()> {
        start(&StoragePool::lookup_by_name(&self.connect, name)?)
    }
}

fn start(pool: &StoragePool) -> Answer<()> {
    if !pool.is_active()?
        && let Err(fault) = pool.create(0).map_err(Fault::from)
    {
        // To build another kind of pool may format a device, and a folder that is there needs nothing.
        if describe(pool)?.kind != "dir" || !is_missing_folder(&fault.message) {
            return Err(fault);
        }
        pool.build(0)?;
        pool.create(0)?;
    }
    pool.set_autostart(true)?;
    Ok(())
}

/// libvirt 9.0: "cannot open directory '/data/vm': No such file or directory".
fn is_missing_folder(message: &str) -> bool {
    message.ends_with("No such file or directory")
}

fn describe(pool: &StoragePool) -> Answer<Pool> {
    let info = pool.get_info()?;
    let name = pool.get_name()?;
    let active = pool.is_active()?;
    let autostart = if pool.is_persistent()? { Some(pool.get_autostart()?) } else { None };
    xml::read(&pool.get_xml_desc(0)?, |root| Pool {
        name,
        kind: root.attribute("type").unwrap_or_default().to_owned(),
        path: xml::text(root, &["target", "path"]),
        active,
        autostart,
        available: if active { info.available } else { 0 },
    })
}
