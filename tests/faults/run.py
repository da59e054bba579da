#!/usr/bin/env python3
"""Runs the fault matrix: every operation, at every step, with every fault, against fakes."""

import argparse
import fnmatch
import os
import pathlib
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parents[1]


def main():
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__)
    parser.add_argument("--exasol", default=REPO / "target" / "debug" / "exasol", help="the binary under test")
    parser.add_argument("--seed", type=int, help="chooses the pairs of commands and what --quick takes")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="only cases with this in their name, or that match it; repeatable")
    parser.add_argument("--quick", action="store_true", help="about a minute: some cases of every kind")
    parser.add_argument("--list", action="store_true", help="list the cases")
    parser.add_argument("-j", type=int, default=os.cpu_count(), metavar="N", help="how many cases run at the same time")
    options = parser.parse_args()
    may_listen()
    # Started in the background by a script, all this would ignore Ctrl-C.
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    # What it has made is removed first.
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    folder = tempfile.mkdtemp(prefix="xf-", dir="/tmp")
    try:
        sys.exit(run(options, seed, folder))
    finally:
        remove(folder)


def remove(folder, limit=10):
    """What has just been killed may still write a file."""
    end = time.monotonic() + limit
    while os.path.exists(folder):
        shutil.rmtree(folder, ignore_errors=time.monotonic() < end)
        time.sleep(0.05)


def may_listen():
    """The nodes' sshd is on port 22: who may not listen there gets a network of their own."""
    import socket

    try:
        socket.create_server(("127.31.255.1", 22)).close()
        return
    except PermissionError:
        pass
    if "EXASOL_FAULTS_INSIDE" not in os.environ:
        os.environ["EXASOL_FAULTS_INSIDE"] = "1"
        inside = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, *sys.argv]
        if subprocess.run(["unshare", "--user", "--map-root-user", "--net", "true"], capture_output=True).returncode == 0:
            os.execvp(inside[0], inside)
    if os.environ.get("CI") == "true":
        sys.exit("the fault matrix must listen on port 22 of loopback addresses, and with CI=true it must not be skipped")
    print("SKIPPED: the fault matrix must listen on port 22 of loopback addresses; run it as root")
    sys.exit(0)


def run(options, seed, folder):
    import table
    from world import World
    from writes import counted

    binary = pathlib.Path(folder) / "exasol"
    shutil.copy(options.exasol, binary)
    shim = pathlib.Path(folder) / "shim.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", shim, HERE / "shim.c", "-ldl"], check=True)
    worlds = [World(folder, number, binary, shim) for number in range(options.j)]
    cases = table.table(seed, counted(worlds[0]))
    if options.quick:
        cases = table.quick(cases, seed)
    if options.only:
        cases = [case for case in cases if any(word in case.name or fnmatch.fnmatch(case.name, word) for word in options.only)]
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    begin = time.monotonic()
    failed = work_through(cases, worlds)
    for name in failed:
        print(f"failed: {name}")
    print(f"{len(cases) - len(failed)} passed, {len(failed)} failed in {time.monotonic() - begin:.0f} s; seed {seed}")
    return 1 if failed else 0


def work_through(cases, worlds):
    todo, failed, done, writing = queue.SimpleQueue(), [], [], threading.Lock()
    for case in cases:
        todo.put(case)
    ending = threading.Event()

    def work(world):
        while not ending.is_set():
            try:
                case = todo.get_nowait()
            except queue.Empty:
                return
            try:
                case.run(world)
            except Exception:  # noqa: BLE001: whatever it is, the case has failed
                with writing:
                    failed.append(case.name)
                    print(f"\nFAILED {case.name}\n{traceback.format_exc()}", flush=True)
            finally:
                world.end()
            with writing:
                done.append(case)
                if len(done) % 50 == 0:
                    print(f"{len(done)} of {len(cases)}", flush=True)

    threads = [threading.Thread(target=work, args=(world,)) for world in worlds]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    return failed


if __name__ == "__main__":
    main()
