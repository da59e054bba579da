// Builds the libvirt provider from source, at a pinned version, for the lab.
// Nothing here is shipped: users' machines get it by `terraform init`.
module exasol.lab/provider

go 1.23

require github.com/dmacvicar/terraform-provider-libvirt v0.8.3
