"""The parts of debian.py, and of the chroot that it shares with tests/package, that need no root."""

import io
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

import debian
import chroot

MOUNTINFO = """22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:5 / /srv/docs.1/dev rw - devtmpfs udev rw
24 22 8:1 /data /srv/docs.2 rw - ext4 /dev/sda1 rw
25 22 8:1 /data /srv/with\\040blank/x rw - ext4 /dev/sda1 rw
26 22 8:1 /data /srv/docs.10/x rw - ext4 /dev/sda1 rw
"""


class Removal(unittest.TestCase):
    def test_mounts_below(self):
        for folder, expected in {
            "/srv/docs.1": ["/srv/docs.1/dev"],
            "/srv/docs.2": ["/srv/docs.2"],
            "/srv/docs.3": [],
            "/srv/with blank": ["/srv/with blank/x"],
        }.items():
            self.assertEqual(chroot.mounts_below(folder, MOUNTINFO), expected)

    def test_nothing_is_removed_below_a_mount(self):
        with tempfile.TemporaryDirectory() as folder:
            kept = pathlib.Path(folder, "kept")
            kept.touch()
            with unittest.mock.patch.object(chroot, "mounts_below", return_value=["/there"]):
                with self.assertRaisesRegex(RuntimeError, "/there"):
                    chroot.remove(folder)
            self.assertTrue(kept.exists())

    def test_what_killed_runs_left_is_swept(self):
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.dict(os.environ, EXASOL_LAB_HOME=folder):
            home = pathlib.Path(folder, "chroot")
            (home / "docs.old/etc").mkdir(parents=True)
            (home / "package.old").mkdir()
            # Goes as far as unpacking: there is nothing in this archive.
            subprocess.run(["tar", "-cf", home / "bookworm-minbase.tar", "-T", "/dev/null"], check=True)
            with self.assertRaises(OSError):
                chroot.Chroot(io.StringIO(), "docs").__enter__()
            left = sorted(path.name for path in home.iterdir())
            self.assertEqual(left, ["bookworm-minbase.tar", "docs.lock", "package.old"])


class Lab(unittest.TestCase):
    def test_an_interrupted_run_ends_before_the_lab_is_restored(self):
        with tempfile.TemporaryDirectory() as folder:
            child = f"trap 'touch {folder}/tidied; exit' TERM; touch {folder}/waiting; while :; do sleep 0.1; done"
            code = (
                "import run, signal, sys, debian\n"
                "signal.signal(signal.SIGHUP, run.stop)\n"
                "debian.attend(['sh', '-c', sys.argv[1]])\n"
            )
            process = subprocess.Popen([sys.executable, "-B", "-c", code, child], cwd=pathlib.Path(__file__).parent)
            end = time.monotonic() + 30
            while not pathlib.Path(folder, "waiting").exists():
                self.assertLess(time.monotonic(), end)
                time.sleep(0.02)
            process.send_signal(signal.SIGHUP)
            self.assertEqual(process.wait(timeout=30), 129)
            self.assertTrue(pathlib.Path(folder, "tidied").exists())

    def test_only_what_is_missing_is_restored(self):
        for every, active, expected in (
            ("default\n", "default\n", []),
            ("default\n", "", ["net-start"]),
            ("other\n", "", ["net-define", "net-autostart", "net-start"]),
        ):
            calls = []

            def virsh(verb, *arguments, **_options):
                if verb == "net-list":
                    return every if "--all" in arguments else active
                calls.append(verb)

            debian.restore(virsh, "net", "<network/>")
            self.assertEqual(calls, expected)


if __name__ == "__main__":
    unittest.main()
