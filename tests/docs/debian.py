#!/usr/bin/env python3
"""Runs the libvirt guide's Debian commands from the document itself, where each can be run.

    tests/docs/debian.py --exasol target/release/exasol --lab NAME

Blocks `in=debian` run in a bare Debian 12 in a chroot, by a user with sudo: packages are really installed.
There is no systemd there, so services are enabled but not started. Blocks `in=lab` run beside the real
libvirtd of a lab that is up, after its pool and its network have been taken away. Needs root.
"""

import argparse
import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import run
from documents import ROOT
from markdown import Document
from session import Session

# At the end: it has a run.py as well.
sys.path.append(str(ROOT / "tests/package"))
from chroot import PASSED_ON, Chroot  # noqa: E402

GUIDE = ROOT / "CLOUD_SETUP_LIBVIRT.md"
USER = "reader"
PREPARE = f"""
echo "127.0.1.1 $(uname -n)" >>/etc/hosts
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends sudo ca-certificates
useradd --create-home --shell /bin/bash {USER}
echo '{USER} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{USER}
echo 'Defaults env_keep += "DEBIAN_FRONTEND SYSTEMD_OFFLINE {' '.join(PASSED_ON)}"' >>/etc/sudoers.d/{USER}
chmod 440 /etc/sudoers.d/{USER}
"""
# There is no systemd to talk to: systemctl finds the units and enables them, and starts nothing.
OFFLINE = {"SYSTEMD_OFFLINE": "1"}


def in_debian(binary):
    with Chroot(io.StringIO(), "docs") as debian:
        shutil.copy(binary, debian.root / "usr/local/bin/exasol")
        debian.run(PREPARE, folder="/", env=OFFLINE).expect(0)
        inside = debian.command(USER, env={**OFFLINE, "USER": USER, "LC_ALL": "C.UTF-8"})
        session = Session(dict(os.environ), "/", [*inside, "env", "-C", f"/home/{USER}", "bash"])
        try:
            return run.execute(Document(os.path.relpath(GUIDE)), session, "debian", report=lambda line: print(line, flush=True))
        finally:
            session.close()


def in_lab(binary, name):
    """The lab ends up with what it had: the commands of the guide make its pool and network anew."""
    lab = [str(ROOT / "scripts/lab"), "exec", "--name", name, "--"]

    def virsh(*arguments, check=True, **options):
        command = [*lab, "virsh", "-q", "-c", "qemu:///system", *arguments]
        return subprocess.run(command, check=check, stdout=subprocess.PIPE, text=True, **options).stdout

    machines = virsh("list", "--all", "--name").split()
    if machines:
        raise run.Failure(f"the lab {name} has machines, which would lose their network: {machines}")
    kept = {kind: virsh(f"{kind}-dumpxml", "--inactive", "default") for kind in ("pool", "net")}
    try:
        for kind in kept:
            virsh(f"{kind}-destroy", "default")
            virsh(f"{kind}-undefine", "default")
        script = str(ROOT / "tests/docs/run.py")
        code = attend([*lab, sys.executable, "-B", script, os.path.relpath(GUIDE), "--in", "lab", "--exasol", str(binary)])
    finally:
        for words in (["pool-destroy"], ["pool-delete"], ["pool-undefine"]):
            virsh(*words, "exasol", check=False)
        for words in (["net-destroy"], ["net-undefine"]):
            virsh(*words, "lan2", check=False)
        for kind, definition in kept.items():
            restore(virsh, kind, definition)
    if code != 0:
        raise run.Failure(f"{GUIDE.name}: the blocks in=lab failed, see above")


def attend(command):
    """Runs it; if this is interrupted, it is asked to end, and tidies up first."""
    # What comes before there is anything to end waits until there is.
    signal.pthread_sigmask(signal.SIG_BLOCK, run.STOPPED_BY)
    process = subprocess.Popen(
        command, preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, run.STOPPED_BY)
    )
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, run.STOPPED_BY)
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise


def restore(virsh, kind, definition):
    """What the guide's commands have not made anew, since they did not come so far."""
    if "default" not in virsh(f"{kind}-list", "--all", "--name").split():
        virsh(f"{kind}-define", "/dev/stdin", input=definition)
        virsh(f"{kind}-autostart", "default")
    if "default" not in virsh(f"{kind}-list", "--name").split():
        virsh(f"{kind}-start", "default")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exasol", default=ROOT / "target/release/exasol", type=pathlib.Path)
    parser.add_argument("--lab", help="the name of a lab that is up; without it the blocks in=lab are left out")
    parser.add_argument("--only-lab", action="store_true", help="leave the chroot out")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("this needs root: it makes a chroot")
    binary = options.exasol.resolve()
    if not os.access(binary, os.X_OK):
        parser.error(f"{binary} is not a program: cargo build --release")
    for number in run.STOPPED_BY:
        signal.signal(number, run.stop)
    begin = time.monotonic()
    try:
        if not options.only_lab:
            in_debian(binary)
        if options.lab:
            in_lab(binary, options.lab)
        else:
            print("left out: the blocks in=lab (no --lab NAME)")
    except run.Failure as failure:
        print(f"FAILED {failure}", flush=True)
        return 1
    print(f"ok {GUIDE.name}: Debian's commands, {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
