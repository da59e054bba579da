//! libvirt.
use super::*;
pub static PROVIDER: Provider = Provider {
    name: "libvirt",
    title: "libvirt/KVM",
    templates: "terraform-libvirt",
    options: &[],
    size: |_| Ok(NodeSize { memory_mb: 4096, vcpus: 2 }),
    validate: |_| Ok(()),
    preflight: |_| Outcome::default(),
    tfvars: |_| Ok(Map::new()),
    programs: &[],
    machine_types: &[],
    disk_types: &[],
    hypervisor: None,
};
