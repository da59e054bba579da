#!/usr/bin/env python3
"""How long `exasol` takes, beside the same work by hand. Runs inside the lab: scripts/bench

For 1, 2 and 4 nodes, in turn, several times:

  boot     (a) virsh alone makes the machines, until SSH answers and cloud-init is done
  install  (b) one SSH session a node copies the files and installs, until the database answers SELECT 1
  deploy   (c) `exasol deploy`, with its steps
  destroy  (d) virsh alone, and `exasol destroy`
  ready    `deploy` again beside one login with another client, `status` beside one SSH session, on the slowest node

Then the commands that make nothing (commands.py). Prints medians and ratios; a ratio is a median of ratios of one turn.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent), str(HERE.parents[1] / "tests" / "e2e")]

import commands  # noqa: E402
import hand  # noqa: E402
import hypervisor  # noqa: E402
import own  # noqa: E402
import run as e2e  # noqa: E402
import steps  # noqa: E402

INIT = {
    "cloud-provider": "libvirt", "db-version": "rehearsal", "libvirt-memory": 1, "libvirt-vcpus": 1,
    "root-volume-size": 5, "data-volume-size": 2,
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exasol", default="target/release/exasol", help="the binary to be measured")
    parser.add_argument("--beside", metavar="EXASOL", help="another binary, of before a change, whose deploys and destroys are timed in the same turns")
    parser.add_argument("--nodes", default="1,2,4", help="sizes of clusters (default: 1,2,4); 0 for the other commands alone")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="turns for each size (default: 3)")
    parser.add_argument("--save", type=pathlib.Path, help="also write all figures to this file, as JSON")
    options = parser.parse_args()
    if not os.environ.get("EXASOL_LAB"):
        parser.error("this runs inside the lab: scripts/bench")
    binary, found = os.path.abspath(options.exasol), {"deploys": {}}
    beside = options.beside and os.path.abspath(options.beside)
    for size in map(int, options.nodes.split(",")):
        if size:
            found["deploys"][size] = deploys(binary, beside, size, options.repeat)
    found["commands"] = commands.measure(binary)
    if options.save:
        options.save.write_text(json.dumps(found, indent=1) + "\n")


def deploys(binary, beside, size, turns):
    config = {"init": {**INIT, "cluster-size": size}, "workflow": []}
    with tempfile.TemporaryDirectory(prefix="xb-", dir="/tmp") as folder:
        folder = pathlib.Path(folder)
        system, other = e2e.System("bench", config, binary, folder, None), None
        before = hypervisor.inventory()
        steps.init(system)
        if beside:
            other = e2e.System("beside", config, beside, folder / "beside", None)
            other.folder.mkdir()
            steps.init(other)
        captured = hand.Captured.of(system, folder / "captured")
        captured.forget()
        rows = [turn(system, other, captured, number) for number in range(turns)]
        assert hypervisor.inventory() == before, "something is left"
    show(size, rows)
    return rows


def turn(system, other, captured, number):
    """All four, by hand and with `exasol`; what comes first alternates."""
    row = {}
    ways = [lambda: by_hand(captured, row), lambda: with_exasol(system, row)]
    if other:
        row["beside"] = {}
        ways.append(lambda: with_exasol(other, row["beside"]))
    for way in ways if number % 2 == 0 else reversed(ways):
        way()
    return row


def timed(work, *arguments):
    begin = time.monotonic()
    work(*arguments)
    return time.monotonic() - begin


def by_hand(captured, row):
    row["boot"] = timed(captured.boot)
    row["install"] = timed(captured.install)
    row["raw_destroy"] = timed(captured.destroy)
    captured.forget()


def with_exasol(system, row):
    earlier = steps.logs_of(system)
    row["deploy"], row["own"] = deployed(system)
    (log,) = steps.logs_of(system) - earlier
    events = [json.loads(line) for line in (log / "events.jsonl").read_text().splitlines()]
    row["steps"] = {event["step"]: event["elapsed_ms"] / 1000 for event in events if event["event"] == "step_finished"}
    row["tasks"] = {}
    for event in events:
        if event["event"] == "task" and event.get("elapsed_ms"):
            row["tasks"].setdefault(event["name"], {})[event["node"]] = event["elapsed_ms"] / 1000
    row["session"], row["login"] = hand.asked(system)
    row["again"] = system.exasol("deploy").expect(0).seconds
    row["status"] = system.exasol("status").expect(0).seconds
    row["destroy"] = system.exasol("destroy", "--yes").expect(0).seconds


def deployed(system):
    """Seconds of a deploy; of `exasol` itself the share of one processor, in percent, and the peak of memory in MB."""
    begin, process = time.monotonic(), system.start("deploy")
    spent, peak = own.watch(process, 0.5)
    seconds = time.monotonic() - begin
    assert process.returncode == 0, system.program.log.read_text()
    return seconds, {"processor": 100 * spent / seconds, "memory": peak}


def show(size, rows):
    middle = lambda key: statistics.median(row[key] for row in rows)  # noqa: E731
    ratio = lambda over, under: statistics.median(over(row) / under(row) for row in rows)  # noqa: E731
    print(f"\n{size} node{'s' if size > 1 else ''}, medians of {len(rows)} turns, in seconds")
    print(f"  by hand   boot (a) {middle('boot'):7.1f}   install (b) {middle('install'):7.1f}   destroy {middle('raw_destroy'):5.1f}")
    print(f"  exasol    deploy   {middle('deploy'):7.1f}   destroy     {middle('destroy'):7.1f}")
    print(f"  ratios    deploy / (a + b) {ratio(lambda row: row['deploy'], lambda row: row['boot'] + row['install']):.2f}"
          f"   apply and boot / (a) {ratio(lambda row: row['steps']['apply'] + row['steps']['boot'], lambda row: row['boot']):.2f}"
          f"   boot / (a) {ratio(lambda row: row['steps']['boot'], lambda row: row['boot']):.2f}"
          f"   destroy {ratio(lambda row: row['destroy'], lambda row: row['raw_destroy']):.2f}")  # fmt: skip
    print(f"  ready     deploy {middle('again'):.2f}   / one login {ratio(lambda row: row['again'], lambda row: row['login']):.2f}"
          f"   status {middle('status'):.2f}   / one SSH session {ratio(lambda row: row['status'], lambda row: row['session']):.2f}")
    print(f"  itself    {statistics.median(row['own']['processor'] for row in rows):.1f} % of a processor, "
          f"{statistics.median(row['own']['memory'] for row in rows):.0f} MB")
    if "beside" in rows[0]:
        was = lambda key: statistics.median(row["beside"][key] for row in rows)  # noqa: E731
        print(f"  the other deploy {was('deploy'):.1f}   / (a + b) {ratio(lambda row: row['beside']['deploy'], lambda row: row['boot'] + row['install']):.2f}"
              f"   destroy {was('destroy'):.1f}   / (d) {ratio(lambda row: row['beside']['destroy'], lambda row: row['raw_destroy']):.2f}")  # fmt: skip
    for step in rows[0]["steps"]:
        other = f"   other {statistics.median(row['beside']['steps'].get(step, 0) for row in rows):.1f}" if "beside" in rows[0] else ""
        print(f"    {step:<12} {statistics.median(row['steps'].get(step, 0) for row in rows):7.1f}{other}")
        if step == "install":
            tasks(rows)
    sys.stdout.flush()


def tasks(rows):
    """Each task of the installation, for the slowest of the nodes and for each."""
    for task in rows[0]["tasks"]:
        nodes = sorted({node for row in rows for node in row["tasks"].get(task, {})})
        each = {node: statistics.median(row["tasks"].get(task, {}).get(node, 0) for row in rows) for node in nodes}
        if max(each.values()) >= 0.1:
            print(f"      {task:<46} {max(each.values()):6.1f}   " + "  ".join(f"{node} {seconds:.1f}" for node, seconds in each.items()))


if __name__ == "__main__":
    main()
