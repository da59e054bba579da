"""The database's life on this node: setup, starting, running, stopping.

"running" means that the SQL port is open and checks logins; in every other state there is no
listener at all.
"""

import threading
import time

from . import addresses, keys, sqlserver
from .session import Account


class Database:
    def __init__(self, cluster, kept, password, faults, unkind, changed, log):
        self._cluster = cluster
        self._kept = kept
        self._password = password
        self._faults = faults
        self._unkind = unkind
        self._changed = changed  # called after every change of state
        self._log = log
        self._lock = threading.Lock()
        self._server = None
        self._state = "setup"
        self._cancel = threading.Event()
        self._next_key = keys.NextKey()
        self._retry_at = 0.0

    @property
    def state(self):
        return self._state

    def start(self):
        """Returns at once; the state tells how far it is."""
        with self._lock:
            if self._state != "setup" or time.monotonic() < self._retry_at:
                return
            self._state = "starting"
            self._cancel = threading.Event()
        threading.Thread(target=self._start, args=(self._cancel,), daemon=True).start()
        self._changed()

    def _start(self, cancel):
        try:
            if not cancel.wait(float(self._faults.get("slow_start_s", 0))):
                account = Account(
                    self._password, self._next_key.take(), self._faults, self._unkind
                )
                server = sqlserver.SqlServer(
                    (self._cluster.listen_on, self._cluster.sql_port),
                    *self._kept.certificate(),
                    account,
                    self._cluster.database,
                    lambda: [addresses.current(node) for node in self._cluster.nodes],
                )
                with self._lock:
                    if not cancel.is_set():
                        self._server, self._state = server, "running"
                        server = None
                if server:
                    server.stop()
        except (OSError, ValueError) as error:
            self._log(f"the SQL port does not open: {error}")
            self._retry_at = time.monotonic() + 1.0
        with self._lock:
            if self._state == "starting" or cancel.is_set():
                self._state = "setup"
        self._changed()

    def use_certificate(self):
        """The one that is kept now, for sessions that begin from now on."""
        with self._lock:
            if self._server:
                self._server.use_certificate(*self._kept.certificate())

    def stop(self):
        with self._lock:
            if self._state == "starting":
                # _start() sees it and puts the state back to "setup".
                self._state = "stopping"
                self._cancel.set()
                return
            if self._state != "running":
                return
            self._state = "stopping"
            server, self._server = self._server, None
        self._changed()
        server.stop()
        with self._lock:
            self._state = "setup"
        self._changed()
