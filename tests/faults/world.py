"""A world of its own for one case: a home, a cloud that is a folder, fakes on PATH, and a database that answers.

A worker has one world after the other in the same place, copied from templates that it has made once: a deployment as
`init`, `deploy` or `stop` leaves it.
"""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import types

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parents[1]
sys.path.append(str(REPO / "rehearsal" / "database"))
sys.path.append(str(REPO / "tests" / "rehearsal"))
sys.path.append(str(REPO / "tests" / "clouds"))

from standin import keys, session, sqlserver  # noqa: E402

import secrets_scan  # noqa: E402
import support  # noqa: E402

PASSWORD = "Sesame-of-the-tests-1"
API_SECRET = "exoSecretOfTheTests0123456789abcdefghijklmn"
PROGRAMS = "sh cat sleep mkdir mv touch rm cp ls true false kill date tr head yes env bash".split()
# What no command of ours may touch: things of others with names like ours.
FOREIGN = ("n11", "n11-data-1", "ours", "ours-node-2", "foreign")
LIMIT = 60


class SqlPort(sqlserver.SqlServer):
    """Nobody is there while the machine is off."""

    def __init__(self, is_on, *rest):
        self.is_on = is_on
        super().__init__(*rest)

    def _serve(self, client):
        if self.is_on():
            super()._serve(client)
        else:
            # Those that are kept count against a limit, beyond which nobody is served.
            with self._lock:
                self._clients.discard(client)
            client.close()


class Database:
    """A machine's ports, on an address of its own, for as long as this process runs."""

    key = None

    def __init__(self, address, folder, is_on):
        self.address, self.is_on = address, is_on
        certificate, private = support.certificate()
        (folder / "tls.crt").write_text(certificate)
        (folder / "tls.key").write_text(private)
        self.tls = (folder / "tls.crt", folder / "tls.key")
        self.fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()
        self.listen(address)

    def listen(self, address):
        """On one more address, with the same certificate."""
        Database.key = Database.key or keys.LoginKey()
        password = types.SimpleNamespace(check=lambda given: given == PASSWORD, replace=lambda new: None)
        account = session.Account(password, Database.key, {}, Kind())
        SqlPort(self.is_on, (address, 8563), *self.tls, account, "Exasol", lambda: [address])
        threading.Thread(target=self.greet, args=(socket.create_server((address, 22)),), daemon=True).start()

    def greet(self, sshd):
        while True:
            client, _ = sshd.accept()
            with client:
                try:
                    if self.is_on():
                        client.sendall(b"SSH-2.0-fake\r\n")
                except OSError:
                    pass


class Kind(dict):
    release = "rehearsal"


class Answer:
    def __init__(self, words, code, stdout, stderr):
        self.words, self.code = words, code
        self.stdout, self.stderr = stdout, stderr

    @property
    def text(self):
        return f"$ exasol {' '.join(self.words)}   # exit {self.code}\n{self.stdout[-3000:]}\n{self.stderr[-3000:]}"

    def json(self):
        rows = [row for row in self.stdout.splitlines() if row.strip()]
        assert rows, f"nothing on stdout\n{self.text}"
        return json.loads(rows[-1])

    def expect(self, *codes):
        assert self.code in codes, f"exit {self.code}, expected {codes}\n{self.text}"
        return self


class World:
    cluster_key, making_key = None, threading.Lock()

    def __init__(self, folder, number, binary, shim):
        self.folder = pathlib.Path(folder) / f"w{number}"
        self.templates = pathlib.Path(folder) / f"t{number}"
        self.templates.mkdir()
        self.binary, self.shim = binary, shim
        low = os.getpid()
        address = f"127.{32 | low >> 14 & 31}.{low >> 6 & 255}.{1 + number + (low & 63) * 3}"
        self.database = Database(address, self.templates, lambda: self.power() == "running")
        self.started = []

    # Places

    @property
    def dir(self):
        return self.folder / "d"

    @property
    def home(self):
        return self.folder / "h"

    @property
    def env(self):
        return {
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.folder / "c"),
            "XDG_STATE_HOME": str(self.folder / "s"),
            "XDG_RUNTIME_DIR": str(self.folder / "r"),
            "TMPDIR": str(self.folder / "r"),
            "PATH": str(self.folder / "bin"),
            "EXASOL_DEPLOYMENT_DIR": str(self.dir),
            "EXASOL_DB_PASSWORD": PASSWORD,
            "EXOSCALE_API_KEY": "EXO0123456789abcdef01234567",
            "EXOSCALE_API_SECRET": API_SECRET,
        }

    # What it begins with

    def begin(self, template):
        """A world as this template has it: None (no deployment), "initialized", "ready", "stopped"."""
        self.end()
        if template is None:
            return self.make()
        kept = self.templates / template
        if not kept.exists():
            before = {"initialized": None, "ready": "initialized", "stopped": "ready"}[template]
            words = {"initialized": INIT, "ready": ["deploy"], "stopped": ["stop"]}[template]
            self.begin(before)
            self.exasol(*words).expect(0)
            if template == "initialized":
                self.give_key()
            shutil.rmtree(self.home / "children")
            (self.home / "children").mkdir()
            copy(self.folder, kept)
        shutil.rmtree(self.folder, ignore_errors=True)
        copy(kept, self.folder)

    def give_key(self):
        """The cluster's key, which a deploy makes if there is none: that takes longer than all the rest of it."""
        file = self.dir / "secrets.json"
        secrets = json.loads(file.read_text())
        with World.making_key:
            if not World.cluster_key:
                made = self.folder / "key"
                subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", made], check=True)
                World.cluster_key = made.read_text()
                made.unlink()
                made.with_suffix(".pub").unlink()
        secrets["cluster_key"] = World.cluster_key
        file.write_text(json.dumps(secrets))

    def make(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("h/children", "h/fault", "h/at", "h/cloud", "h/others", "c", "s", "r", "bin"):
            (self.folder / name).mkdir(parents=True, mode=0o700)
        shutil.copytree(HERE / "fakes", self.home / "fakes")
        for name in ("terraform", "ansible-playbook", "ssh"):
            (self.folder / "bin" / name).symlink_to(f"../h/fakes/{name}")
        for name in PROGRAMS:
            (self.folder / "bin" / name).symlink_to(shutil.which(name, path="/usr/bin:/bin"))
        for name in FOREIGN:
            (self.home / "cloud" / name).write_text(f"{name} of somebody else\n")
        (self.home / "others" / "file").write_text("somebody else's file\n")
        (self.home / "power").write_text("none\n")
        (self.home / "fingerprint").write_text(self.database.fingerprint)
        value = lambda value: {"sensitive": False, "type": "dynamic", "value": {"n11": value}}  # noqa: E731
        address = self.database.address
        outputs = {
            "private_ips": value(address), "public_ips": value(address), "machine_ids": value("42"),
            "data_disks": value(["/dev/disk/by-id/virtio-1"]),
        }  # fmt: skip
        (self.home / "outputs").write_text(json.dumps(outputs))

    def end(self):
        """Ends everything that still runs here."""
        self.heal()
        for child in self.started:
            if child.poll() is None:
                kill(child.pid, signal.SIGKILL)
            child.wait()
        self.started = []
        self.kill_survivors()

    # Programs

    def exasol(self, *words, shim=None, env=None, limit=LIMIT, **more):
        child = self.start(*words, shim=shim, env=env, **more)
        return self.finish(child, limit)

    def start(self, *words, shim=None, env=None, trace=None, stdin=subprocess.DEVNULL, stdout=None, stderr=None, wrap=()):
        number = len(self.started)
        out = open(self.folder / f"stdout-{number}", "wb") if stdout is None else stdout
        err = open(self.folder / f"stderr-{number}", "wb") if stderr is None else stderr
        environment = {**self.env, **(env or {})}
        if shim:
            environment.update(LD_PRELOAD=str(self.shim), FAULT=shim, FAULT_ROOT=str(self.dir))
            if trace:
                environment["FAULT_TRACE"] = str(trace)
        child = subprocess.Popen(
            [*wrap, str(self.binary), *words], env=environment, cwd=self.folder, stdin=stdin, stdout=out, stderr=err, umask=0,
            start_new_session=True,
        )  # fmt: skip
        child.words, child.number = words, number
        for stream, given in ((out, stdout), (err, stderr)):
            if given is None:
                stream.close()
        self.started.append(child)
        return child

    def finish(self, child, limit=LIMIT):
        try:
            code = child.wait(limit)
        except subprocess.TimeoutExpired:
            ours = "\n".join(self.command_line(pid) for pid in self.survivors())
            said = self.said(f"stdout-{child.number}")[-2000:] + self.said(f"stderr-{child.number}")[-2000:]
            raise AssertionError(f"exasol {' '.join(child.words)} still runs after {limit} s\n{ours}\n{said}") from None
        code = 128 - code if code < 0 else code
        return Answer(child.words, code, self.said(f"stdout-{child.number}"), self.said(f"stderr-{child.number}"))

    def said(self, name):
        file = self.folder / name
        return file.read_text(errors="replace") if file.exists() else ""

    # Faults of the fakes

    def fault(self, point, what):
        (self.home / "fault" / point).write_text(what)

    def heal(self):
        for file in (self.home / "fault").glob("*"):
            file.unlink()

    def reached(self, point, child=None, limit=LIMIT):
        """Waits until a fake holds at this step; its own number and its plugin's. None: the program ended before."""
        file = self.home / "at" / point
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if file.exists():
                return [int(word) for word in file.read_text().split()]
            if child is not None and child.poll() is not None:
                return None
            time.sleep(0.01)
        raise AssertionError(f"{point} was not reached within {limit} s")

    def interrupts(self):
        """How many Terraform or Ansible have got."""
        file = self.home / "interrupts"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def survivors(self):
        """Processes that belong to this world."""
        mark, own = f"HOME={self.home}".encode(), os.getpid()
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                environment = pathlib.Path("/proc", pid, "environ").read_bytes()
                state = pathlib.Path("/proc", pid, "stat").read_text().rsplit(") ", 1)[1][0]
            except OSError:
                continue
            if mark in environment.split(b"\0") and int(pid) != own and state != "Z":
                found.append(int(pid))
        return found

    def command_line(self, pid):
        try:
            return pathlib.Path("/proc", str(pid), "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""

    def kill_survivors(self):
        while pids := self.survivors():
            for pid in pids:
                kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    # What is there

    def state(self):
        return json.loads((self.dir / "deployment.json").read_text())

    def power(self):
        try:
            return (self.home / "power").read_text().strip()
        except OSError:
            return "none"

    def ours(self):
        return {file.name for file in (self.home / "cloud").glob("ours-*") if file.name not in FOREIGN}

    def foreign(self):
        cloud = {name: (self.home / "cloud" / name) for name in FOREIGN}
        files = {**cloud, "file": self.home / "others" / "file"}
        return {name: file.read_text() if file.exists() else None for name, file in files.items()}

    # Secrets

    def secrets(self):
        """{name: value} of all that is secret in the deployment."""
        found = {"EXOSCALE_API_SECRET": API_SECRET, "db_password": PASSWORD}
        try:
            kept = json.loads((self.dir / "secrets.json").read_text())
            found.update({name: value for name, value in kept.items() if isinstance(value, str) and len(value) > 8})
        except (OSError, ValueError):
            pass
        for file in (self.dir / "ssh").glob("id_*"):
            if not file.name.endswith(".pub"):
                try:
                    found[file.name] = max(file.read_text().splitlines(), key=len, default="") or "no key"
                except (OSError, ValueError):
                    pass
        return found

    def leaks(self, secrets):
        """Where secrets are that should not be: files for others, logs, command lines, environments."""
        needles = {name: secrets_scan.needles(value) for name, value in secrets.items()}
        has = lambda data: [name for name, forms in needles.items() if any(form in data for form in forms)]  # noqa: E731
        found = []
        for path in self.folder.rglob("*"):
            if path.is_symlink() or not path.is_file():
                continue
            place = path.relative_to(self.folder)
            own = place.parts[:2] in (("h", "children"), ("h", "fakes"))
            if own:
                continue
            said = place.name.startswith(("stdout-", "stderr-")) or "logs" in place.parts
            if said or secrets_scan.readable_by_others(path):
                found += [f"{place}: {name}" for name in has(path.read_bytes())]
        for path in (self.home / "children").iterdir():
            data = path.read_bytes()
            tool = path.name.split(".")[0]
            if path.name.endswith(".cmdline"):
                found += [f"command line of {path.name}: {name}" for name in has(data)]
            else:
                allowed = {"EXOSCALE_API_SECRET"} if tool == "terraform" else set()
                found += [f"environment of {path.name}: {name}" for name in has(data) if name not in allowed]
        return found


INIT = ("init", "--cloud-provider", "exoscale", "--db-version", "rehearsal", "--allowed-cidr", "192.0.2.0/24")


def copy(source, target):
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass

