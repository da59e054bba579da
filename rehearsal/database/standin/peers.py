"""What the other nodes say about themselves, always fresh.

One thread and one open TLS connection for each of them.  The question "your status, when it differs
from the one I know" is held by the other side until something changes, so news travel at once and
a quiet cluster costs next to nothing.
"""

import json
import threading
import time

from . import wire

RETRY_S = 0.5
HOLD_S = 4.0  # how long the other side may hold the question
LOST_S = 10.0  # without any answer: the node is gone


class Peers:
    """`connect(node)` opens a wire.Client, `met(client, status)` sees a status before it counts,
    `changed()` is called after every one."""

    def __init__(self, cluster, connect, met, changed):
        self._play_id = cluster.play_id
        self._connect = connect
        self._met = met
        self._changed = changed
        self._known = {node["name"]: None for node in cluster.others}
        self._heard = {}  # name -> monotonic time of the last answer
        self._trouble = {node["name"]: "not asked yet" for node in cluster.others}
        self._nodes = cluster.others
        self._lock = threading.Lock()
        self._stopped = False

    def start(self):
        for node in self._nodes:
            threading.Thread(target=self._follow, args=(node,), daemon=True).start()

    def stop(self):
        self._stopped = True

    def view(self):
        """name -> status, or None for a node that does not answer."""
        now = time.monotonic()
        return {
            name: status if now - self._heard.get(name, -LOST_S) < LOST_S else None
            for name, status in self._known.items()
        }

    def strangers(self):
        """Nodes that have not answered since this service started: [(name, why)]."""
        return [(name, why) for name, why in self._trouble.items() if name not in self._heard]

    def learn(self, name, status):
        """Keeps a status unless a newer one of the same start is known already."""
        with self._lock:
            self._heard[name] = time.monotonic()
            old = self._known[name]
            if old and _life(old) == _life(status) and _count(old) >= _count(status):
                return
            self._known[name] = status
        self._changed()

    def _follow(self, node):
        name = node["name"]
        while not self._stopped:
            try:
                with self._connect(node) as client:
                    self._listen(client, name)
            except wire.Failed as failure:
                self._trouble[name] = str(failure)
            time.sleep(RETRY_S)

    def _listen(self, client, name):
        known = ""
        while not self._stopped:
            status = ask(client, known, HOLD_S)
            if status["play_id"] != self._play_id:
                raise wire.Failed("it belongs to another play")
            if self._stopped:
                return
            self._met(client, status)
            known = status["version"]
            self.learn(name, status)


def ask(client, known="", hold_s=0.0):
    """A node's status; held back up to `hold_s` while its version is still `known`."""
    target = f"/rehearsal/status?known={known}&hold={hold_s}"
    code, text = client.request("GET", target, timeout=hold_s + 30.0)
    if code != 200:
        raise wire.Failed(f"status answered {code}")
    try:
        return json.loads(text)
    except ValueError:
        raise wire.Failed("status is no JSON") from None


def _life(status):
    return status["version"].partition(".")[0]


def _count(status):
    return int(status["version"].partition(".")[2])
