"""The c4 of the release directory: its command line, and what it makes of the nodes' reports.

`ssh` is a fake on PATH that writes down how it was called and plays a node's answer.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import support
from support import run_c4
from test_config import GOOD, quoted

c4 = support.load_c4()

FAKE_SSH = """#!/bin/sh
for word in "$@"; do
    last=$word
    case $word in *' '*) ;; exasol@*) host=${word#*@} ;; esac
done
printf '%s\\n' "$@" >>"$FAKE/$host.argv"
printf '%s' "$last" >"$FAKE/$host.script"
cat >"$FAKE/$host.stdin"
sed "s/@NOW@/$(date +%s)/" "$FAKE/$host.answer"
exit "$(cat "$FAKE/$host.code" 2>/dev/null || echo 0)"
"""


class CommandLine(unittest.TestCase):
    def test_not_understood(self):
        for words in ((), ("host",), ("host", "play"), ("host", "up", "-i", "x"), ("up",),
                      ("host", "play", "-i", "x", "--ccc-play-rootless", "true"),
                      ("ps", "-e", "."), ("--ccc-play-db-password", "geheim")):  # fmt: skip
            done = run_c4(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("rehearsal: no database", done.stderr)
            self.assertNotIn("geheim", done.stderr + done.stdout)

    def test_version_and_help(self):
        for word in ("version", "--help"):
            done = run_c4(word)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("rehearsal: no database", done.stdout)

    @unittest.skipIf(os.path.exists(c4.INSTALLED_C4), "this machine is a rehearsal node")
    def test_before_a_play(self):
        self.assertEqual(run_c4("ps").returncode, 0)
        for text in c4.FILTERS:
            done = run_c4("ps", "-e", text)
            self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertEqual(run_c4("wait", "--stage", "d").returncode, 1)

    def test_both_c4s_know_the_same_filters(self):
        from standin import cli

        known = (cli.FILTER_ALL_D, cli.FILTER_STAGES, cli.FILTER_NAMES, cli.FILTER_IDS)
        self.assertEqual(c4.FILTERS, known)


class NodeCase(unittest.TestCase):
    NODES = ("192.168.122.11", "192.168.122.12")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.mkdir(self.at("bin"))
        self.write("bin/ssh", FAKE_SSH, 0o755)
        os.makedirs(self.at(".ssh"))
        self.write(".ssh/id_rsa", "key", 0o600)
        self.write("exasol-rehearsal.tar.gz", "archive")
        digest = hashlib.sha256(b"archive").hexdigest()
        self.write("exasol-rehearsal.tar.gz.sha256", f"{digest}  exasol-rehearsal.tar.gz\n")
        self.configure()
        for address in self.NODES:
            self.answer(address, "@@ clock @NOW@\n@@ end\n")

    def at(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o600):
        with open(self.at(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.at(name), mode)

    def read(self, name, mode="r"):
        with open(self.at(name), mode) as file:
            return file.read()

    def configure(self, **changes):
        values = dict(GOOD, CCC_PLAY_FROM_FILE=self.at("exasol-rehearsal.tar.gz"))
        for key in values:
            if "PASSWORD" in key:
                values[key] = quoted(support.PASSWORD)
        values.update(changes)
        self.write("config", "".join(f"{key}={value}\n" for key, value in values.items() if value is not None))

    def answer(self, address, text, code=0):
        self.write(f"{address}.answer", text)
        self.write(f"{address}.code", str(code))

    def run_host(self, what):
        done = run_c4(
            "host", what, "-i", "config",
            env={
                "HOME": self.folder,
                "FAKE": self.folder,
                "PATH": self.at("bin") + ":" + os.environ["PATH"],
            },
            cwd=self.folder,
        )  # fmt: skip
        self.assertNotIn(support.PASSWORD, done.stdout + done.stderr)
        for name in os.listdir(self.folder):
            if name.endswith((".argv", ".script")):
                self.assertNotIn(support.PASSWORD, self.read(name))
        return done

    def assert_fails(self, done, *parts):
        self.assertEqual(done.returncode, 1, done.stdout)
        for part in parts:
            self.assertIn(part, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), len(parts) + 1, done.stderr)


class Diag(NodeCase):
    def test_good(self):
        done = self.run_host("diag")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("2 node(s) ready", done.stdout)
        for address in self.NODES:
            called = self.read(f"{address}.argv").split("\n")
            for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", self.at(".ssh/id_rsa")):
                self.assertEqual(called.count(option), 1)

    def test_every_failed_check_is_a_line(self):
        self.answer(
            self.NODES[1],
            "@@ clock @NOW@\n@@ bad disk /dev/exadata_02: missing\n@@ bad sudo: no\n",
            1,
        )
        self.assert_fails(
            self.run_host("diag"), "n12: disk /dev/exadata_02: missing", "n12: sudo: no"
        )

    def test_ssh_that_fails(self):
        self.answer(self.NODES[0], "Host key verification failed.\n", 255)
        self.answer(self.NODES[1], "@@ clock 1000\n@@ end\n")
        self.assert_fails(
            self.run_host("diag"), "n11: ssh 192.168.122.11: exit code 255: Host key", "n12: clock"
        )

    def test_script_that_breaks_off(self):
        self.answer(self.NODES[0], "@@ clock @NOW@\nbash: killed\n", 0)
        self.assert_fails(
            self.run_host("diag"), "n11: the node's script: exit code 0: bash: killed"
        )

    def test_fault(self):
        self.answer(
            self.NODES[0], '@@ clock @NOW@\n@@ faults {"diag_fails": "as you wish"}\n@@ end\n'
        )
        self.assert_fails(self.run_host("diag"), "n11: the fault diag_fails: as you wish")

    def test_files_on_this_machine(self):
        os.chmod(self.at("config"), 0o644)
        self.assert_fails(self.run_host("diag"), "0600")
        os.chmod(self.at("config"), 0o600)
        os.chmod(self.at(".ssh/id_rsa"), 0o640)
        self.write("exasol-rehearsal.tar.gz", "another archive")
        self.assert_fails(self.run_host("diag"), "others may read it", "sha256")
        os.unlink(self.at("config"))
        self.assert_fails(self.run_host("diag"), "No such file")

    def test_external_addresses_are_dialled_too(self):
        self.configure(CCC_HOST_EXTERNAL_ADDRS='"10.9.9.1 192.168.122.12"')
        self.answer("10.9.9.1", "Connection timed out\n", 255)
        self.assert_fails(self.run_host("diag"), "n11: ssh 10.9.9.1 (external address)")


class Play(NodeCase):
    def test_nothing_is_sent_to_a_node_in_clear(self):
        steps = "@@ clock @NOW@\n@@ step copied\n@@ step extracted\n@@ step installed\n@@ end\n"
        for address in self.NODES:
            self.answer(address, steps)
        done = self.run_host("play")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for part in (
            "Exasol version: rehearsal (rehearsal: no database)",
            "Copying Exasol packages to remote hosts",
            "Extracting packages",
            "n12: installed",
        ):
            self.assertIn(part, done.stdout)
        self.assertRegex(done.stdout, r"PLAY_ID: [0-9a-f]{8}\n")
        for address in self.NODES:
            sent = self.read(f"{address}.stdin", "rb")
            self.assertNotIn(support.PASSWORD.encode(), sent)
            self.assertIn(b"BEGIN PRIVATE KEY", sent)
        for number, address in enumerate(self.NODES):
            self.assertIn(f"name='n{11 + number}'\n", self.read(f"{address}.script"))

    def test_a_bad_node_is_reported(self):
        self.answer(self.NODES[0], "@@ clock @NOW@\n@@ step copied\ntar: broken\n", 2)
        self.answer(self.NODES[1], "@@ clock @NOW@\n@@ bad sudo: no\n", 1)
        self.assert_fails(
            self.run_host("play"),
            "n11: the node's script: exit code 2: tar: broken",
            "n12: sudo: no",
        )

    def test_time_limit(self):
        self.configure(CCC_PLAY_TIMEOUT="1s")
        self.write("bin/ssh", "#!/bin/sh\nexec sleep 30\n", 0o755)
        self.assert_fails(self.run_host("play"), "n11: time is up", "n12: time is up")


class Scripts(unittest.TestCase):
    """The shell in c4 and in the archive."""

    def setUp(self):
        config = c4.Config("".join(f"{key}={value}\n" for key, value in GOOD.items()))
        self.texts = [c4.node_script(config, config.nodes[0], install) for install in (True, False)]
        for name in ("install-node", "unit-gate"):
            with open(os.path.join(support.REHEARSAL, "database", name)) as file:
                self.texts.append(file.read())

    def test_syntax(self):
        for text in self.texts:
            for shell in ("sh", "bash"):
                done = subprocess.run([shell, "-n"], input=text.encode(), stderr=subprocess.PIPE)
                self.assertEqual((done.returncode, done.stderr), (0, b""))

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_shellcheck(self):
        for text in self.texts:
            text = text if text.startswith("#!") else "#!/bin/bash\n" + text
            done = subprocess.run(
                # SC2154: the script's head assigns them; SC2086: lists of words, split on purpose
                ["shellcheck", "-e", "SC2154,SC2086", "-"],
                input=text.encode(),
                stdout=subprocess.PIPE,
            )
            self.assertEqual(done.stdout.decode(), "")

    def test_every_unit_is_labelled(self):
        folder = os.path.join(support.REHEARSAL, "database", "units")
        units = sorted(os.listdir(folder))
        self.assertEqual(
            units, ["c4.service", "c4_cloud_command.service", "exasol-admin-ui.service"]
        )
        for unit in units:
            with open(os.path.join(folder, unit)) as file:
                self.assertTrue(re.search("^Description=rehearsal: no database", file.read(), re.M))


if __name__ == "__main__":
    unittest.main()
