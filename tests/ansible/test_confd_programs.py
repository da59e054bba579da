"""node/license.sh and node/certificate-set.sh with a fake c4: what reaches confd_client, and by which way.

Run: python3 -m unittest discover tests/ansible"""

import os
import pathlib
import subprocess
import tempfile
import unittest

NODE = pathlib.Path(__file__).parents[2] / "ansible" / "node"

# The words behind -- are joined by blanks and read by a second shell, as the real one does it.
C4 = r"""#!/bin/sh
echo "$*" >>"$HOME/words"
case $1 in
  config) echo 0123abcd ;;
  connect) while [ "$1" != -- ]; do shift; done; shift; exec sh -c "$*" ;;
esac
"""

# Its arguments, one a line, and each value "{< FILE}" as the file's content.
CONFD = r"""#!/usr/bin/python3
import pathlib, re, sys
job, words = sys.argv[1], sys.argv[2:]
if job == "db_list":
    print('["Exasol"]')
    sys.exit()
seen = [job]
for word in words:
    file = re.fullmatch(r'"\{< (\S+)\}"', word)
    text = word if not file else (sys.stdin.read() if file[1] == "-" else pathlib.Path(file[1]).read_text())
    seen.append(text)
(pathlib.Path.home() / "seen").write_text("\x1f".join(seen))
sys.exit(3) if (pathlib.Path.home() / "refuses").exists() else print("OK")
"""

CERT = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nS3CR3T\n-----END PRIVATE KEY-----\n"


class ConfdPrograms(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        for place, text in ((".local/bin/c4", C4), ("bin/confd_client", CONFD)):
            path = self.home / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)

    def run_program(self, name, word, text):
        parts = ["set -u; RELEASE=$HOME NODE=n11 NODES=1 FIRST=yes"]
        parts += [(NODE / part).read_text() for part in ("c4.sh", "confd.sh", name)]
        environment = {**os.environ, "HOME": str(self.home), "PATH": f"{self.home}/bin:{os.environ['PATH']}"}
        command = ["sh", "-c", "\n".join(parts), "sh", word]
        return subprocess.run(command, input=text, text=True, capture_output=True, env=environment)

    def seen(self):
        return (self.home / "seen").read_text().split("\x1f")

    def test_a_license_reaches_confd_as_one_text(self):
        license_text = "Contract:\n  company: 'A & B' \"x\" $HOME\n"
        done = self.run_program("license.sh", "upload", license_text)
        self.assertEqual((done.returncode, done.stdout), (0, "OK\n"), done.stderr)
        self.assertEqual(self.seen(), ["license_upload", "license:", license_text])
        self.assertNotIn("company", (self.home / "words").read_text())

    def test_what_confd_refuses_is_told(self):
        (self.home / "refuses").touch()
        done = self.run_program("license.sh", "upload", "x")
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: confd refuses (license_upload)", done.stderr)

    def test_a_certificate_and_its_key_are_files_for_as_long_as_confd_reads(self):
        self.assertEqual(self.run_program("certificate-set.sh", "ready", "").returncode, 0)
        done = self.run_program("certificate-set.sh", "set", CERT + CERT + "\n" + KEY)
        self.assertEqual(done.stdout, "OK\nstatus 0\n", done.stderr)
        self.assertEqual(self.seen(), ["cert_update", "cert:", CERT + CERT, "key:", KEY])
        self.assertNotIn("S3CR3T", (self.home / "words").read_text())
        for place in ("/dev/shm", "/tmp"):
            self.assertEqual([p for p in os.listdir(place) if p.startswith("exasol-certificate")], [])

    def test_a_certificate_that_is_refused_ends_with_its_status(self):
        (self.home / "refuses").touch()
        done = self.run_program("certificate-set.sh", "set", CERT + KEY)
        self.assertEqual(done.stdout, "status 3\n")


if __name__ == "__main__":
    unittest.main()
