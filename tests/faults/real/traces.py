"""What a deploy does and leaves, as the kernel and its own log tell it: its processes, its lock, its steps, its temporary files."""

import contextlib
import datetime
import fcntl
import json
import os
import pathlib
import signal
import time

# In the environment of what a case starts, and so of all that exasol starts for it, which gets no EXASOL_… of the user's.
MARK = "FAULTS_CASE"


def processes(mark):
    """{pid: command line} of what a case has started, wherever it has gone since."""
    found = {}
    wanted = f"{MARK}={mark}".encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        process = pathlib.Path("/proc", pid)
        try:
            if wanted in process.joinpath("environ").read_bytes().split(b"\0"):
                # A dead one that nobody has collected has no words.
                if words := command_line(pid):
                    found[int(pid)] = words
        except OSError:
            pass
    return found


def command_line(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()


def kill_all(mark):
    """All at once: none has time to notice that another is gone."""
    stopped = set()
    while new := set(processes(mark)) - stopped:
        for pid in new:
            send(pid, signal.SIGSTOP)
        stopped |= new
    for pid in stopped:
        send(pid, signal.SIGKILL)
    for pid in stopped:
        while is_dying(pid):
            time.sleep(0.002)


def is_dying(pid):
    """The kernel gives back what a killed process had open with its last thread."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
        return state != "Z" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def holders(system):
    """{pid: command line} of whoever has the lock's file open. An exasol that only looks has gone when this is asked."""
    lock = str(system.dir / ".lock")
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if any(os.readlink(link.path) == lock for link in os.scandir(f"/proc/{pid}/fd")):
                found[int(pid)] = command_line(pid)
        except OSError:
            pass
    return found


def events(system):
    """Of the last deploy. Its last line may be half a line: it was killed."""
    logs = sorted((system.dir / "logs").glob("*-deploy*/events.jsonl"))
    found = []
    for line in logs[-1].read_text().splitlines() if logs else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            pass
    return found


def step(system):
    """The step that the last deploy has begun last."""
    begun = [event["step"] for event in events(system) if event["event"] == "step_started"]
    return begun[-1] if begun else "nothing"


def lengths(system, steps):
    """How long these took in the last deploy, as far as it came; the first begins with the deploy, each ends with the next."""
    told = events(system)
    begins = {"begin": told[0]["at"]} if told else {}
    begins.update({event["step"]: event["at"] for event in reversed(told) if event["event"] == "step_started"})
    if told and told[-1]["event"] == "operation_finished":
        begins["end"] = told[-1]["at"]
    pairs = zip(steps, [*steps[1:], "end"])
    return {step: seconds(begins[after]) - seconds(begins[step]) for step, after in pairs if {step, after} <= begins.keys()}


def seconds(at):
    return datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()


def nothing_runs(system, limit):
    """Waits until nothing of the case runs any more, and returns for how long."""
    begin = time.monotonic()
    while left := processes(system.mark):
        assert time.monotonic() < begin + limit, f"still there after {limit} s: {list(left.values())}"
        time.sleep(0.05)
    return time.monotonic() - begin


def no_temporary_files(system):
    left = [str(path) for place in (system.runtime, system.temporary) for path in place.rglob("*")]
    new = set(pathlib.Path("/tmp").glob("exasol-*/.exasol-scratch")) - system.scratch_before
    left += [str(path) for path in new if is_given_up(path)]
    assert not left, f"temporary files are left: {left}"


def is_given_up(scratch):
    """Whoever uses a temporary folder holds the lock in it; it may be an exasol that has nothing to do with the case."""
    with contextlib.suppress(FileNotFoundError), open(scratch) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
    return False
