"""What costs money is asked for, where somebody can answer."""

import os
import pty
import subprocess
import time
import unittest

from test_exasol import init
from world import World


class Question(unittest.TestCase):
    def test_a_no_makes_nothing(self):
        with World("hetzner") as world:
            init(world, "--allowed-cidr", "192.0.2.0/24").expect(0)
            code, screen = self.on_a_terminal(world, "n\n", "deploy", "-d", world.dir)
            self.assertEqual(code, 2, screen)
            for text in ("Hetzner Cloud", "costs money", "192.0.2.0/24", "8563", "nothing was made"):
                self.assertIn(text, screen)
            self.assertFalse(world.state.exists() and world.resources())
            status = world.exasol("status", "--json", "-d", world.dir).expect(0).json()
            self.assertEqual((status["status"], status.get("last_error")), ("initialized", None))
            self.assertNotIn("error:", screen)
            logged = world.exasol("logs", "--list", "--json", "-d", world.dir).expect(0).json()["operations"][-1]
            self.assertEqual(logged["outcome"], "stopped")

    def on_a_terminal(self, world, answer, *arguments):
        """Exit code and everything shown; the answer is typed when the question stands there."""
        ours, theirs = pty.openpty()
        running = subprocess.Popen([str(world.binary), *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs,
                                   env={**world.env, "TERM": "xterm"}, cwd=world.folder, start_new_session=True)  # fmt: skip
        os.close(theirs)
        screen, typed, end = b"", False, time.monotonic() + 120
        while time.monotonic() < end:
            try:
                seen = os.read(ours, 4096)
            except OSError:  # the other side was closed
                break
            if not seen:
                break
            screen += seen
            if not typed and b"costs money" in screen:
                os.write(ours, answer.encode())
                typed = True
        os.close(ours)
        return running.wait(60), screen.decode(errors="replace")


if __name__ == "__main__":
    unittest.main()
