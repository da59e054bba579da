"""The same machines and the same installation without `exasol`: what a deploy cannot be faster than.

A deployment is captured while `exasol` deploys it: its domains, the contents of its seeds, its scripts. From then on
its machines are made with virsh alone, and installed by one SSH session a node.
"""

import base64
import concurrent.futures
import contextlib
import hashlib
import io
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import time
from xml.etree import ElementTree

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(REPO / "tests" / "e2e"))

import hypervisor  # noqa: E402
import steps  # noqa: E402
from program import wait_until  # noqa: E402

POOL = NETWORK = "default"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "exasol"
# An emulated guest on a busy machine.
LIMIT = 1200
# As cheap for the node as possible: the start of a program for each wait, or of a second sshd, takes it much of its time.
BOOTED = "bash -c 'exec 3<> <(:); until [ -e /run/cloud-init/result.json ]; do read -r -t 0.2 -u 3; done; true'"
# Reads exactly the tar, prepares, and installs when it is told that the other nodes are prepared.
PREPARE = "mkdir hand && head -c {size} | tar -xf - -C hand && sudo -n sh hand/prepare.sh </dev/null >&2 && echo prepared"
INSTALL = """read go
. /etc/exasol-deployer/node.conf
mkdir -p "$RELEASE" && mv hand/c4 "$RELEASE/c4" && mv hand/archive "$RELEASE/$ARCHIVE" && chmod 755 "$RELEASE/c4"
/usr/local/lib/exasol-deployer/install-cluster.sh play >&2
until /usr/local/lib/exasol-deployer/database.sh up | grep '^ready:' >&2; do :; done
echo installed
"""
CLIENT = """import os, sys, time
os.environ["EXASOL_TELEMETRY_DISABLE"] = "1"
import json, pyexasol
said = json.load(sys.stdin)
begin = time.monotonic()
client = pyexasol.connect(dsn=said["host"] + "/nocertcheck:8563", user=said["user"], password=said["password"])
assert client.execute("SELECT 1").fetchall() == [(1,)]
print(time.monotonic() - begin)
"""


class Captured:
    """A deployment whose machines can be made by hand."""

    def __init__(self, system, folder):
        self.names = system.names
        self.folder = folder

    @classmethod
    def of(cls, system, folder):
        """Deploys it once with `exasol`, captures it, and destroys it."""
        folder.mkdir()
        self = cls(system, folder)
        earlier = steps.logs_of(system)
        process = system.start("deploy")
        wait_until(lambda: steps.in_step(system, "boot", earlier) or process.poll() is not None, "the step boot", LIMIT, 0.1)
        assert process.poll() is None, f"exasol deploy ended with {process.returncode}: {system.program.log.read_text()}"
        self.machines = {name: f"exasol-{system.id.removeprefix('exasol-')}-{name}" for name in self.names}
        for name, machine in self.machines.items():
            shutil.copy(self.path(machine, "seed.img"), folder / f"{name}.seed")
            (folder / f"{name}.xml").write_text(hypervisor.virsh("dumpxml", "--inactive", machine))
        self.disks = {name: self.volumes(machine) for name, machine in self.machines.items()}
        assert process.wait(LIMIT) == 0, system.program.log.read_text()
        for name in self.names:
            shutil.copy(system.dir / "ansible" / "files" / f"{name}-prepare.sh", folder / f"{name}.sh")
        self.ssh = folder / "ssh"
        shutil.copytree(system.dir / "ssh", self.ssh)
        config = (self.ssh / "config").read_text().replace(str(system.dir / "ssh"), str(self.ssh))
        (self.ssh / "config").write_text(config)
        self.addresses = dict(zip(self.names, addresses(config, self.names), strict=True))
        info = system.exasol("info", "--show-password", "--json").expect(0).json()
        self.login = {"host": self.addresses[self.names[0]], "user": info["user"], "password": info["password"]}
        self.release = release_of(folder / f"{self.names[0]}.sh")
        system.exasol("destroy", "--yes").expect(0)
        return self

    @staticmethod
    def path(machine, what):
        return pathlib.Path(hypervisor.virsh("vol-path", "--pool", POOL, f"{machine}-{what}").strip())

    @staticmethod
    def volumes(machine):
        """Name and XML of all its disks but the seed."""
        names = [name for name in hypervisor.lines("vol-list", POOL) if name.startswith(f"{machine}-") and name.endswith(".qcow2")]
        return {name: hypervisor.virsh("vol-dumpxml", "--pool", POOL, name) for name in names}

    def together(self, work):
        """Does something for all nodes at the same time."""
        with concurrent.futures.ThreadPoolExecutor(len(self.names)) as pool:
            return list(pool.map(work, self.names))

    def boot(self):
        """(a): the machines, until each answers and cloud-init is done."""
        self.together(self.make)
        self.together(self.wait)

    def make(self, name):
        commands = []
        for volume, xml in self.disks[name].items():
            file = self.folder / f"{volume}.xml"
            file.write_text(xml)
            commands.append(f"vol-create {POOL} {file}")
        seed, volume = self.folder / f"{name}.seed", f"{self.machines[name]}-seed.img"
        commands.append(f"vol-create-as {POOL} {volume} {seed.stat().st_size} --format raw")
        commands.append(f"vol-upload --pool {POOL} {volume} {seed}")
        commands.append(f"define {self.folder / f'{name}.xml'}")
        commands.append(f"start {self.machines[name]}")
        hypervisor.virsh("; ".join(commands))

    def wait(self, name):
        end = time.monotonic() + LIMIT
        while not self.log_in(name):
            assert time.monotonic() < end, f"{name} does not answer"
            time.sleep(0.1)

    def log_in(self, name):
        with contextlib.suppress(OSError), socket.create_connection((self.addresses[name], 22), timeout=1) as port:
            # An emulated node takes seconds for its greeting.
            port.settimeout(60)
            if port.recv(4) == b"SSH-":
                return self.session(name, BOOTED).wait() == 0
        return False

    def session(self, name, script, **rest):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **rest}
        return subprocess.Popen(["ssh", "-o", "ConnectTimeout=120", "-F", self.ssh / "config", name, script], **options)

    def install(self):
        """(b): the files and the installation, by one session a node, until the database answers a query."""
        sessions = dict(zip(self.names, self.together(self.prepare), strict=True))
        first = sessions[self.names[0]]
        first.stdin.write(b"go\n")
        first.stdin.close()
        assert first.stdout.readline() == b"installed\n", "the installation failed: see hand.log"
        for session in sessions.values():
            session.stdin.close()
            assert session.wait() == 0
        query(self.login)

    def prepare(self, name):
        files = {"prepare.sh": self.folder / f"{name}.sh"}
        if name == self.names[0]:
            files.update(self.release)
        bundle = self.folder / f"{name}.tar"
        words = [word for inside, path in files.items() for word in ("--transform", f"s|^{str(path).lstrip('/')}$|{inside}|")]
        subprocess.run(["tar", "-chf", bundle, *words, "-C", "/", *[str(path).lstrip("/") for path in files.values()]], check=True)
        script = PREPARE.format(size=bundle.stat().st_size)
        if name == self.names[0]:
            script += "\n" + INSTALL
        log = open(self.folder / "hand.log", "a", encoding="utf-8")  # noqa: SIM115: the session has it
        session = self.session(name, f"set -e\n{script}", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        session.stdin.write(bundle.read_bytes())
        session.stdin.flush()
        said = session.stdout.readline()
        assert said == b"prepared\n", f"{name} was not prepared: {(self.folder / 'hand.log').read_text()[-2000:]}"
        return session

    def destroy(self):
        """(d): every machine with its disks."""
        self.together(self.remove)

    def forget(self):
        """Gives the addresses back. Without a lease the network asks for three seconds who else has an address before it
        gives it to a machine, as it does for machines that `exasol` makes.
        """
        network = ElementTree.fromstring(hypervisor.virsh("net-dumpxml", NETWORK))
        bridge, server = network.find("bridge").get("name"), network.find("ip").get("address")
        for row in hypervisor.virsh("net-dhcp-leases", NETWORK).splitlines():
            words = row.split()
            if len(words) > 4 and words[4].partition("/")[0] in self.addresses.values():
                release(bridge, server, words[2], words[4].partition("/")[0], words[-1])

    def remove(self, name):
        machine = self.machines[name]
        volumes = [*self.disks[name], f"{machine}-seed.img"]
        hypervisor.virsh("; ".join([f"destroy {machine}", f"undefine {machine}", *[f"vol-delete --pool {POOL} {volume}" for volume in volumes]]))


def release(bridge, server, mac, address, client):
    """DHCPRELEASE (RFC 2131), as the machine itself would say it."""
    hardware, client = bytes.fromhex(mac.replace(":", "")), bytes.fromhex(client.replace(":", ""))
    head = struct.pack("!BBBBIHH", 1, 1, 6, 0, 1, 0, 0) + socket.inet_aton(address) + bytes(12) + hardware.ljust(16, b"\0")
    options = b"\x63\x82\x53\x63" + b"\x35\x01\x07" + b"\x36\x04" + socket.inet_aton(server)
    options += bytes([61, len(client)]) + client + b"\xff"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bridge.encode())
        port.sendto(head + bytes(192) + options, (server, 67))


def query(login):
    """Seconds of a login and a query with Exasol's client for Python, whose start is not counted."""
    python = subprocess.run([REPO / "scripts" / "lab", "path", "venv"], capture_output=True, text=True, check=True).stdout.strip()
    client = subprocess.run([f"{python}/bin/python3", "-c", CLIENT], input=json.dumps(login), text=True, capture_output=True)
    assert client.returncode == 0, client.stderr
    return float(client.stdout)


def asked(system):
    """Seconds of an SSH session that does nothing, and of a login with a query: each on the slowest node."""
    config = system.dir / "ssh" / "config"
    info = system.exasol("info", "--show-password", "--json").expect(0).json()
    sessions, logins = [], []
    for name, host in zip(system.names, addresses(config.read_text(), system.names), strict=True):
        begin = time.monotonic()
        subprocess.run(["ssh", "-F", config, name, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=True)
        sessions.append(time.monotonic() - begin)
        logins.append(query({"host": host, "user": info["user"], "password": info["password"]}))
    return max(sessions), max(logins)


def addresses(config, names):
    rows = [row.split() for row in config.splitlines()]
    for name in names:
        at = rows.index(["Host", name])
        yield next(row[1] for row in rows[at:] if row[:1] == ["HostName"])


def release_of(script):
    """The two files that the installation copies: those in the cache whose checksums the first node's script has."""
    marker = "#--- files of this node, tar in base64 ---\n"
    files = tarfile.open(fileobj=io.BytesIO(base64.b64decode(script.read_text().split(marker, 1)[1])))
    conf = files.extractfile("etc/exasol-deployer/node.conf").read().decode()
    said = dict(row.split("=", 1) for row in conf.splitlines() if "=" in row)
    cached = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in CACHE.glob("artifacts/rehearsal/*/*") if path.is_file()}
    return {"c4": cached[said["C4_SHA256"].strip("'")], "archive": cached[said["ARCHIVE_SHA256"].strip("'")]}
