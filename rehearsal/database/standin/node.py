"""The daemon behind c4_cloud_command.service: stages, confd, and the SQL port.

One loop decides, after every event and a few times a second until all is up: which stage this node has reached, and
whether the database should run here.  It should when every node wants it and is at stage c or
further; all nodes see the same statuses, so nobody has to lead.
"""

import hmac
import json
import os
import signal
import sys
import threading
import time

from . import LABEL, addresses, confd, keeping, password, peers, settings, stages, wire
from .bootlog import BootLog
from .database import Database

TICK_S = 0.5  # on the way up
REST_S = 2.0  # at stage d: what comes from outside wakes the loop, this finds a stopped c4.service
KEY_HEADER = "x-rehearsal-key"
DOCUMENTED_STATES = {
    "running": "Running",
    "setup": "Setup",
    "starting": "Startup",
    "stopping": "Shutdown",
}


def log(text):
    print(text, file=sys.stderr, flush=True)


class Link:
    """A connection to another node that shows the cluster's key."""

    def __init__(self, client, key):
        self._client = client
        self._key = key

    def ask(self, path, body):
        """The answer as a JSON value; raises wire.Failed, or password.Refused with a reason."""
        code, text = self._client.request("POST", path, body, [(KEY_HEADER, self._key)])
        if code == 409:
            raise password.Refused(text)
        if code != 200:
            raise wire.Failed(f"answered {code}")
        try:
            return json.loads(text)
        except ValueError:
            raise wire.Failed("answered no JSON") from None

    def close(self):
        self._client.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Node:
    def __init__(self, paths):
        self.paths = paths
        self.cluster = settings.Cluster.load(paths)
        kept = settings.read_json(paths.secrets)
        self._key = kept["cluster_key"]
        self._faults = settings.Faults(paths.faults, log)
        self._state = settings.State(paths, self._faults)
        self._unkind = settings.Unkind(paths)
        self._kept = keeping.Keeping(paths)
        self._boot_log = BootLog(paths.boot_log(self.cluster), log)
        self._pinned = wire.pinned_certificate(paths.certificate)
        self._cos = stages.Cos(paths.cos_pid, self.cluster.cos_port)
        self._disks = stages.Disks(self.cluster.disks)
        self._event = threading.Event()
        self._password = password.Password(
            self.cluster, paths, kept, self._link, self._password_changed
        )
        self._peers = peers.Peers(self.cluster, self._connect, self._catch_up, self._event.set)
        self._database = Database(
            self.cluster,
            self._kept,
            self._password,
            self._faults,
            self._unkind,
            self._event.set,
            log,
        )
        self._confd = confd.Confd(self.cluster, self, self._tell)
        self._confd_up = False
        self._wanting = threading.Lock()
        self._news = threading.Condition()
        self._began = time.time()
        self._life = os.urandom(4).hex()  # tells the versions of two starts apart
        self._count = 0
        self._status = None
        self._publish(("a1", "the service has just started", self._database.state))

    # -- what others ask -------------------------------------------------------------------------

    def status(self):
        return self._status

    def others(self):
        return self._peers.view()

    def want(self, wanted):
        with self._wanting:
            if wanted != self._state.wanted:
                log(f"{LABEL}: database wanted: {wanted}")
            self._state.save(wanted)
        self._publish()
        self._event.set()

    def memory_mib(self):
        """The database's memory over all nodes."""
        kept = self._kept.get(keeping.MEMORY)
        if kept or self._unkind.get("mem_size_zero"):
            return int(kept or 0)
        if self.cluster.memory:
            return int(self.cluster.memory)
        return keeping.memory_of(keeping.memory_here()) * len(self.cluster.nodes)

    def kept(self, name):
        return self._kept.get(name)

    def keep(self, name, text):
        self._kept.put(name, text)
        log(f"{LABEL}: kept: {name}")
        if name == keeping.CERTIFICATE:
            self._database.use_certificate()
        self._publish()
        self._event.set()

    def fingerprint(self):
        return self._kept.fingerprint()

    def state_name(self, state):
        """The word for a state: the documentation has others than what was seen."""
        if self._unkind.get("state_names") == "documented":
            return DOCUMENTED_STATES[state]
        return state

    def handle(self, request):
        """wire.Server's question for the cluster port and for confd_client's socket."""
        if request.method == "GET" and request.path == "/is_master":
            ready = stages.reached(self._status["stage"], "c")
            return (200 if ready else 503), "text/plain", f"{LABEL}: confd\n"
        if request.method == "GET" and request.path == "/rehearsal/status":
            known, hold = request.query.get("known"), float(request.query.get("hold", "0"))
            return 200, "application/json", json.dumps(self._when_news(known, min(hold, 10.0)))
        if request.method == "POST" and request.path.startswith("/rehearsal/"):
            if not request.trusted and not self._knows_key(request):
                return 403, "text/plain", f"{LABEL}: the cluster's key is missing\n"
            return self._perform(request)
        return 404, "text/plain", f"{LABEL}: nothing here\n"

    def _knows_key(self, request):
        shown = request.headers.get(KEY_HEADER, "").encode("utf-8")
        return hmac.compare_digest(shown, self._key.encode("utf-8"))

    def _perform(self, request):
        body = request.json()
        if not isinstance(body, dict):
            return 400, "text/plain", f"{LABEL}: not understood\n"
        if request.path == "/rehearsal/database" and body.get("wanted") in ("running", "setup"):
            self.want(body["wanted"])
            return 200, "application/json", json.dumps(self._status)
        if request.path == "/rehearsal/keep" and self._kept.knows(body.get("name")):
            self.keep(body["name"], str(body.get("text", "")))
            return 200, "application/json", json.dumps(self._status)
        if request.path == "/rehearsal/confd" and isinstance(body.get("parameters"), dict):
            try:
                answer = {"answer": self._confd.perform(body.get("job"), body["parameters"])}
            except confd.JobError as error:
                answer = {"error": str(error)}
            return 200, "application/json", json.dumps(answer)
        if request.path == password.PATH:
            try:
                return 200, "application/json", json.dumps(self._password.answer(body))
            except password.Refused as refusal:
                return 409, "text/plain", str(refusal)
        return 400, "text/plain", f"{LABEL}: not understood\n"

    def _tell(self, node, path, body):
        """Has another node want or keep the same, and learns its status from the answer."""
        with self._link(node) as link:
            self._peers.learn(node["name"], link.ask(path, body))

    def _connect(self, node):
        address = addresses.current(node)
        return wire.Client.tls(address, self.cluster.cluster_port, self._pinned)

    def _link(self, node):
        return Link(self._connect(node), self._key)

    # -- the password of sys ---------------------------------------------------------------------

    def _password_changed(self):
        log(f"{LABEL}: password of sys: change {self._password.number}")
        self._publish()
        self._event.set()

    def _catch_up(self, client, status):
        """Takes a newer password from a node that has one: this one missed a change or an undoing."""
        if status.get("password_change", 0) > self._password.number:
            try:
                self._password.take(Link(client, self._key).ask(password.PATH, {"step": "show"}))
            except password.Refused as refusal:
                raise wire.Failed(f"its newer password can't be kept: {refusal}") from None

    # -- the status and its versions -------------------------------------------------------------

    def _publish(self, seen=None):
        """Makes a new version of the status if anything in it changed, and wakes who waits.

        `seen` is (stage, waiting_for, database), all of one moment: a stage d never stands beside a
        database that is stopping already.
        """
        with self._news:
            old = self._status
            stage, waiting_for, database = seen or (
                old["stage"],
                old["waiting_for"],
                old["database"],
            )
            facts = {
                "stage": stage,
                "waiting_for": waiting_for,
                "database": database,
                # A database without memory does not start, whoever wants it.
                "wanted": self._state.wanted if self.memory_mib() else "setup",
                "password_change": self._password.number,
            }
            if old and all(old[name] == value for name, value in facts.items()):
                return
            if not old or (stage, waiting_for) != (old["stage"], old["waiting_for"]):
                said = f"stage {stage}" + (f", waiting for {waiting_for}" if waiting_for else "")
                log(f"{LABEL}: {said}")
                self._boot_log.say(f"{LABEL}: {said}")
                if stage == "c" and not self.memory_mib():
                    self._boot_log.say(f"{LABEL}: unkind: the database's memory is 0")
                if stage == "d":
                    self._boot_log.say("stage6: All stages finished.")
            if old and old["database"] != database:
                log(f"{LABEL}: database state {database}")
            self._count += 1
            self._status = {
                "label": LABEL,
                "name": self.cluster.self_name,
                "play_id": self.cluster.play_id,
                "version": f"{self._life}.{self._count}",
                "began": self._began,
                **facts,
            }
            self._news.notify_all()

    def _when_news(self, known, hold_s):
        with self._news:
            self._news.wait_for(lambda: self._status["version"] != known, hold_s)
            return self._status

    # -- the loop --------------------------------------------------------------------------------

    def serve(self):
        """Opens the ports that are there from the beginning: the cluster port and confd_client's."""
        tls = wire.server_tls(self.paths.certificate, self.paths.private_key)
        listener = wire.listen(self.cluster.listen_on, self.cluster.cluster_port)
        wire.Server(listener, self.handle, tls).start()
        wire.Server(wire.listen_unix(self.paths.confd_socket), self.handle).start()
        self._confd_up = True
        self._peers.start()

    def step(self):
        stuck = self._faults.get("stage_stuck")
        facts = stages.Facts(
            cos=self._cos.problem(),
            disks=self._disks.problem(),
            confd=self._confd_up,
            strangers=self._peers.strangers(),
            database=self._database.state,
        )
        self._publish((*stages.of(facts, stuck), facts.database))
        everybody = [self._status, *self._peers.view().values()]
        if all(confd.able(status) for status in everybody) and stuck != "c":
            # No login before all nodes would check it against the same password.
            if len({status.get("password_change", 0) for status in everybody}) == 1:
                self._database.start()
        else:
            self._database.stop()
        # The state may just have changed: say so now, not at the next tick.
        if self._database.state != facts.database:
            self._event.set()

    def run(self):
        while True:
            if self._faults.fails("c4_cloud_command"):
                raise SystemExit(f"{LABEL}: the fault unit_failed")
            self.step()
            self._event.wait(REST_S if self._status["stage"] == "d" else TICK_S)
            self._event.clear()


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # nothing to save: all is on disk
    node = Node(settings.Paths())
    node.serve()
    log(f"{LABEL}: {node.cluster.self_name} of play {node.cluster.play_id}")
    # `c4` runs as an ordinary user, who cannot write compiled modules here: have it done now.
    threading.Thread(target=__import__, args=("standin.cli",), daemon=True).start()
    node.run()
