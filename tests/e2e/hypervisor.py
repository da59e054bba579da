"""What libvirt itself says: the witness for cleanup, and the source of truth for disks."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree

# Base images belong to the cache: they stay after destroy and go with `cache prune`.
SHARED_PREFIX = "exasol-base-"


def virsh(*arguments, check=True):
    """Standard output of a virsh command."""
    done = subprocess.run(["virsh", "-q", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if check and done.returncode != 0:
        raise AssertionError(f"virsh {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def lines(*arguments):
    return sorted(line.split()[0] for line in virsh(*arguments).splitlines() if line.strip())


def inventory():
    """Everything that libvirt has: domains, snapshots, volumes of active pools, networks, pools."""
    found = {"domains": lines("list", "--all", "--name"), "networks": lines("net-list", "--all", "--name")}
    found["snapshots"] = [
        f"{domain}/{name}" for domain in found["domains"] for name in lines("snapshot-list", domain, "--name")
    ]
    found["pools"] = lines("pool-list", "--all", "--name")
    for pool in lines("pool-list", "--name"):
        # Files that somebody else wrote into a pool count too.
        virsh("pool-refresh", pool)
    found["volumes"] = sorted(
        f"{pool}/{volume}"
        for pool in lines("pool-list", "--name")
        for volume in lines("vol-list", pool)
        if not volume.startswith(SHARED_PREFIX)
    )
    return found


def disks(domain, virsh=virsh):
    """The SCSI disks of a domain: {wwn: size in bytes}."""
    tree = ElementTree.fromstring(virsh("dumpxml", domain))
    found = {}
    for disk in tree.findall("./devices/disk[@device='disk']"):
        wwn = disk.findtext("wwn")
        if not wwn:
            continue
        target = disk.find("target").get("dev")
        for row in virsh("domblkinfo", domain, target).splitlines():
            if row.startswith("Capacity:"):
                found[wwn] = int(row.split()[1])
    return found


def reboot_host():
    """As a reboot of the host leaves its libvirt: nothing runs but what starts by itself."""
    for domain in lines("list", "--name"):
        virsh("destroy", domain)
    for network in lines("net-list", "--name"):
        virsh("net-destroy", network)
    with without_daemon():
        # By these libvirt knows that it has been started since the host was.
        for driver in ("qemu", "network", "storage"):
            pathlib.Path(f"/run/libvirt/{driver}/autostarted").unlink(missing_ok=True)


@contextlib.contextmanager
def without_daemon():
    """The lab's libvirtd is down for as long as the block lasts; guests go on."""
    assert os.environ.get("EXASOL_LAB"), "only a lab's daemon is ended"
    with open("/run/libvirtd.pid", encoding="ascii") as file:
        pid = int(file.read())
    os.kill(pid, signal.SIGTERM)
    while os.path.exists(f"/proc/{pid}/exe"):
        time.sleep(0.05)
    try:
        yield
    finally:
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LC_ALL": "C.UTF-8"}
        subprocess.run(["libvirtd", "-d"], env=environment, check=True)
