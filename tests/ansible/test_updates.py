"""The drop-in files for needrestart and unattended-upgrades, read as these programs read them.
Run: python3 -m unittest discover tests/ansible"""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

SNAPSHOTS = pathlib.Path(__file__).parents[2] / "src" / "render" / "snapshots"
OURS = ("c4.service", "c4_cloud_command.service", "exasol-admin-ui.service", "exacs.service", "exasol-firewall.service")
OTHERS = ("cron.service", "ssh.service", "systemd-journald.service", "dbus.service")
# As needrestart does it: its own settings, then the files of conf.d, each evaluated as a whole; then the first
# pattern in alphabetical order that matches a service's name.
NEEDRESTART = r"""
our %nrconf = (defno => 0);
$nrconf{override_rc} = { qr(^dbus) => 0, qr(^getty@.+\.service$) => 0 };
eval do { local(@ARGV, $/) = shift @ARGV; <> };
die "error parsing: $@" if $@;
for my $rc (@ARGV) {
    my $restart = !$nrconf{defno};
    for my $re (sort keys %{$nrconf{override_rc}}) {
        next unless $rc =~ /$re/;
        $restart = $nrconf{override_rc}->{$re};
        last;
    }
    print "$rc\n" if $restart;
}
"""


class Updates(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, snapshot):
        text = (SNAPSHOTS / f"deployer__render__updates__tests__{snapshot}.snap").read_text().split("---\n", 2)[2]
        path = self.folder / "file.conf"
        path.write_text(text)
        return path

    @unittest.skipUnless(shutil.which("perl"), "needs perl")
    def test_needrestart_restarts_others_only(self):
        words = ["perl", "-we", "use strict;" + NEEDRESTART, self.file("what_needrestart_reads"), *OURS, *OTHERS]
        run = subprocess.run(words, capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(run.stdout.split(), ["cron.service", "ssh.service", "systemd-journald.service"])

    @unittest.skipUnless(shutil.which("apt-config"), "needs apt")
    def test_unattended_upgrades_never_restart_a_node(self):
        file = self.file("what_unattended_upgrades_reads")
        before = self.folder / "50unattended-upgrades"
        before.write_text('Unattended-Upgrade::Automatic-Reboot "true";\n')
        environment = {"PATH": "/usr/bin:/bin", "APT_CONFIG": str(before)}
        words = ["apt-config", "-c", file, "dump", "--format", "%f=%v%n", "Unattended-Upgrade"]
        run = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
        self.assertIn("Unattended-Upgrade::Automatic-Reboot=false", run.stdout)


if __name__ == "__main__":
    unittest.main()
