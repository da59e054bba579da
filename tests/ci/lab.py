#!/usr/bin/env python3
"""`exasol run` with real guests: a passing test, a failing one, and a signal in the middle.

Usage: scripts/lab exec --name NAME -- python3 tests/ci/lab.py [EXASOL]

EXASOL is the program (default: target/release/exasol). Nothing is left in the lab.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

REPO = pathlib.Path(__file__).resolve().parent.parent.parent
OPTIONS = ["--cloud-provider", "libvirt", "--db-version", "rehearsal"]
# The machine with which `init` tries the pool and the network.
PROBE = "exasol-probe-"
# What a user's test would do: log in with what the environment has.
LOGIN = """
import os, pyexasol, sys
password = os.environ["EXASOL_PASSWORD"]
connection = pyexasol.connect(dsn=os.environ["EXASOL_DSN"], user=os.environ["EXASOL_USER"], password=password)
assert connection.execute("SELECT 1").fetchval() == 1
open("password-seen", "w").write(password)
sys.exit(int(sys.argv[1]))
"""


def virsh(*arguments):
    done = subprocess.run(["virsh", "-q", "-c", "qemu:///system", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.split()


def ours():
    """Domains and volumes, but for base images, which stay for the next deployment."""
    volumes = [name for name in virsh("vol-list", "default")[::2] if not name.startswith("exasol-base-")]
    return virsh("list", "--all", "--name") + volumes


class Runner:
    def __init__(self, exasol):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ci-lab."))
        (self.folder / "bin").mkdir()
        (self.folder / "bin/exasol").symlink_to(exasol)
        (self.folder / "login.py").write_text(LOGIN)
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in ("GITHUB_ACTIONS", "EXASOL_NAME")},
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "XDG_STATE_HOME": str(self.folder / "state"),
        }

    def start(self, name, *arguments):
        self.log = self.folder / f"{name}.log"
        with open(self.log, "w") as log:
            return subprocess.Popen(
                ["exasol", "run", "--name", name, "--logs", f"{name}-logs", *arguments],
                cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )

    def destroyed(self, name):
        """The end of every story: nothing in libvirt, no directory, logs, no password."""
        assert not ours(), f"left in libvirt: {ours()}"
        assert not list((self.folder / "state/exasol/runs").iterdir()), "its directory is left behind"
        logs = self.folder / f"{name}-logs"
        assert list(logs.glob("*-deploy/events.jsonl")) and list(logs.glob("*-destroy/events.jsonl")), list(logs.iterdir())
        seen = self.folder / "password-seen"
        if seen.exists():
            password = seen.read_bytes()
            for path in [self.log, *(path for path in logs.rglob("*") if path.is_file())]:
                assert password not in path.read_bytes(), f"the password is in {path}"
            seen.unlink()

    def story(self, name, code, *test):
        """A run with this test command ends with this exit code."""
        process = self.start(name, *OPTIONS, "--", *test)
        end(process, code, self.log)
        assert (self.folder / "password-seen").exists(), "the test did not run"
        self.destroyed(name)

    def refused(self, name):
        """SIGTERM while init's probe runs: nothing was made, and nothing of the probe is left."""
        self.terminated(name, lambda machine: machine.startswith(PROBE))
        assert not ours(), f"left in libvirt: {ours()}"
        assert not list((self.folder / "state/exasol/runs").glob("*/deployment.json"))

    def interrupted(self, name):
        """SIGTERM while a machine boots."""
        self.terminated(name, lambda machine: not machine.startswith(PROBE))
        self.destroyed(name)
        # What the recipes call afterwards finds nothing to do.
        end(self.start("clean", "--clean"), 0, self.log)

    def terminated(self, name, is_the_one):
        """A run that gets a SIGTERM as soon as such a machine is on."""
        process = self.start(name, *OPTIONS, "--", "touch", "ran")
        limit = time.monotonic() + 300
        while not any(map(is_the_one, virsh("list", "--name"))):
            assert process.poll() is None and time.monotonic() < limit, self.log.read_text()
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        end(process, 143, self.log)
        assert not (self.folder / "ran").exists()


def end(process, code, log):
    got = process.wait(timeout=900)
    assert got == code, f"exit {got}, not {code}\n{log.read_text()}"


def main():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    exasol = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else REPO / "target/release/exasol").resolve()
    assert not ours(), f"the lab is not empty: {ours()}"
    runner = Runner(exasol)
    print(f"ci recipes: folder, kept if this fails: {runner.folder}", flush=True)
    for about, story in (
        # First: the probe asks for an address only if none has got one lately.
        ("SIGTERM while the probe runs: 143, and nothing left", lambda: runner.refused("refused")),
        ("a test that passes", lambda: runner.story("passes", 0, "python3", "login.py", "0")),
        ("a test that fails: its exit code, and destroyed", lambda: runner.story("fails", 7, "python3", "login.py", "7")),
        ("SIGTERM while a machine boots: 143, and destroyed", lambda: runner.interrupted("interrupted")),
    ):
        begin = time.monotonic()
        story()
        print(f"  {time.monotonic() - begin:6.1f} s  {about}", flush=True)
    shutil.rmtree(runner.folder)
    print("ci recipes: passed")


if __name__ == "__main__":
    main()
