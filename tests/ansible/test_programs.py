"""Which packages node/programs.sh finds missing, for a node and for a warm base. With fakes on PATH.
Run: python3 -m unittest discover tests/ansible"""

import pathlib
import subprocess
import tempfile
import unittest

NODE = pathlib.Path(__file__).parents[2] / "ansible" / "node"

PRELUDE = """set -eu
have() {{ command -v "$1" >/dev/null 2>&1; }}
LOGIN=exasol MDNS={mdns} PODMAN={podman} manager='' missing='' wanted=''
. {node}/system.sh
. {node}/programs.sh
os_release={folder}/os-release
find_missing
echo "$manager:" $missing ":" $wanted
"""

PROGRAMS = ["parted", "lvm", "ip", "rsync", "uuidgen", "curl", "nft", "openssl", "ssh-keyscan"]
TRIXIE = 'ID=debian\nVERSION_ID="13"\n'


class Programs(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "bin").mkdir()
        self.have("sh")

    def have(self, *programs):
        for name in programs:
            path = self.folder / "bin" / name
            path.write_text("#!/bin/sh\n")
            path.chmod(0o755)

    def missing(self, mdns="yes", podman="yes", release=TRIXIE):
        (self.folder / "os-release").write_text(release)
        script = PRELUDE.format(node=NODE, folder=self.folder, mdns=mdns, podman=podman)
        run = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True,
                             env={"PATH": f"{self.folder}/bin", "LC_ALL": "C"})
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout.strip()

    def test_a_bare_machine_lacks_everything_by_its_own_names(self):
        self.have("apt-get")
        self.assertEqual(self.missing(), "apt: parted lvm2 iproute2 rsync uuid-runtime curl nftables openssl openssh-client "
                                         ": avahi-daemon podman")
        (self.folder / "bin" / "apt-get").unlink()
        self.assertEqual(self.missing(release='ID=rhel\nVERSION_ID="9.4"\n'),
                         "dnf: parted lvm2 iproute rsync util-linux curl nftables openssl openssh-clients : avahi podman")

    def test_what_is_there_or_of_no_use_is_not_looked_for(self):
        self.have("apt-get", *PROGRAMS)
        self.assertEqual(self.missing(), "apt: : avahi-daemon podman")
        self.assertEqual(self.missing(mdns="no", podman="no"), "apt: :")
        self.have("avahi-daemon")
        self.assertEqual(self.missing(release='ID=debian\nVERSION_ID="12"\n'), "apt: :", "its Podman is too old")
        self.have("podman")
        self.assertEqual(self.missing(), "apt: :")
