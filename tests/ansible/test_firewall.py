"""The rendered firewall and node/firewall.sh in network namespaces: who gets through, and nobody is locked out.

Root, nft and ip are needed; else skipped. Run: python3 -m unittest discover tests/ansible"""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).parents[2]
SNAPSHOTS = ROOT / "src" / "render" / "snapshots"
OPEN = "open_to_users_without_allowed_cidrs"
CLOUD = "closed_metadata_on_a_cloud"
RESTRICTED = "restricted_with_overlapping_and_untidy_networks_of_both_families"
NODE, TRUSTED, STRANGER, ALLOWED = "192.168.122.11", "192.168.122.12", "192.168.122.50", "10.9.9.9"
USER_PORTS = {22, 8563, 8443}
# Of the cluster, and one that nobody knows of.
OTHERS = {2580, 2581, 4444, 10001, 20002, 20003, 20500}

# In a network namespace: a node on "lan" (a bridge's port, or the device itself), and far away everybody else.
PLAY = r"""
import ast, os, pathlib, socket, subprocess, sys, time

node, far_addresses, bridged, script = ast.literal_eval(sys.argv[1])

def sh(line):
    subprocess.run(line, shell=True, check=True)

far = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE)
far.stdout.readline()
lan = "br-lan" if bridged else "lan"
sh("ip link set lo up; ip link add lan type veth peer name far")
if bridged:
    sh("ip link add br-lan type bridge; ip link set lan master br-lan up")
sh(f"ip link set far netns {far.pid}; ip addr add {node}/24 dev {lan}; ip link set {lan} up")
sh(f"ip route add default via 192.168.122.12 dev {lan}")
inside = f"nsenter -n -t {far.pid} "
sh(inside + "ip link set far up")
for address in far_addresses:
    sh(inside + f"ip addr add {address}/24 dev far")
sh(inside + f"ip route replace {node}/32 dev far")

def listen(port):
    server = socket.create_server((node, port))
    return server

def sees(address, ports):
    # An open port may answer late on a busy machine; a closed one never does.
    code = ("import socket,sys\n"
            "for word in sys.argv[3:]:\n"
            "    port, patience = word.split(':')\n"
            "    try:\n"
            "        socket.create_connection((sys.argv[1], int(port)), float(patience), (sys.argv[2], 0)).close()\n"
            "        print(port)\n"
            "    except OSError: pass\n")
    listening = [server.getsockname()[1] for server in servers]
    words = inside.split() + [sys.executable, "-c", code, node, address]
    words += [f"{port}:{10 if port in ports else 0.4}" for port in listening]
    seen = {int(port) for port in subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()}
    assert seen == ports, f"{address} sees {sorted(seen)}, not {sorted(ports)}"

def firewall(word):
    return subprocess.run(["sh", script, word], capture_output=True, text=True)

try:
    exec(sys.stdin.read())
finally:
    far.kill()
"""


def usable():
    if os.geteuid() != 0 or not all(shutil.which(tool) for tool in ("nft", "ip", "unshare", "nsenter")):
        return False
    probe = ["unshare", "-n", "sh", "-c", "nft list ruleset && ip link add one0 type veth peer name two0"]
    return subprocess.run(probe, capture_output=True).returncode == 0


@unittest.skipUnless(usable(), "needs root, nft, ip and network namespaces")
class Firewall(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "open").mkdir()
        (self.folder / "bin").mkdir()
        for tool in ("systemctl", "systemd-run"):
            fake = self.folder / "bin" / tool
            fake.write_text(f'#!/bin/sh\necho "{tool} $*" >>"{self.folder}/called"\n[ ! -e "{self.folder}/no-{tool}" ]\n')
            fake.chmod(0o755)
        script = (ROOT / "ansible" / "node" / "firewall.sh").read_text()
        script = script.replace("/etc/exasol-deployer", str(self.folder)).replace("/run/", f"{self.folder}/")
        script = script.replace("\nPATH=", f"\nPATH={self.folder}/bin:")
        (self.folder / "firewall.sh").write_text(script)

    def want(self, name):
        text = (SNAPSHOTS / f"deployer__render__firewall__tests__{name}.snap").read_text().split("---\n", 2)[2]
        (self.folder / "firewall.wanted").write_text(text.replace("/etc/exasol-deployer", str(self.folder)))

    def play(self, code, bridged=False):
        arguments = repr((NODE, (TRUSTED, STRANGER, ALLOWED), bridged, str(self.folder / "firewall.sh")))
        prelude = f"servers = [listen(port) for port in {sorted(USER_PORTS | OTHERS)}]\n"
        prelude += f"trusted, stranger, allowed = {(TRUSTED, STRANGER, ALLOWED)}\n"
        words = ["unshare", "-n", sys.executable, "-c", PLAY, arguments]
        run = subprocess.run(words, input=prelude + code, capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_strangers_see_the_users_ports_alone(self):
        self.want(OPEN)
        for bridged in (False, True):
            self.play(f"""
sees(stranger, {USER_PORTS | OTHERS})
assert firewall("try").returncode == 0
sees(stranger, {USER_PORTS})
sees(trusted, {USER_PORTS | OTHERS})
""", bridged)

    def test_allowed_networks_see_them_and_nobody_else_does(self):
        self.want(RESTRICTED)
        self.play(f"""
assert firewall("try").returncode == 0
sees(stranger, set())
sees(allowed, {USER_PORTS})
sees(trusted, {USER_PORTS | OTHERS})
""")

    def test_a_cloud_s_metadata_is_root_s_alone_and_names_are_everybody_s(self):
        self.want(CLOUD)
        self.play("""
places = ("169.254.169.254", "168.63.129.16", "fd00:ec2::254")
for place in places:
    sh(inside + f"ip addr add {place}/{128 if ':' in place else 32} dev far" + (" nodad" if ":" in place else ""))
sh("ip addr add fd00:1::11/64 dev lan nodad; ip -6 route add default via fd00:1::12 dev lan")
sh(inside + "ip addr add fd00:1::12/64 dev far nodad")
# A container behind a bridge of the node's own.
box = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                       stderr=subprocess.DEVNULL)
box.stdout.readline()
within = f"nsenter -n -t {box.pid} "
sh("ip link add box type veth peer name eth0; ip addr add 10.88.0.1/24 dev box; ip link set box up")
sh(f"ip link set eth0 netns {box.pid}; sysctl -qw net.ipv4.ip_forward=1")
sh(within + "ip addr add 10.88.0.2/24 dev eth0; " + within + "ip link set eth0 up; "
   + within + "ip route add default via 10.88.0.1; " + inside + "ip route add 10.88.0.0/24 via 192.168.122.11")
serve = ("import socket, sys; s = [socket.create_server(('::', port), family=socket.AF_INET6, dualstack_ipv6=True) "
         "for port in (53, 80, 32526)]; print(flush=True); sys.stdin.read()")
server = subprocess.Popen([*inside.split(), sys.executable, "-c", serve], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
server.stdout.readline()
# As this user; prints the ports that answer. One that is closed says so at once.
ask = '''import encodings.idna, os, socket, sys
os.setuid(int(sys.argv[1]))
for port in (53, 80, 32526):
    try:
        socket.create_connection((sys.argv[2], port), 20).close()
        print(port)
    except ConnectionRefusedError: pass
'''

def answers(user, place, where=""):
    words = [*where.split(), sys.executable, "-c", ask, str(user), place]
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.split()

everything, names = ["53", "80", "32526"], ["53"]
for place in places:
    assert answers(65534, place) == everything, place
assert answers(0, places[0], within) == everything
assert firewall("try").returncode == 0
for place in places:
    assert answers(0, place) == everything, place
    assert answers(65534, place) == names, place
    if ":" not in place:
        assert answers(0, place, within) == names, place
""")

    def test_a_port_that_somebody_opens_is_open(self):
        self.want(OPEN)
        (self.folder / "open" / "mine.nft").write_text("tcp dport 10001 accept\n")
        self.play(f"""
assert firewall("try").returncode == 0
sees(stranger, {USER_PORTS | {10001}})
""")

    def test_nobody_who_comes_gets_the_rules_of_before(self):
        self.want(OPEN)
        first = 'assert firewall("is-kept").returncode == 1\nassert firewall("try").returncode == 0\n'
        self.play(first + f"""
assert firewall("back").returncode == 0
sees(stranger, {USER_PORTS | OTHERS})
late = firewall("keep")
assert late.returncode == 1 and "no new session arrived within 300 s" in late.stderr, late
assert not os.path.exists("{self.folder}/firewall.nft")
""")
        self.assertIn("--on-active=300s", (self.folder / "called").read_text())
        self.play(first + """
assert firewall("keep").returncode == 0
assert firewall("is-kept").returncode == 0
assert firewall("back").returncode == 0
assert firewall("is-kept").returncode == 0
""")
        self.assertIn("systemctl start exasol-firewall.service", (self.folder / "called").read_text())
        self.want(RESTRICTED)
        self.play(f"""
sh("nft -f {self.folder}/firewall.nft")
assert firewall("is-kept").returncode == 1
assert firewall("try").returncode == 0
sees(stranger, set())
assert firewall("back").returncode == 0
sees(stranger, {USER_PORTS})
""")

    def test_keep_may_be_said_again(self):
        self.want(OPEN)
        trial, proven = (self.folder / f"exasol-firewall-trial.nft{end}" for end in ("", ".proven"))
        self.play(f"""
assert firewall("try").returncode == 0
os.rename({str(trial)!r}, {str(proven)!r})
assert firewall("back").returncode == 0
assert firewall("keep").returncode == 0, "the one before it was cut off"
assert firewall("keep").returncode == 0
assert firewall("is-kept").returncode == 0
assert not os.path.exists({str(proven)!r})
""")
        self.want(RESTRICTED)
        self.play(f"""
sh("nft -f {self.folder}/firewall.nft")
pathlib.Path({str(proven)!r}).write_text("of a keep that nobody said again")
assert firewall("try").returncode == 0 and firewall("back").returncode == 0
late = firewall("keep")
assert late.returncode == 1 and "no new session arrived" in late.stderr, late
sees(stranger, {USER_PORTS})
""")

    def test_settle_keeps_or_asks_for_another_test(self):
        self.want(OPEN)
        self.play(f"""
assert firewall("try").returncode == 0 and firewall("back").returncode == 0
late = firewall("settle")
assert late.returncode == 0 and late.stdout.startswith("again: "), late
assert not os.path.exists("{self.folder}/firewall.nft")
assert firewall("try").returncode == 0
kept = firewall("settle")
assert kept.returncode == 0 and kept.stdout == "kept: firewall\\n", kept
said_again = firewall("settle")
assert said_again.returncode == 0 and said_again.stdout == "", said_again
assert firewall("is-kept").returncode == 0
""")

    def test_rules_are_not_tried_without_a_way_back(self):
        self.want(OPEN)
        self.play(f"""
assert firewall("try").returncode == 0
pathlib.Path({str(self.folder)!r}, "no-systemd-run").touch()
refused = firewall("try")
assert refused.returncode == 1 and "the old rules are active" in refused.stderr, refused
sees(stranger, {USER_PORTS | OTHERS})
refused = firewall("try")
assert refused.returncode == 1 and "the old rules are active" in refused.stderr, refused
sees(stranger, {USER_PORTS | OTHERS})
assert firewall("keep").returncode == 1
""")

    def test_the_timer_of_an_earlier_trial_gives_way(self):
        self.want(OPEN)
        armed = self.folder / "armed"
        (self.folder / "bin" / "systemd-run").write_text(f'#!/bin/sh\n[ ! -e "{armed}" ] && : >"{armed}"\n')
        (self.folder / "bin" / "systemctl").write_text(f'#!/bin/sh\n[ "$1" != stop ] || rm -f "{armed}"\n')
        self.play(f"""
for _ in range(2):
    tried = firewall("try")
    assert tried.returncode == 0 and tried.stdout == "changed: firewall, on trial\\n", tried
    assert os.path.exists("{armed}")
sees(stranger, {USER_PORTS})
assert firewall("keep").returncode == 0
""")

    def test_rules_that_nft_does_not_take_change_nothing(self):
        self.want(OPEN)
        (self.folder / "open" / "mine.nft").write_text("nonsense\n")
        self.play(f"""
refused = firewall("try")
assert refused.returncode == 1 and "mine.nft" in refused.stderr, refused
sees(stranger, {USER_PORTS | OTHERS})
""")

    def test_an_owner_s_rule_that_is_refused_later_opens_nothing_at_boot(self):
        self.want(OPEN)
        unit = (SNAPSHOTS / "deployer__render__units__tests__the_firewall_s_unit.snap").read_text()
        start = next(line for line in unit.splitlines() if line.startswith("ExecStart=")).partition("=")[2]
        start = start.replace("/etc/exasol-deployer", str(self.folder)).replace("/usr/sbin/nft", shutil.which("nft"))
        mine = self.folder / "open" / "mine.nft"
        self.play(f"""
assert firewall("try").returncode == 0 and firewall("keep").returncode == 0
pathlib.Path({str(mine)!r}).write_text('iif "wg0" accept\\n')
sh("nft delete table inet exasol")
subprocess.run({shlex.split(start)!r}, check=True)
sees(stranger, {USER_PORTS})
pathlib.Path({str(mine)!r}).unlink()
pathlib.Path({str(self.folder)!r}, "firewall.wanted").open("a").write("# other rules\\n")
assert firewall("try").returncode == 0
pathlib.Path({str(mine)!r}).write_text('iif "wg0" accept\\n')
sh("nft delete table inet exasol")
assert firewall("back").returncode == 0
sees(stranger, {USER_PORTS})
""")


if __name__ == "__main__":
    unittest.main()
