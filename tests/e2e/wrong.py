"""Wrong on purpose: each case breaks one thing, runs one command, and undoes that.

A case must give the documented exit code, the cause, and a command that fixes it; and it must
leave the directory as it was.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile

import hypervisor
import steps
from hypervisor import virsh

STEPS = {}


def step(function):
    STEPS[function.__name__] = function
    return function


@step
def make_pool(system, name="e2e-pool"):
    folder = f"/var/lib/libvirt/{name}"
    virsh("pool-define-as", name, "dir", "--target", folder)
    virsh("pool-build", name)
    virsh("pool-start", name)


@step
def remove_pool(system, name="e2e-pool"):
    for volume in hypervisor.lines("vol-list", name):
        assert volume.startswith(hypervisor.SHARED_PREFIX), f"left behind in {name}: {volume}"
        virsh("vol-delete", volume, "--pool", name)
    virsh("pool-destroy", name)
    virsh("pool-delete", name)
    virsh("pool-undefine", name)


@step
def volumes_in_pool(system, name="e2e-pool"):
    ours = [v for v in hypervisor.lines("vol-list", name) if v.startswith(system.id)]
    assert len(ours) == system.size * (1 + system.disks), ours


@step
def status_destroyed(system):
    steps.status(system, status="destroyed")


@step
def case(system, command, exit, says, env=None, broken=None, stdin=None, prepare=None):
    """Runs `command` while `broken` holds, and looks at exit code, text, JSON error and directory."""
    with BROKEN[broken](system) if broken else contextlib.nullcontext({}) as extra:
        if prepare:
            PREPARED[prepare](system)
        environment = {**(env or {}), **(extra or {})}
        words = [word.format(folder=system.folder, dir=system.dir) for word in command]
        before = directory(system)
        result = system.program.run(*words, "-d", system.dir, env=environment, stdin=stdin)
        assert result.code == exit, f"{words}: exit {result.code}, expected {exit}\n{result.text}"
        for text in says:
            assert text in result.text, f"{words}: does not say {text!r}:\n{result.text}"
        assert directory(system) == before, f"{words} changed the directory"
        parsed = system.program.run(*words, "-d", system.dir, "--json", env=environment, stdin=stdin).json()
        # `doctor` answers with its report; everything else with an error.
        assert parsed["schema"] == 1, parsed
        assert parsed.get("ok") is False or parsed["error"]["exit_code"] == exit, parsed
        assert directory(system) == before, f"{words} --json changed the directory"
    if prepare:
        shutil.rmtree(system.dir, ignore_errors=True)


@step
def create_missing(system):
    """What is missing is created when that was asked for, and only then."""
    with pool_inactive(system), network_inactive(system):
        system.exasol("init", "--db-version", "rehearsal").expect(4)
        assert not system.dir.exists()
        system.exasol("init", "--db-version", "rehearsal", "--create-missing").expect(0)
        assert "default" in hypervisor.lines("pool-list", "--name")
        assert "default" in hypervisor.lines("net-list", "--name")
    shutil.rmtree(system.dir)


def directory(system):
    if not system.dir.exists():
        return None
    return {p: p.read_bytes() for p in sorted(system.dir.rglob("*")) if p.is_file()}


# What can be broken: context managers that give further environment variables.


@contextlib.contextmanager
def daemon_down(system):
    with hypervisor.without_daemon():
        yield


@contextlib.contextmanager
def pool_inactive(system):
    virsh("pool-destroy", "default")
    try:
        yield
    finally:
        virsh("pool-start", "default", check=False)


@contextlib.contextmanager
def network_inactive(system):
    virsh("net-destroy", "default")
    try:
        yield
    finally:
        virsh("net-start", "default", check=False)


@contextlib.contextmanager
def network_missing(system):
    definition = virsh("net-dumpxml", "default", "--inactive")
    virsh("net-destroy", "default")
    virsh("net-undefine", "default")
    try:
        yield
    finally:
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(definition)
            file.flush()
            virsh("net-define", file.name)
        virsh("net-start", "default")
        virsh("net-autostart", "default")


@contextlib.contextmanager
def pool_without_folder(system):
    folder = system.folder / "gone"
    virsh("pool-define-as", "e2e-gone", "dir", "--target", str(folder))
    try:
        yield
    finally:
        virsh("pool-undefine", "e2e-gone")


def network(name, inner, active=True):
    """A libvirt network for the time of a case."""

    @contextlib.contextmanager
    def defined(system):
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(f"<network><name>{name}</name>{inner}</network>")
            file.flush()
            virsh("net-define", file.name)
        if active:
            virsh("net-start", name)
            virsh("net-autostart", name)
        try:
            yield
        finally:
            if active:
                virsh("net-destroy", name)
            virsh("net-undefine", name)

    return defined


@contextlib.contextmanager
def deaf_network(system):
    """A firewall of the host drops what guests ask its DHCP server."""
    hook = "type filter hook input priority -10; iifname virbr93 udp dport 67 drop"
    rules = f"table inet e2e {{\n chain input {{\n {hook}\n }}\n}}\n"
    with network("e2e-deaf", DEAF)(system):
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
        try:
            yield
        finally:
            subprocess.run(["nft", "delete", "table", "inet", "e2e"], check=True)


@contextlib.contextmanager
def closed_pool(system):
    """A pool in somebody's home: QEMU's user may not pass. Nothing of the probe stays there."""
    with tempfile.TemporaryDirectory(prefix="e2e-home-") as home:
        folder = os.path.join(home, "pool")
        os.mkdir(folder)
        virsh("pool-define-as", "e2e-closed", "dir", "--target", folder)
        virsh("pool-start", "e2e-closed")
        try:
            yield
            assert not os.listdir(folder), os.listdir(folder)
        finally:
            virsh("pool-destroy", "e2e-closed")
            virsh("pool-undefine", "e2e-closed")


@step
def left_behind(system):
    """Volumes of a probe that was killed go with the next one; nobody else's do."""
    folder = "/var/lib/libvirt/images"
    old = ["exasol-probe-00000000deadbeef-base.img", "exasol-probe-00000000deadbeef-disk.qcow2"]
    others = ["exasol-probe-00000000deadbeef-notes.txt", "exasol-probe-mine-base.img"]
    for name in old + others:
        path = os.path.join(folder, name)
        open(path, "wb").write(b"x" * 512)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    system.program.run("doctor", "--db-version", "rehearsal").expect(0)
    there = [name for name in os.listdir(folder) if name.startswith("exasol-probe-")]
    for name in others:
        os.unlink(os.path.join(folder, name))
    virsh("pool-refresh", "default")
    assert sorted(there) == sorted(others), there


@contextlib.contextmanager
def routes(system, *ranges):
    """Routes as a VPN lays them, to a device that leads nowhere."""
    ip = lambda *words: subprocess.run(["ip", *words], check=True)
    ip("link", "add", "e2e-vpn", "type", "bridge")
    try:
        ip("address", "add", "100.64.0.1/32", "dev", "e2e-vpn")
        ip("link", "set", "e2e-vpn", "up")
        for range in ranges:
            ip("route", "add", range, "dev", "e2e-vpn")
        yield
    finally:
        ip("link", "delete", "e2e-vpn")


@step
def init_beside(system, ranges, network, takes, says=()):
    """With these routes `init` gives a network of its own a range that begins so."""
    with routes(system, *ranges):
        result = system.exasol("init", "--db-version", "rehearsal", "--libvirt-network", network).expect(0)
    for text in says:
        assert text in result.text, f"does not say {text!r}:\n{result.text}"
    found = json.loads((system.dir / "deployment.json").read_text())["facts"]["network_cidr"]
    assert found.startswith(takes), found
    shutil.rmtree(system.dir)


@step
def autostart(system):
    """A pool and a network that would not come back with their host are told, and fixed on request."""
    virsh("pool-autostart", "default", "--disable")
    virsh("net-autostart", "default", "--disable")
    doctor = ("doctor", "--db-version", "rehearsal")
    result = system.program.run(*doctor).expect(0)
    for text in ("pool-autostart default", "net-autostart default", "after a reboot of the host no node would start"):
        assert text in result.text, f"does not say {text!r}:\n{result.text}"
    system.exasol("init", "--db-version", "rehearsal", "--create-missing").expect(0)
    assert "default" in hypervisor.lines("pool-list", "--autostart", "--name")
    assert "default" in hypervisor.lines("net-list", "--autostart", "--name")
    shutil.rmtree(system.dir)


def without(program):
    """A PATH in which one program is missing: links to everything else."""

    @contextlib.contextmanager
    def hidden(system):
        with tempfile.TemporaryDirectory(prefix="exasol-path-") as folder:
            names = program if isinstance(program, tuple) else (program,)
            for place in os.environ["PATH"].split(os.pathsep):
                if not os.path.isdir(place):
                    continue
                for entry in os.scandir(place):
                    link = os.path.join(folder, entry.name)
                    if entry.name not in names and not os.path.lexists(link):
                        os.symlink(entry.path, link)
            yield {"PATH": folder}

    return hidden


DEAF = """<bridge name='virbr93'/><forward mode='nat'/><ip address='10.93.0.1' prefix='24'><dhcp>
    <range start='10.93.0.2' end='10.93.0.254'/></dhcp></ip>"""
RESERVED = """<bridge name='virbr91'/><forward mode='nat'/><ip address='10.91.0.1' prefix='24'><dhcp>
    <range start='10.91.0.2' end='10.91.0.2'/><host mac='52:54:00:91:00:01' ip='10.91.0.2'/></dhcp></ip>"""
TWO_ADDRESSES = """<bridge name='virbr92'/><ip address='10.92.0.1' prefix='24'/><ip address='10.77.0.1' prefix='24'/>"""

BROKEN = {
    "daemon down": daemon_down,
    "pool inactive": pool_inactive,
    "network inactive": network_inactive,
    "network missing": network_missing,
    "pool without folder": pool_without_folder,
    "reserved range": network("e2e-tight", RESERVED),
    "inactive network with two addresses": network("e2e-two", TWO_ADDRESSES, active=False),
    "network that does not hear its guests": deaf_network,
    "pool below a closed folder": closed_pool,
    "macvtap network": network("e2e-direct", "<forward mode='bridge'><interface dev='lo'/></forward>"),
    "no terraform": without(("terraform", "tofu")),
    "no ansible": without("ansible-playbook"),
}


# What can lie in the directory beforehand.


def other_file(system):
    system.dir.mkdir()
    (system.dir / "notes.txt").write_text("mine")


def bash_deployment(system):
    system.dir.mkdir()
    (system.dir / ".exasol.json").write_text("{}")


def initialized(system):
    system.exasol("init", "--cloud-provider", "libvirt", "--db-version", "rehearsal").expect(0)


def truncated_state(system):
    initialized(system)
    path = system.dir / "deployment.json"
    path.write_bytes(path.read_bytes()[:100])


def newer_schema(system):
    initialized(system)
    path = system.dir / "deployment.json"
    state = json.loads(path.read_text())
    state["schema"] = 99
    path.write_text(json.dumps(state))


def bad_image(system):
    (system.folder / "image.qcow2").write_bytes(b"not an image")


PREPARED = {
    "other file": other_file,
    "bash deployment": bash_deployment,
    "initialized": initialized,
    "truncated state": truncated_state,
    "newer schema": newer_schema,
    "bad image": bad_image,
}
