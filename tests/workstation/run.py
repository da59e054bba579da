#!/usr/bin/env python3
"""Does a user's first cluster on a stock Debian with AppArmor, up to a guest that runs with its disks open.

    tests/workstation/run.py [bookworm|trixie] [--exasol BINARY] [--keep]

scripts/workstation is the way to call it. The guest in the guest is too slow to be waited for: deploy is ended
by a signal when it runs, and destroy has to leave nothing.
"""

import argparse
import json
import signal
import sys
import time

from machine import Machine, default_exasol, wait_until

SMALL = "--db-version rehearsal"
POOL = "/var/lib/libvirt/images"
# Emulation within emulation: what takes a second on a real machine takes half a minute.
LIMIT = 1200
BASE = "exasol-base-"


class Checks:
    def __init__(self):
        self.passed = self.failed = 0
        self.since = time.monotonic()

    def that(self, what, found, seen=""):
        took = time.monotonic() - self.since
        self.since = time.monotonic()
        print(f"{'ok' if found else 'FAILED':8}{what} ({took:.0f} s)", flush=True)
        if found:
            self.passed += 1
        else:
            self.failed += 1
            for line in str(seen).strip().splitlines():
                print(f"          {line}", flush=True)
        return bool(found)


def look(machine, prefix):
    done = machine.run(f"python3 -B /mnt/look.py {prefix}", user="root")
    return json.loads(done.stdout) if done.returncode == 0 else None


def doctor(machine, checks):
    """Nothing is missing but what `init --create-missing` makes: the documented packages suffice."""
    done = machine.run("exasol doctor --json " + SMALL, limit=LIMIT)
    try:
        rows = json.loads(done.stdout.splitlines()[-1])["checks"]
    except (IndexError, ValueError, KeyError):
        return checks.that("doctor says what is missing", False, done.stdout + done.stderr)
    failed = [row for row in rows if row["status"] == "failed"]
    rest = [row for row in failed if not any(word in row["title"] for word in ("pool", "network"))]
    return checks.that("doctor misses nothing but pool and network", not rest, json.dumps(rest or failed, indent=1))


def deploy_until_it_runs(machine, checks, prefix):
    """Whether the guest runs; its state as look.py tells it. Ends deploy."""
    deploy = machine.start("cd; echo $$ >deploy.pid; exec exasol deploy -d c >deploy.log 2>&1")
    state = {}

    def running():
        state.update(look(machine, prefix) or {})
        domain = state.get("domain")
        if domain and domain["files"] and set(domain["files"]) <= set(domain["open"]):
            return True
        return deploy.poll() is not None

    try:
        wait_until(running, "the guest runs with its disks open", LIMIT, every=2.0)
    finally:
        log = machine.run("cat deploy.log").stdout
        ended = deploy.poll()
        machine.run("kill -INT $(cat deploy.pid)")
    seen = f"deploy ended with {ended}\n{log}\n" + "\n".join(state.get("denied", []))
    running = checks.that("the guest runs with its disks open", ended is None, seen)
    if running:
        deploy.wait(timeout=LIMIT)
        checks.that("deploy ends in order when it is told to", deploy.returncode == 130, deploy.returncode)
    return running, state


def confined(checks, state):
    """What the kernel and libvirt say of the guest's process."""
    domain = state["domain"]
    profile = f"libvirt-{domain['uuid']} (enforce)"
    checks.that("the process is confined by its own profile", domain["label"] == profile, domain["label"])
    checks.that("the process is not root's", domain["user"] != 0)
    missing = sorted(set(domain["files"]) - set(domain["may"]))
    checks.that("the profile lists every disk and what it is based on", not missing, missing)
    based = [name for name in domain["files"] if BASE in name]
    checks.that("the base image is one of them", based, domain["files"])
    checks.that("no VNC port is open", not domain["vnc_ports"], domain["vnc_ports"])


def unreadable(machine, checks, prefix):
    """No other user of this machine reads what belongs to the cluster."""
    listed = machine.run(f"stat -c '%a %n' {POOL}/{prefix}*", user="root").stdout.splitlines()
    modes = dict(reversed(line.split(" ", 1)) for line in listed)
    checks.that("volumes are there", modes)
    checks.that("volumes are for QEMU alone", set(modes.values()) <= {"600"}, "\n".join(listed))
    for name in modes:
        done = machine.run(f"runuser -u nobody -- head -c 1 '{name}'", user="root")
        checks.that(f"nobody cannot read {name.rsplit('/', 1)[-1]}", done.returncode != 0)


def gone(machine, checks, prefix):
    done = machine.run("exasol destroy --yes -d c", limit=LIMIT)
    checks.that("destroy", done.returncode == 0, done.stdout + done.stderr)
    left = machine.run(
        f"virsh -q -c qemu:///system list --all --name; ls -d {POOL}/{prefix}*; "
        # libvirt 9.0 was seen to leave the text of a profile; none may be in force.
        "grep -oE '^libvirt-[0-9a-f]+-[0-9a-f-]+' /sys/kernel/security/apparmor/profiles",
        user="root",
    ).stdout.split()
    checks.that("nothing is left of it", not left, left)


def story(machine, checks):
    enforced = machine.run("aa-status --enabled && cat /sys/module/apparmor/parameters/mode", user="root")
    if not checks.that("AppArmor is on", enforced.stdout.strip() == "enforce", enforced.stdout + enforced.stderr):
        return
    doctor(machine, checks)
    done = machine.run(f"exasol init --create-missing {SMALL} -d c", limit=LIMIT)
    if not checks.that("init, which makes pool and network", done.returncode == 0, done.stdout + done.stderr):
        return
    prefix = json.loads(machine.run("cat c/deployment.json").stdout)["id"]
    running, state = deploy_until_it_runs(machine, checks, prefix)
    if running:
        confined(checks, state)
        unreadable(machine, checks, prefix)
    gone(machine, checks, prefix)
    denied = [line for line in (look(machine, prefix) or {"denied": ["unknown"]})["denied"] if POOL in line]
    checks.that("AppArmor denied nothing of ours", not denied, "\n".join(denied))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("suite", nargs="?", default="bookworm", choices=["bookworm", "trixie"])
    parser.add_argument("--exasol", default=default_exasol())
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    # So that the machine is ended too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    checks = Checks()
    try:
        with Machine(arguments.suite, arguments.exasol, arguments.keep) as machine:
            checks.that(f"a stock {arguments.suite} answers", True)
            story(machine, checks)
    except (RuntimeError, OSError) as error:
        checks.that("the test could be done", False, error)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


sys.exit(main())
