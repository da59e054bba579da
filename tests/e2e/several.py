"""Two hypervisors: the lab in which this runs, and another one that `scripts/lab join` has joined with it."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import time

import hypervisor
from day_two import domain, ready
from steps import step

CONFIG = pathlib.Path("/etc/ssh/ssh_config.d/join.conf")
THERE = "qemu+ssh://other-lab/system"


def inside(*words, check=True):
    """Runs a command on the other machine."""
    holder = re.search(r"nsenter -n -t (\d+)", CONFIG.read_text()).group(1)
    line = ["nsenter", "-t", holder, "-m", "-n", "--", *words]
    return subprocess.run(line, check=check, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def virsh_there(*words):
    return inside("virsh", "-q", "-c", "qemu:///system", *words)


def inventory_there():
    virsh_there("pool-refresh", "default")
    names = lambda text: sorted(line.split()[0] for line in text.splitlines() if line.strip())  # noqa: E731
    volumes = [name for name in names(virsh_there("vol-list", "default")) if not name.startswith(hypervisor.SHARED_PREFIX)]
    return names(virsh_there("list", "--all", "--name")), names(virsh_there("net-list", "--all", "--name")), volumes


@contextlib.contextmanager
def daemon_there_down():
    pid = inside("cat", "/run/libvirtd.pid").strip()
    inside("kill", "-TERM", pid)
    while os.path.exists(f"/proc/{pid}/exe"):
        time.sleep(0.05)
    try:
        yield
    finally:
        inside("env", "-i", f"PATH={os.environ['PATH']}", f"HOME={os.environ['HOME']}", "LC_ALL=C.UTF-8", "libvirtd", "-d")


@step
def two_hypervisors(system):
    system.before_there = inventory_there()
    system.elsewhere = {node: virsh_there for node in system.names[1::2]}


@step
def nat_refused(system):
    """Inside of each host there is a network 'default', which leads to no other host."""
    options = ["--cluster-size", "2", "--libvirt-uri", "qemu:///system", "--libvirt-uri", THERE]
    text = system.exasol("init", "--db-version", "rehearsal", *options).expect(4).text
    assert "is a NAT network" in text and "--libvirt-network BRIDGE" in text, text
    assert not system.dir.exists()


@step
def on_both(system):
    """The odd nodes are here, the even ones there, and nothing is on both."""
    here = {node for node in system.names if domain(system, node) in hypervisor.lines("list", "--name")}
    there = {node for node in system.names if domain(system, node) in virsh_there("list", "--name").split()}
    assert (here, there) == (set(system.names[0::2]), set(system.names[1::2])), (here, there)
    report = system.exasol("deploy", "--plan", "--json").expect(0).json()
    assert (report["create"], report["delete"]) == (0, 0), report


def power_on_both(system, wanted):
    for node in system.names:
        info = system.virsh(node)("dominfo", domain(system, node))
        assert wanted in info, (node, info)


@step
def stopped_on_both(system):
    result = system.exasol("stop", "--json").expect(0)
    system.note("stop", result.seconds)
    power_on_both(system, "shut off")
    report = system.exasol("status", "--json").expect(0).json()
    assert report["status"] == "stopped" and {n["vm"] for n in report["nodes"]} == {"off"}, report


@step
def started_on_both(system):
    result = system.exasol("start", "--json").expect(0)
    system.note("start", result.seconds)
    assert ready(system)
    power_on_both(system, "running")


@step
def one_down(system):
    """Its daemon is down: status says which, destroy removes nothing and says what is still there."""
    ids = json.loads((system.dir / "deployment.json").read_text())
    with daemon_there_down():
        report = system.exasol("status", "--json").expect(0).json()
        vms = {node["name"]: node["vm"] for node in report["nodes"]}
        assert vms == {node: "running" if at % 2 == 0 else "unknown" for at, node in enumerate(system.names)}, vms
        assert all("other-lab" in n["vm_reason"] for n in report["nodes"] if n["vm"] == "unknown"), report
        assert "other-lab" in report["reason"], report["reason"]
        error = json.loads(system.exasol("destroy", "--yes", "--json").expect(4).stdout.splitlines()[-1])["error"]
        text = json.dumps(error)
        assert "other-lab" in text and "n12 and n14" in text and domain(system, "n11") in text, text
        assert json.loads((system.dir / "deployment.json").read_text())["phase"] == ids["phase"]
        assert domain(system, "n11") in hypervisor.lines("list", "--name"), "nothing was removed here"
        refused = system.exasol("stop", "--json").expect(4).text
        assert "other-lab" in refused, refused
    assert ready(system)


@step
def nothing_left_there(system):
    found = inventory_there()
    assert found == system.before_there, f"left behind: {found}, before: {system.before_there}"
