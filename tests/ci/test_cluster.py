"""docs/ci/cluster.sh with a fake exasol: the order of things, exit codes, signals, the password."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

# Started in the background by a script, these tests and all that they start would ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

SCRIPT = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/ci/cluster.sh"
PASSWORD = "se'cret $x"

# Says what it was called for; fails, or waits for a signal, where the test asks for it.
FAKE = r"""#!/usr/bin/env python3
import json, os, pathlib, signal, sys, time
here = pathlib.Path(os.environ["FAKE"])
verb = sys.argv[1]
with open(here / "calls", "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\n")
folder = pathlib.Path(sys.argv[sys.argv.index("-d") + 1])
def phase(name):
    (folder / "deployment.json").write_text(json.dumps({"status": name}))
if verb == "init":
    folder.mkdir()
    phase("initialized")
    (folder / "logs").mkdir()
    (folder / "logs/events.jsonl").write_text("log\n")
if verb == "status":
    print((folder / "deployment.json").read_text())
if verb == "deploy" and "destroyed" in (folder / "deployment.json").read_text():
    sys.exit(3)
if verb == "info":
    print(json.dumps({"dsn": "192.0.2.1/AB:8563", "host": "192.0.2.1", "port": 8563, "user": "sys",
        "password": (here / "password").read_text(), "certificate_fingerprint": None}))
if (here / f"{verb}-waits").exists():
    def end(number, _frame):
        with open(here / "calls", "a") as calls:
            calls.write(f"{verb} ended by {number}\n")
        sys.exit(128 + number)
    signal.signal(signal.SIGTERM, end)
    (here / "waiting").touch()
    while True:
        signal.pause()
codes = here / f"{verb}-codes"
if codes.exists():
    first, *rest = codes.read_text().split()
    codes.write_text(" ".join(rest or [first]))
    if first != "0":
        sys.exit(int(first))
if verb == "destroy":
    phase("destroyed")
"""


class Cluster(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "bin").mkdir()
        (self.folder / "bin/exasol").write_text(FAKE)
        (self.folder / "bin/exasol").chmod(0o755)
        (self.folder / "password").write_text(PASSWORD)
        (self.folder / "tmp").mkdir()
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in ("GITHUB_ACTIONS", "RUNNER_TEMP")},
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "FAKE": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "CLUSTER_POLL": "0.05",
        }

    def start(self, *arguments, **environment):
        process = subprocess.Popen(
            [SCRIPT, *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(process.stdout.close)
        return process

    def finish(self, process):
        self.output = process.communicate(timeout=60)[0]
        self.assertEqual(list((self.folder / "tmp").iterdir()), [], "the password is left behind")
        return process.returncode

    def call(self, *arguments, **environment):
        return self.finish(self.start(*arguments, **environment))

    def codes(self, verb, *codes):
        (self.folder / f"{verb}-codes").write_text(" ".join(str(code) for code in codes))

    def verbs(self):
        calls = self.folder / "calls"
        return [line.split()[0] for line in calls.read_text().splitlines()] if calls.exists() else []

    def wait_for(self, name):
        end = time.monotonic() + 30
        while not (self.folder / name).exists():
            self.assertLess(time.monotonic(), end, f"no {name}")
            time.sleep(0.02)

    def test_a_passing_test(self):
        self.assertEqual(self.call("run", "--cluster-size", "2", "--", "sh", "-c", 'cat "$CLUSTER_PASSWORD_FILE" >got; env >env'), 0)
        self.assertEqual(self.verbs(), ["init", "deploy", "info", "destroy"])
        self.assertIn("init --cluster-size 2 -d exasol-cluster", (self.folder / "calls").read_text())
        self.assertEqual((self.folder / "got").read_text(), PASSWORD + "\n")
        seen = (self.folder / "env").read_text()
        self.assertIn("CLUSTER_DSN=192.0.2.1/AB:8563\n", seen)
        self.assertIn("CLUSTER_PORT=8563\n", seen)
        self.assertIn("CLUSTER_FINGERPRINT=\n", seen)
        self.assertNotIn(PASSWORD, seen)
        self.assertNotIn(PASSWORD, self.output)
        self.assertEqual((self.folder / "cluster-logs/events.jsonl").read_text(), "log\n")

    def test_github_is_told_what_to_mask(self):
        self.assertEqual(self.call("run", "--", "true", GITHUB_ACTIONS="true"), 0)
        self.assertIn(f"::add-mask::{PASSWORD}\n", self.output)

    def test_a_failing_test_keeps_its_exit_code(self):
        self.assertEqual(self.call("run", "--", "sh", "-c", "exit 7"), 7)
        self.assertEqual(self.verbs(), ["init", "deploy", "info", "destroy"])

    def test_a_failing_deploy_is_destroyed_too(self):
        self.codes("deploy", 1)
        self.assertEqual(self.call("run", "--", "touch", "ran"), 1)
        self.assertEqual(self.verbs(), ["init", "deploy", "destroy"])
        self.assertFalse((self.folder / "ran").exists())

    def test_a_failing_init_leaves_nothing_to_destroy(self):
        self.codes("init", 4)
        (self.folder / "bin/exasol").write_text(FAKE.replace("folder.mkdir()", "sys.exit(4)"))
        self.assertEqual(self.call("run", "--", "touch", "ran"), 4)
        self.assertEqual(self.verbs(), ["init"])

    def test_a_failing_destroy_is_tried_again_and_told(self):
        self.codes("destroy", 1)
        self.assertEqual(self.call("run", "--", "true"), 1)
        self.assertEqual(self.verbs().count("destroy"), 2)
        self.assertIn("NOT DESTROYED", self.output)

    def test_the_tests_exit_code_goes_before_the_destroys(self):
        self.codes("destroy", 1)
        self.assertEqual(self.call("run", "--", "sh", "-c", "exit 7"), 7)

    def test_destroy_waits_for_the_lock(self):
        self.codes("destroy", 75, 75, 75, 0)
        self.assertEqual(self.call("run", "--", "true"), 0)
        self.assertEqual(self.verbs().count("destroy"), 4)

    def test_a_signal_during_deploy(self):
        (self.folder / "deploy-waits").touch()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(signal=number):
                for name in ("calls", "waiting", "exasol-cluster/deployment.json"):
                    (self.folder / name).unlink(missing_ok=True)
                subprocess.run(["rm", "-rf", self.folder / "exasol-cluster"], check=True)
                process = self.start("run", "--", "touch", "ran")
                self.wait_for("waiting")
                process.send_signal(number)
                self.assertEqual(self.finish(process), 128 + number)
                calls = (self.folder / "calls").read_text().splitlines()
                # Not before deploy has ended: it holds the lock.
                self.assertEqual(calls[-2:], ["deploy ended by 15", "destroy -d exasol-cluster --yes"])
                self.assertFalse((self.folder / "ran").exists())

    def test_a_signal_during_the_test_ends_all_of_it(self):
        script = "sh -c 'echo $$ >inner; touch waiting; exec sleep 600' & wait"
        process = self.start("run", "--", "sh", "-c", script)
        self.wait_for("waiting")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(process), 143)
        inner = (self.folder / "inner").read_text().strip()
        self.assertFalse(self.runs(inner), "the test's own child still runs")
        self.assertEqual(self.verbs()[-1], "destroy")

    def test_a_signal_before_the_test_is_not_lost(self):
        (self.folder / "info-waits").touch()
        process = self.start("run", "--", "touch", "ran")
        self.wait_for("waiting")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(process), 143)
        self.assertEqual((self.folder / "calls").read_text().splitlines()[-2:], ["info ended by 15", "destroy -d exasol-cluster --yes"])
        self.assertFalse((self.folder / "ran").exists())

    def test_a_test_that_ignores_the_signal_is_killed(self):
        stubborn = "trap '' TERM; echo $$ >inner.new; mv inner.new inner; while :; do sleep 600; done"
        # By itself, and as what is left of a test that has ended.
        for script in (stubborn, 'sh -c "$0" & wait'):
            with self.subTest(script=script):
                (self.folder / "inner").unlink(missing_ok=True)
                subprocess.run(["rm", "-rf", self.folder / "exasol-cluster"], check=True)
                process = self.start("run", "--", "sh", "-c", script, stubborn, CLUSTER_GRACE="1")
                self.wait_for("inner")
                process.send_signal(signal.SIGTERM)
                self.assertEqual(self.finish(process), 143)
                self.assertFalse(self.runs((self.folder / "inner").read_text().strip()))
                self.assertEqual(self.verbs()[-1], "destroy")

    def test_an_interrupted_test_has_time_to_end(self):
        # What the group's first process leaves behind has it too.
        script = "(trap 'sleep 0.5; touch tidied; exit' TERM; touch waiting; while :; do sleep 0.1; done) & wait"
        process = self.start("run", "--", "sh", "-c", script)
        self.wait_for("waiting")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(process), 143)
        self.assertTrue((self.folder / "tidied").exists())

    @staticmethod
    def runs(pid):
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        return stat.rsplit(")", 1)[1].split()[0] not in "ZX"

    def test_an_existing_deployment_is_taken(self):
        (self.folder / "exasol-cluster").mkdir()
        (self.folder / "exasol-cluster/deployment.json").write_text('{"status": "initialized"}')
        self.assertEqual(self.call("run", "--", "true"), 0)
        self.assertEqual(self.verbs(), ["status", "deploy", "info", "destroy"])

    def test_a_destroyed_deployment_is_moved_aside(self):
        for _ in range(2):
            self.assertEqual(self.call("run", "--", "true"), 0, self.__dict__.get("output"))
        self.assertEqual(self.verbs(), ["init", "deploy", "info", "destroy", "status", "init", "deploy", "info", "destroy"])
        old = list(self.folder.glob("exasol-cluster.old-*"))
        self.assertEqual(len(old), 1)
        self.assertTrue((old[0] / "logs/events.jsonl").exists())

    def test_a_destroyed_directory_is_removed_where_that_is_asked_for(self):
        self.codes("destroy", 1)
        self.assertEqual(self.call("run", "--", "true", CLUSTER_CLEAR="1"), 1)
        self.assertTrue((self.folder / "exasol-cluster").exists(), "nothing to destroy it with")
        self.codes("destroy", 0)
        self.assertEqual(self.call("destroy", CLUSTER_CLEAR="1"), 0)
        self.assertFalse((self.folder / "exasol-cluster").exists())
        self.assertTrue((self.folder / "cluster-logs/events.jsonl").exists())
        self.assertEqual(self.call("run", "--", "sh", "-c", "exit 7", CLUSTER_CLEAR="1", CLUSTER_KEEP="1"), 7)
        self.assertTrue((self.folder / "exasol-cluster").exists(), "it is to be kept")
        self.assertEqual(self.call("run", "--", "sh", "-c", "exit 7", CLUSTER_CLEAR="1"), 7)
        self.assertFalse((self.folder / "exasol-cluster").exists())

    def test_keep(self):
        self.assertEqual(self.call("run", "--", "sh", "-c", "exit 7", CLUSTER_KEEP="1"), 7)
        self.assertEqual(self.verbs(), ["init", "deploy", "info"])

    def test_destroy_alone(self):
        self.assertEqual(self.call("destroy"), 0)
        self.assertEqual(self.verbs(), [])
        (self.folder / "elsewhere").mkdir()
        (self.folder / "elsewhere/deployment.json").write_text("{}")
        self.codes("destroy", 1, 0)
        self.assertEqual(self.call("destroy", CLUSTER_DIR="elsewhere"), 0)
        self.assertEqual(self.verbs(), ["destroy", "destroy"])

    def test_usage(self):
        for arguments in ([], ["run"], ["run", "--"], ["run", "--cluster-size", "1"], ["what"]):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.call(*arguments), 2)
                self.assertIn("Usage: cluster.sh run", self.output)
        self.assertEqual(self.call("--help"), 0)


if __name__ == "__main__":
    unittest.main()
