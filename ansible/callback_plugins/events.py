"""Ansible's stdout callback for `exasol`: prints one JSON object on each line, for src/tools/ansible_events.rs.

    {"event": "play", "name": ...}
    {"event": "start", "task": ..., "node": ...}
    {"event": "result", "task": ..., "node": ..., "state": ..., "elapsed_ms": ...,
     "message": ..., "stderr": [...], "rc": ..., "ignored": true, "rescued": true}
    {"event": "retry", "task": ..., "node": ..., "attempt": 2, "attempts": 30, "message": ...}
    {"event": "warning", "message": ...}
    {"event": "stats", "nodes": {"n11": {"ok": 3, "changed": 1, ...}}}

Lines that begin with "warning: " in the output of a successful task become separate warnings.
`state` is ok, changed, skipped, failed or unreachable. Results contain only messages: no module
arguments, no data, nothing from a task with `no_log`, and no text of the JSON list in the file
that EXASOL_ANSIBLE_SECRETS names. With EXASOL_ANSIBLE_WAITS in the environment, the playbook begins
only after a line on the standard input. Works with ansible-core 2.14 to 2.21.
"""

from __future__ import annotations

import json
import os
import re
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: events
    type: stdout
    short_description: prints one JSON object on each line, for exasol
    description:
        - Reports the result of each task on each node, without arguments, data and secrets.
"""

MAX_MESSAGE = 4000
MAX_LINE = 500
MAX_LINES = 20
FREE_TEXT = ("name", "task", "message", "stderr")
HIDDEN = "********"
SSH_CLOSED = re.compile(r"(Shared connection|Connection) to \S+ closed\.")
WITHHELD = "withheld: the task is marked no_log"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "events"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._secrets = read_secrets(os.environ.get("EXASOL_ANSIBLE_SECRETS"))
        self._started = {}
        self._failed_items = {}

    # The methods that Ansible calls.

    def v2_playbook_on_start(self, playbook):
        # `exasol` starts Ansible while the machines boot. The end of the input means that `exasol` is gone.
        if os.environ.get("EXASOL_ANSIBLE_WAITS") and not os.read(0, 1):
            os._exit(1)

    def v2_playbook_on_play_start(self, play):
        self._emit("play", name=play.get_name().strip())

    def v2_playbook_on_no_hosts_matched(self):
        self._emit("warning", message="the play matches no node")

    def v2_runner_on_start(self, host, task):
        self._started[(host.get_name(), task._uuid)] = time.monotonic()
        self._emit("start", task=task_name(task), node=host.get_name())

    def v2_runner_on_ok(self, result):
        # Warnings of node/*.sh in a successful task.
        for line in text(result._result.get("stdout")).splitlines():
            if line.startswith("warning: "):
                self._emit("warning", message=f"{result._host.get_name()}: {line[9:]}")
        self._result(result, "changed" if result._result.get("changed") else "ok")

    def v2_runner_on_skipped(self, result):
        self._result(result, "skipped")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        extra = {}
        if ignore_errors:
            extra["ignored"] = True
        elif has_rescue(result._task):
            extra["rescued"] = True
        # In a loop only the results of the items have the reason; ansible-core 2.20 and later pass them only here.
        why = self._failed_items.pop(key(result), None) or cause(result._result)
        self._result(result, "failed", **why, **extra)

    def v2_runner_item_on_failed(self, result):
        self._failed_items.setdefault(key(result), cause(result._result))

    def v2_runner_on_unreachable(self, result):
        extra = {"ignored": True} if getattr(result._task, "ignore_unreachable", False) else {}
        self._result(result, "unreachable", **cause(result._result), **extra)

    def v2_runner_retry(self, result):
        data = result._result
        self._emit(
            "retry",
            task=task_name(result._task),
            node=result._host.get_name(),
            attempt=data.get("attempts"),
            attempts=data.get("retries"),
            **cause(data),
        )

    def v2_playbook_on_stats(self, stats):
        self._emit("stats", nodes={node: stats.summarize(node) for node in sorted(stats.processed)})

    # How events are printed.

    def _result(self, result, state, **extra):
        started = self._started.pop(key(result), None)
        if started is not None:
            extra["elapsed_ms"] = int((time.monotonic() - started) * 1000)
        self._emit("result", task=task_name(result._task), node=result._host.get_name(), state=state, **extra)

    def _emit(self, event, **fields):
        fields = {name: value for name, value in fields.items() if value is not None}
        # Only in some fields, because a password may be a word like "ok".
        fields.update({name: self._clean(fields[name]) for name in FREE_TEXT if name in fields})
        # Write the whole line at once, so that other output cannot come in between.
        line = json.dumps({"event": event, **fields}).encode() + b"\n"
        while line:
            line = line[os.write(1, line):]

    def _clean(self, value):
        """Removes secrets first and shortens the text then, because half a secret would not be found."""
        if isinstance(value, list):
            return [self._clean(line)[:MAX_LINE] for line in value]
        for secret in self._secrets:
            value = value.replace(secret, HIDDEN)
        return value[:MAX_MESSAGE]


def key(result):
    return result._host.get_name(), result._task._uuid


def cause(data):
    """Returns the reason of a failure: message, the end of stderr (or stdout), exit status; never arguments."""
    if "censored" in data or data.get("_ansible_no_log"):
        return {"message": WITHHELD}
    errors = last_lines(data.get("stderr") or data.get("module_stderr"))
    errors = errors or last_lines(data.get("stdout") or data.get("module_stdout"))
    message = text(data.get("msg")).strip() or (errors[-1] if errors else "failed without a message")
    return {"message": message, "stderr": errors or None, "rc": data.get("rc")}


def last_lines(output):
    lines = [line.rstrip() for line in text(output).splitlines() if line.strip()]
    # Ignore ssh's closing message: a script runs on a terminal, so stderr may contain nothing else.
    lines = [line for line in lines if not SSH_CLOSED.fullmatch(line)]
    return lines[-MAX_LINES:]


def text(value):
    """Converts to a plain str: Ansible passes tagged and lazy strings, and lists, as messages."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return "; ".join(text(inner) for inner in value)
    return str(value)


def task_name(task):
    return str(task.get_name()).strip()


def has_rescue(task):
    """Whether a rescue section of a block around the task handles its failure."""
    parent = getattr(task, "_parent", None)
    while parent is not None:
        # The same block does not handle a failure in its own rescue section.
        if getattr(parent, "rescue", None) and task_in(task, getattr(parent, "block", None)):
            return True
        parent = getattr(parent, "_parent", None)
    return False


def task_in(task, entries):
    for entry in entries or []:
        if getattr(entry, "_uuid", None) == task._uuid or task_in(task, getattr(entry, "block", None)):
            return True
    return False


def read_secrets(path):
    """Returns the texts to hide, longest first, so that no part of a longer one remains."""
    if not path:
        return []
    with open(path, encoding="utf-8") as file:
        secrets = json.load(file)
    return sorted((secret for secret in secrets if secret), key=len, reverse=True)
