"""confd's jobs: the few that a deployer and its user need.

The database's state is one for the cluster, put together from what every node says.  There is no
standby node, so the database runs only while every node takes part.
"""

import hashlib
import json
import re
import sys

from . import LABEL, keeping, stages, wire

# job: (parameters that it must have, parameters that it may have)
JOBS = {
    "db_list": ((), ()),
    "db_state": (("db_name",), ()),
    "db_info": (("db_name",), ()),
    "db_start": (("db_name",), ()),
    "db_stop": (("db_name",), ()),
    "db_configure": (("db_name", "mem_size"), ()),
    "license_upload": (("license",), ()),
    "license_download": ((), ()),
    "license_info": ((), ()),
    "cert_update": (("cert", "key"), ("ca", "verify_cert")),
}


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
    """`node` is this node; `tell(node, path, body)` reaches another one's want() and keep()."""

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
        needed, possible = JOBS[job]
        for name in parameters:
            if name not in needed + possible:
                raise JobError(f"{LABEL}: unknown parameter: {name}")
        for name in needed:
            if not parameters.get(name):
                raise JobError(f"{LABEL}: {job}: parameter {name} is missing")
        name = parameters.get("db_name", self._cluster.database)
        if name != self._cluster.database:
            raise JobError(f"{LABEL}: no such database: {name}")
        try:
            return self._do(job, parameters, cluster_state(own, self._node.others()))
        except keeping.Refused as refusal:
            raise JobError(f"{LABEL}: {job}: {refusal}") from None

    def _do(self, job, parameters, state):
        if job == "db_list":
            return [self._cluster.database]
        if job == "db_state":
            return self._node.state_name(state)
        if job == "db_info":
            return self._info(state)
        if job == "db_start":
            return self._start(state)
        if job == "db_stop":
            return self._stop(state)
        if job == "db_configure":
            return self._configure(state, keeping.mebibytes(parameters["mem_size"]))
        if job == "license_upload":
            return self._keep_everywhere(job, keeping.LICENSE, parameters["license"])
        if job == "cert_update":
            pair = keeping.certificate_pair(parameters["cert"], parameters["key"])
            return self._keep_everywhere(job, keeping.CERTIFICATE, pair)
        return self._license(job)

    def _info(self, state):
        return {
            "name": self._cluster.database,
            "state": self._node.state_name(state),
            "connectible": "Yes" if state == "running" else "No",
            "info": LABEL,
            "certificate fingerprint": self._node.fingerprint(),
            "nodes": {"active": [node["name"] for node in self._cluster.nodes], "reserve": []},
            "config": {
                "owner": [500, 500],
                "params": "",
                "port": self._cluster.sql_port,
                "mem_size": f"{self._node.memory_mib()} MiB",
            },
        }

    def _start(self, state):
        if state != "setup":
            raise JobError(f"{LABEL}: db_start: the database is {state}, not setup")
        if not self._node.memory_mib():
            raise JobError(f"{LABEL}: db_start: the database's memory (mem_size) is 0")
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
                self._tell(node, "/rehearsal/database", {"wanted": wanted})
            except wire.Failed as failure:
                failed.append(f"{node['name']}: {failure}")
        self._node.want(wanted)
        return failed


    def _configure(self, state, mebibytes):
        if state != "setup":
            raise JobError(f"{LABEL}: db_configure: the database is {state}: stop it first")
        # It was stopped or never ran, and waits for db_start.
        failed = self._everywhere("setup")
        if failed:
            raise JobError(f"{LABEL}: db_configure: {'; '.join(failed)}")
        return self._keep_everywhere("db_configure", keeping.MEMORY, str(mebibytes))

    def _license(self, job):
        text = self._node.kept(keeping.LICENSE)
        if job == "license_info":
            digest = hashlib.sha256(text.encode("utf-8")).hexdigest() if text else ""
            return {"info": LABEL, "uploaded": bool(text), "sha256": digest}
        if not text:
            raise JobError(f"{LABEL}: license_download: none was uploaded, and none is built in")
        return text

    def _keep_everywhere(self, job, name, text):
        """All nodes or none, as far as that can be known before."""
        missing = [other for other, status in self._node.others().items() if not status]
        if missing:
            raise JobError(f"{LABEL}: {job}: {', '.join(missing)} does not answer")
        for node in self._cluster.others:
            try:
                self._tell(node, "/rehearsal/keep", {"name": name, "text": text})
            except wire.Failed as failure:
                raise JobError(f"{LABEL}: {job}: {node['name']}: {failure}") from None
        self._node.keep(name, text)
        return "OK"


# -- confd_client --------------------------------------------------------------------------------

USAGE = f"""{LABEL}
usage: confd_client JOB [key: value]... [-j|--json]
jobs: {", ".join(JOBS)}
"""


def client(arguments, socket_path, out, err, stdin=None):
    """The command: `confd_client db_state db_name: Exasol -j`.  The exit code."""
    as_json, words = False, []
    for word in arguments:
        if word in ("-j", "--json"):
            as_json = True
        elif word in ("-h", "--help"):
            out.write(USAGE)
            return 0
        else:
            words.append(word)
    job, parameters = (words[0] if words else ""), _parameters(" ".join(words[1:]))
    if not job or parameters is None:
        err.write(USAGE)
        return 2
    try:
        parameters = {key: _value(value, stdin or sys.stdin) for key, value in parameters}
    except (OSError, ValueError) as error:
        err.write(f"{LABEL}: {getattr(error, 'strerror', None) or error}\n")
        return 1
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
    out.write(_shown(answer["answer"], as_json and answer["answer"] != "OK") + "\n")
    return 0


# A value is one word, a text in quotes, or what stands before the next key.
_PARAMETER = re.compile(
    r"""([A-Za-z_]\w*):\s+("[^"]*"|'[^']*'|(?:(?!\s+[A-Za-z_]\w*:\s)[^"'])+?)"""
    r"""(?:\s+(?=[A-Za-z_]\w*:\s)|\s*\Z)"""
)
_FILE = re.compile(r'"\{<\s*(\S+?)\s*\}"')


def _parameters(text):
    """[(key, value)] of `key: value key: value`, or None.

    The words are put together first: a shell may have divided them, the one behind `c4 connect`
    for example.
    """
    found, place = [], 0
    while place < len(text):
        parameter = _PARAMETER.match(text, place)
        if not parameter:
            return None
        found.append(parameter.groups())
        place = parameter.end()
    return found


def _value(text, stdin):
    """`"{< FILE}"` is a file's content, and - is what comes in; quotes belong to it."""
    file = _FILE.fullmatch(text)
    if not file:
        return text[1:-1] if text[0] in "\"'" else text.strip()
    if file[1] == "-":
        content = stdin.read(keeping.LIMIT + 1)
    else:
        with open(file[1], encoding="utf-8", newline="") as source:
            content = source.read(keeping.LIMIT + 1)
    if len(content) > keeping.LIMIT:
        raise ValueError(f"{file[1]}: longer than this stand-in takes")
    return content


def _shown(value, as_json):
    if as_json:
        return json.dumps(value)
    if isinstance(value, list):
        return "\n".join(f"- {item}" for item in value)
    if isinstance(value, dict):
        return "\n".join(f"{name}: {json.dumps(item)}" for name, item in value.items())
    return str(value)
