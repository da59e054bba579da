#!/usr/bin/env python3
"""Executes documents: the `sh run` blocks of each, in order, in one bash session, and compares what they print.

    scripts/lab exec -- python3 -B tests/docs/run.py --exasol target/release/exasol
    scripts/lab exec -- python3 -B tests/docs/run.py docs/first-cluster.md --exasol target/release/exasol

Without a FILE, every document that has such blocks: nothing that is called `run` is left out. The session has an empty home and an empty working directory, and the given binary as `exasol`. It stops at
the first block that fails or prints something else than the `text output` block after it. A cluster that a
failed document left is destroyed, unless --keep.
"""

import argparse
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
import time

import output
from documents import documents
from markdown import Document
from session import Session

# Of the caller's environment: what would change what the commands do.
DROPPED = ("EXASOL_DB_", "EXASOL_ADMINUI_", "EXASOL_HOST_", "XDG_", "COLUMNS", "LINES")
DROPPED_NAMES = ("EXASOL_DEPLOYMENT_DIR", "EXASOL_LOG_LEVEL", "CLICOLOR_FORCE", "BASH_ENV", "ENV")

STOPPED_BY = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Failure(Exception):
    """A block did not do what the document says."""


def environment(home, programs):
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(DROPPED) and name not in DROPPED_NAMES
    }
    path = f"{programs}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return {**kept, "HOME": str(home), "PATH": path, "TERM": "dumb", "LC_ALL": "C.UTF-8"}


def execute(document, session, place=None, limit=1800, report=print):
    """Runs the blocks of one place; raises Failure at the first that is wrong. Returns how many ran."""
    runs = document.runs(place)
    for block, run, expected in runs:
        begin = time.monotonic()
        code, printed = session.run(block.text, may_fail=run.exit != 0, limit=limit)
        seconds = time.monotonic() - begin
        where = f"{document.path}:{block.line}"
        if code != run.exit:
            raise Failure(f"{where}: exit {code}, expected {run.exit}\n{quote(block.text)}\nprinted:\n{quote(printed)}")
        different = output.difference(expected, printed) if expected is not None else None
        if different:
            raise Failure(
                f"{where}: the output is not what the document says\n{quote(block.text)}\n{different}\n"
                f"printed:\n{quote(printed)}"
            )
        report(f"ok {where}  {seconds:.1f} s  {block.text.strip().splitlines()[0]}")
    return len(runs)


def quote(text):
    return "\n".join(f"  | {line}" for line in text.rstrip("\n").splitlines())


def clean_up(folder, variables, limit=900, pause=2):
    """Destroys what is there; returns what could not be. 75: an interrupted operation still holds the lock."""
    left = []
    for state in sorted(pathlib.Path(folder).rglob("deployment.json")):
        end = time.monotonic() + limit
        while True:
            done = subprocess.run(
                ["exasol", "destroy", "--yes", "-d", state.parent],
                env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            )
            if done.returncode != 75 or time.monotonic() >= end:
                break
            time.sleep(pause)
        print(f"destroyed {state.parent}: exit {done.returncode}\n{quote(done.stderr)}", flush=True)
        if done.returncode != 0:
            left.append(f"NOT DESTROYED: {state.parent}, exit {done.returncode}\n{quote(done.stderr)}")
    return left


def stop(number, _frame):
    """Once: a second signal would only leave more behind."""
    for each in STOPPED_BY:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def run_file(path, options):
    with tempfile.TemporaryDirectory(prefix="exasol-docs-") as folder:
        folder = pathlib.Path(folder)
        for name in ("home", "work", "bin"):
            (folder / name).mkdir()
        if options.exasol:
            (folder / "bin" / "exasol").symlink_to(os.path.abspath(options.exasol))
        variables = environment(folder / "home", folder / "bin")
        session = Session(variables, folder / "work", shlex.split(options.shell))
        try:
            count = execute(
                Document(path), session, options.place, options.limit, report=lambda line: print(line, flush=True)
            )
            if not count:
                raise Failure(f"{path}: nothing to run" + (f" in={options.place}" if options.place else ""))
        except BaseException as error:
            # Also when it is interrupted: what runs has the deployment's lock, so it ends first.
            session.kill()
            left = [] if options.keep else clean_up(folder / "work", variables)
            if left and isinstance(error, Exception):
                raise Failure("\n".join([str(error), *left])) from error
            if left:
                print("\n".join(left), file=sys.stderr, flush=True)
            raise
        finally:
            session.close()
        return count


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="*", help="a document; all that have something to run, if none is named")
    parser.add_argument("--exasol", help="the binary that the documents call exasol")
    parser.add_argument("--in", dest="place", help="run the blocks marked in=PLACE instead of the unmarked ones")
    parser.add_argument("--shell", default="bash", help="the command that starts bash, such as 'chroot DIR bash'")
    parser.add_argument("--limit", type=float, default=1800, help="seconds for one block")
    parser.add_argument("--keep", action="store_true", help="leave the clusters of a failed document")
    options = parser.parse_args(arguments)
    if options.exasol and not os.access(options.exasol, os.X_OK):
        parser.error(f"{options.exasol} is not a program: cargo build --release")
    for number in STOPPED_BY:
        signal.signal(number, stop)
    failed = 0
    files = options.file or [os.path.relpath(d.path) for d in documents() if options.place in d.places()]
    for path in files:
        begin = time.monotonic()
        try:
            count = run_file(path, options)
        except Failure as failure:
            failed += 1
            print(f"FAILED {failure}", flush=True)
        else:
            print(f"ok {path}: {count} blocks, {time.monotonic() - begin:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
