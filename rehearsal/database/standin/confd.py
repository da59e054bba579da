"""confd's jobs: db_list, db_state, db_info, db_start, db_stop.

The database's state is one for the cluster, put together from what every node says.  There is no
standby node, so the database runs only while every node takes part.
"""

import json

from . import LABEL, stages, wire

JOBS = ("db_list", "db_state", "db_info", "db_start", "db_stop")


class JobError(Exception):
    """The job failed; the text is for the caller."""


def cluster_state(own, others):
    """running, starting, stopping or setup, from the nodes' statuses (None: does not answer)."""
    present = [own] + [status for status in others.values() if status]
    complete = len(present) == 1 + len(others)
    if complete and all(able(status) for status in present):
        up = all(status["database"] == "running" for status in present)
        return "running" if up else "starting"
    if all(status["database"] == "setup" for status in present):
        return "setup"
    return "stopping"


def able(status):
    """Whether this node would take part in a running database."""
    return bool(status) and status["wanted"] == "running" and stages.reached(status["stage"], "c")


class Confd:
    """`node` gives status(), others() and want(); `tell(node, wanted)` reaches another node's want()."""

    def __init__(self, cluster, node, tell):
        self._cluster = cluster
        self._node = node
        self._tell = tell

    def perform(self, job, parameters):
        """The job's answer as a JSON value; raises JobError."""
        if job not in JOBS:
            raise JobError(f"{LABEL}: no such job: {job} (there are {', '.join(JOBS)})")
        own = self._node.status()
        if not stages.reached(own["stage"], "c"):
            raise JobError(f"{LABEL}: confd is not up: stage {own['stage']}, {own['waiting_for']}")
        if job == "db_list":
            self._only(parameters, ())
            return [self._cluster.database]
        self._only(parameters, ("db_name",))
        name = parameters.get("db_name")
        if name != self._cluster.database:
            raise JobError(f"{LABEL}: no such database: {name}")
        state = cluster_state(own, self._node.others())
        if job == "db_state":
            return state
        if job == "db_info":
            return self._info(state)
        if job == "db_start":
            return self._start(state)
        return self._stop(state)

    @staticmethod
    def _only(parameters, known):
        for name in parameters:
            if name not in known:
                raise JobError(f"{LABEL}: unknown parameter: {name}")

    def _info(self, state):
        return {
            "name": self._cluster.database,
            "state": state,
            "connectible": "Yes" if state == "running" else "No",
            "info": LABEL,
            "nodes": {"active": [node["name"] for node in self._cluster.nodes], "reserve": []},
            "config": {"owner": [500, 500], "params": "", "port": self._cluster.sql_port},
        }

    def _start(self, state):
        if state != "setup":
            raise JobError(f"{LABEL}: db_start: the database is {state}, not setup")
        others = self._node.others()
        for name, status in others.items():
            if not status:
                raise JobError(f"{LABEL}: db_start: {name} does not answer")
            if not stages.reached(status["stage"], "c"):
                raise JobError(f"{LABEL}: db_start: {name} is at stage {status['stage']}")
        failed = self._everywhere("running")
        if failed:
            raise JobError(f"{LABEL}: db_start: {'; '.join(failed)}")
        return "OK"

    def _stop(self, state):
        if state == "setup":
            raise JobError(f"{LABEL}: db_stop: the database is not running")
        failed = self._everywhere("setup")
        # A node that is down takes no part anyway: a warning, as the stop itself succeeds.
        return "\n".join([f"WARNING: {text}" for text in failed] + ["OK"])

    def _everywhere(self, wanted):
        failed = []
        for node in self._cluster.others:
            try:
                self._tell(node, wanted)
            except wire.Failed as failure:
                failed.append(f"{node['name']}: {failure}")
        self._node.want(wanted)
        return failed


# -- confd_client --------------------------------------------------------------------------------

USAGE = f"""{LABEL}
usage: confd_client JOB [key: value]... [-j|--json]
jobs: {", ".join(JOBS)}
"""


def client(arguments, socket_path, out, err):
    """The command: `confd_client db_state db_name: Exasol -j`.  The exit code."""
    as_json, words = False, []
    for word in arguments:
        if word in ("-j", "--json"):
            as_json = True
        elif word in ("-h", "--help"):
            out.write(USAGE)
            return 0
        else:
            # "key: value" may arrive as one word or as two.
            key, colon, value = word.partition(": ")
            words += [key + ":", value] if colon else [word]
    job, rest = (words[0], words[1:]) if words else ("", [])
    keys, values = rest[0::2], rest[1::2]
    if not job or len(keys) != len(values) or not all(key.endswith(":") for key in keys):
        err.write(USAGE)
        return 2
    parameters = {key[:-1]: value for key, value in zip(keys, values)}
    try:
        with wire.Client.unix(socket_path) as connection:
            body = {"job": job, "parameters": parameters}
            _, text = connection.request("POST", "/rehearsal/confd", body, timeout=60.0)
    except wire.Failed as failure:
        err.write(f"{LABEL}: confd does not answer: {failure}\n")
        return 1
    answer = json.loads(text)
    if "error" in answer:
        err.write(answer["error"] + "\n")
        return 1
    out.write(_shown(answer["answer"], as_json and job not in ("db_start", "db_stop")) + "\n")
    return 0


def _shown(value, as_json):
    if as_json:
        return json.dumps(value)
    if isinstance(value, list):
        return "\n".join(f"- {item}" for item in value)
    if isinstance(value, dict):
        return "\n".join(f"{name}: {json.dumps(item)}" for name, item in value.items())
    return str(value)
