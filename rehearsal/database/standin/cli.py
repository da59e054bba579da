"""`c4` after the play, on every node: ps, wait, config, connect."""

import json
import os
import socket
import sys
import threading
import time

from . import LABEL, RELEASE, addresses, peers, settings, stages, wire

USAGE = f"""{LABEL}
The installed stand-in for c4. It knows:
  c4 ps [-e FILTER]                         the nodes and their stages
  c4 wait [PLAY_ID] --stage STAGE           until every node has reached it
  c4 config [-F] -e .play.id|.play.confd_port
  c4 connect -s cos -i PLAY_ID [-- COMMAND]
  c4 version | --help
`c4 host diag` and `c4 host play` belong to the c4 of the release directory.
"""

# Not a jq: exactly the questions that are known to be asked.
FILTER_ALL_D = '.[].Instances.Configs | to_entries | all(.value.ground.boot_stage == "d")'
FILTER_STAGES = (
    ".[].Instances.Configs | to_entries | map({node: .key, stage: .value.ground.boot_stage})"
)
_WAIT_S = 600.0
_HOLD_S = 5.0
_RETRY_S = 0.5
# The real columns, in the order that one version had; a title line says what this is.
_COLUMNS = (
    "N PLAY_ID NODE MEDIUM INSTANCE DB_VERSION EXTERNAL_IP INTERNAL_IP STAGE STATE UPTIME TTL"
)


class Usage(Exception):
    pass


class Refused(Exception):
    pass


def main(arguments, paths=None):
    try:
        return _run(arguments, paths or settings.Paths())
    except Usage as error:
        text = f"{error}\n" if str(error) else ""
        sys.stderr.write(
            f"c4 ({LABEL}): not understood: {' '.join(arguments[:1])} …\n{text}{USAGE}"
        )
        return 2
    except Refused as error:
        sys.stderr.write(f"c4 ({LABEL}): {error}\n")
        return 1


def _run(arguments, paths):
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if command in ("--help", "-h", "help"):
        print(USAGE, end="")
        return 0
    if command in ("version", "--version"):
        print(f"c4 rehearsal ({LABEL})")
        return 0
    if command not in ("ps", "wait", "config", "connect"):
        raise Usage()
    try:
        cluster = settings.Cluster.load(paths)
    except OSError as error:
        raise Refused(f"no deployment here: {error}") from None
    return {"ps": _ps, "wait": _wait, "config": _config, "connect": _connect}[command](
        rest, cluster, paths
    )


# -- ps ------------------------------------------------------------------------------------------


def _ps(arguments, cluster, paths):
    if not arguments:
        _table(cluster, _statuses(cluster, paths))
        return 0
    if len(arguments) != 2 or arguments[0] != "-e":
        raise Usage()
    if arguments[1] not in (FILTER_ALL_D, FILTER_STAGES):
        raise Usage("this stand-in has no filters but the two that a deployer uses")
    found = [
        {"node": node["name"], "stage": status["stage"]}
        for node, status in zip(cluster.nodes, _statuses(cluster, paths))
    ]
    if arguments[1] == FILTER_ALL_D:
        print(json.dumps(all(item["stage"] == "d" for item in found)))
    else:
        print(json.dumps(found, separators=(",", ":")))
    return 0


def _table(cluster, statuses):
    print(f"c4 ps ({LABEL})")
    rows = [_COLUMNS.split()]
    for number, (node, status) in enumerate(zip(cluster.nodes, statuses), 1):
        began = status.get("began")
        uptime = f"{int(time.time() - began)}s" if began else "-"
        row = (number, cluster.play_id, node["name"], "host", node["name"], RELEASE)
        row += (addresses.external(node), addresses.current(node))
        row += (status["stage"], "-", uptime, "-")
        rows.append([str(cell) for cell in row])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def _statuses(cluster, paths):
    """Every node's status, asked at the same time; in the order of the nodes."""
    found = {}
    pinned = wire.pinned_certificate(paths.certificate)

    def look(node):
        found[node["name"]] = _status(cluster, node, pinned)

    threads = [threading.Thread(target=look, args=(node,), daemon=True) for node in cluster.nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[node["name"]] for node in cluster.nodes]


def _status(cluster, node, pinned):
    address = addresses.current(node)
    try:
        with wire.Client.tls(address, cluster.cluster_port, pinned) as client:
            return peers.ask(client)
    except wire.Failed:
        # The service does not answer: the machine may.
        try:
            socket.create_connection((address, 22), 3.0).close()
            return {"stage": "a1"}
        except OSError:
            return {"stage": "a"}


# -- wait ----------------------------------------------------------------------------------------


def _wait(arguments, cluster, paths):
    """Returns 0 on success *and* at the end of the time: so does the real one.  `ps -e` tells."""
    words = list(arguments)
    stage = "d"
    if "--stage" in words:
        place = words.index("--stage")
        if place + 1 >= len(words) or words[place + 1] not in stages.ORDER:
            raise Usage()
        stage = words[place + 1]
        del words[place : place + 2]
    if len(words) > 1 or any(word.startswith("-") for word in words):
        raise Usage()
    if words and words[0] != cluster.play_id:
        raise Refused(f"no deployment with PLAY_ID {words[0]}")
    try:
        limit_s = float(os.environ.get("CCC_CLOUD_ACTION_WAIT_TIMEOUT") or _WAIT_S)
    except ValueError:
        raise Refused("CCC_CLOUD_ACTION_WAIT_TIMEOUT is no number of seconds") from None
    deadline = time.monotonic() + limit_s
    pinned = wire.pinned_certificate(paths.certificate)
    seen = {node["name"]: "?" for node in cluster.nodes}
    threads = [
        threading.Thread(
            target=_await_node, args=(cluster, node, pinned, stage, deadline, seen), daemon=True
        )
        for node in cluster.nodes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    stages_seen = " ".join(f"{name}={found}" for name, found in seen.items())
    late = not all(
        found in stages.ORDER and stages.reached(found, stage) for found in seen.values()
    )
    print(f"{LABEL}: {'time is up, ' if late else ''}stages: {stages_seen}")
    return 0


def _await_node(cluster, node, pinned, stage, deadline, seen):
    """Until this node has the stage.  The node holds the question while nothing changes there."""
    name = node["name"]
    while time.monotonic() < deadline:
        try:
            address = addresses.current(node)
            with wire.Client.tls(address, cluster.cluster_port, pinned) as client:
                known = ""
                while time.monotonic() < deadline:
                    hold = max(0.0, min(_HOLD_S, deadline - time.monotonic()))
                    status = peers.ask(client, known, hold)
                    if status["version"] != known:
                        known = status["version"]
                        seen[name] = status["stage"]
                        print(f"{LABEL}: {name} stage {status['stage']}", flush=True)
                    if stages.reached(status["stage"], stage):
                        return
        except wire.Failed:
            time.sleep(_RETRY_S)


# -- config, connect -----------------------------------------------------------------------------


def _config(arguments, cluster, _paths):
    words = [word for word in arguments if word != "-F"]
    if words == ["-e", ".play.id"]:
        print(cluster.play_id)
    elif words == ["-e", ".play.confd_port"]:
        print(cluster.cluster_port)
    else:
        raise Usage()
    return 0


def _connect(arguments, cluster, _paths):
    """Becomes an ssh to this node's COS, whose host keys are the node's own."""
    command = []
    words = list(arguments)
    if "--" in words:
        command = words[words.index("--") + 1 :]
        words = words[: words.index("--")]
    options = dict(zip(words[0::2], words[1::2]))
    if len(words) % 2 or set(options) != {"-s", "-i"} or options["-s"] != "cos":
        raise Usage()
    if options["-i"] != cluster.play_id:
        raise Refused(f"no deployment with PLAY_ID {options['-i']}")
    # Known hosts have a line for the name; for the address they may have an older one only.
    found, recorded = addresses.by_name(cluster.me), cluster.me["address"]
    address, alias = (found, cluster.self_name) if found else (recorded, recorded)
    ssh = [
        "ssh",
        "-p",
        str(cluster.cos_port),
        "-i",
        os.path.expanduser(f"~/.ssh/{cluster.key_file}"),
    ]
    for option in (
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "StrictHostKeyChecking=yes",
        f"HostKeyAlias={alias}",
        "ConnectTimeout=20",
    ):
        ssh += ["-o", option]
    ssh += [f"root@{address}", *(["--", *command] if command else [])]
    sys.stdout.flush()
    try:
        os.execvp("ssh", ssh)
    except OSError as error:
        raise Refused(f"ssh: {error}") from None
