"""The table: operation × step × fault. Every row is a case with a name, such as `signal/deploy/terraform.apply/exasol-INT`."""

import dataclasses
import errno
import os
import pty
import random
import shutil
import signal
import subprocess
import time
import zlib
from typing import Callable

import proof
from world import INIT, kill

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
HUP, INT, TERM, KILL, QUIT = "HUP", "INT", "TERM", "KILL", "QUIT"


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


# Signals


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


def settle(world, limit=10):
    end = time.monotonic() + limit
    while world.survivors() and time.monotonic() < end:
        time.sleep(0.02)
    proof.nothing_runs(world)


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


ANY = range(0, 256)


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


# What programs say


def said(operation, step, what):
    template, words = OPERATIONS[operation]

    def check(world, turn):
        before = world.state()["phase"]
        world.fault(step, what)
        answer = world.exasol(*words)
        assert answer.code in (0, 1, 4), answer.text
        if what == "fail" and step in MUST_FAIL:
            assert answer.code != 0, answer.text
        settle(world)
        after(world, turn, operation, before, answer.code)

    return Case(f"output/{operation}/{step}/{what}", template, check)


MUST_FAIL = ("terraform.plan", "terraform.plan-destroy", "terraform.show", "terraform.apply", "ansible-playbook.setup", "ssh.certificate",
             "ssh.services")  # fmt: skip


def output_cases():
    for operation, steps in STEPS.items():
        for step in steps:
            for what in ("fail", "garbage", "utf-8", "huge", "endless-line"):
                yield said(operation, step, what)


# Death and errors at every write


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


# The terminal and the standard streams


def terminal(operation, step, name, act, ends=True):
    template, words = OPERATIONS[operation]

    def check(world, turn):
        before = world.state()["phase"]
        world.fault(step, "hold")
        window, terminal = pty.openpty()
        line = " ".join([str(world.binary), *words]) + "\n"
        shell = subprocess.Popen(
            [shutil.which("setsid"), "--ctty", "bash", "--login", "--noprofile", "--norc", "-i"], env={**world.env, "TERM": "xterm"},
            cwd=world.folder, umask=0, stdin=terminal, stdout=terminal, stderr=terminal,
        )  # fmt: skip
        shell.words = ["(in bash)"]
        world.started.append(shell)
        os.close(terminal)
        os.write(window, line.encode())
        world.reached(step)
        act(world, window, step)
        if ends:
            shell.wait(30)
            settle(world, 20)
            after(world, turn, operation, before, 129)
        else:
            seen = read_until(window, b"code=", 60)
            assert b"code=0" in seen, seen[-2000:]
            os.close(window)
            shell.wait(30)
            after(world, turn, operation, before, 0)

    return Case(f"terminal/{operation}/{step}/{name}", template, check)


def close_window(world, window, step):
    os.close(window)


def pause(world, window, step):
    drain = read_until(window, b"$", 0.3)
    os.write(window, b"\x1a")
    drain += read_until(window, b"Stopped", 10)
    assert b"Stopped" in drain, drain[-2000:]
    os.write(window, b"fg\n")
    world.heal()
    # Typed ahead: bash reads it when the program has ended.
    os.write(window, b"echo code=$?\n")


def read_until(window, word, limit):
    seen, end = b"", time.monotonic() + limit
    os.set_blocking(window, False)
    while time.monotonic() < end:
        try:
            more = os.read(window, 65536)
            seen += more
            # What was typed is echoed.
            if word in seen.replace(b"echo code=", b""):
                return seen
        except BlockingIOError:
            time.sleep(0.02)
        except OSError:
            return seen
    return seen


def terminal_cases():
    for operation, steps in STEPS.items():
        for step in steps:
            if step.endswith(".version"):
                continue
            yield terminal(operation, step, "closed", close_window)
            yield terminal(operation, step, "ctrl-z-fg", pause, ends=False)


def streams(operation, name, more):
    template, words = OPERATIONS[operation]

    def check(world, turn):
        before = world.state()["phase"] if template else None
        with open("/dev/full", "wb") as full:
            settings = {key: full if value == "full" else value for key, value in more.items() if key != "wrap"}
            reader = None
            if "pipe" in settings.values():
                reader, writer = os.pipe()
                fill(writer)
                settings = {key: writer if value == "pipe" else value for key, value in settings.items()}
            child = world.start(*words, wrap=more.get("wrap", ()), **settings)
        if reader is not None:
            os.close(writer)
            # Nobody reads: what is recorded must not wait for that. The result may.
            success = {**proof.SUCCESS, "init": "initialized"}[operation]
            end = time.monotonic() + 60
            while (not (world.dir / "deployment.json").exists() or world.state()["phase"] != success) and time.monotonic() < end:
                time.sleep(0.05)
            os.close(reader)
        answer = world.finish(child)
        assert answer.code in (0, 1, 141), answer.text
        if not (world.dir / "deployment.json").exists():
            raise AssertionError(f"nothing was made\n{answer.text}")
        # A result that cannot be printed is an error of its own; the work is done.
        code = 0 if world.state()["phase"] == proof.SUCCESS.get(operation) else answer.code
        after(world, turn, operation, before, code)

    return Case(f"streams/{operation}/{name}", template, check)


def fill(writer):
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)


def stream_cases():
    closed = {"stdin": "0<&-", "stdout": "1>&-", "stderr": "2>&-", "all": "0<&- 1>&- 2>&-"}
    for operation in OPERATIONS:
        for name, how in closed.items():
            yield streams(operation, f"{name}-closed", {"wrap": ("sh", "-c", f'exec "$@" {how}', "sh")})
        yield streams(operation, "stdout-full", {"stdout": "full"})
        yield streams(operation, "stderr-full", {"stderr": "full"})
        yield streams(operation, "stderr-stalled", {"stderr": "pipe"})
        yield streams(operation, "stdout-stalled", {"stdout": "pipe"})


# Files of the deployment that are not what they were


def damage(kind, world, file):
    """Puts something else in a file's place."""
    content = file.read_bytes() if file.exists() else b""
    if kind == "empty":
        file.write_bytes(b"")
    elif kind == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif kind == "garbage":
        file.write_bytes(bytes(range(256)) * 8)
    elif kind == "flipped":
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 0x80]) + content[middle + 1 :] if content else b"\x80")
    elif kind == "newer":
        file.write_bytes(content.replace(b'"schema": 1', b'"schema": 99').replace(b'"version":4', b'"version":99'))
    elif kind == "older":
        file.write_bytes(content.replace(b'"schema": 1', b'"schema": 0').replace(b'"version":4', b'"version":1'))
    elif kind == "missing":
        file.unlink()
    elif kind == "folder":
        file.unlink()
        file.mkdir()
    elif kind == "fifo":
        file.unlink()
        os.mkfifo(file)
    elif kind == "symlink":
        file.unlink()
        file.symlink_to(world.home / "others" / "file")
    elif kind == "dangling":
        file.unlink()
        file.symlink_to(world.home / "others" / "not-there")
    elif kind == "unreadable":
        # Root reads it nevertheless.
        file.chmod(0)


def damaged(name, kind, operation):
    template, words = "ready", {"stop": ("stop",), "destroy": ("destroy", "--yes"), "deploy": ("deploy",)}[operation]

    def check(world, turn):
        before = world.state()
        file = world.dir / name
        kept = world.folder / "kept"
        subprocess.run(["cp", "-a", str(file), str(kept)], check=True)
        damage(kind, world, file)
        looked = world.exasol("status", "--json", "--probe-timeout", "2", limit=30)
        assert looked.code in (0, 1, 3), looked.text
        for look in (("logs",), ("info",), ("list",), ("destroy", "--dry-run")):
            seen = world.exasol(*look, limit=30)
            assert seen.code in (0, 1, 3), seen.text
        answer = world.exasol(*words, limit=60)
        assert answer.code in (0, 1, 3, 4), answer.text
        assert not (world.home / "others" / "not-there").exists(), "it wrote through a symbolic link"
        if answer.code != 0 or operation == "deploy":
            # It refused, or found the cluster as ready as before: as if nothing had happened once the file is back.
            if file.is_symlink() or file.exists():
                subprocess.run(["rm", "-rf", str(file)], check=True)
            subprocess.run(["cp", "-a", str(kept), str(file)], check=True)
        state = world.state()
        assert state["id"] == before["id"]
        after(world, turn, operation, before["phase"], answer.code)

    return Case(f"damaged/{name}/{kind}/{operation}", template, check)


def damaged_cases():
    kinds = ("empty", "truncated", "garbage", "flipped", "newer", "older", "missing", "folder", "fifo", "symlink", "dangling", "unreadable")
    for name in ("deployment.json", "secrets.json", "terraform/terraform.tfstate", ".lock"):
        for kind in kinds:
            if name in ("secrets.json", ".lock") and kind in ("newer", "older"):
                continue
            for operation in ("deploy", "stop", "destroy"):
                yield damaged(name, kind, operation)


# Two at once


def pair(seed, number):
    chance = random.Random(f"{seed}/{number}")
    template = chance.choice(("initialized", "ready", "stopped"))
    commands = [
        ("deploy",), ("stop",), ("start",), ("destroy", "--yes"), ("init", "--update", "--owner", "somebody"),
        ("health", "--repair"), ("status", "--json"), ("destroy", "--dry-run"),
    ]  # fmt: skip
    first, second = chance.choice(commands[:4]), chance.choice(commands)
    wait = chance.choice((0, 0, 0.05, 0.2, 0.5))

    def check(world, turn):
        one = world.start(*first)
        time.sleep(wait)
        two = world.start(*second)
        answers = [world.finish(child) for child in (one, two)]
        for answer in answers:
            assert answer.code in (0, 1, 3, 75), answer.text
        if all(answer.code == 0 for answer in answers) and {"destroy"} == {first[0]}:
            assert second[0] in ("destroy", "status", "health", "init", "deploy", "stop", "start"), answers
        after(world, turn, None, None, None)

    words = "+".join("-".join(word.lstrip("-") for word in command[:2]) for command in (first, second))
    return Case(f"pair/{number}/{template}/{words}/{wait}", template, check)


def pair_cases(seed, count=100):
    for number in range(count):
        yield pair(seed, number)


# A directory on a file system that does not answer any more


def stalled(words, codes):
    def check(world, turn):
        answer = world.exasol(*words, shim="stall", limit=40)
        assert answer.code in codes, answer.text
        if words[0] == "list":
            assert answer.json()["deployments"][0]["status"] == "unknown", answer.text

    return Case(f"stalled/{words[0]}", "ready", check)


def stalled_cases():
    yield stalled(("list", "--json"), (0,))


# All


def table(seed, counts):
    cases = [
        *signal_cases(), *output_cases(), *terminal_cases(), *stream_cases(), *damaged_cases(), *stalled_cases(),
        *pair_cases(seed),
        *(write_cases(counts) if counts else ()),
    ]  # fmt: skip
    assert len({case.name for case in cases}) == len(cases)
    return cases


def quick(cases, seed, count=40):
    """Some of every kind, others with every seed."""
    kinds = {}
    for case in cases:
        kinds.setdefault(case.name.split("/")[0], []).append(case)
    chance = random.Random(seed)
    each = max(1, count // len(kinds))
    return [case for kind in kinds.values() for case in chance.sample(kind, min(each, len(kind)))]
