"""Steps in which something around a living cluster breaks: the daemon, the network, a machine."""

import datetime
import json

import hypervisor
from day_two import addresses, domain, issues, ready
from program import wait_until
from steps import step

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


def status(system):
    return system.exasol("status", "--json").expect(0).json()


def boot_ids(system):
    return [system.exasol("ssh", node, "--", BOOT_ID).expect(0).stdout for node in system.names]


def network_of(system):
    return f"{system.id}-net" if system.options.get("libvirt-network", "").startswith("new") else "default"


@step
def daemon_down(system):
    """Without libvirtd the database goes on: what can be seen is said, and no phase changes."""
    with hypervisor.without_daemon():
        report = status(system)
        assert report["status"] == "database_ready", report
        for node in report["nodes"]:
            assert node["vm"] == "unknown" and "daemon is not running" in node["vm_reason"], node
            assert node["ssh"]["state"] == "ok" and node["sql"]["state"] == "ok", node
        found = system.exasol("health", "--json").expect(0).json()
        assert {i["type"] for i in found["issues"]} == {"hypervisor_silent"}, found["issues"]
        for command in ("stop", "start"):
            refused = system.exasol(command, "--json").expect(4)
            assert "libvirt_unreachable" in refused.stdout, refused.text
            assert status(system)["phase"] == "database_ready"
        assert "accepts logins" in system.exasol("deploy").expect(0).text
    assert ready(system)
    assert system.exasol("health", "--json").expect(0).json()["issues"] == []


@step
def network_restarted(system):
    """A network that was stopped and started leaves its guests unplugged; start connects them, none is restarted."""
    network = network_of(system)
    before = boot_ids(system), addresses(system)
    hypervisor.virsh("net-destroy", network)
    assert status(system)["status"] == "unreachable"
    # There is nothing to connect them with.
    refused = system.exasol("start", "--json").expect(1)
    assert f"virsh -c qemu:///system net-start {network}" in refused.stdout, refused.text
    hypervisor.virsh("net-start", network)
    report = status(system)
    assert report["status"] != "database_ready" and {n["vm"] for n in report["nodes"]} == {"running"}, report
    assert all("is not on the bridge" in n["vm_reason"] for n in report["nodes"]), report
    assert "exasol start" in report["next"][0], report["next"]
    assert {("machine_unplugged", name) for name in system.names} <= set(issues(system))
    result = system.exasol("start", "--json").expect(0)
    system.note("start after the network was restarted", result.seconds)
    assert ready(system)
    assert (boot_ids(system), addresses(system)) == before


@step
def paused(system, node="n11"):
    """A machine that was paused is no ready node, and start lets it go on."""
    hypervisor.virsh("suspend", domain(system, node))
    report = status(system)
    assert report["status"] == "degraded" and f"{node} is paused" in report["reason"], report
    assert ("machine_paused", node) in issues(system)
    assert "exasol start" in report["next"][0], report["next"]
    system.exasol("start", "--json").expect(0)
    wait_until(lambda: ready(system), "the database after a pause", every=1)


# Panics in the middle of a boot for as many boots as the file says, and remembers when.
PANICS = """
cat >/etc/systemd/system/panics.service <<'UNIT'
[Unit]
DefaultDependencies=no
After=local-fs.target
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'n=$(cat /var/panics); [ "$n" -gt 0 ] || exit 0; echo $((n-1)) >/var/panics; date +%%s >>/var/panicked; sync; echo c >/proc/sysrq-trigger'
[Install]
WantedBy=sysinit.target
UNIT
systemctl -q enable panics.service
echo BOOTS >/var/panics
: >/var/panicked
sync
"""
CRASH = "sudo sh -c 'sync; echo c >/proc/sysrq-trigger'"


def told(system, kind):
    """The events of that kind that the last operation has told."""
    log = max((system.dir / "logs").glob("*/events.jsonl"))
    # The last line may be half written.
    events = [json.loads(line) for line in log.read_text().split("\n")[:-1]]
    return [event for event in events if event["event"] == kind]


def seconds(at):
    return datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()


@step
def panics(system, node="n11"):
    """A kernel that panics is told at once, reset twice, and named as the cause; the next deploy heals."""
    system.exasol("ssh", node, "--", "sudo sh -s", stdin=PANICS.replace("BOOTS", "3")).expect(0)
    # Nobody watches: the session is lost with its machine.
    crash = system.program.start("ssh", "-d", system.dir, node, "--", CRASH)
    wait_until(lambda: not ready(system), "a node that does not answer any more", every=1)
    crash.kill()
    crash.wait()
    # Reset once for its silence, it panics; reset again, it panics again.
    failed = system.exasol("start", "--json").expect(1)
    error = failed.json()["error"]
    assert error["code"] == "machine_dead" and error["machine"]["reason"] == "kernel_panic", error
    assert error["message"].startswith(f"{node}'s kernel panicked: Kernel panic - not syncing: sysrq triggered crash"), error
    dead, resets = told(system, "machine_dead"), told(system, "machine_reset")
    assert [event["line"][:33] for event in dead] == ["Kernel panic - not syncing: sysrq"] * 2, dead
    assert [event["attempt"] for event in resets] == [1, 2], resets
    # The record says that it is dead: it is not waited for.
    system.exasol("deploy", "--json").expect(0)
    resets = told(system, "machine_reset")
    assert "panicked earlier" in resets[0]["why"] and len(resets) == 2, resets
    assert ready(system)
    moments = system.exasol("ssh", node, "--", "cat /var/panicked").expect(0).stdout.split()
    late = [seconds(event["at"]) - int(moment) for event, moment in zip(dead, moments)]
    system.note("from a panic to its event", max(late))
    # Each was told before the machine panicked the next time.
    told_in_time = [seconds(event["at"]) < int(following) for event, following in zip(dead, moments[1:])]
    assert len(moments) == 3 and told_in_time == [True, True], (dead, moments)


@step
def every_next(system):
    """From phases as a killed or failed operation leaves them, what status names first really leads on."""
    before = addresses(system)
    for phase, command, end in [
        ("deployment_failed", "exasol deploy", "database_ready"),
        ("stop_in_progress", "exasol stop", "stopped"),
        ("stopped", "exasol start", "database_ready"),
        ("start_failed", "exasol start", "database_ready"),
    ]:
        file = system.dir / "deployment.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "phase": phase}))
        first = status(system)["next"][0]
        assert first.startswith(command + " "), (phase, first)
        system.exasol(*first.split()[1:-2], "--json").expect(0)
        assert status(system)["status"] == end, status(system)
    # A lease of the deployment's own network never changes.
    assert addresses(system) == before


@step
def host_rebooted(system):
    """Machines and network come back with their host, and status follows without anybody's help."""
    before = boot_ids(system), addresses(system)
    hypervisor.reboot_host()
    assert status(system)["status"] != "database_ready"
    wait_until(lambda: ready(system), "the database after a reboot of the host", every=2)
    now = boot_ids(system), addresses(system)
    assert now[0] != before[0] and now[1] == before[1], (before, now)
    assert system.exasol("health", "--json").expect(0).json()["issues"] == []
