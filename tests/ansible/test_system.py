"""What node/system.sh demands before a database is installed, and what it leaves alone. With fakes on PATH and files
of a folder of its own. Run: python3 -m unittest discover tests/ansible"""

import pathlib
import subprocess
import tempfile
import unittest

SYSTEM = pathlib.Path(__file__).parents[2] / "ansible" / "node" / "system.sh"
GIB = 1 << 20
UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04.3 LTS"\n'
DEBIAN = 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
ROCKY = 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\nPRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"\n'
RHEL = 'ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="{}"\nPRETTY_NAME="Red Hat Enterprise Linux {}"\n'

PRELUDE = """
set -eu
NODE=n11 LOGIN=exasol REHEARSAL={rehearsal} INSTALLED={installed} FIRST={first} SERIES={series} RELEASE={folder}/release
warn() {{ echo "warning: $*"; }}
changed() {{ echo "changed: $*"; }}
fail() {{ echo "error: $NODE: $*" >&2; exit 1; }}
have() {{ command -v "$1" >/dev/null 2>&1; }}
put() {{ cat "$1" >"$2"; }}
work={folder}
. {system}
os_release={folder}/os-release c4_unit={folder}/c4.service home={folder}/home
dnf_automatic={folder}/automatic.conf
"""


class System(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name in ("home", "release", "bin"):
            (self.folder / name).mkdir()
        self.running = set()
        self.disk(free=25 * GIB)
        self.fake("systemctl", f'[ "$2" = is-active ] && grep -qx "$3" {self.folder}/running')
        self.fake("du", f"echo 0 {self.folder}/release")

    def fake(self, name, body):
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def disk(self, free, size=48 * GIB, whole=None):
        self.fake("df", f"echo head; echo /dev/vda1 {size} {size - free} {free} 50% /")
        self.fake("lsblk", f'case $* in *PKNAME*) echo vda ;; *) echo {(whole or size) * 1024} ;; esac')

    def call(self, what, release=UBUNTU, rehearsal="no", installed="no", first="yes", series="2025.1"):
        (self.folder / "os-release").write_text(release)
        (self.folder / "running").write_text("".join(f"{unit}\n" for unit in self.running))
        prelude = PRELUDE.format(system=SYSTEM, folder=self.folder, rehearsal=rehearsal, installed=installed,
                                 first=first, series=series)
        environment = {"PATH": f"{self.folder}/bin:/usr/bin:/bin", "LC_ALL": "C"}
        run = subprocess.run(["sh", "-c", f"{prelude}\n{what}"], capture_output=True, text=True, env=environment)
        # Only the last line of stderr is told as the cause, and 500 characters of it.
        self.assertLessEqual(len(run.stderr.splitlines()), 1, run.stderr)
        self.assertLessEqual(len(run.stderr), 500, run.stderr)
        return run.returncode, run.stdout + run.stderr

    def fails(self, what, *texts, **more):
        code, said = self.call(what, **more)
        self.assertEqual(code, 1, said)
        for text in texts:
            self.assertIn(text, said)
        return said

    def passes(self, what, **more):
        code, said = self.call(what, **more)
        self.assertEqual(code, 0, said)
        return said

    def test_listed_systems_are_silent_and_others_are_warned_of_once(self):
        self.assertEqual(self.passes("check_system"), "")
        said = self.passes("check_system", release=DEBIAN)
        self.assertIn("warning: Exasol does not list Debian GNU/Linux 12 (bookworm)", said)
        self.assertIn("Ubuntu 20.04, 22.04 and 24.04, Red Hat", said)
        self.assertEqual(self.passes("check_system", release=DEBIAN, first="no"), "")
        self.assertEqual(self.passes("check_system", release=DEBIAN, rehearsal="yes"), "")
        self.assertIn("does not list this system", self.passes("check_system", release=""))

    def test_a_red_hat_as_it_comes_is_refused_with_one_command_that_mends_it(self):
        self.fake("getenforce", "echo Enforcing")
        self.running = {"firewalld"}
        said = self.fails("check_system", "error: n11: Exasol does not run on Rocky Linux 9.4 (Blue Onyx)",
                          "(SELinux is enforcing, firewalld is active, iptables-services do not run)", release=ROCKY)
        command = said.split("on every node: ")[1].strip()
        subprocess.run(["sh", "-n", "-c", command], check=True)
        for part in ("setenforce 0", "SELINUX=permissive", "disable --now firewalld", "install iptables-services",
                     "enable --now iptables"):
            self.assertIn(part, command)
        self.assertEqual(self.passes("check_system", release=ROCKY, rehearsal="yes"), "")
        self.assertEqual(self.passes("check_system", release=ROCKY, installed="yes"), "")

    def test_each_of_red_hat_s_faults_alone(self):
        self.running = {"iptables"}
        self.fake("getenforce", "echo Permissive")
        self.assertEqual(self.passes("check_system", release=RHEL.format("9.4", "9.4")), "")
        # A relative is as little listed as Debian.
        self.assertIn("does not list Rocky", self.passes("check_system", release=ROCKY))
        self.running = set()
        self.fails("check_system", "(iptables-services do not run)", release=ROCKY)
        self.running = {"iptables", "firewalld"}
        self.fails("check_system", "(firewalld is active)", release=ROCKY)

    def test_red_hat_10_needs_a_newer_release(self):
        said = self.fails("check_system", "Exasol 2025.1 does not run on Red Hat Enterprise Linux 10.1",
                          release=RHEL.format("10.1", "10.1"))
        self.assertIn("--db-version", said)
        self.assertEqual(self.passes("check_system", release=RHEL.format("10.1", "10.1"), series="2025.2"), "")

    def test_twenty_gib_are_free_in_the_home(self):
        self.assertEqual(self.passes("check_room"), "")
        self.disk(free=20 * GIB - 1)
        said = self.fails("check_room", "error: n11: ", " has 19.9 GiB of free space ", "(/dev/vda1 of 48.0 GiB, mounted at /)",
                          "needs 20 GiB", "--root-volume-size")
        self.assertNotIn("growpart", said)
        self.disk(free=20 * GIB)
        self.assertEqual(self.passes("check_room"), "")
        self.disk(free=GIB)
        self.assertEqual(self.passes("check_room", rehearsal="yes"), "")

    def test_a_file_system_that_did_not_grow_is_told_apart(self):
        self.disk(free=7 * GIB, size=9 * GIB, whole=50 * GIB)
        self.fake("df", f"echo head; echo /dev/mapper/root {9 * GIB} {2 * GIB} {7 * GIB} 50% /")
        self.assertNotIn("growpart", self.fails("check_room", "/dev/mapper/root"))
        self.disk(free=7 * GIB, size=9 * GIB, whole=50 * GIB)
        self.fails("check_room", "/dev/vda of 50.0 GiB", "sudo growpart /dev/vda 1 && sudo resize2fs /dev/vda1")

    def test_what_an_earlier_run_has_copied_counts_as_free(self):
        self.disk(free=18 * GIB)
        self.fails("check_room")
        self.fake("du", f"echo {3 * GIB} {self.folder}/release")
        self.assertEqual(self.passes("check_room"), "")

    def test_a_node_that_carries_an_installation_is_left_as_it_is(self):
        self.disk(free=GIB)
        self.fails("check_room")
        self.assertEqual(self.passes("check_room", installed="yes"), "")
        for trace in ("c4.service", "home/.ccc", "release/play.begun", "release/play.done"):
            path = self.folder / trace
            path.write_text("")
            self.assertEqual(self.passes("check_room", release=ROCKY) + self.passes("check_system", release=ROCKY), "")
            path.unlink()

    def test_podman_is_wanted_where_it_knows_quadlet(self):
        known = {UBUNTU: "yes", UBUNTU.replace("24.04", "22.04"): "no", DEBIAN: "no", DEBIAN.replace("12", "13"): "yes",
                 ROCKY: "yes", RHEL.format("8.10", "8"): "no", RHEL.format("10.0", "10"): "yes", "": "no"}
        for release, answer in known.items():
            said = self.passes("if has_quadlet; then echo yes; else echo no; fi", release=release)
            self.assertEqual(said.strip(), answer, release)

    def test_automatic_updates_of_red_hat_do_not_restart_a_node(self):
        conf = self.folder / "automatic.conf"
        self.assertEqual(self.passes("no_reboots"), "")
        conf.write_text("[commands]\napply_updates = yes\nreboot = when-needed\n# reboot = never\n")
        self.assertEqual(self.passes("no_reboots"), f"changed: {conf}\n")
        self.assertEqual(conf.read_text(), "[commands]\napply_updates = yes\nreboot = never\n# reboot = never\n")
        self.assertEqual(self.passes("no_reboots"), "")


if __name__ == "__main__":
    unittest.main()
