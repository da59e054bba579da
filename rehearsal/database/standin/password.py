"""The password of sys: one for the whole cluster, kept by every node as a scrypt value.

A change reaches all nodes or none.  First every node is held for it: two changes can't cross, and a
node that does not answer is met before anything has changed.  Then each node keeps the new value on
its disk.  Values are numbered, and the higher number holds: if a node fails in between, the old
value goes out again under a higher number still, and a node that missed it takes it from the first
other node that it meets again.  Between nodes only the scrypt value travels, never the password.
"""

import os
import threading
import time

from . import keys, settings, wire

PATH = "/rehearsal/password"
BUSY_S = 10.0  # for how long a change waits for another one to be over
# A node is held no longer than this for a change whose own node went away.
HELD_S = 20.0
_POLL_S = 0.1


class NotChanged(Exception):
    """The change did not happen; the text names the node that is the reason."""


class Refused(Exception):
    """A node that can be reached says no."""


class Password:
    """This node's value.  `link(node)` reaches another node, `changed()` follows a change."""

    def __init__(self, cluster, paths, secrets, link, changed):
        self._cluster = cluster
        self._path = paths.secrets
        self._secrets = secrets
        self._link = link
        self._changed = changed
        self._lock = threading.Lock()
        self._holder = None
        self._held_until = 0.0

    def check(self, given):
        return keys.check_password(given, self._value)

    @property
    def number(self):
        return number_of(self._value)

    @property
    def _value(self):
        return self._secrets["sys"]

    # -- this node's part ------------------------------------------------------------------------

    def answer(self, body):
        """What the node that leads a change (maybe this one) is told; raises Refused."""
        step, token = body.get("step"), body.get("token")
        if step == "show":
            return self._value
        if not isinstance(token, str):
            raise Refused("not understood")
        with self._lock:
            if step == "hold":
                now = time.monotonic()
                if self._holder in (None, token) or now >= self._held_until:
                    self._holder, self._held_until = token, now + HELD_S
                return {"held": self._holder == token, "number": self.number}
            if self._holder != token:
                raise Refused("not held for this change")
            if step == "release":
                self._holder = None
                return {}
            if step != "keep" or not isinstance(body.get("value"), dict):
                raise Refused("not understood")
            self._keep(body["value"])
        self._changed()
        return {}

    def take(self, value):
        """Keeps what another node has, if that is newer."""
        with self._lock:
            if number_of(value) <= self.number:
                return
            self._keep(value)
        self._changed()

    def _keep(self, value):
        if value == self._value:
            return  # taken from another node meanwhile
        if number_of(value) <= self.number:
            raise Refused("has a newer password")
        secrets = dict(self._secrets, sys=value)
        try:
            settings.write_secrets(self._path, secrets)
        except OSError as error:
            raise Refused(error.strerror) from None
        self._secrets = secrets

    # -- the leading node's part -----------------------------------------------------------------

    def replace(self, password):
        """Returns when every node checks logins with the new password; raises NotChanged."""
        hashed = keys.hash_password(password, os.urandom(16))
        token = os.urandom(8).hex()
        members = [self._member(node) for node in self._cluster.nodes]
        try:
            self._hold(members, token)
            old = self._value
            number = number_of(old)
            failed = _keep_on(members, token, dict(hashed, change=number + 1), stop=True)
            if failed:
                undone = _keep_on(members, token, dict(old, change=number + 2), stop=False)
                raise NotChanged("; ".join(failed + [f"to be undone: {text}" for text in undone]))
        finally:
            for member in members:
                member.leave(token)

    def _member(self, node):
        if node["name"] == self._cluster.self_name:
            return _Member(node["name"], lambda: _Here(self.answer))
        return _Member(node["name"], lambda: self._link(node))

    def _hold(self, members, token):
        """In the cluster's order, so that of two changes one gets all nodes; all must agree."""
        deadline = time.monotonic() + BUSY_S
        for member in members:
            while True:
                try:
                    told = member.ask({"step": "hold", "token": token})
                except (wire.Failed, Refused) as failure:
                    raise NotChanged(f"{member.name}: {failure}") from None
                if told["held"] and told["number"] == self.number:
                    break
                if time.monotonic() >= deadline:
                    raise NotChanged(f"{member.name}: another change is under way")
                time.sleep(_POLL_S)


class _Member:
    """A node during one change; connected to when it is needed, and again after a failure."""

    def __init__(self, name, connect):
        self.name = name
        self._connect = connect
        self._link = None

    def ask(self, body):
        try:
            if not self._link:
                self._link = self._connect()
            return self._link.ask(PATH, body)
        except wire.Failed:
            self._close()
            raise

    def leave(self, token):
        if self._link:
            try:
                self.ask({"step": "release", "token": token})
            except (wire.Failed, Refused):
                pass  # it lets go by itself
            self._close()

    def _close(self):
        if self._link:
            self._link.close()
            self._link = None


class _Here:
    """This node, asked like the others."""

    def __init__(self, answer):
        self._answer = answer

    def ask(self, _path, body):
        return self._answer(body)

    def close(self):
        pass


def number_of(value):
    return value.get("change", 0)


def _keep_on(members, token, value, stop):
    """Has the members keep the value, until the first failure if `stop`; [what failed]."""
    failed = []
    for member in members:
        try:
            member.ask({"step": "keep", "token": token, "value": value})
        except (wire.Failed, Refused) as failure:
            failed.append(f"{member.name}: {failure}")
            if stop:
                break
    return failed
