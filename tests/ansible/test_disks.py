"""What node/disks.sh finds on a disk, on files. Run: python3 -m unittest discover tests/ansible"""

import pathlib
import subprocess
import tempfile
import unittest

DISKS = pathlib.Path(__file__).parents[2] / "ansible" / "node" / "disks.sh"
# Where the volume descriptor of an ISO 9660 file system begins.
DESCRIPTOR = 16 * 2048


class Contents(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.disk = pathlib.Path(folder.name, "disk")
        with open(self.disk, "wb") as file:
            file.truncate(64 << 20)

    def contents(self):
        script = '. "$1"; contents "$2"'
        run = subprocess.run(["sh", "-euc", script, "sh", DISKS, self.disk], capture_output=True, text=True, check=True)
        return run.stdout.strip()

    def test_a_raw_disk_has_none(self):
        self.assertEqual(self.contents(), "")

    def test_a_file_system_is_named(self):
        subprocess.run(["/sbin/mkfs.ext4", "-q", self.disk], check=True)
        self.assertIn("TYPE=ext4", self.contents())

    def test_two_at_once_are_not_nothing(self):
        subprocess.run(["/sbin/mkfs.ext4", "-q", self.disk], check=True)
        with open(self.disk, "r+b") as file:
            file.seek(DESCRIPTOR)
            file.write(b"\x01CD001\x01")
        self.assertEqual(self.contents(), "several signatures")


if __name__ == "__main__":
    unittest.main()
