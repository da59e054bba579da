"""Commands that make no machine: how long they take, and how big the program is. benches/scale.py measures memory."""

import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

TURNS = 20
DEPLOYMENTS = 50
INIT = ["init", "--cloud-provider", "libvirt", "--db-version", "rehearsal", "--libvirt-memory", "1", "--libvirt-vcpus", "1",
        "--root-volume-size", "5", "--data-volume-size", "2"]  # fmt: skip


def measure(binary):
    with tempfile.TemporaryDirectory(prefix="xb-", dir="/tmp") as folder:
        folder = pathlib.Path(folder)
        environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
        run = lambda *words: once(binary, words, environment)  # noqa: E731
        # doctor's probe counts for the three minutes after it.
        run("doctor", *INIT[1:])
        beginnings = [run(*INIT, "-d", folder / f"d{number:02}") for number in range(DEPLOYMENTS)]
        found = {
            "--help": several(run, "--help"),
            "version": several(run, "version"),
            "init": middle(beginnings),
            f"list of {DEPLOYMENTS}": several(run, "list"),
        }
        for number in range(DEPLOYMENTS):
            shutil.rmtree(folder / f"d{number:02}")
    found["binary"] = {"MB": pathlib.Path(binary).stat().st_size / 1e6}
    print("\nother commands, medians")
    for name, row in found.items():
        print(f"  {name:<12} " + "  ".join(f"{value:8.1f} {unit}" for unit, value in row.items()), flush=True)
    return found


def several(run, *words):
    return middle([run(*words) for _ in range(TURNS)])


def middle(rows):
    return {unit: statistics.median(row[unit] for row in rows) for unit in rows[0]}


def once(binary, words, environment):
    begin = time.monotonic()
    child = subprocess.Popen([binary, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, env=environment)  # fmt: skip
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds, child.returncode = time.monotonic() - begin, os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, f"exasol {' '.join(map(str, words))}: {child.returncode}\n{said.decode()}"
    return {"ms": seconds * 1000, "ms of a processor": (usage.ru_utime + usage.ru_stime) * 1000}
