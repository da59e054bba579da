#!/usr/bin/env python3
"""Runs the end-to-end scenarios of a configuration file, inside the lab.

A configuration names systems under test: the options of `exasol init`, and a workflow of steps
(the functions in steps.py and wrong.py). After each system, libvirt must have what it had before.

    scripts/lab exec -- python3 tests/e2e/run.py tests/e2e/configs/libvirt-basic.json --only rich
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import threading
import time
import traceback

import day_two  # noqa: F401: registers its steps
import disturbances  # noqa: F401: as well
import hypervisor
import papers  # noqa: F401: as well
import remote  # noqa: F401: as well
import several  # noqa: F401: as well
import strangers  # noqa: F401: as well
import steps
import unkind  # noqa: F401: as well
import warm  # noqa: F401: as well
import wrong
from program import Exasol

DEFAULT_DISK_GB = 100


class System:
    """A deployment under test."""

    def __init__(self, name, config, binary, folder, tofu):
        self.name = name
        self.options = config["init"]
        self.password = config.get("password")
        self.workflow = config["workflow"]
        self.address = config.get("address", r"192\.168\.122\.\d+")
        self.folder = folder
        self.dir = folder / "deployment"
        self.tofu = tofu
        self.program = Exasol(binary, folder / "screen.log")
        self.figures = []
        self.before = None
        # The virsh of nodes on another hypervisor.
        self.elsewhere = {}

    @property
    def size(self):
        return int(self.options.get("cluster-size", 1))

    @property
    def disks(self):
        return int(self.options.get("data-volumes-per-node", 1))

    @property
    def disk_gb(self):
        return int(self.options.get("data-volume-size", DEFAULT_DISK_GB))

    @property
    def names(self):
        return [f"n{11 + index}" for index in range(self.size)]

    @property
    def id(self):
        return json.loads((self.dir / "deployment.json").read_text())["id"]

    def virsh(self, node):
        return self.elsewhere.get(node, hypervisor.virsh)

    def exasol(self, *arguments, **rest):
        return self.program.run(*arguments, "-d", self.dir, **rest) if "--" not in arguments else self.program.run(
            arguments[0], "-d", self.dir, *arguments[1:], **rest
        )

    def start(self, *arguments):
        return self.program.start(*arguments, "-d", self.dir)

    def note(self, what, seconds):
        self.figures.append(f"{what} {seconds:.1f} s")


def run_step(system, entry):
    name, arguments = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
    function = steps.STEPS.get(name) or wrong.STEPS[name]
    begin = time.monotonic()
    function(system, **arguments)
    print(f"  {system.name}: {name}  {time.monotonic() - begin:.1f} s", flush=True)


def run_workflow(system, workflow):
    for entry in workflow:
        if isinstance(entry, dict) and "together" in entry:
            together(system, entry["together"])
        else:
            run_step(system, entry)


def together(system, workflows):
    """Several deployments at once, each with its own directory and workflow."""
    errors = []

    def one(other, workflow):
        try:
            run_workflow(other, workflow)
        except BaseException as error:  # noqa: BLE001: reported by the caller
            errors.append((other, error))

    threads = []
    for index, workflow in enumerate(workflows):
        folder = system.folder / f"part{index + 1}"
        folder.mkdir(exist_ok=True)
        other = system.parts.setdefault(index, System(
            f"{system.name}-{index + 1}", {"init": system.options, "workflow": []}, system.program.binary, folder, system.tofu
        ))
        other.before, other.address = system.before, system.address
        threads.append(threading.Thread(target=one, args=(other, workflow)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        other, error = errors[0]
        system.program.log = other.program.log
        raise error


def run(system):
    """True when the workflow ran to its end. What a failed one left is removed, so that the next can run."""
    print(f"{system.name}", flush=True)
    begin = time.monotonic()
    system.before = hypervisor.inventory()
    system.parts = {}
    try:
        run_workflow(system, system.workflow)
    except Exception:  # noqa: BLE001: any failure of a step is a failed test
        print(f"FAILED {system.name} after {time.monotonic() - begin:.0f} s", flush=True)
        traceback.print_exc(file=sys.stdout)
        show_tail(system)
        for other in [system, *system.parts.values()]:
            if (other.dir / "deployment.json").exists():
                other.exasol("destroy", "--yes")
        return False
    figures = [figure for s in [system, *system.parts.values()] for figure in s.figures]
    print(f"ok {system.name}  {time.monotonic() - begin:.0f} s ({', '.join(figures)})", flush=True)
    return True


def show_tail(system):
    try:
        print("\n".join(pathlib.Path(system.program.log).read_text().splitlines()[-80:]), flush=True)
    except OSError:
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="+", type=pathlib.Path)
    parser.add_argument("--only", action="append", help="run this system; repeatable")
    parser.add_argument("--skip", action="append", default=[], help="leave this system out; repeatable")
    parser.add_argument("--exasol", default="target/release/exasol", help="the binary under test")
    parser.add_argument("--tofu", help="path of OpenTofu, for the step `engines` and for systems that ask for it")
    parser.add_argument("--list", action="store_true", help="list the systems and their steps")
    options = parser.parse_args()
    if not options.list and not os.environ.get("EXASOL_LAB"):
        parser.error("this runs inside the lab: scripts/lab exec -- python3 tests/e2e/run.py …")
    binary = os.path.abspath(options.exasol)
    if options.tofu:
        # Behind everything: where nobody asks for an engine, Terraform comes first.
        os.environ["PATH"] += os.pathsep + os.path.dirname(options.tofu)
    results = []
    for path in options.config:
        config = json.loads(path.read_text())
        for name, entry in config["systems"].items():
            if (options.only and name not in options.only) or name in options.skip:
                continue
            if options.list:
                print(f"{name}: {entry['about']}")
                continue
            entry = {**entry, "init": {**config.get("init", {}), **entry.get("init", {})}}
            with tempfile.TemporaryDirectory(prefix="exasol-e2e-") as folder:
                system = System(name, entry, binary, pathlib.Path(folder), options.tofu)
                results.append(run(system))
    if not options.list:
        print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
