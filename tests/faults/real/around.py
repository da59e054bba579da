"""What happens to a deploy or a cluster from around it, on a real guest: its terminal, its network, its pool."""

import contextlib
import os
import pathlib
import pty
import shlex
import shutil
import subprocess
import time

import hypervisor
import steps
import traces
import unkind
from day_two import Rule, addresses, check_marks, domain, issues, mark_disks, ready
from program import wait_until

POOL = "faults-pool"
OUTAGE = 60


def closed_and_cut_off(system, usual):
    """The terminal of a deploy is closed while its guest boots; the next deploy loses the network while it sets up the node."""
    steps.init(system)
    close_terminal(system, "boot")
    outcome = cut_off(system, usual)
    system.exasol("deploy", "--json").expect(0)
    assert ready(system)
    system.exasol("sql", "-c", "SELECT 1").expect(0)
    remove(system)
    return f"interrupted by the closed terminal; {outcome} by {OUTAGE} s without a network, then ready"


def close_terminal(system, step):
    earlier = steps.logs_of(system)
    window, terminal = pty.openpty()
    line = shlex.join([system.program.binary, "deploy", "-d", str(system.dir)]) + "\n"
    shell = subprocess.Popen(
        [shutil.which("setsid"), "--ctty", "bash", "--login", "--noprofile", "--norc", "-i"],
        env={**system.program.environment(), "TERM": "xterm"}, stdin=terminal, stdout=terminal, stderr=terminal,
    )  # fmt: skip
    os.close(terminal)
    os.write(window, line.encode())
    os.set_blocking(window, False)

    def reached():
        # A terminal that nobody reads would fill.
        with contextlib.suppress(BlockingIOError):
            os.read(window, 65536)
        return steps.in_step(system, step, earlier)

    wait_until(reached, f"deploy in step {step}", limit=1800)
    os.close(window)
    shell.wait(60)
    traces.nothing_runs(system, 120)
    report = system.exasol("status", "--json").expect(0).json()
    assert report["status"] == "interrupted" and report["last_error"]["code"] == "interrupted", report


def cut_off(system, usual):
    """Lets no packet through for a minute. The deploy fails and says so, or goes on afterwards."""
    earlier = steps.logs_of(system)
    process = system.program.start("deploy", "-d", system.dir)
    ended = lambda: process.poll() is not None  # noqa: E731
    wait_until(lambda: steps.in_step(system, "install", earlier) or ended(), "deploy in step install", limit=1800)
    begin = time.monotonic() + 0.3 * usual["install"]
    wait_until(lambda: time.monotonic() >= begin or ended(), "the middle of the installation")
    assert not ended(), f"deploy ended with {process.returncode}"
    address = addresses(system)["n11"]
    with Rule("OUTPUT", "-d", address, "-j", "DROP"), Rule("INPUT", "-s", address, "-j", "DROP"):
        wait_until(lambda: time.monotonic() >= begin + OUTAGE or ended(), "the end of the outage", limit=2 * OUTAGE)
    if process.wait(1800) == 0:
        assert ready(system)
        return "passed over"
    assert process.returncode == 1, process.returncode
    report = system.exasol("status", "--json").expect(0).json()
    assert report["phase"] == "deployment_failed" and report["status"] != "database_ready", report
    assert "n11" in report["last_error"]["message"], report["last_error"]
    return "failed"


def full_pool(system, usual):
    """A pool that is full pauses the guest that writes; that is told with the pool's name, and start goes on when there is room."""
    unkind.roomy_pool(system, POOL, 10)
    try:
        steps.init(system)
        steps.deploy(system)
        usual.update(traces.lengths(system, list(usual)))
        mark_disks(system)
        filled(system)
        check_marks(system)
        remove(system, leave=[f"pool {POOL}"])
    finally:
        with contextlib.suppress(AssertionError):
            system.exasol("destroy", "--yes")
        unkind.remove_roomy_pool(system, POOL)
    steps.nothing_left(system)
    return "told by status, health and start; ready again with its data; a deploy takes " + ", ".join(f"{n} {s:.0f} s" for n, s in usual.items())


def filled(system):
    filler = pathlib.Path(f"/var/lib/libvirt/{POOL}/filler")
    fill(filler)
    try:
        writes = "sudo dd if=/dev/urandom of=/dev/exadata_01 bs=1M seek=64 count=128 oflag=direct"
        writer = system.program.start("ssh", "-d", system.dir, "n11", "--", writes)
        paused = lambda: "paused" in hypervisor.virsh("domstate", domain(system, "n11"))  # noqa: E731
        wait_until(paused, "a guest without room", limit=120)
        told(system)
        refused = system.exasol("start", "--json").expect(1)
        assert POOL in refused.stdout, refused.text
        told(system)
    finally:
        filler.unlink()
    system.exasol("start", "--json").expect(0)
    wait_until(lambda: ready(system), "the database after there is room", every=1)
    assert writer.wait(120) == 0, writer.returncode
    # The lab's guests have no time service, and lack the time of the pause.
    found = system.exasol("health", "--json").expect(0).json()
    assert {issue["type"] for issue in found["issues"]} <= {"clock_skew"}, found


def fill(file):
    """Space that is promised is as good as written, and needs none of the machine's."""
    room = os.statvfs(file.parent)
    subprocess.run(["fallocate", "-l", str(room.f_bavail * room.f_frsize - (16 << 20)), file], check=True)
    with open(file, "ab", buffering=0) as rest:
        with contextlib.suppress(OSError):
            while rest.write(bytes(4096)):
                pass


def told(system):
    """With the pool's name, and as no ready database."""
    report = system.exasol("status", "--json").expect(0).json()
    assert report["status"] != "database_ready", report
    assert report["nodes"][0]["vm"] == "paused" and f"pool '{POOL}'" in report["nodes"][0]["vm_reason"], report
    assert ("machine_paused", "n11") in issues(system)
    assert f"pool '{POOL}'" in system.exasol("health").expect(1).text


def remove(system, leave=()):
    system.exasol("destroy", "--yes", "--json").expect(0)
    if not leave:
        steps.nothing_left(system)
    traces.nothing_runs(system, 10)
    traces.no_temporary_files(system)
