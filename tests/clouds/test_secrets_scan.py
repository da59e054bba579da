"""The scan for secrets finds what it must find: a scan that is blind passes every test."""

import base64
import os
import pathlib
import secrets
import subprocess
import tempfile
import unittest

from secrets_scan import CommandLines, leaks

# Another in each run: the scan sees the processes of all.
SECRETS = {"TOKEN": f"a-secret-of-this-run-only-{secrets.token_hex(16)}"}


class Files(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def write(self, name, text, mode):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def test_what_others_may_read(self):
        encoded = [base64.b64encode(f"{'x' * n}{SECRETS['TOKEN']}yz".encode()).decode() for n in range(3)]
        self.write("private", SECRETS["TOKEN"], 0o600)
        self.write("innocent", "nothing here", 0o644)
        self.write("plain", f"token = {SECRETS['TOKEN']}", 0o644)
        for n in range(3):
            self.write(f"encoded{n}", encoded[n], 0o640)
        self.write("logs/terraform.jsonl", SECRETS["TOKEN"], 0o600)
        found = ["encoded0", "encoded1", "encoded2", "logs/terraform.jsonl", "plain"]
        self.assertEqual(leaks(self.folder, SECRETS), [f"{path}: TOKEN" for path in found])

    def test_a_line_of_a_key(self):
        key = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA0123456789abcdefghij\n" * 3
        self.write("part", "x MIIEowIBAAKCAQEA0123456789abcdefghij y", 0o644)
        self.assertEqual(leaks(self.folder, {"KEY": key}), ["part: KEY"])


class Processes(unittest.TestCase):
    def test_a_command_line(self):
        with CommandLines(SECRETS) as watch:
            subprocess.run(["sleep", "0.2"], env={**os.environ, **SECRETS}, check=True)
            self.assertEqual(watch.found, set())
            subprocess.run(["sh", "-c", "sleep 0.5", SECRETS["TOKEN"]], check=True)
        self.assertEqual(watch.found, {"sh: TOKEN"})


if __name__ == "__main__":
    unittest.main()
