#!/usr/bin/env python3
"""The packages as their users meet them: a clean Debian, the .deb, clusters in the lab, removal.

Usage: run.py PACKAGES [--no-clusters]      (the folder with what scripts/package made)

Needs root, mmdebstrap and the lab's programs (scripts/setup --lab). Started by scripts/test-package.
"""

import contextlib
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from chroot import REPO, Chroot, lab_home
from document import blocks

STOPPED_BY = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
USER = "reader"
HOME = f"/home/{USER}"
INIT = "exasol init --cloud-provider libvirt --db-version rehearsal"


class Lab:
    name = "package"

    def __enter__(self):
        self.command("down")
        try:
            self.command("up")
            lines = (lab_home() / "labs" / self.name / "environment").read_text().splitlines()
        except BaseException:
            # __exit__ is for those that were entered; half a lab would be left.
            self.command("down")
            raise
        self.environment = {"CHECKPOINT_DISABLE": "1", "EXASOL_LAB": self.name}
        self.environment.update(line.split("=", 1) for line in lines if not line.startswith("LAB_VENV="))
        return self

    def __exit__(self, *_):
        self.command("down")

    def command(self, verb, *rest):
        return subprocess.run(
            [REPO / "scripts/lab", verb, "--name", self.name, *rest], check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def domains_and_volumes(self):
        asked = "virsh -q list --all --name; virsh -q vol-list default | awk '{ print $1 }'"
        names = self.command("exec", "--", "sh", "-c", asked).split()
        # Base images stay, for the next deployment.
        return [name for name in names if "base" not in name]


class Test:
    def __init__(self, chroot, lab, packages):
        self.chroot, self.lab, self.packages = chroot, lab, packages
        self.document = blocks((REPO / "docs/packages.md").read_text(encoding="utf-8"))

    def step(self, function, *arguments):
        begin = time.monotonic()
        said = function(*arguments)
        print(f"  {time.monotonic() - begin:6.1f} s  {function.__doc__}{f': {said}' if said else ''}", flush=True)

    def root(self, script, **options):
        return self.chroot.run(script, **options)

    def reader(self, script, **options):
        return self.chroot.run(script, user=USER, folder=HOME, **options)

    def told(self, label, as_user=False, **options):
        """Runs the block of the document with this label."""
        script = self.document[label]
        return (self.reader if as_user else self.root)(script, **{"folder": HOME, **options}).expect(0)

    def install(self):
        """the .deb and what it depends on"""
        self.root(f"useradd --create-home --shell /bin/bash {USER}").expect(0)
        for path in self.packages.iterdir():
            shutil.copy(path, f"{self.chroot.root}{HOME}")
        self.root("apt-get update --quiet").expect(0)
        self.told("checksums")
        self.told("deb without recommended packages")
        self.files = self.root("dpkg-query --listfiles exasol").expect(0).stdout.split("\n")[:-1]
        found = self.root("dpkg --verify exasol; dpkg-query --show --showformat '${Version}' exasol").expect(0).stdout
        assert found.endswith("-1") and "\n" not in found, found
        return found

    def places(self):
        """man pages, completions, licence are where they belong"""
        for path in (
            "/usr/bin/exasol",
            "/usr/share/man/man1/exasol.1.gz",
            "/usr/share/man/man1/exasol-deploy.1.gz",
            "/usr/share/bash-completion/completions/exasol",
            "/usr/share/zsh/vendor-completions/_exasol",
            "/usr/share/fish/vendor_completions.d/exasol.fish",
            "/usr/share/doc/exasol/copyright",
            "/usr/share/doc/exasol/THIRD-PARTY.txt",
        ):
            assert path in self.files, f"{path} is not in the package"
        self.root("gunzip --to-stdout /usr/share/man/man1/exasol.1.gz | grep -q '^\\.TH exasol 1'").expect(0)
        self.root(". /usr/share/bash-completion/completions/exasol; complete -p exasol").expect(0)

    def without_libvirt(self):
        """--help, version and doctor where there is no libvirt"""
        absent = "! ldconfig -p | grep -q libvirt; ! ls /usr/lib/x86_64-linux-gnu/libvirt* 2>/dev/null"
        self.root(absent).expect(0)
        usage = self.reader("exasol --help").expect(0).stdout
        assert "exasol COMMAND -h" in usage and "doctor  " in usage, usage
        version = self.reader("exasol version --verbose").expect(0).stdout
        assert version.startswith("exasol "), version
        doctor = self.reader("exasol doctor --json --db-version rehearsal").expect(4)
        report = json.loads(doctor.stdout.strip().splitlines()[-1])
        text = json.dumps(report)
        for word in ("libvirt", "ansible-playbook", "terraform"):
            assert word in text, f"doctor says nothing about {word}: {text}"
        self.reader("exasol doctor --db-version rehearsal").expect(4)

    def programs(self):
        """the programs of Debian's that it drives"""
        self.told("client programs")
        return self.root("ansible-playbook --version | head -n 1").expect(0).stdout.strip()

    def engine(self, program):
        """an engine, the only one, installed as the document says"""
        self.root("rm -f /usr/local/bin/tofu /usr/local/bin/terraform").expect(0)
        name = pathlib.Path(program).name
        shutil.copy(program, f"{self.chroot.root}{HOME}/{name}")
        script = self.document["engine"].replace("tofu", name)
        self.root(script, folder=HOME).expect(0)
        return self.root(f"{name} version | head -n 1").expect(0).stdout.strip()

    def newest_ansible(self):
        """the newest ansible-core for this Python, as the document says"""
        self.told("newer ansible", as_user=False, folder="/root", env={"HOME": HOME})
        self.root(f"chown -R {USER}: {HOME}").expect(0)
        return self.reader(f"{HOME}/ansible/bin/ansible-playbook --version | head -n 1").expect(0).stdout.strip()

    def cluster(self, path):
        """doctor, init, deploy, status, sql, destroy"""
        script = f"""export PATH={path}
            {{ exasol doctor --db-version rehearsal; }} >&2
            {INIT} -d cluster >&2
            exasol deploy -d cluster >&2
            exasol status -d cluster --json
            exasol sql -d cluster -c 'SELECT 1' >&2
            ansible-playbook --version | head -n 1 >&2
            exasol destroy -d cluster --yes >&2"""
        done = self.reader(script, lab=self.lab).expect(0)
        report = json.loads(done.stdout.strip().splitlines()[-1])
        assert report["status"] == "database_ready", report
        left = self.lab.domains_and_volumes()
        assert not left, f"left in libvirt: {left}"
        state = json.loads((pathlib.Path(f"{self.chroot.root}{HOME}/cluster/deployment.json")).read_text())
        assert state["phase"] == "destroyed", state["phase"]
        shutil.rmtree(f"{self.chroot.root}{HOME}/cluster")

    def remove(self):
        """the package is removed, and nothing of it is left"""
        self.told("remove")
        for path in self.files:
            real = pathlib.Path(f"{self.chroot.root}{path}")
            if real.is_file() or real.is_symlink():
                raise AssertionError(f"left: {path}")
        # What users and this test have put there, and places of mounts, is not the package's.
        skipped = " -o ".join(f"-path {path}" for path in ("/home", "/proc", "/dev", "/run", "/var/cache/apt", lab_home()))
        find = f"find / -xdev \\( {skipped} \\) -prune -o -name '*exasol*' -print"
        left = self.root(find).expect(0).stdout.split()
        assert not left, f"left: {left}"
        self.root("dpkg --audit; ! dpkg-query --status exasol").expect(0)

    def tarball(self):
        """the tarball's program runs"""
        self.told("tarball", env={"HOME": HOME})
        self.root("exasol --version").expect(0)
        self.root("rm /usr/local/bin/exasol").expect(0)


def rpm(packages):
    """the .rpm into an empty root, without its dependencies, and out again"""
    package = next(packages.glob("*.rpm"))
    with tempfile.TemporaryDirectory() as root:
        call = ["rpm", "--root", root]
        subprocess.run([*call, "--initdb"], check=True)
        # Debian's rpm wants to be told that it is meant.
        debian = ["--force-debian"] if pathlib.Path("/etc/debian_version").exists() else []
        subprocess.run([*call, "--install", "--nodeps", *debian, package], check=True)
        subprocess.run([*call, "--verify", "--nodeps", "exasol"], check=True)
        program = pathlib.Path(root, "usr/bin/exasol")
        version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()
        for path in ("man/man1/exasol.1.gz", "zsh/site-functions/_exasol", "licenses/exasol/LICENSE"):
            assert pathlib.Path(root, "usr/share", path).is_file(), path
        subprocess.run([*call, "--erase", "--nodeps", "exasol"], check=True)
        left = [path for path in pathlib.Path(root, "usr").rglob("*exasol*") if "rpm" not in path.parts]
        assert not left, left
    return version


def with_clusters(test):
    tofu = subprocess.run([REPO / "scripts/lab", "tofu"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    second = shutil.which("terraform") or tofu
    test.step(test.programs)
    test.step(test.engine, tofu)
    test.step(test.cluster, "$PATH")
    test.step(test.newest_ansible)
    if second != tofu:
        test.step(test.engine, second)
    test.step(test.cluster, f"{HOME}/ansible/bin:$PATH")


def stop(number, _frame):
    # A second signal would only interrupt the tidying up.
    for each in STOPPED_BY:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main():
    for number in STOPPED_BY:
        signal.signal(number, stop)
    packages = pathlib.Path(sys.argv[1]).resolve()
    clusters = "--no-clusters" not in sys.argv
    with tempfile.NamedTemporaryFile("w", prefix="test-package.", suffix=".log", delete=False) as log:
        print(f"test-package: log: {log.name}", flush=True)
        with Chroot(log, "package") as chroot, Lab() if clusters else contextlib.nullcontext() as lab:
            test = Test(chroot, lab, packages)
            test.step(test.install)
            test.step(test.places)
            test.step(test.without_libvirt)
            if clusters:
                with_clusters(test)
            test.step(test.remove)
            test.step(test.tarball)
            test.step(rpm, packages)
    pathlib.Path(log.name).unlink()
    print("test-package: passed")


if __name__ == "__main__":
    main()
