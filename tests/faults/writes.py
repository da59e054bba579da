"""Death, errors and another time at every change of the directory."""

import errno
import time

from case import OPERATIONS, Case, after


def at_write(operation, kind, fault):
    template, words = OPERATIONS[operation]

    def check(world, turn):
        before = world.state()["phase"] if template else None
        answer = world.exasol(*words, shim=fault)
        assert answer.code in (0, 1, 3, 4, 137), answer.text
        # Terraform and Ansible end by themselves in these worlds.
        end_of_tools(world)
        if template:
            return after(world, turn, operation, before, answer.code)
        if not (world.dir / "deployment.json").exists():
            nothing_of_init(world)
            world.exasol(*words).expect(0)
            before = "initialized"
        world.give_key()
        after(world, turn, "init", before, 0)

    return Case(f"{kind}/{operation}/{fault}", template, check)


def nothing_of_init(world):
    """A directory that is no deployment yet says so."""
    if world.dir.exists():
        world.exasol("status", "--json").expect(3)


def end_of_tools(world):
    end = time.monotonic() + 20
    while world.survivors() and time.monotonic() < end:
        time.sleep(0.02)
    world.kill_survivors()


def counted(world):
    """How many changes each operation makes to its directory."""
    found = {}
    for operation, (template, words) in OPERATIONS.items():
        world.begin(template)
        trace = world.folder / "trace"
        world.exasol(*words, shim="count", trace=trace).expect(0)
        found[operation] = len(trace.read_text().splitlines())
    return found


def write_cases(counts):
    for operation, count in counts.items():
        for place in range(1, count + 1):
            yield at_write(operation, "kill", f"kill:{place}")
        for place in range(2, count + 1, 7):
            yield at_write(operation, "kill", f"torn:{place}")
        for name in ("ENOSPC", "EIO", "EROFS"):
            value = getattr(errno, name)
            for place in sorted({1, 2, 3, *range(1, count + 1, max(1, count // 12)), count}):
                yield at_write(operation, f"errno-{name}", f"error:{value}:{place}")
                yield at_write(operation, f"errno-{name}", f"error:{value}:{place}+")
        yield at_write(operation, "errno-ENOLCK", f"lock:{errno.ENOLCK}")
        for place in (0, count // 3, count // 2):
            for shift in (-3 * 365 * 86400, -3600, 3600, 3 * 365 * 86400):
                yield at_write(operation, "clock", f"clock:{place}:{shift}")
