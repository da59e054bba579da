"""What a program itself takes while it runs, without the programs that it starts."""

import contextlib
import os
import pathlib
import subprocess


def watch(child, pause):
    """Waits for its end, and looks every `pause` seconds: (seconds of a processor, peak of memory in MB)."""
    ticks = peak = 0
    while child.poll() is None:
        # Of one that has just ended nothing is told any more.
        with contextlib.suppress(OSError, IndexError):
            fields = pathlib.Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks = max(ticks, int(fields[11]) + int(fields[12]))
            status = pathlib.Path(f"/proc/{child.pid}/status").read_text().splitlines()
            peak = max([peak, *(int(row.split()[1]) for row in status if row.startswith("VmHWM"))])
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(pause)
    return ticks / os.sysconf("SC_CLK_TCK"), peak / 1024
