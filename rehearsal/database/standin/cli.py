"""`c4` after the play, on every node: ps, wait, config, connect."""

import json
import os
import socket
import sys
import threading
import time

from . import LABEL, addresses, keeping, peers, settings, stages, wire

USAGE = f"""{LABEL}
The installed stand-in for c4. It knows:
  c4 ps [--remote-timeout MS] [-e FILTER]   the nodes and their stages
  c4 wait [PLAY_ID] --stage STAGE           until every node has reached it
  c4 config [-F] -e .play.id|.play.confd_port
  c4 config [-i FILE] -V                    whether the configuration is well-formed
  c4 connect -s cos -i PLAY_ID|NUMBER [-T] [-- COMMAND]
  c4 _ calculate-memory MIB                 the database's share of a node's memory
  c4 version | --help
`c4 host diag` and `c4 host play` belong to the c4 of the release directory.
"""

FILTER_NAMES = ".[].Name"
FILTER_IDS = ".[].play.id"
# Not a jq: exactly the questions that are known to be asked.
FILTER_ALL_D = '.[].Instances.Configs | to_entries | all(.value.ground.boot_stage == "d")'
FILTER_STAGES = (
    ".[].Instances.Configs | to_entries | map({node: .key, stage: .value.ground.boot_stage})"
)
_WAIT_S = 600.0
_PS_MS = 3000  # how long `ps` waits for a node, by the documentation
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
        posed = settings.Unkind(paths).get("pose_as")
        print(f"c4 rehearsal{f', posing as that of {posed}' if posed else ''} ({LABEL})")
        return 0
    if command == "_":
        return _calculate_memory(rest)
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
    words, patience = _without_patience(arguments)
    unkind = settings.Unkind(paths)
    if not words:
        _table(cluster, _seen(cluster, paths, unkind, patience), unkind)
        return 0
    if len(words) != 2 or words[0] != "-e":
        raise Usage()
    if words[1] == FILTER_NAMES:
        print(json.dumps(cluster.play_id))
        return 0
    if words[1] == FILTER_IDS:
        # Another id than that of `config -e .play.id`, by the documentation: a UUID.
        print(json.dumps(f"{cluster.play_id}-0000-4000-8000-000000000000"))
        return 0
    if words[1] not in (FILTER_ALL_D, FILTER_STAGES):
        raise Usage("this stand-in has no filters but those that are known to be asked")
    found = [
        {"node": node["name"], "stage": status["stage"]}
        for node, status in _seen(cluster, paths, unkind, patience)
    ]
    if words[1] == FILTER_ALL_D:
        print(json.dumps(all(item["stage"] == "d" for item in found)))
    else:
        print(json.dumps(found, separators=(",", ":")))
    return 0


def _without_patience(arguments):
    """The words but --local and --remote-timeout, and for how long (ms) a node is waited for."""
    words = [word for word in arguments if word != "--local"]
    patience = os.environ.get("CCC_USER_PS_REMOTE_TIMEOUT") or str(_PS_MS)
    if "--remote-timeout" in words:
        place = words.index("--remote-timeout")
        patience = "".join(words[place + 1 : place + 2])
        del words[place : place + 2]
    if not patience.isdecimal():
        raise Usage("the time that ps waits for a node is a number of milliseconds")
    return words, int(patience)


def _seen(cluster, paths, unkind, patience_ms):
    """[(node, status)] as `ps` shows them: who does not answer in time is not in it."""
    found = list(zip(cluster.nodes, _statuses(cluster, paths)))
    if patience_ms < unkind.get("ps_slow_ms", 0):
        found.pop()
    return found


def _table(cluster, found, unkind):
    print(f"c4 ps ({LABEL})")
    rows = [_COLUMNS.split()]
    for number, (node, status) in enumerate(found, 1):
        began = status.get("began")
        uptime = f"{int(time.time() - began)}s" if began else "-"
        row = (number, cluster.play_id, node["name"], "host", node["name"], unkind.release)
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
    unkind = settings.Unkind(paths)

    def look(node):
        status = _status(cluster, node, pinned)
        found[node["name"]] = dict(status, stage=_shown(unkind, node, status["stage"]))

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


def _shown(unkind, node, stage):
    """The stage that is told: kindly the real one."""
    dialled = unkind.get("external_dials", ())
    if not all(_answers(addresses.external(node), port) for port in dialled):
        return "a"
    return unkind.get("ps_stage", {}).get(node["name"], stage) if stage == "d" else stage


def _answers(address, port):
    try:
        socket.create_connection((address, port), 3.0).close()
        return True
    except OSError:
        return False


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
    unkind = settings.Unkind(paths)
    seen = {node["name"]: "?" for node in cluster.nodes}
    threads = [
        threading.Thread(
            target=_await_node,
            args=(cluster, node, pinned, unkind, stage, deadline, seen),
            daemon=True,
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


def _await_node(cluster, node, pinned, unkind, stage, deadline, seen):
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
                    shown = _shown(unkind, node, status["stage"])
                    if status["version"] != known:
                        known = status["version"]
                        seen[name] = shown
                        print(f"{LABEL}: {name} stage {shown}", flush=True)
                    if stages.reached(shown, stage):
                        return
        except wire.Failed:
            time.sleep(_RETRY_S)


# -- config, connect, memory ---------------------------------------------------------------------


def _config(arguments, cluster, paths):
    words = [word for word in arguments if word != "-F"]
    if words == ["-e", ".play.id"]:
        told = settings.Unkind(paths).get("play_id", cluster.play_id)
        if told == "fails":
            raise Refused("no configuration")
        print(told)
    elif words == ["-e", ".play.confd_port"]:
        print(cluster.cluster_port)
    elif words and set(words) <= {"-V", "--validate"}:
        print(f"the configuration of {cluster.play_id} is valid ({LABEL})")
    else:
        raise Usage()
    return 0


def _calculate_memory(arguments):
    """A number of MiB, as the real one prints."""
    if len(arguments) != 2 or arguments[0] != "calculate-memory" or not arguments[1].isdecimal():
        raise Usage()
    print(keeping.memory_of(int(arguments[1])))
    return 0


def _connect(arguments, cluster, paths):
    """Becomes an ssh to this node's COS, whose host keys are the node's, or its own."""
    command = []
    words = list(arguments)
    if "--" in words:
        command = words[words.index("--") + 1 :]
        words = words[: words.index("--")]
    words = [word for word in words if word != "-T"]
    options = dict(zip(words[0::2], words[1::2]))
    if len(words) % 2 or set(options) != {"-s", "-i"} or options["-s"] != "cos":
        raise Usage()
    # The number in the table of `ps` is taken as well; there is one play.
    if options["-i"] not in (cluster.play_id, "1"):
        raise Refused(f"no deployment with PLAY_ID {options['-i']}")
    # Known hosts have a line for the name; for the address they may have an older one only.
    found, recorded = addresses.by_name(cluster.me), cluster.me["address"]
    address, alias = (found, cluster.self_name) if found else (recorded, recorded)
    known = []
    if os.path.exists(paths.cos_hosts):
        alias, known = "cos", [f"UserKnownHostsFile={paths.cos_hosts}"]
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
        *known,
    ):
        ssh += ["-o", option]
    ssh += [f"root@{address}", *(["--", *command] if command else [])]
    sys.stdout.flush()
    try:
        os.execvp("ssh", ssh)
    except OSError as error:
        raise Refused(f"ssh: {error}") from None
