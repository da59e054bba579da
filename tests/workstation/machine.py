"""The emulated machine: its disks, its start and end, and commands in it."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parent.parent
# With two processors Debian 13's kernel sometimes panics under emulation. The inner guest is emulated too:
# an SVM that is emulated itself would be tried, and is too slow.
QEMU = (
    *("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,tb-size=1024", "-cpu", "max,svm=off"),
    *("-smp", "1", "-m", "4096", "-display", "none", "-no-reboot", "-device", "virtio-rng-pci"),
)
# As a stock kernel has it, but for what costs much under emulation: AppArmor stays as it is.
KERNEL = (
    "root=LABEL=rootfs rw console=ttyS0,115200 net.ifnames=0 mitigations=off no5lvl nokaslr clearcpuid=erms "
    "tsc=reliable apparmor=1 security=apparmor"
)
BOOT_LIMIT = 600


def script(*command):
    """The last line that one of the repository's scripts prints."""
    done = subprocess.run([str(REPO / command[0]), *command[1:]], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[-1]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Machine:
    """`with Machine(suite, exasol) as machine:`; ended and forgotten afterwards, unless it is kept."""

    def __init__(self, suite, exasol, keep=False):
        self.built = pathlib.Path(script("tests/workstation/build", suite))
        self.exasol, self.keep = exasol, keep
        self.folder = self.process = None
        self.port = free_port()

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="run.", dir=self.built.parent))
        try:
            self._payload()
            self._boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.keep and self.process and self.process.poll() is None:
            print(f"kept: {' '.join(self._ssh('root'))}\nend it: kill {self.process.pid}; rm -r {self.folder}")
            return
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder)

    def _payload(self):
        """The second disk: what is tested and what cannot be had in the machine."""
        folder = self.folder / "payload"
        (folder / "bin").mkdir(parents=True)
        shutil.copy(self.exasol, folder / "bin/exasol")
        engine = shutil.which("terraform") or script("scripts/lab", "tofu")
        shutil.copy(engine, folder / "bin")
        mirror = script("scripts/lab", "path", "cli-config").removesuffix(".tfrc")
        shutil.copytree(mirror, folder / "mirror")
        shutil.copy(mirror + ".checksums.toml", folder / "checksums.toml")
        (folder / "mirror.tfrc").write_text(
            'provider_installation {\n  filesystem_mirror {\n    path = "/mnt/mirror"\n  }\n}\n'
        )
        shutil.copy(script("scripts/lab", "path", "image"), folder / "image.qcow2")
        shutil.copy(HERE / "look.py", folder)
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        disk = self.folder / "payload.raw"
        with disk.open("wb") as file:
            file.truncate((size * 11 // 10 // 1048576 + 32) * 1048576)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-d", folder, disk], check=True)
        shutil.rmtree(folder)

    def _boot(self):
        disk = self.folder / "disk.qcow2"
        base = ["-F", "raw", "-b", self.built / "disk.raw"]
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *base, disk], check=True)
        drives = [f"file={disk},format=qcow2,cache=unsafe", f"file={self.folder}/payload.raw,format=raw,readonly=on"]
        self.process = subprocess.Popen(
            [
                *QEMU,
                *("-kernel", self.built / "vmlinuz", "-initrd", self.built / "initrd.img", "-append", KERNEL),
                *(word for drive in drives for word in ("-drive", f"{drive},if=virtio")),
                *("-netdev", f"user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"),
                *("-device", "virtio-net-pci,netdev=n", "-serial", f"file:{self.folder}/console.log"),
            ],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(self._answers, "the workstation answers by SSH", BOOT_LIMIT, self._console)

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"QEMU ended with {self.process.returncode}\n{self._console()}")
        return self.run("true", user="root", limit=60).returncode == 0

    def _console(self):
        text = (self.folder / "console.log").read_text(errors="replace") if self.folder else ""
        return "\n".join(text.splitlines()[-20:])

    def _ssh(self, user):
        options = {
            **{"IdentitiesOnly": "yes", "IdentityAgent": "none", "BatchMode": "yes", "LogLevel": "ERROR"},
            **{"StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "ConnectTimeout": "30"},
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        key = ["-i", str(self.built / "key"), "-p", str(self.port)]
        return ["ssh", "-F", "/dev/null", *key, *words, f"{user}@127.0.0.1"]

    def run(self, command, user="user", limit=600):
        """A command in the machine, as that user, with text as output."""
        if user == "root":
            command = f"PATH=$PATH:/usr/sbin:/sbin; {command}"
        words = [*self._ssh(user), command]
        try:
            return subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=limit)
        except subprocess.TimeoutExpired as late:
            return subprocess.CompletedProcess(words, 124, text_of(late.stdout), f"no end within {limit} s")

    def start(self, command, user="user"):
        return subprocess.Popen([*self._ssh(user), command], stdin=subprocess.DEVNULL)


def text_of(output):
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


def wait_until(condition, what, limit, seen=lambda: "", every=1.0):
    """Polls until the condition gives something true, and returns it."""
    end = time.monotonic() + limit
    while not (found := condition()):
        if time.monotonic() > end:
            raise RuntimeError(f"not within {limit} s: {what}\n{seen()}")
        time.sleep(every)
    return found


def default_exasol():
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPO / "target")) / "release/exasol"
