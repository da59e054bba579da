"""A hypervisor on another machine: an alias of ssh's configuration, a server that limits new connections, and a
bridge on which the nodes see the hypervisor, not the deployer. The lab plays both machines."""

import contextlib
import json
import pathlib
import re
import subprocess
import sys

from program import wait_until
from steps import STEPS, step

CONFIG = pathlib.Path("/etc/ssh/ssh_config.d/lab.conf")
ALIASES = """
Match originalhost hyper exec "true"
  HostName 127.0.0.1
  Port 2222
  ProxyJump hop
Host hop
  HostName 127.0.0.1
  Port 2222
"""
# As `ufw limit ssh` has it: six new connections in half a minute.
LIMIT = "limit rate over 12/minute burst 6 packets"
BRIDGE, GATEWAY, STRANGER = "br9", "10.99.0.1", "10.99.0.200"
# A login on `hyper` is one on `hop` as well, and opens two connections.
ENTRIES_A_LOGIN = 2


def sh(line):
    return subprocess.run(line, shell=True, check=True, capture_output=True, text=True).stdout


def logins():
    log = pathlib.Path(re.search(r"GlobalKnownHostsFile (\S+)/known_hosts", CONFIG.read_text()).group(1), "log")
    return log.read_text(errors="replace").count("Accepted publickey") // ENTRIES_A_LOGIN


@contextlib.contextmanager
def limited():
    sh("nft add table inet e2e; nft add chain inet e2e input '{ type filter hook input priority 0; }'")
    sh(f"nft add rule inet e2e input tcp dport 2222 ct state new {LIMIT} reject")
    try:
        yield
    finally:
        sh("nft delete table inet e2e")


@step
def other_machine(system):
    """The bridge with its DHCP, and the aliases."""
    known = CONFIG.read_text()
    (CONFIG.parent / "e2e.conf").write_text(ALIASES + re.sub(r"Host 127.0.0.1\n", "Host hop hyper\n", known))
    sh(f"ip link add {BRIDGE} type bridge && ip addr add {GATEWAY}/24 dev {BRIDGE} && ip link set {BRIDGE} up")
    sh(f"dnsmasq --no-hosts --no-resolv --port=0 --interface={BRIDGE} --bind-interfaces --dhcp-range=10.99.0.50,10.99.0.99"
       f" --pid-file={system.folder}/dnsmasq.pid --dhcp-leasefile={system.folder}/leases --conf-file=/dev/null")


@step
def other_machine_gone(system):
    sh(f"kill $(cat {system.folder}/dnsmasq.pid); ip link delete {BRIDGE}")
    (CONFIG.parent / "e2e.conf").unlink()


@step
def few_logins(system, steps=("init", "deploy"), most=3):
    """The steps together log in so few times, and the server takes no more."""
    before = logins()
    with limited():
        for name in steps:
            STEPS[name](system)
    count = logins() - before
    system.figures.append(f"{count} logins for {' and '.join(steps)}")
    assert 0 < count <= most, count


@step
def still_let_in(system):
    """The deployer's own network is not among the allowed ones, and everything works all the same."""
    state = json.loads((system.dir / "deployment.json").read_text())
    assert state["seen_from"] == [GATEWAY], state["seen_from"]
    assert system.exasol("ssh", "n11", "--", "hostname").expect(0).stdout.strip() == "n11"
    exempt = system.exasol("ssh", "n11", "--", "sudo sshd -T | grep -i '^persourcepenaltyexemptlist'").expect(0).stdout
    assert GATEWAY in exempt, exempt
    before = logins()
    system.exasol("health", "--json")
    assert logins() - before == 1, "health asks everything through one login"
    # Its probes give a slow guest's database five seconds by default.
    healthy = lambda: system.exasol("health", "--probe-timeout", "60", "--json").json()["status"] == "healthy"  # noqa: E731
    wait_until(healthy, "a healthy cluster", every=10)
    assert "1" in system.exasol("sql", "-c", "SELECT 1").expect(0).stdout


def seen_by_a_stranger(address, ports):
    """From a network namespace of its own on the bridge."""
    holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        inside = f"nsenter -n -t {holder.pid}"
        sh(f"ip link add e2e-far type veth peer name e2e-near && ip link set e2e-near master {BRIDGE} up")
        sh(f"ip link set e2e-far netns {holder.pid} && {inside} ip addr add {STRANGER}/24 dev e2e-far")
        sh(f"{inside} ip link set e2e-far up")
        scan = ("import socket,sys\nfor port in sys.argv[2:]:\n    try:\n"
                "        socket.create_connection((sys.argv[1], int(port)), 2).close()\n        print(port)\n"
                "    except OSError: pass\n")
        words = inside.split() + [sys.executable, "-c", scan, address, *map(str, ports)]
        return {int(port) for port in subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()}
    finally:
        holder.kill()
        holder.wait()
        wait_until(lambda: not pathlib.Path("/sys/class/net/e2e-near").exists(), "the end of the stranger's network")


@step
def scanned(system, open):
    """A third machine on the bridge sees these ports and no other, though services listen."""
    state = json.loads((system.dir / "deployment.json").read_text())
    address = state["nodes"][0]["private_ip"]
    listening = {22, 8443, 8563, 2580, 4444, 10001}
    serve = "; ".join(
        f"sudo systemd-run --quiet --collect --unit=e2e-{port} python3 -m http.server {port} || true" for port in (2580, 4444, 8443, 10001)
    )
    system.exasol("ssh", "n11", "--", serve).expect(0)
    ports = lambda: system.exasol("ssh", "n11", "--", "ss -Hltn").expect(0).stdout  # noqa: E731
    wait_until(lambda: all(re.search(rf":{port}\s", ports()) for port in listening), "services that listen", every=2)
    seen = seen_by_a_stranger(address, sorted(listening | {20002, 20003}))
    assert seen == set(open), seen


@step
def allowed(system, cidr):
    """Other clients are told to a running cluster, through the same way."""
    with limited():
        system.exasol("init", "--update", "--allowed-cidr", cidr).expect(0)
        system.exasol("deploy").expect(0)
