#!/usr/bin/env python3
"""Runs faults against real guests, inside the lab: kills of a deploy, and what happens around it."""

import argparse
import fnmatch
import os
import pathlib
import random
import secrets
import signal
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "e2e"))

import around  # noqa: E402
import hypervisor  # noqa: E402
import kills  # noqa: E402
import run as e2e  # noqa: E402
import traces  # noqa: E402

INIT = {
    "cloud-provider": "libvirt", "db-version": "rehearsal", "libvirt-memory": 1, "libvirt-vcpus": 1,
    "root-volume-size": 5, "data-volume-size": 2,
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(prog="scripts/faults --real", description=__doc__)
    parser.add_argument("--exasol", default="target/release/exasol", help="the binary under test")
    parser.add_argument("--count", type=int, default=25, metavar="N", help="kill N deploys (default: 25)")
    parser.add_argument("--seed", type=int, help="chooses the moments of the kills")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="only cases with this in their name, or that match it; repeatable")
    parser.add_argument("--list", action="store_true", help="list the cases")
    options = parser.parse_args()
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    cases = {"around/full-pool": around.full_pool, "around/closed-and-cut-off": around.closed_and_cut_off}
    cases.update({kill.name: kill.run for kill in kills.planned(options.count, seed)})
    if options.only:
        wanted = lambda name: any(word in name or fnmatch.fnmatch(name, word) for word in options.only)  # noqa: E731
        cases = {name: case for name, case in cases.items() if wanted(name)}
    if options.list:
        print("\n".join(cases))
        sys.exit(0)
    if not os.environ.get("EXASOL_LAB"):
        parser.error("this runs inside the lab: scripts/faults --real")
    # What it has made is removed first.
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    usual = dict(kills.STEPS)
    results = [run(name, case, usual, os.path.abspath(options.exasol)) for name, case in cases.items()]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed; seed {seed}")
    sys.exit(0 if all(results) else 1)


def run(name, case, usual, binary):
    """True when the case has passed. What a failed one left is removed, so that the next can run."""
    begin = time.monotonic()
    # Short: sockets must fit below it.
    with tempfile.TemporaryDirectory(prefix="xr-", dir="/tmp") as folder:
        system = in_folder(pathlib.Path(folder), binary)
        try:
            said = case(system, usual)
            print(f"ok      {name}  {said}; {time.monotonic() - begin:.0f} s", flush=True)
            return True
        except Exception:  # noqa: BLE001: whatever it is, the case has failed
            print(f"FAILED  {name}  after {time.monotonic() - begin:.0f} s", flush=True)
            traceback.print_exc(file=sys.stdout)
            e2e.show_tail(system)
            return False
        finally:
            traces.kill_all(system.mark)
            clear(system)


def clear(system):
    """With the program's own means, and then without them."""
    if (system.dir / "deployment.json").exists() and hypervisor.inventory() != system.before:
        system.exasol("destroy", "--yes")
    for volume in set(hypervisor.inventory()["volumes"]) - set(system.before["volumes"]):
        pool, name = volume.split("/", 1)
        hypervisor.virsh("vol-delete", name, "--pool", pool)


def in_folder(folder, binary):
    system = e2e.System("faults", {"init": dict(INIT), "workflow": []}, binary, folder, None)
    system.mark = secrets.token_hex(8)
    system.runtime, system.temporary = folder / "r", folder / "t"
    for place in (system.runtime, system.temporary):
        place.mkdir(mode=0o700)
    system.program.extra = {traces.MARK: system.mark, "XDG_RUNTIME_DIR": str(system.runtime), "TMPDIR": str(system.temporary)}
    system.scratch_before = set(pathlib.Path("/tmp").glob("exasol-*/.exasol-scratch"))
    system.before = hypervisor.inventory()
    return system


if __name__ == "__main__":
    main()
