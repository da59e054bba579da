"""Signals to exasol, to its group, and to the programs that it runs."""

import os
import signal
import time

from case import OPERATIONS, STEPS, Case, after, settle
from world import kill

HUP, INT, TERM, KILL, QUIT = "HUP", "INT", "TERM", "KILL", "QUIT"


def signals(operation, step, name, send, codes):
    template, words = OPERATIONS[operation]

    def check(world, turn):
        before = world.state()["phase"]
        world.fault(step, "deaf" if name.endswith("×3") else "hold")
        child = world.start(*words)
        tool = world.reached(step, child)
        assert tool, f"{step} was not reached\n{world.finish(child).text}"
        send(child, *tool)
        if not name.startswith(("exasol", "group")):
            # A session that is lost is opened again.
            world.heal()
        if name in ("exasol-KILL", "exasol-QUIT"):
            world.finish(child).expect(*codes)
            outlived(world, step)
            code = 137
        else:
            code = world.finish(child).expect(*codes).code
            # ssh is killed with its group, the others have ended in order.
            settle(world)
            if "×" not in name:
                assert world.interrupts() <= 1, f"{step} was interrupted {world.interrupts()} times"
        after(world, turn, operation, before, code)

    return Case(f"signal/{operation}/{step}/{name}", template, check)


def outlived(world, step):
    """exasol is dead, and what it ran may run on: nobody else gets in for as long as it does."""
    if step.startswith("terraform") and step != "terraform.version" and world.survivors():
        status = world.exasol("status", "--json").expect(0)
        assert status.json().get("operation"), f"Terraform runs on, but nobody holds the lock\n{status.text}"
        world.exasol("deploy").expect(75)
    world.kill_survivors()


def number(name):
    return getattr(signal, f"SIG{name}")


def to_exasol(*names, apart=0.4):
    def send(child, *_):
        for place, name in enumerate(names):
            if place:
                time.sleep(apart)
            kill(child.pid, number(name))

    return send


def to_group(name):
    def send(child, *_):
        os.killpg(child.pid, number(name))

    return send


def to_tool(name):
    return lambda child, tool, plugin: kill(tool, number(name))


def to_plugin(name):
    return lambda child, tool, plugin: kill(plugin, number(name))


def signal_cases():
    for operation, steps in STEPS.items():
        for step in steps:
            row = lambda *rest: signals(operation, step, *rest)  # noqa: E731, B023
            yield row("exasol-HUP", to_exasol(HUP), (129,))
            yield row("exasol-INT", to_exasol(INT), (130,))
            yield row("exasol-INT×2", to_exasol(INT, INT), (130,))
            yield row("exasol-INT×3", to_exasol(INT, INT, INT), (130,))
            yield row("exasol-TERM", to_exasol(TERM), (143,))
            yield row("exasol-KILL", to_exasol(KILL), (137,))
            yield row("exasol-QUIT", to_exasol(QUIT), (131,))
            yield row("group-INT", to_group(INT), (130,))
            yield row("group-HUP", to_group(HUP), (129,))
            yield row("group-TERM", to_group(TERM), (143,))
            for name in (INT, TERM, KILL, QUIT, HUP):
                yield row(f"tool-{name}", to_tool(name), TOOL_DIED)
            if step.startswith("terraform"):
                yield row("plugin-KILL", to_plugin(KILL), TOOL_DIED)


# A step whose failure is only a warning, or is tried again, may end well.
TOOL_DIED = (0, 1, 4)
