//! libvirt/KVM: machines on this workstation's hypervisor, or on one reached over SSH.
//!
//! Belongs here: all that is particular to libvirt. Calls of libvirt are in `client/`, and only
//! there is the `virt` crate named. Does not belong here: programs, downloads, files of the
//! deployment directory. Everything blocks; callers use `spawn_blocking`.

mod base_volume;
mod client;
mod connection;
mod console_line;
mod create;
mod default_image;
mod definition;
mod distro;
mod facts;
mod flat;
mod host;
mod image;
mod machines;
mod marks;
mod mending;
mod options;
mod preflight;
mod probe;
mod reach;
mod recognize;
mod route;
mod routes;
mod seed;
mod site;
mod tfvars;
mod uri;
mod versions;
mod xml_edit;
mod xslt;

use super::{Hypervisor, Place, Provider, Resources, StandIn};
use crate::model::DeploymentId;
use options::Options;

pub static PROVIDER: Provider = Provider {
    name: options::PROVIDER,
    title: "libvirt/KVM",
    templates: |name| vec![format!("terraform-{name}")],
    options: options::OPTIONS,
    resources: Resources {
        machines: &["libvirt_domain", "libvirt_volume.root"],
        data_disks: &["libvirt_volume.data"],
        frozen: &[],
    },
    disk_link: Some(|disk| format!("disk/by-id/wwn-0x{}", disk.wwn)),
    size: |spec, facts| Ok(Some(Options::from_spec(spec)?.size_with(facts::Facts::from_map(facts).ok().as_ref()))),
    validate: |spec| Options::from_spec(spec)?.check_given(spec.cluster_size),
    preflight: preflight::run,
    tfvars: tfvars::tfvars,
    place: Place::Hypervisor(&Hypervisor {
        open: |spec| Ok(Box::new(connection::Libvirt::open(spec)?)),
        base_image: |spec, facts| Options::from_spec(spec)?.image.on(&facts::Facts::from_map(facts)?.architecture),
        check_image: preflight::downloaded_image,
        existing: connection::existing,
        sizes: &["options.memory", "options.vcpus"],
        no_more_terraforms: &["libvirt_cloudinit_disk"],
        cut_off: machines::cut_off,
        keep_address: machines::keep_address,
        show_leases: machines::show_leases,
        console_address: console_line::parse,
        removal: machines::removal,
        login: route::login,
        terraform_variables: route::terraform_variables,
        versions: versions::versions,
        stand_in: Some(StandIn {
            program: "xsltproc",
            options: &["--nomkdir", "--nonet", "--nowrite"],
            transform: xslt::transform,
        }),
        default_image: || default_image::default_image(std::env::consts::ARCH).map(|image| image.url.clone()),
    }),
};

/// The name of a deployment's own network.
fn own_network_name(id: &DeploymentId) -> String {
    id.named("net")
}

/// Machines as libvirt has described them.
#[cfg(test)]
const RECORDED: [&str; 2] = [
    include_str!("../../../tests/fixtures/libvirt/by-path.xml"),
    include_str!("../../../tests/fixtures/libvirt/by-volume.xml"),
];
