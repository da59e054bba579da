"""A node for the scripts of ansible/node/: a folder with its own HOME, PATH, configuration and clock.

`sleep` takes no time: it moves the node's clock, which `date +%s` shows."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

SCRIPTS = pathlib.Path(__file__).parents[2] / "ansible" / "node"

CLOCK = r"""#!/bin/sh
case $0 in
  */sleep) echo $(($(cat "$CLOCK") + ${1%%.*})) >"$CLOCK" ;;
  *) case $* in +%s) cat "$CLOCK" ;; *) exec /usr/bin/date "$@" ;; esac ;;
esac
"""
SUDO = '#!/bin/sh\n[ "$1" != -n ] || shift\nexec "$@"\n'


class FakeNode:
    """`settings` are lines of node.conf beside the usual ones."""

    def __init__(self, test, **settings):
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.home, self.bin, self.lib, self.release = (self.root / name for name in ("home", "bin", "lib", "release"))
        for place in (self.home, self.bin, self.release):
            place.mkdir()
        shutil.copytree(SCRIPTS, self.lib)
        conf = self.root / "node.conf"
        lines = {"NODE": "n11", "NODES": "1", "FIRST": "yes", "LOGIN": "exasol", "RELEASE": self.release, **settings}
        conf.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        for script in self.lib.glob("*.sh"):
            script.write_text(script.read_text().replace("/etc/exasol-deployer/node.conf", str(conf)))
            script.chmod(0o755)
        self.calls = self.root / "calls"
        self.calls.touch()
        self.clock = self.root / "clock"
        self.clock.write_text(subprocess.run(["date", "+%s"], capture_output=True, text=True, check=True).stdout)
        self.program("sleep", CLOCK, noted=False)
        self.program("date", CLOCK, noted=False)
        self.program("sudo", SUDO, noted=False)

    def program(self, name, text, noted=True, place=None):
        """A program on PATH; what it was called with is noted."""
        path = (place or self.bin) / name
        if noted:
            note = f'#!/bin/sh\nprintf "%s" {name} >>"$CALLS"; printf " %s" "$@" >>"$CALLS"; echo >>"$CALLS"\n'
            text = note + text
        path.write_text(text)
        path.chmod(0o755)

    def c4(self, text):
        """The c4 that the installation brought; `$*` is its command line."""
        self.program("c4", text)

    def pass_time(self, seconds):
        self.clock.write_text(f"{int(self.clock.read_text()) + seconds}\n")

    def called(self, name=""):
        return [line for line in self.calls.read_text().splitlines() if line.startswith(name)]

    def run(self, *words, stdin="", limit=60):
        """A script of the node, or with `sh -c` what sources some."""
        first = [self.lib / words[0]] if words[0].endswith(".sh") else ["sh", "-euc", words[0], "sh"]
        environment = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "CALLS": str(self.calls),
            "CLOCK": str(self.clock),
            "LIB": str(self.lib),
            "ROOT": str(self.root),
        }
        return subprocess.run(
            [*first, *words[1:]],
            input=stdin,
            capture_output=True,
            text=True,
            env=environment,
            timeout=limit,
            # Whoever started the tests may ignore it (nohup), and the script would have to as well.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )
