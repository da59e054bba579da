"""Running the program under test, as a user or a script would."""

import json
import os
import signal
import subprocess
import time


class Result:
    def __init__(self, arguments, done, seconds):
        self.arguments = arguments
        self.code = done.returncode
        self.stdout = done.stdout
        self.stderr = done.stderr
        self.seconds = seconds

    @property
    def text(self):
        return self.stdout + self.stderr

    def json(self):
        """The last line of standard output: the result object of every command."""
        rows = [row for row in self.stdout.splitlines() if row.strip()]
        assert rows, f"{self.arguments} printed nothing on stdout; stderr: {self.stderr}"
        return json.loads(rows[-1])

    def expect(self, code=0):
        assert self.code == code, (
            f"exasol {' '.join(self.arguments)}: exit {self.code}, expected {code}\n{self.stdout}\n{self.stderr}"
        )
        return self


class Exasol:
    def __init__(self, binary, log):
        self.binary = binary
        self.log = log
        # Environment variables of every run.
        self.extra = {}

    def environment(self, extra=None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EXASOL_DB")}
        # The user's list of deployments is not for tests.
        environment["XDG_STATE_HOME"] = os.path.join(os.path.dirname(os.path.abspath(self.log)), "state")
        environment.update({**self.extra, **(extra or {})})
        return environment

    def run(self, *arguments, env=None, stdin=None, limit=1800):
        arguments = [str(a) for a in arguments]
        begin = time.monotonic()
        done = subprocess.run(
            [self.binary, *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            env=self.environment(env),
            timeout=limit,
        )
        result = Result(arguments, done, time.monotonic() - begin)
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(f"\n$ exasol {' '.join(arguments)}   # exit {result.code}, {result.seconds:.1f} s\n{result.text}")
        return result

    def start(self, *arguments, **rest):
        """Starts the program in the background; its output goes to the log."""
        log = open(self.log, "a", encoding="utf-8")
        log.write(f"\n$ exasol {' '.join(str(a) for a in arguments)} &\n")
        log.flush()
        return subprocess.Popen(
            [self.binary, *[str(a) for a in arguments]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=self.environment(),
            **rest,
        )


def wait_until(condition, what, limit=300, every=0.2):
    """Polls until the condition gives something true, and returns it."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"{what}: not within {limit} s")


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
