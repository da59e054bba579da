"""Files of a rehearsal node: where they are, how they are read and written."""

import json
import os
import pwd

from . import LABEL, RELEASE


class Paths:
    """All locations, below an optional root so that tests need no privileges."""

    def __init__(self, root="/"):
        def at(path):
            return os.path.join(root, path)

        self.marker = at("etc/exasol-rehearsal")
        self.etc = at("etc/exasol-rehearsal.d")
        self.cluster = os.path.join(self.etc, "cluster.json")
        self.certificate = os.path.join(self.etc, "tls.crt")
        self.private_key = os.path.join(self.etc, "tls.key")
        self.faults = os.path.join(self.etc, "faults.json")
        self.var = at("var/lib/exasol-rehearsal")
        self.secrets = os.path.join(self.var, "secrets.json")
        self.state = os.path.join(self.var, "state.json")
        self.run = at("run/exasol-rehearsal")
        self.cos_pid = os.path.join(self.run, "cos.pid")
        self.confd_socket = os.path.join(self.run, "confd.sock")
        self.boot_id = at("proc/sys/kernel/random/boot_id")
        self.unkind = at("opt/exasol-rehearsal/database/unkind.json")
        self.cos_hosts = at("opt/exasol-rehearsal/cos/known_hosts")
        # What confd's jobs keep, on every node.
        self.license = os.path.join(self.var, "license")
        self.memory = os.path.join(self.var, "mem_size")
        self.uploaded_certificate = os.path.join(self.var, "uploaded.pem")
        self._root = root

    def boot_log(self, cluster):
        """exainit.log, where operators of the real one read what happened."""
        try:
            home = pwd.getpwnam(cluster.user).pw_dir
        except KeyError:
            home = f"/home/{cluster.user}"
        number = cluster.self_name.lstrip("n")
        place = f".ccc/play/local/{cluster.play_id}/main/{number}/data/logs/cored/exainit.log"
        return os.path.join(self._root, home.lstrip("/"), place)


class Cluster:
    """The cluster as `c4 host play` described it; the same on every node but for `self`."""

    def __init__(self, data):
        self.play_id = data["play_id"]
        self.nodes = data["nodes"]  # [{"name": "n11", "address": …, "external": …}, …], as recorded
        self.self_name = data["self"]
        self.disks = data["disks"]
        self.database = data["database"]
        self.user = data["user"]
        self.key_file = data["key_file"]
        self.sql_port = data["sql_port"]
        self.cluster_port = data["cluster_port"]
        self.cos_port = data["cos_port"]
        self.adminui_port = data["adminui_port"]
        self.listen_on = data["listen_on"]
        self.memory = data.get("memory", "")  # CCC_PLAY_DB_MEM_SIZE, MiB over all nodes

    @classmethod
    def load(cls, paths):
        return cls(read_json(paths.cluster))

    @property
    def me(self):
        return next(node for node in self.nodes if node["name"] == self.self_name)

    @property
    def others(self):
        return [node for node in self.nodes if node["name"] != self.self_name]


class Faults:
    """Failures on request: faults.json, read again whenever the file changed."""

    def __init__(self, path, complain=lambda text: None):
        self._path = path
        self._complain = complain
        self._stamp = None
        self._values = {}

    def read(self):
        try:
            info = os.stat(self._path)
            stamp = (info.st_mtime_ns, info.st_ino, info.st_size)
        except OSError:
            self._stamp, self._values = None, {}
            return self._values
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                values = read_json(self._path)
                if not isinstance(values, dict):
                    raise ValueError("not an object")
                self._values = values
            except (OSError, ValueError) as error:
                # A typing error must not look like "no fault wanted": say it, keep the last values.
                self._complain(f"{LABEL}: {self._path} ignored: {error}")
        return self._values

    def get(self, name, default=None):
        return self.read().get(name, default)

    def fails(self, unit):
        """Whether the fault unit_failed names this unit."""
        return str(self.get("unit_failed", "")).partition(".service")[0] == unit


class Unkind:
    """The test switch unkind.json, which a release archive may bring along; README has its keys.

    Without the file, and for every key that is not in it, the rehearsal is as kind as ever.
    """

    def __init__(self, paths):
        try:
            self._values = read_json(paths.unkind)
        except FileNotFoundError:
            self._values = {}

    def get(self, name, default=None):
        return self._values.get(name, default)

    @property
    def release(self):
        """What the SQL port and `c4 ps` call the version: a real one, followed by +rehearsal."""
        posed = self.get("pose_as")
        return f"{posed}+rehearsal" if posed else RELEASE


class State:
    """Whether the database is wanted: kept on disk, valid for one boot.

    A real cluster starts its database by itself after a power cycle, whatever was done before it.
    So "setup" (after db_stop) survives a restart of the service, but not a reboot.
    """

    def __init__(self, paths, faults):
        self._path = paths.state
        with open(paths.boot_id, encoding="ascii") as file:
            self._boot = file.read().strip()
        try:
            saved = read_json(self._path)
        except (OSError, ValueError):
            saved = None
        self.wanted = "running"
        if saved and saved.get("boot") == self._boot:
            self.wanted = saved.get("wanted", "running")
        elif saved and faults.get("db_down_after_reboot"):
            self.wanted = "setup"
        self.save(self.wanted)

    def save(self, wanted):
        self.wanted = wanted
        write_json(self._path, {"wanted": wanted, "boot": self._boot}, 0o600)


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write_json(path, value, mode):
    """On one line, as install-node reads the state."""
    _replace(path, json.dumps(value) + "\n", mode)


def write_text(path, text, mode):
    _replace(path, text, mode)


def write_secrets(path, value):
    """In the form in which `c4 host play` writes them: a second play finds nothing to change."""
    _replace(path, json.dumps(value, indent=1, sort_keys=True) + "\n", 0o600)


def _replace(path, text, mode):
    """Replaces the file in one step, so that a power cut leaves the old or the new one."""
    draft = f"{path}.new"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    # The new name as well: who is told that it is kept may cut the power now.
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
