"""What node/packages.sh asks of apt and dnf, and how they get the deployer's proxy. With fakes on PATH.
Run: python3 -m unittest discover tests/ansible"""

import os
import pathlib
import subprocess
import tempfile
import unittest

PACKAGES = pathlib.Path(__file__).parents[2] / "ansible" / "node" / "packages.sh"
SECRET = "http://me:s3cret@proxy.example:3128"

# Tells how it was called and with which proxies; fails as it is told to, as often as it is told to.
FAKE = """#!/bin/sh
echo "${{0##*/}} $*" >>{folder}/called
echo "$https_proxy $no_proxy $NEEDRESTART_SUSPEND" >>{folder}/environment
for failure in {folder}/fails/*; do
  [ -e "$failure" ] || continue
  case "$*" in *"${{failure##*/}}"*)
    cat "$failure" >&2
    rm "$failure"
    exit 100 ;;
  esac
done
"""


class Packages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "fails").mkdir()
        (self.folder / "bin").mkdir()
        for name in ("apt-get", "dnf"):
            self.fake(name, FAKE.format(folder=self.folder))
        self.fake("sleep", "#!/bin/sh\n")
        script = PACKAGES.read_text().replace("/etc/exasol-deployer", str(self.folder))
        self.script = self.folder / "packages.sh"
        self.script.write_text(script.replace("\nPATH=", f"\nPATH={self.folder}/bin:"))

    def fake(self, name, text):
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def proxy(self, text):
        (self.folder / "proxy").write_text(text)

    def failing(self, word, said="E: no such thing"):
        (self.folder / "fails" / word).write_text(said)

    def run_with(self, *words):
        clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        clean["https_proxy"] = clean["no_proxy"] = ""
        return subprocess.run(["sh", self.script, *words], capture_output=True, text=True, env=clean)

    def calls(self):
        return (self.folder / "called").read_text().splitlines()

    def test_what_is_needed_is_installed_or_it_is_an_error(self):
        self.assertEqual(self.run_with("needed", "apt", "parted", "lvm2").returncode, 0)
        update, download, install = self.calls()
        self.assertTrue(update.endswith(" update"), update)
        self.assertIn("--no-install-recommends --download-only install parted lvm2", download)
        self.assertIn("--no-install-recommends --no-download install parted lvm2", install)
        self.failing("install")
        run = self.run_with("needed", "apt", "parted")
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("no such thing", run.stderr)

    def test_lists_that_another_apt_holds_are_waited_for(self):
        self.failing("update", "E: Could not get lock /var/lib/apt/lists/lock")
        self.assertEqual(self.run_with("needed", "apt", "parted").returncode, 0)
        self.assertEqual(sum(call.endswith(" update") for call in self.calls()), 2)

    def test_what_is_welcome_is_downloaded_first_and_one_does_not_hinder_the_other(self):
        self.failing("podman")
        self.assertNotEqual(self.run_with("welcome", "apt", "podman", "avahi-daemon").returncode, 0)
        calls = self.calls()
        self.assertEqual([("--download-only" in call, call.split()[-1]) for call in calls[1:]],
                         [(True, "podman"), (True, "avahi-daemon"), (False, "avahi-daemon")])
        self.assertIn("--no-download", calls[-1])

    def test_all_that_is_welcome_has_two_minutes_together(self):
        # A clock that goes on by 50 s whenever somebody looks at it.
        self.fake("date", f"#!/bin/sh\necho x >>{self.folder}/looks\necho $(($(wc -l <{self.folder}/looks) * 50))\n")
        self.fake("timeout", f'#!/bin/sh\necho $1 >>{self.folder}/seconds\nshift\nexec "$@"\n')
        self.assertEqual(self.run_with("welcome", "apt", "podman", "avahi-daemon").returncode, 0)
        self.assertEqual((self.folder / "seconds").read_text().split(), ["70", "20", "1"])

    def test_what_is_needed_has_a_limit_on_the_network_only(self):
        self.fake("timeout", f'#!/bin/sh\nshift\necho "$*" >>{self.folder}/limited\nexec "$@"\n')
        for manager in ("apt", "dnf"):
            self.assertEqual(self.run_with("needed", manager, "parted").returncode, 0)
        limited = (self.folder / "limited").read_text().splitlines()
        self.assertEqual([call for call in self.calls() if call not in "\n".join(limited)],
                         [call for call in self.calls() if "--no-download" in call or " -C " in call])

    def test_dnf_is_asked_for_the_same(self):
        self.assertEqual(self.run_with("needed", "dnf", "parted").returncode, 0)
        self.assertEqual(self.run_with("welcome", "dnf", "avahi").returncode, 0)
        self.assertEqual([call.split()[-2:] for call in self.calls()], [["install", "parted"]] * 2 + [["install", "avahi"]] * 2)
        for download, install in (self.calls()[:2], self.calls()[2:]):
            self.assertIn("--downloadonly", download)
            self.assertIn("-C", install)

    def test_a_proxy_reaches_them_by_their_environment_alone(self):
        self.proxy(f"https_proxy={SECRET}\nno_proxy=10.0.0.0/8,$(touch {self.folder}/evaluated)\n")
        run = self.run_with("needed", "apt", "parted")
        self.assertEqual(run.returncode, 0)
        for line in (self.folder / "environment").read_text().splitlines():
            self.assertTrue(line.startswith(f"{SECRET} 10.0.0.0/8,$(touch"), line)
            self.assertTrue(line.endswith(" 1"), line)
        self.assertNotIn("s3cret", "".join(self.calls()) + run.stdout + run.stderr)
        self.assertFalse((self.folder / "evaluated").exists())

    def test_a_proxy_that_is_of_no_use_here_is_told(self):
        self.proxy("# https_proxy is on the deployer's own loopback\n")
        run = self.run_with("needed", "apt", "parted")
        self.assertEqual(run.stdout, "warning: https_proxy is on the deployer's own loopback\n")
        self.assertEqual((self.folder / "environment").read_text().splitlines()[0], "  1")


if __name__ == "__main__":
    unittest.main()
