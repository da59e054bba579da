"""A clean Debian in a folder: made from a kept archive, entered for commands, removed. tests/docs uses it too."""

import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parent.parent
SUITE = "bookworm"
# What pip and apt need to get out of this machine, if anything.
PASSED_ON = (
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
)


def lab_home():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(os.environ.get("EXASOL_LAB_HOME") or os.path.join(cache, "exasol-lab"))


def mounts_below(folder, mountinfo):
    """Where something is mounted in this folder or below, says the text of /proc/self/mountinfo."""
    places = (line.split(" ")[4] for line in mountinfo.splitlines())
    # Blanks and the like are written as octal numbers.
    places = [re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), place) for place in places]
    return [place for place in places if place == str(folder) or place.startswith(f"{folder}/")]


def remove(folder):
    """The mounts were in another namespace. If one was not, rm would empty what is mounted there."""
    found = mounts_below(os.path.realpath(folder), pathlib.Path("/proc/self/mountinfo").read_text())
    if found:
        raise RuntimeError(f"{folder} is not removed, since something is mounted there: {' '.join(found)}")
    subprocess.run(["rm", "-rf", folder], check=True)


class Done:
    def __init__(self, command, done):
        self.command, self.code, self.stdout, self.stderr = command, done.returncode, done.stdout, done.stderr

    def expect(self, code=0):
        assert self.code == code, f"{self.command}\nexit {self.code}, not {code}\n{self.stdout}\n{self.stderr}"
        return self


class Chroot:
    """`with Chroot(log, name) as chroot:`; the folder is gone afterwards. One of each name at a time."""

    def __init__(self, log, name):
        self.home = lab_home() / "chroot"
        self.name = name
        self.log = log
        self.root = None

    def __enter__(self):
        self.home.mkdir(parents=True, exist_ok=True)
        # One at a time: apt's archives, and the lab, have one name. Then other folders are those of killed runs.
        self.lock = open(self.home / f"{self.name}.lock", "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX)
            for folder in self.home.glob(f"{self.name}.*"):
                if folder.is_dir():
                    remove(folder)
            archive = self.base()
            self.root = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}.", dir=self.home))
            self.root.chmod(0o755)
            subprocess.run(["tar", "-C", self.root, "-xf", archive, "--numeric-owner"], check=True)
            shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
            if "PIP_CERT" in os.environ:
                (self.root / "opt/pip-cert.pem").write_bytes(pathlib.Path(os.environ["PIP_CERT"]).read_bytes())
            # The lab's folders may lie below it, and a user in there is to reach them.
            (self.root / "root").chmod(0o711)
            # Nothing that is installed here may start a service.
            (self.root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
            (self.root / "usr/sbin/policy-rc.d").chmod(0o755)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.root:
                remove(self.root)
        finally:
            self.lock.close()

    def base(self):
        """The archive of the bare system, made once."""
        archive = self.home / f"{SUITE}-minbase.tar"
        if not archive.exists():
            part = tempfile.NamedTemporaryFile(dir=self.home, suffix=".tar", delete=False).name
            try:
                make = ["mmdebstrap", "--quiet", "--variant=minbase", SUITE, part]
                subprocess.run(make, check=True, stdin=subprocess.DEVNULL)
                os.rename(part, archive)
            finally:
                pathlib.Path(part).unlink(missing_ok=True)
        return archive

    def command(self, user="root", lab=None, env=None):
        """What starts a command inside; in the network and beside the libvirt of that lab, if named."""
        archives = self.home / f"archives-{self.name}"
        archives.mkdir(exist_ok=True)
        binds = ["--rw", f"{archives}=/var/cache/apt/archives"]
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root" if user == "root" else f"/home/{user}",
            "LANG": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
            **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        }
        if "PIP_CERT" in os.environ:
            environment["PIP_CERT"] = "/opt/pip-cert.pem"
        prefix = []
        if lab:
            prefix = [str(REPO / "scripts/lab"), "exec", "--name", lab.name, "--"]
            environment.update(lab.environment)
            # The mark is how `scripts/lab down` finds what runs in its lab.
            binds += ["--rw", "/run/libvirt", "--ro", "/run/exasol-lab-id"]
            for place in ("mirror", "images"):
                binds += ["--ro", str(lab_home() / place)]
        variables = [f"{name}={value}" for name, value in {**environment, **(env or {})}.items()]
        return [
            *prefix,
            *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child=KILL"),
            *(str(HERE / "enter.sh"), str(self.root), user, *binds, "--"),
            *("env", "-i", *variables),
        ]

    def run(self, script, user="root", folder="/root", lab=None, env=None, limit=900):
        """Runs a shell script inside."""
        done = subprocess.run(
            [*self.command(user, lab, env), "bash", "-euc", f"cd {folder}\n{script}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
        )
        self.log.write(f"\n$ {script}   # {user}, exit {done.returncode}\n{done.stdout}{done.stderr}")
        self.log.flush()
        return Done(script, done)
