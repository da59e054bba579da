"""What prepare-node.sh leaves when the power goes off in the middle, and what it makes of files that an earlier power
failure has damaged: ext4 and XFS may keep a file's size without its data, which then reads as NUL bytes.
Run: python3 -m unittest discover tests/ansible"""

import base64
import getpass
import io
import json
import os
import pathlib
import subprocess
import tarfile
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).parents[2] / "ansible" / "node" / "prepare-node.sh"
MARK = "#--- files of this node, tar in base64 ---\n"
OURS = "ssh-ed25519 AAAAours cluster\n"
THEIRS = "ssh-ed25519 AAAAtheirs eva@desk\n"
FILES = {f"etc/exasol-deployer/file-{number}": f"{number}: new\n" * 50 for number in range(4)}


class PowerCut(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.node = self.folder / "node"
        (self.folder / "bin").mkdir()
        (self.node / "etc/exasol-deployer").mkdir(parents=True)

    def program(self, name, text):
        path = self.folder / "bin" / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)

    def prepare(self, what):
        """Runs functions of the script; a node.conf would have told the login's name."""
        text = SCRIPT.read_text().replace("top=/\n", f"top={self.node}/\n")
        text = text.replace("/var/lib/cloud", f"{self.node}/var/lib/cloud")
        text = text.replace("PATH=/usr", f"PATH={self.folder}/bin:/usr")
        text = text.replace('main "${1-}"\n', f"LOGIN={getpass.getuser()}\n{what}\n")
        path = self.folder / "prepare.sh"
        path.write_text(text + MARK + base64.encodebytes(self.tar()).decode())
        return subprocess.run(["sh", path], capture_output=True, text=True, timeout=60)

    def tar(self):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, text in FILES.items():
                member = tarfile.TarInfo(name)
                member.size, member.uid, member.gid = len(text), os.getuid(), os.getgid()
                tar.addfile(member, io.BytesIO(text.encode()))
            link = tarfile.TarInfo("etc/exasol-deployer/link")
            link.type, link.linkname, link.uid, link.gid = tarfile.SYMTYPE, "file-0", os.getuid(), os.getgid()
            tar.addfile(link)
        return buffer.getvalue()

    def keys(self, before):
        """authorized_keys after a preparation that found these bytes."""
        keys, wanted = self.folder / "authorized_keys", self.folder / "wanted"
        keys.write_bytes(before)
        keys.chmod(0o600)
        wanted.write_text(OURS)
        run = self.prepare(f"add_lines {wanted} {keys}")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(keys.stat().st_mode & 0o777, 0o600)
        again = self.prepare(f"add_lines {wanted} {keys}")
        self.assertEqual(again.stdout, "", "a second run changes nothing")
        return keys.read_bytes().decode()

    def test_a_key_is_added_once_and_nothing_else_changes(self):
        self.assertEqual(self.keys(b""), OURS)
        self.assertEqual(self.keys((THEIRS + "\n# mine\n").encode()), THEIRS + "\n# mine\n" + OURS)
        self.assertEqual(self.keys(THEIRS.rstrip().encode()), THEIRS + OURS)
        self.assertEqual(self.keys((OURS + THEIRS).encode()), OURS + THEIRS)

    def test_nul_bytes_at_the_end_do_not_hide_the_key_after_them(self):
        self.assertEqual(self.keys(THEIRS.encode() + bytes(553)), THEIRS + OURS)
        # As an earlier version left it: the key is glued to them.
        self.assertEqual(self.keys(THEIRS.encode() + bytes(553) + OURS.encode()), THEIRS + OURS)
        self.assertEqual(self.keys(bytes(1187)), OURS)
        self.assertEqual(self.keys(OURS[:20].encode() + bytes(40)), OURS[:20] + "\n" + OURS)

    def test_a_file_is_on_the_disk_before_it_gets_its_name(self):
        self.program("sync", f'echo "sync $*" >>{self.folder}/calls; exec /usr/bin/sync "$@"')
        self.program("mv", f'echo "mv $*" >>{self.folder}/calls; exec /usr/bin/mv "$@"')
        (self.folder / "from").write_text("new\n")
        target = self.node / "file"
        target.write_text("old\n")
        self.prepare(f"put {self.folder}/from {target}")
        self.assertEqual(target.read_text(), "new\n")
        calls = (self.folder / "calls").read_text().splitlines()
        self.assertEqual(
            calls, [f"sync {target}.exasol-new", f"mv -f {target}.exasol-new {target}", f"sync {self.node}"]
        )

    def test_cloud_init_finds_the_nodes_identity_without_the_disk_of_the_first_boot(self):
        data, kept = self.node / "var/lib/cloud/data", self.node / "var/lib/cloud/seed/nocloud/meta-data"
        identify = "NODE=n11 SEEDED=yes; keep_identity"
        self.assertEqual(self.prepare(identify).stdout, "", "nobody asks without cloud-init")
        data.mkdir(parents=True)
        (data / "instance-id").write_text("exasol-1-n11\n")
        self.assertEqual(self.prepare("NODE=n11 SEEDED=no; keep_identity").stdout, "")
        self.program("sync", f'echo "sync $*" >>{self.folder}/calls')
        wanted = {"instance-id": "exasol-1-n11", "local-hostname": "n11"}
        # Nothing yet, and what a power failure may leave.
        for before in (None, b"", bytes(62)):
            if before is not None:
                kept.write_bytes(before)
            self.assertEqual(self.prepare(identify).stdout, "changed: identity for cloud-init\n")
            self.assertEqual(json.loads(kept.read_text()), wanted)
            self.assertEqual((kept.parent / "user-data").read_text(), "#cloud-config\n{}\n")
            self.assertEqual(self.prepare(identify).stdout, "")
        calls = (self.folder / "calls").read_text().splitlines()
        self.assertEqual(calls[:2], [f"sync {kept.parent}/user-data {kept}.new", f"sync {kept.parent}"])

    def test_what_of_the_release_came_in_part_is_removed(self):
        release = self.node / "release"
        release.mkdir()
        for name in ("c4", ".c4.17.part", ".exasol.tar.gz.18.part", ".mine"):
            (release / name).write_text("x")
        self.assertEqual(self.prepare(f"RELEASE={release}; remove_parts").returncode, 0)
        self.assertEqual(sorted(os.listdir(release)), [".mine", "c4"])

    def contents(self):
        return {name: (self.node / name).read_bytes() for name in FILES if (self.node / name).exists()}

    def test_files_of_zeros_are_laid_down_again(self):
        for name, text in FILES.items():
            (self.node / name).write_bytes(bytes(len(text)))
        said = self.prepare("lay_down").stdout
        self.assertEqual(self.contents(), {name: text.encode() for name, text in FILES.items()})
        self.assertIn("changed: files etc/exasol-deployer/file-0", said)
        self.assertEqual(os.readlink(self.node / "etc/exasol-deployer/link"), "file-0")
        self.assertEqual(self.prepare("lay_down").stdout, "")

    def test_whenever_it_ends_no_file_is_half_and_the_next_run_completes(self):
        whole = {name: text.encode() for name, text in FILES.items()}
        old = {name: b"old\n" for name in FILES}
        for program in ("tar", "sync", "mv"):
            for last in range(1, 9):
                for name, text in old.items():
                    (self.node / name).write_bytes(text)
                count = self.folder / "count"
                count.write_text("")
                # The power goes off in the call with this number: nothing after it happens.
                self.program(
                    program,
                    f'echo x >>{count}\n[ "$(wc -l <{count})" -lt {last} ] || {{ kill -9 $PPID; exit 1; }}\n'
                    f'exec /usr/bin/{program} "$@"\n',
                )
                self.prepare("lay_down")
                for name, content in self.contents().items():
                    self.assertIn(content, (old[name], whole[name]), f"{program} {last}")
                self.assertEqual(self.contents().keys(), whole.keys())
                (self.folder / "bin" / program).unlink()
                self.assertEqual(self.prepare("lay_down").returncode, 0)
                self.assertEqual(self.contents(), whole, f"{program} {last}")
                left = [path.name for path in (self.node / "etc/exasol-deployer").glob("**/*.exasol-new")]
                self.assertEqual(left, [], f"{program} {last}")


if __name__ == "__main__":
    unittest.main()
