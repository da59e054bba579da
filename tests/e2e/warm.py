"""A warm base: made once, used by deployments, not by those that are told not to, and another one for another recipe."""

import json
import pathlib
import re

import hypervisor
from steps import deploy, step

# What the one machine needs to know of a system's options.
OPTIONS = ["libvirt-uri", "libvirt-pool", "libvirt-network", "engine"]


@step
def own_cache(system):
    """A cache of this system's own: a warm base is used by every deployment that finds it."""
    system.program.extra["XDG_CACHE_HOME"] = str(system.folder / "cache")


def make(system, *more):
    options = [word for name in OPTIONS if name in system.options for word in (f"--{name}", str(system.options[name]))]
    return system.program.run("cache", "warm", "--json", "--logs", system.folder / "warm-logs", *options, *more).expect(0)


@step
def warm(system):
    """One is made, nothing else is left of it, and it is not made again."""
    result = make(system)
    system.warm = result.json()
    assert system.warm["made"] is True and pathlib.Path(system.warm["file"]).stat().st_size == system.warm["bytes"]
    assert any(package.startswith("curl ") for package in system.warm["packages"]), system.warm
    assert hypervisor.inventory() == system.before, hypervisor.inventory()
    runs = system.folder / "state" / "exasol" / "runs"
    assert not list(runs.iterdir()), list(runs.iterdir())
    assert sorted(p.suffix for p in files(system)) == [".json", ".qcow2"], files(system)
    system.note(f"cache warm ({system.warm['bytes'] // 2**20} MiB)", result.seconds)
    again = make(system)
    assert again.json()["made"] is False and again.json()["key"] == system.warm["key"], again.json()
    system.note("cache warm again", again.seconds)


def files(system):
    return sorted((system.folder / "cache" / "exasol" / "warm").iterdir())


def state(system):
    return json.loads((system.dir / "deployment.json").read_text())


def base_volume(system):
    return state(system)["base_volume"]


@step
def made_from_warm(system):
    """The deployment says so, and the machines' disks stand on it."""
    assert state(system)["warm_base"]["key"] == system.warm["key"], state(system)
    assert base_volume(system) == f"exasol-base-{system.warm['image_sha256'][:16]}.qcow2", base_volume(system)
    assert system.exasol("info", "--json").expect(0).json()["warm_base"]["key"] == system.warm["key"]
    for name in system.names:
        xml = hypervisor.virsh("vol-dumpxml", "--pool", "default", f"{system.id}-{name}-root.qcow2")
        assert base_volume(system) in xml, xml
    logs = system.exasol("logs").expect(0).text
    assert "the warm base made today" in logs, logs


@step
def each_its_own(system):
    """Nodes of one warm base share no identity, and have nothing of the machine that it was made on."""
    script = r"""
        echo "id $(cat /etc/machine-id)"
        echo "seed $(sudo sha256sum /var/lib/systemd/random-seed 2>/dev/null | cut -c1-64)"
        for key in /etc/ssh/ssh_host_*.pub; do echo "host $key $(cut -d' ' -f2 $key)"; done
        echo "homes $(ls /home | tr '\n' ' ')"
        echo "keys $(grep -c . ~/.ssh/authorized_keys)"
        echo "instances $(ls /var/lib/cloud/instances | tr '\n' ' ')"
        sudo grep -rlF "%s" /etc /home /root /var/lib /var/log 2>/dev/null | sed 's/^/of another /'
        sudo cut -d: -f1,2 /etc/shadow | grep ':\$' | cut -d: -f1 | sed 's/^/password /'
        true
    """ % maker(system)
    seen = {}
    for name in system.names:
        rows = [row.split() for row in system.exasol("ssh", name, "--", script).expect(0).stdout.splitlines()]
        value = lambda what: next(row[1:] for row in rows if row[0] == what)  # noqa: E731
        assert re.fullmatch("[0-9a-f]{32}", value("id")[0]), rows
        assert value("homes") == ["exasol"], rows
        assert value("instances") == [f"{system.id}-{name}"], rows
        assert [row for row in rows if row[0] == "of"] == [], rows
        assert [row[1] for row in rows if row[0] == "password"] == ["exasol"], rows
        for what in [value("id"), value("seed"), *[row[2:] for row in rows if row[0] == "host"]]:
            if what:
                assert tuple(what) not in seen, (name, what, seen)
                seen[tuple(what)] = name


def maker(system):
    """The id of the deployment that made the base: nothing of it may be in a node."""
    started = [
        json.loads(row)
        for file in (system.folder / "warm-logs").rglob("events.jsonl")
        for row in file.read_text().splitlines()
        if '"operation_started"' in row
    ]
    return started[0]["deployment"]


@step
def deploy_without_warm(system):
    """The same directory, deployed anew from the base image itself."""
    result = system.exasol("deploy", "--no-warm", "--json").expect(0)
    system.note("deploy --no-warm", result.seconds)
    assert "warm_base" not in state(system), state(system)
    assert system.warm["image_sha256"][:16] not in base_volume(system)


@step
def deploy_keeps_its_image(system):
    """Machines that exist stay on the image that they were made from."""
    before = base_volume(system)
    deploy(system)
    assert base_volume(system) == before and "warm_base" not in state(system)


@step
def other_recipe(system):
    """The program with another line in a script that makes the base does not use this one, and makes another."""
    binary = pathlib.Path(system.program.binary).read_bytes()
    assert binary.count(b"packages that nodes need, and seals the machine. Recipe 1.") == 1
    other = system.folder / "exasol-with-another-recipe"
    other.write_bytes(binary.replace(b"seals the machine. Recipe 1.", b"seals the machine. Recipe 2."))
    other.chmod(0o755)
    first = system.program.binary
    system.program.binary = str(other)
    listed = system.program.run("cache", "list", "--json").expect(0).json()
    assert [e for e in listed["entries"] if "outdated" in e.get("note", "")], listed
    made = make(system).json()
    assert made["made"] is True and made["key"] != system.warm["key"] and made["base_sha256"] == system.warm["base_sha256"]
    system.program.binary = first
    assert make(system).json()["made"] is False, "the first one is still there for the first program"


@step
def prune(system):
    """Both go with the cache."""
    system.program.run("cache", "prune", "--json").expect(0)
    assert files(system) == [], files(system)
