"""What the kinds of faults share: the operations with their steps, a case, and how it ends."""

import dataclasses
import random
import time
import zlib
from typing import Callable

import proof
from world import INIT

# Operation: the template from which it begins, and its words.
OPERATIONS = {
    "init": (None, INIT),
    "deploy": ("initialized", ("deploy",)),
    "stop": ("ready", ("stop",)),
    "start": ("stopped", ("start",)),
    "destroy": ("ready", ("destroy", "--yes")),
}
# Operation: the programs that it runs, in their order. The fakes stop there when told.
STEPS = {
    "deploy": (
        "terraform.version", "ansible-playbook.version", "terraform.init", "terraform.plan", "terraform.show", "terraform.apply",
        "terraform.output", "ssh.session", "ansible-playbook.setup", "ssh.certificate",
    ),
    "stop": ("ssh.other", "ssh.stop", "ssh.services", "terraform.plan", "terraform.show", "terraform.apply"),
    "start": ("terraform.plan", "terraform.show", "terraform.apply", "ssh.session", "ssh.up"),
    "destroy": ("terraform.plan-destroy", "terraform.show", "terraform.apply"),
}  # fmt: skip


@dataclasses.dataclass
class Case:
    name: str
    template: str | None
    check: Callable

    def run(self, world):
        world.begin(self.template)
        foreign, secrets = world.foreign(), world.secrets()
        self.check(world, Turn(self.name))
        proof.untouched(world, foreign)
        proof.no_leaks(world, secrets)


class Turn:
    """What alternates from case to case, and is the same whenever the case runs."""

    def __init__(self, name):
        number = zlib.crc32(name.encode())
        self.to_ready = number & 1 == 0
        self.looks = number & 6 == 0
        self.random = random.Random(name)


def after(world, turn, operation, before, code):
    """The end of nearly every case."""
    world.heal()
    proof.truthful(world, operation, before, code)
    if turn.looks:
        proof.readable(world)
    proof.recovered(world, turn.to_ready)


def settle(world, limit=10):
    end = time.monotonic() + limit
    while world.survivors() and time.monotonic() < end:
        time.sleep(0.02)
    proof.nothing_runs(world)
