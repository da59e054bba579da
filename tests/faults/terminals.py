"""The terminal and the standard streams."""

import os
import pty
import shutil
import subprocess
import time

import proof
from case import OPERATIONS, STEPS, Case, after, settle


def terminal(operation, step, name, act, ends=True):
    template, words = OPERATIONS[operation]

    def check(world, turn):
        before = world.state()["phase"]
        world.fault(step, "hold")
        window, terminal = pty.openpty()
        # On a terminal, deploy asks before it makes what costs money.
        yes = ["--yes"] if operation == "deploy" else []
        line = " ".join([str(world.binary), *words, *yes]) + "\n"
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
