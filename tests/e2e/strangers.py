"""Other people's things on the same hypervisor, with names that could be taken for ours."""

import hashlib
import pathlib

import hypervisor
from hypervisor import virsh
from steps import step

# The smallest machine that libvirt takes; it never runs anything.
DOMAIN = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64'>hvm</type></os><description>somebody's</description></domain>"""
NETWORK = "<network><name>{name}</name><description>somebody's</description></network>"
POOL = "<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>"


def names(deployment):
    """As confusing as can be: no one of them is given by `exasol`."""
    other = deployment[:-1] + ("0" if deployment[-1] != "0" else "1")
    domains = ["n11", deployment + "x", deployment + "x-n11", f"my-{deployment}-n11", f"{deployment}-n11-clone", f"{other}-n11"]
    volumes = [
        "n11-root.qcow2", f"{deployment}.qcow2", f"{deployment}-n11-root-clone.qcow2", f"{deployment}-n11-data-01-backup.qcow2",
        f"{deployment}x-n11-root.qcow2", f"{other}-n11-root.qcow2", f"{other}-n11-seed.img",
    ]  # fmt: skip
    networks = [f"{deployment}-network", f"{deployment}x-net", f"{other}-net"]
    return domains, volumes, networks


def define(kind, xml, folder):
    file = folder / "stranger.xml"
    file.write_text(xml)
    virsh(kind, str(file))


@step
def strangers(system):
    """They come when the deployment is there: some names begin with its id."""
    domains, volumes, networks = names(system.id)
    for name in domains:
        define("define", DOMAIN.format(name=name), system.folder)
    # One that runs, as far as it can: somebody works with it.
    define("create", DOMAIN.format(name=f"{system.id}x-n12"), system.folder)
    virsh("suspend", f"{system.id}x-n12")
    pool = system.options.get("libvirt-pool", "default")
    for name in volumes:
        virsh("vol-create-as", pool, name, "64K", "--format", "raw")
        pathlib.Path(virsh("vol-path", name, "--pool", pool).strip()).write_bytes(name.encode().ljust(65536, b"."))
    for name in networks:
        define("net-define", NETWORK.format(name=name), system.folder)
    place = system.folder / "strangers"
    place.mkdir()
    define("pool-define", POOL.format(name=f"{system.id}-pool", path=place), system.folder)
    system.strangers = seen(system)


@step
def strangers_untouched(system):
    """They are as they were; then they go, so that `nothing_left` compares with the beginning."""
    now = seen(system)
    assert now == system.strangers, {key: (system.strangers.get(key), now.get(key)) for key in {*now, *system.strangers}
                                     if now.get(key) != system.strangers.get(key)}  # fmt: skip
    domains, volumes, networks = names(system.identity)
    virsh("destroy", f"{system.identity}x-n12")
    for name in domains:
        virsh("undefine", name)
    for name in volumes:
        virsh("vol-delete", name, "--pool", system.options.get("libvirt-pool", "default"))
    for name in networks:
        virsh("net-undefine", name)
    virsh("pool-undefine", f"{system.identity}-pool")


def seen(system):
    """Everything about them that could be touched, by name."""
    system.identity = getattr(system, "identity", None) or system.id
    domains, volumes, networks = names(system.identity)
    pool = system.options.get("libvirt-pool", "default")
    found = {}
    for name in [*domains, f"{system.identity}x-n12"]:
        if name in hypervisor.lines("list", "--all", "--name"):
            found[f"domain {name}"] = (virsh("domstate", name).strip(), virsh("dumpxml", name, "--inactive"))
    for name in set(volumes) & set(hypervisor.lines("vol-list", pool)):
        content = pathlib.Path(virsh("vol-path", name, "--pool", pool).strip()).read_bytes()
        found[f"volume {name}"] = hashlib.sha256(content).hexdigest()
    for name in set(networks) & set(hypervisor.lines("net-list", "--all", "--name")):
        found[f"network {name}"] = virsh("net-dumpxml", name)
    for name in set([f"{system.identity}-pool"]) & set(hypervisor.lines("pool-list", "--all", "--name")):
        found[f"pool {name}"] = virsh("pool-dumpxml", name)
    return found
