"""Steps of a cluster's life after its first deploy: stop, start, losses, and a change of options."""

import contextlib
import json
import pathlib
import secrets
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import hypervisor
from program import wait_until
from steps import in_step, logs_of, step, tree_of

# Where a test writes to a raw disk: behind everything that a partition table or a signature uses.
MARK_AT = 1024 * 1024


def domain(system, node):
    return f"{system.id}-{node}"


def ready(system):
    return system.exasol("status", "--json").json()["status"] == "database_ready"


def issues(system):
    """What health finds wrong with a cluster that is not well."""
    report = system.exasol("health", "--json").expect(1).json()
    assert report["status"] == "problems" and report["issue_count"] == len(report["issues"]), report
    return [(issue["type"], issue["node"]) for issue in report["issues"]]


@step
def status_at_once(system):
    """Every node is asked at the same time: the whole takes as long as its slowest probe."""
    ratios = []
    for _ in range(5):
        report = system.exasol("status", "--json").expect(0).json()
        slowest = max(node[probe]["ms"] for node in report["nodes"] for probe in ("ssh", "sql"))
        ratios.append(report["checked_in_ms"] / slowest)
    system.figures.append(f"status of {system.size} nodes / its slowest probe {min(ratios):.2f}")
    assert min(ratios) <= 1.2, ratios


@step
def well(system):
    """Every layer of every node is well."""
    result = system.exasol("health", "--json").expect(0)
    report = result.json()
    system.note("health", result.seconds)
    assert report["status"] == "healthy" and report["issues"] == [], report
    assert [node["name"] for node in report["nodes"]] == system.names
    for node in report["nodes"]:
        assert len(node["layers"]) == 10 and set(node["layers"].values()) == {"ok"}, node


@step
def health(system):
    """Every layer of every node is well; wrong files and a changed certificate are named and repaired."""
    well(system)
    config = system.dir / "ssh/config"
    config.write_text(config.read_text().replace(addresses(system)["n12"], "192.0.2.12"))
    (system.dir / "ansible/inventory.json").unlink()
    found = issues(system)
    assert ("files_stale", None) in found and ("ssh_unreachable", "n12") in found, found
    repaired = system.exasol("health", "--repair", "--json").expect(0).json()["repaired"]
    assert repaired == ["ssh/config", "ansible/inventory.json"], repaired
    state = system.dir / "deployment.json"
    content = json.loads(state.read_text())
    content["certificate_fingerprint"] = "0" * 64
    state.write_text(json.dumps(content))
    assert "certificate_mismatch" in system.exasol("sql", "-c", "SELECT 1", "--json").expect(1).stdout
    found = issues(system)
    assert ("certificate_changed", "n11") in found and ("sql_identity_mismatch", "n12") in found, found
    repaired = system.exasol("health", "--repair", "--json").expect(0).json()["repaired"]
    assert len(repaired) == 1 and "certificate" in repaired[0], repaired
    system.exasol("sql", "-c", "SELECT 1").expect(0)
    lines = (system.dir / "logs/health.jsonl").read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines][-5:] == ["healthy", "problems", "healthy", "problems", "healthy"]


@step
def private(system):
    """Nobody but QEMU and root reads a node's disks, its seed has gone, and it has no screen that others see."""
    for node in system.names:
        tree = ElementTree.fromstring(hypervisor.virsh("dumpxml", domain(system, node)))
        files = [source.get("file") for source in tree.findall("./devices/disk/source")]
        assert len(files) == 1 + system.disks and all(files), files
        assert tree.find("./devices/graphics") is None
        for path in files:
            assert path.endswith(".qcow2"), path
            assert as_nobody("head", "-c", "1", path) != 0, f"nobody can read {path}"
    # That nobody could read it, if it were open.
    base = next(pathlib.Path(files[0]).parent.glob("exasol-base-*.qcow2"))
    assert as_nobody("head", "-c", "1", str(base)) == 0, base
    left = [volume for volume in hypervisor.lines("vol-list", system.options.get("libvirt-pool", "default")) if volume.startswith(system.id)]
    assert len(left) == system.size * (1 + system.disks), left
    for secret in (system.dir / "terraform").iterdir():
        assert not secret.is_file() or b"PRIVATE KEY" not in secret.read_bytes(), secret
    listening = pathlib.Path("/proc/net/tcp").read_text() + pathlib.Path("/proc/net/tcp6").read_text()
    ports = {int(line.split()[1].rsplit(":", 1)[1], 16) for line in listening.splitlines() if ":" in line and line.split()[3] == "0A"}
    assert not ports & set(range(5900, 6000)), ports


def as_nobody(*command):
    """The exit status of a command that a stranger runs."""
    return subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


@step
def seed_is_private(system):
    """While a node boots for the first time its seed is there, for cloud-init and for nobody else."""
    earlier = logs_of(system)
    process = system.start("deploy")
    wait_until(lambda: in_step(system, "boot", earlier) or process.poll() is not None, "deploy in step boot")
    for node in system.names:
        path = hypervisor.virsh("vol-path", f"{domain(system, node)}-seed.img", "--pool", "default").strip()
        assert as_nobody("head", "-c", "1", path) != 0, f"nobody can read {path}"
        label = subprocess.run(["blkid", "-p", "-o", "value", "-s", "LABEL", path], capture_output=True, text=True).stdout
        assert label.strip() == "cidata", label
    process.send_signal(15)
    process.wait(timeout=120)


@step
def sizes(system):
    """Memory, processors and disks of a stopped cluster change; the machines and what is on the data disks stay."""
    system.exasol("stop", "--json").expect(0)
    machines = {node: hypervisor.virsh("domuuid", domain(system, node)) for node in system.names}
    root, data = int(system.options["root-volume-size"]) + 1, system.disk_gb + 1
    system.exasol("init", "--update", "--data-volume-size", system.disk_gb - 1).expect(2)
    options = {"libvirt-memory": 2, "libvirt-vcpus": 2, "root-volume-size": root, "data-volume-size": data}
    system.exasol("init", "--update", *[str(part) for name, value in options.items() for part in (f"--{name}", value)]).expect(0)
    system.options = {**system.options, **options}
    result = system.exasol("start", "--json").expect(0)
    system.note("start with other sizes", result.seconds)
    for node in system.names:
        assert hypervisor.virsh("domuuid", domain(system, node)) == machines[node]
        script = "nproc; awk '/MemTotal/ {print $2}' /proc/meminfo; df --output=size -BM / | tail -n 1; for d in /dev/exadata_*; do sudo blockdev --getsize64 $d; done"
        said = system.exasol("ssh", node, "--", script).expect(0).stdout.split()
        assert said[0] == "2" and int(said[1]) > 1536 * 1024 and int(said[2].rstrip("M")) > (root - 1) * 1024, said
        assert [int(size) for size in said[3:]] == [data * 1024**3] * system.disks, said
    # Terraform finds nothing to do: no disk and no machine is to be made anew.
    report = system.exasol("deploy", "--plan", "--json").expect(0).json()
    assert report["changes"] == [], report
    system.exasol("deploy", "--json").expect(0)


@step
def mark_disks(system):
    """Writes a text of its own to every data disk, raw."""
    system.marks = {(node, disk): secrets.token_hex(16) for node in system.names for disk in range(1, system.disks + 1)}
    for node in system.names:
        writes = [
            f"printf %s {mark} | sudo dd of=/dev/exadata_{disk:02} bs=1 seek={MARK_AT} conv=notrunc,fsync status=none"
            for (owner, disk), mark in system.marks.items()
            if owner == node
        ]
        system.exasol("ssh", node, "--", " && ".join(writes)).expect(0)


@step
def check_marks(system):
    """The same texts are on the same disks."""
    for (node, disk), mark in system.marks.items():
        read = f"sudo dd if=/dev/exadata_{disk:02} bs=1 skip={MARK_AT} count={len(mark)} status=none"
        found = system.exasol("ssh", node, "--", read).expect(0).stdout
        assert found == mark, f"{node} /dev/exadata_{disk:02}: {found!r}, not {mark!r}"


@step
def stop(system):
    """The machines are off, and libvirt says so too; a second stop finds nothing to do."""
    result = system.exasol("stop", "--json").expect(0)
    assert result.json()["status"] == "stopped", result.stdout
    system.note("stop", result.seconds)
    for node in system.names:
        info = hypervisor.virsh("dominfo", domain(system, node))
        assert "shut off" in info and "disable" in info, info
    report = system.exasol("status", "--json").expect(0).json()
    assert report["status"] == "stopped" and {n["vm"] for n in report["nodes"]} == {"off"}, report
    assert any("exasol start" in command for command in report["next"]), report["next"]
    again = system.exasol("stop", "--json").expect(0)
    system.note("stop again", again.seconds)
    system.exasol("deploy").expect(3)


@step
def start(system):
    """Every node takes logins, and the machines start with their host; a second start changes nothing."""
    result = system.exasol("start", "--json").expect(0)
    assert result.json()["status"] == "database_ready", result.stdout
    system.note("start", result.seconds)
    assert ready(system)
    for node in system.names:
        assert "Autostart:      enable" in hypervisor.virsh("dominfo", domain(system, node)), node
    before = {name: text for name, text in tree_of(system.dir).items() if name not in ("deployment.json", ".lock")}
    again = system.exasol("start", "--json").expect(0)
    system.note("start again", again.seconds)
    after = {name: text for name, text in tree_of(system.dir).items() if name not in ("deployment.json", ".lock")}
    assert after == before, "a second start changed files"


@step
def power_cut(system, node="n12"):
    """A machine that somebody switched off is named at once, nothing is called ready, and start brings it back."""
    hypervisor.virsh("destroy", domain(system, node))
    begin = time.monotonic()
    report = system.exasol("status", "--json").expect(0).json()
    seen = time.monotonic() - begin
    assert {n["name"]: n["vm"] for n in report["nodes"]}[node] == "off", report
    assert report["status"] != "database_ready" and report["phase"] == "database_ready", report
    assert f"{node} is off" in report["reason"], report["reason"]
    system.note("status of a lost node", seen)
    assert ("machine_off", node) in issues(system), issues(system)
    system.exasol("start", "--json").expect(0)
    assert ready(system)


@step
def overlay(system):
    """The nodes know each other by overlay addresses, and multicasts pass."""
    state = json.loads((system.dir / "deployment.json").read_text())
    addresses = {node["name"]: node["overlay_ip"] for node in state["nodes"]}
    for node in system.names:
        link = system.exasol("ssh", node, "--", "ip -o link show exasol0; for n in %s; do getent ahostsv4 $n | head -n1; done" % " ".join(system.names)).expect(0).stdout
        assert "mtu 1450" in link, link
        for address in addresses.values():
            assert address in link, (link, addresses)
    receiver, sender = system.names[-1], system.names[0]
    group = "239.77.7.7"
    listen = f"""import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 7777)); s.settimeout(60)
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("{group}") + socket.inet_aton("{addresses[receiver]}"))
print(s.recv(100).decode())"""
    tell = f"""import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("{addresses[sender]}"))
s.sendto(b"to all", ("{group}", 7777))"""
    listening = system.program.start("ssh", "-d", system.dir, receiver, "--", f"python3 -c '{listen}' > /tmp/multicast")
    try:
        for _ in range(30):
            system.exasol("ssh", sender, "--", f"python3 -c '{tell}'").expect(0)
            if listening.poll() is not None:
                break
    finally:
        listening.wait(timeout=120)
    heard = system.exasol("ssh", receiver, "--", "cat /tmp/multicast").expect(0).stdout
    assert heard.strip() == "to all", heard


@step
def update(system, password="another \"one\" $x"):
    """New clients, a new database password and a new host password reach a living cluster; no node is replaced."""
    for name, text in (("next-db", password), ("next-host", "host's #1")):
        (system.folder / name).write_text(text + "\n")
    machines = {node: hypervisor.virsh("domuuid", domain(system, node)) for node in system.names}
    options = ["--allowed-cidr", "192.0.2.0/24", "--db-password-file", system.folder / "next-db", "--host-password-file", system.folder / "next-host"]
    report = system.exasol("init", "--update", *options, "--json").expect(0).json()
    assert {c["option"] for c in report["changed"]} == {"allowed_cidrs", "db_password", "host_password"}, report
    assert password not in json.dumps(report)
    result = system.exasol("deploy", "--json").expect(0)
    system.note("deploy of an update", result.seconds)
    system.password = password
    assert ready(system)
    for node in system.names:
        rules = system.exasol("ssh", node, "--", "sudo nft list table inet exasol").expect(0).stdout
        assert "192.0.2.0/24" in rules, rules
        assert hypervisor.virsh("domuuid", domain(system, node)) == machines[node]
    system.exasol("init", "--update", "--cluster-size", "7").expect(2)
    # Nothing is pending any more: the next deploy only looks.
    assert "accepts logins" in system.exasol("deploy").expect(0).text


@step
def undefined(system, node="n12"):
    """A domain that somebody removed is named; deploy makes it anew around the data disks it had."""
    hypervisor.virsh("destroy", domain(system, node))
    hypervisor.virsh("undefine", domain(system, node))
    report = system.exasol("status", "--json").expect(0).json()
    assert {n["name"]: n["vm"] for n in report["nodes"]}[node] == "missing", report
    assert f"{node} is missing" in report["reason"], report
    assert ("machine_missing", node) in issues(system), issues(system)
    result = system.exasol("deploy", "--json").expect(0)
    system.note("deploy of a lost domain", result.seconds)
    wait_until(lambda: ready(system), "the database after a lost domain", every=2)


@step
def lost_disk(system, node="n12"):
    """A data disk that is gone is gone with its data: deploy names it and makes no empty one in its place."""
    hypervisor.virsh("destroy", domain(system, node))
    hypervisor.virsh("undefine", domain(system, node))
    disk = f"{domain(system, node)}-data-01.qcow2"
    hypervisor.virsh("vol-delete", disk, "--pool", "default")
    refused = system.exasol("deploy", "--json").expect(1).json()["error"]
    assert refused["code"] == "plan_refused" and node in refused["message"], refused
    assert disk not in hypervisor.lines("vol-list", "default")
    assert domain(system, node) not in hypervisor.lines("list", "--all", "--name")


def addresses(system):
    state = json.loads((system.dir / "deployment.json").read_text())
    return {node["name"]: node["public_ip"] for node in state["nodes"]}


class Rule:
    """A packet filter's rule of this machine (the lab), for as long as the block lasts."""

    def __init__(self, *words):
        self.words = words

    def __enter__(self):
        self.change("-I")

    def __exit__(self, *_):
        self.change("-D")

    def change(self, how):
        table, rest = (["-t", "nat"], self.words[1:]) if self.words[0] == "nat" else ([], self.words)
        subprocess.run(["iptables", "-w", *table, how, *rest], check=True, capture_output=True)


@step
def unreachable(system):
    """A network that lets nothing through is no reason to call a cluster stopped, or its phase another."""
    rules = [Rule("OUTPUT", "-d", address, "-p", "tcp", "-j", "DROP") for address in addresses(system).values()]
    with contextlib.ExitStack() as stack:
        for rule in rules:
            stack.enter_context(rule)
        begin = time.monotonic()
        report = system.exasol("status", "--probe-timeout", "2", "--json").expect(0).json()
        system.note("status of an unreachable cluster", time.monotonic() - begin)
        assert report["status"] == "unreachable" and report["phase"] == "database_ready", report
        for node in report["nodes"]:
            assert node["vm"] == "running" and {node["ssh"]["state"], node["sql"]["state"]} <= {"timeout", "unreachable"}, node
        assert {("ssh_timeout", name) for name in system.names} <= set(issues(system))
        system.exasol("status", "--wait", "stopped", "--timeout", "1s", "--probe-timeout", "1").expect(1)
        system.exasol("sql", "-c", "SELECT 1", "--timeout", "5").expect(1)
    assert ready(system)


@step
def impostor(system, node="n12"):
    """Another machine on a node's address is not taken for the node."""
    found = addresses(system)
    other = next(address for name, address in found.items() if name != node)
    with Rule("nat", "OUTPUT", "-d", found[node], "-p", "tcp", "--dport", "22", "-j", "DNAT", "--to-destination", other):
        report = system.exasol("status", "--json").expect(0).json()
        seen = {n["name"]: n["ssh"]["state"] for n in report["nodes"]}
        assert seen[node] == "identity_mismatch", seen
        assert system.exasol("ssh", node, "--", "true").code != 0
    assert ready(system)


@step
def other_addresses(system, network="default"):
    """While the machines are off the network gives a node another address; start tells everybody."""
    system.exasol("stop", "--json").expect(0)
    before = addresses(system)
    node = system.names[-1]
    mac = next(n["mac"] for n in json.loads((system.dir / "deployment.json").read_text())["nodes"] if n["name"] == node)
    taken = set(before.values())
    free = next(a for a in (f"192.168.122.{i}" for i in range(240, 254)) if a not in taken)
    host = f"<host mac='{mac}' ip='{free}'/>"
    hypervisor.virsh("net-update", network, "add", "ip-dhcp-host", host, "--live", "--config")
    try:
        result = system.exasol("start", "--json").expect(0)
        system.note("start with another address", result.seconds)
        assert addresses(system)[node] == free, (addresses(system), free)
        assert ready(system)
        known = system.exasol("ssh", system.names[0], "--", f"getent ahostsv4 {node} | head -n1").expect(0).stdout
        assert known.startswith(free), known
        events = [json.loads(line) for line in system.exasol("start", "--json").expect(0).stdout.splitlines()]
        told = [event["outcome"] for event in events if event.get("step") == "addresses" and "outcome" in event]
        assert told == ["unchanged"] and addresses(system)[node] == free, events
    finally:
        hypervisor.virsh("net-update", network, "delete", "ip-dhcp-host", host, "--live", "--config")
