"""The boot stages and what each of them waits for.

a1  the machine is up; also what is seen while the services are stopped
b   c4.service is up: COS SSH answers
c   the data disks are there, confd answers here, and every other node's cluster port has answered
d   the database is up on this node
"""

import os
import socket
import stat
import time
from collections import namedtuple

ORDER = ("a", "a1", "b", "c", "d")
_DISK_CHECK_S = 5.0


# cos: why COS is not up, or None.  disks: what is wrong with one, or None.  confd: whether it
# answers.  strangers: [(name, why)] of nodes not met yet.  database: its state on this node.
# (No typing.NamedTuple: typing alone takes an emulated guest 0.2 s to load.)
Facts = namedtuple("Facts", "cos disks confd strangers database")


def reached(stage, wanted):
    return ORDER.index(stage) >= ORDER.index(wanted)


def of(facts, stuck=None):
    """(stage, what the next one waits for; "" at the end)."""
    stage, reason = _of(facts)
    if stuck in ORDER and reached(stage, stuck) and stuck != "d":
        return stuck, f"the fault stage_stuck={stuck}"
    return stage, reason


def _of(facts):
    if facts.cos:
        return "a1", facts.cos
    if facts.disks:
        return "b", facts.disks
    if not facts.confd:
        return "b", "confd"
    if facts.strangers:
        return "b", ", ".join(f"{name}: {why}" for name, why in facts.strangers)
    if facts.database != "running":
        return "c", "the database"
    return "d", ""


class Cos:
    """Whether c4.service is up: its sshd's process is alive and has answered once."""

    def __init__(self, pid_file, port):
        self._pid_file = pid_file
        self._port = port
        self._answered = None  # pid

    def problem(self):
        try:
            with open(self._pid_file, encoding="ascii") as file:
                pid = int(file.read())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return "c4.service is not up"
        if pid != self._answered:
            # Once for each start: every connection costs its sshd a new process.
            try:
                socket.create_connection(("127.0.0.1", self._port), 2.0).close()
            except OSError as error:
                return f"COS SSH on port {self._port}: {error.strerror or error}"
            self._answered = pid
        return None


class Disks:
    """Whether every data disk is there and can be read; nothing is ever written to one."""

    def __init__(self, paths):
        self._paths = paths
        self._good_until = 0.0

    def problem(self):
        now = time.monotonic()
        if now < self._good_until:
            return None
        for path in self._paths:
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except OSError as error:
                return f"disk {path}: {error.strerror}"
            try:
                if not stat.S_ISBLK(os.fstat(descriptor).st_mode):
                    return f"disk {path}: no block device"
            finally:
                os.close(descriptor)
        self._good_until = now + _DISK_CHECK_S
        return None
