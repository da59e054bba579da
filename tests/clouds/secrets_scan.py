"""Looks for secrets where others could read them: in files, and in command lines."""

import base64
import os
import pathlib
import stat
import threading
import time


def needles(secret):
    """The forms in which a secret appears: as it is, as JSON has it, and encoded."""
    lines = [line for line in secret.splitlines() if len(line) > 30] or [secret]
    found = set()
    for text in [secret, *lines]:
        raw = text.encode()
        found |= {raw, text.replace("\n", "\\n").encode(), raw.hex().encode()}
        found |= {within_base64(raw, before) for before in range(3)}
    return found


def within_base64(raw, before):
    """What is sure to be seen of these bytes where they are encoded with others around them;
    `before` is the number of bytes before them, modulo 3."""
    encoded = base64.b64encode(b"\0" * before + raw)
    return encoded[(0, 2, 3)[before] : (before + len(raw)) // 3 * 4]


def readable_by_others(path):
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def leaks(folder, secrets):
    """What is wrong in a deployment's folder: "path: NAME", for a secret in a file that others
    may read, or in a log whoever may read it. `secrets` is {NAME: value}."""
    folder = pathlib.Path(folder)
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        text = path.read_bytes()
        for name, secret in secrets.items():
            if any(needle in text for needle in needles(secret)):
                log = "logs" in path.relative_to(folder).parts
                if log or readable_by_others(path):
                    found.append(f"{path.relative_to(folder)}: {name}")
    return found


class CommandLines:
    """Watches the command lines of all processes while a program runs, as `ps` would show them."""

    def __init__(self, secrets):
        self.secrets = secrets
        self.found = set()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def watch(self):
        while not self.ended.is_set():
            self.look()
            time.sleep(0.01)

    def look(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = pathlib.Path("/proc", pid, "cmdline").read_bytes()
            except OSError:
                continue  # it has ended
            for name, secret in self.secrets.items():
                if any(needle in words for needle in needles(secret)):
                    program = words.split(b"\0")[0].decode(errors="replace")
                    self.found.add(f"{program}: {name}")
