"""Deployments as `deploy`, `stop`, `start` and `health` leave them, for a page that shows all of it."""

import datetime
import json
import pathlib

START = datetime.datetime(2026, 11, 29, 9, 12, 4, tzinfo=datetime.timezone.utc)
DEPLOY = [
    ("check", "check the target", 2.4),
    ("plan", "plan the machines", 6.1),
    ("apply", "create the machines", 31.8),
    ("boot", "wait for the machines", 48.5),
    ("prepare", "set up the nodes", 96.0),
    ("install", "install the database", 271.0),
    ("login", "log in on every node", 3.2),
]
STOP = [("database", "shut down the database", 21.0), ("machines", "switch the machines off", 14.0)]
BEGIN = [("machines", "switch the machines on", 3.0), ("boot", "wait for the machines", 39.0), ("login", "log in on every node", 52.0)]
TASKS = ["Copy the programs", "Write the unit files", "Make the swap file", "Set the clock", "Open the firewall"]


def stamp(at):
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Log:
    """The events of one operation."""

    def __init__(self, deployment, operation, at, steps):
        self.folder = deployment / "logs" / f"{at:%Y%m%dT%H%M%SZ}-{operation}"
        self.folder.mkdir(parents=True)
        self.begun, self.at, self.events, self.operation = at, at, [], operation
        titles = [{"id": step, "title": title} for step, title, _ in steps]
        self.add(event="operation_started", operation=operation, deployment="x", directory="demo", steps=titles)

    def add(self, seconds=0.0, **event):
        self.at += datetime.timedelta(seconds=seconds)
        self.events.append(json.dumps({"at": stamp(self.at), **event}))

    def end(self, ok):
        took = int((self.at - self.begun).total_seconds() * 1000)
        if ok is not None:
            self.add(event="operation_finished", operation=self.operation, ok=ok, elapsed_ms=took)
        (self.folder / "events.jsonl").write_text("\n".join(self.events) + "\n")

    def step(self, step, seconds, nodes, outcome="done", detail=None):
        self.add(event="step_started", step=step)
        left = seconds
        if step in ("boot", "login"):
            for number, node in enumerate(nodes):
                wait = seconds / (2 * len(nodes))
                self.add(wait, event="step_detail", step=step, message=f"{node} {'has the address 192.168.122.' + str(21 + number) if step == 'boot' else 'accepts logins'}")
                left -= wait
        elif step in ("prepare", "install"):
            for task in TASKS:
                for node in nodes:
                    wait = seconds * 0.8 / len(TASKS) / len(nodes)
                    self.add(wait, event="task", name=task, node=node, state="changed", elapsed_ms=int(wait * 1000))
                    left -= wait
        self.add(left, event="step_finished", step=step, outcome=outcome, elapsed_ms=int(seconds * 1000), detail=detail)


def deployment(folder, size=3, disks=2, cloud=False):
    """A ready cluster whose first deploy failed; it was stopped and started since."""
    folder = pathlib.Path(folder)
    nodes = [f"n{11 + index}" for index in range(size)]
    state = {
        "schema": 1,
        "id": "exasol-7c1f03ab",
        "spec": {
            "provider": "libvirt", "cluster_size": size, "db_version": "rehearsal", "data_volume_size": 100,
            "data_volumes_per_node": disks, "root_volume_size": 50, "owner": "analytics",
            "allowed_cidrs": ["192.0.2.0/24"], "multicast_overlay": cloud,
            "options": {"network": "default", "pool": "default", "memory": 8, "vcpus": 2},
        },
        "phase": "database_ready",
        "created_at": "2026-11-29T09:10:31Z",
        "updated_at": "2026-11-29T10:44:12Z",
        "nodes": [
            {"name": node, "index": index, "machine": f"exasol-7c1f03ab-{node}", "mac": f"52:54:00:00:00:{index:02x}", "disks": [],
             "private_ip": f"10.0.0.{11 + index}" if cloud else f"192.168.122.{21 + index}",
             "public_ip": f"203.0.113.{11 + index}" if cloud else f"192.168.122.{21 + index}",
             **({"overlay_ip": f"10.99.0.{11 + index}"} if cloud else {})}
            for index, node in enumerate(nodes)
        ],
        "installed": True,
        "ever_ready": True,
        "certificate_fingerprint": "3f" * 32,
    }
    folder.mkdir(parents=True)
    (folder / "deployment.json").write_text(json.dumps(state))
    secrets(folder)

    failed = Log(folder, "deploy", START, DEPLOY)
    for step, _, seconds in DEPLOY[:3]:
        failed.step(step, seconds, nodes)
    failed.add(event="step_started", step="boot")
    failed.add(12, event="step_detail", step="boot", message=f"{nodes[0]} has the address 192.168.122.21")
    failed.add(80, event="machine_dead", node=nodes[-1], reason="kernel_panic", line="Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)")
    failed.add(1, event="step_finished", step="boot", outcome="failed", elapsed_ms=93000)
    failed.end(False)

    done = Log(folder, "deploy", START + datetime.timedelta(minutes=9), DEPLOY)
    for step, _, seconds in DEPLOY:
        known = step == "apply"
        done.step(step, 4.0 if known else seconds, nodes, "unchanged" if known else "done", "nothing to change" if known else None)
        if step == "prepare":
            done.add(event="warning", message=f"the clock of {nodes[0]} was 42 s behind; it was set")
    done.end(True)

    for operation, minutes, steps in (("stop", 70, STOP), ("start", 90, BEGIN)):
        log = Log(folder, operation, START + datetime.timedelta(minutes=minutes), steps)
        for step, _, seconds in steps:
            log.step(step, seconds, nodes)
        log.end(True)

    looks = [
        {"at": "2026-11-29T09:31:00Z", "status": "healthy", "phase": "database_ready", "issues": []},
        {"at": "2026-11-29T10:31:00Z", "status": "problems", "phase": "stopped", "issues": [{"type": "machine_off", "node": node, "severity": "error"} for node in nodes[:2]]},
        {"at": "2026-11-29T10:47:20Z", "status": "healthy", "phase": "database_ready", "issues": [{"type": "space_low", "node": nodes[-1], "severity": "warning"}]},
    ]
    (folder / "logs" / "health.jsonl").write_text("".join(json.dumps(look) + "\n" for look in looks))
    return folder


def secrets(folder):
    """What is masked; none of it may be on the page."""
    values = {"db_password": "sample-Password-1", "adminui_password": "sample-Password-2", "host_password": "sample-Password-3"}
    path = folder / "secrets.json"
    path.write_text(json.dumps(values))
    path.chmod(0o600)
