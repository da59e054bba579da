"""Shared by the rehearsal's tests: a node without a guest, and a small client.

Everything runs on loopback addresses, in this process, without privileges.  What needs a real
machine (units, sshd, block devices) is replaced here and tested in the lab's guests instead.
"""

import base64
import hashlib
import importlib.machinery
import importlib.util
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from unittest import mock

sys.dont_write_bytecode = True  # rehearsal/database is packed as it is

HERE = os.path.dirname(os.path.abspath(__file__))
REHEARSAL = os.path.join(os.path.dirname(os.path.dirname(HERE)), "rehearsal")
C4 = os.path.join(REHEARSAL, "c4")
sys.path.insert(0, os.path.join(REHEARSAL, "database"))

from standin import addresses, keys, node, settings, sqlserver, stages, wire  # noqa: E402

node.log = lambda text: None  # what a service writes into the journal

PASSWORD = "\"\\$'#{{}}%{ }${} pässword"
LOGIN_KEY = keys.LoginKey()  # one for all tests: each costs 0.1 s


def load_c4():
    loader = importlib.machinery.SourceFileLoader("rehearsal_c4", C4)
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


_CERTIFICATE = []


def certificate():
    """(certificate, key) as PEM text, made once."""
    if not _CERTIFICATE:
        _CERTIFICATE.extend(
            load_c4().make_certificate(["n11", "localhost"], [f"127.0.0.{n}" for n in range(1, 5)])
        )
    return _CERTIFICATE


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what, limit_s=15.0):
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"still not after {limit_s} s: {what}")


class Lab:
    """Nodes of one cluster in this process, on 127.0.0.1, 127.0.0.2, …"""

    def __init__(self, test, count=1):
        self._folder = tempfile.TemporaryDirectory()
        test.addCleanup(self._folder.cleanup)
        self._patch = mock.patch.object(stages.Disks, "problem", lambda disks: None)
        self._patch.start()
        test.addCleanup(self._patch.stop)
        self.hosts = {}  # name -> address, in place of the system's resolver
        resolver = mock.patch.object(addresses, "lookup", lambda name: self.hosts.get(name))
        resolver.start()
        test.addCleanup(resolver.stop)
        self.sql_port, self.cluster_port, self.cos_port = free_port(), free_port(), free_port()
        cos = wire.listen("127.0.0.1", self.cos_port)
        test.addCleanup(cos.close)
        self.names = [f"n{11 + number}" for number in range(count)]
        self.nodes = {}
        self.running = {}
        self.boots = dict.fromkeys(self.names, 0)
        test.addCleanup(self.stop_all)
        for number, name in enumerate(self.names):
            self._lay_out(name, f"127.0.0.{number + 1}", count)

    def paths(self, name):
        return settings.Paths(os.path.join(self._folder.name, name))

    def _lay_out(self, name, address, count):
        paths = self.paths(name)
        for folder in (paths.etc, paths.var, paths.run, os.path.dirname(paths.boot_id)):
            os.makedirs(folder)
        cluster = {
            "play_id": "0badcafe",
            "nodes": [
                {
                    "name": f"n{11 + i}",
                    "address": f"127.0.0.{i + 1}",
                    "external": f"127.0.0.{i + 1}",
                }
                for i in range(count)
            ],
            "self": name,
            "disks": ["/dev/exadata_01"],
            "database": "Exasol",
            "user": "exasol",
            "key_file": "id_rsa",
            "sql_port": self.sql_port,
            "cluster_port": self.cluster_port,
            "cos_port": self.cos_port,
            "adminui_port": 0,
            "listen_on": address,
        }
        secrets = {"cluster_key": "11" * 32, "sys": load_c4().hash_password(PASSWORD)}
        settings.write_json(paths.cluster, cluster, 0o644)
        settings.write_json(paths.secrets, secrets, 0o600)
        for path, text in zip((paths.certificate, paths.private_key), certificate()):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
        with open(paths.cos_pid, "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
        self.boot(name)

    def boot(self, name):
        """A new boot id, as after a reboot."""
        self.boots[name] += 1
        with open(self.paths(name).boot_id, "w", encoding="ascii") as file:
            file.write(f"boot-{self.boots[name]}")

    def move(self, name, address):
        """Another address than the one that every node has recorded."""
        path = self.paths(name).cluster
        settings.write_json(path, dict(settings.read_json(path), listen_on=address), 0o644)

    def faults(self, name, **values):
        settings.write_json(self.paths(name).faults, values, 0o644)

    def unkind(self, **values):
        """Installed with the programs, so that it is there before the services start."""
        for name in self.names:
            path = self.paths(name).unkind
            os.makedirs(os.path.dirname(path), exist_ok=True)
            settings.write_json(path, values, 0o644)

    def start(self, *names):
        for name in names or self.names:
            self.running[name] = RunningNode(self.paths(name))

    def stop(self, name):
        self.running.pop(name).stop()

    def stop_all(self):
        for name in list(self.running):
            self.stop(name)

    def stage(self, name):
        return self.running[name].node.status()["stage"]

    def wait_for_stage(self, stage, *names):
        for name in names or self.names:
            wait_until(lambda: self.stage(name) == stage, f"{name} at {stage}")

    def connect(self, address="127.0.0.1"):
        return SqlClient(address, self.sql_port)

    def sql_is_open(self, address="127.0.0.1"):
        try:
            socket.create_connection((address, self.sql_port), 1.0).close()
            return True
        except OSError:
            return False


class RunningNode:
    """standin.node.Node with its loop in a thread that can be stopped."""

    def __init__(self, paths):
        self._listeners = []
        self._end = threading.Event()
        with mock.patch.object(keys, "LoginKey", lambda: LOGIN_KEY):
            self.node = node.Node(paths)
            self._handle, self.node.handle = self.node.handle, self._answer
            real_listen, real_unix = wire.listen, wire.listen_unix

            def keep(listener):
                self._listeners.append(listener)
                return listener

            with mock.patch.object(wire, "listen", lambda *a: keep(real_listen(*a))):
                with mock.patch.object(wire, "listen_unix", lambda *a: keep(real_unix(*a))):
                    self.node.serve()
        self._loop = threading.Thread(target=self._run, daemon=True)
        self._loop.start()

    def _run(self):
        while not self._end.is_set():
            self.node.step()
            self.node._event.wait(node.TICK_S)
            self.node._event.clear()

    def _answer(self, request):
        if self._end.is_set():
            raise OSError("the process has ended")  # breaks the connection off
        return self._handle(request)

    def stop(self):
        self._end.set()
        self.node._event.set()
        self._loop.join()
        for listener in self._listeners:
            sqlserver.hang_up(listener)
            listener.close()
        self.node._peers.stop()
        self.node._database.stop()


class Refused(Exception):
    def __init__(self, exception):
        super().__init__(exception["text"])
        self.code = exception["sqlCode"]


class SqlClient:
    """The protocol by hand, so that frames and orders can be wrong on purpose."""

    def __init__(self, address, port, upgrade=True):
        context = ssl.create_default_context(cadata=certificate()[0])
        self.sock = context.wrap_socket(
            socket.create_connection((address, port), 10), server_hostname=address
        )
        self.sock.settimeout(10)
        self.reader = self.sock.makefile("rb")
        self.compress = False
        if upgrade:
            head = self.http(
                "GET / HTTP/1.1\r\nHost: n11\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            # The example of RFC 6455, section 1.3.
            assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head, head
            assert head.startswith("HTTP/1.1 101 "), head

    def http(self, text):
        self.sock.sendall(text.encode("ascii"))
        lines = []
        while True:
            line = self.reader.readline().decode("ascii")
            if line in ("\r\n", ""):
                return "".join(lines)
            lines.append(line)

    def frame(self, opcode, payload, final=True, masked=True, reserved=0):
        first = (0x80 if final else 0) | reserved | opcode
        mask_bit = 0x80 if masked else 0
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", first, mask_bit | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", first, mask_bit | 126, size)
        else:
            head = struct.pack("!BBQ", first, mask_bit | 127, size)
        if masked:
            mask = os.urandom(4)
            payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
            head += mask
        self.sock.sendall(head + payload)

    def read_frame(self):
        head = self.reader.read(2)
        if len(head) < 2:
            return None, b""
        size = head[1] & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.reader.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.reader.read(8))
        return head[0] & 0x0F, self.reader.read(size)

    def send(self, **request):
        payload = json.dumps(request).encode("utf-8")
        if self.compress:
            import zlib

            self.frame(0x2, zlib.compress(payload))
        else:
            self.frame(0x1, payload)

    def receive(self):
        opcode, payload = self.read_frame()
        if self.compress:
            import zlib

            assert opcode == 0x2, opcode
            payload = zlib.decompress(payload)
        else:
            assert opcode == 0x1, (opcode, payload)
        answer = json.loads(payload)
        if answer["status"] == "error":
            raise Refused(answer["exception"])
        return answer

    def ask(self, **request):
        self.send(**request)
        return self.receive()

    def login(self, user="sys", password=PASSWORD, **more):
        public = self.ask(command="login", protocolVersion=more.pop("protocolVersion", 3))
        cipher = encrypt(password.encode("utf-8"), public["responseData"])
        answer = self.ask(username=user, password=cipher, **more)
        self.compress = more.get("useCompression", False)
        return answer["responseData"]

    def execute(self, text):
        return self.ask(command="execute", sqlText=text)["responseData"]["results"]

    def close(self):
        self.reader.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def encrypt(plain, public):
    """RSA with PKCS #1 v1.5 padding, from the bare numbers of the server's answer."""
    modulus = int(public["publicKeyModulus"], 16)
    exponent = int(public["publicKeyExponent"], 16)
    size = (modulus.bit_length() + 7) // 8
    padding = bytes(byte % 255 + 1 for byte in os.urandom(size - 3 - len(plain)))
    block = b"\0\2" + padding + b"\0" + plain
    number = pow(int.from_bytes(block, "big"), exponent, modulus)
    return base64.b64encode(number.to_bytes(size, "big")).decode("ascii")


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


INHERITED = ()  # descriptors that c4 gets from its caller


def run_c4(*arguments, env=None, cwd=None):
    # Files, not pipes: what c4 leaves behind would keep a pipe open.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        done = subprocess.run(
            [sys.executable, C4, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=dict(os.environ, **(env or {})),
            cwd=cwd,
            pass_fds=INHERITED,
        )
        for file in (out, err):
            file.seek(0)
        done.stdout, done.stderr = out.read(), err.read()
    return done
